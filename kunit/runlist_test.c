// SPDX-License-Identifier: GPL-2.0-only
/*
 * runlist_test.c - KUnit suite of kmod/runlist.c
 */
#include <kunit/test.h>

#include "../kmod/runlist.h"
#include "backing.h"

#define TEST_LIMIT	(1U << 20)

static int runlist_test_init(struct kunit *test)
{
	struct snapmap_arena *arena = kunit_kzalloc(test, sizeof(*arena), GFP_KERNEL);

	test->priv = arena;
	return arena ? snapmap_arena_init(arena, &test_backing, TEST_LIMIT) : -ENOMEM;
}

static void runlist_test_exit(struct kunit *test)
{
	snapmap_arena_destroy(test->priv);
}

/* Frees what @list has and expects it to be @runs from the first on. */
static void expect_runs(struct kunit *test, struct snapmap_runlist *list, const u32 *runs,
			u32 count)
{
	struct snapmap_arena *arena = test->priv;
	u32 i;

	KUNIT_EXPECT_EQ(test, list->count, count);
	for (i = 0; i < count; i++) {
		snapmap_runlist_prefetch(arena, list);
		KUNIT_EXPECT_EQ(test, snapmap_runlist_pop(arena, list), runs[i]);
		snapmap_arena_free(arena, runs[i]);
	}
	KUNIT_EXPECT_EQ(test, snapmap_runlist_pop(arena, list), 0U);
	KUNIT_EXPECT_EQ(test, list->blocks, 0ULL);
}

/*
 * Two lists keep their order and their sum when one is put behind the other, however long
 * they are and wherever each begins; the empty ones are no exception.
 */
static void check_splice(struct kunit *test, u32 first, u32 second, u32 popped)
{
	struct snapmap_arena *arena = test->priv;
	struct snapmap_runlist list = {}, other = {};
	u32 runs[3 * SNAPMAP_RUNLIST_LANES];
	int err;
	u32 i;

	for (i = 0; i < first + second; i++) {
		runs[i] = snapmap_arena_alloc(arena, 1 + i % 3, 2, &err);
		snapmap_runlist_add(arena, i < first ? &list : &other, runs[i]);
	}
	for (i = 0; i < popped; i++) {
		KUNIT_EXPECT_EQ(test, snapmap_runlist_pop(arena, &list), runs[i]);
		snapmap_arena_free(arena, runs[i]);
	}
	snapmap_runlist_splice(arena, &list, &other);
	expect_runs(test, &other, NULL, 0);
	expect_runs(test, &list, runs + popped, first + second - popped);
}

static void test_splice(struct kunit *test)
{
	struct snapmap_arena *arena = test->priv;
	u32 first, second, popped;

	for (first = 0; first <= SNAPMAP_RUNLIST_LANES + 2; first++)
		for (second = 0; second <= 2 * SNAPMAP_RUNLIST_LANES - 2; second++)
			for (popped = 0; popped <= first; popped++)
				check_splice(test, first, second, popped);
	KUNIT_EXPECT_EQ(test, arena->used, (u64)SNAPMAP_CONTROL_BLOCKS);
}

static struct kunit_case runlist_cases[] = {
	KUNIT_CASE(test_splice),
	{}
};

static struct kunit_suite runlist_suite = {
	.name = "snapmap_runlist",
	.init = runlist_test_init,
	.exit = runlist_test_exit,
	.test_cases = runlist_cases,
};

kunit_test_suite(runlist_suite);

// SPDX-License-Identifier: GPL-2.0-only
/*
 * arena_test.c - KUnit suite of kmod/arena.c
 */
#include <kunit/test.h>
#include <linux/random.h>
#include <linux/slab.h>

#include "backing.h"

#define TEST_LIMIT	(16U << 20)

static int arena_test_init(struct kunit *test)
{
	struct snapmap_arena *arena = kunit_kzalloc(test, sizeof(*arena), GFP_KERNEL);

	test->priv = arena;
	return arena ? snapmap_arena_init(arena, &test_backing, TEST_LIMIT) : -ENOMEM;
}

static void arena_test_exit(struct kunit *test)
{
	snapmap_arena_destroy(test->priv);
}

/* Every slot begins where the one before it ends, and blocks find their slot. */
static void test_slots_cover_the_span(struct kunit *test)
{
	struct snapmap_arena *arena = test->priv;
	u32 block;

	for (block = 1; block < arena->blocks; block++)
		KUNIT_ASSERT_LE(test, snapmap_arena_slot(block) - snapmap_arena_slot(block - 1),
				1U);
	KUNIT_EXPECT_EQ(test, snapmap_arena_slot(0), 0U);
	KUNIT_EXPECT_EQ(test, snapmap_arena_slot(arena->blocks - 1), arena->slots - 1);
}

/* Runs do not overlap, lie in one group when small, and hold what is written. */
static void test_runs_are_disjoint(struct kunit *test)
{
	static const u32 sizes[] = { 1, 2, 3, 5, 7, 8, 9, 20, 2048 };
	struct snapmap_arena *arena = test->priv;
	u32 runs[200];
	u32 i, size;
	int err;

	for (i = 0; i < ARRAY_SIZE(runs); i++) {
		size = sizes[i % ARRAY_SIZE(sizes)];
		if (size == 2048 && i > 50)
			size = 1;
		runs[i] = snapmap_arena_alloc(arena, size, i, &err);
		KUNIT_ASSERT_NE(test, runs[i], 0U);
		memset(snapmap_arena_at(arena, runs[i]), i, size << SNAPMAP_BLOCK_SHIFT);
		if (size <= SNAPMAP_GROUP_BLOCKS)
			KUNIT_EXPECT_EQ(test, runs[i] >> SNAPMAP_GROUP_SHIFT,
					(runs[i] + size - 1) >> SNAPMAP_GROUP_SHIFT);
	}
	for (i = 0; i < ARRAY_SIZE(runs); i++) {
		size = snapmap_arena_run(arena, runs[i])->blocks << SNAPMAP_BLOCK_SHIFT;
		KUNIT_EXPECT_NULL(test, memchr_inv(snapmap_arena_at(arena, runs[i]), i, size));
		KUNIT_EXPECT_EQ(test, snapmap_arena_run(arena, runs[i])->birth, (u64)i);
		snapmap_arena_free(arena, runs[i]);
	}
	KUNIT_EXPECT_EQ(test, arena->used, (u64)SNAPMAP_CONTROL_BLOCKS);
}

/* Promise G: the limit is kept, and reached but for a chunk. */
static void test_limit(struct kunit *test)
{
	struct snapmap_arena *arena = test->priv;
	int err = 0;

	while (snapmap_arena_alloc(arena, 8, 2, &err))
		KUNIT_ASSERT_LE(test, arena->resident, (u64)TEST_LIMIT);
	KUNIT_EXPECT_EQ(test, err, -ENOSPC);
	KUNIT_EXPECT_GT(test, arena->resident, (u64)TEST_LIMIT - (3U << 20));
	KUNIT_EXPECT_EQ(test, arena->free, 0ULL);
}

/* Promise G: empty chunks are given back, and come again. */
static void test_trim(struct kunit *test)
{
	struct snapmap_arena *arena = test->priv;
	u64 resident = arena->resident;
	u32 round, run;
	int err;

	for (round = 0; round < 3; round++) {
		run = snapmap_arena_alloc(arena, SNAPMAP_CHUNK_BLOCKS, 2, &err);
		KUNIT_ASSERT_NE(test, run, 0U);
		snapmap_arena_trim(arena);
		KUNIT_EXPECT_NOT_NULL(test, arena->chunks[snapmap_arena_slot(run)]);
		snapmap_arena_free(arena, run);
		snapmap_arena_trim(arena);
		KUNIT_EXPECT_NULL(test, arena->chunks[snapmap_arena_slot(run)]);
		KUNIT_EXPECT_EQ(test, arena->resident, resident);
	}
}

/* A view answers for what is populated and for nothing else. */
static void test_view_bounds(struct kunit *test)
{
	struct snapmap_arena *arena = test->priv;
	const struct snapmap_view view = { .arena = arena };

	KUNIT_EXPECT_NULL(test, snapmap_view_at(&view, 0, 1));
	KUNIT_EXPECT_NOT_NULL(test, snapmap_view_at(&view, 8, 1));
	KUNIT_EXPECT_NOT_NULL(test, snapmap_view_at(&view, SNAPMAP_CHUNK_SMALL - 1, 1));
	KUNIT_EXPECT_NULL(test, snapmap_view_at(&view, SNAPMAP_CHUNK_SMALL - 1, 2));
	KUNIT_EXPECT_NULL(test, snapmap_view_at(&view, SNAPMAP_CHUNK_SMALL, 1));
	KUNIT_EXPECT_NULL(test, snapmap_view_at(&view, arena->blocks, 1));
	KUNIT_EXPECT_NULL(test, snapmap_view_at(&view, U32_MAX, 1));
	KUNIT_EXPECT_NULL(test, snapmap_view_at(&view, 8, U32_MAX));
}

static struct kunit_case arena_cases[] = {
	KUNIT_CASE(test_slots_cover_the_span),
	KUNIT_CASE(test_runs_are_disjoint),
	KUNIT_CASE(test_limit),
	KUNIT_CASE(test_trim),
	KUNIT_CASE(test_view_bounds),
	{}
};

static struct kunit_suite arena_suite = {
	.name = "snapmap_arena",
	.init = arena_test_init,
	.exit = arena_test_exit,
	.test_cases = arena_cases,
};

kunit_test_suite(arena_suite);

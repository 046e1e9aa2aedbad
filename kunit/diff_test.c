// SPDX-License-Identifier: GPL-2.0-only
/*
 * diff_test.c - KUnit suite of kmod/diff.h
 */
#include <kunit/test.h>
#include <linux/prandom.h>
#include <linux/slab.h>

#include "backing.h"
#include "../kmod/broken.h"
#include "../kmod/table.h"

#include "../kmod/diff.h"	/* wants what is above */

#define TEST_SEED	7
#define KEYS		3000
#define SNAPSHOTS	8

/**
 * struct fixture - snapshots in one arena, nothing of which is reused
 * @arena: their memory
 * @count: how many there are
 * @tables: the snapshots
 * @models: the value of each key in each of them, 0 where it is absent
 * @seen: keys that a comparison has told
 */
struct fixture {
	struct snapmap_arena arena;
	u32 count;
	struct snapmap_table tables[SNAPSHOTS];
	u32 models[SNAPSHOTS][KEYS];
	bool seen[KEYS];
};

static int diff_test_init(struct kunit *test)
{
	struct fixture *fixture = kvzalloc(sizeof(*fixture), GFP_KERNEL);
	int err;

	if (!fixture)
		return -ENOMEM;
	err = snapmap_arena_init(&fixture->arena, &test_backing, 64U << 20);
	if (err) {
		kvfree(fixture);
		return err;
	}
	fixture->count = 1;
	test->priv = fixture;
	return 0;
}

static void diff_test_exit(struct kunit *test)
{
	struct fixture *fixture = test->priv;

	snapmap_arena_destroy(&fixture->arena);
	kvfree(fixture);
}

static struct snapmap_build begin(struct fixture *fixture)
{
	u32 last = fixture->count - 1;

	memcpy(fixture->models[last + 1], fixture->models[last], sizeof(fixture->models[0]));
	return (struct snapmap_build){
		.arena = &fixture->arena,
		.seed = TEST_SEED,
		.version = fixture->count + 1,
		.table = fixture->tables[last],
	};
}

static void publish(struct fixture *fixture, struct snapmap_build *build)
{
	snapmap_build_finish(build);
	fixture->tables[fixture->count++] = build->table;
}

/* Gives a key a value, or, when that is 0, removes it. */
static void set(struct kunit *test, struct snapmap_build *build, u32 number, u32 value)
{
	struct fixture *fixture = test->priv;
	struct snapmap_key key = { &number, sizeof(number),
				   snapmap_hash(TEST_SEED, &number, sizeof(number)) };
	int err;

	if (value)
		err = snapmap_build_put(build, &key, &value, sizeof(value));
	else
		err = snapmap_build_delete(build, &key);
	KUNIT_ASSERT_TRUE(test, !err || (!value && err == -ENOENT));
	fixture->models[fixture->count][number] = value;
}

static u32 value_of(const struct snapmap_hit *hit, bool has)
{
	u32 value = 0;

	if (has)
		memcpy(&value, hit->value, min_t(u32, hit->value_len, sizeof(value)));
	return value;
}

/* Everything that differs comes once, as it is. Returns how many nodes that took. */
static u64 check_pair(struct kunit *test, u32 a, u32 b)
{
	struct fixture *fixture = test->priv;
	const struct snapmap_view view = { .arena = &fixture->arena };
	const u32 *old = fixture->models[a], *new = fixture->models[b];
	struct snapmap_change change;
	struct snapmap_diff diff;
	u32 number;
	int ret;

	memset(fixture->seen, 0, sizeof(fixture->seen));
	snapmap_diff_begin(&diff, &view, TEST_SEED, fixture->tables[a].root,
			   fixture->tables[b].root);
	while ((ret = snapmap_diff_next(&diff, &change)) > 0) {
		memcpy(&number, change.key, sizeof(number));
		KUNIT_ASSERT_LT(test, number, (u32)KEYS);
		KUNIT_ASSERT_FALSE(test, fixture->seen[number]);
		fixture->seen[number] = true;
		KUNIT_ASSERT_EQ(test, value_of(&change.old, change.has_old), old[number]);
		KUNIT_ASSERT_EQ(test, value_of(&change.new, change.has_new), new[number]);
	}
	KUNIT_ASSERT_EQ(test, ret, 0);
	for (number = 0; number < KEYS; number++)
		KUNIT_ASSERT_EQ(test, fixture->seen[number], old[number] != new[number]);
	return diff.nodes;
}

static void test_against_model(struct kunit *test)
{
	static const u32 ops[SNAPSHOTS] = { 0, 2000, 1, 30, 4000, 0, 500, 3000 };
	struct fixture *fixture = test->priv;
	struct snapmap_build build;
	struct rnd_state random;
	u32 i, a, b, value;

	prandom_seed_state(&random, TEST_SEED);
	while (fixture->count < SNAPSHOTS) {
		build = begin(fixture);
		for (i = 0; i < ops[fixture->count]; i++) {
			value = prandom_u32_state(&random) % 3; /* often what it has */
			set(test, &build, prandom_u32_state(&random) % KEYS, value);
		}
		publish(fixture, &build);
	}
	for (a = 0; a < SNAPSHOTS; a++)
		for (b = 0; b < SNAPSHOTS; b++)
			check_pair(test, a, b);
}

/* Promise I: what is shared is not looked at. */
static void test_cost(struct kunit *test)
{
	struct fixture *fixture = test->priv;
	struct snapmap_build build;
	u32 number;

	build = begin(fixture);
	for (number = 0; number < KEYS; number++)
		set(test, &build, number, 1);
	publish(fixture, &build);
	build = begin(fixture);
	set(test, &build, 5, 2);
	publish(fixture, &build);
	build = begin(fixture);
	publish(fixture, &build);
	KUNIT_EXPECT_LE(test, check_pair(test, 1, 2),
			2 * (1 + (u64)SNAPMAP_ROOT_LEVELS(fixture->tables[2].root)));
	KUNIT_EXPECT_EQ(test, check_pair(test, 2, 3), 0ULL);
}

static struct kunit_case diff_cases[] = {
	KUNIT_CASE(test_against_model),
	KUNIT_CASE(test_cost),
	{}
};

static struct kunit_suite diff_suite = {
	.name = "snapmap_diff",
	.init = diff_test_init,
	.exit = diff_test_exit,
	.test_cases = diff_cases,
};

kunit_test_suite(diff_suite);

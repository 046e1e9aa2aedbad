// SPDX-License-Identifier: GPL-2.0-only
/*
 * table_test.c - KUnit suite of kmod/table.c
 */
#include <kunit/test.h>
#include <linux/prandom.h>
#include <linux/slab.h>

#include "backing.h"
#include "../kmod/table.h"

#define TEST_SEED	7
#define KEYS		4000

/**
 * struct fixture - a table that is published and reclaimed at once
 * @arena: its memory
 * @table: the current snapshot
 * @version: its version
 * @model: for each key, the version that last wrote it, 0 where it is absent
 */
struct fixture {
	struct snapmap_arena arena;
	struct snapmap_table table;
	u64 version;
	u64 model[KEYS];
};

static int table_test_init(struct kunit *test)
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
	test->priv = fixture;
	return 0;
}

static void table_test_exit(struct kunit *test)
{
	struct fixture *fixture = test->priv;

	snapmap_arena_destroy(&fixture->arena);
	kvfree(fixture);
}

static struct snapmap_build begin(struct fixture *fixture)
{
	return (struct snapmap_build){
		.arena = &fixture->arena,
		.seed = TEST_SEED,
		.version = fixture->version + 1,
		.table = fixture->table,
	};
}

static void publish(struct fixture *fixture, struct snapmap_build *build)
{
	u32 block;

	snapmap_build_finish(build);
	fixture->table = build->table;
	fixture->version = build->version;
	while ((block = snapmap_runlist_pop(&fixture->arena, &build->retired)))
		snapmap_arena_free(&fixture->arena, block);
}

static struct snapmap_key key_of(const u32 *key)
{
	return (struct snapmap_key){ key, sizeof(*key),
				     snapmap_hash(TEST_SEED, key, sizeof(*key)) };
}

static int put(struct snapmap_build *build, u32 number, const void *value, u32 value_len)
{
	struct snapmap_key key = key_of(&number);

	return snapmap_build_put(build, &key, value, value_len);
}

static void check(struct kunit *test, const struct snapmap_table *table, const u64 *model)
{
	struct fixture *fixture = test->priv;
	const struct snapmap_view view = { .arena = &fixture->arena };
	struct snapmap_hit hit;
	u64 entries = 0;
	bool found;
	u32 key;

	for (key = 0; key < KEYS; key++) {
		found = snapmap_lookup(&view, table->root,
				       snapmap_hash(TEST_SEED, &key, sizeof(key)), &key,
				       sizeof(key), &hit);
		KUNIT_ASSERT_EQ(test, found, model[key] != 0);
		if (found)
			KUNIT_ASSERT_EQ(test, hit.version, model[key]);
		entries += found;
	}
	KUNIT_EXPECT_EQ(test, table->entries, entries);
}

static void test_against_model(struct kunit *test)
{
	struct fixture *fixture = test->priv;
	struct snapmap_build build;
	struct snapmap_key key;
	struct rnd_state random;
	u8 *value = kunit_kzalloc(test, 3000, GFP_KERNEL);
	u32 round, ops, number;

	KUNIT_ASSERT_NOT_NULL(test, value);
	prandom_seed_state(&random, TEST_SEED);
	for (round = 0; round < 30; round++) {
		build = begin(fixture);
		for (ops = 0; ops < 1500; ops++) {
			number = prandom_u32_state(&random) % KEYS;
			key = key_of(&number);
			if (prandom_u32_state(&random) % 100 < (round % 3) * 40) {
				KUNIT_ASSERT_EQ(test, snapmap_build_delete(&build, &key),
						fixture->model[number] ? 0 : -ENOENT);
				fixture->model[number] = 0;
				continue;
			}
			KUNIT_ASSERT_EQ(test, put(&build, number, value, ops % 50 ? ops % 90 :
						  3000), 0);
			fixture->model[number] = build.version;
		}
		publish(fixture, &build);
		check(test, &fixture->table, fixture->model);
	}
	build = begin(fixture);
	snapmap_build_clear(&build);
	publish(fixture, &build);
	KUNIT_EXPECT_EQ(test, fixture->arena.used, (u64)SNAPMAP_CONTROL_BLOCKS);
}

/* Promises B and F: an aborted build leaves the table and the arena as they were. */
static void test_abort(struct kunit *test)
{
	struct fixture *fixture = test->priv;
	struct snapmap_build build = begin(fixture);
	struct snapmap_key key;
	u32 number;
	u64 used;

	for (number = 0; number < KEYS; number += 2) {
		KUNIT_ASSERT_EQ(test, put(&build, number, "value", 5), 0);
		fixture->model[number] = build.version;
	}
	publish(fixture, &build);
	used = fixture->arena.used;

	build = begin(fixture);
	for (number = 0; number < KEYS; number++) {
		key = key_of(&number);
		if (number % 3)
			KUNIT_ASSERT_EQ(test, put(&build, number, "another value", 13), 0);
		else
			snapmap_build_delete(&build, &key);
	}
	check(test, &fixture->table, fixture->model);
	snapmap_build_abort(&build);
	KUNIT_EXPECT_EQ(test, fixture->arena.used, used);
	check(test, &fixture->table, fixture->model);
}

static struct kunit_case table_cases[] = {
	KUNIT_CASE(test_against_model),
	KUNIT_CASE(test_abort),
	{}
};

static struct kunit_suite table_suite = {
	.name = "snapmap_table",
	.init = table_test_init,
	.exit = table_test_exit,
	.test_cases = table_cases,
};

kunit_test_suite(table_suite);

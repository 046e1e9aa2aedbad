// SPDX-License-Identifier: GPL-2.0-only
/*
 * table_test.c - KUnit suite of kmod/table.c
 */
#include <kunit/test.h>
#include <linux/prandom.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "backing.h"
#include "fault.h"
#include "forge.h"
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

/* A put of any key and value, of which @fill is every byte. */
static int put_filled(struct snapmap_build *build, u32 key_len, u32 value_len, u8 fill)
{
	u8 *bytes = vmalloc(SNAPMAP_VALUE_MAX);
	struct snapmap_key key = { bytes, key_len };
	int err = -ENOMEM;

	if (bytes) {
		memset(bytes, fill, SNAPMAP_VALUE_MAX);
		key.hash = snapmap_hash(TEST_SEED, bytes, key_len);
		err = snapmap_build_put(build, &key, bytes, value_len);
	}
	vfree(bytes);
	return err;
}

static void expect_filled(struct kunit *test, u32 key_len, u32 value_len, u8 fill)
{
	struct fixture *fixture = test->priv;
	const struct snapmap_view view = { .arena = &fixture->arena };
	u8 *key = kunit_kmalloc(test, key_len, GFP_KERNEL);
	struct snapmap_hit hit = {};

	KUNIT_ASSERT_NOT_NULL(test, key);
	memset(key, fill, key_len);
	KUNIT_EXPECT_TRUE(test, snapmap_lookup(&view, fixture->table.root,
					       snapmap_hash(TEST_SEED, key, key_len), key, key_len,
					       &hit));
	KUNIT_EXPECT_EQ(test, hit.value_len, value_len);
	KUNIT_EXPECT_NULL(test, memchr_inv(hit.value, fill, hit.value_len));
	KUNIT_EXPECT_EQ(test, fixture->table.key_bytes, (u64)key_len);
	KUNIT_EXPECT_EQ(test, fixture->table.value_bytes, (u64)value_len);
}

/* One entry whose value moves into the leaf and out of it; nothing of it stays behind. */
static void test_value_lengths(struct kunit *test)
{
	static const u32 keys[] = { 1, SNAPMAP_KEY_MAX };
	static const u32 values[] = { 0, SNAPMAP_VALUE_MAX, 1, 16, 17, 1032, 1033, 512, 4096, 0 };
	struct fixture *fixture = test->priv;
	struct snapmap_build build;
	u32 i, j;

	for (i = 0; i < ARRAY_SIZE(keys); i++) {
		for (j = 0; j < ARRAY_SIZE(values); j++) {
			build = begin(fixture);
			KUNIT_ASSERT_EQ(test, put_filled(&build, keys[i], values[j], i + 1), 0);
			publish(fixture, &build);
			expect_filled(test, keys[i], values[j], i + 1);
			KUNIT_EXPECT_LE(test, fixture->arena.used, SNAPMAP_CONTROL_BLOCKS + 5ULL +
					DIV_ROUND_UP(values[j], SNAPMAP_BLOCK_SIZE));
		}
		build = begin(fixture);
		snapmap_build_clear(&build);
		publish(fixture, &build);
		KUNIT_EXPECT_EQ(test, fixture->arena.used, (u64)SNAPMAP_CONTROL_BLOCKS);
	}
}

/* Puts a key whose hash is chosen. */
static int put_forged(struct snapmap_build *build, u64 hash, u64 number)
{
	u64 bytes[FORGE_WORDS];
	struct snapmap_key key = { bytes, sizeof(bytes), hash };

	forge_key(TEST_SEED, hash, number, bytes);
	return snapmap_build_put(build, &key, &number, sizeof(number));
}

static bool has_forged(struct fixture *fixture, u64 hash, u64 number)
{
	const struct snapmap_view view = { .arena = &fixture->arena };
	struct snapmap_hit hit;
	u64 bytes[FORGE_WORDS];

	forge_key(TEST_SEED, hash, number, bytes);
	return snapmap_lookup(&view, fixture->table.root, hash, bytes, sizeof(bytes), &hit) &&
	       *(u64 *)hit.value == number;
}

/* Keys of one hash fill a leaf; the next is refused, and all is as before (promise F). */
static void test_equal_hashes(struct kunit *test)
{
	const u64 hash = 0x0123456789abcdefULL;
	struct fixture *fixture = test->priv;
	struct snapmap_build build = begin(fixture);
	u64 number, used;
	u64 most = 32;	/* granules of the largest leaf, by two for each entry */
	u64 bytes[FORGE_WORDS];

	forge_key(TEST_SEED, hash, 1, bytes);
	KUNIT_ASSERT_EQ(test, snapmap_hash(TEST_SEED, bytes, sizeof(bytes)), hash);
	for (number = 0; number < 200; number++)
		KUNIT_ASSERT_EQ(test, put_forged(&build, number << 56, number), 0);
	for (number = 0; number < most; number++)
		KUNIT_ASSERT_EQ(test, put_forged(&build, hash, number), 0);
	publish(fixture, &build);
	used = fixture->arena.used;

	build = begin(fixture);
	KUNIT_EXPECT_EQ(test, put_forged(&build, hash, 0), 0);	/* replaces */
	KUNIT_EXPECT_EQ(test, put_forged(&build, hash, most), -EOVERFLOW);
	snapmap_build_abort(&build);
	KUNIT_EXPECT_EQ(test, fixture->arena.used, used);
	for (number = 0; number < most; number++)
		KUNIT_EXPECT_TRUE(test, has_forged(fixture, hash, number));
	for (number = 0; number < 200; number++)
		KUNIT_EXPECT_TRUE(test, has_forged(fixture, number << 56, number));
}

/* Hashes that are equal in more and more bits reach every level there is, and go again. */
static void test_every_level(struct kunit *test)
{
	struct fixture *fixture = test->priv;
	struct snapmap_build build;
	u32 levels = 0, was, bit;
	u64 number = 0, hash;

	for (bit = 0; bit < 64; bit++) {
		build = begin(fixture);
		for (hash = 1; hash < 200; hash += 2, number++)
			KUNIT_ASSERT_EQ(test, put_forged(&build, bit > 56 ? hash % (1 << (64 - bit)) :
							 hash << (56 - bit), number), 0);
		if (bit > 56)
			break;
		publish(fixture, &build);
		was = levels;
		levels = SNAPMAP_ROOT_LEVELS(fixture->table.root);
		KUNIT_EXPECT_LE(test, levels, was + 1);
		KUNIT_EXPECT_GE(test, levels, was);
		KUNIT_EXPECT_LE(test, levels, (u32)SNAPMAP_LEVELS_MAX);
		for (number -= 100, hash = 1; hash < 200; hash += 2, number++)
			KUNIT_EXPECT_TRUE(test, has_forged(fixture, hash << (56 - bit), number));
	}
	snapmap_build_abort(&build);

	/* More than a leaf has room for, which the last bit alone tells apart. */
	build = begin(fixture);
	for (hash = 0; hash < 48; hash++, number++)
		KUNIT_ASSERT_EQ(test, put_forged(&build, hash % 2, number), 0);
	publish(fixture, &build);
	KUNIT_EXPECT_EQ(test, SNAPMAP_ROOT_LEVELS(fixture->table.root), (u32)SNAPMAP_LEVELS_MAX);
	for (number -= 48, hash = 0; hash < 48; hash++, number++)
		KUNIT_EXPECT_TRUE(test, has_forged(fixture, hash % 2, number));
	build = begin(fixture);
	snapmap_build_clear(&build);
	publish(fixture, &build);
	KUNIT_EXPECT_EQ(test, fixture->arena.used, (u64)SNAPMAP_CONTROL_BLOCKS);
}

/* Deleting all but a few joins leaves again: a small table takes little, however large it was. */
static void test_leaves_are_joined(struct kunit *test)
{
	struct fixture *fixture = test->priv;
	struct snapmap_build build = begin(fixture);
	struct snapmap_key key;
	u64 large, nodes;
	u32 number;

	for (number = 0; number < KEYS; number++)
		KUNIT_ASSERT_EQ(test, put(&build, number, "value", 5), 0);
	publish(fixture, &build);
	large = fixture->arena.used;
	build = begin(fixture);
	for (number = 10; number < KEYS; number++) {
		key = key_of(&number);
		KUNIT_ASSERT_EQ(test, snapmap_build_delete(&build, &key), 0);
		KUNIT_EXPECT_EQ(test, snapmap_build_delete(&build, &key), -ENOENT);
	}
	publish(fixture, &build);
	for (number = 0; number < 10; number++)
		fixture->model[number] = fixture->version - 1;
	check(test, &fixture->table, fixture->model);
	nodes = (SNAPMAP_ROOT_LEVELS(fixture->table.root)) * 2ULL;
	KUNIT_EXPECT_LE(test, fixture->arena.used, SNAPMAP_CONTROL_BLOCKS + nodes + 10);
	KUNIT_EXPECT_GT(test, large, 200ULL);
}

/* Changes in all parts of a table: keys of the first 300 go, grow, and new ones come. */
static int change(struct snapmap_build *build)
{
	static const u8 value[900];
	struct snapmap_key key;
	int err = 0;
	u32 number;

	for (number = 0; !err && number < 300; number += 3) {
		key = key_of(&number);
		err = number % 2 ? snapmap_build_delete(build, &key) :
				   put(build, number, value, sizeof(value));
	}
	for (number = 0; !err && number < 60; number++)
		err = put_forged(build, 0xabcdef0000000000ULL + number * 8, number);
	return err;
}

/* Publishes the table that change() changes. */
static void fill(struct kunit *test)
{
	struct fixture *fixture = test->priv;
	struct snapmap_build build = begin(fixture);
	u32 number;

	for (number = 0; number < 300; number++) {
		KUNIT_ASSERT_EQ(test, put(&build, number, "value", 5), 0);
		fixture->model[number] = build.version;
	}
	publish(fixture, &build);
}

/* Promise F: the table is whole after a failure at any step, and the build gives all back. */
static void test_every_step_fails(struct kunit *test)
{
	struct fixture *fixture = test->priv;
	struct snapmap_build build;
	struct faults faults = {};
	u64 used;
	int err;

	fault_require(test);
	fill(test);
	used = fixture->arena.used;
	while (faults_next(&faults)) {
		snapmap_arena_trim(&fixture->arena);
		build = begin(fixture);
		faults_begin(&faults);
		err = change(&build);
		faults_end(&faults);
		KUNIT_EXPECT_TRUE(test, !err || err == -ENOMEM);
		faults.failures += err != 0;
		snapmap_build_abort(&build);
		KUNIT_ASSERT_EQ(test, fixture->arena.used, used);
		check(test, &fixture->table, fixture->model);
	}
	faults_expect(test, &faults, 3);	/* of a chunk, its runs, groups, data */
}

/* Leaves @count blocks free, and no room to grow; the others go to @taken. */
static void leave_free(struct kunit *test, u32 count, struct snapmap_runlist *taken)
{
	struct fixture *fixture = test->priv;
	struct snapmap_arena *arena = &fixture->arena;
	u32 block;
	int err;

	arena->limit = arena->resident;
	while ((block = snapmap_arena_alloc(arena, 1, 0, &err)))
		snapmap_runlist_add(arena, taken, block);
	while (count--)
		snapmap_arena_free(arena, snapmap_runlist_pop(arena, taken));
}

/* Promise F again, with each run in turn that is refused for want of room. */
static void test_every_run_fails(struct kunit *test)
{
	struct fixture *fixture = test->priv;
	struct snapmap_runlist taken = {};
	struct snapmap_build build;
	u32 free, block, run;
	int err = -ENOSPC;
	u64 used;

	fill(test);
	run = snapmap_arena_alloc(&fixture->arena, 1024, 1, &err);	/* makes it grow */
	snapmap_arena_free(&fixture->arena, run);
	used = fixture->arena.used;
	for (free = 0, err = -ENOSPC; err && free < 1024; free++) {
		leave_free(test, free, &taken);
		build = begin(fixture);
		err = change(&build);
		KUNIT_EXPECT_TRUE(test, !err || err == -ENOSPC);
		snapmap_build_abort(&build);
		while ((block = snapmap_runlist_pop(&fixture->arena, &taken)))
			snapmap_arena_free(&fixture->arena, block);
		KUNIT_ASSERT_EQ(test, fixture->arena.used, used);
		check(test, &fixture->table, fixture->model);
	}
	KUNIT_EXPECT_EQ(test, err, 0);
	KUNIT_EXPECT_GT(test, free, 100U);
}

static struct kunit_case table_cases[] = {
	KUNIT_CASE(test_against_model),
	KUNIT_CASE(test_abort),
	KUNIT_CASE(test_value_lengths),
	KUNIT_CASE(test_equal_hashes),
	KUNIT_CASE(test_every_level),
	KUNIT_CASE(test_leaves_are_joined),
	KUNIT_CASE_SLOW(test_every_step_fails),
	KUNIT_CASE_SLOW(test_every_run_fails),
	{}
};

static struct kunit_suite table_suite = {
	.name = "snapmap_table",
	.init = table_test_init,
	.exit = table_test_exit,
	.test_cases = table_cases,
};

kunit_test_suite(table_suite);

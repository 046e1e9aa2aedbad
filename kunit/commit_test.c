// SPDX-License-Identifier: GPL-2.0-only
/*
 * commit_test.c - KUnit suite of kmod/commit.c: what a batch may say
 *
 * commit_faults_test.c has what may go wrong meanwhile.
 */
#include <kunit/test.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "batch.h"
#include "store.h"

static int commit_test_init(struct kunit *test)
{
	struct batch *batch = batch_new(test);

	test->priv = batch;
	batch->store = test_store_new(test, NULL, 16U << 20);
	snapmap_quarantine_us = TEST_FOR_EVER;
	return 0;
}

static void commit_test_exit(struct kunit *test)
{
	struct batch *batch = test->priv;

	if (batch)
		test_store_end(batch->store);
}

/* Commits, expects @want, and in case of a failure that nothing has changed (F). */
static void expect_commit(struct kunit *test, struct batch *batch, int want)
{
	u64 digest = test_store_digest(batch->store);

	KUNIT_EXPECT_EQ(test, batch_commit(batch), want);
	if (!want)
		return;
	KUNIT_EXPECT_EQ(test, test_store_digest(batch->store), digest);
	KUNIT_EXPECT_EQ(test, batch->args.blocks_copied, 0ULL);
	KUNIT_EXPECT_EQ(test, batch->args.version,
			want == -ECANCELED ? batch->store->version : 0);
}

static void test_empty_batch(struct kunit *test)
{
	struct batch *batch = test->priv;

	expect_commit(test, batch, 0);
	KUNIT_EXPECT_EQ(test, batch->args.version, 2ULL);
	KUNIT_EXPECT_EQ(test, batch->args.failed_op, SNAPMAP_NO_OP);
	KUNIT_EXPECT_EQ(test, batch->args.blocks_copied, 0ULL);
	KUNIT_EXPECT_EQ(test, batch->store->commits, 1ULL);
}

/* What is wrong with the call itself: no operation is at fault, nothing is counted. */
static void test_arguments(struct kunit *test)
{
	static const struct snapmap_commit wrong[] = {
		{ .flags = 8 },
		{ .flags = 1U << 31 },
		{ .flags = SNAPMAP_COMMIT_STAMP | 32 },
		{ .if_version = 1 },
		{ .stamp = 1 },
		{ .stamp = 1, .flags = SNAPMAP_COMMIT_IF_VERSION },
		{ .if_version = 1, .flags = SNAPMAP_COMMIT_STAMP },
		{ .ops = 1 }, { .ops = 4 }, { .ops = 7 },
		{ .ops_bytes = 1 }, { .ops_bytes = 4 }, { .ops_bytes = 23 },
	};
	struct batch *batch = test->priv;
	struct snapmap_commit args;
	u64 digest = test_store_digest(batch->store);
	int i;

	for (i = 0; i < ARRAY_SIZE(wrong); i++) {
		args = wrong[i];
		KUNIT_EXPECT_EQ_MSG(test, snapmap_commit(batch->store, &args), -EINVAL, "row %d", i);
		KUNIT_EXPECT_EQ(test, args.failed_op, SNAPMAP_NO_OP);
		KUNIT_EXPECT_EQ(test, args.version, 0ULL);
	}
	KUNIT_EXPECT_EQ(test, test_store_digest(batch->store), digest);
	KUNIT_EXPECT_EQ(test, batch->store->failures, 0ULL);
}

/* The third of three operations is wrong: it is named, and the two before it undone. */
static void expect_refused(struct kunit *test, const struct snapmap_op *op, u32 flags, int want)
{
	struct batch *batch = test->priv;

	batch_put(batch, 1, 10);
	batch_put(batch, 2, 2000);
	batch_op(batch, op, NULL, NULL);
	batch->args.flags = flags;
	expect_commit(test, batch, want);
	KUNIT_EXPECT_EQ(test, batch->args.failed_op, 2ULL);
}

static void test_malformed_operations(struct kunit *test)
{
	static const struct snapmap_op wrong[] = {
		{ .opcode = 0, .key_len = 1 },
		{ .opcode = 3, .key_len = 1 },
		{ .opcode = 255, .key_len = 1 },
		{ .opcode = SNAPMAP_OP_PUT, .key_len = 1, .condition = 4 },
		{ .opcode = SNAPMAP_OP_PUT, .key_len = 1, .condition = 255 },
		{ .opcode = SNAPMAP_OP_PUT, .key_len = 1, .if_version = 1 },
		{ .opcode = SNAPMAP_OP_PUT, .key_len = 1, .if_version = 1,
		  .condition = SNAPMAP_COND_PRESENT },
		{ .opcode = SNAPMAP_OP_DELETE, .key_len = 1, .value_len = 1 },
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(wrong); i++)
		expect_refused(test, &wrong[i], 0, -EINVAL);
}

/* A batch that is the whole new content has no deletes and no conditions. */
static void test_malformed_replace(struct kunit *test)
{
	static const struct snapmap_op wrong[] = {
		{ .opcode = SNAPMAP_OP_DELETE, .key_len = 1 },
		{ .opcode = SNAPMAP_OP_PUT, .key_len = 1, .condition = SNAPMAP_COND_ABSENT },
		{ .opcode = SNAPMAP_OP_PUT, .key_len = 1, .condition = SNAPMAP_COND_PRESENT },
	};
	struct batch *batch = test->priv;
	int i;

	batch_put(batch, 77, 77);
	expect_commit(test, batch, 0);
	for (i = 0; i < ARRAY_SIZE(wrong); i++)
		expect_refused(test, &wrong[i], SNAPMAP_COMMIT_REPLACE, -EINVAL);
}

static void test_lengths_past_the_limits(struct kunit *test)
{
	static const struct snapmap_op wrong[] = {
		{ .opcode = SNAPMAP_OP_PUT, .key_len = 0 },
		{ .opcode = SNAPMAP_OP_PUT, .key_len = SNAPMAP_KEY_MAX + 1 },
		{ .opcode = SNAPMAP_OP_PUT, .key_len = U16_MAX },
		{ .opcode = SNAPMAP_OP_PUT, .key_len = 1, .value_len = SNAPMAP_VALUE_MAX + 1 },
		{ .opcode = SNAPMAP_OP_PUT, .key_len = 1, .value_len = U32_MAX },
		{ .opcode = SNAPMAP_OP_DELETE, .key_len = 0 },
		{ .opcode = SNAPMAP_OP_DELETE, .key_len = SNAPMAP_KEY_MAX + 1 },
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(wrong); i++)
		expect_refused(test, &wrong[i], 0, -EMSGSIZE);
}

/* A batch that ends within an operation. */
static void test_short_batches(struct kunit *test)
{
	const struct snapmap_op op = { .opcode = SNAPMAP_OP_PUT, .key_len = 20, .value_len = 30 };
	const u64 whole = ALIGN(sizeof(op) + 50, 8);
	struct batch *batch = test->priv;
	u64 bytes;

	for (bytes = 8; bytes < whole; bytes += 8) {
		batch_put(batch, 1, 10);
		batch_op(batch, &op, NULL, NULL);
		batch->bytes -= whole - bytes;
		expect_commit(test, batch, -EINVAL);
		KUNIT_EXPECT_EQ(test, batch->args.failed_op, 1ULL);
	}
}

/* The greatest and the smallest that there is, side by side, come back whole. */
static void test_lengths_at_the_limits(struct kunit *test)
{
	static const u32 keys[] = { 1, 2, SNAPMAP_KEY_MAX - 1, SNAPMAP_KEY_MAX };
	static const u32 values[] = { 0, 1, SNAPMAP_VALUE_MAX - 1, SNAPMAP_VALUE_MAX };
	struct batch *batch = test->priv;
	struct snapmap_op op = { .opcode = SNAPMAP_OP_PUT };
	u8 *key = kunit_kzalloc(test, SNAPMAP_KEY_MAX, GFP_KERNEL);
	u8 *value = vzalloc(SNAPMAP_VALUE_MAX);
	int i, j;

	KUNIT_ASSERT_TRUE(test, key && value);
	for (i = 0; i < ARRAY_SIZE(keys); i++) {
		for (j = 0; j < ARRAY_SIZE(values); j++) {
			op.key_len = keys[i];
			op.value_len = values[j];
			memset(key, i + 1, op.key_len);
			memset(value, j + 1, op.value_len);
			batch_op(batch, &op, key, value);
			expect_commit(test, batch, 0);
			KUNIT_EXPECT_TRUE(test, batch_finds(batch, &op, key, value));
		}
	}
	vfree(value);
	KUNIT_EXPECT_EQ(test, batch->store->table.entries, 4ULL);
	KUNIT_EXPECT_EQ(test, batch->store->table.value_bytes, 4ULL * SNAPMAP_VALUE_MAX);
}

/* Operations that lie across the edges of the window, and more than one window. */
static void test_large_batch(struct kunit *test)
{
	struct batch *batch = test->priv;
	u64 key;

	for (key = 0; key < 300; key++)
		batch_put(batch, key, 8 + key * 37 % 1500);
	KUNIT_EXPECT_GT(test, batch->bytes, 3ULL * (64 << 10));
	expect_commit(test, batch, 0);
	for (key = 0; key < 300; key++)
		KUNIT_EXPECT_EQ(test, test_store_version_of(batch->store, batch->store->table.root,
							    key), 2ULL);
}

/* @key is in the map as of version 2, or was never there. */
static void expect_condition(struct kunit *test, bool present, u32 opcode, u32 condition,
			     u64 if_version, bool holds)
{
	struct batch *batch = test->priv;
	u64 key = present ? 1 : 1000;
	struct snapmap_op op = {
		.opcode = opcode,
		.condition = condition,
		.key_len = sizeof(key),
		.if_version = if_version,
	};

	batch_put(batch, 2, 10);
	batch_op(batch, &op, &key, NULL);
	if (holds)	/* and is undone by this */
		batch_put(batch, SNAPMAP_KEY_MAX, SNAPMAP_VALUE_MAX + 1);
	expect_commit(test, batch, holds ? -EMSGSIZE : -ECANCELED);
	KUNIT_EXPECT_EQ(test, batch->args.failed_op, holds ? 2ULL : 1ULL);
}

static void test_conditions(struct kunit *test)
{
	struct batch *batch = test->priv;
	u32 op;

	batch_put(batch, 1, 10);
	expect_commit(test, batch, 0);
	expect_commit(test, batch, 0);	/* version 3 */
	for (op = SNAPMAP_OP_PUT; op <= SNAPMAP_OP_DELETE; op++) {
		expect_condition(test, true, op, SNAPMAP_COND_NONE, 0, true);
		expect_condition(test, false, op, SNAPMAP_COND_NONE, 0, true);
		expect_condition(test, true, op, SNAPMAP_COND_ABSENT, 0, false);
		expect_condition(test, false, op, SNAPMAP_COND_ABSENT, 0, true);
		expect_condition(test, true, op, SNAPMAP_COND_PRESENT, 0, true);
		expect_condition(test, false, op, SNAPMAP_COND_PRESENT, 0, false);
		expect_condition(test, true, op, SNAPMAP_COND_VERSION, 2, true);
		expect_condition(test, true, op, SNAPMAP_COND_VERSION, 1, false);
		expect_condition(test, true, op, SNAPMAP_COND_VERSION, 3, false);
		expect_condition(test, true, op, SNAPMAP_COND_VERSION, 0, false);
		expect_condition(test, false, op, SNAPMAP_COND_VERSION, 2, false);
		expect_condition(test, false, op, SNAPMAP_COND_VERSION, 0, false);
	}
}

/* Conditions see what the batch has done before, but not as a version. */
static void test_conditions_within_a_batch(struct kunit *test)
{
	u64 key = 5;
	struct snapmap_op op = { .opcode = SNAPMAP_OP_PUT, .key_len = sizeof(key) };
	struct batch *batch = test->priv;

	op.condition = SNAPMAP_COND_ABSENT;
	batch_op(batch, &op, &key, NULL);
	op.condition = SNAPMAP_COND_PRESENT;
	batch_op(batch, &op, &key, NULL);
	op.opcode = SNAPMAP_OP_DELETE;
	batch_op(batch, &op, &key, NULL);
	op.condition = SNAPMAP_COND_ABSENT;
	batch_op(batch, &op, &key, NULL);
	expect_commit(test, batch, 0);
	KUNIT_EXPECT_EQ(test, batch->args.missing, 1ULL);

	batch_put(batch, key, 10);
	op = (struct snapmap_op){ .opcode = SNAPMAP_OP_PUT, .condition = SNAPMAP_COND_VERSION,
				  .key_len = sizeof(key), .if_version = 3 };
	batch_op(batch, &op, &key, NULL);
	expect_commit(test, batch, -ECANCELED);
}

static void test_expected_version(struct kunit *test)
{
	static const struct {
		u64 version;
		int err;
	} rows[] = {
		{ 0, -ECANCELED }, { 2, -ECANCELED }, { U64_MAX, -ECANCELED }, { 1, 0 },
		{ 1, -ECANCELED }, { 3, -ECANCELED }, { 2, 0 },
	};
	struct batch *batch = test->priv;
	int i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		batch_put(batch, 1, 10);
		batch->args.flags = SNAPMAP_COMMIT_IF_VERSION;
		batch->args.if_version = rows[i].version;
		expect_commit(test, batch, rows[i].err);
		KUNIT_EXPECT_EQ(test, batch->args.failed_op, SNAPMAP_NO_OP);
	}
	KUNIT_EXPECT_EQ(test, batch->store->conflicts, 5ULL);
	KUNIT_EXPECT_EQ(test, batch->store->commits, 2ULL);
}

/* A stamp stays until another is set; 0 is one too. */
static void test_stamps(struct kunit *test)
{
	static const u64 stamps[] = { U64_MAX, 0, 7 };
	struct batch *batch = test->priv;
	int i;

	for (i = 0; i < ARRAY_SIZE(stamps); i++) {
		batch->args.flags = SNAPMAP_COMMIT_STAMP;
		batch->args.stamp = stamps[i];
		expect_commit(test, batch, 0);
		KUNIT_EXPECT_EQ(test, batch->store->stamp, stamps[i]);
		expect_commit(test, batch, 0);
		KUNIT_EXPECT_EQ(test, batch->store->stamp, stamps[i]);
		KUNIT_EXPECT_EQ(test, batch->store->control->header[batch->args.version & 1].stamp,
				stamps[i]);
	}
}

/* The batch is the whole new content, also when that is none. */
static void test_replace(struct kunit *test)
{
	struct batch *batch = test->priv;
	struct snapmap_store *store = batch->store;
	u64 key;

	for (key = 0; key < 100; key++)
		batch_put(batch, key, 500);
	expect_commit(test, batch, 0);
	for (key = 90; key < 120; key++)
		batch_put(batch, key, 20);
	batch_put(batch, 90, 21);
	batch->args.flags = SNAPMAP_COMMIT_REPLACE;
	expect_commit(test, batch, 0);
	KUNIT_EXPECT_EQ(test, store->table.entries, 30ULL);
	KUNIT_EXPECT_EQ(test, store->table.value_bytes, 29 * 20 + 21ULL);
	KUNIT_EXPECT_EQ(test, test_store_version_of(store, store->table.root, 89), 0ULL);
	KUNIT_EXPECT_EQ(test, test_store_version_of(store, store->table.root, 119), 3ULL);

	batch->args.flags = SNAPMAP_COMMIT_REPLACE;
	expect_commit(test, batch, 0);
	KUNIT_EXPECT_EQ(test, store->table.root, 0ULL);
	test_store_reclaim(store, SNAPMAP_RECLAIM_NOW);
	KUNIT_EXPECT_EQ(test, store->arena.used, (u64)SNAPMAP_CONTROL_BLOCKS);
}

static struct kunit_case commit_cases[] = {
	KUNIT_CASE(test_empty_batch),
	KUNIT_CASE(test_arguments),
	KUNIT_CASE(test_malformed_operations),
	KUNIT_CASE(test_malformed_replace),
	KUNIT_CASE(test_lengths_past_the_limits),
	KUNIT_CASE(test_short_batches),
	KUNIT_CASE(test_lengths_at_the_limits),
	KUNIT_CASE(test_large_batch),
	KUNIT_CASE(test_conditions),
	KUNIT_CASE(test_conditions_within_a_batch),
	KUNIT_CASE(test_expected_version),
	KUNIT_CASE(test_stamps),
	KUNIT_CASE(test_replace),
	{}
};

static struct kunit_suite commit_suite = {
	.name = "snapmap_commit",
	.init = commit_test_init,
	.exit = commit_test_exit,
	.test_cases = commit_cases,
};

kunit_test_suite(commit_suite);

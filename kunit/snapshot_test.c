// SPDX-License-Identifier: GPL-2.0-only
/*
 * snapshot_test.c - KUnit suite of kmod/snapshot.c
 */
#include <kunit/test.h>
#include <linux/kthread.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>

#include "backing.h"
#include "fault.h"
#include "store.h"

#define COMMITS		200

static int snapshot_test_init(struct kunit *test)
{
	test->priv = test_store_new(test, NULL, 8U << 20);
	return 0;
}

static void snapshot_test_exit(struct kunit *test)
{
	test_store_end(test->priv);
}

static void test_first_version(struct kunit *test)
{
	struct snapmap_store *store = test->priv;
	struct snapmap_control *control = store->control;

	KUNIT_EXPECT_EQ(test, control->magic, SNAPMAP_LAYOUT_MAGIC);
	KUNIT_EXPECT_EQ(test, control->layout_version, SNAPMAP_LAYOUT_VERSION);
	KUNIT_EXPECT_EQ(test, control->hash_kind, SNAPMAP_HASH_FOLD);
	KUNIT_EXPECT_EQ(test, control->span, (u64)store->arena.blocks << SNAPMAP_BLOCK_SHIFT);
	KUNIT_EXPECT_EQ(test, control->hash_seed, store->seed);
	KUNIT_EXPECT_EQ(test, control->version, 1ULL);
	KUNIT_EXPECT_EQ(test, control->oldest, 1ULL);
	KUNIT_EXPECT_EQ(test, control->root[1], 0ULL);
	KUNIT_EXPECT_EQ(test, control->header[1].version, 1ULL);
	KUNIT_EXPECT_EQ(test, control->header[1].entries, 0ULL);
	KUNIT_EXPECT_STREQ(test, (char *)control->name, "kunit");
	KUNIT_EXPECT_EQ(test, control->state, 0U);
}

/* A name of the greatest length stays whole, and ends. */
static void test_longest_name(struct kunit *test)
{
	struct snapmap_store *store = kunit_kzalloc(test, sizeof(*store), GFP_KERNEL);
	char name[SNAPMAP_NAME_MAX + 1] = {};

	KUNIT_ASSERT_NOT_NULL(test, store);
	memset(name, 'n', SNAPMAP_NAME_MAX);
	KUNIT_ASSERT_EQ(test, snapmap_store_init(store, name, &test_backing, 1U << 20, 1, 1), 0);
	KUNIT_EXPECT_STREQ(test, (char *)store->control->name, name);
	KUNIT_EXPECT_EQ(test, store->control->reserved3[0], 0);
	snapmap_store_exit(store);
}

/* A limit that does not hold the control page's chunk is refused. */
static void test_limit_too_small(struct kunit *test)
{
	struct snapmap_store *store = kunit_kzalloc(test, sizeof(*store), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, store);
	KUNIT_EXPECT_EQ(test, snapmap_store_init(store, "small", &test_backing, 32U << 10, 1, 1),
			-ENOSPC);
	memset(store, 0, sizeof(*store));
	KUNIT_ASSERT_EQ(test, snapmap_store_init(store, "least", &test_backing, SNAPMAP_LIMIT_MIN,
						 1, 1), 0);
	snapmap_store_exit(store);
}

/* Promise F: whatever allocation fails, there is nothing to undo. */
static void test_init_faults(struct kunit *test)
{
	struct snapmap_store *store = kunit_kzalloc(test, sizeof(*store), GFP_KERNEL);
	struct faults faults = {};
	int err;

	KUNIT_ASSERT_NOT_NULL(test, store);
	fault_require(test);
	while (faults_next(&faults)) {
		memset(store, 0, sizeof(*store));
		faults_begin(&faults);
		err = snapmap_store_init(store, "faulty", &test_backing, 1U << 20, 1, 1);
		faults_end(&faults);
		if (!err)
			snapmap_store_exit(store);
		else
			KUNIT_EXPECT_EQ(test, err, -ENOMEM);
		faults.failures += err != 0;
	}
	faults_expect(test, &faults, 3);	/* of slots, chunk, runs, groups, data */
}

/* Promise A: root, header and version of a publication are of one snapshot. */
static void test_publish(struct kunit *test)
{
	struct snapmap_store *store = test->priv;
	struct snapmap_header *header;
	u64 version, root, before = 0;

	mutex_lock(&store->lock);
	for (version = 2; version < 8; version++) {
		KUNIT_ASSERT_EQ(test, test_store_put(store, version, 1, 100, version * 3), 0);
		KUNIT_EXPECT_EQ(test, snapmap_snapshot_current(store, &root), version);
		KUNIT_EXPECT_EQ(test, root, store->table.root);
		header = &store->control->header[version & 1];
		KUNIT_EXPECT_EQ(test, header->version, version);
		KUNIT_EXPECT_EQ(test, header->entries, version - 1);
		KUNIT_EXPECT_EQ(test, header->key_bytes, (version - 1) * 8);
		KUNIT_EXPECT_EQ(test, header->value_bytes, (version - 1) * 100);
		KUNIT_EXPECT_EQ(test, header->stamp, version * 3);
		KUNIT_EXPECT_GE(test, header->monotonic_ns, before);
		KUNIT_EXPECT_EQ(test, store->control->header[!(version & 1)].version, version - 1);
		before = header->monotonic_ns;
	}
	mutex_unlock(&store->lock);
}

/* A sealed map takes no publication, tells so, and stays as it is. */
static void test_seal(struct kunit *test)
{
	struct snapmap_store *store = test->priv;
	struct snapmap_info info;
	u64 digest;

	KUNIT_ASSERT_EQ(test, test_store_commit(store, SNAPMAP_RECLAIM_QUARANTINE), 0);
	digest = test_store_digest(store);
	snapmap_store_seal(store);
	snapmap_store_info(store, &info);
	KUNIT_EXPECT_EQ(test, info.state, (u32)SNAPMAP_STATE_DESTROYED);
	KUNIT_EXPECT_EQ(test, test_store_commit(store, SNAPMAP_RECLAIM_QUARANTINE), -ENODEV);
	KUNIT_EXPECT_EQ(test, test_store_digest(store), digest);
	KUNIT_EXPECT_EQ(test, test_store_version_of_all(store, store->table.root), 2ULL);
}

static void test_info(struct kunit *test)
{
	struct snapmap_store *store = test->priv;
	struct snapmap_snapshot *pin;
	struct snapmap_info info;

	KUNIT_ASSERT_EQ(test, test_store_commit(store, SNAPMAP_RECLAIM_QUARANTINE), 0);
	pin = test_store_pin(test, store);
	KUNIT_ASSERT_EQ(test, test_store_commit(store, SNAPMAP_RECLAIM_QUARANTINE), 0);
	snapmap_store_info(store, &info);
	KUNIT_EXPECT_EQ(test, info.header.version, 3ULL);
	KUNIT_EXPECT_EQ(test, info.header.entries, (u64)TEST_KEYS);
	KUNIT_EXPECT_EQ(test, info.root, store->table.root);
	KUNIT_EXPECT_EQ(test, info.pins, 1ULL);
	KUNIT_EXPECT_EQ(test, info.limit, 8ULL << 20);
	KUNIT_EXPECT_EQ(test, info.resident_bytes, store->arena.resident);
	KUNIT_EXPECT_EQ(test, info.used_blocks + SNAPMAP_CONTROL_BLOCKS, store->arena.used);
	KUNIT_EXPECT_EQ(test, info.free_blocks, store->arena.free);
	KUNIT_EXPECT_GT(test, info.retired_blocks, 0ULL);
	KUNIT_EXPECT_EQ(test, info.map_id, 1ULL);
	KUNIT_EXPECT_STREQ(test, (char *)info.name, "kunit");
	snapmap_snapshot_unpin(store, pin);
	snapmap_store_info(store, &info);
	KUNIT_EXPECT_EQ(test, info.pins, 0ULL);
}

/* A pin names the current snapshot, and stands behind the older ones. */
static void test_pin(struct kunit *test)
{
	struct snapmap_store *store = test->priv;
	struct snapmap_snapshot *pins[4];
	struct snapmap_snapshot *pin;
	u64 version;

	for (version = 1; version < 4; version++) {
		pin = test_store_pin(test, store);
		KUNIT_EXPECT_EQ(test, pin->header.version, version);
		KUNIT_EXPECT_EQ(test, pin->root, store->table.root);
		KUNIT_EXPECT_EQ(test, pin->header.version, version);
		KUNIT_EXPECT_EQ(test, pin->header.entries, store->table.entries);
		KUNIT_EXPECT_TRUE(test, list_is_last(&pin->link, &store->snapshots));
		pins[version] = pin;
		KUNIT_EXPECT_EQ(test, store->pin_count, version);
		KUNIT_ASSERT_EQ(test, test_store_commit(store, SNAPMAP_RECLAIM_QUARANTINE), 0);
	}
	for (version = 1; version < 4; version++)
		snapmap_snapshot_unpin(store, pins[version]);
	KUNIT_EXPECT_EQ(test, store->pin_count, 0ULL);
	test_store_reclaim(store, SNAPMAP_RECLAIM_NOW);
	/* The current one is left. */
	KUNIT_EXPECT_TRUE(test, list_is_singular(&store->snapshots));
}

/* Promises A, B and C for readers in the kernel, while blocks are reused at once. */
static int read_in_loop(void *data)
{
	struct snapmap_store *store = data;
	u64 version, root, seen = 0;
	int bad = 0;

	while (!kthread_should_stop()) {
		snapmap_store_read_lock(store);
		version = snapmap_snapshot_current(store, &root);
		if (version > 1 && (test_store_version_of_all(store, root) != version ||
				    version < seen))
			bad++;
		seen = version;
		snapmap_store_read_unlock(store);
		cond_resched();
	}
	return bad;
}

static void test_rcu_readers(struct kunit *test)
{
	struct snapmap_store *store = test->priv;
	struct task_struct *reader[2];
	int i;

	KUNIT_ASSERT_EQ(test, test_store_commit(store, SNAPMAP_RECLAIM_NOW), 0);
	for (i = 0; i < ARRAY_SIZE(reader); i++) {
		reader[i] = kthread_run(read_in_loop, store, "snapmap_reader");
		KUNIT_ASSERT_FALSE(test, IS_ERR(reader[i]));
	}
	for (i = 0; i < 20; i++)
		KUNIT_EXPECT_EQ(test, test_store_commit(store, SNAPMAP_RECLAIM_NOW), 0);
	for (i = 0; i < COMMITS; i++)
		KUNIT_EXPECT_EQ(test, test_store_commit(store, SNAPMAP_RECLAIM_QUARANTINE), 0);
	for (i = 0; i < ARRAY_SIZE(reader); i++)
		KUNIT_EXPECT_EQ(test, kthread_stop(reader[i]), 0);
}

static struct kunit_case snapshot_cases[] = {
	KUNIT_CASE(test_first_version),
	KUNIT_CASE(test_longest_name),
	KUNIT_CASE(test_limit_too_small),
	KUNIT_CASE(test_init_faults),
	KUNIT_CASE(test_publish),
	KUNIT_CASE(test_seal),
	KUNIT_CASE(test_info),
	KUNIT_CASE(test_pin),
	KUNIT_CASE_SLOW(test_rcu_readers),
	{}
};

static struct kunit_suite snapshot_suite = {
	.name = "snapmap_snapshot",
	.init = snapshot_test_init,
	.exit = snapshot_test_exit,
	.test_cases = snapshot_cases,
};

kunit_test_suite(snapshot_suite);

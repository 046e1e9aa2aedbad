// SPDX-License-Identifier: GPL-2.0-only
/*
 * reclaim_test.c - KUnit suite of kmod/snapshot.c and kmod/reclaim.c
 *
 * The rules themselves are tested natively, where time and grace periods obey;
 * here they meet the kernel's own.
 */
#include <kunit/test.h>
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>

#include "backing.h"
#include "../kmod/reclaim.h"
#include "../kmod/snapshot.h"

#define KEYS		32
#define COMMITS		500

static int reclaim_test_init(struct kunit *test)
{
	struct snapmap_store *store = kunit_kzalloc(test, sizeof(*store), GFP_KERNEL);

	test->priv = store;
	return store ? snapmap_store_init(store, "kunit", &test_backing, 8U << 20, 1, 1) : -ENOMEM;
}

static void reclaim_test_exit(struct kunit *test)
{
	snapmap_store_exit(test->priv);
}

/* Writes @version to every key, in one commit. */
static int write_all(struct snapmap_store *store)
{
	struct snapmap_build build = {
		.arena = &store->arena,
		.seed = store->seed,
		.version = store->version + 1,
		.table = store->table,
	};
	struct snapmap_retired *retired = kzalloc(sizeof(*retired), GFP_KERNEL);
	struct snapmap_key key;
	u64 number;
	int err = retired ? 0 : -ENOMEM;

	for (number = 0; !err && number < KEYS; number++) {
		key = (struct snapmap_key){ &number, sizeof(number),
					    snapmap_hash(store->seed, &number, sizeof(number)) };
		err = snapmap_build_put(&build, &key, &build.version, sizeof(build.version));
	}
	if (err) {
		snapmap_build_abort(&build);
		kfree(retired);
		return err;
	}
	snapmap_build_finish(&build);
	err = snapmap_snapshot_publish(store, &build, 0);
	if (!err)
		snapmap_reclaim_queue(store, retired, &build.retired);
	return err;
}

static int commit(struct snapmap_store *store, enum snapmap_urgency urgency)
{
	int err;

	mutex_lock(&store->lock);
	snapmap_reclaim(store, urgency);
	err = write_all(store);
	mutex_unlock(&store->lock);
	return err;
}

/* The version that all keys of a snapshot carry, 0 when they differ or one is missing. */
static u64 version_of_all(struct snapmap_store *store, u64 root)
{
	const struct snapmap_view view = { .arena = &store->arena };
	struct snapmap_hit hit;
	u64 version = 0;
	u64 key;

	for (key = 0; key < KEYS; key++) {
		if (!snapmap_lookup(&view, root, snapmap_hash(store->seed, &key, sizeof(key)),
				    &key, sizeof(key), &hit))
			return 0;
		if (key && *(u64 *)hit.value != version)
			return 0;
		version = *(u64 *)hit.value;
	}
	return version;
}

/* Promises A, B and C for readers in the kernel, while blocks are reused at once. */
static int read_in_loop(void *data)
{
	struct snapmap_store *store = data;
	u64 version, root, seen = 0;
	int bad = 0;

	while (!kthread_should_stop()) {
		rcu_read_lock();
		version = snapmap_snapshot_current(store, &root);
		if (version > 1 && (version_of_all(store, root) != version || version < seen))
			bad++;
		seen = version;
		rcu_read_unlock();
		cond_resched();
	}
	return bad;
}

static void test_rcu_readers(struct kunit *test)
{
	struct snapmap_store *store = test->priv;
	struct task_struct *reader[2];
	int i;

	KUNIT_ASSERT_EQ(test, commit(store, SNAPMAP_RECLAIM_NOW), 0);
	for (i = 0; i < ARRAY_SIZE(reader); i++) {
		reader[i] = kthread_run(read_in_loop, store, "snapmap_reader");
		KUNIT_ASSERT_FALSE(test, IS_ERR(reader[i]));
	}
	for (i = 0; i < 30; i++)
		KUNIT_EXPECT_EQ(test, commit(store, SNAPMAP_RECLAIM_NOW), 0);
	for (i = 0; i < COMMITS; i++)
		KUNIT_EXPECT_EQ(test, commit(store, SNAPMAP_RECLAIM_QUARANTINE), 0);
	for (i = 0; i < ARRAY_SIZE(reader); i++)
		KUNIT_EXPECT_EQ(test, kthread_stop(reader[i]), 0);
}

/* Promise B: a pin keeps its snapshot over any number of commits; G: and no more. */
static void test_pin(struct kunit *test)
{
	struct snapmap_store *store = test->priv;
	struct snapmap_pinned *pin = kzalloc(sizeof(*pin), GFP_KERNEL);
	u64 used;
	int i;

	KUNIT_ASSERT_NOT_NULL(test, pin);
	KUNIT_ASSERT_EQ(test, commit(store, SNAPMAP_RECLAIM_NOW), 0);
	used = store->arena.used;
	snapmap_snapshot_pin(store, pin);
	for (i = 0; i < 100; i++)
		KUNIT_EXPECT_EQ(test, commit(store, SNAPMAP_RECLAIM_NOW), 0);
	KUNIT_EXPECT_EQ(test, version_of_all(store, pin->root), pin->version);
	KUNIT_EXPECT_EQ(test, pin->header.version, pin->version);

	snapmap_snapshot_unpin(store, pin);
	mutex_lock(&store->lock);
	snapmap_reclaim(store, SNAPMAP_RECLAIM_NOW);
	KUNIT_EXPECT_FALSE(test, snapmap_reclaim_pending(store));
	mutex_unlock(&store->lock);
	KUNIT_EXPECT_EQ(test, store->arena.used, used);
	KUNIT_EXPECT_EQ(test, store->retired_blocks, 0ULL);
	KUNIT_EXPECT_EQ(test, store->pinned_blocks, 0ULL);
}

static void test_seal(struct kunit *test)
{
	struct snapmap_store *store = test->priv;
	struct snapmap_info info;

	snapmap_store_seal(store);
	snapmap_store_info(store, &info);
	KUNIT_EXPECT_EQ(test, info.state, (u32)SNAPMAP_STATE_DESTROYED);
	KUNIT_EXPECT_EQ(test, info.header.version, 1ULL);
	KUNIT_EXPECT_STREQ(test, (char *)info.name, "kunit");
}

static struct kunit_case reclaim_cases[] = {
	KUNIT_CASE(test_rcu_readers),
	KUNIT_CASE(test_pin),
	KUNIT_CASE(test_seal),
	{}
};

static struct kunit_suite reclaim_suite = {
	.name = "snapmap_reclaim",
	.init = reclaim_test_init,
	.exit = reclaim_test_exit,
	.test_cases = reclaim_cases,
};

kunit_test_suite(reclaim_suite);

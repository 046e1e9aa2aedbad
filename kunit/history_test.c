// SPDX-License-Identifier: GPL-2.0-only
/*
 * history_test.c - KUnit suite of kmod/history.c and kmod/rollback.c
 *
 * Their content is compared with models natively, in tests/unit/version_test.c.
 * Here stands what needs a kernel: RCU, lockdep and failing allocations.
 */
#include <kunit/test.h>
#include <linux/kthread.h>
#include <linux/slab.h>

#include "../kmod/history.h"
#include "../kmod/rollback.h"
#include "fault.h"
#include "store.h"

#define DEPTH	5

static int history_test_init(struct kunit *test)
{
	struct snapmap_store *store = test_store_new(test, NULL, 1U << 20);
	int err;

	test->priv = store;
	mutex_lock(&store->lock);
	err = snapmap_history_resize(store, DEPTH);
	mutex_unlock(&store->lock);
	return err;
}

static void history_test_exit(struct kunit *test)
{
	test_store_end(test->priv);
}

/* Promise B: what the history keeps is whole, though blocks are reused at once. */
static void test_keeps(struct kunit *test)
{
	struct snapmap_store *store = test->priv;
	struct snapmap_snapshot *pin;
	u64 version;
	int i;

	for (i = 0; i < 20; i++)
		KUNIT_ASSERT_EQ(test, test_store_commit(store, SNAPMAP_RECLAIM_NOW), 0);
	for (version = store->version; version > store->version - DEPTH; version--) {
		pin = snapmap_snapshot_pin(store, version);
		KUNIT_ASSERT_FALSE(test, IS_ERR(pin));
		KUNIT_EXPECT_EQ(test, test_store_version_of_all(store, pin->root), version);
		snapmap_snapshot_unpin(store, pin);
	}
	pin = snapmap_snapshot_pin(store, version);
	KUNIT_EXPECT_EQ(test, PTR_ERR(pin), (long)-ESTALE);
	pin = snapmap_snapshot_pin(store, store->version + 1);
	KUNIT_EXPECT_EQ(test, PTR_ERR(pin), (long)-EINVAL);
}

/* Promise F: a history that cannot be resized stays as it is. */
static void test_resize_fails(struct kunit *test)
{
	struct snapmap_store *store = test->priv;
	struct faults faults = {};
	u64 digest;
	int err;

	fault_require(test);
	KUNIT_ASSERT_EQ(test, test_store_commit(store, SNAPMAP_RECLAIM_NOW), 0);
	digest = test_store_digest(store);
	while (faults_next(&faults)) {
		mutex_lock(&store->lock);
		faults_begin(&faults);
		err = snapmap_history_resize(store, 2 * DEPTH);
		faults_end(&faults);
		mutex_unlock(&store->lock);
		faults.failures += !!err;
		KUNIT_EXPECT_EQ(test, store->history.depth, err ? DEPTH : 2 * DEPTH);
		mutex_lock(&store->lock);
		KUNIT_EXPECT_EQ(test, snapmap_history_resize(store, DEPTH), 0);
		mutex_unlock(&store->lock);
		KUNIT_EXPECT_EQ(test, test_store_digest(store), digest);
	}
	faults_expect(test, &faults, 1);
}

/* Promise F: a rollback that fails at any step changes nothing. */
static void test_rollback_fails(struct kunit *test)
{
	struct snapmap_store *store = test->priv;
	struct snapmap_rollback args;
	struct faults faults = {};
	u64 digest;
	int err;

	fault_require(test);
	KUNIT_ASSERT_EQ(test, test_store_commit(store, SNAPMAP_RECLAIM_NOW), 0);
	KUNIT_ASSERT_EQ(test, test_store_commit(store, SNAPMAP_RECLAIM_NOW), 0);
	while (faults_next(&faults)) {
		digest = test_store_digest(store);
		args = (struct snapmap_rollback){ .to = store->version - 1 };
		faults_begin(&faults);
		err = snapmap_rollback(store, &args);
		faults_end(&faults);
		if (err) {
			KUNIT_EXPECT_EQ(test, err, -ENOMEM);
			KUNIT_EXPECT_EQ(test, test_store_digest(store), digest);
			KUNIT_EXPECT_EQ(test, args.version, 0ULL);
			faults.failures++;
		} else {
			KUNIT_EXPECT_EQ(test, args.version, store->version);
			KUNIT_EXPECT_EQ(test, args.puts, (u64)TEST_KEYS);
		}
	}
	/* The record that is lacking; others are kept from one try to the next. */
	faults_expect(test, &faults, 1);
}

struct reader {
	struct snapmap_store *store;
	struct snapmap_snapshot *pin;
	u64 looks;
};

/* Looks through a pin, in one critical section after another; how often it was wrong. */
static int read_pin(void *data)
{
	struct reader *reader = data;
	u64 version = reader->pin->header.version;
	int bad = 0;

	while (!kthread_should_stop()) {
		snapmap_store_read_lock(reader->store);
		if (!snapmap_snapshot_is_revoked(reader->store, version)) {
			bad += test_store_version_of_all(reader->store, reader->pin->root) !=
			       version;
			WRITE_ONCE(reader->looks, reader->looks + 1);
		}
		snapmap_store_read_unlock(reader->store);
		cond_resched();
	}
	return bad;
}

/* Promise B: revoking waits for who looks through the pin just now. */
static void test_revoke_waits_for_readers(struct kunit *test)
{
	struct snapmap_store *store = test->priv;
	struct task_struct *task;
	struct reader reader;
	int round, i;

	store->policy = SNAPMAP_MAP_REVOKE;
	for (round = 0; round < 20; round++) {
		KUNIT_ASSERT_EQ(test, test_store_commit(store, SNAPMAP_RECLAIM_NOW), 0);
		reader = (struct reader){ store, snapmap_snapshot_pin(store, 0) };
		task = kthread_run(read_pin, &reader, "snapmap_reader");
		KUNIT_ASSERT_FALSE(test, IS_ERR(task));
		while (!READ_ONCE(reader.looks))
			schedule_timeout_uninterruptible(1);
		for (i = 0; i < DEPTH; i++)
			KUNIT_ASSERT_EQ(test, test_store_commit(store, SNAPMAP_RECLAIM_NOW), 0);
		KUNIT_EXPECT_TRUE(test, snapmap_snapshot_revoke_oldest(store));
		for (i = 0; i < DEPTH; i++)
			KUNIT_ASSERT_EQ(test, test_store_commit(store, SNAPMAP_RECLAIM_NOW), 0);
		KUNIT_EXPECT_EQ(test, kthread_stop(task), 0);
		KUNIT_EXPECT_TRUE(test, snapmap_snapshot_is_revoked(store,
								    reader.pin->header.version));
		snapmap_snapshot_unpin(store, reader.pin);
		KUNIT_EXPECT_FALSE(test, snapmap_snapshot_revoke_oldest(store));
	}
}

static struct kunit_case history_cases[] = {
	KUNIT_CASE(test_keeps),
	KUNIT_CASE(test_resize_fails),
	KUNIT_CASE(test_rollback_fails),
	KUNIT_CASE_SLOW(test_revoke_waits_for_readers),
	{}
};

static struct kunit_suite history_suite = {
	.name = "snapmap_history",
	.init = history_test_init,
	.exit = history_test_exit,
	.test_cases = history_cases,
};

kunit_test_suite(history_suite);

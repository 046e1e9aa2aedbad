// SPDX-License-Identifier: GPL-2.0-only
/*
 * reclaim_test.c - KUnit suite of kmod/reclaim.c
 *
 * The rules themselves are also tested natively, where time and grace periods
 * obey; here they meet the kernel's own.
 */
#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/ktime.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>

#include "store.h"

#define PINS		4

static int reclaim_test_init(struct kunit *test)
{
	test->priv = test_store_new(test, NULL, 8U << 20);
	return 0;
}

static void reclaim_test_exit(struct kunit *test)
{
	test_store_end(test->priv);
}

static void set_quarantine(unsigned int us, unsigned int commits)
{
	snapmap_quarantine_us = us;
	snapmap_quarantine_commits = commits;
}

static int commit(struct snapmap_store *store)
{
	return test_store_commit(store, SNAPMAP_RECLAIM_QUARANTINE);
}

/* One key, in a commit that reclaims nothing; the values lie in runs of their own. */
static int commit_large(struct snapmap_store *store, u64 key)
{
	int err;

	mutex_lock(&store->lock);
	err = test_store_put(store, key, 1, 6 * SNAPMAP_BLOCK_SIZE, 0);
	mutex_unlock(&store->lock);
	return err;
}

/* A thread inside the store, or, without one, inside RCU alone. */
struct reader {
	struct snapmap_store *store;
	struct task_struct *task;
	struct completion inside;
	bool leave;
	bool left;
	unsigned int stay_ms;
};

static int stay_inside(void *data)
{
	struct reader *reader = data;

	rcu_read_lock();
	if (reader->store)
		snapmap_store_read_lock(reader->store);
	complete(&reader->inside);
	mdelay(reader->stay_ms);
	while (!reader->stay_ms && !READ_ONCE(reader->leave))
		cpu_relax();
	WRITE_ONCE(reader->left, true);
	if (reader->store)
		snapmap_store_read_unlock(reader->store);
	rcu_read_unlock();
	while (!kthread_should_stop())
		schedule_timeout_interruptible(1);
	return 0;
}

/* Stays for @stay_ms, or, when that is 0, until told to leave. */
static void reader_start(struct kunit *test, struct reader *reader, struct snapmap_store *store,
			 unsigned int stay_ms)
{
	*reader = (struct reader){ .store = store, .stay_ms = stay_ms };
	init_completion(&reader->inside);
	reader->task = kthread_run(stay_inside, reader, "snapmap_reader");
	KUNIT_ASSERT_FALSE(test, IS_ERR(reader->task));
	wait_for_completion(&reader->inside);
}

static void reader_stop(struct reader *reader)
{
	WRITE_ONCE(reader->leave, true);
	kthread_stop(reader->task);
}

/* Promise B: nothing is reused while a reader that began before is still inside. */
static void test_grace_period(struct kunit *test)
{
	struct snapmap_store *store = test->priv;
	struct reader reader;
	u64 oldest;

	set_quarantine(0, 0);
	KUNIT_ASSERT_EQ(test, commit(store), 0);
	test_store_reclaim(store, SNAPMAP_RECLAIM_NOW);
	oldest = store->control->oldest;
	reader_start(test, &reader, store, 0);
	KUNIT_EXPECT_EQ(test, commit(store), 0);
	test_store_reclaim(store, SNAPMAP_RECLAIM_QUARANTINE);
	KUNIT_EXPECT_TRUE(test, test_store_pending(store));
	KUNIT_EXPECT_GT(test, store->retired_blocks, 0ULL);
	KUNIT_EXPECT_EQ(test, store->control->oldest, oldest);
	reader_stop(&reader);

	synchronize_rcu();
	test_store_reclaim(store, SNAPMAP_RECLAIM_QUARANTINE);
	KUNIT_EXPECT_FALSE(test, test_store_pending(store));
	KUNIT_EXPECT_EQ(test, store->retired_blocks, 0ULL);
	KUNIT_EXPECT_EQ(test, store->control->oldest, store->version);
}

/* Promise I: while nobody is inside, no grace period is waited for, and here none can end. */
static void test_nobody_inside(struct kunit *test)
{
	struct snapmap_store *store = test->priv;
	struct reader other;

	set_quarantine(0, 0);
	KUNIT_ASSERT_EQ(test, commit(store), 0);
	reader_start(test, &other, NULL, 0);
	KUNIT_EXPECT_EQ(test, commit(store), 0);
	test_store_reclaim(store, SNAPMAP_RECLAIM_QUARANTINE);
	KUNIT_EXPECT_FALSE(test, test_store_pending(store));
	KUNIT_EXPECT_EQ(test, store->control->oldest, store->version);

	KUNIT_EXPECT_EQ(test, commit(store), 0);
	test_store_reclaim(store, SNAPMAP_RECLAIM_NOW);
	KUNIT_EXPECT_FALSE(test, test_store_pending(store));
	KUNIT_EXPECT_FALSE(test, READ_ONCE(other.left));
	reader_stop(&other);
}

/* Even in a hurry. */
static void test_now_waits_for_readers(struct kunit *test)
{
	struct snapmap_store *store = test->priv;
	struct reader reader;

	KUNIT_ASSERT_EQ(test, commit(store), 0);
	reader_start(test, &reader, store, 300);
	KUNIT_EXPECT_EQ(test, commit(store), 0);
	test_store_reclaim(store, SNAPMAP_RECLAIM_NOW);
	KUNIT_EXPECT_TRUE(test, READ_ONCE(reader.left));
	KUNIT_EXPECT_FALSE(test, test_store_pending(store));
	reader_stop(&reader);
}

/* Lets what is retired be so old, whatever time grace periods have taken. */
static void set_age(struct snapmap_store *store, u64 ns)
{
	struct snapmap_retired *retired;

	list_for_each_entry(retired, &store->retired, link)
		retired->published_ns = ktime_get_ns() - ns;
}

/* Blocks are kept for so many commits, and oldest follows at that distance. */
static void test_quarantine_by_commits(struct kunit *test)
{
	struct snapmap_store *store = test->priv;
	u64 version;

	set_quarantine(1000 * USEC_PER_SEC, 3);
	for (version = 2; version < 10; version++) {
		KUNIT_ASSERT_EQ(test, commit(store), 0);
		synchronize_rcu();
		set_age(store, 1000 * NSEC_PER_SEC);
		test_store_reclaim(store, SNAPMAP_RECLAIM_QUARANTINE);
		KUNIT_EXPECT_EQ(test, store->control->oldest, version > 5 ? version - 3 : 1);
	}
}

/* Time holds blocks back however many commits come; 200 times as long is enough without any. */
static void test_quarantine_by_time(struct kunit *test)
{
	struct snapmap_store *store = test->priv;

	set_quarantine(1000 * USEC_PER_SEC, 0);
	KUNIT_ASSERT_EQ(test, commit(store), 0);
	KUNIT_ASSERT_EQ(test, commit(store), 0);
	synchronize_rcu();
	set_age(store, 900 * NSEC_PER_SEC);
	test_store_reclaim(store, SNAPMAP_RECLAIM_QUARANTINE);
	KUNIT_EXPECT_EQ(test, store->control->oldest, 1ULL);
	set_age(store, 1000 * NSEC_PER_SEC);
	test_store_reclaim(store, SNAPMAP_RECLAIM_QUARANTINE);
	KUNIT_EXPECT_EQ(test, store->control->oldest, 3ULL);

	set_quarantine(1000 * USEC_PER_SEC, TEST_FOR_EVER);
	KUNIT_ASSERT_EQ(test, commit(store), 0);
	synchronize_rcu();
	set_age(store, 199000 * NSEC_PER_SEC);
	test_store_reclaim(store, SNAPMAP_RECLAIM_QUARANTINE);
	KUNIT_EXPECT_TRUE(test, test_store_pending(store));
	set_age(store, 200000 * NSEC_PER_SEC);
	test_store_reclaim(store, SNAPMAP_RECLAIM_QUARANTINE);
	KUNIT_EXPECT_FALSE(test, test_store_pending(store));
}

/* Promise B: a pin keeps its snapshot over any number of commits; G: and no more. */
static void test_pin(struct kunit *test)
{
	struct snapmap_store *store = test->priv;
	struct snapmap_snapshot *pin;
	u64 used;
	int i;

	set_quarantine(0, 0);
	KUNIT_ASSERT_EQ(test, commit(store), 0);
	used = store->arena.used;
	pin = test_store_pin(test, store);
	for (i = 0; i < 20; i++)
		KUNIT_EXPECT_EQ(test, test_store_commit(store, SNAPMAP_RECLAIM_NOW), 0);
	KUNIT_EXPECT_EQ(test, test_store_version_of_all(store, pin->root), pin->header.version);
	KUNIT_EXPECT_EQ(test, pin->header.version, pin->header.version);

	snapmap_snapshot_unpin(store, pin);
	KUNIT_EXPECT_TRUE(test, test_store_pending(store));
	test_store_reclaim(store, SNAPMAP_RECLAIM_NOW);
	KUNIT_EXPECT_FALSE(test, test_store_pending(store));
	KUNIT_EXPECT_EQ(test, store->arena.used, used);
	KUNIT_EXPECT_EQ(test, store->retired_blocks, 0ULL);
	KUNIT_EXPECT_EQ(test, store->pinned_blocks, 0ULL);
}

/* Promise E: of what came after it, a pin holds nothing back. */
static void test_pin_holds_what_it_reaches(struct kunit *test)
{
	struct snapmap_store *store = test->priv;
	struct snapmap_snapshot *pin;
	u64 key, used;
	int round;

	for (key = 0; key < 3; key++)
		KUNIT_ASSERT_EQ(test, commit_large(store, key), 0);
	test_store_reclaim(store, SNAPMAP_RECLAIM_NOW);
	used = store->arena.used;
	pin = test_store_pin(test, store);
	for (round = 0; round < 5; round++)
		KUNIT_ASSERT_EQ(test, commit_large(store, 1), 0);
	test_store_reclaim(store, SNAPMAP_RECLAIM_NOW);
	/* The leaf, of one block, and one value of six. */
	KUNIT_EXPECT_EQ(test, store->pinned_blocks, 7ULL);
	KUNIT_EXPECT_EQ(test, store->retired_blocks, 7ULL);
	KUNIT_EXPECT_EQ(test, store->arena.used, used + 7);
	KUNIT_EXPECT_EQ(test, test_store_version_of(store, pin->root, 1), 3ULL);
	snapmap_snapshot_unpin(store, pin);
	test_store_reclaim(store, SNAPMAP_RECLAIM_NOW);
	KUNIT_EXPECT_EQ(test, store->arena.used, used);
}

/* What goes wrong with pins that are closed in the order that @order counts out. */
static void close_in_order(struct kunit *test, u32 order)
{
	struct snapmap_store *store = test->priv;
	struct snapmap_snapshot *pins[PINS];
	u32 i, open, take;

	for (i = 0; i < PINS; i++) {
		if (i != 2)	/* the third is at the version of the second */
			KUNIT_ASSERT_EQ(test, commit(store), 0);
		pins[i] = test_store_pin(test, store);
	}
	KUNIT_ASSERT_EQ(test, commit(store), 0);
	for (open = PINS; open; open--) {
		take = order % open;
		order /= open;
		snapmap_snapshot_unpin(store, pins[take]);
		pins[take] = pins[open - 1];
		if (open != 3)	/* the second and the third are reaped together */
			test_store_reclaim(store, SNAPMAP_RECLAIM_NOW);
		KUNIT_ASSERT_EQ(test, commit(store), 0);	/* writes to what is free */
		for (i = 0; i < open - 1; i++)
			KUNIT_EXPECT_EQ(test, test_store_version_of_all(store, pins[i]->root),
					pins[i]->header.version);
	}
}

/* Promises B and G: pins keep what they reach, and give it back, whatever the order. */
static void test_pins_in_every_order(struct kunit *test)
{
	struct snapmap_store *store = test->priv;
	u32 order;
	u64 used;

	set_quarantine(0, 0);
	KUNIT_ASSERT_EQ(test, commit(store), 0);
	used = store->arena.used;
	for (order = 0; order < 4 * 3 * 2; order++) {
		close_in_order(test, order);
		test_store_reclaim(store, SNAPMAP_RECLAIM_NOW);
		KUNIT_EXPECT_FALSE(test, test_store_pending(store));
		KUNIT_EXPECT_EQ(test, store->arena.used, used);
		KUNIT_EXPECT_EQ(test, store->retired_blocks, 0ULL);
		KUNIT_EXPECT_EQ(test, store->pinned_blocks, 0ULL);
	}
}

#define MANY		1800	/* runs; more than a call settles after a small commit */

/* Calls reclaim until nothing is left to settle; returns how often it said that there is more. */
static int count_calls(struct kunit *test, struct snapmap_store *store)
{
	u64 before = store->retired_blocks;
	int calls = 0;

	mutex_lock(&store->lock);
	while (snapmap_reclaim(store, SNAPMAP_RECLAIM_QUARANTINE)) {
		KUNIT_EXPECT_LT(test, store->retired_blocks, before);
		before = store->retired_blocks;
		calls++;
	}
	mutex_unlock(&store->lock);
	return calls;
}

/* Writes the first keys; reclaims nothing. */
static int put(struct snapmap_store *store, u64 count)
{
	int err;

	mutex_lock(&store->lock);
	err = test_store_put(store, 0, count, 5 * SNAPMAP_BLOCK_SIZE, 0);
	mutex_unlock(&store->lock);
	return err;
}

/* Promise I: what one commit retired, or one pin held, is not all settled in one call. */
static void test_much_in_parts(struct kunit *test)
{
	struct snapmap_store *store = test->priv;
	struct snapmap_snapshot *pin;
	u64 used;

	set_quarantine(0, 0);
	KUNIT_ASSERT_EQ(test, put(store, MANY), 0);
	used = store->arena.used;
	KUNIT_ASSERT_EQ(test, put(store, MANY), 0);
	KUNIT_ASSERT_EQ(test, put(store, 1), 0);	/* it alone says what a call settles */
	synchronize_rcu();
	KUNIT_EXPECT_GE(test, count_calls(test, store), 1);
	KUNIT_EXPECT_EQ(test, store->arena.used, used);

	pin = test_store_pin(test, store);
	KUNIT_ASSERT_EQ(test, put(store, MANY), 0);
	test_store_reclaim(store, SNAPMAP_RECLAIM_NOW);
	KUNIT_EXPECT_EQ(test, test_store_version_of(store, pin->root, MANY - 1), 3ULL);
	snapmap_snapshot_unpin(store, pin);
	KUNIT_EXPECT_GE(test, count_calls(test, store), 1);
	KUNIT_EXPECT_EQ(test, store->arena.used, used);
	KUNIT_EXPECT_EQ(test, store->pinned_blocks, 0ULL);
	KUNIT_EXPECT_FALSE(test, test_store_pending(store));
}

/* Promise G: what is retired, pinned or closed ends with the map; kmemleak looks. */
static void test_discard(struct kunit *test)
{
	struct snapmap_store *store = test->priv;
	int i;

	set_quarantine(TEST_FOR_EVER, TEST_FOR_EVER);
	for (i = 0; i < 4; i++) {
		KUNIT_ASSERT_EQ(test, commit(store), 0);
		snapmap_snapshot_unpin(store, test_store_pin(test, store));
	}
	KUNIT_EXPECT_TRUE(test, test_store_pending(store));
	test_store_end(store);
	test->priv = NULL;
}

static struct kunit_case reclaim_cases[] = {
	KUNIT_CASE(test_grace_period),
	KUNIT_CASE(test_nobody_inside),
	KUNIT_CASE(test_now_waits_for_readers),
	KUNIT_CASE(test_quarantine_by_commits),
	KUNIT_CASE(test_quarantine_by_time),
	KUNIT_CASE_SLOW(test_pin),
	KUNIT_CASE(test_pin_holds_what_it_reaches),
	KUNIT_CASE_SLOW(test_pins_in_every_order),
	KUNIT_CASE(test_much_in_parts),
	KUNIT_CASE(test_discard),
	{}
};

static struct kunit_suite reclaim_suite = {
	.name = "snapmap_reclaim",
	.init = reclaim_test_init,
	.exit = reclaim_test_exit,
	.test_cases = reclaim_cases,
};

kunit_test_suite(reclaim_suite);

// SPDX-License-Identifier: GPL-2.0-only
/*
 * lease_test.c - KUnit suite of kmod/lease.c
 */
#include <kunit/test.h>
#include <linux/kthread.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "store.h"

#define WRITERS	4
#define ROUNDS	300

static const struct snapmap_patience for_ever, at_once = { .nowait = true };

static int lease_test_init(struct kunit *test)
{
	test->priv = test_store_new(test, NULL, 1U << 20);
	return 0;
}

static void lease_test_exit(struct kunit *test)
{
	test_store_end(test->priv);
}

static int take_for(struct snapmap_store *store, u32 wait_ms)
{
	struct snapmap_patience patience = snapmap_patience_of(0, wait_ms);

	return snapmap_lease_take(store, &patience);
}

static void test_one_at_a_time(struct kunit *test)
{
	struct snapmap_store *store = test->priv;

	KUNIT_EXPECT_EQ(test, snapmap_lease_take(store, &at_once), 0);
	KUNIT_EXPECT_EQ(test, snapmap_lease_take(store, &at_once), -EBUSY);
	KUNIT_EXPECT_EQ(test, take_for(store, 1), -ETIMEDOUT);
	snapmap_lease_give(store);
	KUNIT_EXPECT_EQ(test, take_for(store, 1), 0);
	snapmap_lease_give(store);
}

/* A signal ends the wait; without a time the call may begin anew, with one it may not. */
static void test_interrupted(struct kunit *test)
{
	struct snapmap_store *store = test->priv;

	KUNIT_ASSERT_EQ(test, snapmap_lease_take(store, &at_once), 0);
	allow_kernel_signal(SIGTERM);
	send_sig(SIGTERM, current, 1);
	KUNIT_EXPECT_EQ(test, snapmap_lease_take(store, &for_ever), -ERESTARTSYS);
	KUNIT_EXPECT_EQ(test, take_for(store, 1000000), -EINTR);
	flush_signals(current);
	disallow_signal(SIGTERM);
	snapmap_lease_give(store);
}

/* A writer in a thread of its own: waits, and says what came of it. */
struct writer {
	struct snapmap_store *store;
	const struct snapmap_patience *patience;
	u64 *counter;
	int rounds;
	int err;
	struct task_struct *task;
	struct completion done;
};

static int write_rounds(struct writer *writer)
{
	int round, err;

	for (round = 0; round < writer->rounds; round++) {
		err = snapmap_lease_take(writer->store, writer->patience);
		if (err)
			return err;
		++*writer->counter;	/* plainly: nobody else writes */
		cond_resched();
		snapmap_lease_give(writer->store);
	}
	return 0;
}

static int run_writer(void *data)
{
	struct writer *writer = data;

	writer->err = write_rounds(writer);
	complete(&writer->done);
	return 0;
}

static void start(struct kunit *test, struct writer *writer)
{
	init_completion(&writer->done);
	writer->task = kthread_create(run_writer, writer, "snapmap_writer");
	KUNIT_ASSERT_FALSE(test, IS_ERR(writer->task));
	get_task_struct(writer->task);
	wake_up_process(writer->task);
}

/* Waits for a writer's end; what came of it. */
static int end(struct writer *writer)
{
	wait_for_completion(&writer->done);
	kthread_stop(writer->task);
	put_task_struct(writer->task);
	return writer->err;
}

static void wait_until_queued(struct snapmap_store *store)
{
	while (!wq_has_sleeper(&store->lease.wait))
		schedule_timeout_uninterruptible(1);
}

/* Who waits gets the lease when it is given back, and -ENODEV when the map ends. */
static void test_waiters_are_woken(struct kunit *test)
{
	struct snapmap_patience timed = snapmap_patience_of(0, 1000000);
	struct snapmap_store *store = test->priv;
	u64 counter = 0;
	struct writer writer = { .store = store, .counter = &counter, .rounds = 1 };
	int i;

	for (i = 0; i < 4; i++) {
		writer.patience = i % 2 ? &timed : &for_ever;
		KUNIT_ASSERT_EQ(test, snapmap_lease_take(store, &at_once), 0);
		start(test, &writer);
		wait_until_queued(store);
		if (i < 2)
			snapmap_lease_give(store);
		else
			snapmap_store_seal(store);
		KUNIT_EXPECT_EQ(test, end(&writer), i < 2 ? 0 : -ENODEV);
		if (i >= 2)
			snapmap_lease_give(store);
		store->destroyed = false;
	}
}

/* Nobody is left waiting, and no two write at once. */
static void test_many_writers(struct kunit *test)
{
	struct snapmap_patience timed = snapmap_patience_of(0, 1000000);
	struct writer writers[WRITERS];
	u64 counter = 0;
	int i;

	for (i = 0; i < WRITERS; i++) {
		writers[i] = (struct writer){
			.store = test->priv,
			.patience = i % 2 ? &timed : &for_ever,
			.counter = &counter,
			.rounds = ROUNDS,
		};
		start(test, &writers[i]);
	}
	for (i = 0; i < WRITERS; i++)
		KUNIT_EXPECT_EQ(test, end(&writers[i]), 0);
	KUNIT_EXPECT_EQ(test, counter, (u64)WRITERS * ROUNDS);
}

static struct kunit_case lease_cases[] = {
	KUNIT_CASE(test_one_at_a_time),
	KUNIT_CASE(test_interrupted),
	KUNIT_CASE(test_waiters_are_woken),
	KUNIT_CASE_SLOW(test_many_writers),
	{}
};

static struct kunit_suite lease_suite = {
	.name = "snapmap_lease",
	.init = lease_test_init,
	.exit = lease_test_exit,
	.test_cases = lease_cases,
};

kunit_test_suite(lease_suite);

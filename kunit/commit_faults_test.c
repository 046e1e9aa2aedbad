// SPDX-License-Identifier: GPL-2.0-only
/*
 * commit_faults_test.c - KUnit suite of kmod/commit.c: what goes wrong meanwhile
 *
 * Memory runs out at every step, the caller is killed, the map is destroyed,
 * the limit is met: each time everything is as before (promise F).
 */
#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/kthread.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "batch.h"
#include "fault.h"
#include "store.h"

#define LIMIT	(8U << 20)

/* Called whenever the arena grows, once it has got the memory. */
static void (*on_growth)(struct snapmap_arena *arena);

static void *hooked_alloc(struct snapmap_arena *arena, size_t offset, size_t bytes)
{
	void *data = __vmalloc(bytes, SNAPMAP_GFP | __GFP_ZERO);

	if (on_growth)
		on_growth(arena);
	return data;
}

static void hooked_shown(struct snapmap_arena *arena, size_t offset, size_t bytes)
{
}

static void hooked_free(struct snapmap_arena *arena, void *data, size_t offset, size_t bytes)
{
	vfree(data);
}

static const struct snapmap_backing hooked_backing = {
	.alloc = hooked_alloc,
	.shown = hooked_shown,
	.free = hooked_free,
};

static void begin_store(struct kunit *test, struct batch *batch)
{
	batch->store = test_store_new(test, &hooked_backing, LIMIT);
	snapmap_quarantine_us = TEST_FOR_EVER;
}

static void end_store(struct batch *batch)
{
	test_store_end(batch->store);
	batch->store = NULL;
}

static int faults_test_init(struct kunit *test)
{
	test->priv = batch_new(test);
	begin_store(test, test->priv);
	return 0;
}

static void faults_test_exit(struct kunit *test)
{
	struct batch *batch = test->priv;

	on_growth = NULL;
	if (batch)
		end_store(batch);
}

/* --- a step fails --- */

/* What @before has committed, and the batch that is to fail. */
struct scenario {
	void (*before)(struct batch *batch);
	void (*batch)(struct batch *batch);
	u32 flags;
};

static void some_small(struct batch *batch)
{
	u64 key;

	for (key = 0; key < 100; key++)
		batch_put(batch, key, 40);
}

static void some_large(struct batch *batch)
{
	u64 key;

	for (key = 0; key < 100; key += 3)
		batch_put(batch, key, 5000);
}

static void greatest_value(struct batch *batch)
{
	batch_put(batch, 3, SNAPMAP_VALUE_MAX);
}

static void deletes(struct batch *batch)
{
	u64 key;

	for (key = 0; key < 100; key += 3)
		batch_delete(batch, key);
}

/*
 * A commit either succeeds or leaves all as it was; then it succeeds. Every
 * step gets a map of its own, since growth that succeeds is not repeated.
 */
static void step_fails(struct kunit *test, const struct scenario *scenario,
		       struct faults *faults)
{
	struct batch *batch = test->priv;
	u64 digest;
	int err;

	scenario->before(batch);
	KUNIT_ASSERT_EQ(test, batch_commit(batch), 0);
	digest = test_store_digest(batch->store);
	scenario->batch(batch);
	batch->args.flags = scenario->flags;
	faults_begin(faults);
	err = batch_commit(batch);
	faults_end(faults);
	if (err) {
		KUNIT_EXPECT_TRUE_MSG(test, err == -ENOMEM || err == -EFAULT, "err %d", err);
		KUNIT_EXPECT_EQ_MSG(test, test_store_digest(batch->store), digest, "step %u",
				    faults->nth);
		KUNIT_EXPECT_EQ(test, batch->args.version, 0ULL);
		KUNIT_EXPECT_EQ(test, batch->args.failed_op, SNAPMAP_NO_OP);
		KUNIT_EXPECT_EQ(test, batch->store->failures, 1ULL);
		faults->failures++;
		scenario->batch(batch);
		batch->args.flags = scenario->flags;
		KUNIT_EXPECT_EQ(test, batch_commit(batch), 0);
	}
	KUNIT_EXPECT_EQ(test, batch->store->version, 3ULL);
}

static void every_step_fails(struct kunit *test, const struct scenario *scenario, u32 at_least)
{
	struct batch *batch = test->priv;
	struct faults faults = {};

	fault_require(test);
	while (faults_next(&faults)) {
		step_fails(test, scenario, &faults);
		end_store(batch);
		begin_store(test, batch);
	}
	faults_expect(test, &faults, at_least);
}

/* At the least the batch of retired runs; how many more depends on the slab's state. */
static void test_updates_fail(struct kunit *test)
{
	every_step_fails(test, &(struct scenario){ some_small, some_small }, 1);
}

/* Besides: a chunk, its runs, its groups, its data. */
static void test_growth_fails(struct kunit *test)
{
	every_step_fails(test, &(struct scenario){ some_small, some_large }, 4);
}

/* Besides: the copy into a larger window. */
static void test_greatest_value_fails(struct kunit *test)
{
	every_step_fails(test, &(struct scenario){ some_small, greatest_value }, 4);
}

static void test_deletes_fail(struct kunit *test)
{
	every_step_fails(test, &(struct scenario){ some_small, deletes }, 1);
}

static void test_replace_fails(struct kunit *test)
{
	every_step_fails(test, &(struct scenario){ some_small, some_large,
						   SNAPMAP_COMMIT_REPLACE }, 4);
}

/* --- user memory that is not there --- */

static void test_batch_out_of_reach(struct kunit *test)
{
	struct batch *batch = test->priv;
	unsigned long user = batch->user;
	u64 digest;

	some_small(batch);
	KUNIT_ASSERT_EQ(test, batch_commit(batch), 0);
	digest = test_store_digest(batch->store);

	batch->user = 0;
	batch->bytes = 64;
	KUNIT_EXPECT_EQ(test, batch_commit(batch), -EFAULT);
	batch->user = ~7UL;
	batch->bytes = 64;
	KUNIT_EXPECT_EQ(test, batch_commit(batch), -EFAULT);
	/* It begins well, and leaves the mapping in its second window. */
	batch->user = user + BATCH_BYTES - (64U << 10);
	batch_put(batch, 1, (64U << 10) - 24);
	batch->bytes = 128U << 10;
	KUNIT_EXPECT_EQ(test, batch_commit(batch), -EFAULT);
	KUNIT_EXPECT_EQ(test, test_store_digest(batch->store), digest);
	KUNIT_EXPECT_EQ(test, batch->store->failures, 3ULL);
	batch->user = user;
}

/* --- the limit --- */

/* Fills the map until a commit is refused. */
static void fill(struct kunit *test, struct batch *batch, u64 first)
{
	u64 key;
	int err;

	for (key = first; key < first + 20; key++) {
		batch_put(batch, key, SNAPMAP_VALUE_MAX);
		err = batch_commit(batch);
		if (err)
			break;
	}
	KUNIT_EXPECT_EQ(test, err, -ENOSPC);
	KUNIT_EXPECT_LE(test, batch->store->arena.resident, (u64)LIMIT);
}

static void test_limit(struct kunit *test)
{
	struct batch *batch = test->priv;
	u64 digest;

	fill(test, batch, 0);
	test_store_reclaim(batch->store, SNAPMAP_RECLAIM_NOW);
	digest = test_store_digest(batch->store);
	fill(test, batch, 100);
	KUNIT_EXPECT_EQ(test, test_store_digest(batch->store), digest);
	KUNIT_EXPECT_EQ(test, batch->args.failed_op, SNAPMAP_NO_OP);
	KUNIT_EXPECT_EQ(test, batch->store->failures, 2ULL);
}

/* At the limit, what only the quarantine holds back is taken. */
static void test_limit_cuts_quarantine(struct kunit *test)
{
	struct batch *batch = test->priv;
	int i;

	for (i = 0; i < 20; i++) {
		batch_put(batch, 1, SNAPMAP_VALUE_MAX);
		KUNIT_EXPECT_EQ(test, batch_commit(batch), 0);
	}
	KUNIT_EXPECT_LE(test, batch->store->arena.resident, (u64)LIMIT);
}

/* What pins hold back is not: the commit fails, and succeeds when they are closed. */
static void test_limit_respects_pins(struct kunit *test)
{
	struct batch *batch = test->priv;
	struct snapmap_store *store = batch->store;
	struct snapmap_snapshot *pins[20];
	int i, count = 0;
	int err = 0;

	while (!err && count < ARRAY_SIZE(pins)) {
		batch_put(batch, 1, SNAPMAP_VALUE_MAX);
		err = batch_commit(batch);
		if (!err)
			pins[count++] = test_store_pin(test, store);
	}
	KUNIT_EXPECT_EQ(test, err, -ENOSPC);
	KUNIT_EXPECT_GT(test, count, 2);
	for (i = 0; i < count; i++) {
		KUNIT_EXPECT_EQ(test, test_store_version_of(store, pins[i]->root, 1),
				pins[i]->header.version);
		snapmap_snapshot_unpin(store, pins[i]);
	}
	batch_put(batch, 1, SNAPMAP_VALUE_MAX);
	KUNIT_EXPECT_EQ(test, batch_commit(batch), 0);
}

/* --- destroyed, killed --- */

static void seal(struct snapmap_arena *arena)
{
	on_growth = NULL;
	snapmap_store_seal(container_of(arena, struct snapmap_store, arena));
}

static void kill_caller(struct snapmap_arena *arena)
{
	on_growth = NULL;
	send_sig(SIGKILL, current, 1);
}

static void test_destroyed_before(struct kunit *test)
{
	struct batch *batch = test->priv;
	u64 digest;

	some_small(batch);
	KUNIT_ASSERT_EQ(test, batch_commit(batch), 0);
	snapmap_store_seal(batch->store);
	digest = test_store_digest(batch->store);
	some_large(batch);
	KUNIT_EXPECT_EQ(test, batch_commit(batch), -ENODEV);
	KUNIT_EXPECT_EQ(test, batch_commit(batch), -ENODEV);
	KUNIT_EXPECT_EQ(test, test_store_digest(batch->store), digest);
}

/* The map is destroyed while the commit is being built. */
static void test_destroyed_meanwhile(struct kunit *test)
{
	struct batch *batch = test->priv;
	u64 digest;

	some_small(batch);
	KUNIT_ASSERT_EQ(test, batch_commit(batch), 0);
	digest = test_store_digest(batch->store);
	on_growth = seal;
	greatest_value(batch);
	KUNIT_EXPECT_EQ(test, batch_commit(batch), -ENODEV);
	KUNIT_EXPECT_NULL(test, on_growth);
	KUNIT_EXPECT_EQ(test, test_store_digest(batch->store), digest);
	KUNIT_EXPECT_EQ(test, batch->args.version, 0ULL);
	KUNIT_EXPECT_EQ(test, batch->args.blocks_copied, 0ULL);
}

/* The caller is killed while it builds a long commit; it need not reach the end. */
static void test_killed_meanwhile(struct kunit *test)
{
	struct batch *batch = test->priv;
	u64 digest, key;

	some_small(batch);
	KUNIT_ASSERT_EQ(test, batch_commit(batch), 0);
	digest = test_store_digest(batch->store);
	on_growth = kill_caller;
	greatest_value(batch);
	for (key = 100; key < 1000; key++)
		batch_put(batch, key, 10);
	allow_kernel_signal(SIGKILL);
	KUNIT_EXPECT_EQ(test, batch_commit(batch), -EINTR);
	KUNIT_EXPECT_NULL(test, on_growth);
	KUNIT_EXPECT_TRUE(test, fatal_signal_pending(current));
	KUNIT_EXPECT_EQ(test, test_store_digest(batch->store), digest);
	flush_signals(current);
	disallow_signal(SIGKILL);

	greatest_value(batch);
	KUNIT_EXPECT_EQ(test, batch_commit(batch), 0);
}

struct holder {
	struct snapmap_store *store;
	struct completion holds;
	struct completion leave;
};

static int hold_lock(void *data)
{
	struct holder *holder = data;

	mutex_lock(&holder->store->lock);
	complete(&holder->holds);
	wait_for_completion(&holder->leave);
	mutex_unlock(&holder->store->lock);
	return 0;
}

/* The caller is killed while it waits for another commit. */
static void test_killed_in_the_queue(struct kunit *test)
{
	struct batch *batch = test->priv;
	struct holder holder = { .store = batch->store };
	struct task_struct *task;
	u64 digest = test_store_digest(batch->store);

	init_completion(&holder.holds);
	init_completion(&holder.leave);
	task = kthread_create(hold_lock, &holder, "snapmap_holder");
	KUNIT_ASSERT_FALSE(test, IS_ERR(task));
	get_task_struct(task);
	wake_up_process(task);
	wait_for_completion(&holder.holds);

	allow_kernel_signal(SIGKILL);
	send_sig(SIGKILL, current, 1);
	some_small(batch);
	KUNIT_EXPECT_EQ(test, batch_commit(batch), -EINTR);
	flush_signals(current);
	disallow_signal(SIGKILL);
	complete(&holder.leave);
	kthread_stop(task);
	put_task_struct(task);
	KUNIT_EXPECT_EQ(test, test_store_digest(batch->store), digest);
}

static struct kunit_case faults_cases[] = {
	KUNIT_CASE_SLOW(test_updates_fail),
	KUNIT_CASE_SLOW(test_growth_fails),
	KUNIT_CASE_SLOW(test_greatest_value_fails),
	KUNIT_CASE_SLOW(test_deletes_fail),
	KUNIT_CASE_SLOW(test_replace_fails),
	KUNIT_CASE(test_batch_out_of_reach),
	KUNIT_CASE(test_limit),
	KUNIT_CASE(test_limit_cuts_quarantine),
	KUNIT_CASE(test_limit_respects_pins),
	KUNIT_CASE(test_destroyed_before),
	KUNIT_CASE(test_destroyed_meanwhile),
	KUNIT_CASE(test_killed_meanwhile),
	KUNIT_CASE(test_killed_in_the_queue),
	{}
};

static struct kunit_suite faults_suite = {
	.name = "snapmap_commit_faults",
	.init = faults_test_init,
	.exit = faults_test_exit,
	.test_cases = faults_cases,
};

kunit_test_suite(faults_suite);

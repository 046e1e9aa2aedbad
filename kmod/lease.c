// SPDX-License-Identifier: GPL-2.0-only
/*
 * lease.c - one writer at a time, in and between system calls
 *
 * COMMIT and ROLLBACK have the lease for the length of the call, a transaction
 * from the time when it prepares until it ends. Whoever has it builds on the
 * current snapshot and knows that it stays the current one.
 */
#include <linux/bitops.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/ktime.h>
#include <linux/pid.h>
#include <linux/sched/signal.h>
#include <linux/wait.h>

#include "snapshot.h"

#define HELD	0

/**
 * snapmap_lease_init() - a lease that nobody has
 * @lease: the lease
 */
void snapmap_lease_init(struct snapmap_lease *lease)
{
	init_waitqueue_head(&lease->wait);
	lease->max_ms = SNAPMAP_LEASE_DEFAULT;
}

/**
 * snapmap_patience_of() - what a caller's flags and time mean
 * @flags: SNAPMAP_COMMIT_*
 * @wait_ms: 0 for as long as it takes
 */
struct snapmap_patience snapmap_patience_of(u32 flags, u32 wait_ms)
{
	return (struct snapmap_patience){
		.nowait = flags & SNAPMAP_COMMIT_NOWAIT,
		.timed = wait_ms,
		.until = wait_ms ? ktime_get_ns() + wait_ms * NSEC_PER_MSEC : 0,
	};
}

static bool try_take(struct snapmap_store *store)
{
	return !test_and_set_bit_lock(HELD, &store->lease.held);
}

static bool is_over(const struct snapmap_store *store)
{
	return READ_ONCE(store->destroyed);
}

static int wait_timed(struct snapmap_store *store, u64 until, bool *taken)
{
	u64 now = ktime_get_ns();
	int err;

	if (now >= until)
		return -ETIMEDOUT;
	err = wait_event_interruptible_hrtimeout(store->lease.wait,
						 (*taken = try_take(store)) || is_over(store),
						 ns_to_ktime(until - now));
	if (err == -ERESTARTSYS)
		return -EINTR;	/* anew, it would wait for longer than it was told to */
	return err == -ETIME ? -ETIMEDOUT : err;
}

/**
 * snapmap_lease_take() - become the writer
 * @store: the map's snapshots
 * @patience: for how long to wait
 *
 * Context: may sleep.
 * Return: 0; -EBUSY; -ETIMEDOUT; -EINTR or -ERESTARTSYS; -ENODEV when the map has
 *	been destroyed.
 */
int snapmap_lease_take(struct snapmap_store *store, const struct snapmap_patience *patience)
{
	bool taken = try_take(store);
	int err = 0;

	if (!taken && patience->nowait)
		return -EBUSY;
	if (!taken && patience->timed)
		err = wait_timed(store, patience->until, &taken);
	else if (!taken)
		err = wait_event_interruptible_exclusive(store->lease.wait,
							 (taken = try_take(store)) ||
							 is_over(store));
	if (taken)
		return 0;
	return err ?: -ENODEV;
}

/**
 * snapmap_lease_show() - tell who has the lease, for INFO
 * @store: the map's snapshots
 * @holder: the process; NULL for nobody who need be told
 *
 * Context: the caller has the lease; any that may take a spinlock.
 */
void snapmap_lease_show(struct snapmap_store *store, struct pid *holder)
{
	struct pid *before;

	spin_lock(&store->pin_lock);
	before = store->lease.holder;
	store->lease.holder = get_pid(holder);
	spin_unlock(&store->pin_lock);
	put_pid(before);
}

/**
 * snapmap_lease_give() - let the next writer in
 * @store: the map's snapshots
 *
 * Context: the caller has the lease, though it may be another thread than that
 *	which took it; any that may take a spinlock.
 */
void snapmap_lease_give(struct snapmap_store *store)
{
	if (store->lease.holder)
		snapmap_lease_show(store, NULL);
	clear_bit_unlock(HELD, &store->lease.held);
	/* Who waits has queued itself before it tries again: one side sees the other. */
	smp_mb__after_atomic();
	if (waitqueue_active(&store->lease.wait))
		wake_up(&store->lease.wait);
}

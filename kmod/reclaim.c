// SPDX-License-Identifier: GPL-2.0-only
/*
 * reclaim.c - when a retired block may be used again
 *
 * A run is born in version b and retired by version r: the snapshots b to r - 1
 * reach it. It may be reused when all of these hold (promises A and B):
 *
 *   (a) no reader in the kernel is inside the run. None is when, after r was
 *       published, nobody was inside at all, or an RCU grace period has passed;
 *   (b) the quarantine has passed, so that a live reader in user space rarely
 *       meets reused blocks;
 *   (c) control->oldest is at least r, so that a live reader that does meet
 *       them finds out and retries;
 *   (d) no snapshot that is pinned or in the history is at a version in [b, r).
 *
 * Publications retire in order, so the batches of runs form a queue, and (a) to
 * (c) are settled for a batch at a time. For (d), only the newest such snapshot
 * below r matters: when it is at b or later the run is handed to it, else no
 * older one can be either. When a snapshot goes, what it held goes to the next
 * older one under the same rule, or is freed. So each holds back exactly the
 * runs that it reaches, and each run changes hands at most once for each.
 *
 * Mostly nobody is inside: programs read their mapping. So readers in the kernel
 * count themselves, each CPU by itself, as those of SRCU do (McKenney), and no
 * grace period is waited for, or begun, where none of them is found. It takes
 * ten milliseconds and more, in which blocks leave every cache, and the next
 * commits write to others.
 *
 * That covers the chunks that go back to the system, too (snapmap_arena_trim()): only
 * empty ones do. A reader in the kernel follows the references of an intact snapshot,
 * so he looks only at chunks that hold a block of it, and none of these is free
 * while he is inside. Faults look at chunks under show_lock.
 *
 * A call settles a bounded number of runs, and the next one goes on: what one
 * commit retired, or one reader held back, does not become another commit's
 * long wait (promises E and I).
 *
 * Context: everything expects store->lock held.
 */
#include <linux/kernel.h>
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/percpu.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>

#include "broken.h"
#include "history.h"
#include "reclaim.h"
#include "trace.h"

/*
 * However few commits come after, a batch is free after so many times quarantine_us: 10 ms.
 * Else a row of large commits kept several times what one of them retires.
 */
#define QUARANTINE_LONG	200

/* What a call settles at least: more than most commits retire. */
#define BUDGET_MIN	256

unsigned int snapmap_quarantine_us = 50;
module_param_named(quarantine_us, snapmap_quarantine_us, uint, 0644);
MODULE_PARM_DESC(quarantine_us, "time for which retired blocks are not reused, in us");

unsigned int snapmap_quarantine_commits = 4;
module_param_named(quarantine_commits, snapmap_quarantine_commits, uint, 0644);
MODULE_PARM_DESC(quarantine_commits,
		 "commits for which retired blocks are not reused, for 200 times quarantine_us at most");

/**
 * snapmap_reclaim_queue() - hand over what a publication has retired
 * @store: the map's snapshots; the publication has just been made
 * @retired: memory for the batch, allocated before the build; reclaim frees it
 * @runs: the runs; left empty
 */
void snapmap_reclaim_queue(struct snapmap_store *store, struct snapmap_retired *retired,
			   struct snapmap_runlist *runs)
{
	lockdep_assert_held(&store->lock);
	if (!runs->count) {	/* nothing to wait with */
		snapmap_spare_give(&store->spare.retired, retired);
		return;
	}
	retired->version = store->version;
	retired->published_ns = store->control->header[retired->version & 1].monotonic_ns;
	retired->cookie = get_state_synchronize_rcu();
	retired->runs = *runs;
	*runs = (struct snapmap_runlist){};
	WRITE_ONCE(store->retired_blocks, store->retired_blocks + retired->runs.blocks);
	list_add_tail(&retired->link, &store->retired);
}

static void hold_run(struct snapmap_store *store, struct snapmap_snapshot *snapshot, u32 block,
		     u32 blocks)
{
	snapmap_runlist_add(&store->arena, &snapshot->held, block);
	WRITE_ONCE(snapshot->held_blocks, snapshot->held_blocks + blocks);
	WRITE_ONCE(store->pinned_blocks, store->pinned_blocks + blocks);
}

/*
 * Frees what @snapshot need not hold back, hands it the rest, for as long as
 * @budget lasts. @snapshot may be NULL.
 */
static void settle_runs(struct snapmap_store *store, struct snapmap_runlist *runs,
			struct snapmap_snapshot *snapshot, u64 *budget)
{
	struct snapmap_arena *arena = &store->arena;
	u64 version = snapshot ? snapshot->header.version : 0;
	const struct snapmap_run *run;
	u64 freed = 0;
	u32 block;

	for (; *budget && runs->count; --*budget) {
		block = snapmap_runlist_pop(arena, runs);
		run = snapmap_arena_run(arena, block);
		if (version >= snapmap_run_birth(arena, run) && !snapmap_broken(SNAPMAP_BREAK_PINS)) {
			hold_run(store, snapshot, block, snapmap_run_blocks(run));
			continue;
		}
		freed += snapmap_run_blocks(run);
		snapmap_arena_free(arena, block);
	}
	WRITE_ONCE(store->retired_blocks, store->retired_blocks - freed);
}

/* The one before @snapshot in @snapshots, NULL for the oldest. */
static struct snapmap_snapshot *older(struct snapmap_store *store,
				      struct snapmap_snapshot *snapshot)
{
	lockdep_assert_held(&store->pin_lock);
	return list_is_first(&snapshot->link, &store->snapshots) ? NULL :
								   list_prev_entry(snapshot, link);
}

/*
 * The newest snapshot below @version, dead or not, NULL when there is none. One
 * step when the history reaches so far back; else only pins are in the way.
 */
static struct snapmap_snapshot *newest_below(struct snapmap_store *store, u64 version)
{
	struct snapmap_snapshot *snapshot;

	spin_lock(&store->pin_lock);
	snapshot = snapmap_history_at(store, max(version - 1, snapmap_history_oldest(store)));
	while (snapshot && snapshot->header.version >= version)
		snapshot = older(store, snapshot);
	spin_unlock(&store->pin_lock);
	return snapshot;	/* stays: only reclaim takes any off, and we hold the lock */
}

static bool is_dead(const struct snapmap_snapshot *snapshot)
{
	return !snapshot->users || snapshot->revoked;
}

/*
 * A dead snapshot, NULL when there is none: the oldest of a row of them, so that
 * a run skips the whole row at once. Looking for it takes at most half of
 * @budget.
 */
static struct snapmap_snapshot *find_dead(struct snapmap_store *store, u64 *budget)
{
	struct snapmap_snapshot *snapshot = NULL;
	struct snapmap_snapshot *next;
	u64 steps = *budget / 2;

	spin_lock(&store->pin_lock);
	if (!list_empty(&store->dead)) {
		snapshot = list_first_entry(&store->dead, struct snapmap_snapshot, dead_link);
		for (--*budget; steps; steps--, --*budget) {
			next = older(store, snapshot);
			if (!next || !is_dead(next))
				break;
			snapshot = next;
		}
	}
	spin_unlock(&store->pin_lock);
	return snapshot;
}

/* Takes a dead snapshot off. Where it has been revoked, its last pin frees it. */
static void forget(struct snapmap_store *store, struct snapmap_snapshot *snapshot)
{
	bool unused;

	spin_lock(&store->pin_lock);
	list_del_init(&snapshot->dead_link);
	list_del_init(&snapshot->link);
	unused = !snapshot->users;
	spin_unlock(&store->pin_lock);
	if (unused)
		snapmap_snapshot_end(store, snapshot);
}

/* What a dead snapshot held goes to the next older one, or is free. */
static void reap(struct snapmap_store *store, struct snapmap_snapshot *snapshot, u64 *budget)
{
	struct snapmap_snapshot *next;
	u64 before = snapshot->held.blocks;
	u64 moved;

	spin_lock(&store->pin_lock);
	next = older(store, snapshot);
	spin_unlock(&store->pin_lock);
	/*
	 * Where it has been revoked: before anything is written to its blocks, its
	 * readers can know. Pairs with the read barrier in snapmap_pin_is_revoked().
	 */
	smp_wmb();
	settle_runs(store, &snapshot->held, next, budget);
	moved = before - snapshot->held.blocks;
	WRITE_ONCE(snapshot->held_blocks, snapshot->held_blocks - moved);
	WRITE_ONCE(store->pinned_blocks, store->pinned_blocks - moved);
	if (!snapshot->held.count)
		forget(store, snapshot);
}

static void reap_all(struct snapmap_store *store, u64 *budget)
{
	struct snapmap_snapshot *snapshot;

	while (*budget && (snapshot = find_dead(store, budget)))
		reap(store, snapshot, budget);
}

static bool quarantine_over(const struct snapmap_store *store,
			    const struct snapmap_retired *retired, u64 now)
{
	/* The kernel's code for parameters writes them plainly, at any time. */
	u64 ns = data_race(READ_ONCE(snapmap_quarantine_us)) * (u64)NSEC_PER_USEC;
	u64 commits = data_race(READ_ONCE(snapmap_quarantine_commits));
	u64 age = now - retired->published_ns;
	u64 version = READ_ONCE(store->version);	/* a writer may be publishing */

	if (age < ns)
		return false;
	return version - retired->version >= commits || age >= ns * QUARANTINE_LONG;
}

/*
 * Whether a reader in the kernel may be inside who began before the latest
 * publication in the queue. The order of the sums matters: a reader who is counted
 * as gone is then counted as having come, so the first sum never makes up for
 * somebody who is inside.
 */
static bool anyone_inside(const struct snapmap_store *store)
{
	unsigned long entered = 0, left = 0;
	int cpu;

	lockdep_assert_held(&store->lock);
	if (snapmap_broken(SNAPMAP_BREAK_INSIDE))
		return false;
	/*
	 * Who is not counted below sees what has been published; pairs with the
	 * barrier in snapmap_store_read_lock().
	 */
	smp_mb();
	for_each_possible_cpu(cpu)
		left += READ_ONCE(per_cpu_ptr(store->readers, cpu)->left);
	/*
	 * Of who is counted above, the coming is counted below, and all that he
	 * has read came before what is written from here on; pairs with the
	 * barrier in snapmap_store_read_unlock().
	 */
	smp_mb();
	for_each_possible_cpu(cpu)
		entered += READ_ONCE(per_cpu_ptr(store->readers, cpu)->entered);
	return entered != left;
}

/**
 * struct call - one call of snapmap_reclaim()
 * @urgency: as it says
 * @now: the time
 * @looked: whether it has looked for readers in the kernel
 * @nobody: whether it has found none
 */
struct call {
	enum snapmap_urgency urgency;
	u64 now;
	bool looked;
	bool nobody;
};

/* Looks once for all batches, and begins the grace period that it then takes. */
static bool nobody_inside(struct snapmap_store *store, struct call *call)
{
	if (call->looked)
		return call->nobody;
	call->looked = true;
	call->nobody = !anyone_inside(store);
	if (!call->nobody)
		start_poll_synchronize_rcu();
	return call->nobody;
}

static bool readers_are_gone(struct snapmap_store *store, struct snapmap_retired *retired,
			     struct call *call)
{
	if (poll_state_synchronize_rcu(retired->cookie) || nobody_inside(store, call))
		return true;
	if (call->urgency != SNAPMAP_RECLAIM_NOW)
		return false;
	cond_synchronize_rcu(retired->cookie);
	return true;
}

static bool batch_is_ready(struct snapmap_store *store, struct snapmap_retired *retired,
			   struct call *call)
{
	if (snapmap_broken(SNAPMAP_BREAK_REUSE))
		return true;
	if (call->urgency != SNAPMAP_RECLAIM_NOW && !quarantine_over(store, retired, call->now))
		return false;
	return readers_are_gone(store, retired, call);
}

static void settle_batch(struct snapmap_store *store, struct snapmap_retired *retired,
			 u64 *budget)
{
	if (!snapmap_broken(SNAPMAP_BREAK_REUSE))
		WRITE_ONCE(store->control->oldest, retired->version);
	/*
	 * Before anything is written to a block of the batch. Pairs with the
	 * barriers before a live reader looks at oldest, snapmap_live_intact(), or
	 * whether its version is still current, snapmap_live_recheck().
	 */
	smp_wmb();
	if (trace_snapmap_reclaim_enabled())	/* the clock is read for nobody else */
		trace_snapmap_reclaim(store->control->map_id, retired->version,
				      READ_ONCE(store->version) - retired->version,
				      ktime_get_ns() - retired->published_ns,
				      retired->runs.blocks);
	settle_runs(store, &retired->runs, newest_below(store, retired->version), budget);
	if (retired->runs.count)
		return;
	list_del(&retired->link);
	snapmap_spare_give(&store->spare.retired, retired);
}

/*
 * How many runs a call settles: some more than the latest commit has retired. So a stream
 * of commits does not outrun it, and a small commit pays for one large one at most.
 */
static u64 budget_for(const struct snapmap_store *store, enum snapmap_urgency urgency)
{
	const struct snapmap_retired *latest;

	if (urgency == SNAPMAP_RECLAIM_NOW)
		return U64_MAX;
	if (list_empty(&store->retired))
		return BUDGET_MIN;
	latest = list_last_entry(&store->retired, struct snapmap_retired, link);
	return BUDGET_MIN + latest->runs.count;
}

/**
 * snapmap_reclaim() - free the runs that may be reused
 * @store: the map's snapshots
 * @urgency: whether to do it all, waiting for readers in the kernel and ignoring
 *	the quarantine
 *
 * Context: expects @store->lock held; may sleep with SNAPMAP_RECLAIM_NOW.
 * Return: true when there is more to settle at once.
 */
bool snapmap_reclaim(struct snapmap_store *store, enum snapmap_urgency urgency)
{
	struct snapmap_retired *retired, *next;
	struct call call = { .urgency = urgency, .now = ktime_get_ns() };
	u64 budget = budget_for(store, urgency);

	lockdep_assert_held(&store->lock);
	reap_all(store, &budget);
	list_for_each_entry_safe(retired, next, &store->retired, link) {
		if (!budget || !batch_is_ready(store, retired, &call))
			break;
		settle_batch(store, retired, &budget);
	}
	/* For the next call. */
	retired = list_first_entry_or_null(&store->retired, struct snapmap_retired, link);
	if (retired)
		snapmap_runlist_prefetch(&store->arena, &retired->runs);
	return !budget;
}

/* Gives up what is worth less than a commit; false when there is nothing. */
static bool let_go(struct snapmap_store *store)
{
	if (snapmap_history_drop_oldest(store))
		return true;
	return READ_ONCE(store->policy) & SNAPMAP_MAP_REVOKE &&
	       snapmap_snapshot_revoke_oldest(store);
}

/*
 * Whether another turn may find room. Pins may have been closed while the last one
 * waited for readers; and one that is closed before let_go() comes to it is none that
 * it finds.
 */
static bool worth_another(struct snapmap_store *store, int err)
{
	return snapmap_reclaim_pending(store) || (err == -ENOSPC && let_go(store)) ||
	       snapmap_reclaim_pending(store);
}

/**
 * snapmap_reclaim_for() - find room for an allocation that has failed
 * @store: the map's snapshots
 * @err: why it failed: -ENOMEM or -ENOSPC
 *
 * First what only waits for its quarantine. When the limit is in the way, not
 * the system, the history then gets shorter, from its oldest end, and when the
 * map's policy says so, pins are revoked.
 *
 * Context: expects @store->lock held; may sleep. A build may be under way: it
 * rests on the current snapshot and on what is its own.
 * Return: true when there are more free blocks than before.
 */
bool snapmap_reclaim_for(struct snapmap_store *store, int err)
{
	u64 used = store->arena.used;

	do {
		snapmap_reclaim(store, SNAPMAP_RECLAIM_NOW);
		if (store->arena.used < used)
			return true;
	} while (worth_another(store, err));
	return false;
}

/**
 * snapmap_reclaim_pending() - whether reclaim has anything left to wait for
 * @store: the map's snapshots
 */
bool snapmap_reclaim_pending(struct snapmap_store *store)
{
	bool dead;

	lockdep_assert_held(&store->lock);
	spin_lock(&store->pin_lock);
	dead = !list_empty(&store->dead);
	spin_unlock(&store->pin_lock);
	return dead || !list_empty(&store->retired);
}

/**
 * snapmap_reclaim_discard() - free the bookkeeping of a map that ends
 * @store: the map's snapshots; nobody else can reach it
 *
 * The blocks themselves go with the arena.
 */
void snapmap_reclaim_discard(struct snapmap_store *store)
{
	struct snapmap_retired *retired, *next;
	struct snapmap_snapshot *snapshot, *newer;

	list_for_each_entry_safe(retired, next, &store->retired, link)
		kfree(retired);
	list_for_each_entry_safe(snapshot, newer, &store->snapshots, link)
		snapmap_snapshot_free(snapshot);
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * reclaim.c - when a retired block may be used again
 *
 * A run is born in version b and retired by version r: the snapshots b to r - 1
 * reach it. It may be reused when all of these hold (promises A and B):
 *
 *   (a) an RCU grace period has passed since r was published, so no reader in
 *       the kernel is inside the run;
 *   (b) the quarantine has passed, so that a live reader in user space rarely
 *       meets reused blocks;
 *   (c) control->oldest is at least r, so that a live reader that does meet
 *       them finds out and retries;
 *   (d) no pin is at a version in [b, r).
 *
 * Publications retire in order, so the batches of runs form a queue, and (a) to
 * (c) are settled for a batch at a time. For (d), only the newest pin below r
 * matters: when it is at b or later the run is handed to it, else no older pin
 * can be either. When a pin goes, what it held goes to the next older pin under
 * the same rule, or is freed. So a pin holds back exactly the runs that its
 * snapshot reaches, and each run changes hands at most once for each pin.
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
#include <linux/rcupdate.h>
#include <linux/slab.h>

#include "broken.h"
#include "reclaim.h"
#include "trace.h"

/* A batch this old has outlived every reader, however few commits came after. */
#define QUARANTINE_LONG_NS	NSEC_PER_SEC

/* What a call settles at least: more than most commits retire. */
#define BUDGET_MIN	1024

unsigned int snapmap_quarantine_ms = 20;
module_param_named(quarantine_ms, snapmap_quarantine_ms, uint, 0644);
MODULE_PARM_DESC(quarantine_ms, "time for which retired blocks are not reused, in ms");

unsigned int snapmap_quarantine_commits = 16;
module_param_named(quarantine_commits, snapmap_quarantine_commits, uint, 0644);
MODULE_PARM_DESC(quarantine_commits, "commits for which retired blocks are not reused");

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
	retired->version = store->version;
	retired->published_ns = ktime_get_ns();
	retired->cookie = start_poll_synchronize_rcu();
	retired->runs = *runs;
	*runs = (struct snapmap_runlist){};
	WRITE_ONCE(store->retired_blocks, store->retired_blocks + retired->runs.blocks);
	list_add_tail(&retired->link, &store->retired);
}

static void free_retired_run(struct snapmap_store *store, u32 block)
{
	WRITE_ONCE(store->retired_blocks,
		   store->retired_blocks - snapmap_arena_run(&store->arena, block)->blocks);
	snapmap_arena_free(&store->arena, block);
}

static void hold_run(struct snapmap_store *store, struct snapmap_pinned *pin, u32 block)
{
	snapmap_runlist_add(&store->arena, &pin->held, block);
	WRITE_ONCE(store->pinned_blocks,
		   store->pinned_blocks + snapmap_arena_run(&store->arena, block)->blocks);
}

/*
 * Frees what @pin need not hold back, hands it the rest, for as long as @budget
 * lasts. @pin may be NULL.
 */
static void settle_runs(struct snapmap_store *store, struct snapmap_runlist *runs,
			struct snapmap_pinned *pin, u64 *budget)
{
	struct snapmap_arena *arena = &store->arena;
	u32 block;

	for (; *budget && runs->head; --*budget) {
		block = snapmap_runlist_pop(arena, runs);
		if (pin && pin->version >= snapmap_arena_run(arena, block)->birth &&
		    !snapmap_broken(SNAPMAP_BREAK_PINS))
			hold_run(store, pin, block);
		else
			free_retired_run(store, block);
	}
}

/* The newest pin below @version, in use or not, NULL when there is none. */
static struct snapmap_pinned *newest_pin_below(struct snapmap_store *store, u64 version)
{
	struct snapmap_pinned *found = NULL;
	struct snapmap_pinned *pin;

	spin_lock(&store->pin_lock);
	list_for_each_entry_reverse(pin, &store->pins, link) {
		if (pin->version < version) {
			found = pin;
			break;
		}
	}
	spin_unlock(&store->pin_lock);
	return found;	/* stays: only reclaim takes pins off, and we hold the lock */
}

/* The pin before @pin in @pins, NULL for the oldest. */
static struct snapmap_pinned *older_pin(struct snapmap_store *store, struct snapmap_pinned *pin)
{
	lockdep_assert_held(&store->pin_lock);
	return list_is_first(&pin->link, &store->pins) ? NULL : list_prev_entry(pin, link);
}

/*
 * A pin without users, NULL when there is none: the oldest of a row of them, so
 * that a run skips the whole row at once. Looking for it takes at most half of
 * @budget.
 */
static struct snapmap_pinned *dead_pin(struct snapmap_store *store, u64 *budget)
{
	struct snapmap_pinned *pin = NULL;
	struct snapmap_pinned *older;
	u64 steps = *budget / 2;

	spin_lock(&store->pin_lock);
	if (!list_empty(&store->dead_pins)) {
		pin = list_first_entry(&store->dead_pins, struct snapmap_pinned, dead_link);
		for (--*budget; steps; steps--, --*budget) {
			older = older_pin(store, pin);
			if (!older || older->users)
				break;
			pin = older;
		}
	}
	spin_unlock(&store->pin_lock);
	return pin;
}

/* Takes a pin off that holds nothing, unless it has got users again. */
static void forget_pin(struct snapmap_store *store, struct snapmap_pinned *pin)
{
	bool dead;

	spin_lock(&store->pin_lock);
	dead = !pin->users;
	if (dead) {
		list_del(&pin->dead_link);
		list_del(&pin->link);
	}
	spin_unlock(&store->pin_lock);
	if (dead)
		kfree(pin);
}

/* What a dead pin held goes to the next older one, or is free. */
static void reap_pin(struct snapmap_store *store, struct snapmap_pinned *pin, u64 *budget)
{
	struct snapmap_pinned *older;
	u64 held = pin->held.blocks;

	spin_lock(&store->pin_lock);
	older = older_pin(store, pin);
	spin_unlock(&store->pin_lock);
	settle_runs(store, &pin->held, older, budget);
	WRITE_ONCE(store->pinned_blocks, store->pinned_blocks - (held - pin->held.blocks));
	if (!pin->held.head)
		forget_pin(store, pin);
}

static void reap_pins(struct snapmap_store *store, u64 *budget)
{
	struct snapmap_pinned *pin;

	while (*budget && (pin = dead_pin(store, budget)))
		reap_pin(store, pin, budget);
}

static bool quarantine_over(const struct snapmap_store *store,
			    const struct snapmap_retired *retired)
{
	/* The kernel's code for parameters writes them plainly, at any time. */
	u64 ms = data_race(READ_ONCE(snapmap_quarantine_ms));
	u64 commits = data_race(READ_ONCE(snapmap_quarantine_commits));
	u64 age = ktime_get_ns() - retired->published_ns;

	if (age < ms * NSEC_PER_MSEC)
		return false;
	return store->version - retired->version >= commits || age >= QUARANTINE_LONG_NS;
}

static bool batch_is_ready(struct snapmap_store *store, struct snapmap_retired *retired,
			   enum snapmap_urgency urgency)
{
	if (snapmap_broken(SNAPMAP_BREAK_REUSE))
		return true;
	if (urgency == SNAPMAP_RECLAIM_NOW) {
		cond_synchronize_rcu(retired->cookie);
		return true;
	}
	return quarantine_over(store, retired) && poll_state_synchronize_rcu(retired->cookie);
}

static void settle_batch(struct snapmap_store *store, struct snapmap_retired *retired,
			 u64 *budget)
{
	if (!snapmap_broken(SNAPMAP_BREAK_REUSE))
		WRITE_ONCE(store->control->oldest, retired->version);
	/*
	 * Before anything is written to a block of the batch. Pairs with the
	 * barrier before a live reader looks at oldest: snapmap_live_intact().
	 */
	smp_wmb();
	trace_snapmap_reclaim(store->control->map_id, retired->version,
			      store->version - retired->version,
			      ktime_get_ns() - retired->published_ns, retired->runs.blocks);
	settle_runs(store, &retired->runs, newest_pin_below(store, retired->version), budget);
	if (retired->runs.head)
		return;
	list_del(&retired->link);
	kfree(retired);
}

/*
 * How many runs a call settles: a part of what waits, so that the queue stays
 * in proportion to what commits retire.
 */
static u64 budget_for(const struct snapmap_store *store, enum snapmap_urgency urgency)
{
	if (urgency == SNAPMAP_RECLAIM_NOW)
		return U64_MAX;
	return BUDGET_MIN + (store->retired_blocks - store->pinned_blocks) / 16;
}

/**
 * snapmap_reclaim() - free the runs that may be reused
 * @store: the map's snapshots
 * @urgency: whether to do it all, waiting for grace periods and ignoring the
 *	quarantine
 *
 * Context: expects @store->lock held; may sleep with SNAPMAP_RECLAIM_NOW.
 * Return: true when there is more to settle at once.
 */
bool snapmap_reclaim(struct snapmap_store *store, enum snapmap_urgency urgency)
{
	struct snapmap_retired *retired, *next;
	u64 budget = budget_for(store, urgency);

	lockdep_assert_held(&store->lock);
	reap_pins(store, &budget);
	list_for_each_entry_safe(retired, next, &store->retired, link) {
		if (!budget || !batch_is_ready(store, retired, urgency))
			break;
		settle_batch(store, retired, &budget);
	}
	return !budget;
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
	dead = !list_empty(&store->dead_pins);
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
	struct snapmap_pinned *pin, *next_pin;

	list_for_each_entry_safe(retired, next, &store->retired, link)
		kfree(retired);
	list_for_each_entry_safe(pin, next_pin, &store->pins, link)
		kfree(pin);
}

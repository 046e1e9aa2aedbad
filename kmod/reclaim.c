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
 * Context: everything expects store->lock held.
 */
#include <linux/kernel.h>
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>

#include "broken.h"
#include "reclaim.h"

/* A batch this old has outlived every reader, however few commits came after. */
#define QUARANTINE_LONG_NS	NSEC_PER_SEC

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

/* Frees what @pin need not hold back, hands it the rest. @pin may be NULL. */
static void settle_runs(struct snapmap_store *store, struct snapmap_runlist *runs,
			struct snapmap_pinned *pin)
{
	struct snapmap_arena *arena = &store->arena;
	u32 block;

	while ((block = snapmap_runlist_pop(arena, runs))) {
		if (!pin || pin->version < snapmap_arena_run(arena, block)->birth ||
		    snapmap_broken(SNAPMAP_BREAK_PINS)) {
			free_retired_run(store, block);
			continue;
		}
		snapmap_runlist_add(arena, &pin->held, block);
		WRITE_ONCE(store->pinned_blocks,
			   store->pinned_blocks + snapmap_arena_run(arena, block)->blocks);
	}
}

/* The newest pin below @version, closed or not, NULL when there is none. */
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

static bool pin_is_dead(const struct snapmap_pinned *pin)
{
	return !list_empty(&pin->dead_link);
}

/* The oldest of a row of closed pins, NULL when none is closed. */
static struct snapmap_pinned *first_dead_pin(struct snapmap_store *store)
{
	struct snapmap_pinned *pin = NULL;

	spin_lock(&store->pin_lock);
	if (!list_empty(&store->dead_pins)) {
		pin = list_first_entry(&store->dead_pins, struct snapmap_pinned, dead_link);
		while (!list_is_first(&pin->link, &store->pins) &&
		       pin_is_dead(list_prev_entry(pin, link)))
			pin = list_prev_entry(pin, link);
	}
	spin_unlock(&store->pin_lock);
	return pin;
}

/* Frees a closed pin. Returns the next newer one if that is closed too, else NULL. */
static struct snapmap_pinned *reap_pin(struct snapmap_store *store, struct snapmap_pinned *pin)
{
	struct snapmap_pinned *older = NULL;
	struct snapmap_pinned *newer = NULL;

	spin_lock(&store->pin_lock);
	if (!list_is_first(&pin->link, &store->pins))
		older = list_prev_entry(pin, link);
	if (!list_is_last(&pin->link, &store->pins))
		newer = list_next_entry(pin, link);
	if (newer && !pin_is_dead(newer))
		newer = NULL;
	list_del(&pin->dead_link);
	list_del(&pin->link);
	spin_unlock(&store->pin_lock);

	WRITE_ONCE(store->pinned_blocks, store->pinned_blocks - pin->held.blocks);
	settle_runs(store, &pin->held, older);
	kfree(pin);
	return newer;
}

/* From old to new, so that a run skips a whole row of closed pins at once. */
static void reap_pins(struct snapmap_store *store)
{
	struct snapmap_pinned *pin;

	while ((pin = first_dead_pin(store)))
		while (pin)
			pin = reap_pin(store, pin);
}

static bool quarantine_over(const struct snapmap_store *store,
			    const struct snapmap_retired *retired)
{
	u64 age = ktime_get_ns() - retired->published_ns;

	if (age < (u64)snapmap_quarantine_ms * NSEC_PER_MSEC)
		return false;
	return store->version - retired->version >= snapmap_quarantine_commits ||
	       age >= QUARANTINE_LONG_NS;
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

static void settle_batch(struct snapmap_store *store, struct snapmap_retired *retired)
{
	if (!snapmap_broken(SNAPMAP_BREAK_REUSE))
		WRITE_ONCE(store->control->oldest, retired->version);
	/*
	 * Before anything is written to a block of the batch. Pairs with the
	 * barrier before a live reader looks at oldest: snapmap_live_intact().
	 */
	smp_wmb();
	settle_runs(store, &retired->runs, newest_pin_below(store, retired->version));
	list_del(&retired->link);
	kfree(retired);
}

/**
 * snapmap_reclaim() - free the runs that may be reused
 * @store: the map's snapshots
 * @urgency: whether to wait for grace periods and to ignore the quarantine
 *
 * Context: expects @store->lock held; may sleep with SNAPMAP_RECLAIM_NOW.
 */
void snapmap_reclaim(struct snapmap_store *store, enum snapmap_urgency urgency)
{
	struct snapmap_retired *retired, *next;

	lockdep_assert_held(&store->lock);
	reap_pins(store);
	list_for_each_entry_safe(retired, next, &store->retired, link) {
		if (!batch_is_ready(store, retired, urgency))
			break;
		settle_batch(store, retired);
	}
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

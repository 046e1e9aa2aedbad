// SPDX-License-Identifier: GPL-2.0-only
/*
 * snapshot.c - publishing and pinning the snapshots of one map
 *
 * Publication is a store to the control page: it is the linearization point for
 * readers of every kind, in user space and in the kernel (promises A and C).
 * The root and header of version v stand in slot v & 1 of the control page, so
 * what the current version's slot says stays untouched while the next version
 * is written, and a reader that reads version, slot and version again has got
 * all of one snapshot. The ordering is described in snapmap_layout.h.
 *
 * Lock order: store->lock, then store->pin_lock.
 */
#include <linux/kernel.h>
#include <linux/ktime.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/timekeeping.h>

#include "broken.h"
#include "snapshot.h"
#include "reclaim.h"

static void write_slot(struct snapmap_store *store)
{
	struct snapmap_control *control = store->control;
	u64 version = store->version;

	/*
	 * The slot was that of version - 2: whoever reads what is written to it
	 * now also reads the version that followed. Pairs with the barrier
	 * before a live reader looks at the version again: snapmap_live_recheck()
	 * in user space, smp_rmb() in snapmap_snapshot_current().
	 */
	smp_wmb();
	control->header[version & 1] = (struct snapmap_header){
		.version = version,
		.entries = store->table.entries,
		.key_bytes = store->table.key_bytes,
		.value_bytes = store->table.value_bytes,
		.realtime_ns = ktime_get_real_ns(),
		.monotonic_ns = ktime_get_ns(),
		.stamp = store->stamp,
	};
	/*
	 * Who sees the root sees the blocks; pairs with the load-acquire of root
	 * in snapmap_live_begin() and snapmap_snapshot_current().
	 */
	smp_store_release(&control->root[version & 1], store->table.root);
	/*
	 * Who sees the version sees its root and header; pairs with the
	 * load-acquire of version in snapmap_live_version() and
	 * snapmap_snapshot_current().
	 */
	smp_store_release(&control->version, version);
}

/**
 * snapmap_snapshot_publish() - make a build the current snapshot
 * @store: the map's snapshots
 * @build: finished; its @retired is left for the caller to queue
 * @stamp: the new snapshot's stamp
 *
 * Context: expects @store->lock held.
 * Return: 0; -ENODEV when the map has been destroyed, with nothing changed.
 */
int snapmap_snapshot_publish(struct snapmap_store *store, const struct snapmap_build *build,
			     u64 stamp)
{
	lockdep_assert_held(&store->lock);
	spin_lock(&store->pin_lock);
	if (store->destroyed && !snapmap_broken(SNAPMAP_BREAK_SEAL)) {
		spin_unlock(&store->pin_lock);
		return -ENODEV;
	}
	store->version = build->version;
	store->table = build->table;
	store->stamp = stamp;
	write_slot(store);
	spin_unlock(&store->pin_lock);
	return 0;
}

/**
 * snapmap_snapshot_current() - the current version and its root
 * @store: the map's snapshots
 * @root: out: its root word
 *
 * Context: no lock. The snapshot stays for as long as the caller stays in the
 *	RCU read-side critical section that it is called in.
 * Return: the version.
 */
u64 snapmap_snapshot_current(const struct snapmap_store *store, u64 *root)
{
	const struct snapmap_control *control = store->control;
	u64 version;

	do {
		/* Both pair with the store-releases in write_slot(). */
		version = smp_load_acquire(&control->version);
		*root = smp_load_acquire(&control->root[version & 1]);
		/* Pairs with smp_wmb() in write_slot(). */
		smp_rmb();
	} while (READ_ONCE(control->version) != version);
	if (snapmap_broken(SNAPMAP_BREAK_STALE))
		*root = READ_ONCE(control->root[!(version & 1)]);
	return version;
}

/* The newest pinned snapshot, NULL when none is. */
static struct snapmap_pinned *last_pinned(struct snapmap_store *store)
{
	lockdep_assert_held(&store->pin_lock);
	if (list_empty(&store->pins))
		return NULL;
	return list_last_entry(&store->pins, struct snapmap_pinned, link);
}

static void add_pinned(struct snapmap_store *store, struct snapmap_pinned *pin)
{
	lockdep_assert_held(&store->pin_lock);
	pin->version = store->version;
	pin->root = store->table.root;
	pin->header = store->control->header[store->version & 1];
	INIT_LIST_HEAD(&pin->dead_link);
	list_add_tail(&pin->link, &store->pins);
}

/**
 * snapmap_snapshot_pin() - keep the current snapshot
 * @store: the map's snapshots
 * @fresh: zeroed, allocated with kzalloc(); this function's from now on
 *
 * All pins of one version share what is known of it, so that however many a
 * reader opens, a commit has one to look at.
 *
 * Context: any that may take a spinlock.
 * Return: the pinned snapshot, for snapmap_snapshot_unpin().
 */
struct snapmap_pinned *snapmap_snapshot_pin(struct snapmap_store *store,
					    struct snapmap_pinned *fresh)
{
	struct snapmap_pinned *pin;

	spin_lock(&store->pin_lock);
	pin = last_pinned(store);
	if (!pin || pin->version != store->version) {
		pin = fresh;
		fresh = NULL;
		add_pinned(store, pin);
	}
	if (!pin->users++)
		list_del_init(&pin->dead_link);	/* where it was nobody's for a while */
	store->pin_count++;
	spin_unlock(&store->pin_lock);
	kfree(fresh);
	return pin;
}

/**
 * snapmap_snapshot_unpin() - let a snapshot go
 * @store: the map's snapshots
 * @pin: what snapmap_snapshot_pin() returned; not to be touched afterwards
 *
 * Only counts, so that no reader ever waits for a commit: reclaim frees what
 * the snapshot alone held back, and @pin itself. The caller sees to it that
 * reclaim runs.
 *
 * Context: any that may take a spinlock.
 */
void snapmap_snapshot_unpin(struct snapmap_store *store, struct snapmap_pinned *pin)
{
	spin_lock(&store->pin_lock);
	if (!--pin->users)
		list_add_tail(&pin->dead_link, &store->dead_pins);
	store->pin_count--;
	spin_unlock(&store->pin_lock);
}

/**
 * snapmap_store_seal() - refuse all further commits
 * @store: the map's snapshots
 *
 * The last snapshot stays readable for who has the map open. A commit that is
 * being built meanwhile fails when it comes to publish, so nobody waits for it.
 *
 * Context: any that may take a spinlock.
 */
void snapmap_store_seal(struct snapmap_store *store)
{
	spin_lock(&store->pin_lock);
	WRITE_ONCE(store->destroyed, true);
	/*
	 * Who sees the flag sees the last version; pairs with the load-acquire
	 * of state in snapmap_live_state().
	 */
	smp_store_release(&store->control->state, SNAPMAP_STATE_DESTROYED);
	spin_unlock(&store->pin_lock);
}

/**
 * snapmap_store_info() - describe the current snapshot and the map's counters
 * @store: the map's snapshots
 * @info: out: all but @flags
 *
 * The header and root are of one snapshot; the counters are read one by one.
 *
 * Context: any that may take a spinlock.
 */
void snapmap_store_info(struct snapmap_store *store, struct snapmap_info *info)
{
	const struct snapmap_control *control = store->control;

	spin_lock(&store->pin_lock);
	info->header = control->header[store->version & 1];
	info->root = store->table.root;
	info->pins = store->pin_count;
	spin_unlock(&store->pin_lock);
	info->state = READ_ONCE(control->state);
	info->span = control->span;
	info->map_id = control->map_id;
	info->limit = store->arena.limit;
	info->resident_bytes = READ_ONCE(store->arena.resident);
	info->used_blocks = READ_ONCE(store->arena.used) - SNAPMAP_CONTROL_BLOCKS;
	info->free_blocks = READ_ONCE(store->arena.free);
	info->retired_blocks = READ_ONCE(store->retired_blocks);
	info->pinned_blocks = READ_ONCE(store->pinned_blocks);
	info->commits = READ_ONCE(store->commits);
	info->conflicts = READ_ONCE(store->conflicts);
	info->failures = READ_ONCE(store->failures);
	info->blocks_copied = READ_ONCE(store->blocks_copied);
	memcpy(info->name, control->name, sizeof(info->name));
}

/**
 * snapmap_store_init() - set up an empty map at version 1
 * @store: zeroed; its arena's memcg may be set already
 * @name: the map's name
 * @backing: where memory comes from
 * @limit: memory limit in bytes
 * @seed: hash seed
 * @map_id: differs from every other map's
 *
 * Context: may sleep.
 * Return: 0, -ENOMEM or -ENOSPC.
 */
int snapmap_store_init(struct snapmap_store *store, const char *name,
		       const struct snapmap_backing *backing, u64 limit, u64 seed, u64 map_id)
{
	struct snapmap_control *control;
	int err = snapmap_arena_init(&store->arena, backing, limit);

	if (err)
		return err;
	BUILD_BUG_ON(sizeof(*control) != SNAPMAP_CONTROL_SIZE);
	BUILD_BUG_ON(offsetof(struct snapmap_control, version) != SNAPMAP_LINE_SIZE);
	mutex_init(&store->lock);
	spin_lock_init(&store->pin_lock);
	INIT_LIST_HEAD(&store->retired);
	INIT_LIST_HEAD(&store->pins);
	INIT_LIST_HEAD(&store->dead_pins);
	store->seed = seed;

	control = snapmap_arena_at(&store->arena, 0);
	control->magic = SNAPMAP_LAYOUT_MAGIC;
	control->layout_version = SNAPMAP_LAYOUT_VERSION;
	control->hash_kind = SNAPMAP_HASH_XXH64;
	control->hash_seed = seed;
	control->span = (u64)store->arena.blocks << SNAPMAP_BLOCK_SHIFT;
	control->map_id = map_id;
	control->oldest = 1;
	strscpy(control->name, name, sizeof(control->name));
	store->control = control;
	store->version = 1;
	write_slot(store);
	return 0;
}

/**
 * snapmap_store_exit() - free all memory of a map
 * @store: the map's snapshots
 *
 * Context: may sleep; nobody can reach the map any more, and no pin is open.
 */
void snapmap_store_exit(struct snapmap_store *store)
{
	snapmap_reclaim_discard(store);
	snapmap_arena_destroy(&store->arena);
	mutex_destroy(&store->lock);
}

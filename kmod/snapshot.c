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
 * Several maps are published at one moment, and pinned at one moment, under
 * set_lock. A map that is sealed goes neither with a half of a set nor against
 * it: sealing takes set_lock too.
 *
 * Lock order: the lease, store->lock, set_lock, store->pin_lock.
 */
#include <linux/cred.h>
#include <linux/kernel.h>
#include <linux/ktime.h>
#include <linux/pid.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/timekeeping.h>

#include "broken.h"
#include "directory.h"
#include "history.h"
#include "reclaim.h"
#include "snapshot.h"
#include "trace.h"

/* Makes publication and pinning of several maps atomic against each other. */
static DEFINE_SPINLOCK(set_lock);

/**
 * snapmap_snapshot_new() - the bookkeeping of a snapshot to come
 * @store: the map's snapshots
 *
 * Context: may sleep; the caller is the committer; expects @store->lock held, or
 *	a store that nobody else knows.
 * Return: a snapshot, which becomes the store's by publication or else ends by
 *	snapmap_snapshot_end(); NULL without memory.
 */
struct snapmap_snapshot *snapmap_snapshot_new(struct snapmap_store *store)
{
	struct snapmap_snapshot *snapshot = snapmap_spare_take(store, &store->spare.snapshots);

	if (!snapshot)
		return NULL;
	INIT_LIST_HEAD(&snapshot->link);
	INIT_LIST_HEAD(&snapshot->dead_link);
	snapshot->committer = get_task_pid(current, PIDTYPE_TGID);
	snapshot->uid = current_euid();
	return snapshot;
}

/**
 * snapmap_snapshot_end() - keep a snapshot's bookkeeping for the next one
 * @store: the map's snapshots
 * @snapshot: in no list; NULL does nothing
 *
 * Context: expects @store->lock held.
 */
void snapmap_snapshot_end(struct snapmap_store *store, struct snapmap_snapshot *snapshot)
{
	lockdep_assert_held(&store->lock);
	if (!snapshot)
		return;
	put_pid(snapshot->committer);
	snapmap_spare_give(&store->spare.snapshots, snapshot);
}

/**
 * snapmap_snapshot_free() - free a snapshot's bookkeeping
 * @snapshot: in no list; NULL does nothing
 */
void snapmap_snapshot_free(struct snapmap_snapshot *snapshot)
{
	if (!snapshot)
		return;
	put_pid(snapshot->committer);
	kfree(snapshot);
}

static void write_slot(struct snapmap_store *store, const struct snapmap_header *header)
{
	struct snapmap_control *control = store->control;
	u64 version = header->version;

	/*
	 * The slot was that of version - 2: whoever reads what is written to it
	 * now also reads the version that followed. Pairs with the barrier
	 * before a live reader looks at the version again: snapmap_live_recheck()
	 * in user space, smp_rmb() in snapmap_snapshot_current().
	 */
	smp_wmb();
	control->header[version & 1] = *header;
	WRITE_ONCE(control->filter[version & 1], store->table.filter);
	WRITE_ONCE(control->directory[version & 1], store->table.directory);
	/*
	 * Who sees the root sees the blocks; pairs with the load-acquire of root
	 * in snapmap_live_begin() and snapmap_snapshot_current().
	 */
	smp_store_release(&control->root[version & 1], store->table.root);
	/*
	 * Who sees the version sees its root, header, filter and directory; pairs with the
	 * load-acquire of version in snapmap_live_version() and
	 * snapmap_snapshot_current().
	 */
	smp_store_release(&control->version, version);
}

/* What will be known of the snapshot is known from here on. */
static void fill_snapshot(struct snapmap_snapshot *snapshot, u64 version,
			  const struct snapmap_table *table, u64 stamp)
{
	snapshot->root = table->root;
	snapshot->header = (struct snapmap_header){
		.version = version,
		.entries = table->entries,
		.key_bytes = table->key_bytes,
		.value_bytes = table->value_bytes,
		.realtime_ns = ktime_get_real_ns(),
		.monotonic_ns = ktime_get_ns(),
		.stamp = stamp,
	};
	snapshot->users = 1;	/* the history */
}

static void publish(struct snapmap_publication *next)
{
	struct snapmap_store *store = next->store;
	struct snapmap_snapshot *snapshot = next->snapshot;

	snapshot->blocks_copied = next->build.blocks_copied;
	spin_lock(&store->pin_lock);
	fill_snapshot(snapshot, next->build.version, &next->build.table, next->stamp);
	list_add_tail(&snapshot->link, &store->snapshots);
	snapmap_history_push(store, snapshot);
	WRITE_ONCE(store->version, next->build.version);
	store->table = next->build.table;
	store->stamp = next->stamp;
	snapmap_directory_close(&next->build);
	write_slot(store, &snapshot->header);
	snapmap_directory_open(&next->build);
	spin_unlock(&store->pin_lock);
	trace_snapmap_publish(store->control->map_id, snapshot);
}

static bool any_is_destroyed(struct snapmap_publication *const *set, u32 count)
{
	while (count--)
		if (READ_ONCE(set[count]->store->destroyed) && !snapmap_broken(SNAPMAP_BREAK_SEAL))
			return true;
	return false;
}

/**
 * snapmap_snapshot_publish() - make builds the current snapshots of their maps
 * @set: one for each map, in any order
 * @count: how many
 *
 * All at one moment, as far as pins of the set are concerned.
 *
 * Context: the caller has the lease of each map; any that may take a spinlock.
 * Return: 0; -ENODEV when one of the maps has been destroyed, with nothing
 *	changed.
 */
int snapmap_snapshot_publish(struct snapmap_publication *const *set, u32 count)
{
	u32 i;

	spin_lock(&set_lock);
	if (any_is_destroyed(set, count)) {
		spin_unlock(&set_lock);
		return -ENODEV;
	}
	for (i = 0; i < count; i++) {
		publish(set[i]);
		if (snapmap_broken(SNAPMAP_BREAK_SET)) {
			spin_unlock(&set_lock);
			spin_lock(&set_lock);
		}
	}
	spin_unlock(&set_lock);
	return 0;
}

/**
 * snapmap_snapshot_current() - the current version and its root
 * @store: the map's snapshots
 * @root: out: its root word
 *
 * Context: no lock. Inside snapmap_store_read_lock() the snapshot stays until its
 *	end.
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

static struct snapmap_snapshot *pin(struct snapmap_store *store, u64 version)
{
	struct snapmap_snapshot *snapshot = snapmap_history_find(store, version);

	lockdep_assert_held(&store->pin_lock);
	if (!IS_ERR(snapshot)) {
		snapshot->users++;
		store->pin_count++;
	}
	return snapshot;
}

/**
 * snapmap_snapshot_pin() - keep a snapshot
 * @store: the map's snapshots
 * @version: a version that the history has; 0 for the current one
 *
 * All pins of one version are users of the same snapshot, so that however many
 * a reader opens, a commit has one to look at.
 *
 * Context: any that may take a spinlock.
 * Return: the snapshot, for snapmap_snapshot_unpin(); -ESTALE or -EINVAL.
 */
struct snapmap_snapshot *snapmap_snapshot_pin(struct snapmap_store *store, u64 version)
{
	struct snapmap_snapshot *snapshot;

	spin_lock(&store->pin_lock);
	snapshot = pin(store, version);
	spin_unlock(&store->pin_lock);
	return snapshot;
}

/**
 * snapmap_snapshot_pin_set() - keep the current snapshots of several maps
 * @stores: the maps' snapshots
 * @count: how many
 * @snapshots: out: as snapmap_snapshot_pin()
 *
 * Of a set that is published together, all are pinned or none.
 *
 * Context: any that may take a spinlock.
 */
void snapmap_snapshot_pin_set(struct snapmap_store *const *stores, u32 count,
			      struct snapmap_snapshot **snapshots)
{
	u32 i;

	spin_lock(&set_lock);
	for (i = 0; i < count; i++)
		snapshots[i] = snapmap_snapshot_pin(stores[i], 0);
	spin_unlock(&set_lock);
}

static void add_to_dead(struct snapmap_store *store, struct snapmap_snapshot *snapshot)
{
	lockdep_assert_held(&store->pin_lock);
	list_add_tail(&snapshot->dead_link, &store->dead);
}

/**
 * snapmap_snapshot_put() - be a snapshot's user no longer
 * @store: the map's snapshots
 * @snapshot: the snapshot; not to be touched afterwards
 *
 * Only counts, so that no reader ever waits for a commit: reclaim frees what
 * the snapshot alone held back, and @snapshot itself. The caller sees to it
 * that reclaim runs.
 *
 * Context: expects @store->pin_lock held.
 */
void snapmap_snapshot_put(struct snapmap_store *store, struct snapmap_snapshot *snapshot)
{
	lockdep_assert_held(&store->pin_lock);
	if (--snapshot->users)
		return;
	if (!snapshot->revoked)
		add_to_dead(store, snapshot);
	else if (list_empty(&snapshot->link))
		snapmap_snapshot_free(snapshot);	/* reclaim is done with it */
}

/**
 * snapmap_snapshot_unpin() - let a pinned snapshot go
 * @store: the map's snapshots
 * @snapshot: what snapmap_snapshot_pin() returned; not to be touched afterwards
 *
 * As snapmap_snapshot_put().
 *
 * Context: any that may take a spinlock.
 */
void snapmap_snapshot_unpin(struct snapmap_store *store, struct snapmap_snapshot *snapshot)
{
	spin_lock(&store->pin_lock);
	snapmap_snapshot_put(store, snapshot);
	store->pin_count--;
	spin_unlock(&store->pin_lock);
}

/* The oldest snapshot that pins alone keep, and that may be revoked. */
static struct snapmap_snapshot *oldest_pinned(struct snapmap_store *store)
{
	struct snapmap_snapshot *snapshot;

	lockdep_assert_held(&store->pin_lock);
	list_for_each_entry(snapshot, &store->snapshots, link) {
		if (snapshot->busy || snapshot->header.version >= snapmap_history_oldest(store))
			break;
		if (snapshot->users && !snapshot->revoked)
			return snapshot;
	}
	return NULL;
}

/**
 * snapmap_snapshot_revoke_oldest() - take the oldest pinned snapshot from its pins
 * @store: the map's snapshots
 *
 * Always the oldest one, so that one number tells every pin whether it is still
 * good. Snapshots of the history are not pins' alone, and stay.
 *
 * Context: may sleep.
 * Return: false when nothing is pinned.
 */
bool snapmap_snapshot_revoke_oldest(struct snapmap_store *store)
{
	struct snapmap_snapshot *snapshot;

	spin_lock(&store->pin_lock);
	snapshot = oldest_pinned(store);
	if (snapshot) {
		snapshot->revoked = true;
		add_to_dead(store, snapshot);
		/*
		 * Before anything is written to its blocks: reap() has the write
		 * barrier. It pairs with the read barrier in snapmap_pin_is_revoked()
		 * of readers of the mapping.
		 */
		if (!snapmap_broken(SNAPMAP_BREAK_REVOKE))
			WRITE_ONCE(store->control->revoked, snapshot->header.version + 1);
	}
	spin_unlock(&store->pin_lock);
	if (!snapshot)
		return false;
	/* For readers in the kernel: see snapmap_snapshot_is_revoked(). */
	synchronize_rcu();
	return true;
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
	spin_lock(&set_lock);
	spin_lock(&store->pin_lock);
	WRITE_ONCE(store->destroyed, true);
	/*
	 * Who sees the flag sees the last version; pairs with the load-acquire
	 * of state in snapmap_live_state().
	 */
	smp_store_release(&store->control->state, SNAPMAP_STATE_DESTROYED);
	spin_unlock(&store->pin_lock);
	spin_unlock(&set_lock);
	wake_up_all(&store->lease.wait);
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
	info->history = store->history.depth;
	info->oldest_kept = snapmap_history_oldest(store);
	info->writer = pid_vnr(store->lease.holder);
	spin_unlock(&store->pin_lock);
	info->policy = READ_ONCE(store->policy);
	info->lease_ms = READ_ONCE(store->lease.max_ms);
	info->expired = READ_ONCE(store->lease.expired);
	info->revoked = READ_ONCE(control->revoked);
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

static int init_arena(struct snapmap_store *store, const char *name,
		      const struct snapmap_backing *backing, u64 limit, u64 map_id)
{
	struct snapmap_control *control;
	int err = snapmap_arena_init(&store->arena, backing, limit);

	if (err)
		return err;
	BUILD_BUG_ON(sizeof(*control) != SNAPMAP_CONTROL_SIZE);
	BUILD_BUG_ON(offsetof(struct snapmap_control, version) != SNAPMAP_LINE_SIZE);
	control = snapmap_arena_at(&store->arena, 0);
	control->magic = SNAPMAP_LAYOUT_MAGIC;
	control->layout_version = SNAPMAP_LAYOUT_VERSION;
	control->hash_kind = SNAPMAP_HASH_FOLD;
	control->hash_seed = store->seed;
	control->span = (u64)store->arena.blocks << SNAPMAP_BLOCK_SHIFT;
	control->map_id = map_id;
	control->oldest = 1;
	strscpy(control->name, name, sizeof(control->name));
	store->control = control;
	return 0;
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
 * It keeps one snapshot and refuses commits that do not fit.
 *
 * Context: may sleep.
 * Return: 0, -ENOMEM or -ENOSPC.
 */
int snapmap_store_init(struct snapmap_store *store, const char *name,
		       const struct snapmap_backing *backing, u64 limit, u64 seed, u64 map_id)
{
	struct snapmap_snapshot *first;
	int err;

	store->seed = seed;
	store->readers = alloc_percpu_gfp(struct snapmap_readers, SNAPMAP_GFP);
	snapmap_spare_init(store);
	first = snapmap_snapshot_new(store);
	err = first && store->readers ? snapmap_history_init(store, first) : -ENOMEM;
	if (!err)
		err = init_arena(store, name, backing, limit, map_id);
	if (err) {
		snapmap_history_exit(store);
		snapmap_snapshot_free(first);
		free_percpu(store->readers);
		return err;
	}
	snapmap_lease_init(&store->lease);
	mutex_init(&store->lock);
	spin_lock_init(&store->pin_lock);
	INIT_LIST_HEAD(&store->retired);
	INIT_LIST_HEAD(&store->snapshots);
	INIT_LIST_HEAD(&store->dead);
	store->version = 1;
	fill_snapshot(first, 1, &store->table, 0);
	list_add_tail(&first->link, &store->snapshots);
	write_slot(store, &first->header);
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
	snapmap_spare_exit(store);
	snapmap_history_exit(store);
	snapmap_arena_destroy(&store->arena);
	free_percpu(store->readers);
	mutex_destroy(&store->lock);
}

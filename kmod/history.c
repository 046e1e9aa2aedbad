// SPDX-License-Identifier: GPL-2.0-only
/*
 * history.c - the latest snapshots of a map
 *
 * Each publication adds one version, so the history has no gaps, and a version
 * is found by its number in a ring. The history is a user of each of its
 * snapshots just as a pin is: what a snapshot costs there are the blocks that
 * differ from the next one.
 */
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/pid.h>
#include <linux/slab.h>
#include <linux/uidgid.h>

#include "broken.h"
#include "history.h"

static struct snapmap_snapshot **place_of(struct snapmap_snapshot **ring, u32 depth, u64 version)
{
	return &ring[version % depth];
}

static void drop_oldest(struct snapmap_store *store)
{
	struct snapmap_history *history = &store->history;
	struct snapmap_snapshot **place = place_of(history->ring, history->depth,
						   snapmap_history_oldest(store));

	lockdep_assert_held(&store->pin_lock);
	snapmap_snapshot_put(store, *place);
	*place = NULL;
	history->kept--;
}

/**
 * snapmap_history_init() - begin a history of one snapshot
 * @store: the map's snapshots, at the version of @first
 * @first: the first snapshot
 *
 * Context: may sleep.
 * Return: 0 or -ENOMEM.
 */
int snapmap_history_init(struct snapmap_store *store, struct snapmap_snapshot *first)
{
	struct snapmap_history *history = &store->history;

	history->ring = kvcalloc(1, sizeof(*history->ring), SNAPMAP_GFP);
	if (!history->ring)
		return -ENOMEM;
	history->ring[0] = first;
	history->depth = 1;
	history->kept = 1;
	return 0;
}

/**
 * snapmap_history_exit() - free a history; its snapshots are reclaim's
 * @store: the map's snapshots
 */
void snapmap_history_exit(struct snapmap_store *store)
{
	kvfree(store->history.ring);
}

/**
 * snapmap_history_push() - add the snapshot that is current from now on
 * @store: the map's snapshots; its version is still the one before
 * @snapshot: the snapshot, with a user for the history
 *
 * Context: expects @store->pin_lock held.
 */
void snapmap_history_push(struct snapmap_store *store, struct snapmap_snapshot *snapshot)
{
	struct snapmap_history *history = &store->history;

	lockdep_assert_held(&store->pin_lock);
	if (history->kept == history->depth)
		drop_oldest(store);
	*place_of(history->ring, history->depth, snapshot->header.version) = snapshot;
	history->kept++;
}

/**
 * snapmap_history_at() - the snapshot of a version that is known to be kept
 * @store: the map's snapshots
 * @version: from snapmap_history_oldest() to the current one
 *
 * Context: expects @store->pin_lock held.
 */
struct snapmap_snapshot *snapmap_history_at(struct snapmap_store *store, u64 version)
{
	lockdep_assert_held(&store->pin_lock);
	return *place_of(store->history.ring, store->history.depth, version);
}

/**
 * snapmap_history_find() - the snapshot of a version
 * @store: the map's snapshots
 * @version: the version; 0 for the current one
 *
 * Context: expects @store->pin_lock held.
 * Return: the snapshot; -ESTALE when the history has it no more, -EINVAL when
 *	there has never been such a version.
 */
struct snapmap_snapshot *snapmap_history_find(struct snapmap_store *store, u64 version)
{
	lockdep_assert_held(&store->pin_lock);
	if (!version)
		version = store->version;
	if (version > store->version)
		return ERR_PTR(-EINVAL);
	if (version < snapmap_history_oldest(store))
		return ERR_PTR(-ESTALE);
	if (snapmap_broken(SNAPMAP_BREAK_HISTORY))
		version = snapmap_history_oldest(store);
	return snapmap_history_at(store, version);
}

/* Drops the oldest snapshot when there are more than @keep; false when there are not. */
static bool drop_beyond(struct snapmap_store *store, u32 keep)
{
	bool more;

	spin_lock(&store->pin_lock);
	more = store->history.kept > keep;
	if (more)
		drop_oldest(store);
	spin_unlock(&store->pin_lock);
	return more;
}

/**
 * snapmap_history_drop_oldest() - shorten the history by a snapshot
 * @store: the map's snapshots
 *
 * Context: any that may take a spinlock.
 * Return: false when only the current one is left.
 */
bool snapmap_history_drop_oldest(struct snapmap_store *store)
{
	return drop_beyond(store, 1);
}

static void move_to(struct snapmap_store *store, struct snapmap_snapshot **ring, u32 depth)
{
	struct snapmap_history *history = &store->history;
	u64 version;

	lockdep_assert_held(&store->pin_lock);
	while (history->kept > depth)
		drop_oldest(store);
	for (version = snapmap_history_oldest(store); version <= store->version; version++)
		*place_of(ring, depth, version) = *place_of(history->ring, history->depth, version);
	swap(history->ring, ring);
	history->depth = depth;
}

/**
 * snapmap_history_resize() - change how many snapshots a history keeps
 * @store: the map's snapshots
 * @depth: how many, 1 to SNAPMAP_HISTORY_MAX
 *
 * Those that are too many go one by one, so that pins and publications come
 * through between; the caller sees to it that reclaim runs.
 *
 * Context: may sleep; expects @store->lock held.
 * Return: 0 or -ENOMEM.
 */
int snapmap_history_resize(struct snapmap_store *store, u32 depth)
{
	struct snapmap_snapshot **ring = kvcalloc(depth, sizeof(*ring), SNAPMAP_GFP);
	struct snapmap_snapshot **old = store->history.ring;

	lockdep_assert_held(&store->lock);
	if (!ring)
		return -ENOMEM;
	while (drop_beyond(store, depth))
		cond_resched();
	spin_lock(&store->pin_lock);
	move_to(store, ring, depth);
	spin_unlock(&store->pin_lock);
	kvfree(old);
	return 0;
}

static void fill_record(const struct snapmap_snapshot *snapshot, struct snapmap_record *record)
{
	*record = (struct snapmap_record){
		.header = snapshot->header,
		.puts = snapshot->puts,
		.deletes = snapshot->deletes,
		.blocks_copied = snapshot->blocks_copied,
		.rolled_back_to = snapshot->rolled_back_to,
		.pid = pid_vnr(snapshot->committer),
		.uid = from_kuid_munged(current_user_ns(), snapshot->uid),
	};
}

/**
 * snapmap_history_record() - how a snapshot came to be
 * @store: the map's snapshots
 * @version: the version; when it is older than all that are kept, the oldest of
 *	them is meant
 * @record: out: as in the ioctl
 *
 * Context: any that may take a spinlock.
 * Return: false when there is no such version yet; then the version in
 *	@record is the one to come.
 */
bool snapmap_history_record(struct snapmap_store *store, u64 version,
			    struct snapmap_record *record)
{
	bool found;

	spin_lock(&store->pin_lock);
	found = version <= store->version;
	if (found)
		fill_record(snapmap_history_find(store, max(version, snapmap_history_oldest(store))),
			    record);
	else
		record->header.version = store->version + 1;
	spin_unlock(&store->pin_lock);
	return found;
}

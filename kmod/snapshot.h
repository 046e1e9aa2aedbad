/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SNAPMAP_SNAPSHOT_H
#define SNAPMAP_SNAPSHOT_H

#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/snapmap.h>
#include <linux/spinlock.h>
#include <linux/uidgid.h>

#include "lease.h"
#include "spare.h"
#include "table.h"

struct pid;

/**
 * struct snapmap_snapshot - a version that is current, in the history or pinned
 * @link: in @snapshots of the store; empty once reclaim has taken it off
 * @dead_link: in @dead of the store, from the time when nobody may use it
 * @users: open pins of it, and one while it is in the history; the store's
 *	@pin_lock. Never grows again from 0
 * @revoked: its pins are good for nothing; the store's @pin_lock
 * @busy: a rollback reads it: not to be revoked; the store's @pin_lock
 * @root: its root word
 * @header: its header
 * @puts: operations that wrote an entry
 * @deletes: operations that removed one
 * @blocks_copied: blocks that its commit wrote
 * @rolled_back_to: version whose content it has been given; else 0
 * @committer: process that made it; a reference
 * @uid: its effective user
 * @held: runs that it holds back, and no newer snapshot does; the store's @lock
 * @held_blocks: their length; written under the store's @lock
 *
 * All from @root to @uid is constant once it has been published.
 */
struct snapmap_snapshot {
	struct list_head link;
	struct list_head dead_link;
	u64 users;
	bool revoked;
	bool busy;
	u64 root;
	struct snapmap_header header;
	u64 puts;
	u64 deletes;
	u64 blocks_copied;
	u64 rolled_back_to;
	struct pid *committer;
	kuid_t uid;
	struct snapmap_runlist held;
	u64 held_blocks;
};

/**
 * struct snapmap_history - the latest snapshots of a map; the store's @pin_lock
 * @ring: @depth places; version v stands at v % @depth
 * @depth: how many it keeps, the current one included
 * @kept: how many there are, 1 at least: the latest ones, without a gap
 */
struct snapmap_history {
	struct snapmap_snapshot **ring;
	u32 depth;
	u32 kept;
};

/**
 * struct snapmap_store - the snapshots of one map
 * @lease: orders writers; outermost
 * @lock: protects the arena and what awaits reclaim; inside the lease
 * @arena: where all snapshots live; @lock
 * @control: the control page, in the arena; written under @pin_lock, but its
 *	oldest intact version under @lock
 * @seed: hash seed, constant
 * @version: current version; written under the lease and @pin_lock
 * @table: content of the current snapshot; likewise
 * @stamp: its stamp; likewise
 * @retired: struct snapmap_retired of past publications, oldest first; @lock
 * @retired_blocks: blocks in @retired and held by snapshots; @lock
 * @pinned_blocks: those held by snapshots; @lock
 * @spare: what is ready for the next commits; @lock
 * @pin_lock: inner lock, never held while sleeping; makes pinning atomic
 *	against publication
 * @snapshots: struct snapmap_snapshot, oldest first; @pin_lock. Only reclaim
 *	takes elements off, under @lock too
 * @dead: those of @snapshots that nobody may use and that wait for reclaim;
 *	@pin_lock
 * @history: the latest of @snapshots; @pin_lock
 * @pin_count: pins that are open; @pin_lock
 * @policy: SNAPMAP_MAP_*
 * @destroyed: no more commits; written under @pin_lock
 * @commits: counter; the lease
 * @conflicts: counter; the lease
 * @failures: counter; the lease
 * @blocks_copied: counter; the lease
 */
struct snapmap_store {
	struct snapmap_lease lease;
	struct mutex lock;	/* arena and reclaim */
	struct snapmap_arena arena;
	struct snapmap_control *control;
	u64 seed;
	u64 version;
	struct snapmap_table table;
	u64 stamp;

	struct list_head retired;
	u64 retired_blocks;
	u64 pinned_blocks;
	struct snapmap_spare spare;

	spinlock_t pin_lock;	/* inside lock: pins against publication */
	struct list_head snapshots;
	struct list_head dead;
	struct snapmap_history history;
	u64 pin_count;

	u32 policy;
	bool destroyed;
	u64 commits;
	u64 conflicts;
	u64 failures;
	u64 blocks_copied;
};

/**
 * struct snapmap_publication - the next snapshot of one map, ready
 * @store: the map's snapshots
 * @build: its content, finished; its @retired is left for the caller to queue
 * @snapshot: what will be known of it; the store's from a success on
 * @stamp: its stamp
 */
struct snapmap_publication {
	struct snapmap_store *store;
	struct snapmap_build build;
	struct snapmap_snapshot *snapshot;
	u64 stamp;
};

int snapmap_store_init(struct snapmap_store *store, const char *name,
		       const struct snapmap_backing *backing, u64 limit, u64 seed, u64 map_id);
void snapmap_store_exit(struct snapmap_store *store);
void snapmap_store_seal(struct snapmap_store *store);
void snapmap_store_info(struct snapmap_store *store, struct snapmap_info *info);

struct snapmap_snapshot *snapmap_snapshot_new(struct snapmap_store *store);
void snapmap_snapshot_end(struct snapmap_store *store, struct snapmap_snapshot *snapshot);
void snapmap_snapshot_free(struct snapmap_snapshot *snapshot);
int snapmap_snapshot_publish(struct snapmap_publication *const *set, u32 count);
u64 snapmap_snapshot_current(const struct snapmap_store *store, u64 *root);
struct snapmap_snapshot *snapmap_snapshot_pin(struct snapmap_store *store, u64 version);
void snapmap_snapshot_pin_set(struct snapmap_store *const *stores, u32 count,
			      struct snapmap_snapshot **snapshots);
void snapmap_snapshot_unpin(struct snapmap_store *store, struct snapmap_snapshot *snapshot);
void snapmap_snapshot_put(struct snapmap_store *store, struct snapmap_snapshot *snapshot);
bool snapmap_snapshot_revoke_oldest(struct snapmap_store *store);

/**
 * snapmap_snapshot_is_revoked() - whether what a pin shows may be anything by now
 * @store: the map's snapshots
 * @version: the pinned version
 *
 * Context: inside rcu_read_lock(): what is false at its beginning holds until
 *	its end.
 */
static inline bool snapmap_snapshot_is_revoked(const struct snapmap_store *store, u64 version)
{
	/* The grace period in snapmap_snapshot_revoke_oldest() is what it pairs with. */
	return READ_ONCE(store->control->revoked) > version;
}

#endif /* SNAPMAP_SNAPSHOT_H */

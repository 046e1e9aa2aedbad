/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SNAPMAP_SNAPSHOT_H
#define SNAPMAP_SNAPSHOT_H

#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/percpu.h>
#include <linux/rcupdate.h>
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
 * struct snapmap_readers - readers in the kernel, as one CPU has counted them
 * @entered: how often one has come
 * @left: how often one has gone
 *
 * Only that CPU writes to it. A reader may go on another one than it has come
 * on, so nothing but the sums over all CPUs means anything.
 */
struct snapmap_readers {
	unsigned long entered;
	unsigned long left;
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
 * @readers: who looks at blocks without @lock: snapmap_store_read_lock()
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
	struct snapmap_readers __percpu *readers;

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
 * snapmap_store_read_lock() - begin to look at blocks, without the store's lock
 * @store: the map's snapshots
 *
 * What snapmap_snapshot_current() gives from here on stays until the end. The
 * reader makes itself known, so that no grace period of RCU is waited for while
 * nobody is inside; and it is inside RCU, which is waited for while somebody is.
 *
 * Context: any but NMI; may be nested. Until snapmap_store_read_unlock() the caller
 *	must not sleep.
 */
static inline void snapmap_store_read_lock(struct snapmap_store *store)
	__acquires(RCU)
{
	rcu_read_lock();
	this_cpu_inc(store->readers->entered);
	/*
	 * Who looks for readers and does not count this one has published before
	 * what is loaded from here on; pairs with the first barrier in
	 * anyone_inside().
	 */
	smp_mb();
}

/**
 * snapmap_store_read_unlock() - be done with blocks
 * @store: the map's snapshots
 *
 * Context: as of snapmap_store_read_lock(), which it ends.
 */
static inline void snapmap_store_read_unlock(struct snapmap_store *store)
	__releases(RCU)
{
	/*
	 * Who counts that this reader has left counts that it had entered, and
	 * writes to blocks behind all that it has read of them; pairs with the
	 * second barrier in anyone_inside(). A release would be enough, but a
	 * CPU's counter has none.
	 */
	smp_mb();
	this_cpu_inc(store->readers->left);
	rcu_read_unlock();
}

/**
 * snapmap_snapshot_is_revoked() - whether what a pin shows may be anything by now
 * @store: the map's snapshots
 * @version: the pinned version
 *
 * Context: inside snapmap_store_read_lock(): what is false at its beginning holds
 *	until its end.
 */
static inline bool snapmap_snapshot_is_revoked(const struct snapmap_store *store, u64 version)
{
	/* The grace period in snapmap_snapshot_revoke_oldest() is what it pairs with. */
	return READ_ONCE(store->control->revoked) > version;
}

#endif /* SNAPMAP_SNAPSHOT_H */

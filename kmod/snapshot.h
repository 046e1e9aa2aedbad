/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SNAPMAP_SNAPSHOT_H
#define SNAPMAP_SNAPSHOT_H

#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/spinlock.h>
#include <linux/snapmap.h>

#include "table.h"

/**
 * struct snapmap_store - the snapshots of one map
 * @lock: orders writers. Outermost; taken by commits and by reclaim
 * @arena: where all snapshots live; @lock
 * @control: the control page, in the arena; written under @lock and @pin_lock
 * @seed: hash seed, constant
 * @version: current version; written under @lock and @pin_lock
 * @table: content of the current snapshot; written under @lock and @pin_lock
 * @stamp: its stamp; like @table
 * @retired: struct snapmap_retired of past publications, oldest first; @lock
 * @retired_blocks: blocks in @retired and held by pins; @lock
 * @pinned_blocks: those held by pins; @lock
 * @pin_lock: inner lock, never held while sleeping; makes pinning atomic
 *	against publication
 * @pins: struct snapmap_pinned, one for each version, oldest first; @pin_lock.
 *	Only reclaim takes elements off, under @lock too
 * @dead_pins: those of @pins that nobody uses and that wait for reclaim; @pin_lock
 * @pin_count: pins that are open; @pin_lock
 * @destroyed: no more commits; @pin_lock
 * @commits: counter; @lock
 * @conflicts: counter; @lock
 * @failures: counter; @lock
 * @blocks_copied: counter; @lock
 */
struct snapmap_store {
	struct mutex lock;	/* writers and reclaim */
	struct snapmap_arena arena;
	struct snapmap_control *control;
	u64 seed;
	u64 version;
	struct snapmap_table table;
	u64 stamp;

	struct list_head retired;
	u64 retired_blocks;
	u64 pinned_blocks;

	spinlock_t pin_lock;	/* inside lock: pins against publication */
	struct list_head pins;
	struct list_head dead_pins;
	u64 pin_count;

	bool destroyed;
	u64 commits;
	u64 conflicts;
	u64 failures;
	u64 blocks_copied;
};

/**
 * struct snapmap_pinned - a snapshot that is pinned
 * @link: in @pins of the store
 * @users: how many pins of it are open; the store's @pin_lock
 * @version: its version
 * @root: its root word
 * @header: its header
 * @held: runs that it holds back, and no newer pin does; the store's @lock
 * @dead_link: in @dead_pins of the store, while it has no users
 */
struct snapmap_pinned {
	struct list_head link;
	u64 users;
	u64 version;
	u64 root;
	struct snapmap_header header;
	struct snapmap_runlist held;
	struct list_head dead_link;
};

int snapmap_store_init(struct snapmap_store *store, const char *name,
		       const struct snapmap_backing *backing, u64 limit, u64 seed, u64 map_id);
void snapmap_store_exit(struct snapmap_store *store);
void snapmap_store_seal(struct snapmap_store *store);
int snapmap_snapshot_publish(struct snapmap_store *store, const struct snapmap_build *build,
			      u64 stamp);
u64 snapmap_snapshot_current(const struct snapmap_store *store, u64 *root);
struct snapmap_pinned *snapmap_snapshot_pin(struct snapmap_store *store,
					    struct snapmap_pinned *fresh);
void snapmap_snapshot_unpin(struct snapmap_store *store, struct snapmap_pinned *pin);
void snapmap_store_info(struct snapmap_store *store, struct snapmap_info *info);

#endif /* SNAPMAP_SNAPSHOT_H */

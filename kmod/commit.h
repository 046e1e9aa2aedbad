/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SNAPMAP_COMMIT_H
#define SNAPMAP_COMMIT_H

#include "snapshot.h"

struct snapmap_retired;

#define SNAPMAP_TICK_OPS	256	/* operations between two looks at signals and the time */

/**
 * struct snapmap_update - a commit to one map, from its first to its last step
 * @next: the snapshot that it makes; set before: its @store
 * @retired: the bookkeeping of what it retires
 * @flags: SNAPMAP_COMMIT_*
 * @if_version: with SNAPMAP_COMMIT_IF_VERSION
 * @stamp: with SNAPMAP_COMMIT_STAMP
 * @deadline_ns: CLOCK_MONOTONIC time at which building gives up; 0 for never
 * @version: out: as in struct snapmap_commit
 * @failed_op: out: likewise
 * @missing: out: likewise
 */
struct snapmap_update {
	struct snapmap_publication next;
	struct snapmap_retired *retired;
	u32 flags;
	u64 if_version;
	u64 stamp;
	u64 deadline_ns;
	u64 version;
	u64 failed_op;
	u64 missing;
};

typedef int (*snapmap_apply_fn)(struct snapmap_update *update, void *data);

int snapmap_update_check(const struct snapmap_update *update);
int snapmap_update_tick(const struct snapmap_update *update);
int snapmap_update_build(struct snapmap_update *update, snapmap_apply_fn apply, void *data);
void snapmap_update_abort(struct snapmap_update *update);
void snapmap_update_published(struct snapmap_update *update);
int snapmap_update_run(struct snapmap_update *update, u32 wait_ms, snapmap_apply_fn apply,
		       void *data);
int snapmap_commit(struct snapmap_store *store, struct snapmap_commit *args);

#endif /* SNAPMAP_COMMIT_H */

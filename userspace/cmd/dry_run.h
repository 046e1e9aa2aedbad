/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#ifndef SNAPMAP_DRY_RUN_H
#define SNAPMAP_DRY_RUN_H

#include <glib.h>
#include <libsnapmap.h>
#include <stdbool.h>

#include "record.h"

/**
 * struct dry_run - what a file would change in a snapshot
 * @snapshot: the snapshot
 * @keys: struct dry_key of each key that the file has named
 */
struct dry_run {
	const struct snapmap_snapshot *snapshot;
	GHashTable *keys;
};

/**
 * struct dry_run_sum - the same in numbers of keys
 * @added: not in the snapshot, and would be there
 * @changed: would have another value
 * @unchanged: would be written with the value that they have
 * @removed: in the snapshot, and would not be there
 */
struct dry_run_sum {
	guint64 added;
	guint64 changed;
	guint64 unchanged;
	guint64 removed;
};

void dry_run_begin(struct dry_run *run, const struct snapmap_snapshot *snapshot);
int dry_run_take(void *run, const struct record *record);
int dry_run_add_up(const struct dry_run *run, bool replace, struct dry_run_sum *sum);
void dry_run_end(struct dry_run *run);

#endif /* SNAPMAP_DRY_RUN_H */

/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SNAPMAP_SPARE_H
#define SNAPMAP_SPARE_H

#include <linux/list.h>
#include <linux/types.h>

struct snapmap_notes;
struct snapmap_store;

/**
 * struct snapmap_spares - records of one kind, ready for use
 * @list: the records, each by the struct list_head that it begins with
 * @bytes: size of one
 * @count: how many
 * @least: the fewest that there have been since the last trim
 */
struct snapmap_spares {
	struct list_head list;
	u32 bytes;
	u32 count;
	u32 least;
};

/**
 * struct snapmap_spare - what a map has ready for its next commits
 * @retired: struct snapmap_retired
 * @snapshots: struct snapmap_snapshot
 * @window: memory through which batches are read; NULL when there is none
 * @window_bytes: its size
 * @notes: what the next publication changes in the directory; NULL until a commit finds one
 * @version: the map's version at the last trim
 * @least_free: the fewest free blocks that commits have left since the last trim
 *
 * The store's @lock protects everything.
 */
struct snapmap_spare {
	struct snapmap_spares retired;
	struct snapmap_spares snapshots;
	u8 *window;
	u32 window_bytes;
	struct snapmap_notes *notes;
	u64 version;
	u64 least_free;
};

void snapmap_spare_init(struct snapmap_store *store);
void snapmap_spare_exit(struct snapmap_store *store);
void *snapmap_spare_take(struct snapmap_store *store, struct snapmap_spares *spares);
void snapmap_spare_give(struct snapmap_spares *spares, void *record);
u8 *snapmap_spare_take_window(struct snapmap_store *store, u64 batch_bytes, u32 *bytes);
void snapmap_spare_give_window(struct snapmap_store *store, u8 *window, u32 bytes);
struct snapmap_notes *snapmap_spare_notes(struct snapmap_store *store);
void snapmap_spare_look(struct snapmap_store *store);
bool snapmap_spare_trim(struct snapmap_store *store);

#endif /* SNAPMAP_SPARE_H */

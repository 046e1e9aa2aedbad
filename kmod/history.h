/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SNAPMAP_HISTORY_H
#define SNAPMAP_HISTORY_H

#include "snapshot.h"

int snapmap_history_init(struct snapmap_store *store, struct snapmap_snapshot *first);
void snapmap_history_exit(struct snapmap_store *store);
void snapmap_history_push(struct snapmap_store *store, struct snapmap_snapshot *snapshot);
struct snapmap_snapshot *snapmap_history_at(struct snapmap_store *store, u64 version);
struct snapmap_snapshot *snapmap_history_find(struct snapmap_store *store, u64 version);
bool snapmap_history_drop_oldest(struct snapmap_store *store);
int snapmap_history_resize(struct snapmap_store *store, u32 depth);
bool snapmap_history_record(struct snapmap_store *store, u64 version,
			    struct snapmap_record *record);

static inline u64 snapmap_history_oldest(const struct snapmap_store *store)
{
	lockdep_assert_held(&store->pin_lock);
	return store->version + 1 - store->history.kept;
}

#endif /* SNAPMAP_HISTORY_H */

/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SNAPMAP_RUNLIST_H
#define SNAPMAP_RUNLIST_H

#include "arena.h"

#define SNAPMAP_RUNLIST_LANES	8U	/* a power of two */

/**
 * struct snapmap_runlist - a list of retired runs, linked through their first blocks
 * @head: first run of each lane, 0 when it is empty
 * @tail: last run of each lane
 * @lane: the one that the first run of the list is in
 * @count: how many runs
 * @blocks: sum of their lengths
 *
 * A run is in the lane behind that of the run before it, going round. So the first
 * ones are all known: none need be waited for to learn of the next.
 */
struct snapmap_runlist {
	u32 head[SNAPMAP_RUNLIST_LANES];
	u32 tail[SNAPMAP_RUNLIST_LANES];
	u32 lane;
	u32 count;
	u64 blocks;
};

void snapmap_runlist_add(struct snapmap_arena *arena, struct snapmap_runlist *list, u32 block);
u32 snapmap_runlist_pop(struct snapmap_arena *arena, struct snapmap_runlist *list);
void snapmap_runlist_prefetch(struct snapmap_arena *arena, const struct snapmap_runlist *list);
void snapmap_runlist_splice(struct snapmap_arena *arena, struct snapmap_runlist *list,
			    struct snapmap_runlist *from);

#endif /* SNAPMAP_RUNLIST_H */

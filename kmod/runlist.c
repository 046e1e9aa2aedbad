// SPDX-License-Identifier: GPL-2.0-only
/*
 * runlist.c - runs of an arena that wait for something, in the order in which they came
 *
 * Runs are linked through what the arena knows of each (struct snapmap_run), so a list
 * takes no memory however long it is.
 *
 * Context: everything expects the map's mutex held.
 */
#include <linux/kernel.h>
#include <linux/prefetch.h>

#include "runlist.h"

/* Links @block behind the last run of the lane that is @behind the first run's. */
static void lane_append(struct snapmap_arena *arena, struct snapmap_runlist *list, u32 behind,
			u32 block, u32 tail)
{
	u32 lane = (list->lane + behind) % SNAPMAP_RUNLIST_LANES;

	if (list->head[lane])
		snapmap_arena_run(arena, list->tail[lane])->next = block;
	else
		list->head[lane] = block;
	list->tail[lane] = tail;
}

/**
 * snapmap_runlist_add() - put a run at the end of a list
 * @arena: the arena
 * @list: the list
 * @block: first block of a run that is in no list
 */
void snapmap_runlist_add(struct snapmap_arena *arena, struct snapmap_runlist *list, u32 block)
{
	struct snapmap_run *run = snapmap_arena_run(arena, block);

	run->next = 0;
	lane_append(arena, list, list->count, block, block);
	list->count++;
	list->blocks += snapmap_run_blocks(run);
}

/**
 * snapmap_runlist_prefetch() - fetch what taking the first runs off will read
 * @arena: the arena
 * @list: the list
 */
void snapmap_runlist_prefetch(struct snapmap_arena *arena, const struct snapmap_runlist *list)
{
	u32 i, lane;

	for (i = 0; i < min(list->count, SNAPMAP_RUNLIST_LANES); i++) {
		lane = (list->lane + i) % SNAPMAP_RUNLIST_LANES;
		prefetch(snapmap_arena_run(arena, list->head[lane]));
	}
}

/**
 * snapmap_runlist_pop() - take the first run off a list
 * @arena: the arena
 * @list: the list
 *
 * Return: its first block, 0 when the list is empty.
 */
u32 snapmap_runlist_pop(struct snapmap_arena *arena, struct snapmap_runlist *list)
{
	u32 lane = list->lane;
	u32 block = list->head[lane];
	struct snapmap_run *run;

	if (!block)
		return 0;
	run = snapmap_arena_run(arena, block);
	list->head[lane] = run->next;
	list->lane = (lane + 1) % SNAPMAP_RUNLIST_LANES;
	list->count--;
	list->blocks -= snapmap_run_blocks(run);
	if (run->next)
		prefetch(snapmap_arena_run(arena, run->next));
	return block;
}

/**
 * snapmap_runlist_splice() - move all runs of one list to the end of another
 * @arena: the arena
 * @list: the list that grows
 * @from: the list that is left empty
 */
void snapmap_runlist_splice(struct snapmap_arena *arena, struct snapmap_runlist *list,
			    struct snapmap_runlist *from)
{
	u32 lane, i;

	for (i = 0; i < min(from->count, SNAPMAP_RUNLIST_LANES); i++) {
		lane = (from->lane + i) % SNAPMAP_RUNLIST_LANES;
		lane_append(arena, list, list->count + i, from->head[lane], from->tail[lane]);
	}
	list->count += from->count;
	list->blocks += from->blocks;
	*from = (struct snapmap_runlist){};
}

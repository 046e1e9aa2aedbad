/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SNAPMAP_GROUPS_H
#define SNAPMAP_GROUPS_H

#include <linux/kernel.h>

#include "arena.h"

/* Near the limit, the last group of a chunk may be a part of one. */
static inline u32 snapmap_group_count(u32 blocks)
{
	return DIV_ROUND_UP(blocks, SNAPMAP_GROUP_BLOCKS);
}

void snapmap_groups_list(struct snapmap_arena *arena, const struct snapmap_chunk *chunk);
void snapmap_groups_unlist(struct snapmap_arena *arena, const struct snapmap_chunk *chunk);
void snapmap_groups_mark(struct snapmap_arena *arena, u32 block, u32 blocks, bool used);
u32 snapmap_groups_find(struct snapmap_arena *arena, u32 blocks);

#endif /* SNAPMAP_GROUPS_H */

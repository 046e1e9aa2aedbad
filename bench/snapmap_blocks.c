// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * snapmap_blocks.c - counts the blocks in which two snapshots differ, by walking both trees whole
 */
#include "snapmap_blocks.h"

#include <stdlib.h>

#include "../kmod/snapshot.h"

struct marks {
	const struct snapmap_view *view;
	u8 *marked; /* a byte for each block */
};

static void mark(struct marks *marks, u32 block, u32 count)
{
	memset(marks->marked + block, 1, count);
}

static void mark_node(struct marks *marks, u32 ref, u32 levels, u32 bits)
{
	const u32 *slots;
	u32 blocks, slot;

	if (!ref)
		return;
	if (!levels) {
		mark(marks, SNAPMAP_REF_BLOCK(ref), snapmap_leaf_blocks(ref));
		return;
	}
	blocks = snapmap_node_blocks(bits);
	slots = snapmap_view_at(marks->view, SNAPMAP_REF_BLOCK(ref), blocks);
	mark(marks, SNAPMAP_REF_BLOCK(ref), blocks);
	for (slot = 0; slot < 1U << bits; slot++)
		if (!slot || slots[slot] != slots[slot - 1])
			mark_node(marks, slots[slot], levels - 1, SNAPMAP_NODE_BITS);
}

static u8 *marks_of(const struct snapmap_arena *arena, u64 root)
{
	const struct snapmap_view view = { .arena = arena };
	struct marks marks = { &view, calloc(arena->blocks + SNAPMAP_LEAF_BLOCKS_MAX, 1) };

	if (!marks.marked)
		abort();
	mark_node(&marks, SNAPMAP_ROOT_REF(root), SNAPMAP_ROOT_LEVELS(root),
		  SNAPMAP_ROOT_BITS(root));
	return marks.marked;
}

/**
 * bench_blocks_only_in() - blocks that one snapshot reaches and another does not
 * @arena: the struct snapmap_arena of both
 * @root: root word of the one
 * @other: root word of the other
 *
 * Blocks of values that lie outside of leaves are not counted.
 *
 * Return: their number.
 */
uint64_t bench_blocks_only_in(const struct snapmap_arena *arena, uint64_t root, uint64_t other)
{
	u8 *here = marks_of(arena, root);
	u8 *there = marks_of(arena, other);
	u64 count = 0;
	u32 block;

	for (block = 0; block < arena->blocks; block++)
		count += here[block] && !there[block];
	free(here);
	free(there);
	return count;
}

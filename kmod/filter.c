// SPDX-License-Identifier: GPL-2.0-only
/*
 * filter.c - most keys that are not there are found out without a look at the tags
 *
 * A large table's tags fit into no cache, but a byte an entry mostly does. A filter is
 * made with a table that is built in one go, and follows the commits after that: a new
 * key sets its bits, in place, before the snapshot that has it is published. What the
 * filter says of the keys of older snapshots stays true, so all share it. Bits are never
 * cleared. So it is given up when it has been told of more keys than it was made for,
 * which costs look-ups time and nothing else.
 *
 * Context: everything expects the map's mutex held.
 */
#include <linux/kernel.h>
#include <linux/log2.h>
#include <linux/module.h>
#include <linux/string.h>

#include "filter.h"
#include "trie.h"

/* Bits an entry, at least: of 13 keys that are not there, one is not told of. */
#define ENTRY_BITS	6
#define ROOM		3	/* keys that it may be told of, in terms of those that it begins with */
#define RUN_BITS	(SNAPMAP_FILTER_BLOCKS << SNAPMAP_BLOCK_SHIFT << 3)

/* The tags of fewer entries fit into a core's second cache: no missing key waits for memory. */
unsigned int snapmap_filter_entries = 1 << 17;
module_param_named(filter_entries, snapmap_filter_entries, uint, 0644);
MODULE_PARM_DESC(filter_entries, "entries from which on a table that is replaced gets a filter");

static u32 *runs_of(const struct snapmap_build *build)
{
	return snapmap_arena_at(build->arena, SNAPMAP_FILTER_BLOCK(build->table.filter));
}

/* Allocates a run of zeroes; no room is made for it, since it is of use but not needed. */
static u32 new_run(struct snapmap_build *build, u32 blocks)
{
	int err;
	u32 block = snapmap_arena_alloc(build->arena, blocks, build->version, &err);

	if (!block)
		return 0;
	memset(snapmap_arena_at(build->arena, block), 0, (size_t)blocks << SNAPMAP_BLOCK_SHIFT);
	build->blocks_copied += blocks;
	return block;
}

/**
 * snapmap_filter_new() - give a table a filter
 * @build: the build, which has none
 * @entries: how many the table has, all of which are to be told of
 *
 * Does nothing when the table is small, or memory short.
 *
 * Context: may sleep.
 */
void snapmap_filter_new(struct snapmap_build *build, u64 entries)
{
	u32 width = ilog2(entries * ENTRY_BITS / RUN_BITS + 1) + 1;
	u32 block, i;
	u32 *runs;

	if (entries < READ_ONCE(snapmap_filter_entries) || width > SNAPMAP_FILTER_WIDTH_MAX)
		return;
	block = new_run(build, snapmap_node_blocks(width));
	if (!block)
		return;
	runs = snapmap_arena_at(build->arena, block);
	for (i = 0; i < 1U << width; i++) {
		runs[i] = new_run(build, SNAPMAP_FILTER_BLOCKS);
		if (!runs[i])
			goto free_runs;
		if (build->resched)
			build->resched();
	}
	build->table.filter = SNAPMAP_FILTER(block, width);
	build->table.filter_room = ROOM * entries;
	return;

free_runs:
	while (i--)
		snapmap_arena_free(build->arena, runs[i]);
	snapmap_arena_free(build->arena, block);
}

/* Lets go of the filter. */
static void drop(struct snapmap_build *build)
{
	snapmap_filter_each(build, false, snapmap_build_drop);
	build->table.filter = 0;
}

/**
 * snapmap_filter_add() - tell the filter of a key that the table has now
 * @build: the build, which need not have one
 * @hash: the key's hash
 */
void snapmap_filter_add(struct snapmap_build *build, u64 hash)
{
	u32 width = SNAPMAP_FILTER_WIDTH(build->table.filter);
	u64 *word;

	if (!build->table.filter)
		return;
	if (!build->table.filter_room--) {
		drop(build);
		return;
	}
	word = snapmap_arena_at(build->arena, runs_of(build)[hash >> (64 - width)]);
	word += snapmap_filter_word(hash, width);
	/* Readers may look at it; one bit more or less is all the same to them. */
	WRITE_ONCE(*word, *word | snapmap_filter_mask(hash));
}

/**
 * snapmap_filter_each() - call a function for each run of the filter
 * @build: the build, which need not have one
 * @own: only if the filter was allocated by it
 * @visit: the function; may free the run
 */
void snapmap_filter_each(struct snapmap_build *build, bool own,
			 void (*visit)(struct snapmap_build *build, u32 block))
{
	u64 filter = build->table.filter;
	u32 *runs;
	u32 i;

	if (!filter || (own && !snapmap_build_owns(build, SNAPMAP_FILTER_BLOCK(filter))))
		return;
	runs = runs_of(build);
	for (i = 0; i < 1U << SNAPMAP_FILTER_WIDTH(filter); i++)
		visit(build, runs[i]);
	visit(build, SNAPMAP_FILTER_BLOCK(filter));
}

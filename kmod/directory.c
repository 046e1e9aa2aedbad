// SPDX-License-Identifier: GPL-2.0-only
/*
 * directory.c - from the first bits of a hash to its leaf, without the walk
 *
 * A look-up in a large table takes a third of its instructions to come down the inner
 * nodes, and how many look-ups a CPU has under way at once depends on their instructions.
 * The directory is an array with the leaf of each prefix of a hash, as large as the lowest
 * inner nodes together. It names leaves of the current snapshot alone, and is changed in
 * place by each publication: a slot that is about to change names no leaf from before the
 * store of the version until after it. So a reader that finds a leaf in it, and the
 * version unchanged behind that, has found the leaf of that version; one that finds none
 * takes the walk. Readers of other snapshots do not look at it.
 *
 * A build notes what it changes, for its publication. One that changes more than there is
 * room for, or the size of the table, gets a new directory.
 *
 * Context: everything expects the map's mutex held, but for what says something else.
 */
#include <linux/kernel.h>
#include <linux/log2.h>
#include <linux/module.h>
#include <linux/prefetch.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "directory.h"
#include "trie.h"

unsigned int snapmap_directory_entries = 1 << 8;
module_param_named(directory_entries, snapmap_directory_entries, uint, 0644);
MODULE_PARM_DESC(directory_entries, "entries from which on a table has a directory of its leaves");

/* Leaves have up to 32 entries of the usual size, and mostly more than half of them. */
#define LEAF_ENTRIES	16
#define TOO_WIDE	2	/* bits that a directory may have more than it needs */

static u32 *slots_of(const struct snapmap_build *build)
{
	return snapmap_arena_at(build->arena, SNAPMAP_DIRECTORY_BLOCK(build->table.directory));
}

/* The width that a table of so many entries needs; 0 when the walk is short. */
static u32 width_for(const struct snapmap_table *table)
{
	if (!SNAPMAP_ROOT_LEVELS(table->root) ||
	    table->entries < READ_ONCE(snapmap_directory_entries))
		return 0;
	return min_t(u32, ilog2(table->entries / LEAF_ENTRIES | 1) + 1, SNAPMAP_DIRECTORY_WIDTH_MAX);
}

/*
 * The slots of the hashes that begin with the first @depth bits of @hash, which has zeroes
 * behind them. A slot of which that is a part names no leaf.
 */
static struct snapmap_note slots_for(u32 width, u64 hash, u32 depth, u32 ref)
{
	if (depth > width)
		return (struct snapmap_note){ hash >> (64 - width), 1, 0 };
	return (struct snapmap_note){ hash >> (64 - width), 1U << (width - depth), ref };
}

/* Fills in the leaves below an inner node that looks at the bits of @hash from @pos on. */
static void fill_below(const struct snapmap_build *build, u32 *to, u32 width, u32 ref, u32 levels,
		       u32 bits, u32 pos, u64 hash)
{
	const u32 *slots = snapmap_arena_at(build->arena, SNAPMAP_REF_BLOCK(ref));
	struct snapmap_note leaf;
	u32 i, count;
	u64 at;

	for (i = 0; i < 1U << bits; i += count) {
		for (count = 1; i + count < 1U << bits && slots[i + count] == slots[i]; )
			count++;
		at = hash | (u64)i << (64 - pos - bits);
		if (levels > 1) {
			fill_below(build, to, width, slots[i], levels - 1, SNAPMAP_NODE_BITS,
				   pos + bits - SNAPMAP_REF_ARG(slots[i]), at);
			continue;
		}
		leaf = slots_for(width, at, pos + bits - ilog2(count), slots[i]);
		memset32(to + leaf.first, leaf.ref, leaf.count);
	}
	if (build->resched)
		build->resched();
}

static void drop(struct snapmap_build *build)
{
	if (build->table.directory)
		snapmap_build_drop(build, SNAPMAP_DIRECTORY_BLOCK(build->table.directory));
	build->table.directory = 0;
}

/* A directory is of use and not needed: where memory is short there is none. */
static void make(struct snapmap_build *build, u32 width)
{
	u32 blocks = snapmap_node_blocks(width);
	u64 root = build->table.root;
	int err;
	u32 block = snapmap_arena_alloc(build->arena, blocks, build->version, &err);

	if (!block)
		return;
	build->table.directory = SNAPMAP_DIRECTORY(block, width);
	build->blocks_copied += blocks;
	fill_below(build, slots_of(build), width, SNAPMAP_ROOT_REF(root), SNAPMAP_ROOT_LEVELS(root),
		   SNAPMAP_ROOT_BITS(root), 0, 0);
}

/**
 * snapmap_directory_note() - note that a leaf has taken the place of what was there
 * @build: the build, which need not have a directory
 * @hash: the hash bits that the leaf's keys have in common, and zeroes
 * @depth: how many of them there are
 * @ref: the leaf; 0 when it is empty
 */
void snapmap_directory_note(struct snapmap_build *build, u64 hash, u32 depth, u32 ref)
{
	struct snapmap_notes *notes = build->notes;
	struct snapmap_note note, *last;

	if (!build->table.directory || !notes || notes->count > SNAPMAP_NOTES_MAX)
		return;
	note = slots_for(SNAPMAP_DIRECTORY_WIDTH(build->table.directory), hash, depth, ref);
	prefetchw(slots_of(build) + note.first);
	last = notes->count ? &notes->note[notes->count - 1] : NULL;
	if (last && last->first == note.first && last->count == note.count)
		last->ref = note.ref;
	else if (notes->count++ < SNAPMAP_NOTES_MAX)
		notes->note[notes->count - 1] = note;
}

/**
 * snapmap_directory_finish() - see to it that the table has the directory that it should have
 * @build: the build, which changes no leaf any more
 *
 * Context: may sleep.
 */
void snapmap_directory_finish(struct snapmap_build *build)
{
	u32 have = build->table.directory ? SNAPMAP_DIRECTORY_WIDTH(build->table.directory) : 0;
	bool noted = build->notes && build->notes->count <= SNAPMAP_NOTES_MAX;
	u32 want = width_for(&build->table);

	if (have && want && noted && have >= want && have <= want + TOO_WIDE)
		return;
	if (build->notes)
		build->notes->count = 0;
	drop(build);
	if (want)
		make(build, want);
}

/**
 * snapmap_directory_each() - call a function for the run of the directory
 * @build: the build, which need not have one
 * @own: only if the directory was allocated by it
 * @visit: the function; may free the run
 */
void snapmap_directory_each(struct snapmap_build *build, bool own,
			    void (*visit)(struct snapmap_build *build, u32 block))
{
	u64 directory = build->table.directory;

	if (directory && (!own || snapmap_build_owns(build, SNAPMAP_DIRECTORY_BLOCK(directory))))
		visit(build, SNAPMAP_DIRECTORY_BLOCK(directory));
}

/**
 * snapmap_directory_close() - let the slots that a publication changes name nothing
 * @build: the build that is about to be published
 *
 * The store-release of the version follows: who sees the new version sees none of the leaves
 * that it has replaced.
 *
 * Context: any; nobody else publishes.
 */
void snapmap_directory_close(const struct snapmap_build *build)
{
	const struct snapmap_note *note;
	u32 *slot, *end;
	u32 i;

	if (!build->table.directory || !build->notes)
		return;
	for (i = 0; i < build->notes->count; i++) {
		note = &build->notes->note[i];
		slot = slots_of(build) + note->first;
		for (end = slot + note->count; slot < end; slot++)
			WRITE_ONCE(*slot, SNAPMAP_DIRECTORY_CLOSED);
	}
}

/**
 * snapmap_directory_open() - let them name the leaves that are there now
 * @build: the build that has been published
 *
 * Of several notes for a slot the last one counts: no other leaf may be seen there.
 *
 * Context: any; nobody else publishes.
 */
void snapmap_directory_open(const struct snapmap_build *build)
{
	const struct snapmap_note *note;
	u32 *slot, *end;
	u32 i;

	if (!build->table.directory || !build->notes)
		return;
	/*
	 * Who finds one of the new leaves finds the new version behind it. Pairs with the
	 * barrier in snapmap_live_recheck() in user space.
	 */
	smp_wmb();
	for (i = build->notes->count; i--; ) {
		note = &build->notes->note[i];
		slot = slots_of(build) + note->first;
		for (end = slot + note->count; slot < end; slot++)
			if (*slot == SNAPMAP_DIRECTORY_CLOSED)
				WRITE_ONCE(*slot, note->ref);
	}
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * trie.c - the inner nodes of a table, copied on write
 *
 * How the trie grows. When a leaf is to be split by the next hash bit, its
 * parent must tell the bit apart: a leaf in a group of slots gets half of them;
 * when it stands in a single slot, the parent is split in the same manner, or,
 * at the top, doubled up to 2^7 slots and then put under a new top. Source of
 * the directory: extendible hashing, Fagin et al. 1979, with the directory
 * itself kept as a trie of pages.
 *
 * Every function leaves the trie whole when it fails: what it has allocated is
 * freed or can be reached, so that snapmap_build_abort() finds it (promise F).
 *
 * Context: everything expects the map's mutex held; functions that allocate
 * may sleep.
 */
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/log2.h>
#include <linux/prefetch.h>
#include <linux/string.h>

#include "directory.h"
#include "trie.h"

/**
 * snapmap_build_drop() - let go of a run that a build no longer reaches
 * @build: the build
 * @block: first block of the run
 *
 * Frees what is the build's own, retires the rest.
 */
void snapmap_build_drop(struct snapmap_build *build, u32 block)
{
	if (snapmap_build_owns(build, block))
		snapmap_arena_free(build->arena, block);
	else
		snapmap_runlist_add(build->arena, &build->retired, block);
}

/**
 * snapmap_build_alloc() - allocate a run for a build
 * @build: the build
 * @blocks: its length
 * @err: out, on failure only: -ENOMEM or -ENOSPC
 *
 * Context: may sleep.
 * Return: its first block, 0 on failure.
 */
u32 snapmap_build_alloc(struct snapmap_build *build, u32 blocks, int *err)
{
	u32 block = snapmap_arena_alloc(build->arena, blocks, build->version, err);

	while (!block && build->make_room && build->make_room(build, *err)) {
		build->made_room = true;
		block = snapmap_arena_alloc(build->arena, blocks, build->version, err);
	}
	if (block)
		build->blocks_copied += blocks;
	return block;
}

/**
 * snapmap_build_own() - make a run the build's own
 * @build: the build
 * @block: first block of the run
 * @blocks: its length
 * @err: out, on failure only: -ENOMEM or -ENOSPC
 *
 * Context: may sleep.
 * Return: first block of the run or of its copy, 0 on failure.
 */
u32 snapmap_build_own(struct snapmap_build *build, u32 block, u32 blocks, int *err)
{
	const struct snapmap_chunk *chunk = snapmap_arena_chunk(build->arena, block);
	u32 copy;

	if (snapmap_build_owns_run(build, snapmap_chunk_run(chunk, block)))
		return block;
	copy = snapmap_build_alloc(build, blocks, err);
	if (!copy)
		return 0;
	memcpy(snapmap_arena_at(build->arena, copy), snapmap_chunk_at(chunk, block),
	       (size_t)blocks << SNAPMAP_BLOCK_SHIFT);
	snapmap_runlist_add(build->arena, &build->retired, block);
	return copy;
}

static void set_root(struct snapmap_build *build, u32 ref, u32 levels, u32 bits)
{
	build->table.root = SNAPMAP_ROOT(ref, levels, bits);
}

/**
 * snapmap_step_set() - set a row of slots
 * @step: the node
 * @first: first slot
 * @count: how many
 * @ref: what they are set to
 */
void snapmap_step_set(struct snapmap_step *step, u32 first, u32 count, u32 ref)
{
	while (count--)
		step->slots[first++] = ref;
}

/**
 * snapmap_step_all() - whether a row of slots has the same reference
 * @step: the node
 * @first: first slot
 * @count: how many
 * @ref: the reference
 */
bool snapmap_step_all(const struct snapmap_step *step, u32 first, u32 count, u32 ref)
{
	while (count--)
		if (step->slots[first++] != ref)
			return false;
	return true;
}

/**
 * snapmap_step_group() - number of slots in the aligned group that a child stands in
 * @step: the node, and a slot of the child
 */
u32 snapmap_step_group(const struct snapmap_step *step)
{
	u32 ref = step->slots[step->slot];
	u32 size = 1;
	u32 first;

	while (size < 1U << step->bits) {
		first = step->slot & ~(size - 1);
		if (!snapmap_step_all(step, first ^ size, size, ref))
			break;
		size *= 2;
	}
	return size;
}

/**
 * snapmap_step_first() - first slot of an aligned group
 * @step: the node, and a slot of the group
 * @size: slots of the group
 */
u32 snapmap_step_first(const struct snapmap_step *step, u32 size)
{
	return step->slot & ~(size - 1);
}

/* The hash bits that lead to a slot of the lowest node of a path, and zeroes. */
static u64 path_hash(const struct snapmap_path *path, u32 slot)
{
	const struct snapmap_step *last = &path->step[path->levels - 1];

	return (path->hash & ~(~0ULL >> last->pos)) | (u64)slot << (64 - last->pos - last->bits);
}

/**
 * snapmap_path_set() - let a group of slots name another leaf
 * @build: the build
 * @path: the path to the node
 * @first: first slot of the group
 * @count: how many; a power of two
 * @ref: reference of the leaf, 0 for an empty one
 */
void snapmap_path_set(struct snapmap_build *build, const struct snapmap_path *path, u32 first,
		      u32 count, u32 ref)
{
	struct snapmap_step last = path->step[path->levels - 1];

	snapmap_step_set(&last, first, count, ref);
	snapmap_directory_note(build, path_hash(path, first), last.pos + last.bits - ilog2(count),
			       ref);
}

/**
 * snapmap_path_set_leaf() - put another leaf in the place of the one that a path leads to
 * @build: the build
 * @path: the path
 * @ref: reference of the other leaf, 0 for an empty one
 */
void snapmap_path_set_leaf(struct snapmap_build *build, const struct snapmap_path *path, u32 ref)
{
	struct snapmap_step last;
	u32 size;

	if (!path->levels) {
		set_root(build, ref, 0, 0);
		return;
	}
	last = path->step[path->levels - 1];
	size = snapmap_step_group(&last);
	snapmap_path_set(build, path, snapmap_step_first(&last, size), size, ref);
}

/**
 * snapmap_path_add_leaf() - put a leaf where a path leads to none
 * @build: the build
 * @path: the path
 * @lag: hash bits that the lowest inner node looks at and the leaf does not need
 * @ref: reference of the leaf
 */
void snapmap_path_add_leaf(struct snapmap_build *build, const struct snapmap_path *path, u32 lag,
			   u32 ref)
{
	struct snapmap_step last;
	u32 size = 1U << lag;

	if (!path->levels) {
		set_root(build, ref, 0, 0);
		return;
	}
	last = path->step[path->levels - 1];
	snapmap_path_set(build, path, snapmap_step_first(&last, size), size, ref);
}

/**
 * snapmap_trie_fetch() - let memory bring the lowest inner node above a leaf
 * @build: the build
 * @hash: a hash that the leaf is for
 *
 * Those above it, when there are any, are few and in some cache.
 */
void snapmap_trie_fetch(const struct snapmap_build *build, u64 hash)
{
	u64 root = build->table.root;
	u32 levels = SNAPMAP_ROOT_LEVELS(root);
	u32 ref = SNAPMAP_ROOT_REF(root);
	u32 bits = SNAPMAP_ROOT_BITS(root);
	const struct snapmap_chunk *chunk;
	const u32 *slots;
	u32 pos = 0;

	if (levels < 2)
		return;
	while (--levels) {
		slots = snapmap_arena_at(build->arena, SNAPMAP_REF_BLOCK(ref));
		ref = slots[(hash << pos) >> (64 - bits)];
		pos += bits - SNAPMAP_REF_ARG(ref);
		bits = SNAPMAP_NODE_BITS;
	}
	chunk = snapmap_arena_chunk(build->arena, SNAPMAP_REF_BLOCK(ref));
	prefetch(snapmap_chunk_run(chunk, SNAPMAP_REF_BLOCK(ref)));
	snapmap_chunk_prefetch(chunk, SNAPMAP_REF_BLOCK(ref),
			       snapmap_node_blocks(SNAPMAP_NODE_BITS));
}

/**
 * snapmap_trie_descend() - go down to the leaf of a hash
 * @build: the build
 * @hash: the hash
 * @path: out: the way
 *
 * Makes every inner node on the way the build's own.
 *
 * Context: may sleep.
 * Return: 0, -ENOMEM or -ENOSPC.
 */
int snapmap_trie_descend(struct snapmap_build *build, u64 hash, struct snapmap_path *path)
{
	u64 root = build->table.root;
	u32 ref = SNAPMAP_ROOT_REF(root);
	u32 bits = SNAPMAP_ROOT_BITS(root);
	struct snapmap_step *above = NULL;
	u32 block, pos = 0, lag = 0;
	struct snapmap_step *step;
	int err;

	path->hash = hash;
	path->levels = SNAPMAP_ROOT_LEVELS(root);
	for (step = path->step; step < path->step + path->levels; step++) {
		block = snapmap_build_own(build, SNAPMAP_REF_BLOCK(ref), snapmap_node_blocks(bits),
					  &err);
		if (!block)
			return err;
		if (above)
			snapmap_step_set(above, snapmap_step_first(above, 1U << lag), 1U << lag,
					 SNAPMAP_REF(block, lag));
		else
			set_root(build, block, path->levels, bits);
		step->slots = snapmap_arena_at(build->arena, block);
		step->bits = bits;
		step->pos = pos;
		step->slot = (hash << pos) >> (64 - bits);
		ref = step->slots[step->slot];
		lag = SNAPMAP_REF_ARG(ref);
		pos += bits - lag;
		bits = SNAPMAP_NODE_BITS;
		above = step;
	}
	return 0;
}

/*
 * A new inner node with twice the slots of a part of another. The children of
 * an inner level then look at one bit more again.
 */
static u32 widen_node(struct snapmap_build *build, const u32 *slots, u32 bits, bool inner, int *err)
{
	u32 block = snapmap_build_alloc(build, snapmap_node_blocks(bits), err);
	u32 *wide;
	u32 i;

	if (!block)
		return 0;
	wide = snapmap_arena_at(build->arena, block);
	for (i = 0; i < 1U << bits; i++)
		wide[i] = slots[i / 2] + (inner ? SNAPMAP_REF(0, 1) : 0);
	return block;
}

/* Two nodes in the place of one: each has one half of its slots, doubled. */
static int split_node(struct snapmap_build *build, const u32 *slots, bool inner, u32 half[2])
{
	int err;

	half[0] = widen_node(build, slots, SNAPMAP_NODE_BITS, inner, &err);
	if (!half[0])
		return err;
	half[1] = widen_node(build, slots + (1 << SNAPMAP_NODE_BITS) / 2, SNAPMAP_NODE_BITS, inner,
			     &err);
	if (!half[1])
		snapmap_arena_free(build->arena, half[0]);
	return half[1] ? 0 : err;
}

/* A table of a single leaf gets its first inner node, of two slots. */
static int plant_root(struct snapmap_build *build)
{
	u32 leaf = SNAPMAP_ROOT_REF(build->table.root);
	u32 slots[1] = { leaf };
	int err;
	u32 top = widen_node(build, slots, 1, false, &err);

	if (!top)
		return err;
	set_root(build, top, 1, 1);
	return 0;
}

/* The top gets twice the slots. */
static int double_root(struct snapmap_build *build, const struct snapmap_path *path)
{
	u32 bits = path->step[0].bits + 1;
	int err;
	u32 top = widen_node(build, path->step[0].slots, bits, path->levels > 1, &err);

	if (!top)
		return err;
	snapmap_build_drop(build, SNAPMAP_ROOT_REF(build->table.root));
	set_root(build, top, path->levels, bits);
	return 0;
}

/* The top is split in two under a new top. */
static int raise_root(struct snapmap_build *build, const struct snapmap_path *path)
{
	u32 half[2];
	u32 *slots;
	int err;
	u32 top;

	if (path->levels == SNAPMAP_LEVELS_MAX)
		return -EOVERFLOW;
	top = snapmap_build_alloc(build, snapmap_node_blocks(1), &err);
	if (!top)
		return err;
	err = split_node(build, path->step[0].slots, path->levels > 1, half);
	if (err) {
		snapmap_arena_free(build->arena, top);
		return err;
	}
	slots = snapmap_arena_at(build->arena, top);
	slots[0] = SNAPMAP_REF(half[0], 0);
	slots[1] = SNAPMAP_REF(half[1], 0);
	snapmap_build_drop(build, SNAPMAP_ROOT_REF(build->table.root));
	set_root(build, top, path->levels + 1, 1);
	return 0;
}

/* An inner node that stands in a group of slots is split, each half in half of them. */
static int split_inner(struct snapmap_build *build, const struct snapmap_path *path, u32 level)
{
	struct snapmap_step above = path->step[level - 1];
	u32 ref = above.slots[above.slot];
	u32 lag = SNAPMAP_REF_ARG(ref);
	u32 size = 1U << lag;
	u32 half[2];
	int err;

	err = split_node(build, path->step[level].slots, level + 1 < path->levels, half);
	if (err)
		return err;
	snapmap_step_set(&above, snapmap_step_first(&above, size), size / 2,
			 SNAPMAP_REF(half[0], lag - 1));
	snapmap_step_set(&above, snapmap_step_first(&above, size) + size / 2, size / 2,
			 SNAPMAP_REF(half[1], lag - 1));
	snapmap_build_drop(build, SNAPMAP_REF_BLOCK(ref));
	return 0;
}

/**
 * snapmap_trie_deepen() - let the lowest inner node of a path tell one bit more apart
 * @build: the build
 * @path: the path; stale afterwards
 *
 * Or do the next step on the way to that: the caller descends and looks again.
 *
 * Context: may sleep.
 * Return: 0; -ENOMEM; -ENOSPC; -EOVERFLOW when no bit is left.
 */
int snapmap_trie_deepen(struct snapmap_build *build, const struct snapmap_path *path)
{
	const struct snapmap_step *above;
	u32 level;

	if (!path->levels)
		return plant_root(build);
	level = path->levels - 1;
	if (path->step[level].pos + path->step[level].bits == 64)
		return -EOVERFLOW;
	for (; level; level--) {
		above = &path->step[level - 1];
		if (SNAPMAP_REF_ARG(above->slots[above->slot]))
			return split_inner(build, path, level);
	}
	if (path->step[0].bits < SNAPMAP_NODE_BITS)
		return double_root(build, path);
	return raise_root(build, path);
}

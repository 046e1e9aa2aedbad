// SPDX-License-Identifier: GPL-2.0-only
/*
 * table.c - the trie, copied on write
 *
 * The format is described in snapmap_layout.h. A build starts from the current
 * snapshot and changes only what it owns: a run whose birth is the version
 * being built is seen by nobody else and is changed in place; any other is
 * copied first and the original retired. So all blocks that can be reached
 * from a published root stay as they are (promise B), and a commit touches only
 * the leaves of its keys and the inner nodes above them (promise I).
 *
 * Every function leaves the trie whole when it fails: what it has allocated is
 * freed or can be reached, so that snapmap_build_abort() finds it (promise F).
 *
 * How the trie grows. A leaf grows block by block; when eight do not do, it is
 * split by the next hash bit. For that its parent must tell the bit apart: when
 * the leaf stands in a single slot, the parent is split in the same manner, or,
 * at the top, doubled up to 2^8 slots and then put under a new top. Source of
 * the directory: extendible hashing, Fagin et al. 1979, with the directory
 * itself kept as a trie of pages.
 *
 * Context: everything expects the map's mutex held; functions that allocate or
 * resched may sleep.
 */
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/string.h>

#include "broken.h"
#include "table.h"

/*
 * One more hash bit for a leaf takes at most one step at each level and a split,
 * so this is enough to tell two hashes apart by their last bit.
 */
#define PUT_TRIES	(64 * (SNAPMAP_LEVELS_MAX + 1))

/*
 * One step of the way down: an inner node of this build, and the slot taken.
 * @pos: hash bits consumed above the node
 */
struct step {
	u32 *slots;
	u32 slot;
	u32 bits;
	u32 pos;
};

/* The way from the top to a leaf; @leaf points to the reference of the leaf. */
struct path {
	struct step step[SNAPMAP_LEVELS_MAX];
	u32 levels;
};

static bool owns(const struct snapmap_build *build, u32 block)
{
	return snapmap_arena_run(build->arena, block)->birth == build->version;
}

/* A run that the build no longer reaches: free what is its own, retire the rest. */
static void drop_run(struct snapmap_build *build, u32 block)
{
	if (owns(build, block))
		snapmap_arena_free(build->arena, block);
	else
		snapmap_runlist_add(build->arena, &build->retired, block);
}

static u32 alloc_run(struct snapmap_build *build, u32 blocks, int *err)
{
	u32 block = snapmap_arena_alloc(build->arena, blocks, build->version, err);

	if (block)
		build->blocks_copied += blocks;
	return block;
}

/* Makes a run the build's own. Returns its block, or 0 and sets @err. */
static u32 own_run(struct snapmap_build *build, u32 block, u32 blocks, int *err)
{
	u32 copy;

	if (owns(build, block))
		return block;
	copy = alloc_run(build, blocks, err);
	if (!copy)
		return 0;
	memcpy(snapmap_arena_at(build->arena, copy), snapmap_arena_at(build->arena, block),
	       (size_t)blocks << SNAPMAP_BLOCK_SHIFT);
	drop_run(build, block);
	return copy;
}

static void set_root(struct snapmap_build *build, u32 ref, u32 levels, u32 bits)
{
	build->table.root = SNAPMAP_ROOT(ref, levels, bits);
}

static void set_slots(struct step *step, u32 first, u32 count, u32 ref)
{
	while (count--)
		step->slots[first++] = ref;
}

static bool slots_equal(const struct step *step, u32 first, u32 count, u32 ref)
{
	while (count--)
		if (step->slots[first++] != ref)
			return false;
	return true;
}

/* Number of slots in the aligned group that a step's child stands in. */
static u32 group_size(const struct step *step)
{
	u32 ref = step->slots[step->slot];
	u32 size = 1;
	u32 first;

	while (size < 1U << step->bits) {
		first = step->slot & ~(size - 1);
		if (!slots_equal(step, first ^ size, size, ref))
			break;
		size *= 2;
	}
	return size;
}

static u32 group_first(const struct step *step, u32 size)
{
	return step->slot & ~(size - 1);
}

static u32 *node_at(struct snapmap_build *build, u32 ref)
{
	return snapmap_arena_at(build->arena, SNAPMAP_REF_BLOCK(ref));
}

static u32 path_leaf(const struct snapmap_build *build, const struct path *path)
{
	const struct step *last;

	if (!path->levels)
		return SNAPMAP_ROOT_REF(build->table.root);
	last = &path->step[path->levels - 1];
	return last->slots[last->slot];
}

/* Puts another leaf in the place of the one that @path leads to. */
static void path_set_leaf(struct snapmap_build *build, const struct path *path, u32 ref)
{
	struct step last;
	u32 size;

	if (!path->levels) {
		set_root(build, ref, 0, 0);
		return;
	}
	last = path->step[path->levels - 1];
	size = group_size(&last);
	set_slots(&last, group_first(&last, size), size, ref);
}

/*
 * Goes down to the leaf of @hash and makes every inner node on the way the
 * build's own.
 */
static int descend(struct snapmap_build *build, u64 hash, struct path *path)
{
	u64 root = build->table.root;
	u32 ref = SNAPMAP_ROOT_REF(root);
	u32 bits = SNAPMAP_ROOT_BITS(root);
	struct step *above = NULL;
	u32 block, pos = 0, lag = 0;
	struct step *step;
	int err;

	path->levels = SNAPMAP_ROOT_LEVELS(root);
	for (step = path->step; step < path->step + path->levels; step++) {
		block = own_run(build, SNAPMAP_REF_BLOCK(ref), snapmap_node_blocks(bits), &err);
		if (!block)
			return err;
		if (above)
			set_slots(above, group_first(above, 1U << lag), 1U << lag,
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
static u32 widen_node(struct snapmap_build *build, const u32 *slots, u32 bits, bool inner,
		      int *err)
{
	u32 block = alloc_run(build, snapmap_node_blocks(bits), err);
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
static int double_root(struct snapmap_build *build, const struct path *path)
{
	u32 bits = path->step[0].bits + 1;
	int err;
	u32 top = widen_node(build, path->step[0].slots, bits, path->levels > 1, &err);

	if (!top)
		return err;
	drop_run(build, SNAPMAP_ROOT_REF(build->table.root));
	set_root(build, top, path->levels, bits);
	return 0;
}

/* The top is split in two under a new top. */
static int raise_root(struct snapmap_build *build, const struct path *path)
{
	u32 half[2];
	u32 *slots;
	int err;
	u32 top;

	if (path->levels == SNAPMAP_LEVELS_MAX)
		return -EOVERFLOW;
	top = alloc_run(build, snapmap_node_blocks(1), &err);
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
	drop_run(build, SNAPMAP_ROOT_REF(build->table.root));
	set_root(build, top, path->levels + 1, 1);
	return 0;
}

/* An inner node that stands in a group of slots is split, each half in half of them. */
static int split_inner(struct snapmap_build *build, const struct path *path, u32 level)
{
	struct step above = path->step[level - 1];
	u32 ref = above.slots[above.slot];
	u32 lag = SNAPMAP_REF_ARG(ref);
	u32 size = 1U << lag;
	u32 half[2];
	int err;

	err = split_node(build, path->step[level].slots, level + 1 < path->levels, half);
	if (err)
		return err;
	set_slots(&above, group_first(&above, size), size / 2, SNAPMAP_REF(half[0], lag - 1));
	set_slots(&above, group_first(&above, size) + size / 2, size / 2,
		  SNAPMAP_REF(half[1], lag - 1));
	drop_run(build, SNAPMAP_REF_BLOCK(ref));
	return 0;
}

/*
 * Lets the lowest inner node of @path tell one bit more apart, or does the next
 * step on the way to that. @path is stale afterwards.
 */
static int deepen(struct snapmap_build *build, const struct path *path)
{
	const struct step *above;
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

static u8 *leaf_at(struct snapmap_build *build, u32 ref)
{
	return snapmap_arena_at(build->arena, SNAPMAP_REF_BLOCK(ref));
}

/* A new leaf with room for @granules, its tags not set; 0 and @err on failure. */
static u32 new_leaf(struct snapmap_build *build, u32 granules, int *err)
{
	u32 blocks = snapmap_leaf_size_for(granules);
	u32 block = alloc_run(build, blocks, err);

	return block ? SNAPMAP_REF(block, blocks - 1) : 0;
}

/* Empties @to and copies what is meant into it; false when a row was missing. */
static bool fill_leaf(struct snapmap_build *build, u32 to, const u32 from[2],
		      const struct snapmap_leaf_filter *filter, const struct snapmap_item *item,
		      bool home)
{
	u32 blocks = snapmap_leaf_blocks(to);
	u8 *leaf = leaf_at(build, to);
	int i;

	memset(leaf, SNAPMAP_TAG_FREE, blocks * SNAPMAP_BLOCK_GRANULES);
	for (i = 0; i < 2; i++)
		if (from[i] && !snapmap_leaf_copy(leaf, blocks, leaf_at(build, from[i]),
						  snapmap_leaf_blocks(from[i]), filter, home))
			return false;
	return !item || snapmap_leaf_add(leaf, blocks, item);
}

/*
 * A new leaf with those entries of one or two others that @filter means, and
 * with @item where that is not NULL. @ref is 0 when there are none.
 */
static int rebuild_leaf(struct snapmap_build *build, const u32 from[2],
			const struct snapmap_leaf_filter *filter,
			const struct snapmap_item *item, u32 *ref)
{
	u32 granules = item ? snapmap_item_granules(item) : 0;
	bool home = true;
	int err, i;

	for (i = 0; i < 2; i++)
		if (from[i])
			granules += snapmap_leaf_count(leaf_at(build, from[i]),
						       snapmap_leaf_blocks(from[i]), filter);
	*ref = 0;
	if (!granules)
		return 0;
	*ref = new_leaf(build, granules, &err);
	if (!*ref)
		return err;
	while (!fill_leaf(build, *ref, from, filter, item, home))
		home = false;
	return 0;
}

static void account(struct snapmap_build *build, u32 key_len, u32 value_len, int sign)
{
	build->table.entries += sign;
	build->table.key_bytes += (s64)sign * key_len;
	build->table.value_bytes += (s64)sign * value_len;
}

/* What an entry that goes away leaves behind, but for its granules. */
static void drop_entry(struct snapmap_build *build, const struct snapmap_entry *entry)
{
	if (snapmap_entry_block(entry))
		drop_run(build, snapmap_entry_block(entry));
	account(build, entry->key_len, snapmap_entry_value_len(entry), -1);
}

/* Makes the leaf that @path leads to the build's own. */
static int own_leaf(struct snapmap_build *build, const struct path *path)
{
	u32 ref = path_leaf(build, path);
	int err;
	u32 block = own_run(build, SNAPMAP_REF_BLOCK(ref), snapmap_leaf_blocks(ref), &err);

	if (!block)
		return err;
	path_set_leaf(build, path, SNAPMAP_REF(block, SNAPMAP_REF_ARG(ref)));
	return 0;
}

/* Tries to write @item into the leaf as it is; false when there is no room. */
static bool leaf_write(struct snapmap_build *build, u32 ref, const struct snapmap_item *item)
{
	const struct snapmap_view view = { .arena = build->arena };
	u32 blocks = snapmap_leaf_blocks(ref);
	u8 *leaf = leaf_at(build, ref);
	struct snapmap_hit hit;
	u32 granule;

	granule = snapmap_leaf_find(&view, leaf, blocks, item->hash, item->key, item->key_len,
				    &hit);
	if (!granule)
		return snapmap_leaf_add(leaf, blocks, item);
	drop_entry(build, snapmap_leaf_entry(leaf, granule));
	if (snapmap_entry_granules(snapmap_leaf_entry(leaf, granule)) ==
	    snapmap_item_granules(item)) {
		snapmap_leaf_overwrite(leaf, granule, item);
		return true;
	}
	snapmap_leaf_remove(leaf, granule);
	return snapmap_leaf_add(leaf, blocks, item);
}

/* Writes @item into the leaf that @path leads to; -EAGAIN when that must be split. */
static int leaf_put(struct snapmap_build *build, const struct path *path,
		    const struct snapmap_item *item)
{
	const struct snapmap_leaf_filter all = { .seed = build->seed, .want = -1 };
	u32 granules = snapmap_item_granules(item);
	u32 old[2] = { path_leaf(build, path), 0 };
	u32 ref;
	int err;

	if (old[0]) {
		err = own_leaf(build, path);
		if (err)
			return err;
		old[0] = path_leaf(build, path);
		if (leaf_write(build, old[0], item))
			return 0;
		granules += snapmap_leaf_used(leaf_at(build, old[0]), snapmap_leaf_blocks(old[0]));
	}
	if (snapmap_leaf_size_for(granules) > SNAPMAP_LEAF_BLOCKS_MAX)
		return -EAGAIN;
	err = rebuild_leaf(build, old, &all, item, &ref);
	if (err)
		return err;
	path_set_leaf(build, path, ref);
	if (old[0])
		drop_run(build, SNAPMAP_REF_BLOCK(old[0]));
	return 0;
}

/* Splits the leaf that @path leads to, or does the next step on the way to that. */
static int split_leaf(struct snapmap_build *build, const struct path *path)
{
	struct snapmap_leaf_filter filter = { .seed = build->seed };
	u32 old[2] = { path_leaf(build, path), 0 };
	u32 half[2], size, first;
	struct step last;
	int err;

	if (!path->levels)
		return deepen(build, path);
	last = path->step[path->levels - 1];
	size = group_size(&last);
	if (size == 1)
		return deepen(build, path);
	first = group_first(&last, size);
	filter.bit = last.pos + last.bits - ilog2(size);
	err = rebuild_leaf(build, old, &filter, NULL, &half[0]);
	if (err)
		return err;
	filter.want = 1;
	err = rebuild_leaf(build, old, &filter, NULL, &half[1]);
	if (err) {
		if (half[0])
			snapmap_arena_free(build->arena, SNAPMAP_REF_BLOCK(half[0]));
		return err;
	}
	set_slots(&last, first, size / 2, half[0]);
	set_slots(&last, first + size / 2, size / 2, half[1]);
	drop_run(build, SNAPMAP_REF_BLOCK(old[0]));
	return 0;
}

/* Copies a value that does not fit into a leaf to a run of its own. */
static int store_value(struct snapmap_build *build, struct snapmap_item *item)
{
	u32 blocks = snapmap_value_blocks(item->value_len);
	u32 tail = (blocks << SNAPMAP_BLOCK_SHIFT) - item->value_len;
	int err;
	u8 *to;

	item->block = alloc_run(build, blocks, &err);
	if (!item->block)
		return err;
	to = snapmap_arena_at(build->arena, item->block);
	memcpy(to, item->value, item->value_len);
	memset(to + item->value_len, 0, tail);
	return 0;
}

/**
 * snapmap_build_find() - look a key up in the table as built so far
 * @build: the build
 * @key: the key
 * @version: out: version that last wrote the entry
 *
 * Return: 0 or -ENOENT.
 */
int snapmap_build_find(struct snapmap_build *build, const struct snapmap_key *key, u64 *version)
{
	const struct snapmap_view view = { .arena = build->arena };
	struct snapmap_hit hit;

	if (!snapmap_lookup(&view, build->table.root, key->hash, key->data, key->len, &hit))
		return -ENOENT;
	*version = hit.version;
	return 0;
}

/**
 * snapmap_build_put() - insert or replace an entry
 * @build: the build
 * @key: the key, 1 to SNAPMAP_KEY_MAX bytes
 * @value: the value
 * @value_len: its length, at most SNAPMAP_VALUE_MAX
 *
 * Context: may sleep.
 * Return: 0; -ENOMEM; -ENOSPC at the arena's limit; -EOVERFLOW when too many
 *	keys share the hash. After a failure the build can only be aborted.
 */
int snapmap_build_put(struct snapmap_build *build, const struct snapmap_key *key,
		      const void *value, u32 value_len)
{
	struct snapmap_item item = {
		.hash = key->hash,
		.key = key->data,
		.key_len = key->len,
		.value = value,
		.value_len = value_len,
		.version = build->version,
	};
	struct path path;
	int err = 0;
	int tries;

	if (!snapmap_value_is_inline(key->len, value_len))
		err = store_value(build, &item);
	for (tries = 0; !err && tries < PUT_TRIES; tries++) {
		err = descend(build, key->hash, &path);
		if (err)
			break;
		err = leaf_put(build, &path, &item);
		if (!err) {
			account(build, key->len, value_len, 1);
			return 0;
		}
		if (err == -EAGAIN)
			err = split_leaf(build, &path);
	}
	if (item.block)
		snapmap_arena_free(build->arena, item.block);
	return err ?: -EOVERFLOW;
}

/*
 * Joins the leaf that @path leads to with its buddy, the leaf of the same size
 * of group beside it, when both together are at most half a leaf.
 */
static bool merge_leaf(struct snapmap_build *build, const struct path *path)
{
	const struct snapmap_leaf_filter all = { .seed = build->seed, .want = -1 };
	u32 size, first, buddy, merged, i;
	u32 granules = 0;
	struct step last;
	u32 pair[2];

	if (!path->levels)
		return false;
	last = path->step[path->levels - 1];
	size = group_size(&last);
	if (size == 1U << last.bits)
		return false;
	first = group_first(&last, size);
	buddy = first ^ size;
	pair[0] = last.slots[first];
	pair[1] = last.slots[buddy];
	if (!slots_equal(&last, buddy, size, pair[1]))
		return false;
	for (i = 0; i < 2; i++)
		if (pair[i])
			granules += snapmap_leaf_used(leaf_at(build, pair[i]),
						      snapmap_leaf_blocks(pair[i]));
	if (snapmap_leaf_size_for(granules) > SNAPMAP_LEAF_BLOCKS_MAX / 2)
		return false;
	if (!pair[0] || !pair[1])
		merged = pair[0] | pair[1];
	else if (rebuild_leaf(build, pair, &all, NULL, &merged))
		return false;
	set_slots(&last, min(first, buddy), 2 * size, merged);
	for (i = 0; i < 2; i++)
		if (pair[i] && pair[i] != merged)
			drop_run(build, SNAPMAP_REF_BLOCK(pair[i]));
	return true;
}

/*
 * Makes a leaf smaller that has lost entries. That saves memory and is not
 * needed for correctness, so a failed allocation is passed over.
 */
static void shrink_leaf(struct snapmap_build *build, const struct path *path)
{
	const struct snapmap_leaf_filter all = { .seed = build->seed, .want = -1 };
	u32 old[2] = { path_leaf(build, path), 0 };
	u32 used = snapmap_leaf_used(leaf_at(build, old[0]), snapmap_leaf_blocks(old[0]));
	u32 ref = 0;

	if (used && snapmap_leaf_size_for(used) + 2 > snapmap_leaf_blocks(old[0]))
		return;
	if (used && rebuild_leaf(build, old, &all, NULL, &ref))
		return;
	path_set_leaf(build, path, ref);
	drop_run(build, SNAPMAP_REF_BLOCK(old[0]));
	while (merge_leaf(build, path))
		;
}

/**
 * snapmap_build_delete() - remove an entry
 * @build: the build
 * @key: the key
 *
 * Context: may sleep.
 * Return: 0; -ENOENT, with nothing changed; -ENOMEM; -ENOSPC. After the last
 *	two the build can only be aborted.
 */
int snapmap_build_delete(struct snapmap_build *build, const struct snapmap_key *key)
{
	const struct snapmap_view view = { .arena = build->arena };
	struct snapmap_hit hit;
	struct path path;
	u32 ref, granule;
	u8 *leaf;
	int err;

	if (!snapmap_lookup(&view, build->table.root, key->hash, key->data, key->len, &hit))
		return -ENOENT;
	err = descend(build, key->hash, &path);
	if (!err)
		err = own_leaf(build, &path);
	if (err)
		return err;
	ref = path_leaf(build, &path);
	leaf = leaf_at(build, ref);
	granule = snapmap_leaf_find(&view, leaf, snapmap_leaf_blocks(ref), key->hash, key->data,
				    key->len, &hit);
	drop_entry(build, snapmap_leaf_entry(leaf, granule));
	snapmap_leaf_remove(leaf, granule);
	shrink_leaf(build, &path);
	return 0;
}

typedef void (*visit_fn)(struct snapmap_build *build, u32 block);

static void visit_leaf(struct snapmap_build *build, u32 ref, bool own, visit_fn visit)
{
	u32 blocks = snapmap_leaf_blocks(ref);
	const u8 *leaf = leaf_at(build, ref);
	u32 granule = 0;
	u32 block;

	while ((granule = snapmap_leaf_next(leaf, blocks, granule))) {
		block = snapmap_entry_block(snapmap_leaf_entry(leaf, granule));
		if (block && (!own || owns(build, block)))
			visit(build, block);
	}
	visit(build, SNAPMAP_REF_BLOCK(ref));
}

/*
 * Calls @visit for every run of the subtree below @ref, children first. Does
 * not go below what the build does not own when @own says so.
 */
static void visit_tree(struct snapmap_build *build, u32 ref, u32 levels, u32 bits, bool own,
		       visit_fn visit)
{
	u32 last = 0;
	u32 *slots;
	u32 i;

	if (!ref || (own && !owns(build, SNAPMAP_REF_BLOCK(ref))))
		return;
	if (!levels) {
		visit_leaf(build, ref, own, visit);
		return;
	}
	slots = node_at(build, ref);
	for (i = 0; i < 1U << bits; i++) {
		if (slots[i] != last)
			visit_tree(build, slots[i], levels - 1, SNAPMAP_NODE_BITS, own, visit);
		last = slots[i];
	}
	visit(build, SNAPMAP_REF_BLOCK(ref));
	if (build->resched)
		build->resched();
}

static void visit_all(struct snapmap_build *build, bool own, visit_fn visit)
{
	u64 root = build->table.root;

	visit_tree(build, SNAPMAP_ROOT_REF(root), SNAPMAP_ROOT_LEVELS(root),
		   SNAPMAP_ROOT_BITS(root), own, visit);
	build->table = (struct snapmap_table){};
}

/**
 * snapmap_build_clear() - remove all entries
 * @build: the build
 *
 * Takes time in proportion to the table, yielding through @resched.
 */
void snapmap_build_clear(struct snapmap_build *build)
{
	visit_all(build, false, drop_run);
}

/**
 * snapmap_build_finish() - last step before publication
 * @build: the build
 *
 * A table that has become empty gives back its inner nodes.
 */
void snapmap_build_finish(struct snapmap_build *build)
{
	if (!build->table.entries)
		snapmap_build_clear(build);
}

static void free_run(struct snapmap_build *build, u32 block)
{
	snapmap_arena_free(build->arena, block);
}

/**
 * snapmap_build_abort() - free everything that the build owns
 * @build: the build
 *
 * The snapshot that it began with, and the arena but for the place of chunks
 * that it has grown by, are as before (promise F).
 */
void snapmap_build_abort(struct snapmap_build *build)
{
	if (!snapmap_broken(SNAPMAP_BREAK_ABORT))
		visit_all(build, true, free_run);
}

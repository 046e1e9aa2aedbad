// SPDX-License-Identifier: GPL-2.0-only
/*
 * table.c - putting, deleting and finding entries in the next snapshot
 *
 * The format is described in snapmap_layout.h. A build starts from the current
 * snapshot and changes only what it owns: a run whose birth is the version
 * being built is seen by nobody else and is changed in place; any other is
 * copied first and the original retired. So all blocks that can be reached
 * from a published root stay as they are (promise B), and a commit touches only
 * the leaves of its keys and the inner nodes above them (promise I).
 *
 * A leaf grows block by block; when eight do not do, it is split by the next
 * hash bit. Every function leaves the trie whole when it fails: what it has
 * allocated is freed or can be reached, so that snapmap_build_abort() finds it
 * (promise F).
 *
 * Context: everything expects the map's mutex held; functions that allocate or
 * resched may sleep.
 */
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/prefetch.h>
#include <linux/string.h>

#include "broken.h"
#include "directory.h"
#include "filter.h"
#include "table.h"
#include "trie.h"

/*
 * One more hash bit for a leaf takes at most one step at each level and a split,
 * so this is enough to tell two hashes apart by their last bit.
 */
#define PUT_TRIES	(64 * (SNAPMAP_LEVELS_MAX + 1))

static struct snapmap_leaf leaf_at(struct snapmap_build *build, u32 ref)
{
	const struct snapmap_chunk *chunk = snapmap_arena_chunk(build->arena,
								SNAPMAP_REF_BLOCK(ref));

	return (struct snapmap_leaf){
		.tags = snapmap_chunk_tags(chunk, SNAPMAP_REF_BLOCK(ref)),
		.bytes = snapmap_chunk_at(chunk, SNAPMAP_REF_BLOCK(ref)),
		.blocks = snapmap_leaf_blocks(ref),
	};
}

/* A new leaf with room for @granules, its tags not set; 0 and @err on failure. */
static u32 new_leaf(struct snapmap_build *build, u32 granules, int *err)
{
	u32 blocks = snapmap_leaf_size_for(granules);
	u32 block = snapmap_build_alloc(build, blocks, err);

	return block ? SNAPMAP_REF(block, blocks - 1) : 0;
}

/* Entries of a leaf. */
struct part {
	struct snapmap_leaf leaf;
	u64 set;
};

/* Empties @leaf and copies the parts and @item into it; false when a row was missing. */
static bool fill_leaf(const struct snapmap_leaf *leaf, const struct part *parts, u32 count,
		      const struct snapmap_item *item, bool home)
{
	u32 i;

	snapmap_leaf_empty(leaf);
	for (i = 0; i < count; i++)
		if (!snapmap_leaf_copy(leaf, &parts[i].leaf, parts[i].set, home))
			return false;
	return !item || snapmap_leaf_add(leaf, item);
}

/*
 * A new leaf with those entries of one or two others that @filter means, and
 * with @item where that is not NULL. @ref is 0 when there are none.
 */
static int rebuild_leaf(struct snapmap_build *build, const u32 from[2],
			const struct snapmap_leaf_filter *filter, const struct snapmap_item *item,
			u32 *ref)
{
	u32 granules = item ? snapmap_item_granules(item) : 0;
	struct part parts[2];
	struct snapmap_leaf leaf;
	u32 count;
	int err;

	for (count = 0; count < 2 && from[count]; count++) {
		parts[count].leaf = leaf_at(build, from[count]);
		granules += snapmap_leaf_select(&parts[count].leaf, filter, &parts[count].set);
	}
	*ref = 0;
	if (!granules)
		return 0;
	*ref = new_leaf(build, granules, &err);
	if (!*ref)
		return err;
	leaf = leaf_at(build, *ref);
	if (!fill_leaf(&leaf, parts, count, item, true))
		fill_leaf(&leaf, parts, count, item, false);
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
		snapmap_build_drop(build, snapmap_entry_block(entry));
	account(build, entry->key_len, snapmap_entry_value_len(entry), -1);
}

/* Makes the leaf that @path leads to the build's own; @leaf: out. */
static int own_leaf(struct snapmap_build *build, const struct snapmap_path *path,
		    struct snapmap_leaf *leaf)
{
	u32 ref = snapmap_path_leaf(build, path);
	struct snapmap_leaf from = leaf_at(build, ref);
	int err;
	u32 block = snapmap_build_own(build, SNAPMAP_REF_BLOCK(ref), from.blocks, &err);

	if (!block)
		return err;
	*leaf = from;
	if (block == SNAPMAP_REF_BLOCK(ref))
		return 0;
	ref = SNAPMAP_REF(block, SNAPMAP_REF_ARG(ref));
	*leaf = leaf_at(build, ref);
	memcpy(leaf->tags, from.tags, from.blocks * SNAPMAP_BLOCK_GRANULES);
	snapmap_path_set_leaf(build, path, ref);
	return 0;
}

/* Tries to write @item into the leaf as it is; false when there is no room. */
static bool leaf_write(struct snapmap_build *build, const struct snapmap_leaf *leaf,
		       const struct snapmap_item *item)
{
	u32 granule = snapmap_leaf_find(leaf, item->hash, item->key, item->key_len);
	struct snapmap_entry *entry;

	if (granule == SNAPMAP_NO_GRANULE)
		return snapmap_leaf_add(leaf, item);
	entry = snapmap_leaf_entry(leaf, granule);
	drop_entry(build, entry);
	if (snapmap_entry_granules(entry) == snapmap_item_granules(item)) {
		snapmap_leaf_overwrite(leaf, granule, item);
		return true;
	}
	snapmap_leaf_remove(leaf, granule);
	return snapmap_leaf_add(leaf, item);
}

/* Granules that the entries of a leaf take, which need not be. */
static u32 used_granules(struct snapmap_build *build, u32 ref)
{
	struct snapmap_leaf leaf;

	if (!ref)
		return 0;
	leaf = leaf_at(build, ref);
	return snapmap_leaf_used(&leaf);
}

/* Writes @item into the leaf that @path leads to; -EAGAIN when that must be split. */
static int leaf_put(struct snapmap_build *build, const struct snapmap_path *path,
		    const struct snapmap_item *item)
{
	const struct snapmap_leaf_filter all = { .seed = build->seed, .want = -1 };
	u32 granules = snapmap_item_granules(item);
	u32 old[2] = { snapmap_path_leaf(build, path), 0 };
	struct snapmap_leaf leaf;
	u32 ref;
	int err;

	if (old[0]) {
		err = own_leaf(build, path, &leaf);
		if (err)
			return err;
		if (leaf_write(build, &leaf, item))
			return 0;
		old[0] = snapmap_path_leaf(build, path);
		granules += snapmap_leaf_used(&leaf);
	}
	if (snapmap_leaf_size_for(granules) > SNAPMAP_LEAF_BLOCKS_MAX)
		return -EAGAIN;
	err = rebuild_leaf(build, old, &all, item, &ref);
	if (err)
		return err;
	snapmap_path_set_leaf(build, path, ref);
	if (old[0])
		snapmap_build_drop(build, SNAPMAP_REF_BLOCK(old[0]));
	return 0;
}

/* Splits the leaf that @path leads to, or does the next step on the way to that. */
static int split_leaf(struct snapmap_build *build, const struct snapmap_path *path)
{
	struct snapmap_leaf_filter filter = { .seed = build->seed };
	u32 old[2] = { snapmap_path_leaf(build, path), 0 };
	u32 half[2], size, first;
	struct snapmap_step last;
	int err;

	if (!path->levels)
		return snapmap_trie_deepen(build, path);
	last = path->step[path->levels - 1];
	size = snapmap_step_group(&last);
	if (size == 1)
		return snapmap_trie_deepen(build, path);
	first = snapmap_step_first(&last, size);
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
	snapmap_path_set(build, path, first, size / 2, half[0]);
	snapmap_path_set(build, path, first + size / 2, size / 2, half[1]);
	snapmap_build_drop(build, SNAPMAP_REF_BLOCK(old[0]));
	return 0;
}

static struct snapmap_item item_for(const struct snapmap_build *build,
				    const struct snapmap_key *key, const void *value, u32 value_len)
{
	return (struct snapmap_item){
		.hash = key->hash,
		.key = key->data,
		.key_len = key->len,
		.value = value,
		.value_len = value_len,
		.version = build->version,
	};
}

/* Copies a value that does not fit into a leaf to a run of its own. */
static int store_value(struct snapmap_build *build, struct snapmap_item *item)
{
	u32 blocks = snapmap_value_blocks(item->value_len);
	u32 tail = (blocks << SNAPMAP_BLOCK_SHIFT) - item->value_len;
	int err;
	u8 *to;

	item->block = snapmap_build_alloc(build, blocks, &err);
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
 * snapmap_build_fetch() - let memory bring the leaf that a change will copy
 * @build: the build
 * @hash: the key's hash
 */
void snapmap_build_fetch(const struct snapmap_build *build, u64 hash)
{
	const struct snapmap_view view = { .arena = build->arena };
	u32 ref = snapmap_walk(&view, build->table.root, hash);
	u32 block = SNAPMAP_REF_BLOCK(ref);
	const struct snapmap_chunk *chunk;

	if (!ref)
		return;
	chunk = snapmap_arena_chunk(build->arena, block);
	prefetch(snapmap_chunk_run(chunk, block));
	prefetch(snapmap_chunk_tags(chunk, block));
	snapmap_chunk_prefetch(chunk, block, snapmap_leaf_blocks(ref));
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
int snapmap_build_put(struct snapmap_build *build, const struct snapmap_key *key, const void *value,
		      u32 value_len)
{
	struct snapmap_item item = item_for(build, key, value, value_len);
	u64 entries = build->table.entries;
	struct snapmap_path path;
	int err = 0;
	int tries;

	if (!snapmap_value_is_inline(key->len, value_len))
		err = store_value(build, &item);
	for (tries = 0; !err && tries < PUT_TRIES; tries++) {
		err = snapmap_trie_descend(build, key->hash, &path);
		if (err)
			break;
		err = leaf_put(build, &path, &item);
		if (!err) {
			account(build, key->len, value_len, 1);
			if (build->table.entries > entries)
				snapmap_filter_add(build, key->hash);
			return 0;
		}
		if (err == -EAGAIN)
			err = split_leaf(build, &path);
	}
	if (item.block)
		snapmap_arena_free(build->arena, item.block);
	return err ?: -EOVERFLOW;
}

/**
 * snapmap_build_add_leaf() - put a leaf where there is none yet
 * @build: the build
 * @hash: hash of one of the keys that it is for
 * @depth: hash bits that they have in common, and no other keys
 * @granules: what their entries will take; not 0
 * @ref: out: its reference
 *
 * Context: may sleep.
 * Return: 0; -ENOMEM; -ENOSPC; -EOVERFLOW. After a failure the build can only be
 *	aborted.
 */
int snapmap_build_add_leaf(struct snapmap_build *build, u64 hash, u32 depth, u32 granules,
			   u32 *ref)
{
	struct snapmap_leaf leaf;
	struct snapmap_path path;
	u32 bits = 0;
	int err;

	do {
		err = snapmap_trie_descend(build, hash, &path);
		if (err)
			return err;
		if (path.levels)
			bits = path.step[path.levels - 1].pos + path.step[path.levels - 1].bits;
		if (bits < depth)
			err = snapmap_trie_deepen(build, &path);
	} while (!err && bits < depth);
	if (err)
		return err;
	*ref = new_leaf(build, granules, &err);
	if (!*ref)
		return err;
	leaf = leaf_at(build, *ref);
	snapmap_leaf_empty(&leaf);
	snapmap_path_add_leaf(build, &path, bits - depth, *ref);
	return 0;
}

/**
 * snapmap_build_append() - write an entry into a leaf that has just been added
 * @build: the build
 * @ref: the leaf
 * @key: the key, which is not in the table
 * @value: the value
 * @value_len: its length, at most SNAPMAP_VALUE_MAX
 *
 * Context: may sleep.
 * Return: 0; -EAGAIN when the leaf has no room, with nothing changed; -ENOMEM;
 *	-ENOSPC. After the last two the build can only be aborted.
 */
int snapmap_build_append(struct snapmap_build *build, u32 ref, const struct snapmap_key *key,
			 const void *value, u32 value_len)
{
	struct snapmap_item item = item_for(build, key, value, value_len);
	struct snapmap_leaf leaf = leaf_at(build, ref);
	int err = 0;

	if (!snapmap_value_is_inline(key->len, value_len))
		err = store_value(build, &item);
	if (err)
		return err;
	if (snapmap_leaf_add(&leaf, &item)) {
		account(build, key->len, value_len, 1);
		return 0;
	}
	if (item.block)
		snapmap_arena_free(build->arena, item.block);
	return -EAGAIN;
}

/*
 * Joins the leaf that @path leads to with its buddy, the leaf of the same size
 * of group beside it, when both together are at most half a leaf.
 */
static bool merge_leaf(struct snapmap_build *build, const struct snapmap_path *path)
{
	const struct snapmap_leaf_filter all = { .seed = build->seed, .want = -1 };
	u32 size, first, buddy, merged, i;
	u32 granules = 0;
	struct snapmap_step last;
	u32 pair[2];

	if (!path->levels)
		return false;
	last = path->step[path->levels - 1];
	size = snapmap_step_group(&last);
	if (size == 1U << last.bits)
		return false;
	first = snapmap_step_first(&last, size);
	buddy = first ^ size;
	pair[0] = last.slots[first];
	pair[1] = last.slots[buddy];
	if (!snapmap_step_all(&last, buddy, size, pair[1]))
		return false;
	for (i = 0; i < 2; i++)
		granules += used_granules(build, pair[i]);
	if (snapmap_leaf_size_for(granules) > SNAPMAP_LEAF_BLOCKS_MAX / 2)
		return false;
	if (!pair[0] || !pair[1])
		merged = pair[0] | pair[1];
	else if (rebuild_leaf(build, pair, &all, NULL, &merged))
		return false;
	snapmap_path_set(build, path, min(first, buddy), 2 * size, merged);
	for (i = 0; i < 2; i++)
		if (pair[i] && pair[i] != merged)
			snapmap_build_drop(build, SNAPMAP_REF_BLOCK(pair[i]));
	return true;
}

/*
 * Makes a leaf smaller that has lost entries. That saves memory and is not
 * needed for correctness, so a failed allocation is passed over.
 */
static void shrink_leaf(struct snapmap_build *build, const struct snapmap_path *path)
{
	const struct snapmap_leaf_filter all = { .seed = build->seed, .want = -1 };
	u32 old[2] = { snapmap_path_leaf(build, path), 0 };
	u32 used = used_granules(build, old[0]);
	u32 ref = 0;

	if (used && snapmap_leaf_size_for(used) + 2 > snapmap_leaf_blocks(old[0]))
		return;
	if (used && rebuild_leaf(build, old, &all, NULL, &ref))
		return;
	snapmap_path_set_leaf(build, path, ref);
	snapmap_build_drop(build, SNAPMAP_REF_BLOCK(old[0]));
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
	struct snapmap_path path;
	struct snapmap_leaf leaf;
	u32 granule;
	int err;

	if (!snapmap_lookup(&view, build->table.root, key->hash, key->data, key->len, &hit))
		return -ENOENT;
	err = snapmap_trie_descend(build, key->hash, &path);
	if (!err)
		err = own_leaf(build, &path, &leaf);
	if (err)
		return err;
	granule = snapmap_leaf_find(&leaf, key->hash, key->data, key->len);
	drop_entry(build, snapmap_leaf_entry(&leaf, granule));
	snapmap_leaf_remove(&leaf, granule);
	shrink_leaf(build, &path);
	return 0;
}

typedef void (*visit_fn)(struct snapmap_build *build, u32 block);

static void visit_leaf(struct snapmap_build *build, u32 ref, bool own, visit_fn visit)
{
	struct snapmap_leaf leaf = leaf_at(build, ref);
	u32 granule, block;

	for (granule = snapmap_leaf_next(&leaf, 0); granule != SNAPMAP_NO_GRANULE;
	     granule = snapmap_leaf_next(&leaf, granule + 1)) {
		block = snapmap_entry_block(snapmap_leaf_entry(&leaf, granule));
		if (block && (!own || snapmap_build_owns(build, block)))
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

	if (!ref || (own && !snapmap_build_owns(build, SNAPMAP_REF_BLOCK(ref))))
		return;
	if (!levels) {
		visit_leaf(build, ref, own, visit);
		return;
	}
	slots = snapmap_arena_at(build->arena, SNAPMAP_REF_BLOCK(ref));
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
	snapmap_filter_each(build, own, visit);
	snapmap_directory_each(build, own, visit);
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
	visit_all(build, false, snapmap_build_drop);
}

/**
 * snapmap_build_finish() - last step before publication
 * @build: the build
 *
 * A table that has become empty gives back its inner nodes. A large one has a directory.
 *
 * Context: may sleep.
 */
void snapmap_build_finish(struct snapmap_build *build)
{
	if (!build->table.entries)
		snapmap_build_clear(build);
	snapmap_directory_finish(build);
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

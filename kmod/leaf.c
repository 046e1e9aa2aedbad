// SPDX-License-Identifier: GPL-2.0-only
/*
 * leaf.c - entries in the memory of one leaf
 *
 * The bytes are described in snapmap_layout.h. Nothing here allocates, locks
 * or knows of the trie: a leaf is a piece of memory that nobody else sees yet.
 *
 * An entry is placed at home, on the line that its hash names, when its
 * granules are free there, and else where it first fits. A leaf can have the
 * room in total and still no row that is long enough; copying it into a fresh
 * leaf of the same size mends that, in the last resort without regard to homes
 * (snapmap_leaf_copy() with @home false always fits when the total does).
 */
#include <linux/kernel.h>
#include <linux/string.h>
#include <linux/xxhash.h>

#include "broken.h"
#include "leaf.h"

/**
 * snapmap_hash() - the hash of a key
 * @seed: the map's seed
 * @key: the key
 * @key_len: its length
 *
 * Source: XXH64, Yann Collet.
 */
u64 snapmap_hash(u64 seed, const void *key, u32 key_len)
{
	return xxh64(key, key_len, seed);
}

static u32 granules(u32 key_len, u32 tail)
{
	u32 bytes = sizeof(struct snapmap_entry) + ALIGN(key_len, 8) + tail;

	return DIV_ROUND_UP(bytes, SNAPMAP_GRANULE_SIZE);
}

/**
 * snapmap_value_is_inline() - whether a value lies in the leaf
 * @key_len: bytes of the key
 * @value_len: bytes of the value
 */
bool snapmap_value_is_inline(u32 key_len, u32 value_len)
{
	return sizeof(struct snapmap_entry) + ALIGN(key_len, 8) + value_len <=
	       SNAPMAP_ENTRY_INLINE_MAX;
}

/**
 * snapmap_item_granules() - granules that an entry will take
 * @item: the entry
 */
u32 snapmap_item_granules(const struct snapmap_item *item)
{
	return granules(item->key_len,
			item->block ? sizeof(struct snapmap_extern) : item->value_len);
}

/**
 * snapmap_entry_granules() - granules that an entry takes
 * @entry: the entry, in a leaf
 */
u32 snapmap_entry_granules(const struct snapmap_entry *entry)
{
	return granules(entry->key_len, entry->value_len & SNAPMAP_ENTRY_EXTERNAL ?
			sizeof(struct snapmap_extern) : entry->value_len);
}

/**
 * snapmap_leaf_size_for() - the smallest leaf for so many granules of entries
 * @granules: granules that the entries take
 *
 * Return: its size in blocks; more than SNAPMAP_LEAF_BLOCKS_MAX when none is.
 */
u32 snapmap_leaf_size_for(u32 granules)
{
	u32 blocks = 1;

	while (blocks * SNAPMAP_BLOCK_GRANULES - snapmap_tag_granules(blocks) < granules)
		blocks++;
	return blocks;
}

/**
 * snapmap_leaf_used() - granules that a leaf's entries take
 * @leaf: the leaf
 * @blocks: its size
 */
u32 snapmap_leaf_used(const u8 *leaf, u32 blocks)
{
	u32 used = 0;
	u32 i;

	for (i = 0; i < blocks * SNAPMAP_BLOCK_GRANULES; i++)
		used += leaf[i] != SNAPMAP_TAG_FREE;
	return used;
}

/**
 * snapmap_leaf_next() - iterate over entries
 * @leaf: the leaf
 * @blocks: its size
 * @granule: 0 to begin, else what the last call returned
 *
 * Return: granule of the next entry in the order of granules, 0 at the end.
 */
u32 snapmap_leaf_next(const u8 *leaf, u32 blocks, u32 granule)
{
	for (granule++; granule < blocks * SNAPMAP_BLOCK_GRANULES; granule++)
		if (leaf[granule] >= SNAPMAP_TAG_FIRST)
			return granule;
	return 0;
}

static bool row_is_free(const u8 *leaf, u32 blocks, u32 granule, u32 want)
{
	if (granule + want > blocks * SNAPMAP_BLOCK_GRANULES)
		return false;
	for (; want; want--)
		if (leaf[granule++] != SNAPMAP_TAG_FREE)
			return false;
	return true;
}

/* Where @want free granules in a row begin, 0 when they do nowhere. */
static u32 first_fit(const u8 *leaf, u32 blocks, u32 want)
{
	u32 end = blocks * SNAPMAP_BLOCK_GRANULES;
	u32 row = 0;
	u32 i;

	for (i = snapmap_tag_granules(blocks); i < end; i++) {
		row = leaf[i] == SNAPMAP_TAG_FREE ? row + 1 : 0;
		if (row == want)
			return i + 1 - want;
	}
	return 0;
}

static u32 find_place(const u8 *leaf, u32 blocks, u64 hash, u32 want, bool at_home)
{
	u32 home = snapmap_home_line(hash, blocks) * 2;

	if (at_home && row_is_free(leaf, blocks, home, want))
		return home;
	return first_fit(leaf, blocks, want);
}

static void mark(u8 *leaf, u32 granule, u32 count, u8 tag)
{
	leaf[granule] = tag;
	memset(leaf + granule + 1, tag ? SNAPMAP_TAG_CONT : SNAPMAP_TAG_FREE, count - 1);
}

/**
 * snapmap_leaf_overwrite() - write an entry over one that takes as many granules
 * @leaf: the leaf
 * @granule: where the entry lies
 * @item: what to write
 */
void snapmap_leaf_overwrite(u8 *leaf, u32 granule, const struct snapmap_item *item)
{
	struct snapmap_entry *entry = snapmap_leaf_entry(leaf, granule);
	u32 pad = ALIGN(item->key_len, 8) - item->key_len;
	struct snapmap_extern *external;

	entry->version = item->version;
	entry->value_len = item->value_len | (item->block ? SNAPMAP_ENTRY_EXTERNAL : 0);
	entry->key_len = item->key_len;
	entry->check = snapmap_hash_check(item->hash);
	memcpy(entry + 1, item->key, item->key_len);
	memset((u8 *)(entry + 1) + item->key_len, 0, pad);
	if (item->block) {
		external = snapmap_entry_value(entry);
		external->block = item->block;
		external->reserved = 0;
	} else if (item->value_len) {
		memcpy(snapmap_entry_value(entry), item->value, item->value_len);
	}
}

/**
 * snapmap_leaf_add() - write an entry where there is room
 * @leaf: the leaf
 * @blocks: its size
 * @item: the entry, whose key is not in the leaf
 *
 * Return: false when no row of free granules is long enough.
 */
bool snapmap_leaf_add(u8 *leaf, u32 blocks, const struct snapmap_item *item)
{
	u32 want = snapmap_item_granules(item);
	u32 granule = find_place(leaf, blocks, item->hash, want, true);

	if (!granule)
		return false;
	snapmap_leaf_overwrite(leaf, granule, item);
	mark(leaf, granule, want, snapmap_hash_tag(item->hash));
	return true;
}

/**
 * snapmap_leaf_remove() - free the granules of an entry
 * @leaf: the leaf
 * @granule: where the entry begins
 */
void snapmap_leaf_remove(u8 *leaf, u32 granule)
{
	mark(leaf, granule, snapmap_entry_granules(snapmap_leaf_entry(leaf, granule)),
	     SNAPMAP_TAG_FREE);
}

/**
 * snapmap_leaf_matches() - whether a filter means an entry
 * @filter: the filter
 * @entry: the entry
 */
bool snapmap_leaf_matches(const struct snapmap_leaf_filter *filter,
			  const struct snapmap_entry *entry)
{
	u64 hash;

	if (filter->want < 0)
		return true;
	hash = snapmap_hash(filter->seed, entry + 1, entry->key_len);
	if (snapmap_broken(SNAPMAP_BREAK_SPLIT))
		hash = ~hash;
	return (int)(hash >> (63 - filter->bit) & 1) == filter->want;
}

/**
 * snapmap_leaf_count() - granules that the entries meant by a filter take
 * @leaf: the leaf
 * @blocks: its size
 * @filter: which entries
 */
u32 snapmap_leaf_count(const u8 *leaf, u32 blocks, const struct snapmap_leaf_filter *filter)
{
	const struct snapmap_entry *entry;
	u32 granule = 0;
	u32 used = 0;

	while ((granule = snapmap_leaf_next(leaf, blocks, granule))) {
		entry = snapmap_leaf_entry(leaf, granule);
		if (snapmap_leaf_matches(filter, entry))
			used += snapmap_entry_granules(entry);
	}
	return used;
}

/**
 * snapmap_leaf_copy() - add the entries of one leaf to another
 * @to: the leaf that grows; its tags are valid
 * @to_blocks: its size; it has the room in total
 * @from: the leaf that is read
 * @from_blocks: its size
 * @filter: which of its entries
 * @home: place entries at home where that is free
 *
 * Return: false when an entry found no row of free granules. That cannot be
 *	with @home false and an empty @to.
 */
bool snapmap_leaf_copy(u8 *to, u32 to_blocks, const u8 *from, u32 from_blocks,
		       const struct snapmap_leaf_filter *filter, bool home)
{
	const struct snapmap_entry *entry;
	u32 granule = 0;
	u32 count, place;
	u64 hash;

	while ((granule = snapmap_leaf_next(from, from_blocks, granule))) {
		entry = snapmap_leaf_entry(from, granule);
		if (!snapmap_leaf_matches(filter, entry))
			continue;
		hash = snapmap_hash(filter->seed, entry + 1, entry->key_len);
		count = snapmap_entry_granules(entry);
		place = find_place(to, to_blocks, hash, count, home);
		if (!place)
			return false;
		memcpy(to + (place << SNAPMAP_GRANULE_SHIFT), entry,
		       count << SNAPMAP_GRANULE_SHIFT);
		mark(to, place, count, from[granule]);
	}
	return true;
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * leaf.c - entries in the memory of one leaf
 *
 * The bytes are described in snapmap_layout.h. Nothing here allocates, locks
 * or knows of the trie: a leaf is a piece of memory that nobody else sees yet.
 *
 * An entry is placed where it first fits from its home on, the line that its hash
 * names. Of entries that are placed together, those come first that find their home
 * free, so that fewer are driven away. A leaf can have the room in total and still no
 * row that is long enough; copying it into an empty leaf of the same size mends that,
 * in the last resort without regard to homes.
 */
#include <linux/bitops.h>
#include <linux/kernel.h>
#include <linux/string.h>

#include "arena.h"
#include "broken.h"
#include "leaf.h"

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
	return DIV_ROUND_UP(granules, SNAPMAP_BLOCK_GRANULES);
}

static u64 free_granules(const struct snapmap_leaf *leaf)
{
	u64 mask = snapmap_leaf_tagged(leaf, SNAPMAP_TAG_FREE);

	return snapmap_mask_from(leaf, mask, 0);
}

/**
 * snapmap_leaf_used() - granules that a leaf's entries take
 * @leaf: the leaf
 */
u32 snapmap_leaf_used(const struct snapmap_leaf *leaf)
{
	return leaf->blocks * SNAPMAP_BLOCK_GRANULES - hweight64(free_granules(leaf));
}

/**
 * snapmap_leaf_empty() - let a leaf have no entries
 * @leaf: the leaf; its bytes and tags may be any
 */
void snapmap_leaf_empty(const struct snapmap_leaf *leaf)
{
	memset(leaf->tags, SNAPMAP_TAG_FREE, leaf->blocks * SNAPMAP_BLOCK_GRANULES);
}

/* Where a row of @want granules of a set begins. */
static u64 rows(u64 set, u32 want)
{
	u32 have, step;

	for (have = 1; have < want; have += step) {
		step = min(have, want - have);
		set &= set >> step;
	}
	return set;
}

static void mark(const struct snapmap_leaf *leaf, u32 granule, u32 count, u8 tag)
{
	leaf->tags[granule] = tag;
	memset(leaf->tags + granule + 1, tag ? SNAPMAP_TAG_CONT : SNAPMAP_TAG_FREE, count - 1);
}

/*
 * Takes room for an entry from @free, the first from @home on, or nowhere but @at_home.
 * Returns where; SNAPMAP_NO_GRANULE when no row is as long.
 */
static u32 take_place(const struct snapmap_leaf *leaf, u64 *free, u32 home, bool at_home, u8 tag,
		      u32 want)
{
	u64 fits = rows(*free, want);
	u32 place;

	if (at_home)
		fits &= 1ULL << home;
	if (!fits)
		return SNAPMAP_NO_GRANULE;
	place = snapmap_mask_first(snapmap_mask_from(leaf, fits, home), home);
	mark(leaf, place, want, tag);
	*free &= ~(((1ULL << want) - 1) << place);
	return place;
}

/**
 * snapmap_leaf_overwrite() - write an entry over one that takes as many granules
 * @leaf: the leaf
 * @granule: where the entry lies
 * @item: what to write
 */
void snapmap_leaf_overwrite(const struct snapmap_leaf *leaf, u32 granule,
			    const struct snapmap_item *item)
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
 * @item: the entry, whose key is not in the leaf
 *
 * Return: false when no row of free granules is long enough.
 */
bool snapmap_leaf_add(const struct snapmap_leaf *leaf, const struct snapmap_item *item)
{
	u64 free = free_granules(leaf);
	u32 granule = take_place(leaf, &free, snapmap_leaf_home(leaf, item->hash), false,
				 snapmap_hash_tag(item->hash), snapmap_item_granules(item));

	if (granule == SNAPMAP_NO_GRANULE)
		return false;
	snapmap_leaf_overwrite(leaf, granule, item);
	return true;
}

/**
 * snapmap_leaf_remove() - free the granules of an entry
 * @leaf: the leaf
 * @granule: where the entry begins
 */
void snapmap_leaf_remove(const struct snapmap_leaf *leaf, u32 granule)
{
	mark(leaf, granule, snapmap_entry_granules(snapmap_leaf_entry(leaf, granule)),
	     SNAPMAP_TAG_FREE);
}

static bool is_meant(const struct snapmap_leaf_filter *filter, const struct snapmap_entry *entry)
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
 * snapmap_leaf_select() - choose entries of a leaf
 * @leaf: the leaf
 * @filter: which entries are meant
 * @set: out: the granules at which they begin, as a bit mask
 *
 * Return: granules that they take.
 */
u32 snapmap_leaf_select(const struct snapmap_leaf *leaf, const struct snapmap_leaf_filter *filter,
			u64 *set)
{
	const struct snapmap_entry *entry;
	u32 used = 0;
	u32 granule;

	*set = 0;
	for (granule = snapmap_leaf_next(leaf, 0); granule != SNAPMAP_NO_GRANULE;
	     granule = snapmap_leaf_next(leaf, granule + 1)) {
		entry = snapmap_leaf_entry(leaf, granule);
		if (!is_meant(filter, entry))
			continue;
		used += snapmap_entry_granules(entry);
		*set |= 1ULL << granule;
	}
	return used;
}

/* How entries are placed. */
enum placing {
	AT_HOME,	/* or not at all */
	FROM_HOME,
	CLOSE,		/* one behind the other */
};

/* Copies what finds room in @free; returns the rest of @set. */
static u64 copy_entries(const struct snapmap_leaf *to, const struct snapmap_leaf *from, u64 set,
			enum placing placing, u64 *free)
{
	const struct snapmap_entry *entry;
	u32 granule, count, place, home;
	u64 left = 0;

	for (; set; set &= set - 1) {
		granule = __ffs64(set);
		entry = snapmap_leaf_entry(from, granule);
		count = snapmap_entry_granules(entry);
		home = placing == CLOSE ? 0 : snapmap_home_granule(entry->check, to->blocks);
		place = take_place(to, free, home, placing == AT_HOME, from->tags[granule], count);
		if (place == SNAPMAP_NO_GRANULE)
			left |= 1ULL << granule;
		else
			memcpy(snapmap_leaf_entry(to, place), entry,
			       count << SNAPMAP_GRANULE_SHIFT);
	}
	return left;
}

/**
 * snapmap_leaf_copy() - add entries of one leaf to another
 * @to: the leaf that grows; its tags are valid
 * @from: the leaf that is read
 * @set: which of its entries: the granules at which they begin, as a bit mask
 * @home: place entries at home, or near; else one behind the other
 *
 * Return: false when an entry found no row of free granules. That cannot be
 *	with @home false and an empty @to that has the room in total.
 */
bool snapmap_leaf_copy(const struct snapmap_leaf *to, const struct snapmap_leaf *from, u64 set,
		       bool home)
{
	u64 free = free_granules(to);

	if (!home)
		return !copy_entries(to, from, set, CLOSE, &free);
	set = copy_entries(to, from, set, AT_HOME, &free);
	return !copy_entries(to, from, set, FROM_HOME, &free);
}

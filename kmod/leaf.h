/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SNAPMAP_LEAF_H
#define SNAPMAP_LEAF_H

#include <linux/snapmap_layout.h>
#include <linux/types.h>

struct snapmap_leaf;

#define SNAPMAP_ENTRY_GRANULES_MAX \
	((SNAPMAP_ENTRY_INLINE_MAX + SNAPMAP_GRANULE_SIZE - 1) >> SNAPMAP_GRANULE_SHIFT)

/**
 * struct snapmap_key - a key and its hash
 * @data: the key
 * @len: its length, 1 to SNAPMAP_KEY_MAX
 * @hash: snapmap_hash() of it
 */
struct snapmap_key {
	const void *data;
	u32 len;
	u64 hash;
};

/**
 * struct snapmap_item - an entry about to be written into a leaf
 * @hash: the key's hash
 * @key: the key
 * @key_len: its length
 * @value: the value; NULL when it lies in a run of its own
 * @value_len: its length, without SNAPMAP_ENTRY_EXTERNAL
 * @block: first block of that run, else 0
 * @version: version that writes it
 */
struct snapmap_item {
	u64 hash;
	const void *key;
	u32 key_len;
	const void *value;
	u32 value_len;
	u32 block;
	u64 version;
};

/**
 * struct snapmap_leaf_filter - which entries of a leaf are meant
 * @seed: the map's hash seed
 * @bit: number of a hash bit, the most significant being 0
 * @want: the value that it must have; -1 for all entries
 */
struct snapmap_leaf_filter {
	u64 seed;
	u32 bit;
	int want;
};

u32 snapmap_item_granules(const struct snapmap_item *item);
u32 snapmap_entry_granules(const struct snapmap_entry *entry);
bool snapmap_value_is_inline(u32 key_len, u32 value_len);
u32 snapmap_leaf_size_for(u32 granules);
u32 snapmap_leaf_used(const struct snapmap_leaf *leaf);
void snapmap_leaf_empty(const struct snapmap_leaf *leaf);
bool snapmap_leaf_add(const struct snapmap_leaf *leaf, const struct snapmap_item *item);
void snapmap_leaf_overwrite(const struct snapmap_leaf *leaf, u32 granule,
			    const struct snapmap_item *item);
void snapmap_leaf_remove(const struct snapmap_leaf *leaf, u32 granule);
u32 snapmap_leaf_select(const struct snapmap_leaf *leaf, const struct snapmap_leaf_filter *filter,
			u64 *set);
bool snapmap_leaf_copy(const struct snapmap_leaf *to, const struct snapmap_leaf *from, u64 set,
		       bool home);

/* Where an entry's value, or its struct snapmap_extern, lies. */
static inline void *snapmap_entry_value(const struct snapmap_entry *entry)
{
	return (u8 *)(entry + 1) + ((entry->key_len + 7) & ~7U);
}

static inline u32 snapmap_entry_value_len(const struct snapmap_entry *entry)
{
	return entry->value_len & ~SNAPMAP_ENTRY_EXTERNAL;
}

/* First block of an entry's value run, 0 when the value lies in the leaf. */
static inline u32 snapmap_entry_block(const struct snapmap_entry *entry)
{
	const struct snapmap_extern *external = snapmap_entry_value(entry);

	return entry->value_len & SNAPMAP_ENTRY_EXTERNAL ? external->block : 0;
}

#endif /* SNAPMAP_LEAF_H */

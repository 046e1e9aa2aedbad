/* SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-or-later OR MIT */
/*
 * lookup.h - finds a key in a snapshot
 *
 * The one implementation of the walk that snapmap_layout.h describes. The
 * module and the library both compile it, hence its licence. It trusts no
 * byte of the arena: it stops, and stays inside the arena, whatever it meets
 * (promise H), so that a live reader may call it on blocks that are being
 * reused and find out afterwards.
 *
 * Who includes it defines before:
 *
 *	struct snapmap_view
 *	const void *snapmap_view_at(const struct snapmap_view *view, u32 block,
 *				    u32 blocks)
 *		address of a run of blocks that is contiguous in memory, or NULL
 *		when it is not all inside the arena
 *	u8, u16, u32, u64, READ_ONCE()
 *
 * Every field is loaded once, so that what has been checked is what is used.
 */
#ifndef SNAPMAP_LOOKUP_H
#define SNAPMAP_LOOKUP_H

#include <linux/snapmap_layout.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

/**
 * struct snapmap_hit - an entry that was found
 * @value: its value, inside the arena
 * @value_len: bytes of the value
 * @version: version that last wrote the entry
 */
struct snapmap_hit {
	const void *value;
	u32 value_len;
	u64 version;
};

static inline u32 snapmap_pad8(u32 bytes)
{
	return (bytes + 7) & ~7U;
}

static inline u32 snapmap_value_blocks(u32 value_len)
{
	return (value_len + SNAPMAP_BLOCK_SIZE - 1) >> SNAPMAP_BLOCK_SHIFT;
}

static inline u32 snapmap_leaf_blocks(u32 ref)
{
	return SNAPMAP_REF_ARG(ref) + 1;
}

static inline u32 snapmap_node_blocks(u32 bits)
{
	u32 bytes = sizeof(u32) << bits;

	return (bytes + SNAPMAP_BLOCK_SIZE - 1) >> SNAPMAP_BLOCK_SHIFT;
}

/* Which of the 16 granules of a block carry @tag, as a bit mask. */
static inline u32 snapmap_tag_match(const u8 *tags, u8 tag)
{
#ifdef __SSE2__
	__m128i have = _mm_loadu_si128((const __m128i *)tags);

	return _mm_movemask_epi8(_mm_cmpeq_epi8(have, _mm_set1_epi8((char)tag)));
#else
	u32 mask = 0;
	u32 i;

	for (i = 0; i < SNAPMAP_BLOCK_GRANULES; i++)
		mask |= (u32)(tags[i] == tag) << i;
	return mask;
#endif
}

/* Fills @hit from the entry at @offset, of whose value @value_at is known to be in the leaf. */
static inline bool snapmap_entry_fill(const struct snapmap_view *view, const u8 *leaf, u32 offset,
				      u32 value_at, u32 end, struct snapmap_hit *hit)
{
	const struct snapmap_entry *entry = (const void *)(leaf + offset);
	u32 value_len = READ_ONCE(entry->value_len);

	hit->version = READ_ONCE(entry->version);
	hit->value = leaf + value_at;
	hit->value_len = value_len & ~SNAPMAP_ENTRY_EXTERNAL;
	if (!(value_len & SNAPMAP_ENTRY_EXTERNAL))
		return value_len <= end - value_at;
	if (hit->value_len > SNAPMAP_VALUE_MAX ||
	    value_at + sizeof(struct snapmap_extern) > end)
		return false;
	hit->value = snapmap_view_at(view, READ_ONCE(((const struct snapmap_extern *)
						      hit->value)->block),
				     snapmap_value_blocks(hit->value_len));
	return hit->value;
}

/* Fills @hit from the entry at @offset if that holds the key. */
static inline bool snapmap_entry_hit(const struct snapmap_view *view,
				     const u8 *leaf, u32 offset, u32 end,
				     u64 hash, const void *key, u32 key_len,
				     struct snapmap_hit *hit)
{
	const struct snapmap_entry *entry = (const void *)(leaf + offset);
	u32 value_at = offset + sizeof(*entry) + snapmap_pad8(key_len);

	if (READ_ONCE(entry->check) != snapmap_hash_check(hash) ||
	    READ_ONCE(entry->key_len) != key_len || value_at > end ||
	    memcmp(entry + 1, key, key_len))
		return false;
	return snapmap_entry_fill(view, leaf, offset, value_at, end, hit);
}

/**
 * snapmap_entry_read() - read an entry, whatever its key is
 * @view: where external values are found
 * @leaf: the leaf's first byte
 * @blocks: its size, 1 to SNAPMAP_LEAF_BLOCKS_MAX
 * @granule: where the entry begins, less than the leaf has
 * @key_len: out: length of its key, which lies behind the struct snapmap_entry
 * @hit: out: filled
 *
 * Return: the key; NULL when the entry does not lie in the leaf, or its value
 * not in the arena.
 */
static inline const void *snapmap_entry_read(const struct snapmap_view *view, const u8 *leaf,
					     u32 blocks, u32 granule, u32 *key_len,
					     struct snapmap_hit *hit)
{
	u32 offset = granule << SNAPMAP_GRANULE_SHIFT;
	const struct snapmap_entry *entry = (const void *)(leaf + offset);
	u32 end = blocks << SNAPMAP_BLOCK_SHIFT;
	u32 value_at;

	*key_len = READ_ONCE(entry->key_len);
	value_at = offset + sizeof(*entry) + snapmap_pad8(*key_len);
	if (!*key_len || *key_len > SNAPMAP_KEY_MAX || value_at > end ||
	    !snapmap_entry_fill(view, leaf, offset, value_at, end, hit))
		return NULL;
	return entry + 1;
}

/**
 * snapmap_leaf_find() - find a key in a leaf
 * @view: where external values are found
 * @leaf: the leaf's first byte
 * @blocks: its size, 1 to SNAPMAP_LEAF_BLOCKS_MAX
 * @hash: the key's hash
 * @key: the key
 * @key_len: its length
 * @hit: out: filled when found
 *
 * Return: the granule at which the entry begins, 0 when there is none.
 */
static inline u32 snapmap_leaf_find(const struct snapmap_view *view,
				    const u8 *leaf, u32 blocks, u64 hash,
				    const void *key, u32 key_len,
				    struct snapmap_hit *hit)
{
	u32 end = blocks << SNAPMAP_BLOCK_SHIFT;
	u32 home = snapmap_home_line(hash, blocks) * 2;
	u32 first = snapmap_tag_granules(blocks);
	u8 tag = snapmap_hash_tag(hash);
	u32 granule, mask, i;

	/* Most entries are at home: no need to wait for all tags. */
	if (READ_ONCE(leaf[home]) == tag &&
	    snapmap_entry_hit(view, leaf, home << SNAPMAP_GRANULE_SHIFT, end,
			      hash, key, key_len, hit))
		return home;
	for (i = 0; i < blocks; i++) {
		mask = snapmap_tag_match(leaf + i * SNAPMAP_BLOCK_GRANULES, tag);
		for (; mask; mask &= mask - 1) {
			granule = i * SNAPMAP_BLOCK_GRANULES + __builtin_ctz(mask);
			if (granule >= first &&
			    snapmap_entry_hit(view, leaf,
					      granule << SNAPMAP_GRANULE_SHIFT,
					      end, hash, key, key_len, hit))
				return granule;
		}
	}
	return 0;
}

/**
 * snapmap_walk() - find the leaf of a hash
 * @view: where blocks are found
 * @root: root word of the snapshot
 * @hash: the key's hash
 *
 * Return: reference of the leaf; 0 when it is empty or the trie is malformed.
 */
static inline u32 snapmap_walk(const struct snapmap_view *view, u64 root, u64 hash)
{
	u32 levels = SNAPMAP_ROOT_LEVELS(root);
	u32 bits = SNAPMAP_ROOT_BITS(root);
	u32 ref = SNAPMAP_ROOT_REF(root);
	const u32 *slots;
	u32 pos = 0;

	if (levels > SNAPMAP_LEVELS_MAX || bits > SNAPMAP_NODE_BITS ||
	    (levels && !bits))
		return 0;
	for (; levels; levels--) {
		slots = snapmap_view_at(view, SNAPMAP_REF_BLOCK(ref),
					snapmap_node_blocks(bits));
		if (!slots || pos + bits > 64)
			return 0;
		ref = READ_ONCE(slots[(hash << pos) >> (64 - bits)]);
		pos += bits;
		if (levels > 1) {
			if (SNAPMAP_REF_ARG(ref) > pos)
				return 0;
			pos -= SNAPMAP_REF_ARG(ref);
			bits = SNAPMAP_NODE_BITS;
		}
	}
	return ref;
}

/**
 * snapmap_lookup() - find a key in a snapshot
 * @view: where blocks are found
 * @root: root word of the snapshot
 * @hash: the key's hash
 * @key: the key
 * @key_len: its length, at most SNAPMAP_KEY_MAX
 * @hit: out: filled when found
 *
 * Return: true when found. For a live reader the answer, either way, holds only
 * if the snapshot proves to be intact afterwards.
 */
static inline bool snapmap_lookup(const struct snapmap_view *view, u64 root,
				  u64 hash, const void *key, u32 key_len,
				  struct snapmap_hit *hit)
{
	u32 ref = snapmap_walk(view, root, hash);
	u32 blocks = snapmap_leaf_blocks(ref);
	const u8 *leaf;

	if (!ref || blocks > SNAPMAP_LEAF_BLOCKS_MAX)
		return false;
	leaf = snapmap_view_at(view, SNAPMAP_REF_BLOCK(ref), blocks);
	if (!leaf)
		return false;
	__builtin_prefetch(leaf + snapmap_home_line(hash, blocks) * SNAPMAP_LINE_SIZE);
	return snapmap_leaf_find(view, leaf, blocks, hash, key, key_len, hit);
}

#endif /* SNAPMAP_LOOKUP_H */

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
 *	u8, u16, u32, u64, READ_ONCE(), likely(), memcpy()
 *
 * Every field is loaded once, so that what has been checked is what is used.
 */
#ifndef SNAPMAP_LOOKUP_H
#define SNAPMAP_LOOKUP_H

#include <linux/snapmap_layout.h>

#include "hash.h"

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

/* Which of the 64 granules of the largest leaf carry @tag, as a bit mask. */
static inline u64 snapmap_tag_match(const u8 *tags, u8 tag)
{
	u64 mask = 0;
	u32 i;

#ifdef __SSE2__
	const __m128i want = _mm_set1_epi8((char)tag);

#pragma GCC unroll 4
	for (i = 0; i < 64; i += 16) {
		__m128i have = _mm_loadu_si128((const __m128i *)(tags + i));

		mask |= (u64)(u32)_mm_movemask_epi8(_mm_cmpeq_epi8(have, want)) << i;
	}
#else
	const u64 low7 = 0x7f7f7f7f7f7f7f7fULL;
	u64 differ;

	/* Eight at a time: the top bit of each byte that does not differ, gathered. */
	for (i = 0; i < 64; i += 8) {
		differ = *(const u64 *)(tags + i) ^ 0x0101010101010101ULL * tag;
		differ |= (differ & low7) + low7;
		mask |= ((~differ & ~low7) >> 7) * 0x0102040810204080ULL >> 56 << i;
	}
#endif
	return mask;
}

/* The entry that begins at a granule; who builds the leaf may write to it. */
static inline struct snapmap_entry *snapmap_leaf_entry(const u8 *leaf, u32 granule)
{
	return (struct snapmap_entry *)(leaf + (granule << SNAPMAP_GRANULE_SHIFT));
}

/* Fills @hit from a value that lies in a run of its own. */
static inline __cold bool snapmap_extern_fill(const struct snapmap_view *view,
					      const struct snapmap_extern *external,
					      const u8 *end, struct snapmap_hit *hit)
{
	if (hit->value_len > SNAPMAP_VALUE_MAX || (const u8 *)(external + 1) > end)
		return false;
	hit->value = snapmap_view_at(view, READ_ONCE(external->block),
				     snapmap_value_blocks(hit->value_len));
	return hit->value;
}

/* Fills @hit from @entry, of whose value @value_at is known to be in the leaf. */
static __always_inline bool snapmap_entry_fill(const struct snapmap_view *view,
					       const struct snapmap_entry *entry,
					       const u8 *value_at, const u8 *end,
					       struct snapmap_hit *hit)
{
	u32 value_len = READ_ONCE(entry->value_len);

	hit->version = READ_ONCE(entry->version);
	hit->value = value_at;
	hit->value_len = value_len & ~SNAPMAP_ENTRY_EXTERNAL;
	if (likely(!(value_len & SNAPMAP_ENTRY_EXTERNAL)))
		return value_len <= end - value_at;
	return snapmap_extern_fill(view, (const void *)value_at, end, hit);
}

/* Word by word, the last one overlapping: most keys are short. */
static inline bool snapmap_key_equal(const void *a, const void *b, u32 len)
{
	u32 last = len - sizeof(u64);
	u64 differ;
	u32 i;

	if (len < sizeof(u64))
		return !memcmp(a, b, len);
	differ = snapmap_load_word(a) ^ snapmap_load_word(b);
	for (i = sizeof(u64); i < last && !differ; i += sizeof(u64))
		differ = snapmap_load_word(a + i) ^ snapmap_load_word(b + i);
	return !(differ | (snapmap_load_word(a + last) ^ snapmap_load_word(b + last)));
}

/*
 * Fills @hit from the entry at @granule if that holds the key. The granule need
 * not be one of the leaf.
 */
static __always_inline bool snapmap_entry_hit(const struct snapmap_view *view, const u8 *leaf,
					      u32 granule, const u8 *end, u64 hash,
					      const void *key, u32 key_len,
					      struct snapmap_hit *hit)
{
	const struct snapmap_entry *entry = snapmap_leaf_entry(leaf, granule);
	const u8 *value_at = (const u8 *)(entry + 1) + snapmap_pad8(key_len);

	return value_at <= end && READ_ONCE(entry->check) == snapmap_hash_check(hash) &&
	       READ_ONCE(entry->key_len) == key_len && snapmap_key_equal(entry + 1, key, key_len) &&
	       snapmap_entry_fill(view, entry, value_at, end, hit);
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
	const struct snapmap_entry *entry = snapmap_leaf_entry(leaf, granule);
	const u8 *end = leaf + (blocks << SNAPMAP_BLOCK_SHIFT);
	const u8 *value_at;

	*key_len = READ_ONCE(entry->key_len);
	value_at = (const u8 *)(entry + 1) + snapmap_pad8(*key_len);
	if (!*key_len || *key_len > SNAPMAP_KEY_MAX || value_at > end ||
	    !snapmap_entry_fill(view, entry, value_at, end, hit))
		return NULL;
	return entry + 1;
}

/*
 * Which granules of a leaf carry the tag of a hash, as a bit mask that begins with
 * granule @home and goes round. In a leaf that is smaller than the largest, some may
 * be beyond its end.
 */
static inline u64 snapmap_leaf_match(const u8 *leaf, u32 home, u64 hash)
{
	u64 mask = snapmap_tag_match(leaf, snapmap_hash_tag(hash));

	return mask >> home | mask << (-home & 63);
}

/* The granule of the first bit of such a mask. */
static inline u32 snapmap_match_first(u64 mask, u32 home)
{
	return (home + __builtin_ctzll(mask)) & 63;
}

/* The granule on whose line an entry lies, if it is at home. */
static inline u32 snapmap_leaf_home(u32 blocks, u16 check)
{
	return snapmap_home_line(check, blocks) * (SNAPMAP_LINE_SIZE / SNAPMAP_GRANULE_SIZE);
}

/**
 * snapmap_leaf_guess() - where in a leaf a key most likely lies
 * @leaf: the leaf's first byte
 * @blocks: its size, 1 to SNAPMAP_LEAF_BLOCKS_MAX
 * @hash: the key's hash
 *
 * Return: a granule, for a prefetch.
 */
static inline u32 snapmap_leaf_guess(const u8 *leaf, u32 blocks, u64 hash)
{
	u32 home = snapmap_leaf_home(blocks, snapmap_hash_check(hash));
	u64 mask = snapmap_leaf_match(leaf, home, hash);

	return mask ? snapmap_match_first(mask, home) : home;
}

/* The entries that are left when the likeliest is another. */
static inline __cold u32 snapmap_leaf_rest(const struct snapmap_view *view, const u8 *leaf,
					   u32 blocks, u64 mask, u64 hash, const void *key,
					   u32 key_len, struct snapmap_hit *hit)
{
	const u8 *end = leaf + (blocks << SNAPMAP_BLOCK_SHIFT);
	u32 home = snapmap_leaf_home(blocks, snapmap_hash_check(hash));
	u32 granule;

	for (; mask; mask &= mask - 1) {
		granule = snapmap_match_first(mask, home);
		if (snapmap_entry_hit(view, leaf, granule, end, hash, key, key_len, hit))
			return granule;
	}
	return 0;
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
static __always_inline u32 snapmap_leaf_find(const struct snapmap_view *view, const u8 *leaf,
					     u32 blocks, u64 hash, const void *key, u32 key_len,
					     struct snapmap_hit *hit)
{
	const u8 *end = leaf + (blocks << SNAPMAP_BLOCK_SHIFT);
	u32 home = snapmap_leaf_home(blocks, snapmap_hash_check(hash));
	u32 granule;
	u64 mask;

	/* Most entries are at home, and their line need not wait for the tags. */
	__builtin_prefetch(leaf + (home << SNAPMAP_GRANULE_SHIFT));
	mask = snapmap_leaf_match(leaf, home, hash);
	if (!mask)
		return 0;
	granule = snapmap_match_first(mask, home);
	if (likely(snapmap_entry_hit(view, leaf, granule, end, hash, key, key_len, hit)))
		return granule;
	return snapmap_leaf_rest(view, leaf, blocks, mask & (mask - 1), hash, key, key_len, hit);
}

/*
 * The slot of a hash in the inner node @ref, NULL when that is not all in the
 * arena. Any @pos stays inside the node; one that cannot be finds nothing.
 */
static inline const u32 *snapmap_slot_at(const struct snapmap_view *view, u32 ref, u32 bits,
					 u32 pos, u64 hash)
{
	const u32 *slots = snapmap_view_at(view, SNAPMAP_REF_BLOCK(ref), snapmap_node_blocks(bits));

	return slots ? slots + (hash << (pos & 63) >> (64 - bits)) : NULL;
}

/* Whether a root word is that of a tree with inner nodes, none of impossible size. */
static inline bool snapmap_root_is_inner(u64 root)
{
	return SNAPMAP_ROOT_LEVELS(root) - 1 < SNAPMAP_LEVELS_MAX &&
	       SNAPMAP_ROOT_BITS(root) - 1 < SNAPMAP_NODE_BITS;
}

/**
 * snapmap_walk() - find the leaf of a hash
 * @view: where blocks are found
 * @root: root word of the snapshot
 * @hash: the key's hash
 *
 * Return: reference of the leaf; 0 when it is empty or the trie is malformed.
 */
static __always_inline u32 snapmap_walk(const struct snapmap_view *view, u64 root, u64 hash)
{
	u32 levels = SNAPMAP_ROOT_LEVELS(root);
	u32 ref = SNAPMAP_ROOT_REF(root);
	u32 pos = SNAPMAP_ROOT_BITS(root);
	const u32 *slot;

	if (!levels)
		return ref;
	if (!snapmap_root_is_inner(root))
		return 0;
	slot = snapmap_slot_at(view, ref, pos, 0, hash);
	while (slot && --levels) {
		ref = READ_ONCE(*slot);
		pos -= SNAPMAP_REF_ARG(ref);
		slot = snapmap_slot_at(view, ref, SNAPMAP_NODE_BITS, pos, hash);
		pos += SNAPMAP_NODE_BITS;
	}
	return slot ? READ_ONCE(*slot) : 0;
}

/**
 * snapmap_leaf_at() - the leaf of a reference
 * @view: where blocks are found
 * @ref: the reference
 *
 * Return: its first byte; NULL when there is none or it is not in the arena.
 */
static inline const u8 *snapmap_leaf_at(const struct snapmap_view *view, u32 ref)
{
	u32 blocks = snapmap_leaf_blocks(ref);

	return ref && blocks <= SNAPMAP_LEAF_BLOCKS_MAX ?
	       snapmap_view_at(view, SNAPMAP_REF_BLOCK(ref), blocks) : NULL;
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
static __always_inline bool snapmap_lookup(const struct snapmap_view *view, u64 root,
					   u64 hash, const void *key, u32 key_len,
					   struct snapmap_hit *hit)
{
	u32 ref = snapmap_walk(view, root, hash);
	const u8 *leaf = snapmap_leaf_at(view, ref);

	return leaf && snapmap_leaf_find(view, leaf, snapmap_leaf_blocks(ref), hash, key, key_len,
					 hit);
}

#endif /* SNAPMAP_LOOKUP_H */

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
 *	u32 snapmap_view_slot(const struct snapmap_view *view, u32 block, u32 slot)
 *		what a slot of the inner node that begins at a block holds; 0 when
 *		it is not inside the arena
 *	u8, u16, u32, u64, READ_ONCE(), likely(), memcpy()
 *
 * and behind:
 *
 *	bool snapmap_view_leaf(const struct snapmap_view *view, u32 block,
 *			       struct snapmap_leaf *leaf)
 *		fills in the leaf of leaf->blocks that begins at a block, false when
 *		it is not all inside the arena. Where vectors are used, there are
 *		SNAPMAP_LEAF_GRANULES_MAX bytes at its tags
 *
 * Every field is loaded once, so that what has been checked is what is used.
 */
#ifndef SNAPMAP_LOOKUP_H
#define SNAPMAP_LOOKUP_H

#include <linux/snapmap_layout.h>

#include "hash.h"

#if defined(__AVX2__)
#include <immintrin.h>
#elif defined(__SSE2__)
#include <emmintrin.h>
#endif

/**
 * struct snapmap_leaf - a leaf and its tags
 * @tags: a byte for each of its granules
 * @bytes: its granules
 * @blocks: its size, 1 to SNAPMAP_LEAF_BLOCKS_MAX
 *
 * Who builds the leaf may write to both.
 */
struct snapmap_leaf {
	u8 *tags;
	u8 *bytes;
	u32 blocks;
};

/* Where no entry begins. */
#define SNAPMAP_NO_GRANULE	SNAPMAP_LEAF_GRANULES_MAX

static inline bool snapmap_view_leaf(const struct snapmap_view *view, u32 block,
				     struct snapmap_leaf *leaf);

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

/*
 * Where a leaf begins. A size that no leaf has makes the block, with the highest bit, one
 * that is not there.
 */
static inline u32 snapmap_leaf_block(u32 ref)
{
	return ref & (SNAPMAP_REF_BLOCK_MASK | SNAPMAP_REF(0, SNAPMAP_LEAF_BLOCKS_MAX));
}

static inline u32 snapmap_node_blocks(u32 bits)
{
	u32 bytes = sizeof(u32) << bits;

	return (bytes + SNAPMAP_BLOCK_SIZE - 1) >> SNAPMAP_BLOCK_SHIFT;
}

/* Which granules carry a tag, as a bit mask; beyond the leaf's end, it tells of others'. */
static __always_inline u64 snapmap_leaf_tagged(const struct snapmap_leaf *leaf, u8 tag)
{
	u64 mask = 0;
	u32 i;

	/* With vectors, all that the largest leaf has: so nothing can be mispredicted. */
#if defined(__AVX2__)
	const __m256i want = _mm256_set1_epi8((char)tag);

#pragma GCC unroll 2
	for (i = 0; i < SNAPMAP_LEAF_GRANULES_MAX; i += 32) {
		__m256i have = _mm256_loadu_si256((const __m256i *)(leaf->tags + i));

		mask |= (u64)(u32)_mm256_movemask_epi8(_mm256_cmpeq_epi8(have, want)) << i;
	}
#elif defined(__SSE2__)
	const __m128i want = _mm_set1_epi8((char)tag);

#pragma GCC unroll 4
	for (i = 0; i < SNAPMAP_LEAF_GRANULES_MAX; i += 16) {
		__m128i have = _mm_loadu_si128((const __m128i *)(leaf->tags + i));

		mask |= (u64)(u32)_mm_movemask_epi8(_mm_cmpeq_epi8(have, want)) << i;
	}
#else
	const u64 low7 = 0x7f7f7f7f7f7f7f7fULL;
	const u64 want = 0x0101010101010101ULL * tag;
	u64 differ;

	/* A block at a time: the top bit of each byte that does not differ, gathered. */
	for (i = 0; i < leaf->blocks * SNAPMAP_BLOCK_GRANULES; i += SNAPMAP_BLOCK_GRANULES) {
		differ = *(const u64 *)(leaf->tags + i) ^ want;
		differ |= (differ & low7) + low7;
		mask |= ((~differ & ~low7) >> 7) * 0x0102040810204080ULL >> 56 << i;
	}
#endif
	return mask;
}

static inline u32 snapmap_leaf_home(const struct snapmap_leaf *leaf, u64 hash)
{
	return snapmap_home_granule(snapmap_hash_check(hash), leaf->blocks);
}

/*
 * Lets a bit mask of granules begin with granule @home and go round; what is not the
 * leaf's is left out.
 */
static __always_inline u64 snapmap_mask_from(const struct snapmap_leaf *leaf, u64 mask, u32 home)
{
	u32 granules = leaf->blocks * SNAPMAP_BLOCK_GRANULES;

#ifdef __BMI2__
	mask = _bzhi_u64(mask, granules);
#else
	mask = mask << (-granules & 63) >> (-granules & 63);
#endif
	return mask >> home | mask << (-home & 63);
}

/* The granule of the first bit of such a mask. */
static inline u32 snapmap_mask_first(u64 mask, u32 home)
{
	return (home + __builtin_ctzll(mask)) & 63;
}

/*
 * Which granules of a leaf carry the tag of a hash, as a bit mask that begins with
 * its home: the nearest is the likeliest.
 */
static __always_inline u64 snapmap_leaf_match(const struct snapmap_leaf *leaf, u32 home, u64 hash)
{
	return snapmap_mask_from(leaf, snapmap_leaf_tagged(leaf, snapmap_hash_tag(hash)), home);
}

/* The entry that begins at a granule. */
static inline struct snapmap_entry *snapmap_leaf_entry(const struct snapmap_leaf *leaf, u32 granule)
{
	return (struct snapmap_entry *)(leaf->bytes + (granule << SNAPMAP_GRANULE_SHIFT));
}

/*
 * Most entries are at home, so that their line need not wait for the tags to tell of
 * it: it may be asked for before.
 */
static inline void snapmap_leaf_prefetch(const struct snapmap_leaf *leaf, u32 granule)
{
	__builtin_prefetch(snapmap_leaf_entry(leaf, granule));
}

static inline const u8 *snapmap_leaf_end(const struct snapmap_leaf *leaf)
{
	return leaf->bytes + (leaf->blocks << SNAPMAP_BLOCK_SHIFT);
}

/**
 * snapmap_leaf_next() - iterate over the entries of a leaf
 * @leaf: the leaf
 * @granule: where to begin
 *
 * Return: granule of the first entry there or later, SNAPMAP_NO_GRANULE when there
 * is none.
 */
static inline u32 snapmap_leaf_next(const struct snapmap_leaf *leaf, u32 granule)
{
	for (; granule < leaf->blocks * SNAPMAP_BLOCK_GRANULES; granule++)
		if (READ_ONCE(leaf->tags[granule]) >= SNAPMAP_TAG_FIRST)
			return granule;
	return SNAPMAP_NO_GRANULE;
}

/* A value that lies in a run of its own; NULL unless it is in the arena. */
static inline __cold const void *snapmap_extern_value(const struct snapmap_view *view,
						      const struct snapmap_extern *external,
						      const u8 *end, u32 value_len)
{
	if (value_len > SNAPMAP_VALUE_MAX || (const u8 *)(external + 1) > end)
		return NULL;
	return snapmap_view_at(view, READ_ONCE(external->block), snapmap_value_blocks(value_len));
}

/* Where an entry's value, or its struct snapmap_extern, begins. */
static inline const u8 *snapmap_value_at(const struct snapmap_entry *entry, u32 key_len)
{
	return (const u8 *)(entry + 1) + snapmap_pad8(key_len);
}

/**
 * snapmap_hit_fill() - tell of an entry whose key has been found to lie in the leaf
 * @view: where external values are found
 * @leaf: the leaf
 * @granule: where the entry begins
 * @key_len: length of its key
 * @hit: out: filled
 *
 * Return: false when the value is not in the leaf, or not in the arena.
 */
static __always_inline bool snapmap_hit_fill(const struct snapmap_view *view,
					     const struct snapmap_leaf *leaf, u32 granule,
					     u32 key_len, struct snapmap_hit *hit)
{
	const struct snapmap_entry *entry = snapmap_leaf_entry(leaf, granule);
	const u8 *value_at = snapmap_value_at(entry, key_len);
	const u8 *end = snapmap_leaf_end(leaf);
	u32 value_len = READ_ONCE(entry->value_len);

	hit->version = READ_ONCE(entry->version);
	hit->value = value_at;
	hit->value_len = value_len & ~SNAPMAP_ENTRY_EXTERNAL;
	if (likely(value_len <= end - value_at))
		return true;
	if (!(value_len & SNAPMAP_ENTRY_EXTERNAL))
		return false;
	hit->value = snapmap_extern_value(view, (const struct snapmap_extern *)value_at, end,
					  hit->value_len);
	return hit->value;
}

/*
 * Whether a key is the one in an entry, of the same length and with zero bytes up to
 * a whole word. Word by word, the last one overlapping.
 */
static __always_inline bool snapmap_key_equal(const u8 *stored, const u8 *key, u32 len)
{
	u32 last = len - sizeof(u64);
	u64 differ;
	u32 i;

#ifdef __AVX__
	if (__builtin_constant_p(len) && len == sizeof(__m128i)) {
		__m128i all = _mm_xor_si128(_mm_loadu_si128((const __m128i *)stored),
					    _mm_loadu_si128((const __m128i *)key));

		return likely(_mm_testz_si128(all, all));
	}
#endif
	if (!likely(len >= sizeof(u64)))
		return snapmap_load_word(stored) == snapmap_load_short(key, len);
	differ = snapmap_load_word(stored) ^ snapmap_load_word(key);
	for (i = sizeof(u64); i < last; i += sizeof(u64))
		differ |= snapmap_load_word(stored + i) ^ snapmap_load_word(key + i);
	differ |= snapmap_load_word(stored + last) ^ snapmap_load_word(key + last);
	return likely(!differ);
}

/* Whether an entry, which need not be one, holds the key. */
static __always_inline bool snapmap_entry_is(const struct snapmap_leaf *leaf, u32 granule,
					     const void *key, u32 key_len)
{
	const struct snapmap_entry *entry = snapmap_leaf_entry(leaf, granule);

	return snapmap_value_at(entry, key_len) <= snapmap_leaf_end(leaf) &&
	       READ_ONCE(entry->key_len) == key_len &&
	       snapmap_key_equal((const u8 *)(entry + 1), (const u8 *)key, key_len);
}

/**
 * snapmap_entry_read() - read an entry, whatever its key is
 * @view: where external values are found
 * @leaf: the leaf
 * @granule: where the entry begins, less than the leaf has
 * @key_len: out: length of its key, which lies behind the struct snapmap_entry
 * @hit: out: filled
 *
 * Return: the key; NULL when the entry does not lie in the leaf, or its value
 * not in the arena.
 */
static inline const void *snapmap_entry_read(const struct snapmap_view *view,
					     const struct snapmap_leaf *leaf, u32 granule,
					     u32 *key_len, struct snapmap_hit *hit)
{
	const struct snapmap_entry *entry = snapmap_leaf_entry(leaf, granule);

	*key_len = READ_ONCE(entry->key_len);
	if (!*key_len || *key_len > SNAPMAP_KEY_MAX ||
	    snapmap_value_at(entry, *key_len) > snapmap_leaf_end(leaf) ||
	    !snapmap_hit_fill(view, leaf, granule, *key_len, hit))
		return NULL;
	return entry + 1;
}

/**
 * snapmap_leaf_find() - find a key in a leaf
 * @leaf: the leaf
 * @hash: the key's hash
 * @key: the key
 * @key_len: its length
 *
 * Return: the granule at which the entry begins, whose key lies in the leaf;
 * SNAPMAP_NO_GRANULE when there is none.
 */
static __always_inline u32 snapmap_leaf_find(const struct snapmap_leaf *leaf, u64 hash,
					     const void *key, u32 key_len)
{
	u32 home = snapmap_leaf_home(leaf, hash);
	u64 mask = snapmap_leaf_match(leaf, home, hash);
	u32 granule;

	for (; mask; mask &= mask - 1) {
		granule = snapmap_mask_first(mask, home);
		if (likely(snapmap_entry_is(leaf, granule, key, key_len)))
			return granule;
	}
	return SNAPMAP_NO_GRANULE;
}

/*
 * The child of a hash in the inner node @ref, whatever @bits and @pos are.
 */
static __always_inline u32 snapmap_child(const struct snapmap_view *view, u32 ref, u32 bits,
					 u32 pos, u64 hash)
{
	return snapmap_view_slot(view, SNAPMAP_REF_BLOCK(ref),
				 hash << (pos & 63) >> (-bits & 63));
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

	if (!levels)
		return ref;
	ref = snapmap_child(view, ref, pos, 0, hash);
	while (--levels) {
		pos -= SNAPMAP_REF_ARG(ref);
		ref = snapmap_child(view, ref, SNAPMAP_NODE_BITS, pos, hash);
		pos += SNAPMAP_NODE_BITS;
	}
	return ref;
}

/* Whether a slot of the directory names a leaf: no reference of one has the highest bit. */
static __always_inline bool snapmap_ref_is_leaf(u32 ref)
{
	return ref && !(ref & SNAPMAP_DIRECTORY_CLOSED);
}

/**
 * snapmap_leaf_at() - the leaf of a reference
 * @view: where blocks are found
 * @ref: the reference
 * @leaf: out: filled
 *
 * Return: false when there is none, or it is not in the arena.
 */
static __always_inline bool snapmap_leaf_at(const struct snapmap_view *view, u32 ref,
					    struct snapmap_leaf *leaf)
{
	leaf->blocks = snapmap_leaf_blocks(ref);
	return snapmap_view_leaf(view, snapmap_leaf_block(ref), leaf);
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
	struct snapmap_leaf leaf;
	u32 granule;

	if (!snapmap_leaf_at(view, snapmap_walk(view, root, hash), &leaf))
		return false;
	granule = snapmap_leaf_find(&leaf, hash, key, key_len);
	return granule != SNAPMAP_NO_GRANULE &&
	       snapmap_hit_fill(view, &leaf, granule, key_len, hit);
}

#endif /* SNAPMAP_LOOKUP_H */

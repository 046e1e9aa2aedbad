/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * view.h - a mapping as the look-up code of the module sees it
 */
#ifndef SNAPMAP_VIEW_H
#define SNAPMAP_VIEW_H

#include <linux/snapmap_layout.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#ifndef SNAPMAP_INLINE /* which has its own of these */

typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;

/* As the kernel has them. */
#define likely(x) __builtin_expect(!!(x), 1)
#define __cold	  __attribute__((cold))

/* The bytes may change under a live reader: each is loaded once. */
#define READ_ONCE(x) (*(const volatile __typeof__(x) *)&(x))

#endif

#include "../../kmod/hash.h" /* wants the above */

/**
 * struct snapmap_view - the blocks of a mapping
 * @base: its first byte
 * @bytes: its length, control page included
 * @leaf_blocks: at how many blocks, the first behind the control page, a leaf may begin
 * @seed: of the hash
 */
struct snapmap_view {
	const u8 *base;
	u64 bytes;
	u64 leaf_blocks;
	struct snapmap_hash_seed seed;
};

static inline const struct snapmap_control *snapmap_view_control(const struct snapmap_view *view)
{
	return (const struct snapmap_control *)view->base;
}

/* @base: of a mapping whose control page stays; @blocks: its length. */
static inline struct snapmap_view snapmap_view_of(const void *base, u64 blocks)
{
	const u64 without = SNAPMAP_CONTROL_BLOCKS + SNAPMAP_LAST_BLOCKS;
	const struct snapmap_control *control = (const struct snapmap_control *)base;

	return (struct snapmap_view){
		.base = (const u8 *)base,
		.bytes = blocks << SNAPMAP_BLOCK_SHIFT,
		.leaf_blocks = blocks > without ? blocks - without : 0,
		.seed = snapmap_hash_seed(control->hash_seed),
	};
}

/* NULL unless all of the run lies behind the control page and inside the mapping. */
static inline const void *snapmap_view_at(const struct snapmap_view *view, u32 block, u32 blocks)
{
#ifndef SNAPMAP_BREAK_BOUNDS /* a deliberate break, for the fuzzers' own test */
	if (block < SNAPMAP_CONTROL_BLOCKS ||
	    ((u64)block + blocks) << SNAPMAP_BLOCK_SHIFT > view->bytes)
		return NULL;
#endif
	return view->base + ((size_t)block << SNAPMAP_BLOCK_SHIFT);
}

static inline u32 snapmap_view_slot(const struct snapmap_view *view, u32 block, u32 slot)
{
	u64 at = ((u64)block << SNAPMAP_BLOCK_SHIFT) + (u64)slot * sizeof(u32);

#ifndef SNAPMAP_BREAK_BOUNDS
	if (!likely(at < view->bytes))
		return 0;
#endif
	return READ_ONCE(*(const u32 *)(view->base + at));
}

static inline u64 snapmap_view_blocks(const struct snapmap_view *view)
{
	return view->bytes >> SNAPMAP_BLOCK_SHIFT;
}

#include "../../kmod/lookup.h"

static inline void snapmap_leaf_place(const u8 *base, u64 block, struct snapmap_leaf *leaf)
{
	ptrdiff_t step = SNAPMAP_BLOCK_GRANULES - SNAPMAP_BLOCK_SIZE;

	/* snapmap_tags_at(), by one multiplication: the compiler would take it apart. */
	__asm__("" : "+r"(step));
	leaf->bytes = (u8 *)base + (block << SNAPMAP_BLOCK_SHIFT);
	leaf->tags = leaf->bytes + SNAPMAP_TAGS_OFFSET + snapmap_region_before((u32)block) * step;
}

/*
 * One comparison for both ends, and for what lies at most SNAPMAP_LAST_BLOCKS behind
 * where the leaf begins: its tags, and as much as the longest key has.
 */
static inline bool snapmap_view_leaf(const struct snapmap_view *view, u32 block,
				     struct snapmap_leaf *leaf)
{
#ifndef SNAPMAP_BREAK_BOUNDS
	if (!likely((u64)block - SNAPMAP_CONTROL_BLOCKS < view->leaf_blocks))
		return false;
#endif
	snapmap_leaf_place(view->base, block, leaf);
	return true;
}

/* Whether a filter says that a key is not there. Only in what is no filter may it be wrong. */
static __always_inline bool snapmap_view_denies(const struct snapmap_view *view, u64 filter,
						u64 hash)
{
	u32 width = SNAPMAP_FILTER_WIDTH(filter);
	u32 run = snapmap_child(view, SNAPMAP_FILTER_BLOCK(filter), width, 0, hash);
	u64 at = ((u64)run << SNAPMAP_BLOCK_SHIFT) + snapmap_filter_word(hash, width) * sizeof(u64);

#ifndef SNAPMAP_BREAK_BOUNDS
	if (!likely(at < view->bytes))
		return false;
#endif
	return snapmap_filter_mask(hash) & ~READ_ONCE(*(const u64 *)(view->base + at));
}

/* Where a directory has the slot of a hash: byte of the mapping, if it is one. */
static __always_inline u64 snapmap_directory_slot(u64 directory, u64 hash)
{
	return SNAPMAP_DIRECTORY_AT(directory) +
	       (hash >> (SNAPMAP_DIRECTORY_SHIFT(directory) & 63)) * sizeof(u32);
}

/* The leaf that a directory names, or what is none: see snapmap_ref_is_leaf(). */
static __always_inline u32 snapmap_view_entered(const struct snapmap_view *view, u64 directory,
						u64 hash)
{
	u64 at = snapmap_directory_slot(directory, hash);

	if (!directory)
		return 0;
#ifndef SNAPMAP_BREAK_BOUNDS
	if (!likely(at < view->bytes))
		return 0;
#endif
	return READ_ONCE(*(const u32 *)(view->base + at));
}

static inline u64 snapmap_view_hash(const struct snapmap_view *view, const void *key,
				    size_t key_len)
{
	return snapmap_hash_seeded(&view->seed, key, key_len);
}

#endif /* SNAPMAP_VIEW_H */

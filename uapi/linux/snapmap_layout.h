/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * snapmap_layout.h - the bytes that a mapping of a snapshot map shows
 *
 * A mapping starts with the control page; behind it lies the arena, an array
 * of 256-byte blocks. Block number N is at byte N * 256 of the mapping, so
 * blocks 0 to 15 are the control page itself and 0 serves as "no block".
 * All numbers are little-endian and naturally aligned; hosts are 64-bit.
 *
 * THE TABLE is a radix trie on the bits of a seeded 64-bit hash of the key,
 * most significant bit first. A struct snapmap_control root word names the top:
 *
 *	bits  0..31	reference of the top node, 0 when the table is empty
 *	bits 32..39	levels: how many inner nodes lie above every leaf, 0..8
 *	bits 40..47	width of the top inner node in hash bits, 1..8 (0 if none)
 *	bits 48..63	0
 *
 * A reference is a __u32: a block number in bits 0..27, an argument in 28..31.
 * An inner node is an array of 2^width references; all inner nodes below the
 * top are 7 bits wide. A child that covers a shorter prefix than its slot
 * stands in a whole aligned group of slots. For an inner child the argument is
 * its lag, the number of hash bits that the parent has looked at and the child
 * looks at again; so its group is 2^lag slots wide. For a leaf the argument is
 * its size in blocks less one. Reference 0 is an empty leaf.
 *
 *	pos = 0; width = top width;
 *	for each level:
 *		slot = (hash << pos) >> (64 - width)
 *		pos += width - (the child is an inner node ? its lag : 0)
 *		width = 7
 *
 * A LEAF is 1 to 8 blocks, seen as granules of 32 bytes, each with a tag:
 *
 *	0	free
 *	1	goes on with the entry that began before it
 *	2..255	an entry begins here; the tag comes from the key's hash
 *
 * An entry begins on a granule: struct snapmap_entry, the key, zero bytes up
 * to a multiple of 8, then the value, or, when SNAPMAP_ENTRY_EXTERNAL is set,
 * a struct snapmap_extern that names the run of blocks that holds the value.
 * The hash names a line of the leaf (snapmap_home_granule()). An entry lies
 * there when there was room, else mostly on one of the next lines, going round,
 * but it may lie anywhere in the leaf.
 *
 * THE TAGS of all leaves lie close together, so that those of a large table
 * stay in caches that its entries do not fit into. The mapping is a row of
 * regions: 32 of 64 KiB, then regions of 2 MiB. At byte 2048 of each begins an
 * array of 8 bytes for each block of the region: a byte for each of the block's
 * granules. The blocks that it covers belong to the control page in the first
 * region, and to nothing else in any other that has a leaf. A leaf does not go on
 * from one region to the next, and none begins in the last 16 blocks of the mapping.
 *
 * THE FILTER tells of most keys that are not there that they are not, without a
 * look at the tags. A table need not have one. struct snapmap_control has a word for it:
 *
 *	bits  0..31	block of an array of 2^width block numbers; 0 without a filter
 *	bits 32..63	width in hash bits, 1..12
 *
 * The first hash bits choose a run of 64 blocks of that array, the next 11 a word of 64
 * bits in it. A key whose snapmap_filter_mask() is not all set there is not in the
 * table; any other may be. Of all that a snapshot has, this alone is changed in place:
 * bits are set, and never cleared.
 *
 * THE DIRECTORY leads to most leaves without the walk. A table need not have one. struct
 * snapmap_control has a word for it:
 *
 *	bits  0..7	64 - width
 *	bits  8..39	block of an array of 2^width references; 0 without a directory
 *	bits 40..63	0
 *
 * The first width bits of a hash choose a slot. It holds the reference of the leaf of that
 * hash, in the current version; or SNAPMAP_DIRECTORY_CLOSED or 0, which tell nothing. It is
 * changed in place: what it tells counts when control.version proves to be the same behind
 * it as before it (see below).
 *
 * THE HASH of a key of n bytes is, with SNAPMAP_HASH_FOLD, computed in words of 64
 * bits. fold(a, b) is the lower half of the product a * b xor the upper half.
 *
 *	secret = hash_seed ^ SNAPMAP_HASH_MIX
 *	state = hash_seed * SNAPMAP_HASH_SPREAD + n
 *	while more than 16 bytes are left:
 *		state = fold(next word ^ secret, next word ^ state)
 *	a, b = the first and the last word of the last 16 bytes, or, in a key of
 *	       less, of the key; in one of less than 8 bytes the bytes themselves
 *	       with zero bytes behind them, and 0
 *	h = fold(a ^ secret, b ^ state)
 *	h = h * SNAPMAP_HASH_MIX
 *	hash = h ^ h >> 32
 *
 * READING THE LIVE TABLE without a system call, against concurrent commits:
 *
 *	1. v = load-acquire control.version
 *	2. root = load-acquire control.root[v & 1]; control.filter[v & 1] where wanted
 *	3. read barrier; if control.version != v, start again: the slot of v is
 *	   written again only after version v + 1 has been published
 *	4. walk; copy out what is wanted
 *	5. read barrier; if control.oldest > v, some block of v may have been
 *	   reused meanwhile: discard everything and start again
 *
 * The writer stores root[(v + 1) & 1] before it store-releases version v + 1,
 * executes a write barrier before it writes to a slot again, so that who reads
 * anything newer from the slot of v also reads a newer version in step 3, and
 * stores oldest, then a write barrier, before it writes to a block that any
 * version below oldest could reach. A version that has passed step 5 was
 * read whole (promises A and B); the version is the linearization point (C).
 *
 * In place of steps 3 and 5, a look-up that takes less time than there is between
 * commits may find control.version, behind the barrier of step 5, to be v still. Then
 * the slot was v's, and no block of v has been reused.
 *
 * WHAT A READER MUST CHECK, because between steps 3 and 5 any byte of a block
 * may be anything (promise H):
 *
 *	- every slot of an inner node, and every leaf and value, lies below
 *	  control.span, whatever levels, widths and lags say; a leaf has at most
 *	  8 blocks
 *	- an entry and what it says of its key and value end inside the leaf; or
 *	  no more than SNAPMAP_ENTRY_INLINE_MAX bytes behind its begin, since no
 *	  leaf begins in the last 16 blocks
 *	- a value is at most SNAPMAP_VALUE_MAX long
 *
 * An arena range that is not populated reads as zeroes, never as SIGBUS.
 * A pinned snapshot is read in the same way with the root that SNAPMAP_IOC_INFO
 * on the pin reports; steps 1 to 3 are not needed. A pin may be revoked where
 * the map's policy says so. Then control.revoked exceeds its version before any
 * of its blocks is written to. So what was read of a pinned version v counts
 * after: read barrier; if control.revoked > v, discard it, for good.
 */
#ifndef _UAPI_LINUX_SNAPMAP_LAYOUT_H
#define _UAPI_LINUX_SNAPMAP_LAYOUT_H

#include <linux/types.h>

#define SNAPMAP_LAYOUT_MAGIC	0x50414d50414e53ULL	/* "SNAPMAP" */
#define SNAPMAP_LAYOUT_VERSION	1

#define SNAPMAP_BLOCK_SHIFT	8
#define SNAPMAP_BLOCK_SIZE	(1 << SNAPMAP_BLOCK_SHIFT)
#define SNAPMAP_CONTROL_SIZE	4096
#define SNAPMAP_CONTROL_BLOCKS	(SNAPMAP_CONTROL_SIZE / SNAPMAP_BLOCK_SIZE)

/* Limits of the format. */
#define SNAPMAP_KEY_MAX		1024		/* bytes; keys have at least 1 */
#define SNAPMAP_VALUE_MAX	(1 << 20)	/* bytes; values may be empty */
#define SNAPMAP_NAME_MAX	63		/* bytes of a map's name */

/* References. */
#define SNAPMAP_REF_BLOCK_BITS	28
#define SNAPMAP_REF_BLOCK_MASK	((1U << SNAPMAP_REF_BLOCK_BITS) - 1)
#define SNAPMAP_REF_BLOCK(ref)	((ref) & SNAPMAP_REF_BLOCK_MASK)
#define SNAPMAP_REF_ARG(ref)	((ref) >> SNAPMAP_REF_BLOCK_BITS)
#define SNAPMAP_REF(block, arg)	((__u32)(arg) << SNAPMAP_REF_BLOCK_BITS | (block))
#define SNAPMAP_BLOCKS_MAX	(1U << SNAPMAP_REF_BLOCK_BITS)	/* 64 GiB */

/* Inner nodes. */
#define SNAPMAP_NODE_BITS	7	/* width of every node below the top */
#define SNAPMAP_LEVELS_MAX	10	/* of that width, for 64 bits */

/* The root word. */
#define SNAPMAP_ROOT(ref, levels, bits) \
	((__u64)(ref) | (__u64)(levels) << 32 | (__u64)(bits) << 40)
#define SNAPMAP_ROOT_REF(root)		((__u32)(root))
#define SNAPMAP_ROOT_LEVELS(root)	((__u32)((root) >> 32) & 0xff)
#define SNAPMAP_ROOT_BITS(root)		((__u32)((root) >> 40) & 0xff)

/* Leaves. */
#define SNAPMAP_LEAF_BLOCKS_MAX		8
#define SNAPMAP_GRANULE_SHIFT		5
#define SNAPMAP_GRANULE_SIZE		(1 << SNAPMAP_GRANULE_SHIFT)
#define SNAPMAP_BLOCK_GRANULES		(SNAPMAP_BLOCK_SIZE / SNAPMAP_GRANULE_SIZE)
#define SNAPMAP_LEAF_GRANULES_MAX	(SNAPMAP_LEAF_BLOCKS_MAX * SNAPMAP_BLOCK_GRANULES)
#define SNAPMAP_LINE_SIZE		64
#define SNAPMAP_LAST_BLOCKS		16	/* of the mapping, where no leaf begins */

/* Tags, and the regions that they lie in. */
#define SNAPMAP_REGION_SMALL		(64U << 10 >> SNAPMAP_BLOCK_SHIFT)	/* first 2 MiB */
#define SNAPMAP_REGION_BLOCKS		(2U << 20 >> SNAPMAP_BLOCK_SHIFT)
#define SNAPMAP_TAGS_OFFSET		2048	/* bytes, in a region */
#define SNAPMAP_TAGS_BLOCK		(SNAPMAP_TAGS_OFFSET / SNAPMAP_BLOCK_SIZE)
#define SNAPMAP_TAG_FREE		0
#define SNAPMAP_TAG_CONT		1
#define SNAPMAP_TAG_FIRST		2

/* The filter. */
#define SNAPMAP_FILTER_BLOCKS		64	/* of a run */
#define SNAPMAP_FILTER_WORD_BITS	11	/* hash bits that choose a word of it */
#define SNAPMAP_FILTER_WIDTH_MAX	12
#define SNAPMAP_FILTER(block, width)	((__u64)(block) | (__u64)(width) << 32)
#define SNAPMAP_FILTER_BLOCK(filter)	((__u32)(filter))
#define SNAPMAP_FILTER_WIDTH(filter)	((__u32)((filter) >> 32))

/* The directory. */
#define SNAPMAP_DIRECTORY_WIDTH_MAX	19	/* 2 MiB of references */
#define SNAPMAP_DIRECTORY_CLOSED	0x80000000U
#define SNAPMAP_DIRECTORY(block, width)	((__u64)(block) << SNAPMAP_BLOCK_SHIFT | (64 - (width)))
#define SNAPMAP_DIRECTORY_AT(word)	((word) & -SNAPMAP_BLOCK_SIZE)	/* byte of the mapping */
#define SNAPMAP_DIRECTORY_BLOCK(word)	((__u32)((word) >> SNAPMAP_BLOCK_SHIFT))
#define SNAPMAP_DIRECTORY_SHIFT(word)	((__u32)(word) & (SNAPMAP_BLOCK_SIZE - 1))
#define SNAPMAP_DIRECTORY_WIDTH(word)	(64 - SNAPMAP_DIRECTORY_SHIFT(word))

/* How a key is hashed: control.hash_kind. */
#define SNAPMAP_HASH_FOLD		1	/* as above */

/* The factors of SNAPMAP_HASH_FOLD: the golden ratio, and the one of XXH3's last step. */
#define SNAPMAP_HASH_SPREAD		0x9e3779b97f4a7c15ULL
#define SNAPMAP_HASH_MIX		0x165667919e3779f9ULL

/**
 * struct snapmap_entry - what stands before a key in a leaf
 * @version: version that last wrote this entry
 * @value_len: bytes of the value; SNAPMAP_ENTRY_EXTERNAL is or-ed in when the
 *	value lies in a run of blocks of its own
 * @key_len: bytes of the key, 1 to SNAPMAP_KEY_MAX
 * @check: bits 16 to 31 of the key's hash
 */
struct snapmap_entry {
	__u64 version;
	__u32 value_len;
	__u16 key_len;
	__u16 check;
};

#define SNAPMAP_ENTRY_EXTERNAL	(1U << 31)
/* A value lies in the leaf when header, padded key and value do not exceed: */
#define SNAPMAP_ENTRY_INLINE_MAX	1056

/**
 * struct snapmap_extern - stands in place of a value that lies elsewhere
 * @block: first block of the run, which is contiguous
 * @reserved: 0
 */
struct snapmap_extern {
	__u32 block;
	__u32 reserved;
};

/**
 * struct snapmap_header - what is known of one snapshot
 * @version: its version
 * @entries: number of entries
 * @key_bytes: sum of the lengths of all keys
 * @value_bytes: sum of the lengths of all values
 * @realtime_ns: CLOCK_REALTIME of its publication
 * @monotonic_ns: CLOCK_MONOTONIC of its publication
 * @stamp: the committer's stamp, carried on by commits that set none
 * @reserved: 0
 */
struct snapmap_header {
	__u64 version;
	__u64 entries;
	__u64 key_bytes;
	__u64 value_bytes;
	__u64 realtime_ns;
	__u64 monotonic_ns;
	__u64 stamp;
	__u64 reserved;
};

/* control.state */
#define SNAPMAP_STATE_DESTROYED	(1U << 0)	/* the last version stays for good */

/**
 * struct snapmap_control - the first page of every mapping
 * @magic: SNAPMAP_LAYOUT_MAGIC
 * @layout_version: SNAPMAP_LAYOUT_VERSION; readers refuse others
 * @hash_kind: SNAPMAP_HASH_*; readers refuse kinds that they do not know
 * @hash_seed: seed of the hash, chosen at random when the map was created
 * @span: bytes that the mapping can ever have, control page included
 * @map_id: differs between any two maps, a re-created name included
 * @reserved0: 0
 * @version: current version
 * @oldest: every version from here on is intact
 * @root: root word of version v at index v & 1
 * @state: SNAPMAP_STATE_*; readers ignore bits that they do not know
 * @reserved1: 0
 * @revoked: pins of versions below this one have been revoked; 0 when none has
 * @filter: filter of version v at index v & 1; 0 when it has none
 * @header: header of version v at index v & 1, read like @root
 * @name: the map's name, zero-filled
 * @directory: directory of version v at index v & 1; 0 when it has none
 * @reserved3: 0
 * @tags: those of the first region
 *
 * The first line never changes; a look-up reads the second and the directory.
 */
struct snapmap_control {
	__u64 magic;
	__u32 layout_version;
	__u32 hash_kind;
	__u64 hash_seed;
	__u64 span;
	__u64 map_id;
	__u64 reserved0[3];

	__u64 version;
	__u64 oldest;
	__u64 root[2];
	__u32 state;
	__u32 reserved1;
	__u64 revoked;
	__u64 filter[2];

	struct snapmap_header header[2];

	__u8 name[SNAPMAP_NAME_MAX + 1];

	__u64 directory[2];
	__u8 reserved3[SNAPMAP_TAGS_OFFSET - 336];
	__u8 tags[SNAPMAP_CONTROL_SIZE - SNAPMAP_TAGS_OFFSET];
};

/**
 * snapmap_hash_tag() - the tag of a key
 * @hash: the key's hash
 *
 * Return: 2 to 255.
 */
static inline __u8 snapmap_hash_tag(__u64 hash)
{
	__u8 bits = (__u8)hash;

	return bits < SNAPMAP_TAG_FIRST ? SNAPMAP_TAG_FIRST : bits;
}

/**
 * snapmap_hash_check() - the bits of the hash that an entry carries
 * @hash: the key's hash
 *
 * Return: bits 16 to 31.
 */
static inline __u16 snapmap_hash_check(__u64 hash)
{
	return (__u16)(hash >> 16);
}

/**
 * snapmap_home_granule() - the place in a leaf that a hash names
 * @check: snapmap_hash_check() of it, so that who moves an entry need not hash
 * @blocks: size of the leaf in blocks
 *
 * Return: number of the first granule of a line.
 */
static inline __u32 snapmap_home_granule(__u16 check, __u32 blocks)
{
	const __u32 lines = SNAPMAP_BLOCK_SIZE / SNAPMAP_LINE_SIZE;

	return (check * blocks * lines >> 16) * (SNAPMAP_LINE_SIZE / SNAPMAP_GRANULE_SIZE);
}

/**
 * snapmap_filter_word() - the place of a key in the filter
 * @hash: the key's hash
 * @width: the filter's, 1 to SNAPMAP_FILTER_WIDTH_MAX
 *
 * Return: number of the word in the run that the first @width bits choose.
 */
static inline __u32 snapmap_filter_word(__u64 hash, __u32 width)
{
	return hash << (width & 63) >> (64 - SNAPMAP_FILTER_WORD_BITS);
}

/**
 * snapmap_filter_mask() - the bits of a key in that word
 * @hash: the key's hash
 *
 * Source: blocked Bloom filters, Putze, Sanders and Singler 2007, with blocks of a word.
 *
 * Return: one to three bits.
 */
static inline __u64 snapmap_filter_mask(__u64 hash)
{
	return 1ULL << (hash & 63) | 1ULL << (hash >> 6 & 63) | 1ULL << (hash >> 12 & 63);
}

/**
 * snapmap_region_before() - the place of a block in its region
 * @block: number of the block
 *
 * Return: how many blocks of the region lie before it.
 */
static inline __u32 snapmap_region_before(__u32 block)
{
	/* Either way, so that it is a choice and not a mask: look-ups wait for it. */
	__u32 small = block & (SNAPMAP_REGION_SMALL - 1);
	__u32 large = block & (SNAPMAP_REGION_BLOCKS - 1);

	return block < SNAPMAP_REGION_BLOCKS ? small : large;
}

/**
 * snapmap_region_first() - the region that a block lies in
 * @block: number of the block
 *
 * Return: number of the region's first block.
 */
static inline __u32 snapmap_region_first(__u32 block)
{
	return block - snapmap_region_before(block);
}

/**
 * snapmap_region_blocks() - how many blocks a region has room for
 * @first: number of its first block
 *
 * Return: their number; those that lie behind the end of the mapping are missing.
 */
static inline __u32 snapmap_region_blocks(__u32 first)
{
	return first < SNAPMAP_REGION_BLOCKS ? SNAPMAP_REGION_SMALL : SNAPMAP_REGION_BLOCKS;
}

/**
 * snapmap_region_tags_end() - the block of a region behind its tags
 * @first: number of the region's first block
 *
 * Return: its number, counted from @first. The tags begin with block
 *	SNAPMAP_TAGS_BLOCK of the region.
 */
static inline __u32 snapmap_region_tags_end(__u32 first)
{
	return SNAPMAP_TAGS_BLOCK +
	       snapmap_region_blocks(first) * SNAPMAP_BLOCK_GRANULES / SNAPMAP_BLOCK_SIZE;
}

/**
 * snapmap_tags_at() - where the tags of a block lie
 * @block: number of the block
 *
 * Return: byte of the mapping; the tags of the region's next blocks follow.
 */
static inline __u64 snapmap_tags_at(__u32 block)
{
	__u64 before = snapmap_region_before(block);

	/* Shifted on its own: that takes less time than a multiplication. */
	return ((__u64)block << SNAPMAP_BLOCK_SHIFT) - (before << SNAPMAP_BLOCK_SHIFT) +
	       SNAPMAP_TAGS_OFFSET + before * SNAPMAP_BLOCK_GRANULES;
}

#endif /* _UAPI_LINUX_SNAPMAP_LAYOUT_H */

/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SNAPMAP_ARENA_H
#define SNAPMAP_ARENA_H

#include <linux/compiler.h>
#include <linux/gfp.h>
#include <linux/log2.h>
#include <linux/prefetch.h>
#include <linux/rwsem.h>
#include <linux/snapmap_layout.h>
#include <linux/string.h>
#include <linux/types.h>

#define SNAPMAP_GROUP_SHIFT	6	/* blocks of a group: a bit each of a word */
#define SNAPMAP_GROUP_BLOCKS	64U
#define SNAPMAP_PAGE_BLOCKS	(4096U >> SNAPMAP_BLOCK_SHIFT)	/* chunks are whole pages */
#define SNAPMAP_NO_GROUP	U32_MAX

/*
 * Groups are listed by their longest free run: 0 to 8 blocks, each length by
 * itself, then 9 to 15, 16 to 31, 32 to 63 and 64.
 */
#define SNAPMAP_BUCKET_EXACT	8
#define SNAPMAP_BUCKETS		13
#define SNAPMAP_CHUNK_BLOCKS	SNAPMAP_REGION_BLOCKS	/* a full-size chunk */
#define SNAPMAP_CHUNK_SMALL	SNAPMAP_REGION_SMALL	/* the first chunk */

/*
 * For all memory that a map takes on somebody's behalf: charged to a cgroup, and
 * refused at its limit without waking the OOM killer. The commit fails instead.
 */
#define SNAPMAP_GFP	(GFP_KERNEL_ACCOUNT | __GFP_RETRY_MAYFAIL | __GFP_NOWARN)

struct snapmap_arena;

/**
 * struct snapmap_backing - where an arena's memory comes from
 * @alloc: gives @bytes of zeroed, page-aligned memory, contiguous in the
 *	kernel, for the arena range that begins at @offset; NULL when there is
 *	none. May sleep.
 * @shown: the arena range has been populated or is no longer: what user space
 *	has mapped of it must be forgotten, to be faulted in anew. May sleep.
 * @held: whether all of what @alloc gave is kept from the system by somebody
 *	else's reference, once it is no longer shown. May be NULL: it never is.
 * @free: takes back what @alloc gave. May sleep.
 */
struct snapmap_backing {
	void *(*alloc)(struct snapmap_arena *arena, size_t offset, size_t bytes);
	void (*shown)(struct snapmap_arena *arena, size_t offset, size_t bytes);
	bool (*held)(struct snapmap_arena *arena, const void *data);
	void (*free)(struct snapmap_arena *arena, void *data, size_t offset, size_t bytes);
};

#define SNAPMAP_RUN_SHORT	15	/* blocks: longer runs have their length elsewhere */

/**
 * struct snapmap_run - what is known of a run of blocks, by its first block
 * @birth: version of the snapshot that it was allocated for, counted from the arena's
 *	@epoch; 0 when it is older: see snapmap_run_birth()
 * @next: next run in the list that holds it, 0 at the end; of the second block of a
 *	long run, the run's length
 * @blocks: its length, 0 when it is a long one: see snapmap_run_blocks()
 *
 * There is one for each block of 256 bytes, so it is small.
 */
struct snapmap_run {
	u32 birth;
	u32 next:28;
	u32 blocks:4;
};

static inline u32 snapmap_run_blocks(const struct snapmap_run *run)
{
	return run->blocks ?: run[1].next;
}

/**
 * struct snapmap_group - what is known of 64 blocks
 * @used: a bit for each block; set, too, for those that hold tags and for those that
 *	the last group of a chunk lacks
 * @prev: group number in a bucket's list, SNAPMAP_NO_GROUP at its begin
 * @next: likewise, at its end
 * @bucket: which one
 */
struct snapmap_group {
	u64 used;
	u32 prev;
	u32 next;
	u8 bucket;
};

#define SNAPMAP_READY_BLOCKS	8	/* the longest runs that are kept ready: leaves and nodes */
#define SNAPMAP_READY_MAX	32

/**
 * struct snapmap_ready - free runs of one length, which groups still have as used
 * @count: how many
 * @block: the first block of each; the last one is the next to be handed out
 */
struct snapmap_ready {
	u32 count;
	u32 block[SNAPMAP_READY_MAX];
};

struct snapmap_chunk {
	void *data;
	u32 first;		/* block number */
	u32 blocks;
	u32 room;		/* blocks that can be used */
	u32 used;		/* blocks in use or ready */
	u32 free_groups;	/* groups with no block in use */
	bool has_tags;		/* else it is for runs that are too long beside tags */
	struct snapmap_run *runs;
	struct snapmap_group *groups;
};

/**
 * struct snapmap_arena - the memory of one map
 * @backing: where chunks come from
 * @memcg: the cgroup that is charged, set before snapmap_arena_init()
 * @limit: the most bytes that it may take, bookkeeping included
 * @resident: the bytes that it takes
 * @epoch: version from which births are counted
 * @blocks: span in blocks
 * @used: blocks in use
 * @free: blocks populated and not in use
 * @keep: free blocks that trimming leaves, besides an eighth of what is in use
 * @bucket: first group of each bucket's list
 * @ready: free runs of 1 to SNAPMAP_READY_BLOCKS blocks, to be handed out first
 * @large_hint: chunk in which the last large run was found
 * @slots: length of @chunks
 * @show_lock: orders a change of @chunks against faults that look at it
 * @chunks: by position in the arena; NULL where nothing is populated
 *
 * The owner's lock (the map's mutex) protects everything; @resident, @used and
 * @free may be read without it, as counters. @chunks is an exception too: its
 * elements are also read by look-ups (which hold blocks that keep the chunk in
 * place) and by faults (under @show_lock).
 */
struct snapmap_arena {
	const struct snapmap_backing *backing;
	struct mem_cgroup *memcg;
	u64 limit;
	u64 resident;
	u64 epoch;
	u32 blocks;
	u64 used;
	u64 free;
	u64 keep;
	u32 bucket[SNAPMAP_BUCKETS];
	struct snapmap_ready ready[SNAPMAP_READY_BLOCKS];
	u32 large_hint;
	u32 slots;
	struct rw_semaphore show_lock;
	struct snapmap_chunk **chunks;
};

int snapmap_arena_init(struct snapmap_arena *arena, const struct snapmap_backing *backing,
		       u64 limit);
void snapmap_arena_destroy(struct snapmap_arena *arena);
u32 snapmap_arena_alloc(struct snapmap_arena *arena, u32 blocks, u64 birth, int *err);
void snapmap_arena_free(struct snapmap_arena *arena, u32 block);
u32 snapmap_arena_merge(struct snapmap_arena *arena);
bool snapmap_arena_trim(struct snapmap_arena *arena);

/**
 * snapmap_arena_slot() - position of the chunk that holds a block
 * @block: block number
 *
 * The first 2 MiB are six chunks of 64, 64, 128, 256, 512 and 1024 KiB, so that
 * a small map takes little; all that follow are 2 MiB.
 */
static inline u32 snapmap_arena_slot(u32 block)
{
	if (block < SNAPMAP_CHUNK_SMALL)
		return 0;
	if (block < SNAPMAP_CHUNK_BLOCKS)
		return ilog2(block / SNAPMAP_CHUNK_SMALL) + 1;
	return 5 + block / SNAPMAP_CHUNK_BLOCKS;
}

static inline void *snapmap_chunk_at(const struct snapmap_chunk *chunk, u32 block)
{
	return chunk->data + ((size_t)(block - chunk->first) << SNAPMAP_BLOCK_SHIFT);
}

/* A chunk is one region or several. */
static inline void *snapmap_chunk_tags(const struct snapmap_chunk *chunk, u32 block)
{
	size_t first = (size_t)chunk->first << SNAPMAP_BLOCK_SHIFT;

	return chunk->data + (snapmap_tags_at(block) - first);
}

static inline struct snapmap_run *snapmap_chunk_run(const struct snapmap_chunk *chunk, u32 block)
{
	return &chunk->runs[block - chunk->first];
}

/**
 * snapmap_arena_chunk() - the chunk that holds a block in use
 * @arena: the arena
 * @block: block number
 *
 * Context: the caller holds the block: it is reachable from a snapshot that
 *	snapmap_store_read_lock(), a pin or the map's mutex keeps, or was just allocated.
 * Return: the chunk, which holds the rest of the block's run, too. To find it takes longer
 *	than what it then tells of the run.
 */
static inline struct snapmap_chunk *snapmap_arena_chunk(const struct snapmap_arena *arena,
							u32 block)
{
	return READ_ONCE(arena->chunks[snapmap_arena_slot(block)]);
}

/**
 * snapmap_arena_at() - address of a block that is in use
 * @arena: the arena
 * @block: block number
 *
 * Context: as for snapmap_arena_chunk().
 * Return: its address; the rest of its run follows it.
 */
static inline void *snapmap_arena_at(const struct snapmap_arena *arena, u32 block)
{
	return snapmap_chunk_at(snapmap_arena_chunk(arena, block), block);
}

/*
 * Lets memory bring a run of blocks that will be read. Always inline, since a compiler may take
 * a call that does nothing else for one that does nothing.
 */
static __always_inline void snapmap_chunk_prefetch(const struct snapmap_chunk *chunk, u32 block,
						   u32 blocks)
{
	const u8 *at = snapmap_chunk_at(chunk, block);
	const u8 *end = at + ((size_t)blocks << SNAPMAP_BLOCK_SHIFT);

	for (; at < end; at += SNAPMAP_BLOCK_SIZE) {
		prefetch(at);
		prefetch(at + SNAPMAP_LINE_SIZE);
		prefetch(at + 2 * SNAPMAP_LINE_SIZE);
		prefetch(at + 3 * SNAPMAP_LINE_SIZE);
	}
}

/**
 * snapmap_run_birth() - the version that a run was allocated for
 * @arena: the arena
 * @run: what is known of the run
 *
 * Return: the version; 0 when that is some 2^31 versions ago or more.
 */
static inline u64 snapmap_run_birth(const struct snapmap_arena *arena,
				    const struct snapmap_run *run)
{
	return likely(run->birth) ? arena->epoch + run->birth : 0;
}

/**
 * snapmap_arena_run() - what is known of a run in use
 * @arena: the arena
 * @block: first block of the run
 */
static inline struct snapmap_run *snapmap_arena_run(const struct snapmap_arena *arena, u32 block)
{
	return snapmap_chunk_run(snapmap_arena_chunk(arena, block), block);
}

/* What lookup.h and diff.h ask of their includer. */
struct snapmap_view {
	const struct snapmap_arena *arena;
};

/* The chunk that a run lies in, NULL unless all of it does. */
static inline const struct snapmap_chunk *snapmap_view_chunk(const struct snapmap_view *view,
							     u32 block, u32 blocks)
{
	const struct snapmap_arena *arena = view->arena;
	const struct snapmap_chunk *chunk;

	if (!block || block >= arena->blocks)
		return NULL;
	chunk = READ_ONCE(arena->chunks[snapmap_arena_slot(block)]);
	if (!chunk || blocks > chunk->blocks ||
	    block - chunk->first > chunk->blocks - blocks)
		return NULL;
	return chunk;
}

static inline const void *snapmap_view_at(const struct snapmap_view *view, u32 block, u32 blocks)
{
	const struct snapmap_chunk *chunk = snapmap_view_chunk(view, block, blocks);

	return chunk ? snapmap_chunk_at(chunk, block) : NULL;
}

static inline u32 snapmap_view_slot(const struct snapmap_view *view, u32 block, u32 slot)
{
	const u32 slots = SNAPMAP_BLOCK_SIZE / sizeof(u32);
	const u32 *at = snapmap_view_at(view, block + slot / slots, 1);

	return at ? READ_ONCE(at[slot % slots]) : 0;
}

static inline u64 snapmap_view_blocks(const struct snapmap_view *view)
{
	return view->arena->blocks;
}

#include "lookup.h"	/* wants the above */

static inline bool snapmap_view_leaf(const struct snapmap_view *view, u32 block,
				     struct snapmap_leaf *leaf)
{
	const struct snapmap_chunk *chunk = snapmap_view_chunk(view, block, leaf->blocks);

	if (!chunk)
		return false;
	leaf->tags = snapmap_chunk_tags(chunk, block);
	leaf->bytes = snapmap_chunk_at(chunk, block);
	return true;
}

#endif /* SNAPMAP_ARENA_H */

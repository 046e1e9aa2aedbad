// SPDX-License-Identifier: GPL-2.0-only
/*
 * arena.c - the memory of one map, in blocks of 256 bytes
 *
 * The arena is a row of chunks, populated when they are needed and given back
 * when they are empty; a block's number, and so its place in every mapping,
 * never changes. Near the limit a chunk has fewer blocks than its place has. A
 * run is a row of blocks inside one chunk, handed out and taken back whole. Some
 * blocks of each chunk are the tags of the others (snapmap_layout.h).
 *
 * Groups of 64 blocks tell which are free (groups.c). The short runs that were freed
 * last are kept ready for the next of their length: groups have them as used, but
 * they are free (promise G).
 *
 * The arena orders nothing and reclaims nothing: a freed block may be handed
 * out again at once. reclaim.c decides when a block may be freed (promise B).
 *
 * Context: everything here expects the map's mutex, or an arena that nobody
 * else knows; snapmap_arena_alloc(), _trim() and _destroy() may sleep.
 */
#include <linux/bitops.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/math64.h>
#include <linux/mm.h>
#include <linux/prefetch.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "broken.h"
#include "groups.h"

static void count_used(struct snapmap_arena *arena, s64 change)
{
	WRITE_ONCE(arena->used, arena->used + change);
	WRITE_ONCE(arena->free, arena->free - change);
}

/*
 * A run that is free now has been left alone for as long as a quarantine lasts, and is
 * likely to be written to soon. Inline as snapmap_chunk_prefetch() is.
 */
static __always_inline void prefetch_to_write(const struct snapmap_chunk *chunk, u32 block,
					      u32 blocks)
{
	const u8 *at = snapmap_chunk_at(chunk, block);
	const u8 *end = at + ((size_t)blocks << SNAPMAP_BLOCK_SHIFT);

	for (; at < end; at += SNAPMAP_BLOCK_SIZE) {
		prefetchw(at);
		prefetchw(at + SNAPMAP_LINE_SIZE);
		prefetchw(at + 2 * SNAPMAP_LINE_SIZE);
		prefetchw(at + 3 * SNAPMAP_LINE_SIZE);
	}
	prefetchw(snapmap_chunk_tags(chunk, block));
}

/*
 * Keeps a run that is free now for the next one of its length: neither groups nor
 * their lists need be written to twice. False when there are enough.
 */
static bool ready_push(struct snapmap_arena *arena, const struct snapmap_chunk *chunk, u32 block,
		       u32 blocks)
{
	struct snapmap_ready *ready = &arena->ready[blocks - 1];

	if (ready->count == SNAPMAP_READY_MAX)
		return false;
	ready->block[ready->count++] = block;
	prefetch_to_write(chunk, block, blocks);
	return true;
}

/* A run of just this length, 0 when none is ready. */
static u32 ready_pop(struct snapmap_arena *arena, u32 blocks)
{
	struct snapmap_ready *ready = &arena->ready[blocks - 1];

	return ready->count ? ready->block[--ready->count] : 0;
}

/**
 * snapmap_arena_merge() - let the groups have all runs that are ready
 * @arena: the arena
 *
 * Then free runs that lie side by side are one.
 *
 * Context: expects the map's mutex held.
 * Return: how many runs that was.
 */
u32 snapmap_arena_merge(struct snapmap_arena *arena)
{
	u32 drained = 0;
	u32 blocks, block;

	for (blocks = 1; blocks <= SNAPMAP_READY_BLOCKS; blocks++) {
		for (; arena->ready[blocks - 1].count; drained++) {
			block = ready_pop(arena, blocks);
			snapmap_groups_mark(arena, block, blocks, false);
		}
	}
	return drained;
}

static u32 slot_first(u32 slot)
{
	if (slot == 0)
		return 0;
	return slot < 6 ? SNAPMAP_CHUNK_SMALL << (slot - 1) : (slot - 5) * SNAPMAP_CHUNK_BLOCKS;
}

static u32 slot_blocks(u32 slot)
{
	return slot_first(slot + 1) - slot_first(slot);
}

/* Of longer runs a full-size chunk has room for one beside its tags, in place of two. */
#define LARGEST_BESIDE_TAGS	3936U

/*
 * Whether a chunk of @blocks has room for a run of @want behind its first tags. One
 * that is populated for a run that has none gets no tags, and so no short runs.
 */
static bool fits_beside_tags(u32 first, u32 blocks, u32 want)
{
	u32 end = snapmap_region_tags_end(first);
	u32 group = ALIGN(end, SNAPMAP_GROUP_BLOCKS);

	blocks = min(blocks, snapmap_region_blocks(first));
	if (want > LARGEST_BESIDE_TAGS || blocks <= end)
		return false;
	if (blocks <= group)
		return want <= blocks - end;
	return want <= max(blocks - group, group - end);
}

/* What a chunk takes of the limit. */
static u64 chunk_bytes(u32 blocks)
{
	return (u64)blocks * (SNAPMAP_BLOCK_SIZE + sizeof(struct snapmap_run)) +
	       (u64)snapmap_group_count(blocks) * sizeof(struct snapmap_group) +
	       sizeof(struct snapmap_chunk);
}

static void chunk_free(struct snapmap_arena *arena, struct snapmap_chunk *chunk)
{
	if (chunk->data)
		arena->backing->free(arena, chunk->data,
				     (size_t)chunk->first << SNAPMAP_BLOCK_SHIFT,
				     (size_t)chunk->blocks << SNAPMAP_BLOCK_SHIFT);
	kvfree(chunk->groups);
	kvfree(chunk->runs);
	kfree(chunk);
}

static void mark_tags(struct snapmap_chunk *chunk, u32 region)
{
	u32 block = region + SNAPMAP_TAGS_BLOCK;
	u32 end = min(region + snapmap_region_tags_end(region), chunk->first + chunk->blocks);

	for (block -= chunk->first, end -= chunk->first; block < end; block++)
		chunk->groups[block >> SNAPMAP_GROUP_SHIFT].used |=
			1ULL << (block & (SNAPMAP_GROUP_BLOCKS - 1));
}

/*
 * Marks what a new chunk has no blocks for, and what its tags take, which are not
 * counted as used. Those of the first region are in the control page.
 */
static void mark_missing(struct snapmap_chunk *chunk)
{
	u32 count = snapmap_group_count(chunk->blocks);
	u32 region, i;

	if (chunk->blocks % SNAPMAP_GROUP_BLOCKS)
		chunk->groups[count - 1].used = ~0ULL << chunk->blocks % SNAPMAP_GROUP_BLOCKS;
	for (region = chunk->first; region < chunk->first + chunk->blocks;
	     region += snapmap_region_blocks(region))
		if (region && chunk->has_tags)
			mark_tags(chunk, region);
	for (i = 0; i < count; i++) {
		chunk->room += SNAPMAP_GROUP_BLOCKS - hweight64(chunk->groups[i].used);
		chunk->free_groups += !chunk->groups[i].used;
	}
}

/* Context: charges the active memory cgroup. */
static struct snapmap_chunk *chunk_alloc(struct snapmap_arena *arena, u32 slot, u32 blocks,
					 bool has_tags)
{
	struct snapmap_chunk *chunk = kzalloc(sizeof(*chunk), SNAPMAP_GFP);

	if (!chunk)
		return NULL;
	chunk->first = slot_first(slot);
	chunk->blocks = blocks;
	chunk->has_tags = has_tags;
	chunk->runs = kvcalloc(chunk->blocks, sizeof(*chunk->runs), SNAPMAP_GFP);
	chunk->groups = kvcalloc(snapmap_group_count(blocks), sizeof(*chunk->groups), SNAPMAP_GFP);
	if (!chunk->runs || !chunk->groups)
		goto fail;
	mark_missing(chunk);
	chunk->data = arena->backing->alloc(arena, (size_t)chunk->first << SNAPMAP_BLOCK_SHIFT,
					    (size_t)chunk->blocks << SNAPMAP_BLOCK_SHIFT);
	if (!chunk->data)
		goto fail;
	return chunk;
fail:
	chunk_free(arena, chunk);
	return NULL;
}

static void show_chunk(struct snapmap_arena *arena, u32 slot, struct snapmap_chunk *chunk)
{
	down_write(&arena->show_lock);
	WRITE_ONCE(arena->chunks[slot], chunk);
	up_write(&arena->show_lock);
	arena->backing->shown(arena, (size_t)slot_first(slot) << SNAPMAP_BLOCK_SHIFT,
			      (size_t)slot_blocks(slot) << SNAPMAP_BLOCK_SHIFT);
}

/* How many blocks, in whole pages, the limit leaves for a chunk at @slot. */
static u32 blocks_within_limit(const struct snapmap_arena *arena, u32 slot)
{
	u64 left = arena->limit - min(arena->resident, arena->limit);
	u32 blocks = min_t(u64, left >> SNAPMAP_BLOCK_SHIFT, slot_blocks(slot));

	if (snapmap_broken(SNAPMAP_BREAK_LIMIT))
		return slot_blocks(slot);
	blocks -= blocks % SNAPMAP_PAGE_BLOCKS;
	while (blocks && chunk_bytes(blocks) > left)
		blocks -= SNAPMAP_PAGE_BLOCKS;
	return blocks;
}

/* Populates the chunk at @slot, with room for a run of @want blocks. */
static int arena_grow(struct snapmap_arena *arena, u32 slot, u32 want)
{
	u32 blocks = blocks_within_limit(arena, slot);
	bool has_tags = fits_beside_tags(slot_first(slot), blocks, want);
	struct mem_cgroup *caller;
	struct snapmap_chunk *chunk;

	if (blocks < want || (!has_tags && want <= SNAPMAP_GROUP_BLOCKS))
		return -ENOSPC;
	caller = set_active_memcg(arena->memcg);
	chunk = chunk_alloc(arena, slot, blocks, has_tags);
	set_active_memcg(caller);
	if (!chunk)
		return -ENOMEM;
	WRITE_ONCE(arena->resident, arena->resident + chunk_bytes(chunk->blocks));
	WRITE_ONCE(arena->free, arena->free + chunk->room);
	show_chunk(arena, slot, chunk);
	snapmap_groups_list(arena, chunk);
	return 0;
}

/* Gives an empty chunk back; false when somebody has a reference to its memory. */
static bool chunk_drop(struct snapmap_arena *arena, u32 slot)
{
	struct snapmap_chunk *chunk = arena->chunks[slot];

	snapmap_groups_unlist(arena, chunk);
	show_chunk(arena, slot, NULL);
	if (arena->backing->held && arena->backing->held(arena, chunk->data)) {
		show_chunk(arena, slot, chunk);
		snapmap_groups_list(arena, chunk);
		return false;
	}
	WRITE_ONCE(arena->free, arena->free - chunk->room);
	WRITE_ONCE(arena->resident, arena->resident - chunk_bytes(chunk->blocks));
	chunk_free(arena, chunk);
	return true;
}

/*
 * Drops empty chunks as long as @pool free blocks are left; returns how many,
 * and in @held how many more it would have dropped.
 */
static u32 drop_empty_chunks(struct snapmap_arena *arena, u64 pool, u32 *held)
{
	struct snapmap_chunk *chunk;
	u32 dropped = 0;
	u32 slot;

	*held = 0;
	if (snapmap_broken(SNAPMAP_BREAK_REUSE))
		return 0;	/* readers in the kernel shall read what is wrong, not crash */
	for (slot = arena->slots; --slot > 0; ) {
		chunk = arena->chunks[slot];
		if (!chunk || chunk->used || arena->free - chunk->room < pool)
			continue;
		if (chunk_drop(arena, slot))
			dropped++;
		else
			++*held;
	}
	return dropped;
}

/**
 * snapmap_arena_trim() - give empty chunks back to the system
 * @arena: the arena
 *
 * Keeps an eighth of what is in use, and @arena->keep, as a pool, so that a
 * steady stream of commits allocates nothing. Keeps too what others have
 * references to, such as a pipe: freeing it would not make it free, only count
 * it no longer (promise G).
 *
 * Context: may sleep; expects the map's mutex held, and that no reader in the
 *	kernel can reach a free block any more: none was inside when it was
 *	freed, or a grace period had passed (reclaim.c).
 * Return: whether something stays for the sake of a reference.
 */
bool snapmap_arena_trim(struct snapmap_arena *arena)
{
	u32 held;

	snapmap_arena_merge(arena);
	drop_empty_chunks(arena, arena->used / 8 + arena->keep, &held);
	return held;
}

/* Populates the first chunk that can hold a run of @blocks. */
static int populate_for(struct snapmap_arena *arena, u32 blocks)
{
	u32 slot;

	for (slot = 0; slot < arena->slots; slot++)
		if (!arena->chunks[slot] && slot_blocks(slot) >= blocks)
			return arena_grow(arena, slot, blocks);
	return -ENOSPC;
}

/*
 * At the limit, empty chunks that are too small for the run make way for one
 * that is not.
 */
static int arena_grow_for(struct snapmap_arena *arena, u32 blocks)
{
	int err = populate_for(arena, blocks);
	u32 held;

	if (err == -ENOSPC && drop_empty_chunks(arena, 0, &held))
		err = populate_for(arena, blocks);
	return err;
}

/* Takes a run from the groups, which may have to get all that is ready before. */
static u32 take_run(struct snapmap_arena *arena, u32 blocks, int *err)
{
	u32 block = snapmap_groups_find(arena, blocks);

	if (!block && snapmap_arena_merge(arena))
		block = snapmap_groups_find(arena, blocks);
	if (!block) {
		*err = arena_grow_for(arena, blocks);
		if (*err)
			return 0;
		block = snapmap_groups_find(arena, blocks);
	}
	snapmap_groups_mark(arena, block, blocks, true);
	return block;
}

/*
 * Lets births be counted from a later version on, which they are not too far behind of.
 * Runs that are older are only known to be old: should one be retired, it is held back by
 * the pins of all versions before, as if they reached it.
 */
static void begin_epoch(struct snapmap_arena *arena, u64 version)
{
	u64 epoch = version - U32_MAX / 2;
	u64 later = epoch - arena->epoch;
	struct snapmap_chunk *chunk;
	struct snapmap_run *run;
	u32 slot;

	for (slot = 0; slot < arena->slots; slot++) {
		chunk = arena->chunks[slot];
		if (!chunk)
			continue;
		for (run = chunk->runs; run < chunk->runs + chunk->blocks; run++)
			run->birth = run->birth > later ? run->birth - later : 0;
		cond_resched();
	}
	arena->epoch = epoch;
}

/**
 * snapmap_arena_alloc() - allocate a run of blocks
 * @arena: the arena
 * @blocks: its length, at least 1; up to 64 lie in one group
 * @birth: version of the snapshot that it is for
 * @err: out, on failure only: -ENOSPC at the limit, -ENOMEM without memory
 *
 * The content is left as it is.
 *
 * Context: may sleep; expects the map's mutex held.
 * Return: the first block, 0 on failure.
 */
u32 snapmap_arena_alloc(struct snapmap_arena *arena, u32 blocks, u64 birth, int *err)
{
	u32 block = blocks <= SNAPMAP_READY_BLOCKS ? ready_pop(arena, blocks) : 0;
	struct snapmap_run *run;

	if (!block)
		block = take_run(arena, blocks, err);
	if (!block)
		return 0;
	count_used(arena, blocks);
	if (birth - arena->epoch > U32_MAX)
		begin_epoch(arena, birth);
	run = snapmap_arena_run(arena, block);
	run->birth = birth - arena->epoch;
	run->next = 0;
	run->blocks = blocks <= SNAPMAP_RUN_SHORT ? blocks : 0;
	if (!run->blocks)
		run[1].next = blocks;
	return block;
}

/**
 * snapmap_arena_free() - give a run back to the pool
 * @arena: the arena
 * @block: its first block
 *
 * Context: does not sleep; expects the map's mutex held.
 */
void snapmap_arena_free(struct snapmap_arena *arena, u32 block)
{
	const struct snapmap_chunk *chunk = snapmap_arena_chunk(arena, block);
	u32 blocks = snapmap_run_blocks(snapmap_chunk_run(chunk, block));

	count_used(arena, -(s64)blocks);
	if (blocks > SNAPMAP_READY_BLOCKS || !ready_push(arena, chunk, block, blocks))
		snapmap_groups_mark(arena, block, blocks, false);
}

/**
 * snapmap_arena_init() - set up an arena and its first chunk
 * @arena: zeroed
 * @backing: where its memory comes from
 * @limit: the most bytes that it may take, SNAPMAP_LIMIT_MIN to _MAX
 *
 * The first blocks are taken for the control page, zeroed.
 *
 * Return: 0, -ENOMEM, or -ENOSPC when @limit does not hold the first chunk.
 *	After a failure there is nothing to destroy.
 */
int snapmap_arena_init(struct snapmap_arena *arena, const struct snapmap_backing *backing,
		       u64 limit)
{
	u64 chunks = DIV_ROUND_UP(limit, (u64)SNAPMAP_CHUNK_BLOCKS << SNAPMAP_BLOCK_SHIFT) + 1;
	int err;

	arena->backing = backing;
	arena->limit = limit;
	arena->blocks = chunks * SNAPMAP_CHUNK_BLOCKS;
	arena->slots = 5 + chunks;
	arena->resident = arena->slots * sizeof(*arena->chunks);
	init_rwsem(&arena->show_lock);
	memset32(arena->bucket, SNAPMAP_NO_GROUP, SNAPMAP_BUCKETS);
	arena->chunks = kvcalloc(arena->slots, sizeof(*arena->chunks), SNAPMAP_GFP);
	if (!arena->chunks)
		return -ENOMEM;
	err = arena_grow(arena, 0, SNAPMAP_CHUNK_SMALL - SNAPMAP_GROUP_BLOCKS);
	if (err) {
		kvfree(arena->chunks);
		return err;
	}
	snapmap_groups_mark(arena, 0, SNAPMAP_CONTROL_BLOCKS, true);
	count_used(arena, SNAPMAP_CONTROL_BLOCKS);
	return 0;
}

/**
 * snapmap_arena_destroy() - free everything
 * @arena: the arena
 *
 * Context: may sleep; nobody has the arena mapped or looks into it any more.
 */
void snapmap_arena_destroy(struct snapmap_arena *arena)
{
	u32 slot;

	for (slot = 0; slot < arena->slots; slot++)
		if (arena->chunks[slot])
			chunk_free(arena, arena->chunks[slot]);
	kvfree(arena->chunks);
}

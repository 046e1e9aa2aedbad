// SPDX-License-Identifier: GPL-2.0-only
/*
 * arena.c - the memory of one map, in blocks of 512 bytes
 *
 * The arena is a row of chunks, populated when they are needed and given back
 * when they are empty; a block's number, and so its place in every mapping,
 * never changes. Near the limit a chunk has fewer blocks than its place has. A
 * run is a row of blocks inside one chunk, handed out and taken back whole.
 *
 * Eight aligned blocks are a group. Runs of up to eight blocks lie inside one
 * group, so that a leaf never straddles two pages. Each group stands in the
 * bucket of its longest free run, best fit is the first non-empty bucket that
 * is large enough, and both allocating and freeing take constant time. Longer
 * runs begin at a group and are searched for, chunk by chunk.
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
#include <linux/log2.h>
#include <linux/math64.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "arena.h"
#include "broken.h"

static struct snapmap_chunk *chunk_of(struct snapmap_arena *arena, u32 block)
{
	return arena->chunks[snapmap_arena_slot(block)];
}

static struct snapmap_group *group_of(struct snapmap_arena *arena, u32 group)
{
	struct snapmap_chunk *chunk = chunk_of(arena, group << SNAPMAP_GROUP_SHIFT);

	return &chunk->groups[group - (chunk->first >> SNAPMAP_GROUP_SHIFT)];
}

/**
 * snapmap_arena_run() - what is known of a run in use
 * @arena: the arena
 * @block: first block of the run
 */
struct snapmap_run *snapmap_arena_run(struct snapmap_arena *arena, u32 block)
{
	struct snapmap_chunk *chunk = chunk_of(arena, block);

	return &chunk->runs[block - chunk->first];
}

/* First blocks of every run of @blocks zero bits of @used, as a mask. */
static u32 free_runs(u8 used, u32 blocks)
{
	u32 mask = (u8)~used;

	while (--blocks)
		mask &= mask >> 1;
	return mask;
}

static u32 longest_free_run(u8 used)
{
	u32 mask = (u8)~used;
	u32 length = 0;

	for (; mask; mask &= mask >> 1)
		length++;
	return length;
}

static void bucket_add(struct snapmap_arena *arena, u32 number)
{
	struct snapmap_group *group = group_of(arena, number);
	u32 *head = &arena->bucket[longest_free_run(group->used)];

	group->prev = 0;
	group->next = *head;
	if (*head)
		group_of(arena, *head)->prev = number;
	*head = number;
}

static void bucket_remove(struct snapmap_arena *arena, u32 number)
{
	struct snapmap_group *group = group_of(arena, number);

	if (group->next)
		group_of(arena, group->next)->prev = group->prev;
	if (group->prev)
		group_of(arena, group->prev)->next = group->next;
	else
		arena->bucket[longest_free_run(group->used)] = group->next;
}

/* Puts all groups of a chunk, which are free, into their bucket. */
static void bucket_add_chunk(struct snapmap_arena *arena, const struct snapmap_chunk *chunk)
{
	u32 first = chunk->first >> SNAPMAP_GROUP_SHIFT;
	u32 i;

	for (i = chunk->blocks >> SNAPMAP_GROUP_SHIFT; i--; )
		if (first + i)		/* group 0 is the control page */
			bucket_add(arena, first + i);
}

static void bucket_remove_chunk(struct snapmap_arena *arena, const struct snapmap_chunk *chunk)
{
	u32 first = chunk->first >> SNAPMAP_GROUP_SHIFT;
	u32 i;

	for (i = 0; i < chunk->blocks >> SNAPMAP_GROUP_SHIFT; i++)
		bucket_remove(arena, first + i);
}

static void group_set_used(struct snapmap_arena *arena, u32 number, u8 used)
{
	struct snapmap_chunk *chunk = chunk_of(arena, number << SNAPMAP_GROUP_SHIFT);
	struct snapmap_group *group = group_of(arena, number);

	chunk->free_groups += !used - !group->used;
	if (longest_free_run(group->used) == longest_free_run(used)) {
		group->used = used;
		return;
	}
	bucket_remove(arena, number);
	group->used = used;
	bucket_add(arena, number);
}

/* Marks a run as used or free, group by group. */
static void mark_run(struct snapmap_arena *arena, u32 block, u32 blocks, bool used)
{
	struct snapmap_chunk *chunk = chunk_of(arena, block);
	u32 end = block + blocks;
	u32 number, first, last;
	u8 old, mask;

	for (; block < end; block = last) {
		number = block >> SNAPMAP_GROUP_SHIFT;
		first = block & (SNAPMAP_GROUP_BLOCKS - 1);
		last = min(end, (number + 1) << SNAPMAP_GROUP_SHIFT);
		mask = (u8)(((1U << (last - block)) - 1) << first);
		old = group_of(arena, number)->used;
		group_set_used(arena, number, used ? old | mask : old & ~mask);
	}
	if (used) {
		chunk->used += blocks;
		WRITE_ONCE(arena->used, arena->used + blocks);
		WRITE_ONCE(arena->free, arena->free - blocks);
	} else {
		chunk->used -= blocks;
		WRITE_ONCE(arena->used, arena->used - blocks);
		WRITE_ONCE(arena->free, arena->free + blocks);
	}
}

static u32 slot_blocks(u32 slot)
{
	if (slot < 2)
		return SNAPMAP_CHUNK_SMALL;
	return slot < 6 ? SNAPMAP_CHUNK_SMALL << (slot - 1) : SNAPMAP_CHUNK_BLOCKS;
}

static u32 slot_first(u32 slot)
{
	if (slot == 0)
		return 0;
	return slot < 6 ? slot_blocks(slot) : (slot - 5) * SNAPMAP_CHUNK_BLOCKS;
}

/* What a chunk takes of the limit. */
static u64 chunk_bytes(u32 blocks)
{
	return (u64)blocks * (SNAPMAP_BLOCK_SIZE + sizeof(struct snapmap_run)) +
	       (u64)(blocks >> SNAPMAP_GROUP_SHIFT) * sizeof(struct snapmap_group) +
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

/* Context: charges the active memory cgroup. */
static struct snapmap_chunk *chunk_alloc(struct snapmap_arena *arena, u32 slot, u32 blocks)
{
	struct snapmap_chunk *chunk = kzalloc(sizeof(*chunk), SNAPMAP_GFP);

	if (!chunk)
		return NULL;
	chunk->first = slot_first(slot);
	chunk->blocks = blocks;
	chunk->runs = kvcalloc(chunk->blocks, sizeof(*chunk->runs), SNAPMAP_GFP);
	chunk->groups = kvcalloc(chunk->blocks >> SNAPMAP_GROUP_SHIFT, sizeof(*chunk->groups),
				 SNAPMAP_GFP);
	if (!chunk->runs || !chunk->groups)
		goto fail;
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

/* How many blocks, in whole groups, the limit leaves for a chunk at @slot. */
static u32 blocks_within_limit(const struct snapmap_arena *arena, u32 slot)
{
	const u32 bytes = chunk_bytes(SNAPMAP_GROUP_BLOCKS) - chunk_bytes(0);
	u64 used = arena->resident + chunk_bytes(0);
	u64 groups = used < arena->limit ? div_u64(arena->limit - used, bytes) : 0;

	if (snapmap_broken(SNAPMAP_BREAK_LIMIT))
		return slot_blocks(slot);
	return min_t(u64, groups << SNAPMAP_GROUP_SHIFT, slot_blocks(slot));
}

/* Populates the chunk at @slot, with room for a run of @want blocks. */
static int arena_grow(struct snapmap_arena *arena, u32 slot, u32 want)
{
	u32 blocks = blocks_within_limit(arena, slot);
	struct mem_cgroup *caller;
	struct snapmap_chunk *chunk;

	if (blocks < want)
		return -ENOSPC;
	caller = set_active_memcg(arena->memcg);
	chunk = chunk_alloc(arena, slot, blocks);
	set_active_memcg(caller);
	if (!chunk)
		return -ENOMEM;
	WRITE_ONCE(arena->resident, arena->resident + chunk_bytes(chunk->blocks));
	WRITE_ONCE(arena->free, arena->free + chunk->blocks);
	chunk->free_groups = chunk->blocks >> SNAPMAP_GROUP_SHIFT;
	show_chunk(arena, slot, chunk);
	bucket_add_chunk(arena, chunk);
	return 0;
}

/* Gives an empty chunk back; false when somebody has a reference to its memory. */
static bool chunk_drop(struct snapmap_arena *arena, u32 slot)
{
	struct snapmap_chunk *chunk = arena->chunks[slot];

	bucket_remove_chunk(arena, chunk);
	show_chunk(arena, slot, NULL);
	if (arena->backing->held && arena->backing->held(arena, chunk->data)) {
		show_chunk(arena, slot, chunk);
		bucket_add_chunk(arena, chunk);
		return false;
	}
	WRITE_ONCE(arena->free, arena->free - chunk->blocks);
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
		if (!chunk || chunk->used || arena->free - chunk->blocks < pool)
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
 *	kernel can reach a free block any more.
 * Return: whether something stays for the sake of a reference.
 */
bool snapmap_arena_trim(struct snapmap_arena *arena)
{
	u32 held;

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

static u32 find_small(struct snapmap_arena *arena, u32 blocks)
{
	u32 length, number;

	for (length = blocks; length <= SNAPMAP_GROUP_BLOCKS; length++) {
		number = arena->bucket[length];
		if (number)
			return (number << SNAPMAP_GROUP_SHIFT) +
			       __ffs(free_runs(group_of(arena, number)->used, blocks));
	}
	return 0;
}

/* First block of @want free groups in a row, 0 when there are none. */
static u32 find_in_chunk(const struct snapmap_chunk *chunk, u32 want)
{
	u32 groups = chunk->blocks >> SNAPMAP_GROUP_SHIFT;
	u32 row = 0;
	u32 i;

	if (chunk->free_groups < want)
		return 0;
	for (i = 0; i < groups; i++) {
		row = chunk->groups[i].used ? 0 : row + 1;
		if (row == want)
			return chunk->first + ((i + 1 - want) << SNAPMAP_GROUP_SHIFT);
	}
	return 0;
}

static u32 find_large(struct snapmap_arena *arena, u32 blocks)
{
	u32 want = DIV_ROUND_UP(blocks, SNAPMAP_GROUP_BLOCKS);
	u32 slot = arena->large_hint;
	u32 block, i;

	for (i = 0; i < arena->slots; i++, slot++) {
		if (slot >= arena->slots)
			slot = 0;
		if (!arena->chunks[slot])
			continue;
		block = find_in_chunk(arena->chunks[slot], want);
		if (block) {
			arena->large_hint = slot;
			return block;
		}
	}
	return 0;
}

/**
 * snapmap_arena_alloc() - allocate a run of blocks
 * @arena: the arena
 * @blocks: its length, 1 to SNAPMAP_CHUNK_BLOCKS; at most 8 lie in one group
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
	bool small = blocks <= SNAPMAP_GROUP_BLOCKS;
	struct snapmap_run *run;
	u32 block;

	block = small ? find_small(arena, blocks) : find_large(arena, blocks);
	if (!block) {
		*err = arena_grow_for(arena, blocks);
		if (*err)
			return 0;
		block = small ? find_small(arena, blocks) : find_large(arena, blocks);
	}
	mark_run(arena, block, blocks, true);
	run = snapmap_arena_run(arena, block);
	run->birth = birth;
	run->blocks = blocks;
	run->next = 0;
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
	mark_run(arena, block, snapmap_arena_run(arena, block)->blocks, false);
}

/**
 * snapmap_runlist_add() - put a run at the end of a list
 * @arena: the arena
 * @list: the list
 * @block: first block of a run that is in no list
 */
void snapmap_runlist_add(struct snapmap_arena *arena, struct snapmap_runlist *list, u32 block)
{
	struct snapmap_run *run = snapmap_arena_run(arena, block);

	run->next = 0;
	if (list->head)
		snapmap_arena_run(arena, list->tail)->next = block;
	else
		list->head = block;
	list->tail = block;
	list->blocks += run->blocks;
}

/**
 * snapmap_runlist_pop() - take the first run off a list
 * @arena: the arena
 * @list: the list
 *
 * Return: its first block, 0 when the list is empty.
 */
u32 snapmap_runlist_pop(struct snapmap_arena *arena, struct snapmap_runlist *list)
{
	struct snapmap_run *run;
	u32 block = list->head;

	if (!block)
		return 0;
	run = snapmap_arena_run(arena, block);
	list->head = run->next;
	list->blocks -= run->blocks;
	return block;
}

/**
 * snapmap_runlist_splice() - move all runs of one list to the end of another
 * @arena: the arena
 * @list: the list that grows
 * @from: the list that is left empty
 */
void snapmap_runlist_splice(struct snapmap_arena *arena, struct snapmap_runlist *list,
			    struct snapmap_runlist *from)
{
	if (!from->head)
		return;
	if (list->head)
		snapmap_arena_run(arena, list->tail)->next = from->head;
	else
		list->head = from->head;
	list->tail = from->tail;
	list->blocks += from->blocks;
	*from = (struct snapmap_runlist){};
}

/**
 * snapmap_arena_init() - set up an arena and its first chunk
 * @arena: zeroed
 * @backing: where its memory comes from
 * @limit: the most bytes that it may take, SNAPMAP_LIMIT_MIN to _MAX
 *
 * The first eight blocks are taken for the control page, zeroed.
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
	arena->chunks = kvcalloc(arena->slots, sizeof(*arena->chunks), SNAPMAP_GFP);
	if (!arena->chunks)
		return -ENOMEM;
	err = arena_grow(arena, 0, SNAPMAP_CHUNK_SMALL);
	if (err) {
		kvfree(arena->chunks);
		return err;
	}
	arena->chunks[0]->groups[0].used = 0xff;
	arena->chunks[0]->free_groups--;
	arena->chunks[0]->used = SNAPMAP_CONTROL_BLOCKS;
	arena->used = SNAPMAP_CONTROL_BLOCKS;
	arena->free -= SNAPMAP_CONTROL_BLOCKS;
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

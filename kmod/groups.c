// SPDX-License-Identifier: GPL-2.0-only
/*
 * groups.c - where an arena's free runs are
 *
 * 64 aligned blocks are a group. Runs of up to 64 blocks lie inside one group.
 * Each group stands in the bucket of its longest free run, the first non-empty
 * bucket that is large enough is the best fit, and both finding a run and marking
 * it take constant time. Runs may straddle two pages: to keep leaves inside pages
 * cost a quarter more memory. Longer runs begin at a group and are searched for,
 * chunk by chunk.
 *
 * Context: everything expects the map's mutex held, or an arena that nobody else
 * knows; nothing sleeps.
 */
#include <linux/bitops.h>
#include <linux/kernel.h>
#include <linux/log2.h>

#include "groups.h"

static struct snapmap_group *group_of(struct snapmap_arena *arena, u32 group)
{
	struct snapmap_chunk *chunk = snapmap_arena_chunk(arena, group << SNAPMAP_GROUP_SHIFT);

	return &chunk->groups[group - (chunk->first >> SNAPMAP_GROUP_SHIFT)];
}

/* First blocks of every run of @blocks zero bits of @used, as a mask. */
static u64 free_runs(u64 used, u32 blocks)
{
	u64 mask = ~used;
	u32 have, step;

	for (have = 1; have < blocks; have += step) {
		step = min(have, blocks - have);
		mask &= mask >> step;
	}
	return mask;
}

/* The bucket of groups whose longest free run is of @length blocks. */
static u32 bucket_of(u32 length)
{
	return length <= SNAPMAP_BUCKET_EXACT ? length : 6 + ilog2(length);
}

/* That of a group: its longest free run, found by halving. */
static u32 bucket_of_used(u64 used)
{
	u64 one = ~used;			/* where runs of at least one block begin */
	u64 two = one & (one >> 1);
	u64 four = two & (two >> 2);
	u64 eight = four & (four >> 4);
	u64 sixteen = eight & (eight >> 8);

	if (!used)
		return bucket_of(SNAPMAP_GROUP_BLOCKS);
	if (sixteen)
		return bucket_of(sixteen & (sixteen >> 16) ? 32 : 16);
	if (eight)
		return eight & (one >> 8) ? 9 : 8;
	if (four & (two >> 4))
		return four & (two >> 4) & (one >> 6) ? 7 : 6;
	if (four)
		return four & (one >> 4) ? 5 : 4;
	if (two)
		return two & (one >> 2) ? 3 : 2;
	return one ? 1 : 0;
}

/* The first bucket whose groups all have a free run of @blocks. */
static u32 bucket_for(u32 blocks)
{
	return blocks <= SNAPMAP_BUCKET_EXACT ? blocks : 7 + ilog2(blocks - 1);
}

static void bucket_add(struct snapmap_arena *arena, struct snapmap_group *group, u32 number)
{
	u32 *head;

	group->bucket = bucket_of_used(group->used);
	head = &arena->bucket[group->bucket];
	group->prev = SNAPMAP_NO_GROUP;
	group->next = *head;
	if (*head != SNAPMAP_NO_GROUP)
		group_of(arena, *head)->prev = number;
	*head = number;
}

static void bucket_remove(struct snapmap_arena *arena, const struct snapmap_group *group)
{
	if (group->next != SNAPMAP_NO_GROUP)
		group_of(arena, group->next)->prev = group->prev;
	if (group->prev != SNAPMAP_NO_GROUP)
		group_of(arena, group->prev)->next = group->next;
	else
		arena->bucket[group->bucket] = group->next;
}

/**
 * snapmap_groups_list() - let runs be found in a chunk
 * @arena: the arena
 * @chunk: has just been populated, or is empty
 */
void snapmap_groups_list(struct snapmap_arena *arena, const struct snapmap_chunk *chunk)
{
	u32 first = chunk->first >> SNAPMAP_GROUP_SHIFT;
	u32 i;

	if (!chunk->has_tags)
		return;
	for (i = snapmap_group_count(chunk->blocks); i--; )
		bucket_add(arena, &chunk->groups[i], first + i);
}

/**
 * snapmap_groups_unlist() - let no run be found in a chunk any more
 * @arena: the arena
 * @chunk: is empty
 */
void snapmap_groups_unlist(struct snapmap_arena *arena, const struct snapmap_chunk *chunk)
{
	u32 i;

	if (!chunk->has_tags)
		return;
	for (i = snapmap_group_count(chunk->blocks); i--; )
		bucket_remove(arena, &chunk->groups[i]);
}

static void group_set_used(struct snapmap_arena *arena, struct snapmap_chunk *chunk, u32 number,
			   u64 used)
{
	struct snapmap_group *group = &chunk->groups[number -
						     (chunk->first >> SNAPMAP_GROUP_SHIFT)];

	chunk->free_groups += !used - !group->used;
	group->used = used;
	if (!chunk->has_tags || group->bucket == bucket_of_used(used))
		return;
	bucket_remove(arena, group);
	bucket_add(arena, group, number);
}

/**
 * snapmap_groups_mark() - mark a run as used or free
 * @arena: the arena
 * @block: first block of the run
 * @blocks: its length
 * @used: which of both
 */
void snapmap_groups_mark(struct snapmap_arena *arena, u32 block, u32 blocks, bool used)
{
	struct snapmap_chunk *chunk = snapmap_arena_chunk(arena, block);
	u32 end = block + blocks;
	u32 number, first, last;
	u64 old, mask;

	chunk->used += used ? blocks : -blocks;
	for (; block < end; block = last) {
		number = block >> SNAPMAP_GROUP_SHIFT;
		first = block & (SNAPMAP_GROUP_BLOCKS - 1);
		last = min(end, (number + 1) << SNAPMAP_GROUP_SHIFT);
		mask = GENMASK_ULL(first + last - block - 1, first);
		old = chunk->groups[number - (chunk->first >> SNAPMAP_GROUP_SHIFT)].used;
		group_set_used(arena, chunk, number, used ? old | mask : old & ~mask);
	}
}

/* Looks into so many groups that may have a row that is long enough. */
#define TRIES	8

/*
 * First block of a free row inside one group, 0 when there is none. For more
 * than eight blocks, a few groups of the bucket before the sure ones are tried.
 */
static u32 find_small(struct snapmap_arena *arena, u32 blocks)
{
	u32 sure = bucket_for(blocks);
	u32 bucket, number, tries;
	u64 runs;

	for (bucket = bucket_of(blocks); bucket < SNAPMAP_BUCKETS; bucket++) {
		number = arena->bucket[bucket];
		tries = bucket < sure ? TRIES : 1;
		for (; tries && number != SNAPMAP_NO_GROUP; tries--) {
			runs = free_runs(group_of(arena, number)->used, blocks);
			if (runs)
				return (number << SNAPMAP_GROUP_SHIFT) + __ffs64(runs);
			number = group_of(arena, number)->next;
		}
	}
	return 0;
}

/* First block of a free row that begins with a group and is longer than one, or 0. */
static u32 find_in_chunk(const struct snapmap_chunk *chunk, u32 blocks)
{
	u64 rest = (1ULL << blocks % SNAPMAP_GROUP_BLOCKS) - 1;
	u32 whole = blocks / SNAPMAP_GROUP_BLOCKS;
	u32 count = snapmap_group_count(chunk->blocks);
	u32 row = 0;
	u32 i;

	if (chunk->free_groups < whole)
		return 0;
	for (i = 0; i <= count; i++) {
		if (row >= whole && (!rest || (i < count && !(chunk->groups[i].used & rest))))
			return chunk->first + ((i - whole) << SNAPMAP_GROUP_SHIFT);
		row = i < count && !chunk->groups[i].used ? row + 1 : 0;
	}
	return 0;
}

static u32 find_large(struct snapmap_arena *arena, u32 blocks)
{
	u32 slot = arena->large_hint;
	u32 block, i;

	for (i = 0; i < arena->slots; i++, slot++) {
		if (slot >= arena->slots)
			slot = 0;
		if (!arena->chunks[slot])
			continue;
		block = find_in_chunk(arena->chunks[slot], blocks);
		if (block) {
			arena->large_hint = slot;
			return block;
		}
	}
	return 0;
}

/**
 * snapmap_groups_find() - find a free run
 * @arena: the arena
 * @blocks: its length
 *
 * Return: its first block, 0 when there is none that is as long.
 */
u32 snapmap_groups_find(struct snapmap_arena *arena, u32 blocks)
{
	return blocks <= SNAPMAP_GROUP_BLOCKS ? find_small(arena, blocks) :
						find_large(arena, blocks);
}

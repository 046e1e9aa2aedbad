// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * walk.c - which blocks a snapshot takes, by the published format alone
 *
 * Shares no code with the module or the library: what it counts, compared with
 * what the module says is in use, shows leaks and blocks freed too early.
 */
#include <sys/mman.h>

#include "device.h"

/**
 * struct arena - a mapping, and what has been found in it
 * @base: where it is
 * @bytes: its length
 * @met: a byte for each block: whether it has been met
 * @fresh: blocks that had not been met before
 */
struct arena {
	const u8 *base;
	size_t bytes;
	u8 *met;
	u64 fresh;
};

static void meet(struct arena *arena, u32 block, u32 blocks)
{
	assert_true(block >= SNAPMAP_CONTROL_BLOCKS);
	assert_true(((size_t)block + blocks) << SNAPMAP_BLOCK_SHIFT <= arena->bytes);
	for (; blocks; blocks--, block++) {
		arena->fresh += !arena->met[block];
		arena->met[block] = 1;
	}
}

static const void *block_at(struct arena *arena, u32 block, u32 blocks)
{
	meet(arena, block, blocks);
	return arena->base + ((size_t)block << SNAPMAP_BLOCK_SHIFT);
}

static u64 external_blocks(struct arena *arena, const struct snapmap_entry *entry)
{
	u32 bytes = entry->value_len & ~SNAPMAP_ENTRY_EXTERNAL;
	u32 blocks = (bytes + SNAPMAP_BLOCK_SIZE - 1) / SNAPMAP_BLOCK_SIZE;
	struct snapmap_extern at;

	if (!(entry->value_len & SNAPMAP_ENTRY_EXTERNAL))
		return 0;
	memcpy(&at, (const u8 *)(entry + 1) + ((entry->key_len + 7) & ~7U), sizeof(at));
	meet(arena, at.block, blocks);
	return blocks;
}

static u64 leaf_total(struct arena *arena, u32 ref)
{
	u32 blocks = SNAPMAP_REF_ARG(ref) + 1;
	const u8 *leaf = block_at(arena, SNAPMAP_REF_BLOCK(ref), blocks);
	const u8 *tags = arena->base + snapmap_tags_at(SNAPMAP_REF_BLOCK(ref));
	u64 total = blocks;
	u32 i;

	for (i = 0; i < blocks * (SNAPMAP_BLOCK_SIZE / SNAPMAP_GRANULE_SIZE); i++)
		if (tags[i] >= SNAPMAP_TAG_FIRST)
			total += external_blocks(arena,
						 (const void *)(leaf + i * SNAPMAP_GRANULE_SIZE));
	return total;
}

/* Blocks of an array of 2^@bits numbers. */
static u32 array_blocks(u32 bits)
{
	return ((4U << bits) + SNAPMAP_BLOCK_SIZE - 1) / SNAPMAP_BLOCK_SIZE;
}

static u64 tree_total(struct arena *arena, u32 ref, u32 levels, u32 bits)
{
	u32 blocks = array_blocks(bits);
	const u32 *slots;
	u64 total = blocks;
	u32 i;

	if (!ref)
		return 0;
	if (!levels)
		return leaf_total(arena, ref);
	slots = block_at(arena, SNAPMAP_REF_BLOCK(ref), blocks);
	for (i = 0; i < 1U << bits; i++)
		if (!i || slots[i] != slots[i - 1])
			total += tree_total(arena, slots[i], levels - 1, SNAPMAP_NODE_BITS);
	return total;
}

/* The blocks of the filter, which is known of the current snapshot alone. */
static u64 filter_total(struct arena *arena, u64 version)
{
	const struct snapmap_control *control = (const void *)arena->base;
	u64 filter = control->filter[version & 1];
	u32 count = 1U << SNAPMAP_FILTER_WIDTH(filter);
	u32 blocks = array_blocks(SNAPMAP_FILTER_WIDTH(filter));
	const u32 *runs;
	u32 i;

	if (!filter || control->version != version)
		return 0;
	runs = block_at(arena, SNAPMAP_FILTER_BLOCK(filter), blocks);
	for (i = 0; i < count; i++)
		meet(arena, runs[i], SNAPMAP_FILTER_BLOCKS);
	return blocks + (u64)count * SNAPMAP_FILTER_BLOCKS;
}

/* Those of the directory, likewise. */
static u64 directory_total(struct arena *arena, u64 version)
{
	const struct snapmap_control *control = (const void *)arena->base;
	u64 directory = control->directory[version & 1];
	u32 blocks = array_blocks(SNAPMAP_DIRECTORY_WIDTH(directory));

	if (!directory || control->version != version)
		return 0;
	meet(arena, SNAPMAP_DIRECTORY_BLOCK(directory), blocks);
	return blocks;
}

/* The blocks of the snapshot of a map or a pin. */
static u64 snapshot_total(struct arena *arena, int fd)
{
	int pin = map_pin(fd);
	int use = pin == -ENOTTY ? fd : pin; /* it is a pin already */
	struct snapmap_info info;
	u64 total;

	assert_true(use >= 0);
	assert_info(use, &info);
	arena->base = map_mapping(use, &arena->bytes);
	assert_non_null(arena->base);
	if (!arena->met)
		arena->met = calloc(arena->bytes >> SNAPMAP_BLOCK_SHIFT, 1);
	arena->fresh = 0;
	total = tree_total(arena, SNAPMAP_ROOT_REF(info.root), SNAPMAP_ROOT_LEVELS(info.root),
			   SNAPMAP_ROOT_BITS(info.root)) +
		filter_total(arena, info.header.version) +
		directory_total(arena, info.header.version);
	munmap((void *)arena->base, arena->bytes);
	if (pin >= 0)
		close(pin);
	return total;
}

u64 reachable_blocks(int fd)
{
	struct arena arena = { .met = NULL };
	u64 total = snapshot_total(&arena, fd);

	free(arena.met);
	return total;
}

u64 blocks_of_pin_alone(int pin, int fd)
{
	struct arena arena = { .met = NULL };

	snapshot_total(&arena, fd);
	snapshot_total(&arena, pin);
	free(arena.met);
	return arena.fresh;
}

static bool is_settled(void *data)
{
	struct batch empty = { .data = NULL };
	struct snapmap_info info = { .flags = 0 };
	int fd = *(int *)data;

	if (batch_commit(fd, &empty, 0, NULL))
		return false;
	return !ioc(fd, SNAPMAP_IOC_INFO, &info) && info.retired_blocks == info.pinned_blocks;
}

void settle(int fd)
{
	assert_true(wait_until(is_settled, &fd, PATIENCE));
}

void assert_no_leak(int fd)
{
	struct snapmap_info info;
	u64 blocks;

	settle(fd);
	blocks = reachable_blocks(fd);
	assert_info(fd, &info);
	assert_int_equal(info.used_blocks - info.pinned_blocks, blocks);
}

// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * verify.c - the rules of the trie: references, levels, groups, blocks, sums; the filter's and the directory's
 *
 * Nothing is trusted: a block that is out of bounds or used twice is reported
 * and not entered, so that the walk ends whatever it meets.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "barrier.h"
#include "verify.h"

/**
 * snapmap_check_fault() - report a fault
 * @check: the verification
 * @block: the block at fault, 0 for none
 * @format: what is wrong
 */
void snapmap_check_fault(struct snapmap_check *check, u32 block, const char *format, ...)
{
	char what[256];
	va_list args;

	if (snapmap_pin_check(check->snapshot))
		return; /* these are another snapshot's bytes */
	va_start(args, format);
	vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	check->faults++;
	check->ops->fault(check->data, block, what);
}

/* Returns whether the block is in use already. */
static bool mark_used(struct snapmap_check *check, u32 block, enum snapmap_check_use use)
{
	bool was = check->used[block];

	check->used[block] = use;
	return was;
}

/**
 * snapmap_check_claim() - note that something uses a run of blocks
 * @check: the verification
 * @block: first block
 * @blocks: length
 * @what: what uses it, for the report
 *
 * Return: the run's address, NULL when it is out of bounds or used already.
 */
const void *snapmap_check_claim(struct snapmap_check *check, u32 block, u32 blocks,
				const char *what)
{
	const void *at = snapmap_view_at(check->view, block, blocks);
	bool twice = false;
	u32 i;

	if (!at) {
		snapmap_check_fault(check, block, "%s of %u blocks lies outside the arena", what,
				    blocks);
		return NULL;
	}
	for (i = 0; i < blocks; i++)
		twice |= mark_used(check, block + i, SNAPMAP_CHECK_RUN);
	if (twice)
		snapmap_check_fault(check, block, "%s uses a block that is in use already", what);
	return twice ? NULL : at;
}

/**
 * snapmap_check_claim_tags() - note that a region has a leaf, and so tags
 * @check: the verification
 * @block: first block of the leaf
 *
 * Return: false when something else uses a block that the region's tags take.
 */
bool snapmap_check_claim_tags(struct snapmap_check *check, u32 block)
{
	u32 region = snapmap_region_first(block);
	u32 end = region + snapmap_region_tags_end(region);
	bool twice = false;

	block = region + SNAPMAP_TAGS_BLOCK;
	if (check->used[block] == SNAPMAP_CHECK_TAGS)
		return true;
	for (; block < end && block < snapmap_view_blocks(check->view); block++)
		twice |= mark_used(check, block, SNAPMAP_CHECK_TAGS);
	if (twice)
		snapmap_check_fault(check, region + SNAPMAP_TAGS_BLOCK,
				    "tags use a block that is in use already");
	return !twice;
}

/* Slots from @slot on that hold the same reference. */
static u32 run_length(const u32 *slots, u32 count, u32 slot)
{
	u32 end = slot + 1;

	while (end < count && slots[end] == slots[slot])
		end++;
	return end - slot;
}

/* The log2 of the group that fills @length slots at @slot, or -1 when none does. */
static int group_bits(u32 slot, u32 length)
{
	if ((length & (length - 1)) || (slot & (length - 1)))
		return -1;
	return __builtin_ctz(length);
}

static void check_node(struct snapmap_check *check, u32 ref, u32 bits, u32 below,
		       struct snapmap_prefix prefix);

/*
 * The child whose reference fills @length slots from @slot on. @below counts the
 * levels under the node, so 0 makes the child a leaf.
 */
static void check_child(struct snapmap_check *check, u32 node, u32 ref, u32 slot, u32 length,
			u32 bits, u32 below, struct snapmap_prefix prefix)
{
	int group = group_bits(slot, length);
	struct snapmap_prefix own;

	if (group < 0) {
		snapmap_check_fault(check, node,
				    "slots %u to %u hold one child but are no aligned group", slot,
				    slot + length - 1);
		return;
	}
	own.len = prefix.len + bits - group;
	own.bits = prefix.bits | (own.len ? (u64)slot << (64 - prefix.len - bits) : 0);
	if (!below) {
		snapmap_check_leaf(check, ref, own);
		return;
	}
	if (SNAPMAP_REF_ARG(ref) != (u32)group)
		snapmap_check_fault(check, node, "slot %u: lag %u, but a group of 2^%d slots", slot,
				    SNAPMAP_REF_ARG(ref), group);
	else
		check_node(check, ref, SNAPMAP_NODE_BITS, below, own);
}

static void check_slots(struct snapmap_check *check, u32 node, const u32 *slots, u32 bits,
			u32 below, struct snapmap_prefix prefix)
{
	u32 count = 1U << bits;
	u32 slot, length;

	for (slot = 0; slot < count; slot += length) {
		length = run_length(slots, count, slot);
		if (slots[slot])
			check_child(check, node, slots[slot], slot, length, bits, below, prefix);
		else if (below)
			snapmap_check_fault(check, node, "slot %u: no inner node below", slot);
	}
}

/* An inner node with @below levels, itself included, above the leaves. */
static void check_node(struct snapmap_check *check, u32 ref, u32 bits, u32 below,
		       struct snapmap_prefix prefix)
{
	u32 block = SNAPMAP_REF_BLOCK(ref);
	const u32 *slots;

	if (prefix.len + bits > 64) {
		snapmap_check_fault(check, block, "an inner node looks at more than 64 hash bits");
		return;
	}
	slots = snapmap_check_claim(check, block, snapmap_node_blocks(bits), "an inner node");
	if (slots)
		check_slots(check, block, slots, bits, below - 1, prefix);
}

static void check_root(struct snapmap_check *check)
{
	u64 root = check->snapshot->root;
	u32 levels = SNAPMAP_ROOT_LEVELS(root);
	u32 bits = SNAPMAP_ROOT_BITS(root);
	u32 ref = SNAPMAP_ROOT_REF(root);
	struct snapmap_prefix all = { 0, 0 };

	if (root >> 48 || levels > SNAPMAP_LEVELS_MAX || bits > SNAPMAP_NODE_BITS ||
	    !levels != !bits || (!ref && root) || (levels && SNAPMAP_REF_ARG(ref))) {
		snapmap_check_fault(check, 0, "the root word %#" PRIx64 " is malformed",
				    (uint64_t)root);
		return;
	}
	if (levels)
		check_node(check, ref, bits, levels, all);
	else if (ref)
		snapmap_check_leaf(check, ref, all);
}

/* Of the filter and of the directory nothing is known but for the current snapshot. */
static bool is_current(const struct snapmap_check *check)
{
	return snapmap_live_recheck(snapmap_view_control(check->view),
				    check->snapshot->header.version);
}

/* From here on each key is to pass it, if its blocks are where they may be. */
static void check_filter(struct snapmap_check *check)
{
	u64 filter = snapmap_live_filter(snapmap_view_control(check->view),
					 check->snapshot->header.version);
	u32 width = SNAPMAP_FILTER_WIDTH(filter);
	const u32 *runs;
	u32 i;

	if (!filter || !is_current(check))
		return;
	if (!width || width > SNAPMAP_FILTER_WIDTH_MAX) {
		snapmap_check_fault(check, 0, "the filter's word %#" PRIx64 " is malformed",
				    (uint64_t)filter);
		return;
	}
	runs = snapmap_check_claim(check, SNAPMAP_FILTER_BLOCK(filter), snapmap_node_blocks(width),
				   "the filter");
	for (i = 0; runs && i < 1U << width; i++)
		if (!snapmap_check_claim(check, runs[i], SNAPMAP_FILTER_BLOCKS,
					 "a run of the filter"))
			return;
	check->filter = runs ? filter : 0;
}

/* Whether the leaf that a slot names is that of all its hashes, as long as it is to be. */
static bool is_entered(const struct snapmap_check *check, u32 ref, u64 first, u64 last)
{
	u64 root = check->snapshot->root;

	return !snapmap_ref_is_leaf(ref) ||
	       (snapmap_walk(check->view, root, first) == ref &&
		snapmap_walk(check->view, root, last) == ref) ||
	       !is_current(check);
}

/* Its slots may change meanwhile; then they are of another snapshot. */
static void check_directory(struct snapmap_check *check)
{
	u64 directory = snapmap_live_directory(snapmap_view_control(check->view),
					       check->snapshot->header.version);
	u32 block = SNAPMAP_DIRECTORY_BLOCK(directory);
	u32 width = SNAPMAP_DIRECTORY_WIDTH(directory);
	const u32 *slots;
	u64 first;
	u32 i;

	if (!directory || !is_current(check))
		return;
	if (!width || width > SNAPMAP_DIRECTORY_WIDTH_MAX ||
	    directory != SNAPMAP_DIRECTORY(block, width)) {
		snapmap_check_fault(check, 0, "the directory's word %#" PRIx64 " is malformed",
				    (uint64_t)directory);
		return;
	}
	slots = snapmap_check_claim(check, block, snapmap_node_blocks(width), "the directory");
	for (i = 0; slots && i < 1U << width; i++) {
		first = (u64)i << (64 - width);
		if (!is_entered(check, READ_ONCE(slots[i]), first, first | ~0ULL >> width))
			snapmap_check_fault(check, block, "slot %u of the directory is wrong", i);
	}
}

static void check_sum(struct snapmap_check *check, const char *what, u64 found, u64 told)
{
	if (found != told)
		snapmap_check_fault(check, 0,
				    "the header tells of %" PRIu64 " %s, there are %" PRIu64,
				    (uint64_t)told, what, (uint64_t)found);
}

static void check_header(struct snapmap_check *check)
{
	const struct snapmap_header *header = &check->snapshot->header;

	check_sum(check, "entries", check->entries, header->entries);
	check_sum(check, "bytes of keys", check->key_bytes, header->key_bytes);
	check_sum(check, "bytes of values", check->value_bytes, header->value_bytes);
	if (!header->version || header->reserved)
		snapmap_check_fault(check, 0, "the header has no version, or its reserved member");
}

int snapmap_verify(const struct snapmap_snapshot *snapshot, const struct snapmap_verify_ops *ops,
		   void *data)
{
	struct snapmap_check check = {
		.snapshot = snapshot,
		.view = &snapshot->mapping->view,
		.ops = ops,
		.data = data,
	};

	check.used = calloc(snapmap_view_blocks(check.view), 1);
	if (!check.used)
		return -ENOMEM;
	check_filter(&check);
	check_root(&check);
	check_directory(&check);
	check_header(&check);
	free(check.used);
	if (snapmap_pin_check(snapshot))
		return -ESTALE;
	return check.faults ? -EUCLEAN : 0;
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * bulk.c - a table is built in one go
 *
 * Put one by one, each entry is moved about five times while its leaf grows and
 * is split. Known beforehand and sorted by their hashes, entries are written
 * once, into leaves that have the right size from the beginning. The table is
 * the same but for where in its leaf an entry lies.
 *
 * Context: everything expects the map's mutex held and may sleep.
 */
#include <linux/bitops.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/sort.h>
#include <linux/string.h>

#include "bulk.h"
#include "filter.h"

#define DIGIT_BITS	SNAPMAP_BULK_DIGIT_BITS
#define INSERTION_MAX	32	/* so few are sorted by insertion */
#define RESCHED_ENTRIES	4096	/* of those that the filter is told of */

static bool is_before(const struct snapmap_bulk_op *a, const struct snapmap_bulk_op *b)
{
	return a->hash != b->hash ? a->hash < b->hash : a->at < b->at;
}

static int compare(const void *a, const void *b)
{
	return is_before(a, b) ? -1 : 1;	/* no two stand at one place */
}

static void sort_few(struct snapmap_bulk_op *ops, u32 count)
{
	struct snapmap_bulk_op op;
	u32 i, j;

	for (i = 1; i < count; i++) {
		op = ops[i];
		for (j = i; j && is_before(&op, &ops[j - 1]); j--)
			ops[j] = ops[j - 1];
		ops[j] = op;
	}
}

static u32 digit_of(const struct snapmap_bulk_op *op, u32 digit)
{
	return op->hash << (digit * DIGIT_BITS) >> (64 - DIGIT_BITS);
}

/* Moves entries to those of their digit. Source: American flag sort, McIlroy et al. 1993. */
static void partition(struct snapmap_bulk_op *ops, u32 count, u32 digit, u32 *begin, u32 *next)
{
	u32 i, to;

	memset(begin, 0, sizeof(*begin) * ((1 << DIGIT_BITS) + 1));
	for (i = 0; i < count; i++)
		begin[digit_of(&ops[i], digit) + 1]++;
	for (i = 0; i < 1 << DIGIT_BITS; i++) {
		begin[i + 1] += begin[i];
		next[i] = begin[i];
	}
	for (i = 0; i < 1 << DIGIT_BITS; i++) {
		while (next[i] < begin[i + 1]) {
			to = digit_of(&ops[next[i]], digit);
			if (to != i)
				swap(ops[next[i]], ops[next[to]]);
			next[to]++;
		}
	}
}

static void sort_ops(struct snapmap_build *build, struct snapmap_bulk_op *ops, u32 count, u32 digit,
		     struct snapmap_bulk_digits *digits)
{
	u32 *begin;
	u32 i;

	if (count <= INSERTION_MAX) {
		sort_few(ops, count);
		return;
	}
	if (digit == SNAPMAP_BULK_DIGITS) {
		sort(ops, count, sizeof(*ops), compare, NULL);
		return;
	}
	begin = digits->begin[digit];
	partition(ops, count, digit, begin, digits->next[digit]);
	for (i = 0; i < 1 << DIGIT_BITS; i++)
		sort_ops(build, ops + begin[i], begin[i + 1] - begin[i], digit + 1, digits);
	if (build->resched)
		build->resched();
}

/* How many bits two hashes that are not the same have in common, and the one that tells. */
static u32 bits_to_tell(u64 a, u64 b)
{
	return 64 - __fls(a ^ b);
}

/*
 * The leaf that begins with entry @first: how many entries belong to it, the
 * granules that they take, and the hash bits that they have in common. As few bits as
 * keep out what does not fit any more, and the entry before.
 */
static u32 cut_leaf(const struct snapmap_bulk *bulk, u64 first, u32 *granules, u32 *depth)
{
	const struct snapmap_bulk_op *ops = bulk->notes->ops;
	u64 end = first;

	*granules = 0;
	*depth = first ? bits_to_tell(ops[first - 1].hash, ops[first].hash) : 0;
	while (end < bulk->count &&
	       snapmap_leaf_size_for(*granules + ops[end].granules) <= SNAPMAP_LEAF_BLOCKS_MAX)
		*granules += ops[end++].granules;
	if (end < bulk->count && ops[end].hash != ops[first].hash)
		*depth = max(*depth, bits_to_tell(ops[first].hash, ops[end].hash));
	else if (end < bulk->count)
		*depth = 64;	/* too many of one hash */
	while (*depth && (ops[end - 1].hash ^ ops[first].hash) >> (64 - *depth))
		*granules -= ops[--end].granules;
	return end - first;
}

/*
 * Which entries of a leaf find their home free, as a bit mask. Written first, they have
 * no others in their way. Of entries of one hash, which may have one key, none overtakes.
 */
static u64 first_come(const struct snapmap_bulk_op *ops, u32 count, u32 blocks)
{
	u64 taken = 0, first = 0;
	u32 home, i;
	u64 room;

	for (i = 0; i < count; i++) {
		home = snapmap_home_granule(snapmap_hash_check(ops[i].hash), blocks);
		room = ((1ULL << ops[i].granules) - 1) << home;
		if (home + ops[i].granules > blocks * SNAPMAP_BLOCK_GRANULES || room & taken ||
		    (i && ops[i].hash == ops[i - 1].hash))
			continue;
		taken |= room;
		first |= 1ULL << i;
	}
	return first;
}

/*
 * Writes the entries of @set, a bit mask that begins with entry @first. @ref has those
 * that it has room for; 0 when that is no longer known.
 */
static int write_entries(struct snapmap_bulk *bulk, u64 first, u64 set, u32 *ref)
{
	const struct snapmap_bulk_op *ops = bulk->notes->ops;
	struct snapmap_key key;
	const void *value;
	u32 value_len;
	u64 i;
	int err;

	for (; set; set &= set - 1) {
		i = first + __ffs64(set);
		err = bulk->read(bulk->data, &ops[i], &key, &value, &value_len);
		if (err)
			return err;
		err = -EAGAIN;
		if (i > first && ops[i].hash == ops[i - 1].hash)
			*ref = 0;	/* the key may be there; and what follows may move */
		if (*ref)
			err = snapmap_build_append(bulk->build, *ref, &key, value, value_len);
		if (err == -EAGAIN) {
			*ref = 0;
			err = snapmap_build_put(bulk->build, &key, value, value_len);
		}
		if (err)
			return err;
	}
	return 0;
}

/* The entries of one leaf, at most as many as it has granules. */
static int write_leaf(struct snapmap_bulk *bulk, u64 first, u32 count, u32 ref)
{
	u64 all = ~0ULL >> (64 - count);
	u64 early = 0;
	int err;

	if (ref)
		early = first_come(bulk->notes->ops + first, count, snapmap_leaf_blocks(ref));
	err = write_entries(bulk, first, early, &ref);
	return err ?: write_entries(bulk, first, all & ~early, &ref);
}

static int build_leaves(struct snapmap_bulk *bulk)
{
	const struct snapmap_bulk_op *ops = bulk->notes->ops;
	u32 count, granules, depth, ref;
	u64 first;
	int err;

	for (first = 0; first < bulk->count; first += count) {
		count = 1;
		ref = 0;
		if (!first || ops[first].hash != ops[first - 1].hash) {
			count = cut_leaf(bulk, first, &granules, &depth);
			err = snapmap_build_add_leaf(bulk->build, ops[first].hash, depth, granules,
						     &ref);
			if (err)
				return err;
		}
		err = write_leaf(bulk, first, count, ref);
		if (err)
			return err;
	}
	return 0;
}

/* In order of hashes, and so of the filter's bytes. Last, so that it takes no entry's room. */
static void fill_filter(struct snapmap_bulk *bulk)
{
	struct snapmap_build *build = bulk->build;
	u64 i;

	snapmap_filter_new(build, bulk->count);
	for (i = 0; build->table.filter && i < bulk->count; i++) {
		snapmap_filter_add(build, bulk->notes->ops[i].hash);
		if (build->resched && i % RESCHED_ENTRIES == 0)
			build->resched();
	}
}

/**
 * snapmap_bulk_build() - build a table
 * @bulk: what it holds; the notes will be sorted
 *
 * Return: 0; -ENOMEM; -ENOSPC; -EOVERFLOW; what @read returns. After a failure the
 *	build can only be aborted.
 */
int snapmap_bulk_build(struct snapmap_bulk *bulk)
{
	int err;

	sort_ops(bulk->build, bulk->notes->ops, bulk->count, 0, &bulk->notes->digits);
	err = build_leaves(bulk);
	if (!err)
		fill_filter(bulk);
	return err;
}

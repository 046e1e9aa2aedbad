// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * iter.c - every entry of a snapshot, once
 *
 * A walk with an explicit stack of one frame for each level of inner nodes. A
 * child that stands in a group of slots is visited at the first of them: the
 * slots of a group follow each other, and no other slot names the same child.
 *
 * A snapshot uses no block twice. So a walk that has met more blocks than there
 * are goes in circles, and ends (promise H).
 */
#include <errno.h>
#include <stdlib.h>

#include "pin.h"

/* An inner node on the way down: its slots, their number, the next to visit, what the last held. */
struct frame {
	const u32 *slots;
	u32 count;
	u32 next;
	u32 last;
};

/**
 * struct snapmap_iter - a place in a snapshot
 * @snapshot: the snapshot
 * @view: its blocks
 * @left: blocks that it can still meet
 * @levels: inner nodes above every leaf
 * @depth: frames in use
 * @leaf: leaf whose entries are being given
 * @granule: where in it to go on, SNAPMAP_NO_GRANULE when there is none
 * @stack: the way down to @leaf
 */
struct snapmap_iter {
	const struct snapmap_snapshot *snapshot;
	const struct snapmap_view *view;
	u64 left;
	u32 levels;
	u32 depth;
	struct snapmap_leaf leaf;
	u32 granule;
	struct frame stack[SNAPMAP_LEVELS_MAX];
};

/* Counts a run of the walk; false when it can be none of the snapshot's. */
static bool meet(struct snapmap_iter *iter, u32 blocks)
{
	if (blocks > iter->left)
		return false;
	iter->left -= blocks;
	return true;
}

static int enter_node(struct snapmap_iter *iter, u32 ref, u32 bits)
{
	u32 blocks = snapmap_node_blocks(bits);
	const u32 *slots = snapmap_view_at(iter->view, SNAPMAP_REF_BLOCK(ref), blocks);

	if (!slots || !meet(iter, blocks))
		return -EUCLEAN;
	iter->stack[iter->depth++] = (struct frame){ .slots = slots, .count = 1U << bits };
	return 0;
}

static int enter_leaf(struct snapmap_iter *iter, u32 ref)
{
	if (!snapmap_leaf_at(iter->view, ref, &iter->leaf) || !meet(iter, iter->leaf.blocks))
		return -EUCLEAN;
	iter->granule = 0;
	return 0;
}

static int enter_root(struct snapmap_iter *iter, u64 root)
{
	u32 bits = SNAPMAP_ROOT_BITS(root);

	iter->levels = SNAPMAP_ROOT_LEVELS(root);
	if (!SNAPMAP_ROOT_REF(root))
		return 0;
	if (!iter->levels)
		return enter_leaf(iter, SNAPMAP_ROOT_REF(root));
	if (iter->levels > SNAPMAP_LEVELS_MAX || !bits || bits > SNAPMAP_NODE_BITS)
		return -EUCLEAN;
	return enter_node(iter, SNAPMAP_ROOT_REF(root), bits);
}

/* The next child of a node that is not empty; 0 when there is none. */
static u32 next_child(struct frame *frame)
{
	u32 ref;

	while (frame->next < frame->count) {
		ref = READ_ONCE(frame->slots[frame->next++]);
		if (ref == frame->last)
			continue;
		frame->last = ref;
		if (ref)
			return ref;
	}
	return 0;
}

/* Goes to the next leaf. Returns 1, 0 when there is none, -EUCLEAN. */
static int next_leaf(struct snapmap_iter *iter)
{
	u32 ref;
	int err;

	while (iter->depth) {
		ref = next_child(&iter->stack[iter->depth - 1]);
		if (!ref) {
			iter->depth--;
			continue;
		}
		if (iter->depth == iter->levels) {
			err = enter_leaf(iter, ref);
			return err ? err : 1;
		}
		err = enter_node(iter, ref, SNAPMAP_NODE_BITS);
		if (err)
			return err;
	}
	return 0;
}

static int fill_item(const struct snapmap_iter *iter, u32 granule, struct snapmap_item *item)
{
	struct snapmap_hit hit;
	u32 key_len;

	item->key = snapmap_entry_read(iter->view, &iter->leaf, granule, &key_len, &hit);
	if (!item->key)
		return -EUCLEAN;
	item->key_len = key_len;
	item->value = hit.value;
	item->value_len = hit.value_len;
	item->version = hit.version;
	return 1;
}

/* The next entry of the leaf. Returns 1, 0 when there is none, -EUCLEAN. */
static int next_entry(struct snapmap_iter *iter, struct snapmap_item *item)
{
	u32 granule = snapmap_leaf_next(&iter->leaf, iter->granule);

	iter->granule = granule;
	if (granule == SNAPMAP_NO_GRANULE)
		return 0;
	iter->granule++;
	return fill_item(iter, granule, item);
}

int snapmap_iter_new(const struct snapmap_snapshot *snapshot, struct snapmap_iter **out)
{
	struct snapmap_iter *iter = calloc(1, sizeof(*iter));
	int err;

	if (!iter)
		return -ENOMEM;
	iter->snapshot = snapshot;
	iter->view = &snapshot->mapping->view;
	iter->left = snapmap_view_blocks(iter->view);
	iter->granule = SNAPMAP_NO_GRANULE;
	err = enter_root(iter, snapshot->root);
	if (err) {
		free(iter);
		return snapmap_pin_check(snapshot) ? -ESTALE : err;
	}
	*out = iter;
	return 0;
}

static int next_item(struct snapmap_iter *iter, struct snapmap_item *item)
{
	int ret;

	do {
		ret = next_entry(iter, item);
		if (ret)
			return ret;
		ret = next_leaf(iter);
	} while (ret > 0);
	return ret;
}

int snapmap_iter_next(struct snapmap_iter *iter, struct snapmap_item *item)
{
	int ret = next_item(iter, item);

	return snapmap_pin_check(iter->snapshot) ? -ESTALE : ret;
}

void snapmap_iter_free(struct snapmap_iter *iter)
{
	free(iter);
}

/* SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-or-later OR MIT */
/*
 * diff.h - what differs between two snapshots of one map
 *
 * Snapshots share every block that no commit between them has touched, so a
 * subtree with the same block number in both is skipped unseen, and the work is
 * in proportion to the difference. Two cursors move over the space of hashes, one
 * in each tree. Where a cursor stands is a part: a node, a leaf or nothing, and
 * the interval of hashes that it stands for. Both parts begin, or have begun, at
 * the same hash. Then, in this order:
 *
 *	- parts that are the same block are passed over
 *	- of two parts of which one or both are inner nodes, the cursor at the
 *	  one that stands for more descends
 *	- each leaf is looked through, once: which of the old tree's entries are
 *	  gone from the new tree or changed, and which of the new one's are new
 *	- the cursor whose part ends first goes on behind it; or both do
 *
 * A block that is in both trees stands for the same hashes in both, unless it is
 * a leaf beside which another has become empty. So neither cursor can have gone
 * into it before the other one stands there too: the same leaf may be looked
 * through in vain, never left out.
 *
 * Like lookup.h, and shared by module and library like it, this trusts no byte:
 * the blocks of a pin that is being revoked change under the walk. It neither
 * recurses nor allocates, and a walk that meets more blocks than two trees can
 * have goes in circles and ends (promise H).
 *
 * Who includes it includes lookup.h before, and defines:
 *
 *	u64 snapmap_view_blocks(const struct snapmap_view *view)
 *		no snapshot has as many blocks
 *	u64 snapmap_hash(u64 seed, const void *key, u32 key_len)
 *		the hash of a key
 *	snapmap_diff_resched()
 *		called at each step; may be left out
 */
#ifndef SNAPMAP_DIFF_H
#define SNAPMAP_DIFF_H

#ifndef snapmap_diff_resched
#define snapmap_diff_resched() ((void)0)
#endif

/**
 * struct snapmap_change - a key that the two snapshots differ in
 * @key: the key, inside the arena
 * @key_len: its length
 * @hash: its hash
 * @has_old: whether the older snapshot has it
 * @has_new: whether the newer one has it
 * @old: its entry there
 * @new: its entry here
 */
struct snapmap_change {
	const void *key;
	u32 key_len;
	u64 hash;
	bool has_old;
	bool has_new;
	struct snapmap_hit old;
	struct snapmap_hit new;
};

/**
 * struct snapmap_diff_frame - an inner node above where a cursor stands
 * @slots: its slots
 * @first: the first hash that it stands for
 * @next: first slot behind the cursor's part
 * @pos: hash bits looked at above it
 * @bits: its width
 */
struct snapmap_diff_frame {
	const u32 *slots;
	u64 first;
	u16 next;
	u8 pos;
	u8 bits;
};

/**
 * struct snapmap_diff_part - where a cursor stands
 * @first: the first hash that it stands for
 * @last: the last one
 * @ref: its reference, 0 for an empty leaf
 * @levels: inner nodes from here down, itself included; 0 for a leaf
 * @seen: whether it has been looked through, or needs not be
 */
struct snapmap_diff_part {
	u64 first;
	u64 last;
	u32 ref;
	u8 levels;
	bool seen;
};

/**
 * struct snapmap_diff_cursor - a place in one of the trees
 * @root: its root word
 * @depth: frames in use
 * @part: where it stands
 * @frames: the way there
 */
struct snapmap_diff_cursor {
	u64 root;
	u32 depth;
	struct snapmap_diff_part part;
	struct snapmap_diff_frame frames[SNAPMAP_LEVELS_MAX];
};

/**
 * struct snapmap_diff - a comparison under way
 * @view: where blocks are found
 * @seed: the map's hash seed
 * @left: blocks that it can still meet
 * @nodes: nodes and leaves that it has entered so far
 * @leaf: the leaf that is being looked through
 * @granule: where in it to go on, SNAPMAP_NO_GRANULE when there is none
 * @side: whose leaf it is: 0 the older one's, 1 the newer one's
 * @cursors: one in each tree, the older one's first
 */
struct snapmap_diff {
	const struct snapmap_view *view;
	u64 seed;
	u64 left;
	u64 nodes;
	struct snapmap_leaf leaf;
	u32 granule;
	u32 side;
	struct snapmap_diff_cursor cursors[2];
};

/* Counts a run of the walk; false when it can be none of the snapshots'. */
static inline bool snapmap_diff_meet(struct snapmap_diff *diff, u32 blocks)
{
	if (blocks > diff->left)
		return false;
	diff->left -= blocks;
	diff->nodes++;
	return true;
}

/*
 * Puts a cursor on the part that begins at slot @next of its lowest node. All
 * slots in a row that name one leaf, or none, are one part.
 */
static inline int snapmap_diff_enter_slot(struct snapmap_diff_cursor *cursor)
{
	struct snapmap_diff_frame *frame = &cursor->frames[cursor->depth - 1];
	u32 levels = SNAPMAP_ROOT_LEVELS(cursor->root) - cursor->depth;
	u32 shift = 64 - frame->pos - frame->bits;
	u32 ref = READ_ONCE(frame->slots[frame->next]);
	u32 lag = levels ? SNAPMAP_REF_ARG(ref) : 0;
	u32 begin = frame->next;
	u32 end = begin + (1U << lag);

	if (lag > frame->bits || (begin & ((1U << lag) - 1)))
		return -EUCLEAN;
	while (!levels && end < 1U << frame->bits && READ_ONCE(frame->slots[end]) == ref)
		end++;
	frame->next = end;
	cursor->part = (struct snapmap_diff_part){
		.first = frame->first + ((u64)begin << shift),
		.last = frame->first + ((u64)end << shift) - 1,
		.ref = ref,
		.levels = levels,
	};
	return 0;
}

/* Goes down into the inner node that a cursor stands on, to its first child. */
static inline int snapmap_diff_descend(struct snapmap_diff *diff,
				       struct snapmap_diff_cursor *cursor)
{
	struct snapmap_diff_frame *frame = &cursor->frames[cursor->depth];
	u32 bits = SNAPMAP_NODE_BITS;
	u32 pos = 0;

	if (cursor->depth)
		pos = frame[-1].pos + frame[-1].bits - SNAPMAP_REF_ARG(cursor->part.ref);
	else
		bits = SNAPMAP_ROOT_BITS(cursor->root);
	if (!bits || bits > SNAPMAP_NODE_BITS || pos + bits > 64 ||
	    cursor->depth == SNAPMAP_LEVELS_MAX)
		return -EUCLEAN;
	if (!snapmap_diff_meet(diff, snapmap_node_blocks(bits)))
		return -EUCLEAN;
	frame->slots = snapmap_view_at(diff->view, SNAPMAP_REF_BLOCK(cursor->part.ref),
				       snapmap_node_blocks(bits));
	if (!frame->slots)
		return -EUCLEAN;
	frame->first = cursor->part.first;
	frame->next = 0;
	frame->pos = pos;
	frame->bits = bits;
	cursor->depth++;
	return snapmap_diff_enter_slot(cursor);
}

/* Goes on behind the part that a cursor stands on. Returns 1, 0 at the end, -EUCLEAN. */
static inline int snapmap_diff_advance(struct snapmap_diff_cursor *cursor)
{
	const struct snapmap_diff_frame *frame;
	int err;

	for (; cursor->depth; cursor->depth--) {
		frame = &cursor->frames[cursor->depth - 1];
		if (frame->next < 1U << frame->bits) {
			err = snapmap_diff_enter_slot(cursor);
			return err ? err : 1;
		}
	}
	return 0;
}

/* Whether two parts have the same entries, for they are the same block. */
static inline bool snapmap_diff_same(const struct snapmap_diff_part *a,
				     const struct snapmap_diff_part *b)
{
	if (a->levels != b->levels)
		return false;
#ifdef SNAPMAP_BROKEN_H	/* only the module and its tests have it */
	if (snapmap_broken(SNAPMAP_BREAK_DIFF) && !a->levels &&
	    SNAPMAP_REF_ARG(a->ref) == SNAPMAP_REF_ARG(b->ref))
		return true;
#endif
	if (!a->levels)
		return a->ref == b->ref;
	return SNAPMAP_REF_BLOCK(a->ref) == SNAPMAP_REF_BLOCK(b->ref) &&
	       a->first == b->first && a->last == b->last;
}

/* Whether the cursor at @a is to descend, rather than the one at @b. */
static inline bool snapmap_diff_is_larger(const struct snapmap_diff_part *a,
					  const struct snapmap_diff_part *b)
{
	u64 size_a = a->last - a->first;
	u64 size_b = b->last - b->first;

	if (!a->levels || !b->levels)
		return a->levels;
	return size_a == size_b ? a->levels > b->levels : size_a > size_b;
}

/* Begins to look through the leaf that the cursor of @side stands on. */
static inline int snapmap_diff_enter_leaf(struct snapmap_diff *diff, u32 side)
{
	struct snapmap_diff_part *part = &diff->cursors[side].part;

	part->seen = true;
	if (!part->ref)
		return 1;
	if (!snapmap_leaf_at(diff->view, part->ref, &diff->leaf) ||
	    !snapmap_diff_meet(diff, diff->leaf.blocks))
		return -EUCLEAN;
	diff->granule = 0;
	diff->side = side;
	return 1;
}

/* Goes on with the cursor whose part ends first, or with both. */
static inline int snapmap_diff_go_on(struct snapmap_diff *diff)
{
	u64 old_last = diff->cursors[0].part.last;
	u64 new_last = diff->cursors[1].part.last;
	int ret = 1;

	if (old_last <= new_last)
		ret = snapmap_diff_advance(&diff->cursors[0]);
	if (ret >= 0 && new_last <= old_last)
		ret = snapmap_diff_advance(&diff->cursors[1]);
	return ret;
}

/* One step of the walk. Returns 1 to go on, 0 at the end, -EUCLEAN. */
static inline int snapmap_diff_step(struct snapmap_diff *diff)
{
	struct snapmap_diff_part *old = &diff->cursors[0].part;
	struct snapmap_diff_part *new = &diff->cursors[1].part;
	int err;

	if (snapmap_diff_same(old, new)) {
		old->seen = true;
		new->seen = true;
		return snapmap_diff_go_on(diff);
	}
	if (old->levels || new->levels) {
		err = snapmap_diff_descend(diff, &diff->cursors[!snapmap_diff_is_larger(old, new)]);
		return err ? err : 1;
	}
	if (!old->seen)
		return snapmap_diff_enter_leaf(diff, 0);
	if (!new->seen)
		return snapmap_diff_enter_leaf(diff, 1);
	return snapmap_diff_go_on(diff);
}

/* Whether two entries of one key have the same value. */
static inline bool snapmap_diff_is_equal(const struct snapmap_hit *a, const struct snapmap_hit *b)
{
	return a->version == b->version ||
	       (a->value_len == b->value_len && !memcmp(a->value, b->value, a->value_len));
}

/* Compares one entry with the other tree. Returns 1 with a change, 0, -EUCLEAN. */
static inline int snapmap_diff_entry(struct snapmap_diff *diff, u32 granule,
				     struct snapmap_change *change)
{
	struct snapmap_hit here, there;
	bool found;

	change->key = snapmap_entry_read(diff->view, &diff->leaf, granule, &change->key_len, &here);
	if (!change->key)
		return -EUCLEAN;
	change->hash = snapmap_hash(diff->seed, change->key, change->key_len);
	found = snapmap_lookup(diff->view, diff->cursors[!diff->side].root, change->hash,
			       change->key, change->key_len, &there);
	if (found && (diff->side || snapmap_diff_is_equal(&here, &there)))
		return 0;
	change->has_old = !diff->side;
	change->has_new = diff->side || found;
	if (change->has_old)
		change->old = here;
	if (change->has_new)
		change->new = diff->side ? here : there;
	return 1;
}

/* Looks through the leaf from where it stands. Returns 1 with a change, 0 at its end, -EUCLEAN. */
static inline int snapmap_diff_leaf(struct snapmap_diff *diff, struct snapmap_change *change)
{
	u32 granule;
	int ret;

	while (diff->granule != SNAPMAP_NO_GRANULE) {
		granule = snapmap_leaf_next(&diff->leaf, diff->granule);
		if (granule == SNAPMAP_NO_GRANULE)
			break;
		diff->granule = granule + 1;
		ret = snapmap_diff_entry(diff, granule, change);
		if (ret)
			return ret;
	}
	diff->granule = SNAPMAP_NO_GRANULE;
	return 0;
}

/**
 * snapmap_diff_begin() - begin to compare two snapshots
 * @diff: filled
 * @view: where blocks are found; must outlive @diff
 * @seed: the map's hash seed
 * @old_root: root word of the older snapshot
 * @new_root: root word of the newer snapshot
 *
 * Either may also be the newer one; then all changes are the other way round.
 */
static inline void snapmap_diff_begin(struct snapmap_diff *diff, const struct snapmap_view *view,
				      u64 seed, u64 old_root, u64 new_root)
{
	const u64 roots[2] = { old_root, new_root };
	int i;

	diff->view = view;
	diff->seed = seed;
	diff->left = 2 * snapmap_view_blocks(view);
	diff->nodes = 0;
	diff->granule = SNAPMAP_NO_GRANULE;
	for (i = 0; i < 2; i++) {
		diff->cursors[i].root = roots[i];
		diff->cursors[i].depth = 0;
		diff->cursors[i].part = (struct snapmap_diff_part){
			.last = ~0ULL,
			.ref = SNAPMAP_ROOT_REF(roots[i]),
			.levels = SNAPMAP_ROOT_LEVELS(roots[i]),
		};
	}
}

/**
 * snapmap_diff_next() - the next key that the snapshots differ in
 * @diff: the comparison
 * @change: out: the change
 *
 * Each key comes once, in no order that means anything. A key that was written
 * again with the same value is no change. Of snapshots that may be revoked what
 * has been told counts only when they prove not to have been.
 *
 * Context: whatever keeps the blocks in place. Takes long where much differs,
 *	and as long again where much has been written without a difference.
 * Return: 1 with a change, 0 behind the last one, -EUCLEAN.
 */
static inline int snapmap_diff_next(struct snapmap_diff *diff, struct snapmap_change *change)
{
	int ret;

	do {
		ret = snapmap_diff_leaf(diff, change);
		if (ret)
			return ret;
		snapmap_diff_resched();
		ret = snapmap_diff_step(diff);
	} while (ret > 0);
	return ret;
}

#endif /* SNAPMAP_DIFF_H */

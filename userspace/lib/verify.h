/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#ifndef SNAPMAP_VERIFY_H
#define SNAPMAP_VERIFY_H

#include "pin.h"

/* What uses a block. */
enum snapmap_check_use {
	SNAPMAP_CHECK_NOTHING,
	SNAPMAP_CHECK_RUN, /* a node, leaf or value */
	SNAPMAP_CHECK_TAGS,
};

/**
 * struct snapmap_check - a verification under way
 * @snapshot: what is verified
 * @view: its blocks
 * @filter: its filter; 0 when it has none, or none that is known
 * @used: a byte for each block of the mapping: enum snapmap_check_use
 * @entries: entries found
 * @key_bytes: sum of their keys' lengths
 * @value_bytes: sum of their values' lengths
 * @faults: faults reported
 * @ops: who is told
 * @data: first argument of the functions of @ops
 */
struct snapmap_check {
	const struct snapmap_snapshot *snapshot;
	const struct snapmap_view *view;
	u64 filter;
	u8 *used;
	u64 entries;
	u64 key_bytes;
	u64 value_bytes;
	u64 faults;
	const struct snapmap_verify_ops *ops;
	void *data;
};

/**
 * struct snapmap_prefix - the hash bits that a node or leaf stands for
 * @bits: the bits, left-aligned
 * @len: how many
 */
struct snapmap_prefix {
	u64 bits;
	u32 len;
};

void snapmap_check_fault(struct snapmap_check *check, u32 block, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
const void *snapmap_check_claim(struct snapmap_check *check, u32 block, u32 blocks,
				const char *what);
bool snapmap_check_claim_tags(struct snapmap_check *check, u32 block);
void snapmap_check_leaf(struct snapmap_check *check, u32 ref, struct snapmap_prefix prefix);

#endif /* SNAPMAP_VERIFY_H */

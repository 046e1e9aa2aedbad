/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SNAPMAP_BULK_H
#define SNAPMAP_BULK_H

#include "table.h"

/**
 * struct snapmap_bulk_op - an entry that a table will hold, before it is read
 * @hash: its key's hash
 * @at: where it stands in what it is read from; a later one of the same key counts
 * @granules: granules that it will take of a leaf
 * @words: its length there, in units of eight bytes
 */
struct snapmap_bulk_op {
	u64 hash;
	u64 at : 40;
	u64 granules : 6;
	u64 words : 18;
};

#define SNAPMAP_BULK_DIGIT_BITS	8
#define SNAPMAP_BULK_DIGITS	3	/* of the hash; entries that share them are compared */

/**
 * struct snapmap_bulk_digits - scratch of the sorting
 * @begin: where each value of each digit begins
 * @next: where the next one goes
 */
struct snapmap_bulk_digits {
	u32 begin[SNAPMAP_BULK_DIGITS][(1 << SNAPMAP_BULK_DIGIT_BITS) + 1];
	u32 next[SNAPMAP_BULK_DIGITS][1 << SNAPMAP_BULK_DIGIT_BITS];
};

/**
 * struct snapmap_bulk_notes - the entries that a table will hold
 * @digits: scratch
 * @ops: the entries, in any order
 */
struct snapmap_bulk_notes {
	struct snapmap_bulk_digits digits;
	struct snapmap_bulk_op ops[];
};

/**
 * struct snapmap_bulk - a table that is built in one go
 * @build: where; its table is empty
 * @notes: its entries
 * @count: how many
 * @read: reads one: fills in key and value, which stay until the next call; 0 or an
 *	errno. May sleep
 * @data: for @read
 */
struct snapmap_bulk {
	struct snapmap_build *build;
	struct snapmap_bulk_notes *notes;
	u64 count;
	int (*read)(void *data, const struct snapmap_bulk_op *op, struct snapmap_key *key,
		    const void **value, u32 *value_len);
	void *data;
};

int snapmap_bulk_build(struct snapmap_bulk *bulk);

#endif /* SNAPMAP_BULK_H */

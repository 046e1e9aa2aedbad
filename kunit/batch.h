/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * batch.h - batches of operations in user memory, as COMMIT takes them
 */
#ifndef SNAPMAP_KUNIT_BATCH_H
#define SNAPMAP_KUNIT_BATCH_H

#include <kunit/test.h>
#include <linux/snapmap.h>

#include "../kmod/commit.h"

#define BATCH_BYTES	(2UL << 20)	/* of user memory */

/**
 * struct batch - a batch, and the call that commits it
 * @store: where to
 * @user: user memory of the test's thread
 * @bytes: written so far
 * @args: set flags, if_version and stamp before, read the answer afterwards
 */
struct batch {
	struct snapmap_store *store;
	unsigned long user;
	u64 bytes;
	struct snapmap_commit args;
};

struct batch *batch_new(struct kunit *test);
void batch_op(struct batch *batch, const struct snapmap_op *op, const void *key,
	      const void *value);
void batch_put(struct batch *batch, u64 key, u32 value_len);
void batch_delete(struct batch *batch, u64 key);
int batch_commit(struct batch *batch);
bool batch_finds(struct batch *batch, const struct snapmap_op *op, const void *key,
		 const void *value);

#endif /* SNAPMAP_KUNIT_BATCH_H */

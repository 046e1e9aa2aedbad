// SPDX-License-Identifier: GPL-2.0-only
/*
 * batch.c - batches of operations in user memory, as COMMIT takes them
 */
#include <linux/mman.h>
#include <linux/uaccess.h>

#include "batch.h"

/* An empty one. The user memory is the test thread's and goes with it. */
struct batch *batch_new(struct kunit *test)
{
	struct batch *batch = kunit_kzalloc(test, sizeof(*batch), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, batch);
	batch->user = kunit_vm_mmap(test, NULL, 0, BATCH_BYTES, PROT_READ | PROT_WRITE,
				    MAP_ANONYMOUS | MAP_PRIVATE, 0);
	KUNIT_ASSERT_FALSE(test, !batch->user || IS_ERR_VALUE(batch->user));
	return batch;
}

/* Writes @bytes from @from, or leaves their room as it is. */
static void append(struct batch *batch, const void *from, u64 bytes)
{
	if (WARN_ON(batch->bytes + bytes > BATCH_BYTES))
		return;
	if (from && copy_to_user((void __user *)(batch->user + batch->bytes), from, bytes))
		WARN_ON(1);
	batch->bytes += bytes;
}

/* An operation whose lengths are past the limits has neither key nor value. */
void batch_op(struct batch *batch, const struct snapmap_op *op, const void *key,
	      const void *value)
{
	append(batch, op, sizeof(*op));
	if (op->key_len > SNAPMAP_KEY_MAX || op->value_len > SNAPMAP_VALUE_MAX)
		return;
	append(batch, key, op->key_len);
	append(batch, value, op->value_len);
	batch->bytes = ALIGN(batch->bytes, 8);
}

/* The value begins with the version that is next, as far as there is room. */
void batch_put(struct batch *batch, u64 key, u32 value_len)
{
	struct snapmap_op op = {
		.opcode = SNAPMAP_OP_PUT,
		.key_len = sizeof(key),
		.value_len = value_len,
	};
	u64 version = batch->store->version + 1;
	unsigned long at = batch->user + batch->bytes + sizeof(op) + sizeof(key);

	batch_op(batch, &op, &key, NULL);
	if (value_len >= sizeof(version) && value_len <= SNAPMAP_VALUE_MAX &&
	    copy_to_user((void __user *)at, &version, sizeof(version)))
		WARN_ON(1);
}

void batch_delete(struct batch *batch, u64 key)
{
	struct snapmap_op op = { .opcode = SNAPMAP_OP_DELETE, .key_len = sizeof(key) };

	batch_op(batch, &op, &key, NULL);
}

/* Commits the batch, and begins a new one with neither flags nor operations. */
int batch_commit(struct batch *batch)
{
	int err;

	batch->args.ops = batch->user;
	batch->args.ops_bytes = batch->bytes;
	err = snapmap_commit(batch->store, &batch->args);
	batch->bytes = 0;
	batch->args.flags = 0;
	batch->args.if_version = 0;
	batch->args.stamp = 0;
	return err;
}

/* Whether the current snapshot has just what @op has put. */
bool batch_finds(struct batch *batch, const struct snapmap_op *op, const void *key,
		 const void *value)
{
	const struct snapmap_view view = { .arena = &batch->store->arena };
	struct snapmap_hit hit;

	return snapmap_lookup(&view, batch->store->table.root,
			      snapmap_hash(batch->store->seed, key, op->key_len), key,
			      op->key_len, &hit) &&
	       hit.value_len == op->value_len && hit.version == batch->store->version &&
	       !memcmp(hit.value, value, hit.value_len);
}

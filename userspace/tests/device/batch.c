// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * batch.c - building and committing batches by the raw ABI
 */
#include "device.h"

static size_t record_bytes(const struct snapmap_op *op)
{
	return (sizeof(*op) + op->key_len + op->value_len + 7) & ~(size_t)7;
}

static void batch_reserve(struct batch *batch, size_t bytes)
{
	if (batch->bytes + bytes <= batch->room)
		return;
	batch->room = 2 * batch->room + bytes;
	batch->data = realloc(batch->data, batch->room);
	if (!batch->data)
		abort();
}

/**
 * batch_add() - append an operation
 * @batch: the batch
 * @op: the operation
 * @key: @op.key_len bytes
 * @value: @op.value_len bytes
 *
 * Return: the record's head, good until the next call.
 */
struct snapmap_op *batch_add(struct batch *batch, struct snapmap_op op, const void *key,
			     const void *value)
{
	size_t bytes = record_bytes(&op);
	u8 *at;

	batch_reserve(batch, bytes);
	at = batch->data + batch->bytes;
	memset(at + bytes - 8, 0xa5, 8); /* padding may be anything */
	memcpy(at, &op, sizeof(op));
	memcpy(at + sizeof(op), key, op.key_len);
	if (op.value_len)
		memcpy(at + sizeof(op) + op.key_len, value, op.value_len);
	batch->bytes += bytes;
	batch->count++;
	return (struct snapmap_op *)at;
}

void batch_put(struct batch *batch, const void *key, u16 key_len, const void *value, u32 value_len)
{
	struct snapmap_op op = {
		.opcode = SNAPMAP_OP_PUT,
		.key_len = key_len,
		.value_len = value_len,
	};

	batch_add(batch, op, key, value);
}

void batch_delete(struct batch *batch, const void *key, u16 key_len)
{
	struct snapmap_op op = { .opcode = SNAPMAP_OP_DELETE, .key_len = key_len };

	batch_add(batch, op, key, NULL);
}

void batch_puts(struct batch *batch, const char *key, const char *value)
{
	batch_put(batch, key, strlen(key), value, strlen(value));
}

void batch_dels(struct batch *batch, const char *key)
{
	batch_delete(batch, key, strlen(key));
}

void batch_clear(struct batch *batch)
{
	batch->bytes = 0;
	batch->count = 0;
}

void batch_free(struct batch *batch)
{
	free(batch->data);
	*batch = (struct batch){ .data = NULL };
}

struct snapmap_commit batch_args(const struct batch *batch, u32 flags)
{
	return (struct snapmap_commit){
		.flags = flags,
		.ops = (uintptr_t)batch->data,
		.ops_bytes = batch->bytes,
	};
}

/* Commits a batch; @out may be NULL. */
int batch_commit(int fd, const struct batch *batch, u32 flags, struct snapmap_commit *out)
{
	struct snapmap_commit args = batch_args(batch, flags);
	int err = ioc(fd, SNAPMAP_IOC_COMMIT, &args);

	if (out)
		*out = args;
	return err;
}

/* Commits one put. */
int put_bytes(int fd, const char *key, const void *value, u32 value_len)
{
	struct batch batch = { .data = NULL };
	int err;

	batch_put(&batch, key, strlen(key), value, value_len);
	err = batch_commit(fd, &batch, 0, NULL);
	batch_free(&batch);
	return err;
}

int put_string(int fd, const char *key, const char *value)
{
	return put_bytes(fd, key, value, strlen(value));
}

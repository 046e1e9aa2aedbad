// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * batch.c - collecting operations
 *
 * A batch is one buffer of records just as SNAPMAP_IOC_COMMIT reads them. It
 * doubles when it is full: realloc() moves the pages of a large buffer without
 * a copy, and pages not yet written take no memory, so that a batch of
 * gigabytes takes what is in it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "batch.h"

#define FIRST_CAP 4096

struct snapmap_batch *snapmap_batch_new(void)
{
	return calloc(1, sizeof(struct snapmap_batch));
}

void snapmap_batch_free(struct snapmap_batch *batch)
{
	if (!batch)
		return;
	free(batch->ops);
	free(batch);
}

void snapmap_batch_clear(struct snapmap_batch *batch)
{
	batch->bytes = 0;
	batch->count = 0;
}

uint64_t snapmap_batch_count(const struct snapmap_batch *batch)
{
	return batch->count;
}

size_t snapmap_batch_bytes(const struct snapmap_batch *batch)
{
	return batch->bytes;
}

static int reserve(struct snapmap_batch *batch, size_t bytes)
{
	size_t cap = batch->cap ? batch->cap : FIRST_CAP;
	unsigned char *ops;

	while (cap - batch->bytes < bytes)
		cap *= 2;
	if (cap == batch->cap)
		return 0;
	ops = realloc(batch->ops, cap);
	if (!ops)
		return -ENOMEM;
	batch->ops = ops;
	batch->cap = cap;
	return 0;
}

static int check_op(const struct snapmap_op *op, size_t key_len, size_t value_len)
{
	if (!key_len || key_len > SNAPMAP_KEY_MAX || value_len > SNAPMAP_VALUE_MAX)
		return -EMSGSIZE;
	return op->condition > SNAPMAP_COND_VERSION ? -EINVAL : 0;
}

static int append(struct snapmap_batch *batch, struct snapmap_op *op, const void *key,
		  size_t key_len, const void *value, size_t value_len)
{
	size_t bytes = sizeof(*op) + key_len + value_len;
	size_t padded = (bytes + 7) & ~(size_t)7;
	int err = check_op(op, key_len, value_len);
	unsigned char *at;

	if (!err)
		err = reserve(batch, padded);
	if (err)
		return err;
	op->key_len = key_len;
	op->value_len = value_len;
	at = batch->ops + batch->bytes;
	memcpy(at, op, sizeof(*op));
	memcpy(at + sizeof(*op), key, key_len);
	if (value_len)
		memcpy(at + sizeof(*op) + key_len, value, value_len);
	memset(at + bytes, 0, padded - bytes);
	batch->bytes += padded;
	batch->count++;
	return 0;
}

/* Anything above a byte is an unknown condition, not its low byte. */
static unsigned char condition_byte(unsigned int condition)
{
	return condition > SNAPMAP_COND_VERSION ? 0xff : condition;
}

int snapmap_batch_put_if(struct snapmap_batch *batch, const void *key, size_t key_len,
			 const void *value, size_t value_len, unsigned int condition,
			 uint64_t if_version)
{
	struct snapmap_op op = {
		.opcode = SNAPMAP_OP_PUT,
		.condition = condition_byte(condition),
		.if_version = condition == SNAPMAP_COND_VERSION ? if_version : 0,
	};

	return append(batch, &op, key, key_len, value, value_len);
}

int snapmap_batch_put(struct snapmap_batch *batch, const void *key, size_t key_len,
		      const void *value, size_t value_len)
{
	return snapmap_batch_put_if(batch, key, key_len, value, value_len, SNAPMAP_COND_NONE, 0);
}

int snapmap_batch_delete_if(struct snapmap_batch *batch, const void *key, size_t key_len,
			    unsigned int condition, uint64_t if_version)
{
	struct snapmap_op op = {
		.opcode = SNAPMAP_OP_DELETE,
		.condition = condition_byte(condition),
		.if_version = condition == SNAPMAP_COND_VERSION ? if_version : 0,
	};

	return append(batch, &op, key, key_len, NULL, 0);
}

int snapmap_batch_delete(struct snapmap_batch *batch, const void *key, size_t key_len)
{
	return snapmap_batch_delete_if(batch, key, key_len, SNAPMAP_COND_NONE, 0);
}

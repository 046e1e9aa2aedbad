// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * txn.c - transactions: filled in pieces, prepared, committed or aborted
 *
 * Operations are collected up to a piece and then written to the transaction's
 * descriptor. A piece is written before the operation that finds it full is
 * taken, and before anything else is asked of the transaction; what has been
 * taken is thus never lost by a failure, and is written again by the next call.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "batch.h"
#include "map.h"

#define PIECE_BYTES (256 << 10)

/**
 * struct snapmap_transaction - a transaction
 * @fd: its descriptor
 * @pending: operations that have not been written yet
 * @written: bytes of @pending that have been written nevertheless
 * @prepared: it takes no more operations
 * @torn: why a batch has been written only in part, 0 for none
 */
struct snapmap_transaction {
	int fd;
	struct snapmap_batch pending;
	size_t written;
	bool prepared;
	int torn;
};

static const struct snapmap_txn_opts no_opts;
static const struct snapmap_commit_opts no_run_opts;

int snapmap_txn_new(struct snapmap *map, const struct snapmap_txn_opts *opts,
		    struct snapmap_transaction **out)
{
	const struct snapmap_txn_opts *how = opts ? opts : &no_opts;
	struct snapmap_txn begin = {
		.flags = how->flags,
		.lease_ms = how->lease_ms,
		.if_version =
			snapmap_if_asked(how->flags, SNAPMAP_COMMIT_IF_VERSION, how->if_version),
		.stamp = snapmap_if_asked(how->flags, SNAPMAP_COMMIT_STAMP, how->stamp),
	};
	struct snapmap_transaction *txn = calloc(1, sizeof(*txn));

	if (!txn)
		return -ENOMEM;
	txn->fd = snapmap_ioctl(map->fd, SNAPMAP_IOC_TXN, &begin);
	if (txn->fd < 0) {
		int err = txn->fd;

		free(txn);
		return err;
	}
	*out = txn;
	return 0;
}

void snapmap_txn_free(struct snapmap_transaction *txn)
{
	if (!txn)
		return;
	close(txn->fd);
	free(txn->pending.ops);
	free(txn);
}

int snapmap_txn_fd(const struct snapmap_transaction *txn)
{
	return txn->fd;
}

/* Writes what is left of @bytes behind *@done, which counts on. */
static int write_all(int fd, const unsigned char *from, size_t bytes, size_t *done)
{
	ssize_t got;

	while (*done < bytes) {
		got = write(fd, from + *done, bytes - *done);
		if (got < 0 && errno != EINTR)
			return -errno;
#ifdef SNAPMAP_BREAK_SHORT_WRITE /* a deliberate break, for the test's own test */
		got = (ssize_t)(bytes - *done);
#endif
		*done += got < 0 ? 0 : got;
	}
	return 0;
}

static int flush(struct snapmap_transaction *txn)
{
	int err;

	err = write_all(txn->fd, txn->pending.ops, txn->pending.bytes, &txn->written);
	if (err)
		return err;
	snapmap_batch_clear(&txn->pending);
	txn->written = 0;
	return 0;
}

/* Whether it takes operations: the kernel says so only when they are written. */
static int check_open(const struct snapmap_transaction *txn)
{
	if (txn->torn)
		return txn->torn;
	return txn->prepared ? -EBADFD : 0;
}

static int make_room(struct snapmap_transaction *txn)
{
	int err = check_open(txn);

	return !err && txn->pending.bytes >= PIECE_BYTES ? flush(txn) : err;
}

int snapmap_txn_add(struct snapmap_transaction *txn, struct snapmap *map,
		    const struct snapmap_txn_opts *opts)
{
	const struct snapmap_txn_opts *how = opts ? opts : &no_opts;
	struct snapmap_txn_add add = {
		.flags = how->flags,
		.map = map->fd,
		.if_version =
			snapmap_if_asked(how->flags, SNAPMAP_COMMIT_IF_VERSION, how->if_version),
		.stamp = snapmap_if_asked(how->flags, SNAPMAP_COMMIT_STAMP, how->stamp),
	};
	int err = how->lease_ms ? -EINVAL : check_open(txn);

	if (!err)
		err = flush(txn);
	return err ? err : snapmap_ioctl(txn->fd, SNAPMAP_IOC_TXN_ADD, &add);
}

int snapmap_txn_put_if(struct snapmap_transaction *txn, const void *key, size_t key_len,
		       const void *value, size_t value_len, unsigned int condition,
		       uint64_t if_version)
{
	int err = make_room(txn);

	return err ? err :
		     snapmap_batch_put_if(&txn->pending, key, key_len, value, value_len, condition,
					  if_version);
}

int snapmap_txn_put(struct snapmap_transaction *txn, const void *key, size_t key_len,
		    const void *value, size_t value_len)
{
	return snapmap_txn_put_if(txn, key, key_len, value, value_len, SNAPMAP_COND_NONE, 0);
}

int snapmap_txn_delete_if(struct snapmap_transaction *txn, const void *key, size_t key_len,
			  unsigned int condition, uint64_t if_version)
{
	int err = make_room(txn);

	return err ? err :
		     snapmap_batch_delete_if(&txn->pending, key, key_len, condition, if_version);
}

int snapmap_txn_delete(struct snapmap_transaction *txn, const void *key, size_t key_len)
{
	return snapmap_txn_delete_if(txn, key, key_len, SNAPMAP_COND_NONE, 0);
}

int snapmap_txn_write(struct snapmap_transaction *txn, const struct snapmap_batch *batch)
{
	size_t done = 0;
	int err = check_open(txn);

	if (!err)
		err = flush(txn);
	if (!err)
		err = write_all(txn->fd, batch->ops, batch->bytes, &done);
	if (err && done)
		txn->torn = err;
	return err;
}

static int run(struct snapmap_transaction *txn, unsigned long request,
	       const struct snapmap_commit_opts *opts, struct snapmap_txn_result *result)
{
	const struct snapmap_commit_opts *how = opts ? opts : &no_run_opts;
	struct snapmap_txn_run call = {
		.flags = how->flags,
		.wait_ms = how->wait_ms,
		.failed_op = SNAPMAP_NO_OP,
	};
	int err = txn->torn ? txn->torn : flush(txn);

	if (!err)
		err = snapmap_ioctl(txn->fd, request, &call);
	if (!err)
		txn->prepared = true;
	if (result) {
		result->map = call.map;
		result->failed_op = call.failed_op;
		result->version = call.version;
	}
	return err;
}

int snapmap_txn_prepare(struct snapmap_transaction *txn, const struct snapmap_commit_opts *opts,
			struct snapmap_txn_result *result)
{
	return run(txn, SNAPMAP_IOC_TXN_PREPARE, opts, result);
}

int snapmap_txn_commit(struct snapmap_transaction *txn, const struct snapmap_commit_opts *opts,
		       struct snapmap_txn_result *result)
{
	return run(txn, SNAPMAP_IOC_TXN_COMMIT, opts, result);
}

int snapmap_txn_abort(struct snapmap_transaction *txn)
{
	return snapmap_ioctl(txn->fd, SNAPMAP_IOC_TXN_ABORT, NULL);
}

int snapmap_txn_info(const struct snapmap_transaction *txn, uint32_t map,
		     struct snapmap_txn_info *out)
{
	memset(out, 0, sizeof(*out));
	out->map = map;
	return snapmap_ioctl(txn->fd, SNAPMAP_IOC_TXN_INFO, out);
}

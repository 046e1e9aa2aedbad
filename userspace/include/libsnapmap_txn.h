/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * libsnapmap_txn.h - transactions; part of <libsnapmap.h>, which is to be included
 *
 * A transaction is filled with operations on one map or several, is prepared,
 * and is committed or aborted. It is a descriptor in the kernel: closing the
 * last copy of it, or dying, aborts it.
 */
#ifndef LIBSNAPMAP_TXN_H
#define LIBSNAPMAP_TXN_H

#include <libsnapmap.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * struct snapmap_txn_opts - what a transaction does to one of its maps
 * @flags: SNAPMAP_COMMIT_*, but not SNAPMAP_COMMIT_NOWAIT
 * @lease_ms: how long it may keep other writers out once it has begun to
 *	prepare; 0 for as long as the map allows. For snapmap_txn_new() alone
 * @if_version: with SNAPMAP_COMMIT_IF_VERSION, else ignored
 * @stamp: with SNAPMAP_COMMIT_STAMP, else ignored
 */
struct snapmap_txn_opts {
	uint32_t flags;
	uint32_t lease_ms;
	uint64_t if_version;
	uint64_t stamp;
};

/**
 * struct snapmap_txn_result - how preparing or committing went
 * @map: index of the map at fault, in the order in which they were added
 * @failed_op: index of the operation on that map that was refused, or
 *	SNAPMAP_NO_OP
 * @version: the new version of the first map, once committed; on -ECANCELED and
 *	-EALREADY the current one of the map at fault
 */
struct snapmap_txn_result {
	uint32_t map;
	uint64_t failed_op;
	uint64_t version;
};

/**
 * snapmap_txn_new() - begin a transaction
 * @map: its first map, opened with O_RDWR; it may be closed before the
 *	transaction ends
 * @opts: NULL for none
 * @out: the transaction; snapmap_txn_free() ends it
 *
 * It keeps nobody out until it is prepared. Operations go to the kernel in
 * pieces, so that the caller needs little memory however many there are.
 *
 * Return: 0, -ENOMEM, what SNAPMAP_IOC_TXN says.
 */
int snapmap_txn_new(struct snapmap *map, const struct snapmap_txn_opts *opts,
		    struct snapmap_transaction **out);

/**
 * snapmap_txn_add() - take another map into a transaction
 * @txn: the transaction
 * @map: the map, opened with O_RDWR
 * @opts: NULL for none; its lease is 0
 *
 * Operations that follow are for this map. All maps are committed at one moment.
 *
 * Return: 0; -EEXIST when the transaction has the map already; what else
 * SNAPMAP_IOC_TXN_ADD and write() say.
 */
int snapmap_txn_add(struct snapmap_transaction *txn, struct snapmap *map,
		    const struct snapmap_txn_opts *opts);

/**
 * snapmap_txn_put() - add the writing of an entry
 * @txn: the transaction
 * @key: the key
 * @key_len: its length, 1 to SNAPMAP_KEY_MAX
 * @value: the value; may be NULL when @value_len is 0
 * @value_len: its length, at most SNAPMAP_VALUE_MAX
 *
 * Return: 0, -EMSGSIZE, -ENOMEM, -EBADFD, what else write() says; on failure the
 * transaction is as it was.
 */
int snapmap_txn_put(struct snapmap_transaction *txn, const void *key, size_t key_len,
		    const void *value, size_t value_len);

/**
 * snapmap_txn_put_if() - add the writing of an entry under a condition
 * @txn: the transaction
 * @key: the key
 * @key_len: its length
 * @value: the value
 * @value_len: its length
 * @condition: SNAPMAP_COND_*
 * @if_version: for SNAPMAP_COND_VERSION, else ignored
 *
 * Return: as snapmap_txn_put(); -EINVAL for an unknown condition.
 */
int snapmap_txn_put_if(struct snapmap_transaction *txn, const void *key, size_t key_len,
		       const void *value, size_t value_len, unsigned int condition,
		       uint64_t if_version);

/**
 * snapmap_txn_delete() - add the removal of an entry
 * @txn: the transaction
 * @key: the key; that it is absent is no error
 * @key_len: its length
 *
 * Return: as snapmap_txn_put().
 */
int snapmap_txn_delete(struct snapmap_transaction *txn, const void *key, size_t key_len);

/**
 * snapmap_txn_delete_if() - add the removal of an entry under a condition
 * @txn: the transaction
 * @key: the key
 * @key_len: its length
 * @condition: SNAPMAP_COND_*
 * @if_version: for SNAPMAP_COND_VERSION, else ignored
 *
 * Return: as snapmap_txn_put_if().
 */
int snapmap_txn_delete_if(struct snapmap_transaction *txn, const void *key, size_t key_len,
			  unsigned int condition, uint64_t if_version);

/**
 * snapmap_txn_write() - add the operations of a batch
 * @txn: the transaction
 * @batch: the batch, which stays the caller's
 *
 * When it fails in its midst the transaction cannot be used any more: every
 * later call that adds or prepares fails with the same errno.
 *
 * Return: 0, what write() says.
 */
int snapmap_txn_write(struct snapmap_transaction *txn, const struct snapmap_batch *batch);

/**
 * snapmap_txn_prepare() - check a transaction and build what it will publish
 * @txn: the transaction
 * @opts: NULL for none; SNAPMAP_COMMIT_NOWAIT and wait_ms count
 * @result: out, also on failure; may be NULL
 *
 * After a success the commit cannot fail for lack of memory or by a conflict,
 * nobody sees anything yet, and other writers are kept out until the end of the
 * lease. After a failure the transaction is open as before and keeps nobody out,
 * except that with -ETIME it has ended.
 *
 * Return: 0; -ECANCELED, -EALREADY, -EBUSY, -ETIMEDOUT, -ETIME; what else
 * SNAPMAP_IOC_TXN_PREPARE and write() say.
 */
int snapmap_txn_prepare(struct snapmap_transaction *txn, const struct snapmap_commit_opts *opts,
			struct snapmap_txn_result *result);

/**
 * snapmap_txn_commit() - publish a transaction, on all its maps at one moment
 * @txn: the transaction; it is prepared first when it has not been
 * @opts: as for snapmap_txn_prepare()
 * @result: out, also on failure; may be NULL
 *
 * Return: 0; -ETIME when its lease has ended, and with it the transaction;
 * -ENODEV when one of its maps has been destroyed; when it had not been prepared,
 * also as snapmap_txn_prepare().
 */
int snapmap_txn_commit(struct snapmap_transaction *txn, const struct snapmap_commit_opts *opts,
		       struct snapmap_txn_result *result);

/**
 * snapmap_txn_abort() - give a transaction up; nothing changes
 * @txn: the transaction, which is still to be freed
 *
 * Return: 0, or what SNAPMAP_IOC_TXN_ABORT says.
 */
int snapmap_txn_abort(struct snapmap_transaction *txn);

/**
 * snapmap_txn_info() - how a transaction stands with one of its maps
 * @txn: the transaction
 * @map: index of the map
 * @out: what SNAPMAP_IOC_TXN_INFO tells; of the operations added last some may
 *	be with the library still, and not count in its bytes
 *
 * Return: 0; -EINVAL when there is no such map.
 */
int snapmap_txn_info(const struct snapmap_transaction *txn, uint32_t map,
		     struct snapmap_txn_info *out);

/**
 * snapmap_txn_fd() - the transaction's descriptor
 * @txn: the transaction
 *
 * A process that it is sent to keeps the transaction alive, and may commit or
 * abort it by ioctl.
 *
 * Return: the descriptor, which stays the library's.
 */
int snapmap_txn_fd(const struct snapmap_transaction *txn);

/**
 * snapmap_txn_free() - end the use of a transaction
 * @txn: the transaction; NULL does nothing
 *
 * One that has not been committed is aborted, unless another process has its
 * descriptor.
 */
void snapmap_txn_free(struct snapmap_transaction *txn);

#ifdef __cplusplus
}
#endif

#endif /* LIBSNAPMAP_TXN_H */

/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * libsnapmap.h - reads, commits to, pins and checks snapmap's maps
 *
 * Every function that can fail returns 0 or a negative errno; what each errno
 * means is written in <linux/snapmap.h>. Beyond those:
 *
 *	EUCLEAN		the bytes of a snapshot do not follow the format
 *	EPROTONOSUPPORT	the map has a layout or a hash that this library does
 *			not know
 *
 * Threads: a struct snapmap and a struct snapmap_snapshot may be used by any
 * number of threads at once. A struct snapmap_batch, a struct snapmap_iter, a
 * struct snapmap_transaction, a struct snapmap_diff and a struct snapmap_watch
 * belong to one thread at a time.
 */
#ifndef LIBSNAPMAP_H
#define LIBSNAPMAP_H

#include <linux/snapmap.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Where the module's devices are. */
#define SNAPMAP_DEVICE_DIR     "/dev/snapmap"
#define SNAPMAP_DEVICE_CONTROL "/dev/snapmap/control"

struct snapmap;
struct snapmap_batch;
struct snapmap_iter;
struct snapmap_snapshot;
struct snapmap_transaction;

/* ------------------------------------------------------------- maps */

/**
 * struct snapmap_create_opts - what a new map is to be
 * @limit: the most memory that it may take, in bytes; 0 for the module's default
 * @mode: permission bits, at most 0777
 * @uid: owner
 * @gid: group
 * @flags: SNAPMAP_MAP_*: SNAPMAP_MAP_REVOKE to revoke the oldest pins, rather
 *	than to refuse commits, when the limit does not hold all that is pinned
 * @history: how many snapshots it keeps, the current one included; 0 for 1
 * @lease_ms: the longest time for which a prepared transaction may keep other
 *	writers out; 0 for SNAPMAP_LEASE_DEFAULT
 */
struct snapmap_create_opts {
	uint64_t limit;
	mode_t mode;
	uid_t uid;
	gid_t gid;
	uint32_t flags;
	uint32_t history;
	uint32_t lease_ms;
};

/**
 * snapmap_name_valid() - whether a map may have this name
 * @name: the name
 *
 * Return: true for 1 to SNAPMAP_NAME_MAX of A-Z a-z 0-9 . _ -, not beginning
 * with a dot or a dash and not "control".
 */
bool snapmap_name_valid(const char *name);

/**
 * snapmap_create() - make a new, empty map
 * @name: its name
 * @opts: NULL for mode 0644, the caller's user and group, the default limit
 *
 * Return: 0, -EINVAL for a bad name, or what SNAPMAP_IOC_CREATE says.
 */
int snapmap_create(const char *name, const struct snapmap_create_opts *opts);

/**
 * struct snapmap_set_opts - what is to change about a map
 * @mask: SNAPMAP_SET_*: which of the others count
 * @flags: as in struct snapmap_create_opts
 * @history: likewise; snapshots that are too many go at once
 * @lease_ms: likewise; transactions that exist keep theirs
 */
struct snapmap_set_opts {
	uint32_t mask;
	uint32_t flags;
	uint32_t history;
	uint32_t lease_ms;
};

/**
 * snapmap_set() - change what a map was created with
 * @name: its name
 * @opts: what changes
 *
 * Return: 0, -ENOENT, or what else SNAPMAP_IOC_SET says.
 */
int snapmap_set(const char *name, const struct snapmap_set_opts *opts);

/**
 * snapmap_destroy() - take a map's name away and end it
 * @name: its name
 *
 * Who has the map open or pinned keeps its last snapshot.
 *
 * Return: 0, -ENOENT, or what else SNAPMAP_IOC_DESTROY says.
 */
int snapmap_destroy(const char *name);

/**
 * snapmap_open() - open and map a map
 * @name_or_path: its name, or a path of its device when there is a slash in it
 * @flags: O_RDONLY to read, O_RDWR to commit too; O_NONBLOCK may be added
 * @out: the map; snapmap_close() ends it
 *
 * The whole span is mapped once, so that the map's growth needs no system call.
 * It takes address space, not memory.
 *
 * Return: 0; -ENOTTY when it is no map; -EPROTONOSUPPORT; what open() and
 * mmap() say.
 */
int snapmap_open(const char *name_or_path, int flags, struct snapmap **out);

/**
 * snapmap_close() - close a map
 * @map: the map; NULL does nothing
 *
 * Snapshots pinned through it stay until they are unpinned.
 */
void snapmap_close(struct snapmap *map);

/**
 * snapmap_fd() - the map's descriptor, for poll and epoll
 * @map: the map
 *
 * Return: the descriptor, which stays the library's.
 */
int snapmap_fd(const struct snapmap *map);

/**
 * snapmap_version() - the current version
 * @map: the map
 *
 * No system call. Successive calls never give an older version.
 *
 * Return: the version, at least 1.
 */
uint64_t snapmap_version(const struct snapmap *map);

/**
 * snapmap_state() - the map's state
 * @map: the map
 *
 * No system call.
 *
 * Return: SNAPMAP_STATE_*.
 */
uint32_t snapmap_state(const struct snapmap *map);

/**
 * snapmap_header() - what is known of the current snapshot
 * @map: the map
 * @out: header of one version, copied whole
 *
 * No system call.
 */
void snapmap_header(const struct snapmap *map, struct snapmap_header *out);

/**
 * snapmap_info() - a map's memory and counters
 * @map: the map
 * @out: what SNAPMAP_IOC_INFO tells
 *
 * Return: 0 or a negative errno.
 */
int snapmap_info(const struct snapmap *map, struct snapmap_info *out);

/**
 * snapmap_wait() - wait for another version
 * @map: the map
 * @version: in: the version last seen; out: the current one
 * @timeout_ms: at most so long; negative: for ever
 *
 * Makes no system call when there is another version already.
 *
 * Return: 0 when the version is another; -ENODEV when the map is destroyed and
 * @version was its last; -ETIMEDOUT; -EINTR.
 */
int snapmap_wait(const struct snapmap *map, uint64_t *version, int timeout_ms);

/* ------------------------------------------------------------- reading live */

/**
 * struct snapmap_found - what a live look-up tells beside the value
 * @value_len: bytes of the value; set on success and on -ERANGE
 * @entry_version: version that last wrote the entry; likewise
 * @version: version of the snapshot that was read; set on -ENOENT too
 */
struct snapmap_found {
	size_t value_len;
	uint64_t entry_version;
	uint64_t version;
};

/**
 * snapmap_get() - look a key up in the current snapshot
 * @map: the map
 * @key: the key
 * @key_len: its length
 * @buf: where the value goes; may be NULL when @cap is 0
 * @cap: bytes of @buf
 * @found: out; may be NULL
 *
 * No lock, no system call, no write to shared memory. Only a caller that was
 * held up for long in the middle of the call tries again (promise D), and only
 * one that was overtaken again and again, such as with a long value beside commits
 * that never pause, pins the version for the length of the call. @buf has no
 * defined content unless the call succeeds.
 *
 * Return: 0; -ENOENT; -ERANGE when the value is longer than @cap; -EMSGSIZE
 * when no key has that length.
 */
int snapmap_get(const struct snapmap *map, const void *key, size_t key_len, void *buf, size_t cap,
		struct snapmap_found *found);

/**
 * snapmap_mapped() - where a map is mapped
 * @map: the map
 * @layout_version: SNAPMAP_LAYOUT_VERSION that the caller was compiled with
 * @base: out: the control page
 * @bytes: out: length of the mapping
 *
 * For snapmap_inline.h, and others that read the bytes themselves. What they must
 * check is written in <linux/snapmap_layout.h>. The mapping stays until the map is
 * closed.
 *
 * Return: 0; -EPROTONOSUPPORT when the map has another layout.
 */
int snapmap_mapped(const struct snapmap *map, uint32_t layout_version, const void **base,
		   uint64_t *bytes);

/**
 * struct snapmap_query - one of many look-ups
 * @key: the key
 * @key_len: its length
 * @buf: where the value goes; may be NULL when @cap is 0
 * @cap: bytes of @buf
 * @value_len: out: bytes of the value; set when @err is 0 or -ERANGE
 * @entry_version: out: version that last wrote the entry; likewise
 * @err: out: what snapmap_get() would return
 */
struct snapmap_query {
	const void *key;
	size_t key_len;
	void *buf;
	size_t cap;
	size_t value_len;
	uint64_t entry_version;
	int err;
};

/**
 * snapmap_get_many() - look many keys up in the current snapshot
 * @map: the map
 * @queries: the look-ups; their buffers do not overlap
 * @count: how many; any number, 16 and more make the most of it
 * @version: out: version of the snapshot that was read; may be NULL
 *
 * All answers are of one version. For tables that do not fit into the cache
 * this is several times as fast as single look-ups, because they wait for
 * memory together. Otherwise like snapmap_get().
 *
 * Return: how many keys were found and their values copied.
 */
size_t snapmap_get_many(const struct snapmap *map, struct snapmap_query *queries, size_t count,
			uint64_t *version);

/* ------------------------------------------------------------- committing */

/**
 * struct snapmap_commit_opts - how to commit
 * @flags: SNAPMAP_COMMIT_*
 * @wait_ms: wait at most so long for transactions that others have prepared; 0
 *	for as long as their leases last. SNAPMAP_COMMIT_NOWAIT not to wait
 * @if_version: with SNAPMAP_COMMIT_IF_VERSION, else ignored
 * @stamp: with SNAPMAP_COMMIT_STAMP, else ignored
 */
struct snapmap_commit_opts {
	uint32_t flags;
	uint32_t wait_ms;
	uint64_t if_version;
	uint64_t stamp;
};

/**
 * struct snapmap_commit_result - what a commit did
 * @version: the new version; on -ECANCELED and -EALREADY the current one
 * @failed_op: index of the operation that was refused, or SNAPMAP_NO_OP
 * @missing: deletes that found no key
 * @blocks_copied: blocks that were written
 */
struct snapmap_commit_result {
	uint64_t version;
	uint64_t failed_op;
	uint64_t missing;
	uint64_t blocks_copied;
};

/**
 * snapmap_batch_new() - an empty batch
 *
 * Return: the batch, or NULL when there is no memory.
 */
struct snapmap_batch *snapmap_batch_new(void);

/**
 * snapmap_batch_free() - free a batch
 * @batch: the batch; NULL does nothing
 */
void snapmap_batch_free(struct snapmap_batch *batch);

/**
 * snapmap_batch_clear() - empty a batch, keeping its memory for the next use
 * @batch: the batch
 */
void snapmap_batch_clear(struct snapmap_batch *batch);

/**
 * snapmap_batch_put() - add the writing of an entry
 * @batch: the batch
 * @key: the key, which is copied
 * @key_len: its length, 1 to SNAPMAP_KEY_MAX
 * @value: the value, which is copied; may be NULL when @value_len is 0
 * @value_len: its length, at most SNAPMAP_VALUE_MAX
 *
 * Return: 0, -EMSGSIZE, -ENOMEM; on failure the batch is as it was.
 */
int snapmap_batch_put(struct snapmap_batch *batch, const void *key, size_t key_len,
		      const void *value, size_t value_len);

/**
 * snapmap_batch_put_if() - add the writing of an entry under a condition
 * @batch: the batch
 * @key: the key
 * @key_len: its length
 * @value: the value
 * @value_len: its length
 * @condition: SNAPMAP_COND_*
 * @if_version: for SNAPMAP_COND_VERSION, else ignored
 *
 * Return: as snapmap_batch_put(); -EINVAL for an unknown condition.
 */
int snapmap_batch_put_if(struct snapmap_batch *batch, const void *key, size_t key_len,
			 const void *value, size_t value_len, unsigned int condition,
			 uint64_t if_version);

/**
 * snapmap_batch_delete() - add the removal of an entry
 * @batch: the batch
 * @key: the key; that it is absent is no error
 * @key_len: its length
 *
 * Return: as snapmap_batch_put().
 */
int snapmap_batch_delete(struct snapmap_batch *batch, const void *key, size_t key_len);

/**
 * snapmap_batch_delete_if() - add the removal of an entry under a condition
 * @batch: the batch
 * @key: the key
 * @key_len: its length
 * @condition: SNAPMAP_COND_*
 * @if_version: for SNAPMAP_COND_VERSION, else ignored
 *
 * Return: as snapmap_batch_put_if().
 */
int snapmap_batch_delete_if(struct snapmap_batch *batch, const void *key, size_t key_len,
			    unsigned int condition, uint64_t if_version);

/**
 * snapmap_batch_count() - operations of a batch
 * @batch: the batch
 *
 * Return: their number.
 */
uint64_t snapmap_batch_count(const struct snapmap_batch *batch);

/**
 * snapmap_batch_bytes() - size of a batch
 * @batch: the batch
 *
 * Return: bytes that the kernel will read.
 */
size_t snapmap_batch_bytes(const struct snapmap_batch *batch);

/**
 * snapmap_commit() - make a batch the next snapshot, whole or not at all
 * @map: the map, opened with O_RDWR
 * @batch: the batch, which stays the caller's
 * @opts: NULL for none
 * @result: out, also on failure; may be NULL
 *
 * Return: 0; -ECANCELED when a condition did not hold; -EALREADY when the stamp
 * does not grow as SNAPMAP_COMMIT_STAMP_GROWS asks; -EBUSY, -ETIMEDOUT or -EINTR
 * when another transaction is prepared; what else SNAPMAP_IOC_COMMIT says.
 */
int snapmap_commit(struct snapmap *map, const struct snapmap_batch *batch,
		   const struct snapmap_commit_opts *opts, struct snapmap_commit_result *result);

/**
 * struct snapmap_rollback_result - what a rollback did
 * @version: the new version; on -ECANCELED and -EALREADY the current one
 * @puts: entries that were written
 * @deletes: entries that were removed
 * @blocks_copied: blocks that were written
 */
struct snapmap_rollback_result {
	uint64_t version;
	uint64_t puts;
	uint64_t deletes;
	uint64_t blocks_copied;
};

/**
 * snapmap_rollback() - publish an older snapshot's entries as a new version
 * @map: the map, opened with O_RDWR
 * @to: a version that the map keeps
 * @opts: NULL for none; SNAPMAP_COMMIT_REPLACE is not allowed
 * @result: out, also on failure; may be NULL
 *
 * What both versions share is neither read nor copied.
 *
 * Return: 0; -ESTALE when the map does not keep that version any more; -EINVAL
 * when it has not been published yet; else as snapmap_commit().
 */
int snapmap_rollback(struct snapmap *map, uint64_t to, const struct snapmap_commit_opts *opts,
		     struct snapmap_rollback_result *result);

/* ------------------------------------------------------------- snapshots */

/**
 * struct snapmap_item - an entry of a pinned snapshot
 * @key: its key
 * @key_len: bytes of the key
 * @value: its value
 * @value_len: bytes of the value
 * @version: version that last wrote it
 *
 * The pointers lead into the mapping and are good until snapmap_unpin(), or until
 * the pin is revoked.
 */
struct snapmap_item {
	const void *key;
	size_t key_len;
	const void *value;
	size_t value_len;
	uint64_t version;
};

/**
 * snapmap_pin() - pin the current snapshot
 * @map: the map, which may be closed before the snapshot is unpinned
 * @out: the snapshot; snapmap_unpin() ends it
 *
 * Return: 0 or a negative errno.
 */
int snapmap_pin(const struct snapmap *map, struct snapmap_snapshot **out);

/**
 * snapmap_pin_set() - pin the current snapshots of several maps at one moment
 * @maps: the maps
 * @count: their number, 1 to SNAPMAP_SET_MAX
 * @snapshots: out: a snapshot for each map; none when the call fails
 *
 * Of a transaction on several maps the set has all or nothing.
 *
 * Return: 0 or a negative errno.
 */
int snapmap_pin_set(struct snapmap *const maps[], unsigned int count,
		    struct snapmap_snapshot *snapshots[]);

/**
 * snapmap_pin_open_fd() - use a pin that came from elsewhere
 * @fd: descriptor of a pin; the library's from a success on
 * @out: the snapshot
 *
 * Return: 0; -EINVAL when @fd is a map, which pins nothing; -ENOTTY when it is
 * neither; -EPROTONOSUPPORT; what mmap() says.
 */
int snapmap_pin_open_fd(int fd, struct snapmap_snapshot **out);

/**
 * snapmap_unpin() - let a snapshot go
 * @snapshot: the snapshot; NULL does nothing
 */
void snapmap_unpin(struct snapmap_snapshot *snapshot);

/**
 * snapmap_pin_fd() - the pin's descriptor, which may be sent to other processes
 * @snapshot: the snapshot
 *
 * Return: the descriptor, which stays the library's.
 */
int snapmap_pin_fd(const struct snapmap_snapshot *snapshot);

/**
 * snapmap_pin_version() - the snapshot's version
 * @snapshot: the snapshot
 *
 * Return: the version.
 */
uint64_t snapmap_pin_version(const struct snapmap_snapshot *snapshot);

/**
 * snapmap_pin_header() - what is known of the snapshot
 * @snapshot: the snapshot
 *
 * Return: its header, good until snapmap_unpin().
 */
const struct snapmap_header *snapmap_pin_header(const struct snapmap_snapshot *snapshot);

/**
 * snapmap_pin_get() - look a key up, without a copy
 * @snapshot: the snapshot
 * @key: the key
 * @key_len: its length
 * @item: out: the entry; its key is @key
 *
 * Return: 0, -ENOENT, -EMSGSIZE, -ESTALE when the pin has been revoked; after
 * using the entry see snapmap_pin_check().
 */
int snapmap_pin_get(const struct snapmap_snapshot *snapshot, const void *key, size_t key_len,
		    struct snapmap_item *item);

/**
 * snapmap_iter_new() - go through a snapshot
 * @snapshot: the snapshot, which must outlive the iterator
 * @out: an iterator that stands before the first entry
 *
 * Leaves come in the order of their hash bits, the entries of one leaf in the
 * order of their place.
 *
 * Return: 0, -ENOMEM, -EUCLEAN, -ESTALE.
 */
int snapmap_iter_new(const struct snapmap_snapshot *snapshot, struct snapmap_iter **out);

/**
 * snapmap_iter_next() - the next entry
 * @iter: the iterator
 * @item: out: the entry
 *
 * Each entry comes once.
 *
 * Return: 1 with an entry, 0 behind the last one, -EUCLEAN, -ESTALE.
 */
int snapmap_iter_next(struct snapmap_iter *iter, struct snapmap_item *item);

/**
 * snapmap_iter_free() - end an iteration
 * @iter: the iterator; NULL does nothing
 */
void snapmap_iter_free(struct snapmap_iter *iter);

/**
 * struct snapmap_verify_ops - who hears of a verification
 * @fault: called for each fault with the block that is at fault, 0 when no one
 *	block is, and a sentence that is gone after the call
 * @progress: called now and then with the entries seen so far; may be NULL
 */
struct snapmap_verify_ops {
	void (*fault)(void *data, uint32_t block, const char *what);
	void (*progress)(void *data, uint64_t entries);
};

/**
 * snapmap_verify() - check a snapshot against every rule of the format
 * @snapshot: the snapshot
 * @ops: who is told
 * @data: first argument of the functions of @ops
 *
 * Return: 0 when it is sound; -EUCLEAN when there were faults; -ESTALE, whatever
 * has been told, when the pin has been revoked; -ENOMEM.
 */
int snapmap_verify(const struct snapmap_snapshot *snapshot, const struct snapmap_verify_ops *ops,
		   void *data);

#ifdef __cplusplus
}
#endif

#include <libsnapmap_history.h>
#include <libsnapmap_txn.h>

#endif /* LIBSNAPMAP_H */

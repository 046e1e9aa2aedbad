/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * libsnapmap_history.h - older snapshots, what differs between two, and what
 * changes from now on; part of <libsnapmap.h>, which is to be included
 *
 * A map keeps as many snapshots as it was told to, the current one included, and
 * any of them can be pinned. Where the map's policy is to revoke pins, one may
 * end before it is unpinned. All functions then give -ESTALE instead of what is
 * there now; pointers that they gave before lead to bytes of no meaning, but
 * never out of the mapping.
 */
#ifndef LIBSNAPMAP_HISTORY_H
#define LIBSNAPMAP_HISTORY_H

#include <libsnapmap.h>

#ifdef __cplusplus
extern "C" {
#endif

struct snapmap_diff;
struct snapmap_watch;

/* ------------------------------------------------------------- older snapshots */

/**
 * snapmap_pin_at() - pin an older snapshot
 * @map: the map, which may be closed before the snapshot is unpinned
 * @version: its version; 0 for the current one
 * @out: the snapshot; snapmap_unpin() ends it
 *
 * Return: 0; -ESTALE when the map does not keep it any more; -EINVAL when it has
 * not been published yet; what else SNAPMAP_IOC_PIN says.
 */
int snapmap_pin_at(const struct snapmap *map, uint64_t version, struct snapmap_snapshot **out);

/**
 * snapmap_version_at() - the version that was current at a time
 * @map: the map
 * @realtime_ns: the time, as CLOCK_REALTIME tells it
 * @version: out: the newest version kept that was not published later
 *
 * Return: 0; -ESTALE when the map keeps none that old; what else SNAPMAP_IOC_LOG
 * says.
 */
int snapmap_version_at(const struct snapmap *map, uint64_t realtime_ns, uint64_t *version);

/**
 * snapmap_pin_check() - whether all that has been read of a snapshot counts
 * @snapshot: the snapshot
 *
 * For who uses pointers into a snapshot of a map that may revoke pins: to be
 * called after the bytes have been used. No system call.
 *
 * Return: 0, or -ESTALE when the pin has been revoked.
 */
int snapmap_pin_check(const struct snapmap_snapshot *snapshot);

/**
 * snapmap_log() - how the snapshots that a map keeps came to be
 * @map: the map
 * @version: in: the first version wanted; out: that of the first record, which
 *	is later when the map does not keep it any more; when there is none, the
 *	version to come
 * @records: out: a record for each version from there on
 * @count: the most records
 *
 * Fewer than @count are the last ones; else go on with @version + @count.
 *
 * Return: how many there are, or a negative errno.
 */
ssize_t snapmap_log(const struct snapmap *map, uint64_t *version, struct snapmap_record *records,
		    size_t count);

/**
 * snapmap_pins() - who has pinned a map's snapshots
 * @map: the map
 * @first: the smallest id wanted
 * @records: out: a record for each pin, by growing id
 * @count: the most records
 *
 * Fewer than @count are the last ones; else go on with the last id and 1.
 *
 * Return: how many there are, or a negative errno.
 */
ssize_t snapmap_pins(const struct snapmap *map, uint32_t first, struct snapmap_pin_record *records,
		     size_t count);

/* ------------------------------------------------------------- what differs */

/**
 * struct snapmap_change - a key that two snapshots differ in
 * @key: the key
 * @key_len: its length
 * @before: its entry in the older snapshot; without a key when it is not there
 * @after: its entry in the newer snapshot; likewise
 *
 * The pointers lead into the mapping and are good as long as both snapshots.
 */
struct snapmap_change {
	const void *key;
	size_t key_len;
	struct snapmap_item before;
	struct snapmap_item after;
};

/**
 * snapmap_diff_new() - compare two snapshots
 * @before: the older snapshot, which must outlive the comparison
 * @after: the newer snapshot, likewise; that it is the older one is no error
 * @out: the comparison; snapmap_diff_free() ends it
 *
 * What both share is skipped unseen, so the cost follows the difference, not the
 * size. No system call.
 *
 * Return: 0; -EINVAL when they are not of one map; -ENOMEM.
 */
int snapmap_diff_new(const struct snapmap_snapshot *before, const struct snapmap_snapshot *after,
		     struct snapmap_diff **out);

/**
 * snapmap_diff_next() - the next key that differs
 * @diff: the comparison
 * @change: out: the change
 *
 * Each key comes once, in no order that means anything. One that was written
 * again with the same value does not come.
 *
 * Return: 1 with a change, 0 behind the last one, -EUCLEAN, -ESTALE.
 */
int snapmap_diff_next(struct snapmap_diff *diff, struct snapmap_change *change);

/**
 * snapmap_diff_nodes() - what a comparison has cost
 * @diff: the comparison
 *
 * Return: how many nodes and leaves it has looked at so far.
 */
uint64_t snapmap_diff_nodes(const struct snapmap_diff *diff);

/**
 * snapmap_diff_free() - end a comparison
 * @diff: the comparison; NULL does nothing
 */
void snapmap_diff_free(struct snapmap_diff *diff);

/* ------------------------------------------------------------- watching */

/**
 * struct snapmap_key_prefix - what keys begin with
 * @bytes: the first bytes
 * @len: their number
 */
struct snapmap_key_prefix {
	const void *bytes;
	size_t len;
};

/**
 * struct snapmap_watch_opts - what is to be watched
 * @from: the version to start from, which the map must keep; 0 for the current
 *	one
 * @prefixes: only keys that begin with one of these; they are copied
 * @prefix_count: how many; 0 for all keys
 */
struct snapmap_watch_opts {
	uint64_t from;
	const struct snapmap_key_prefix *prefixes;
	size_t prefix_count;
};

/**
 * struct snapmap_event - a step from one version to a later one
 * @from: the version before
 * @to: the version after; when that is not the next one, the map did not keep
 *	those between, and their changes come as one
 * @header: header of the version after
 */
struct snapmap_event {
	uint64_t from;
	uint64_t to;
	struct snapmap_header header;
};

/**
 * snapmap_watch_new() - watch a map
 * @name_or_path: the map, as for snapmap_open()
 * @opts: NULL for all keys from the current version on
 * @out: the watch; snapmap_watch_free() ends it
 *
 * What a watch tells leads exactly from the snapshot that it starts with to the
 * current one, however slow its user is: it pins what it has told last. Version
 * by version, as long as the map keeps them. A watch belongs to one thread at a
 * time.
 *
 * Return: 0; -ESTALE or -EINVAL for @from, as snapmap_pin_at(); what
 * snapmap_open() says.
 */
int snapmap_watch_new(const char *name_or_path, const struct snapmap_watch_opts *opts,
		      struct snapmap_watch **out);

/**
 * snapmap_watch_fd() - the watch's descriptor, for poll and epoll
 * @watch: the watch
 *
 * It is readable when there may be an event: then call snapmap_watch_next() until
 * it gives no more. Nothing else is to be done with it.
 *
 * Return: the descriptor, which stays the library's.
 */
int snapmap_watch_fd(const struct snapmap_watch *watch);

/**
 * snapmap_watch_next() - the next step
 * @watch: the watch
 * @event: out: the step
 *
 * Does not wait. Ends the step before, whether all its changes have been asked
 * for or not. With prefixes, a step in which nothing changes under them is none.
 *
 * Return: 1 with a step; 0 when there is none now; -ENODEV when the map has been
 * destroyed and its last version told; -ESTALE when the pin of what was told last
 * has been revoked, so that nobody can tell what has changed since; what else
 * SNAPMAP_IOC_PIN says. After -EMFILE, -ENFILE and -ENOMEM it may be tried again.
 */
int snapmap_watch_next(struct snapmap_watch *watch, struct snapmap_event *event);

/**
 * snapmap_watch_change() - the next change of a step
 * @watch: the watch
 * @change: out: the change; its pointers are good until the next step
 *
 * Where pins may be revoked, snapmap_pin_check() of snapmap_watch_snapshot() tells
 * afterwards whether what it pointed to was used in time.
 *
 * Return: 1 with a change, 0 behind the last one, -EUCLEAN, -ESTALE.
 */
int snapmap_watch_change(struct snapmap_watch *watch, struct snapmap_change *change);

/**
 * snapmap_watch_snapshot() - what changes lead away from
 * @watch: the watch
 *
 * To begin with, the snapshot that the watch starts with; after a step, the one
 * before it, until the next call of snapmap_watch_next().
 *
 * Return: the snapshot, which stays the library's.
 */
const struct snapmap_snapshot *snapmap_watch_snapshot(const struct snapmap_watch *watch);

/**
 * snapmap_watch_free() - end a watch
 * @watch: the watch; NULL does nothing
 */
void snapmap_watch_free(struct snapmap_watch *watch);

#ifdef __cplusplus
}
#endif

#endif /* LIBSNAPMAP_HISTORY_H */

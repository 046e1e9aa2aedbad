/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * versions.h - histories, pins of versions, rollback and transactions, by the
 * raw ABI
 *
 * As in device.h, calls return 0 or more, or a negative errno.
 */
#ifndef VERSIONS_H
#define VERSIONS_H

#include "device.h"

/* ------------------------------------------------------------- maps */

/* SNAPMAP_IOC_SET of a map by its name; only what @mask says counts. */
int map_set(const char *name, u32 mask, u32 flags, u32 history, u32 lease_ms);
int map_set_history(const char *name, u32 history);
int map_set_lease(const char *name, u32 lease_ms);

/* A fixture with a history, SNAPMAP_MAP_* and a limit. */
int fixture_new_kept(void **state, u64 limit, u32 history, u32 flags);

/* ------------------------------------------------------------- versions */

/* A pin of a version; 0: of the current one. */
int pin_at(int fd, u64 version);

/* Records from *version on; @version is changed as SNAPMAP_IOC_LOG changes it. */
int map_log(int fd, u64 *version, struct snapmap_record *records, u32 room);

/* The record of one version that is kept. */
void assert_record(int fd, u64 version, struct snapmap_record *record);

/* Open pins from the number @first on. */
int map_pins(int fd, u32 first, struct snapmap_pin_record *records, u32 room);

/* @out may be NULL. */
int rollback(int fd, u64 to, u32 flags, struct snapmap_rollback *out);

/* Of key and value. The sum over all entries stands for a content, in whatever order. */
struct snapmap_item;
u64 item_hash(const struct snapmap_item *item);

/*
 * A number that stands for the keys and values of a map or a pin, in whatever
 * order they lie.
 */
u64 content_of(int fd);

/* Pins of both maps, at one moment. */
int pin_both(int fd, int other, s32 *pins);

/* ------------------------------------------------------------- transactions */

int txn_open(int fd, u32 flags, u32 lease_ms);
int txn_add(int txn, int fd, u32 flags);

/* Writes all of a batch. */
int txn_write(int txn, const struct batch *batch);
int txn_put(int txn, const char *key, const char *value);

/* @out may be NULL. */
int txn_prepare(int txn, struct snapmap_txn_run *out);
int txn_commit(int txn, struct snapmap_txn_run *out);
int txn_abort(int txn);
void assert_txn_info(int txn, u32 map, struct snapmap_txn_info *info);
u32 txn_state(int txn);

/* A prepared transaction that puts one key. */
int txn_prepared(int fd, u32 lease_ms, const char *key, const char *value);

/* A commit of one key that does not wait, or waits for so long. */
int put_nowait(int fd, const char *key, const char *value);
int put_waiting(int fd, const char *key, const char *value, u32 wait_ms);

#endif /* VERSIONS_H */

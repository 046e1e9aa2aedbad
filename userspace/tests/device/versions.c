// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * versions.c - histories, pins of versions, rollback and transactions
 */
#include <libsnapmap.h>

#include "versions.h"

/* ------------------------------------------------------------- maps */

int map_set(const char *name, u32 mask, u32 flags, u32 history, u32 lease_ms)
{
	struct snapmap_set args = {
		.mask = mask, .flags = flags, .history = history, .lease_ms = lease_ms
	};
	int fd = control_open(O_RDWR);
	int err;

	memcpy(args.name, name, strnlen(name, SNAPMAP_NAME_MAX));
	err = ioc(fd, SNAPMAP_IOC_SET, &args);
	close(fd);
	return err;
}

int map_set_history(const char *name, u32 history)
{
	return map_set(name, SNAPMAP_SET_HISTORY, 0, history, 0);
}

int map_set_lease(const char *name, u32 lease_ms)
{
	return map_set(name, SNAPMAP_SET_LEASE, 0, 0, lease_ms);
}

int fixture_new_kept(void **state, u64 limit, u32 history, u32 flags)
{
	struct fixture *map;

	if (fixture_new(state, limit))
		return -1;
	map = *state;
	return map_set(map->name, SNAPMAP_SET_HISTORY | SNAPMAP_SET_FLAGS, flags, history, 0);
}

/* ------------------------------------------------------------- versions */

int pin_at(int fd, u64 version)
{
	struct snapmap_pin args = { .version = version };

	return ioc(fd, SNAPMAP_IOC_PIN, &args);
}

int map_log(int fd, u64 *version, struct snapmap_record *records, u32 room)
{
	struct snapmap_log args = { .record_size = sizeof(*records),
				    .count = room,
				    .records = (uintptr_t)records,
				    .version = *version };
	int err = ioc(fd, SNAPMAP_IOC_LOG, &args);

	*version = args.version;
	return err ? err : (int)args.count;
}

void assert_record(int fd, u64 version, struct snapmap_record *record)
{
	u64 first = version;

	memset(record, 0xa5, sizeof(*record));
	assert_int_equal(map_log(fd, &first, record, 1), 1);
	assert_int_equal(first, version);
	assert_int_equal(record->header.version, version);
}

int map_pins(int fd, u32 first, struct snapmap_pin_record *records, u32 room)
{
	struct snapmap_pins args = { .record_size = sizeof(*records),
				     .count = room,
				     .first = first,
				     .records = (uintptr_t)records };
	int err = ioc(fd, SNAPMAP_IOC_PINS, &args);

	return err ? err : (int)args.count;
}

int rollback(int fd, u64 to, u32 flags, struct snapmap_rollback *out)
{
	struct snapmap_rollback args = { .flags = flags, .to = to };
	int err = ioc(fd, SNAPMAP_IOC_ROLLBACK, &args);

	if (out)
		*out = args;
	return err;
}

/* Source: FNV-1a. */
static u64 hash_bytes(u64 hash, const void *data, size_t bytes)
{
	const u8 *at = data;

	while (bytes--)
		hash = (hash ^ *at++) * 0x100000001b3ULL;
	return hash;
}

u64 item_hash(const struct snapmap_item *item)
{
	u64 hash = hash_bytes(0xcbf29ce484222325ULL ^ item->key_len, item->key, item->key_len);

	return hash_bytes(hash, item->value, item->value_len);
}

u64 content_of(int fd)
{
	struct snapmap_snapshot *snapshot;
	struct snapmap_iter *iter;
	struct snapmap_item item;
	int pin = map_pin(fd);
	u64 sum = 0;

	assert_int_equal(snapmap_pin_open_fd(pin == -ENOTTY ? dup(fd) : pin, &snapshot), 0);
	assert_int_equal(snapmap_iter_new(snapshot, &iter), 0);
	while (snapmap_iter_next(iter, &item) == 1)
		sum += item_hash(&item);
	snapmap_iter_free(iter);
	snapmap_unpin(snapshot);
	return sum;
}

int pin_both(int fd, int other, s32 *pins)
{
	s32 maps[2] = { fd, other };
	struct snapmap_pin_set args = { .count = 2,
					.maps = (uintptr_t)maps,
					.pins = (uintptr_t)pins };

	return ioc(fd, SNAPMAP_IOC_PIN_SET, &args);
}

/* ------------------------------------------------------------- transactions */

int txn_open(int fd, u32 flags, u32 lease_ms)
{
	struct snapmap_txn args = { .flags = flags, .lease_ms = lease_ms };

	return ioc(fd, SNAPMAP_IOC_TXN, &args);
}

int txn_add(int txn, int fd, u32 flags)
{
	struct snapmap_txn_add args = { .flags = flags, .map = fd };

	return ioc(txn, SNAPMAP_IOC_TXN_ADD, &args);
}

int txn_write(int txn, const struct batch *batch)
{
	size_t done = 0;
	ssize_t ret;

	while (done < batch->bytes) {
		ret = write(txn, batch->data + done, batch->bytes - done);
		if (ret < 0)
			return -errno;
		done += ret;
	}
	return 0;
}

int txn_put(int txn, const char *key, const char *value)
{
	struct batch batch = { .data = NULL };
	int err;

	batch_puts(&batch, key, value);
	err = txn_write(txn, &batch);
	batch_free(&batch);
	return err;
}

static int run(int txn, unsigned long request, struct snapmap_txn_run *out)
{
	struct snapmap_txn_run args = { .flags = 0 };
	int err = ioc(txn, request, &args);

	if (out)
		*out = args;
	return err;
}

int txn_prepare(int txn, struct snapmap_txn_run *out)
{
	return run(txn, SNAPMAP_IOC_TXN_PREPARE, out);
}

int txn_commit(int txn, struct snapmap_txn_run *out)
{
	return run(txn, SNAPMAP_IOC_TXN_COMMIT, out);
}

int txn_abort(int txn)
{
	return ioc(txn, SNAPMAP_IOC_TXN_ABORT, NULL);
}

void assert_txn_info(int txn, u32 map, struct snapmap_txn_info *info)
{
	memset(info, 0xa5, sizeof(*info));
	info->flags = 0;
	info->map = map;
	assert_int_equal(ioc(txn, SNAPMAP_IOC_TXN_INFO, info), 0);
}

/* All ones when it cannot be told. */
u32 txn_state(int txn)
{
	struct snapmap_txn_info info = { .flags = 0 };

	return ioc(txn, SNAPMAP_IOC_TXN_INFO, &info) ? ~0U : info.state;
}

int txn_prepared(int fd, u32 lease_ms, const char *key, const char *value)
{
	int txn = txn_open(fd, 0, lease_ms);
	int err = txn < 0 ? txn : txn_put(txn, key, value);

	if (!err)
		err = txn_prepare(txn, NULL);
	if (err && txn >= 0)
		close(txn);
	return err ? err : txn;
}

static int put_with(int fd, const char *key, const char *value, u32 flags, u32 wait_ms)
{
	struct batch batch = { .data = NULL };
	struct snapmap_commit args;
	int err;

	batch_puts(&batch, key, value);
	args = batch_args(&batch, flags);
	args.wait_ms = wait_ms;
	err = ioc(fd, SNAPMAP_IOC_COMMIT, &args);
	batch_free(&batch);
	return err;
}

int put_nowait(int fd, const char *key, const char *value)
{
	return put_with(fd, key, value, SNAPMAP_COMMIT_NOWAIT, 0);
}

int put_waiting(int fd, const char *key, const char *value, u32 wait_ms)
{
	return put_with(fd, key, value, 0, wait_ms);
}

// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * txn_test.c - what the library tells the kernel about transactions
 *
 * ioctl() and write() are this file's: a kernel that takes as little of a write
 * as it likes, and fails when it is told to. No module is needed.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Needs what is above. */
#include <cmocka.h>

#include "../../lib/map.h"

#define MAP_FD	1001
#define TXN_FD	1002
#define ENTRIES 3000 /* with VALUE bytes each: several pieces */
#define VALUE	700
#define RECORD	720 /* what one such operation takes */

static struct {
	unsigned char *bytes;
	size_t used;
	size_t fail_at; /* a write that would go beyond fails with EIO; 0 for none */
	unsigned int writes;
	unsigned int interrupts;
	struct snapmap_txn begun;
	struct snapmap_txn_add added;
	size_t used_at_add;
	struct snapmap_txn_run ran;
	unsigned long request;
	int fail_run;
} kernel;

ssize_t __wrap_write(int fd, const void *from, size_t bytes);
int __wrap_ioctl(int fd, unsigned long request, ...);
int __wrap_close(int fd);

/* Takes a third of what it is given, in odd pieces, and is interrupted at every other call. */
ssize_t __wrap_write(int fd, const void *from, size_t bytes)
{
	size_t take = bytes > 100 ? bytes / 3 + 1 : bytes;

	assert_int_equal(fd, TXN_FD);
	if (kernel.writes++ & 1) {
		kernel.interrupts++;
		errno = EINTR;
		return -1;
	}
	if (kernel.fail_at && kernel.used + take > kernel.fail_at) {
		errno = EIO;
		return -1;
	}
	kernel.bytes = realloc(kernel.bytes, kernel.used + take);
	memcpy(kernel.bytes + kernel.used, from, take);
	kernel.used += take;
	return take;
}

static int run_txn(void *arg)
{
	struct snapmap_txn_run *call = arg;

	kernel.ran = *call;
	call->map = 7;
	call->failed_op = 8;
	call->version = 9;
	if (!kernel.fail_run)
		return 0;
	errno = kernel.fail_run;
	return -1;
}

int __wrap_ioctl(int fd, unsigned long request, ...)
{
	va_list args;
	void *arg;

	va_start(args, request);
	arg = va_arg(args, void *);
	va_end(args);
	kernel.request = request;
	switch (request) {
	case SNAPMAP_IOC_TXN:
		assert_int_equal(fd, MAP_FD);
		kernel.begun = *(struct snapmap_txn *)arg;
		return TXN_FD;
	case SNAPMAP_IOC_TXN_ADD:
		assert_int_equal(fd, TXN_FD);
		kernel.added = *(struct snapmap_txn_add *)arg;
		kernel.used_at_add = kernel.used;
		return 0;
	case SNAPMAP_IOC_TXN_PREPARE:
	case SNAPMAP_IOC_TXN_COMMIT:
		return run_txn(arg);
	case SNAPMAP_IOC_TXN_ABORT:
		return 0;
	default:
		errno = ENOTTY;
		return -1;
	}
}

int __wrap_close(int fd)
{
	return fd == TXN_FD ? 0 : -1;
}

static struct snapmap map = { .fd = MAP_FD };

static int setup(void **state)
{
	struct snapmap_transaction *txn;

	free(kernel.bytes);
	memset(&kernel, 0, sizeof(kernel));
	if (snapmap_txn_new(&map, NULL, &txn))
		return -1;
	*state = txn;
	return 0;
}

static int teardown(void **state)
{
	snapmap_txn_free(*state);
	return 0;
}

/* The bytes of a batch of the same operations, as the kernel would read them. */
static void expect_puts(unsigned int from, unsigned int to, size_t offset)
{
	struct snapmap_op op = { .opcode = SNAPMAP_OP_PUT, .key_len = 4, .value_len = VALUE };
	const unsigned char *at = kernel.bytes + offset;

	assert_int_equal(kernel.used, offset + (to - from) * RECORD);
	for (; from < to; from++, at += RECORD) {
		assert_memory_equal(at, &op, sizeof(op));
		assert_memory_equal(at + sizeof(op), &from, 4);
		assert_int_equal(at[RECORD - 1], from & 0xff);
	}
}

static int put(struct snapmap_transaction *txn, unsigned int number)
{
	char value[VALUE];

	memset(value, (int)(number & 0xff), sizeof(value));
	return snapmap_txn_put(txn, &number, 4, value, sizeof(value));
}

static void test_pieces_come_whole_and_in_order(void **state)
{
	struct snapmap_transaction *txn = *state;
	struct snapmap_txn_result result;
	unsigned int i;

	for (i = 0; i < ENTRIES; i++)
		assert_int_equal(put(txn, i), 0);
	/* Most have gone already, the last piece has not. */
	assert_true(kernel.used > ENTRIES * RECORD / 2);
	assert_true(kernel.used < ENTRIES * RECORD);
	assert_int_equal(snapmap_txn_commit(txn, NULL, &result), 0);
	expect_puts(0, ENTRIES, 0);
	assert_true(kernel.interrupts > 0);
	assert_int_equal(result.map, 7);
	assert_int_equal(result.failed_op, 8);
	assert_int_equal(result.version, 9);
}

static void test_a_failed_write_loses_nothing(void **state)
{
	struct snapmap_transaction *txn = *state;
	unsigned int i, failed = 0;

	kernel.fail_at = 1000000;
	for (i = 0; i < ENTRIES; i++)
		while (put(txn, i)) {
			failed++;
			assert_true(kernel.used <= kernel.fail_at);
			if (failed == 3)
				kernel.fail_at = 0;
		}
	assert_int_equal(failed, 3);
	kernel.fail_at = kernel.used + 1;
	assert_int_equal(snapmap_txn_commit(txn, NULL, NULL), -EIO);
	assert_int_not_equal(kernel.request, SNAPMAP_IOC_TXN_COMMIT);
	kernel.fail_at = 0;
	assert_int_equal(snapmap_txn_commit(txn, NULL, NULL), 0);
	expect_puts(0, ENTRIES, 0);
}

static void test_a_torn_batch_is_the_end(void **state)
{
	struct snapmap_transaction *txn = *state;
	struct snapmap_batch *batch = snapmap_batch_new();
	char value[VALUE] = { 0 };
	unsigned int i;

	for (i = 0; i < 10; i++)
		assert_int_equal(snapmap_batch_put(batch, &i, 4, value, VALUE), 0);
	kernel.fail_at = 1;
	assert_int_equal(snapmap_txn_write(txn, batch), -EIO);
	kernel.fail_at = 0;
	assert_int_equal(put(txn, 0), 0);
	kernel.fail_at = 4000; /* the one put, and a part of the batch */
	assert_int_equal(snapmap_txn_write(txn, batch), -EIO);
	kernel.fail_at = 0;
	assert_int_equal(put(txn, 1), -EIO);
	assert_int_equal(snapmap_txn_write(txn, batch), -EIO);
	assert_int_equal(snapmap_txn_add(txn, &map, NULL), -EIO);
	assert_int_equal(snapmap_txn_prepare(txn, NULL, NULL), -EIO);
	assert_int_equal(snapmap_txn_commit(txn, NULL, NULL), -EIO);
	assert_int_equal(snapmap_txn_abort(txn), 0);
	snapmap_batch_free(batch);
}

static void test_another_map_begins_behind_what_is_pending(void **state)
{
	struct snapmap_txn_opts opts = { .flags = SNAPMAP_COMMIT_STAMP,
					 .stamp = 5,
					 .if_version = 6 };
	struct snapmap_transaction *txn = *state;
	struct snapmap other = { .fd = 1003 };
	struct snapmap_batch *batch = snapmap_batch_new();
	size_t first;

	assert_int_equal(put(txn, 0), 0);
	assert_int_equal(kernel.used, 0);
	assert_int_equal(snapmap_txn_add(txn, &other, &opts), 0);
	first = kernel.used_at_add;
	assert_int_equal(first, RECORD);
	assert_int_equal(kernel.added.map, 1003);
	assert_int_equal(kernel.added.flags, SNAPMAP_COMMIT_STAMP);
	assert_int_equal(kernel.added.stamp, 5);
	assert_int_equal(kernel.added.if_version, 0);
	assert_int_equal(put(txn, 1), 0);
	assert_int_equal(snapmap_batch_delete(batch, "k", 1), 0);
	assert_int_equal(snapmap_txn_write(txn, batch), 0);
	assert_int_equal(kernel.used, first + RECORD + snapmap_batch_bytes(batch));
	assert_int_equal(kernel.bytes[first + RECORD], SNAPMAP_OP_DELETE);
	snapmap_batch_free(batch);
}

static void test_options(void **state)
{
	struct snapmap_txn_opts opts = {
		.flags = SNAPMAP_COMMIT_REPLACE | SNAPMAP_COMMIT_IF_VERSION,
		.lease_ms = 77,
		.if_version = 3,
		.stamp = 4,
	};
	struct snapmap_commit_opts run = { .flags = SNAPMAP_COMMIT_NOWAIT, .wait_ms = 9 };
	struct snapmap_transaction *txn;

	assert_int_equal(snapmap_txn_new(&map, &opts, &txn), 0);
	assert_int_equal(kernel.begun.flags, opts.flags);
	assert_int_equal(kernel.begun.lease_ms, 77);
	assert_int_equal(kernel.begun.if_version, 3);
	assert_int_equal(kernel.begun.stamp, 0);
	assert_int_equal(snapmap_txn_fd(txn), TXN_FD);
	assert_int_equal(snapmap_txn_add(txn, &map, &opts), -EINVAL);
	assert_int_equal(snapmap_txn_prepare(txn, &run, NULL), 0);
	assert_int_equal(kernel.ran.flags, SNAPMAP_COMMIT_NOWAIT);
	assert_int_equal(kernel.ran.wait_ms, 9);
	snapmap_txn_free(txn);
	snapmap_txn_free(NULL);
	(void)state;
}

static void test_prepared_takes_no_more(void **state)
{
	struct snapmap_transaction *txn = *state;
	struct snapmap_batch *batch = snapmap_batch_new();

	kernel.fail_run = ECANCELED;
	assert_int_equal(snapmap_txn_prepare(txn, NULL, NULL), -ECANCELED);
	assert_int_equal(put(txn, 0), 0);
	kernel.fail_run = 0;
	assert_int_equal(snapmap_txn_prepare(txn, NULL, NULL), 0);
	expect_puts(0, 1, 0);
	assert_int_equal(put(txn, 1), -EBADFD);
	assert_int_equal(snapmap_txn_delete(txn, "k", 1), -EBADFD);
	assert_int_equal(snapmap_txn_write(txn, batch), -EBADFD);
	assert_int_equal(snapmap_txn_add(txn, &map, NULL), -EBADFD);
	assert_int_equal(snapmap_txn_commit(txn, NULL, NULL), 0);
	expect_puts(0, 1, 0);
	snapmap_batch_free(batch);
}

static void test_bad_operations_leave_no_trace(void **state)
{
	struct snapmap_transaction *txn = *state;

	assert_int_equal(snapmap_txn_put(txn, "", 0, "", 0), -EMSGSIZE);
	assert_int_equal(snapmap_txn_put_if(txn, "k", 1, "", 0, 4, 0), -EINVAL);
	assert_int_equal(snapmap_txn_delete_if(txn, "k", 1, 256, 0), -EINVAL);
	assert_int_equal(snapmap_txn_prepare(txn, NULL, NULL), 0);
	assert_int_equal(kernel.used, 0);
	assert_int_equal(snapmap_pin_set(NULL, 0, NULL), -EINVAL);
	assert_int_equal(snapmap_pin_set(NULL, SNAPMAP_SET_MAX + 1, NULL), -EINVAL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_pieces_come_whole_and_in_order),
		TEST(test_a_failed_write_loses_nothing),
		TEST(test_a_torn_batch_is_the_end),
		TEST(test_another_map_begins_behind_what_is_pending),
		TEST(test_options),
		TEST(test_prepared_takes_no_more),
		TEST(test_bad_operations_leave_no_trace),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * pointer_test.c - structs, keys, values and batches that lie nowhere, or only
 * in part in the caller's memory (promises F and H)
 */
#include <sys/mman.h>

#include "calls.h"

/* ------------------------------------------------------------- structs */

/* An address where something was mapped, and is no longer. */
static u64 unmapped(void)
{
	void *at = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	munmap(at, PAGE);
	return (uintptr_t)at;
}

static void test_structs_nowhere_F_H(void **state)
{
	const struct bench *bench = *state;
	const u64 nowhere[] = {
		0, 1, unmapped(), LAST_ADDRESS - 8, LAST_ADDRESS, NO_ADDRESS, KERNEL_ADDRESS, -8ULL
	};
	struct witness before = bench_look(bench);
	const struct call *call;
	size_t i;

	for_each_struct(call) for (i = 0; i < ARRAY_SIZE(nowhere); i++) assert_int_equal(
		call_run(bench_fd(bench, call), call->request, (void *)(uintptr_t)nowhere[i]),
		-EFAULT);
	assert_untouched(bench, &before);
}

static void test_structs_at_the_edge_of_memory_F_H(void **state)
{
	const struct bench *bench = *state;
	u8 *pages = pages_at_the_edge(), *at;
	const struct call *call;
	struct witness before;
	union any_args args;
	size_t in;

	for_each_struct(call)
	{
		at = pages + 2 * PAGE - call->bytes;
		call_prepare(bench, call, &args);
		memcpy(at, &args, call->bytes);
		assert_int_equal(call_run(bench_fd(bench, call), call->request, at), 0);
		call_prepare(bench, call, &args);
		before = bench_look(bench);
		for (in = 1; in < call->bytes; in += in < 8 ? 1 : 8) {
			at = pages + 2 * PAGE - in;
			memcpy(at, &args, in);
			assert_int_equal(call_run(bench_fd(bench, call), call->request, at),
					 -EFAULT);
			assert_memory_equal(at, &args, in);
		}
		assert_untouched(bench, &before);
	}
	pages_free(pages);
}

static bool gives_answers(const struct call *call)
{
	return _IOC_DIR(call->request) & _IOC_READ;
}

/*
 * A call that cannot give its answer has not been done: EFAULT means that
 * nothing has changed, and no descriptor has been opened. A call without an
 * answer takes a struct that it may only read.
 */
static void test_read_only_structs_F_H(void **state)
{
	const struct bench *bench = *state;
	u8 *pages = pages_at_the_edge();
	const struct call *call;
	struct witness before;

	for_each_struct(call)
	{
		call_prepare(bench, call, (void *)pages);
		assert_int_equal(mprotect(pages, PAGE, PROT_READ), 0);
		before = bench_look(bench);
		assert_int_equal(call_run(bench_fd(bench, call), call->request, pages),
				 gives_answers(call) ? -EFAULT : 0);
		if (gives_answers(call))
			assert_untouched(bench, &before);
		assert_int_equal(mprotect(pages, PAGE, PROT_READ | PROT_WRITE), 0);
	}
	pages_free(pages);
}

/*
 * Runs a call that must fail with EFAULT, on a struct of which @in bytes lie in
 * the first page. Not one of its bytes changes.
 */
static void fault_at(int fd, const struct call *call, const union any_args *args, u8 *pages,
		     size_t in)
{
	u8 *at = pages + PAGE - in;

	memcpy(at, args, call->bytes);
	assert_int_equal(call_run(fd, call->request, at), -EFAULT);
	assert_memory_equal(at, args, call->bytes);
}

static void test_fault_leaves_the_struct_H(void **state)
{
	const struct bench *bench = *state;
	u8 *pages = pages_at_the_edge();
	union any_args args;
	size_t in;

	/* A batch that is not there; the flags are not 0, and what is given out is not. */
	call_prepare(bench, &calls[CALL_COMMIT], &args);
	args.commit.flags = SNAPMAP_COMMIT_STAMP | SNAPMAP_COMMIT_REPLACE;
	args.commit.stamp = 0xa5a5a5a5a5a5a5a5ULL;
	args.commit.ops = KERNEL_ADDRESS;
	memset(&args.commit.version, 0xa5, 32);
	for (in = 0; in <= sizeof(args.commit); in++)
		fault_at(bench->map->fd, &calls[CALL_COMMIT], &args, pages, in);
	/* A key, or a buffer, that is not there. */
	call_prepare(bench, &calls[CALL_GET], &args);
	args.get.entry_version = args.get.version = 0xa5a5a5a5a5a5a5a5ULL;
	args.get.value = KERNEL_ADDRESS;
	for (in = 0; in <= sizeof(args.get); in++)
		fault_at(bench->map->fd, &calls[CALL_GET], &args, pages, in);
	args.get.value = 0;
	args.get.key = KERNEL_ADDRESS;
	for (in = 0; in <= sizeof(args.get); in++)
		fault_at(bench->pin, &calls[CALL_GET], &args, pages, in);
	/* No room for the records that there are. */
	call_prepare(bench, &calls[CALL_LOG], &args);
	args.log.records = KERNEL_ADDRESS;
	for (in = 0; in <= sizeof(args.log); in++)
		fault_at(bench->map->fd, &calls[CALL_LOG], &args, pages, in);
	call_prepare(bench, &calls[CALL_PINS], &args);
	args.pins.records = KERNEL_ADDRESS;
	for (in = 0; in <= sizeof(args.pins); in++)
		fault_at(bench->map->fd, &calls[CALL_PINS], &args, pages, in);
	pages_free(pages);
}

/* The maps of a set, or the room for its pins, are only there in part. */
static void test_sets_of_pins_nowhere_F_H(void **state)
{
	const struct bench *bench = *state;
	u8 *pages = pages_at_the_edge(), *end = pages + 2 * PAGE;
	struct witness before = bench_look(bench);
	union any_args args;
	size_t in;

	for (in = 0; in < 8; in++) {
		call_prepare(bench, &calls[CALL_PIN_SET], &args);
		args.pin_set.pins = (uintptr_t)end - in;
		assert_int_equal(call_run(bench->map->fd, SNAPMAP_IOC_PIN_SET, &args), -EFAULT);
		call_prepare(bench, &calls[CALL_PIN_SET], &args);
		memcpy(end - in, (void *)(uintptr_t)args.pin_set.maps, in);
		args.pin_set.maps = (uintptr_t)end - in;
		assert_int_equal(call_run(bench->map->fd, SNAPMAP_IOC_PIN_SET, &args), -EFAULT);
	}
	assert_untouched(bench, &before);
	pages_free(pages);
}

/* The same when it is the struct itself that cannot be written to, from some byte on. */
static void test_fault_in_the_struct_leaves_the_rest_F_H(void **state)
{
	const struct bench *bench = *state;
	u8 *pages = pages_at_the_edge();
	const struct call *call;
	struct witness before;
	union any_args args;
	size_t in;

	for_each_struct(call)
	{
		if (!gives_answers(call))
			continue;
		call_prepare(bench, call, &args);
		before = bench_look(bench);
		for (in = 0; in < call->bytes; in += in < 8 ? 1 : 4) {
			u8 *at = pages + PAGE - in;

			memcpy(at, &args, call->bytes);
			assert_int_equal(mprotect(pages + PAGE, PAGE, PROT_READ), 0);
			assert_int_equal(call_run(bench_fd(bench, call), call->request, at),
					 -EFAULT);
			assert_memory_equal(at, &args, call->bytes);
			assert_int_equal(mprotect(pages + PAGE, PAGE, PROT_READ | PROT_WRITE), 0);
		}
		assert_untouched(bench, &before);
	}
	pages_free(pages);
}

/* ------------------------------------------------------------- keys and values */

static int get_of(int fd, const void *key, u64 key_len, void *value, u64 value_len)
{
	struct snapmap_get get = {
		.key = (uintptr_t)key,
		.key_len = key_len,
		.value = (uintptr_t)value,
		.value_len = value_len,
	};

	return ioc(fd, SNAPMAP_IOC_GET, &get);
}

static void get_at(int fd, void *nowhere)
{
	char buf[8];

	assert_int_equal(get_of(fd, nowhere, 3, buf, 8), -EFAULT);
	assert_int_equal(get_of(fd, "key", 3, nowhere, 8), -EFAULT);
	assert_int_equal(get_of(fd, "no!", 3, nowhere, 8), -ENOENT);
	assert_int_equal(get_of(fd, "key", 3, nowhere, 4), -ERANGE);
}

static void test_keys_and_values_nowhere_H(void **state)
{
	const struct bench *bench = *state;
	const u64 nowhere[] = {
		0, 1, unmapped(), LAST_ADDRESS - 2, LAST_ADDRESS, NO_ADDRESS, KERNEL_ADDRESS, -2ULL
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(nowhere); i++) {
		get_at(bench->map->fd, (void *)(uintptr_t)nowhere[i]);
		get_at(bench->pin, (void *)(uintptr_t)nowhere[i]);
	}
}

static void test_keys_and_values_at_the_edge_of_memory_H(void **state)
{
	const struct bench *bench = *state;
	u8 *pages = pages_at_the_edge(), *end = pages + 2 * PAGE;
	int fd = bench->map->fd;
	char buf[8];

	memcpy(end - 3, "key", 3);
	assert_int_equal(get_of(fd, end - 3, 3, buf, 8), 0);
	assert_int_equal(get_of(fd, end - 2, 3, buf, 8), -EFAULT);
	/* The buffer may be said to be longer than it is, if the value fits. */
	assert_int_equal(get_of(fd, "key", 3, end - 5, 0xffffffff), 0);
	assert_int_equal(get_of(fd, "key", 3, end - 4, 5), -EFAULT);
	assert_int_equal(mprotect(pages + PAGE, PAGE, PROT_READ), 0);
	assert_int_equal(get_of(fd, "key", 3, end - 5, 5), -EFAULT);
	pages_free(pages);
}

static void test_get_lengths_H(void **state)
{
	static const u32 bad[] = { 0, SNAPMAP_KEY_MAX + 1, 0x10000, 0x7fffffff, 0xffffffff };
	const struct bench *bench = *state;
	static u8 key[SNAPMAP_KEY_MAX];
	int fd = bench->map->fd;
	struct snapmap_get get;
	char buf[8];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(get_of(fd, key, bad[i], buf, 8), -EMSGSIZE);
	assert_int_equal(get_of(fd, key, SNAPMAP_KEY_MAX, buf, 8), -ENOENT);
	assert_int_equal(key_get(fd, "key", buf, 4, &get), -ERANGE);
	assert_int_equal(get.value_len, 5);
	assert_int_equal(get.entry_version, 2);
	assert_int_equal(get.version, 2);
	assert_int_equal(key_get(fd, "key", NULL, 0, &get), -ERANGE);
	assert_int_equal(get.value_len, 5);
	assert_int_equal(key_get(fd, "nokey", buf, 8, &get), -ENOENT);
	assert_int_equal(get.version, 2);
	assert_int_equal(put_string(fd, "empty", ""), 0);
	assert_int_equal(key_get(fd, "empty", NULL, 0, &get), 0);
	assert_int_equal(get.value_len, 0);
}

/* ------------------------------------------------------------- batches */

static void refuse_batch(const struct bench *bench, u64 ops, u64 ops_bytes, int err)
{
	struct snapmap_commit args = { .ops = ops, .ops_bytes = ops_bytes };
	struct snapmap_info before;

	assert_info(bench->map->fd, &before);
	assert_int_equal(ioc(bench->map->fd, SNAPMAP_IOC_COMMIT, &args), err);
	assert_unchanged(bench->map->fd, &before);
}

static const u64 lengths[] = { 8, 16, 24, 4096, 1ULL << 32, 1ULL << 47, 1ULL << 63, -8ULL };

/* However long it is said to be, and were it too short for any operation. */
static void test_batches_nowhere_F_H(void **state)
{
	const u64 nowhere[] = {
		0, 8, unmapped(), KERNEL_ADDRESS, NO_ADDRESS, LAST_ADDRESS, LAST_ADDRESS - 8, -8ULL
	};
	size_t i, j;

	for (i = 0; i < ARRAY_SIZE(nowhere); i++)
		for (j = 0; j < ARRAY_SIZE(lengths); j++)
			refuse_batch(*state, nowhere[i], lengths[j], -EFAULT);
}

/* More than there is: the batch is followed by what cannot be reached. */
static void test_batches_longer_than_memory_F_H(void **state)
{
	u8 *pages = pages_at_the_edge();
	struct batch batch = { .data = NULL };
	size_t i;
	u64 at;

	batch_puts(&batch, "key", "value");
	at = (uintptr_t)pages + 2 * PAGE - batch.bytes;
	memcpy((void *)(uintptr_t)at, batch.data, batch.bytes);
	for (i = 0; i < ARRAY_SIZE(lengths); i++)
		if (lengths[i] > batch.bytes)
			refuse_batch(*state, at, lengths[i], -EFAULT);
	refuse_batch(*state, at, batch.bytes - 8, -EINVAL); /* cut off, and all there */
	refuse_batch(*state, at, 8, -EINVAL);
	refuse_batch(*state, at + 8, batch.bytes, -EFAULT);
	batch_free(&batch);
	pages_free(pages);
}

/* Half an operation's head, the rest of which is not there, or not said to be. */
static void test_half_an_operation_F_H(void **state)
{
	u8 *pages = pages_at_the_edge();
	struct batch batch = { .data = NULL };
	u64 at = (uintptr_t)pages + 2 * PAGE - 8;

	batch_puts(&batch, "key", "value");
	memcpy((void *)(uintptr_t)at, batch.data, 8);
	refuse_batch(*state, at, 8, -EINVAL);
	refuse_batch(*state, at, 16, -EFAULT);
	refuse_batch(*state, at, batch.bytes, -EFAULT);
	batch_free(&batch);
	pages_free(pages);
}

static const struct CMUnitTest tests[] = {
	bench_test(test_structs_nowhere_F_H),
	bench_test(test_structs_at_the_edge_of_memory_F_H),
	bench_test(test_read_only_structs_F_H),
	bench_test(test_fault_leaves_the_struct_H),
	bench_test(test_sets_of_pins_nowhere_F_H),
	bench_test(test_fault_in_the_struct_leaves_the_rest_F_H),
	bench_test(test_keys_and_values_nowhere_H),
	bench_test(test_keys_and_values_at_the_edge_of_memory_H),
	bench_test(test_get_lengths_H),
	bench_test(test_batches_nowhere_F_H),
	bench_test(test_batches_longer_than_memory_F_H),
	bench_test(test_half_an_operation_F_H),
	cmocka_unit_test(test_nothing_is_left_G),
};

int main(void)
{
	return cmocka_run_group_tests_name("pointer", tests, NULL, NULL);
}

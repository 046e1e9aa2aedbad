// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * descriptor_test.c - which descriptors have which ioctls (promise H)
 *
 * ENOTTY for what the descriptor does not have, EBADF for what it was not
 * opened for; unknown numbers; 32-bit programs.
 */
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "calls.h"

/* Runs each call; those that the descriptor has give @err, all others ENOTTY. */
static void try_all(const struct bench *bench, int fd, u32 kind, int err_of_reads,
		    int err_of_writes)
{
	const struct call *call;
	union any_args args;
	int expected;

	for_each_call(call)
	{
		expected = call->writes ? err_of_writes : err_of_reads;
		call_prepare(bench, call, &args);
		assert_int_equal(call_run(fd, call->request, &args),
				 call->on & kind ? expected : -ENOTTY);
	}
}

static void test_each_descriptor_has_its_calls_H(void **state)
{
	const struct bench *bench = *state;

	try_all(bench, bench->control, ON_CONTROL, 0, 0);
	try_all(bench, bench->map->fd, ON_MAP, 0, 0);
	try_all(bench, bench->pin, ON_PIN, 0, 0);
	try_all(bench, bench->txn, ON_TXN, 0, 0);
}

static void test_other_files_have_none_H(void **state)
{
	static const char *const paths[] = { "/dev/null", "/dev/snapmap", "/proc/self/maps" };
	struct witness before = bench_look(*state);
	const struct call *call;
	union any_args args;
	size_t i;
	int fd;

	for (i = 0; i < ARRAY_SIZE(paths); i++) {
		fd = open(paths[i], O_RDONLY | O_CLOEXEC);
		for_each_call(call)
		{
			call_prepare(*state, call, &args);
			assert_int_equal(call_run(fd, call->request, &args), -ENOTTY);
		}
		close(fd);
	}
	before.victim = true; /* made ready for DESTROY */
	assert_untouched(*state, &before);
}

/* Opened for one thing, asked for the other; and for neither. */
static void test_wrong_open_mode_H(void **state)
{
	const struct bench *bench = *state;
	static const int modes[] = { O_RDONLY, O_WRONLY, O_ACCMODE };
	char buf[8];
	size_t i;
	int fd;

	for (i = 0; i < ARRAY_SIZE(modes); i++) {
		int of_reads = modes[i] == O_RDONLY ? 0 : -EBADF;
		int of_writes = modes[i] == O_WRONLY ? 0 : -EBADF;

		fd = map_open(bench->map->name, modes[i]);
		assert_true(fd >= 0);
		try_all(bench, fd, ON_MAP, of_reads, of_writes);
		assert_int_equal(read(fd, buf, 8), of_reads ? -1 : 8);
		close(fd);
		fd = control_open(modes[i]);
		assert_true(fd >= 0);
		try_all(bench, fd, ON_CONTROL, of_reads, of_writes);
		close(fd);
	}
}

static void test_descriptors_that_are_not_open_H(void **state)
{
	const struct bench *bench = *state;
	int path = map_open(bench->map->name, O_PATH), closed = dup(path);
	const struct call *call;
	union any_args args;

	close(closed);
	for_each_call(call)
	{
		call_prepare(bench, call, &args);
		assert_int_equal(call_run(path, call->request, &args), -EBADF);
		assert_int_equal(call_run(closed, call->request, &args), -EBADF);
		assert_int_equal(call_run(-1, call->request, &args), -EBADF);
	}
	close(path);
}

/* A wrong mode is told before a wrong struct, and a wrong descriptor before both. */
static void test_order_of_the_answers_H(void **state)
{
	const struct bench *bench = *state;
	int reader = map_open(bench->map->name, O_RDONLY);
	unsigned long longer = resized(SNAPMAP_IOC_COMMIT, 4000);

	assert_int_equal(ioc(reader, SNAPMAP_IOC_COMMIT, NULL), -EBADF);
	assert_int_equal(ioc(reader, longer, NULL), -EBADF);
	assert_int_equal(ioc(bench->pin, SNAPMAP_IOC_COMMIT, NULL), -ENOTTY);
	assert_int_equal(ioc(bench->control, longer, NULL), -ENOTTY);
	close(reader);
}

/* ------------------------------------------------------------- numbers */

static bool is_known(unsigned int number)
{
	const struct call *call;

	for_each_call(call) if (_IOC_NR(call->request) == number) return true;
	return false;
}

static void test_unknown_numbers_H(void **state)
{
	const struct bench *bench = *state;
	union any_args args = { .bytes = { 0 } };
	unsigned int number, dir;

	for (number = 0; number < 256; number++)
		for (dir = 0; dir < 4 && !is_known(number); dir++) {
			unsigned long request = _IOC(dir, SNAPMAP_IOC_TYPE, number, 16);

			assert_int_equal(ioc(bench->map->fd, request, &args), -ENOTTY);
			assert_int_equal(ioc(bench->control, request, &args), -ENOTTY);
			assert_int_equal(ioc(bench->pin, request, &args), -ENOTTY);
			assert_int_equal(ioc(bench->txn, request, &args), -ENOTTY);
		}
}

/* The right number with another type or direction is another ioctl. */
static void test_other_types_and_directions_H(void **state)
{
	const struct bench *bench = *state;
	struct witness before = bench_look(bench);
	const struct call *call;
	union any_args args;
	unsigned int dir, type;

	for_each_call(call) for (dir = 0; dir < 4; dir++) for (type = SNAPMAP_IOC_TYPE - 1;
							       type <= SNAPMAP_IOC_TYPE + 1; type++)
	{
		unsigned long request = _IOC(dir, type, _IOC_NR(call->request), call->bytes);

		if (request == call->request)
			continue;
		call_prepare(bench, call, &args);
		assert_int_equal(call_run(bench_fd(bench, call), request, &args), -ENOTTY);
	}
	before.victim = true; /* made ready for DESTROY */
	assert_untouched(bench, &before);
}

/* ------------------------------------------------------------- 32-bit programs */

/* ioctl() as a 32-bit program calls it; @arg lies below 4 GiB. */
static int ioctl_32(int fd, unsigned long request, void *arg)
{
	int ret;

	__asm__ volatile("int $0x80"
			 : "=a"(ret)
			 : "a"(54), "b"(fd), "c"((u32)request), "d"((u32)(uintptr_t)arg)
			 : "memory", "r8", "r9", "r10", "r11");
	return ret;
}

/* Returns how many calls fail, or succeed where they must not. */
static int run_calls_32(const struct bench *bench)
{
	union any_args *args = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
				    MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	const struct call *call;
	int failed = 0;

	for_each_call(call)
	{
		int fd = bench_fd(bench, call);

		call_prepare(bench, call, args);
		failed += ioctl_32(fd, call->request, args) < 0;
		if (!call->bytes)
			continue;
		failed += ioctl_32(fd, call->request, NULL) != -EFAULT;
		call_prepare(bench, call, args);
		args->flags |= 1U << 31;
		failed += ioctl_32(fd, call->request, args) != -EINVAL;
	}
	return failed;
}

static void test_32_bit_programs(void **state)
{
	const struct bench *bench = *state;
	int status;
	pid_t pid = child_start();

	if (!pid)
		_exit(run_calls_32(bench));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFSIGNALED(status))
		skip_for("needs CONFIG_IA32_EMULATION");
	assert_int_equal(WEXITSTATUS(status), 0);
	/* COMMIT, ROLLBACK and TXN_COMMIT have each been done once. */
	assert_int_equal(map_version(bench->map->fd), 5);
}

static const struct CMUnitTest tests[] = {
	bench_test(test_each_descriptor_has_its_calls_H),
	bench_test(test_other_files_have_none_H),
	bench_test(test_wrong_open_mode_H),
	bench_test(test_descriptors_that_are_not_open_H),
	bench_test(test_order_of_the_answers_H),
	bench_test(test_unknown_numbers_H),
	bench_test(test_other_types_and_directions_H),
	bench_test(test_32_bit_programs),
	cmocka_unit_test(test_nothing_is_left_G),
};

int main(void)
{
	return cmocka_run_group_tests_name("descriptor", tests, NULL, NULL);
}

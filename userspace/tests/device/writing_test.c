// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * writing_test.c - nobody writes to a mapping, by whatever way (promise B)
 *
 * Each way in is tried on the control page, on a page of values, and on the
 * page of zeroes that stands for what is not populated. It must fail, and not
 * one byte may have changed.
 */
#include <linux/futex.h>
#include <linux/io_uring.h>
#include <linux/userfaultfd.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "device.h"

#define VALUES	 ((size_t)(16 * PAGE))
#define PLACES	 3
#define COMPARED (64 * PAGE)

/**
 * struct target - a mapping, and what it must hold
 * @base: the mapping
 * @bytes: its length
 * @places: pages that are attacked
 * @copy: of its beginning
 * @fd: what has been mapped
 */
struct target {
	u8 *base;
	size_t bytes;
	u8 *places[PLACES];
	u8 copy[COMPARED];
	int fd;
};

static const u8 junk[PAGE] = { [0 ... PAGE - 1] = 0xee };

static void target_map(struct target *target, int fd)
{
	target->fd = fd;
	target->base = (u8 *)map_mapping(fd, &target->bytes);
	assert_non_null(target->base);
	target->places[0] = target->base;
	target->places[1] = target->base + VALUES;
	target->places[2] = target->base + target->bytes - PAGE;
	memcpy(target->copy, target->base, COMPARED);
}

static void target_unmap(struct target *target)
{
	munmap(target->base, target->bytes);
}

/* Only reclaim may change anything meanwhile: the oldest intact version. */
static void assert_same(struct target *target)
{
	const size_t oldest = offsetof(struct snapmap_control, oldest);
	static const u8 zeroes[PAGE];

	memcpy(target->copy + oldest, target->base + oldest, sizeof(u64));
	assert_memory_equal(target->base, target->copy, COMPARED);
	assert_memory_equal(target->places[2], zeroes, PAGE);
}

static void fill_values(int fd)
{
	static u8 value[64 * 1024];

	memset(value, 0x7f, sizeof(value));
	assert_int_equal(put_bytes(fd, "values", value, sizeof(value)), 0);
	assert_int_equal(put_bytes(fd, "more", value, sizeof(value)), 0);
}

/* ------------------------------------------------------------- ways in; each returns an errno */

static int by_mprotect(const struct target *target, u8 *at)
{
	(void)target;
	return mprotect(at, PAGE, PROT_READ | PROT_WRITE) ? errno : 0;
}

static int by_mprotect_to_execute(const struct target *target, u8 *at)
{
	(void)target;
	return mprotect(at, PAGE, PROT_READ | PROT_EXEC) ? errno : 0;
}

static int by_new_mapping(const struct target *target, u8 *at)
{
	void *to =
		mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, target->fd, at - target->base);

	return to == MAP_FAILED ? errno : 0;
}

static int by_read(const struct target *target, u8 *at)
{
	int fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	int err = read(fd, at, PAGE) < 0 ? errno : 0;

	(void)target;
	close(fd);
	return err;
}

static int by_getrandom(const struct target *target, u8 *at)
{
	(void)target;
	return getrandom(at, 16, 0) < 0 ? errno : 0;
}

static int by_info(const struct target *target, u8 *at)
{
	return -ioc(target->fd, SNAPMAP_IOC_INFO, at);
}

static int by_process_vm_writev(const struct target *target, u8 *at)
{
	struct iovec own = { (void *)junk, PAGE }, theirs = { at, PAGE };

	(void)target;
	return process_vm_writev(getpid(), &own, 1, &theirs, 1, 0) < 0 ? errno : 0;
}

static int write_mem(pid_t pid, u8 *at)
{
	char path[64];
	int fd, err;

	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return 0;
	err = pwrite(fd, junk, PAGE, (off_t)(uintptr_t)at) < 0 ? errno : 0;
	close(fd);
	return err;
}

static int by_proc_mem(const struct target *target, u8 *at)
{
	(void)target;
	return write_mem(getpid(), at);
}

/* As a debugger of a child that has inherited the mapping. */
static int as_debugger(pid_t pid, u8 *at)
{
	struct iovec own = { (void *)junk, PAGE }, theirs = { at, PAGE };
	long word;

	if (ptrace(PTRACE_ATTACH, pid, NULL, NULL) || waitpid(pid, NULL, 0) != pid)
		return 0;
	errno = 0;
	word = ptrace(PTRACE_PEEKDATA, pid, at, NULL);
	if (errno || memcmp(&word, at, sizeof(word)))
		return 0;
	if (write_mem(pid, at) != EIO || process_vm_writev(pid, &own, 1, &theirs, 1, 0) >= 0)
		return 0;
	return ptrace(PTRACE_POKEDATA, pid, at, (void *)0xeeeeeeeeL) ? errno : 0;
}

static int by_ptrace(const struct target *target, u8 *at)
{
	pid_t pid = child_start();
	int err;

	(void)target;
	if (!pid)
		for (;;)
			pause();
	err = as_debugger(pid, at);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return err;
}

/* A store, by a child that it kills. */
static int by_store(const struct target *target, u8 *at)
{
	pid_t pid = child_start();
	int status;

	(void)target;
	if (!pid) {
		signal(SIGSEGV, SIG_DFL); /* cmocka's handler would go on with the test */
		*(volatile u8 *)at = 0xee;
		_exit(0);
	}
	waitpid(pid, &status, 0);
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV ? EFAULT : 0;
}

static int by_futex(const struct target *target, u8 *at)
{
	static u32 own;
	int op = FUTEX_OP(FUTEX_OP_SET, 0xeee, FUTEX_OP_CMP_EQ, 0);

	(void)target;
	return syscall(SYS_futex, &own, FUTEX_WAKE_OP, 0, NULL, at, op) < 0 ? errno : 0;
}

/* Out of a pipe, into the mapping. */
static int by_vmsplice(const struct target *target, u8 *at)
{
	struct iovec to = { at, 64 };
	int ends[2], err = 0;

	(void)target;
	if (pipe2(ends, O_CLOEXEC) || write(ends[1], junk, 64) != 64)
		return 0;
	if (vmsplice(ends[0], &to, 1, 0) < 0)
		err = errno;
	close(ends[0]);
	close(ends[1]);
	return err;
}

/* Into a pipe, which holds the page itself; what is written behind it goes elsewhere. */
static int by_the_rest_of_a_page_in_a_pipe(const struct target *target, u8 *at)
{
	struct iovec from = { at, 64 };
	int ends[2], err = EFAULT;

	(void)target;
	if (pipe2(ends, O_CLOEXEC) || vmsplice(ends[1], &from, 1, 0) != 64 ||
	    write(ends[1], junk, 64) != 64)
		err = 0;
	close(ends[0]);
	close(ends[1]);
	return err;
}

static int by_userfaultfd(const struct target *target, u8 *at)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register range = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	struct uffdio_copy copy = { .src = (uintptr_t)junk, .len = PAGE };
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	int err = 0;

	(void)target;
	if (fd < 0)
		return errno == ENOSYS ? EINVAL : 0;
	copy.dst = range.range.start = (uintptr_t)at;
	range.range.len = PAGE;
	if (!ioctl(fd, UFFDIO_API, &api) && ioctl(fd, UFFDIO_REGISTER, &range))
		err = errno;
	if (!ioctl(fd, UFFDIO_COPY, &copy))
		err = 0;
	close(fd);
	return err;
}

/* As a buffer for what comes in. */
static int by_io_uring(const struct target *target, u8 *at)
{
	struct io_uring_params params = { .flags = 0 };
	struct iovec buffer = { at, PAGE };
	int fd = syscall(SYS_io_uring_setup, 1, &params), err = 0;

	(void)target;
	if (fd < 0)
		return errno == ENOSYS || errno == EPERM ? EFAULT : 0;
	if (syscall(SYS_io_uring_register, fd, IORING_REGISTER_BUFFERS, &buffer, 1))
		err = errno;
	close(fd);
	return err;
}

/* Past the page cache: what comes in is put into the pages that were asked for. */
static int by_direct_read(const struct target *target, u8 *at)
{
	const char *dirs[] = { "/tmp", getenv("SNAPMAP_OUT") };
	int fd, err = EFAULT;
	char path[256];
	size_t i;

	(void)target;
	for (i = 0; i < ARRAY_SIZE(dirs) && dirs[i]; i++) {
		snprintf(path, sizeof(path), "%s/snapmap-junk", dirs[i]);
		fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
		if (write(fd, junk, PAGE) != PAGE)
			err = 0;
		fcntl(fd, F_SETFL, O_DIRECT); /* where it can be had */
		if (pread(fd, at, PAGE, 0) >= 0)
			err = 0;
		close(fd);
		unlink(path);
	}
	return err;
}

static int by_advice_to_remove(const struct target *target, u8 *at)
{
	(void)target;
	return madvise(at, PAGE, MADV_REMOVE) ? errno : 0;
}

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

static int by_advice_to_populate(const struct target *target, u8 *at)
{
	(void)target;
	return madvise(at, PAGE, MADV_POPULATE_WRITE) ? errno : 0;
}

/* Where pages of a file are rearranged, the rights stay. */
static int by_remap_file_pages(const struct target *target, u8 *at)
{
	u8 *own = mmap(NULL, 2 * PAGE, PROT_READ, MAP_SHARED, target->fd, 0);
	int err;

	(void)at;
	remap_file_pages(own, PAGE, 0, VALUES / PAGE, 0);
	err = mprotect(own, 2 * PAGE, PROT_READ | PROT_WRITE) ? errno : 0;
	munmap(own, 2 * PAGE);
	return err;
}

static int by_moving(const struct target *target, u8 *at)
{
	u8 *own = mmap(NULL, 2 * PAGE, PROT_READ, MAP_SHARED, target->fd, 0), *moved;
	void *to = mmap(NULL, 2 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int err;

	(void)at;
	moved = mremap(own, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to);
	munmap(moved + PAGE, PAGE);
	err = moved == to && mprotect(moved, PAGE, PROT_READ | PROT_WRITE) ? errno : 0;
	munmap(to, 2 * PAGE);
	return err;
}

/**
 * struct way - a way to write
 * @name: what to print
 * @try: tries it on a page; returns the errno, 0 when it has gone through
 * @err: the errno that it must give
 */
struct way {
	const char *name;
	int (*try)(const struct target *target, u8 *at);
	int err;
};

static const struct way ways[] = {
	{ "mprotect", by_mprotect, EACCES },
	{ "mprotect to execute", by_mprotect_to_execute, EACCES },
	{ "mmap", by_new_mapping, EACCES },
	{ "store", by_store, EFAULT },
	{ "read", by_read, EFAULT },
	{ "getrandom", by_getrandom, EFAULT },
	{ "INFO", by_info, EFAULT },
	{ "process_vm_writev", by_process_vm_writev, EFAULT },
	{ "/proc/self/mem", by_proc_mem, EIO },
	{ "ptrace", by_ptrace, EIO },
	{ "futex", by_futex, EFAULT },
	{ "vmsplice", by_vmsplice, EFAULT },
	{ "a pipe's last page", by_the_rest_of_a_page_in_a_pipe, EFAULT },
	{ "userfaultfd", by_userfaultfd, EINVAL },
	{ "io_uring", by_io_uring, EFAULT },
	{ "O_DIRECT", by_direct_read, EFAULT },
	{ "MADV_REMOVE", by_advice_to_remove, EACCES },
	{ "MADV_POPULATE_WRITE", by_advice_to_populate, EINVAL },
	{ "remap_file_pages", by_remap_file_pages, EACCES },
	{ "mremap", by_moving, EACCES },
};

static void try_all_ways(int fd)
{
	static struct target target;
	const struct way *way;
	int place, err;

	target_map(&target, fd);
	for (way = ways; way < ways + ARRAY_SIZE(ways); way++)
		for (place = 0; place < PLACES; place++) {
			err = way->try(&target, target.places[place]);
			if (err != way->err)
				note("%s, place %d: %s", way->name, place, strerror(err));
			assert_int_equal(err, way->err);
			assert_same(&target);
		}
	target_unmap(&target);
}

static void test_no_way_through_a_reader_B(void **state)
{
	struct fixture *map = *state;
	int fd = map_open(map->name, O_RDONLY);

	fill_values(map->fd);
	try_all_ways(fd);
	close(fd);
}

/* It may commit, and still not write. */
static void test_no_way_through_a_writer_B(void **state)
{
	struct fixture *map = *state;

	fill_values(map->fd);
	try_all_ways(map->fd);
	assert_no_leak(map->fd);
}

static void test_no_way_through_a_pin_B(void **state)
{
	struct fixture *map = *state;
	int pin;

	fill_values(map->fd);
	pin = map_pin(map->fd);
	try_all_ways(pin);
	close(pin);
}

/* ------------------------------------------------------------- advice */

/* The advice that a mapping takes changes no byte of it, nor what comes after. */
static void test_advice_does_no_harm_B_H(void **state)
{
	struct fixture *map = *state;
	static struct target target;
	int advice;

	fill_values(map->fd);
	target_map(&target, map->fd);
	for (advice = 0; advice < 30; advice++) {
		madvise(target.base, COMPARED, advice);
		madvise(target.places[2], PAGE, advice);
		assert_same(&target);
	}
	assert_int_equal(mprotect(target.base, PAGE, PROT_READ | PROT_WRITE), -1);
	target_unmap(&target);
	assert_no_leak(map->fd);
}

static int advise(void *at, int advice)
{
	return madvise(at, PAGE, advice) ? -errno : 0;
}

/* Advice that would let a mapping be dumped, merged, emptied or freed is refused. */
static void test_advice_that_is_refused_H(void **state)
{
	struct fixture *map = *state;
	size_t bytes;
	u8 *base = (u8 *)map_mapping(map->fd, &bytes);

	assert_non_null(base);
	assert_int_equal(advise(base, MADV_DODUMP), -EINVAL);
	assert_int_equal(advise(base, MADV_FREE), -EINVAL);
	assert_int_equal(advise(base, MADV_REMOVE), -EACCES);
	assert_int_equal(advise(base, MADV_WIPEONFORK), -EINVAL);
	assert_int_equal(advise(base, MADV_DONTDUMP), 0);
	assert_int_equal(advise(base, MADV_DONTNEED), 0);
	munmap(base, bytes);
}

static const struct CMUnitTest tests[] = {
	map_test(test_no_way_through_a_reader_B),
	map_test(test_no_way_through_a_writer_B),
	map_test(test_no_way_through_a_pin_B),
	map_test(test_advice_does_no_harm_B_H),
	map_test(test_advice_that_is_refused_H),
	caught_test("write", test_no_way_through_a_writer_B),
	cmocka_unit_test(test_nothing_is_left_G),
};

int main(void)
{
	return cmocka_run_group_tests_name("writing", tests, NULL, NULL);
}

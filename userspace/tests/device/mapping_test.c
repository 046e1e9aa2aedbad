// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * mapping_test.c - what a reader can do with a mapping, and what nobody can
 */
#include <elf.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "device.h"

/* What mmap() of the map's first page says: 0 or a negative errno. */
static int try_mmap_at(int fd, size_t bytes, int prot, int flags, u64 offset)
{
	void *at = mmap(NULL, bytes, prot, flags, fd, (off_t)offset);

	if (at == MAP_FAILED)
		return -errno;
	munmap(at, bytes);
	return 0;
}

static int try_mmap(int fd, int prot, int flags)
{
	return try_mmap_at(fd, PAGE, prot, flags, 0);
}

/* A file's whole mapping, which must succeed. */
static const u8 *mapping_of(int fd, size_t *bytes)
{
	const u8 *base = map_mapping(fd, bytes);

	assert_non_null(base);
	return base;
}

static const struct snapmap_control *control_of(const u8 *base)
{
	return (const struct snapmap_control *)base;
}

/* Opens the map in three ways, and pins it: @fds[0..3). */
static void open_all(const struct fixture *map, int fds[3])
{
	fds[0] = map_open(map->name, O_RDONLY);
	fds[1] = map_open(map->name, O_RDWR);
	fds[2] = map_pin(map->fd);
	assert_true(fds[0] >= 0 && fds[1] >= 0 && fds[2] >= 0);
}

static void close_all(const int fds[3])
{
	int i;

	for (i = 0; i < 3; i++)
		close(fds[i]);
}

/* ------------------------------------------------------------- refusals */

static void test_who_can_read_can_map_A(void **state)
{
	struct fixture *map = *state;
	int fds[3], i;

	open_all(map, fds);
	for (i = 0; i < 3; i++)
		assert_int_equal(try_mmap(fds[i], PROT_READ, MAP_SHARED), 0);
	close_all(fds);
}

static void test_who_cannot_read_cannot_map_H(void **state)
{
	struct fixture *map = *state;
	int fd = map_open(map->name, O_WRONLY);

	assert_true(fd >= 0);
	assert_int_equal(try_mmap(fd, PROT_READ, MAP_SHARED), -EACCES);
	close(fd);
}

static void test_no_mapping_is_writable_B(void **state)
{
	struct fixture *map = *state;
	int fds[3], i;

	open_all(map, fds);
	for (i = 0; i < 3; i++) {
		assert_int_equal(try_mmap(fds[i], PROT_READ | PROT_WRITE, MAP_SHARED), -EACCES);
		assert_int_equal(try_mmap(fds[i], PROT_WRITE, MAP_SHARED), -EACCES);
	}
	close_all(fds);
}

static void test_no_mapping_is_executable_or_private_H(void **state)
{
	struct fixture *map = *state;
	int fds[3], i;

	open_all(map, fds);
	for (i = 0; i < 3; i++) {
		assert_int_equal(try_mmap(fds[i], PROT_READ | PROT_EXEC, MAP_SHARED), -EACCES);
		assert_int_equal(try_mmap(fds[i], PROT_READ, MAP_PRIVATE), -EINVAL);
		assert_int_equal(try_mmap(fds[i], PROT_READ | PROT_WRITE, MAP_PRIVATE), -EACCES);
	}
	close_all(fds);
}

static void test_mprotect_gives_no_more_B_H(void **state)
{
	struct fixture *map = *state;
	static const int prots[] = { PROT_READ | PROT_WRITE, PROT_WRITE, PROT_READ | PROT_EXEC,
				     PROT_READ | PROT_WRITE | PROT_EXEC };
	size_t bytes, j;
	const u8 *base;
	int fds[3], i;

	open_all(map, fds);
	for (i = 0; i < 3; i++) {
		base = mapping_of(fds[i], &bytes);
		for (j = 0; j < ARRAY_SIZE(prots); j++) {
			assert_int_equal(mprotect((void *)base, PAGE, prots[j]), -1);
			assert_int_equal(errno, EACCES);
		}
		assert_int_equal(mprotect((void *)base, bytes, PROT_NONE), 0);
		assert_int_equal(mprotect((void *)base, bytes, PROT_READ), 0);
		assert_int_equal(control_of(base)->magic, SNAPMAP_LAYOUT_MAGIC);
		munmap((void *)base, bytes);
	}
	close_all(fds);
}

static void test_mappings_stay_within_the_span_H(void **state)
{
	struct fixture *map = *state;
	const int flags = MAP_SHARED | MAP_NORESERVE;
	struct snapmap_info info;
	u64 span;

	assert_info(map->fd, &info);
	span = info.span;
	assert_int_equal(span % PAGE, 0);
	assert_int_equal(try_mmap_at(map->fd, span, PROT_READ, flags, 0), 0);
	assert_int_equal(try_mmap_at(map->fd, PAGE, PROT_READ, flags, span - PAGE), 0);
	assert_int_equal(try_mmap_at(map->fd, 1, PROT_READ, flags, span - PAGE), 0);
	assert_int_equal(try_mmap_at(map->fd, span + PAGE, PROT_READ, flags, 0), -EINVAL);
	assert_int_equal(try_mmap_at(map->fd, span + 1, PROT_READ, flags, 0), -EINVAL);
	assert_int_equal(try_mmap_at(map->fd, PAGE, PROT_READ, flags, span), -EINVAL);
	assert_int_equal(try_mmap_at(map->fd, 2 * PAGE, PROT_READ, flags, span - PAGE), -EINVAL);
	assert_int_equal(try_mmap_at(map->fd, PAGE, PROT_READ, flags, 1ULL << 62), -EINVAL);
}

/* The kernel itself refuses offsets that wrap around. */
static void test_offsets_that_wrap_H(void **state)
{
	struct fixture *map = *state;
	int err = try_mmap_at(map->fd, PAGE, PROT_READ, MAP_SHARED, -PAGE);

	assert_true(err == -EINVAL || err == -EOVERFLOW);
}

static void test_mappings_do_not_grow_H(void **state)
{
	struct fixture *map = *state;
	void *at = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, map->fd, 0);

	assert_ptr_not_equal(at, MAP_FAILED);
	assert_ptr_equal(mremap(at, PAGE, 2 * PAGE, MREMAP_MAYMOVE), MAP_FAILED);
	assert_int_equal(errno, EFAULT);
	assert_ptr_equal(mremap(at, 0, PAGE, MREMAP_MAYMOVE), MAP_FAILED);
	assert_ptr_equal(mremap(at, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP), MAP_FAILED);
	assert_int_equal(control_of(at)->magic, SNAPMAP_LAYOUT_MAGIC);
	munmap(at, PAGE);
}

static void test_mappings_move_and_are_cut_A(void **state)
{
	struct fixture *map = *state;
	const struct snapmap_control *control;
	size_t bytes;
	u8 *base = (u8 *)mapping_of(map->fd, &bytes);
	void *to = mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	assert_int_equal(munmap(base + 8 * PAGE, 8 * PAGE), 0);
	assert_int_equal(munmap(base + bytes - PAGE, PAGE), 0);
	assert_int_equal(control_of(base)->magic, SNAPMAP_LAYOUT_MAGIC);
	assert_int_equal(base[bytes - 2 * PAGE], 0);
	control = mremap(base, 8 * PAGE, 8 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to);
	assert_ptr_equal(control, to);
	assert_int_equal(control->version, 1);
	assert_int_equal(put_string(map->fd, "key", "value"), 0);
	assert_int_equal(control->version, 2);
	munmap(base, bytes);
	munmap(to, bytes);
}

/* ------------------------------------------------------------- growth */

static u64 sum_of(const u8 *base, size_t from, size_t to)
{
	u64 sum = 0;

	for (; from < to; from += 512)
		sum += base[from];
	return sum;
}

static void fill_with(int fd, u8 byte, u32 count)
{
	struct batch batch = { .data = NULL };
	u8 *value = malloc(100000);
	u32 key;

	memset(value, byte, 100000);
	for (key = 0; key < count; key++)
		batch_put(&batch, &key, sizeof(key), value, 100000);
	assert_int_equal(batch_commit(fd, &batch, 0, NULL), 0);
	batch_free(&batch);
	free(value);
}

static bool has_shrunk(void *data)
{
	struct fixture *map = data;

	return sysfs_value(map->name, "resident_bytes") < MIB;
}

/* A part of a mapping. */
struct range {
	const u8 *base;
	size_t from;
	size_t to;
};

static bool reads_as_zeroes(void *data)
{
	struct range *range = data;

	return !sum_of(range->base, range->from, range->to);
}

/* Populated at once and locked in memory, it grows and shrinks as any other. */
static void test_populated_and_locked_A_G(void **state)
{
	struct fixture *map = *state;
	struct snapmap_info info;
	struct range rest;
	u8 *base;

	assert_info(map->fd, &info);
	base = mmap(NULL, info.span, PROT_READ, MAP_SHARED | MAP_POPULATE, map->fd, 0);
	assert_ptr_not_equal(base, MAP_FAILED);
	assert_int_equal(mlock(base, info.span), 0);
	assert_int_equal(mlockall(MCL_CURRENT), 0);
	rest = (struct range){ base, info.resident_bytes, info.span };
	assert_true(reads_as_zeroes(&rest));
	fill_with(map->fd, 0x7f, 100);
	assert_false(reads_as_zeroes(&rest));
	assert_int_equal(batch_commit(map->fd, &(struct batch){ .data = NULL },
				      SNAPMAP_COMMIT_REPLACE, NULL),
			 0);
	assert_true(wait_until(has_shrunk, map, PATIENCE));
	assert_true(wait_until(reads_as_zeroes, &rest, PATIENCE));
	assert_int_equal(munlockall(), 0);
	munmap(base, info.span);
}

/* What was touched while it was empty shows what comes later (promises A and C). */
static void test_empty_ranges_are_zero_until_they_fill_A_D(void **state)
{
	struct fixture *map = *state;
	struct snapmap_info before, after;
	size_t bytes;
	const u8 *base = mapping_of(map->fd, &bytes);

	assert_info(map->fd, &before);
	assert_int_equal(sum_of(base, before.resident_bytes, bytes), 0);
	fill_with(map->fd, 0x7f, 100);
	assert_info(map->fd, &after);
	assert_true(after.resident_bytes > before.resident_bytes + 100 * 100000);
	assert_true(sum_of(base, 0, bytes) >= 100ULL * 0x7f * (100000 / 512));
	assert_int_equal(reachable_blocks(map->fd), after.used_blocks);
	munmap((void *)base, bytes);
}

/* Memory that has been given back reads as zeroes, and can come again (promise G). */
static void test_ranges_given_back_are_zero_D_G(void **state)
{
	struct fixture *map = *state;
	struct snapmap_info info;
	struct range rest;
	size_t bytes;
	const u8 *base = mapping_of(map->fd, &bytes);
	int round;

	for (round = 0; round < 2; round++) {
		fill_with(map->fd, 0x7f, 100);
		assert_true(sum_of(base, 0, bytes) > 0);
		assert_int_equal(batch_commit(map->fd, &(struct batch){ .data = NULL },
					      SNAPMAP_COMMIT_REPLACE, NULL),
				 0);
		assert_true(wait_until(has_shrunk, map, PATIENCE));
		assert_info(map->fd, &info);
		assert_int_equal(info.used_blocks, 0);
		rest = (struct range){ base, info.resident_bytes, bytes };
		assert_true(wait_until(reads_as_zeroes, &rest, PATIENCE));
	}
	munmap((void *)base, bytes);
}

/* ------------------------------------------------------------- life */

static void test_mapping_outlives_descriptor_and_map_B(void **state)
{
	struct fixture *map = *state;
	const struct snapmap_control *control;
	size_t bytes;
	const u8 *base = mapping_of(map->fd, &bytes);

	fill_with(map->fd, 3, 10);
	close(map->fd);
	map->fd = -1;
	control = control_of(base);
	assert_int_equal(control->version, 2);
	assert_int_equal(control->state, 0);
	assert_int_equal(map_destroy(map->name), 0);
	assert_int_equal(control->state, SNAPMAP_STATE_DESTROYED);
	assert_int_equal(control->version, 2);
	assert_true(sum_of(base, 0, bytes) > 0);
	munmap((void *)base, bytes);
}

/* 0 when a child sees what it should through a mapping that it has inherited. */
static int child_reads(const u8 *base, int wait_fd)
{
	char byte;

	if (control_of(base)->version < 2)
		return 1;
	if (read(wait_fd, &byte, 1) != 1)
		return 2;
	return control_of(base)->version == 3 && control_of(base)->root[1] ? 0 : 3;
}

static void test_children_inherit_mappings_A(void **state)
{
	struct fixture *map = *state;
	size_t bytes;
	const u8 *base = mapping_of(map->fd, &bytes);
	int ends[2], status;
	pid_t pid;

	assert_int_equal(put_string(map->fd, "key", "value"), 0);
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	pid = child_start();
	if (!pid)
		_exit(child_reads(base, ends[0]));
	munmap((void *)base, bytes);
	assert_int_equal(put_string(map->fd, "key", "other"), 0);
	assert_int_equal(write(ends[1], "", 1), 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	close(ends[0]);
	close(ends[1]);
}

static int try_rmmod(void)
{
	return syscall(SYS_delete_module, "snapmap", O_NONBLOCK) ? -errno : 0;
}

static void test_module_stays_while_it_is_used_G(void **state)
{
	struct fixture *map = *state;
	size_t bytes;
	const u8 *base;
	int pin;

	assert_int_equal(try_rmmod(), -EWOULDBLOCK); /* a descriptor */
	base = mapping_of(map->fd, &bytes);
	close(map->fd);
	assert_int_equal(try_rmmod(), -EWOULDBLOCK); /* a mapping */
	assert_int_equal(control_of(base)->version, 1);
	map->fd = map_open(map->name, O_RDWR);
	munmap((void *)base, bytes);
	pin = map_pin(map->fd);
	assert_true(pin >= 0);
	close(map->fd);
	map->fd = -1;
	assert_int_equal(try_rmmod(), -EWOULDBLOCK); /* a pin */
	assert_int_equal(map_destroy(map->name), 0);
	assert_int_equal(try_rmmod(), -EWOULDBLOCK); /* a pin of a map that is gone */
	close(pin);
}

static const struct CMUnitTest tests[] = {
	map_test(test_who_can_read_can_map_A),
	map_test(test_who_cannot_read_cannot_map_H),
	map_test(test_no_mapping_is_writable_B),
	map_test(test_no_mapping_is_executable_or_private_H),
	map_test(test_mprotect_gives_no_more_B_H),
	map_test(test_mappings_stay_within_the_span_H),
	map_test(test_offsets_that_wrap_H),
	map_test(test_mappings_do_not_grow_H),
	map_test(test_mappings_move_and_are_cut_A),
	map_test(test_populated_and_locked_A_G),
	map_test(test_empty_ranges_are_zero_until_they_fill_A_D),
	map_test(test_ranges_given_back_are_zero_D_G),
	map_test(test_mapping_outlives_descriptor_and_map_B),
	map_test(test_children_inherit_mappings_A),
	map_test(test_module_stays_while_it_is_used_G),
	cmocka_unit_test(test_nothing_is_left_G),
};

int main(void)
{
	return cmocka_run_group_tests_name("mapping", tests, NULL, NULL);
}

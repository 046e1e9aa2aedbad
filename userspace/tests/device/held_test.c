// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * held_test.c - pages of the arena to which others have references, and how memory is given back
 *
 * A pipe, a direct write or a debugger takes references to pages that it finds
 * in a mapping. One to any part of a huge page keeps all of it.
 */
#include <sys/mman.h>
#include <sys/uio.h>

#include "huge.h"

/* ------------------------------------------------------------- references to pages */

#define HELD 4 /* chunks of which a pipe holds a page */

/* One page of each, without a copy; @ends is a new pipe. */
static void hold_pages(const struct range *range, int ends[2])
{
	struct iovec page;
	int i;

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	for (i = 0; i < HELD; i++) {
		page = (struct iovec){ (u8 *)range->at + i * CHUNK + (100 + i) * PAGE, PAGE };
		assert_int_equal(vmsplice(ends[1], &page, 1, 0), PAGE);
	}
}

/* Reads what the pipe holds, and compares it with a copy of the range. */
static void assert_pages_are(int ends[2], const u8 *copy)
{
	u8 page[PAGE];
	int i;

	for (i = 0; i < HELD; i++) {
		assert_int_equal(read(ends[0], page, PAGE), PAGE);
		assert_memory_equal(page, copy + i * CHUNK + (100 + i) * PAGE, PAGE);
	}
	close(ends[0]);
	close(ends[1]);
}

/* For wait_until(): all has been given back but what a pipe holds a page of. */
static bool only_held_is_left(void *data)
{
	struct fixture *map = data;

	return full_chunks(map) <= HELD;
}

/* A page that somebody holds keeps its chunk with the map, in its books (promise G). */
static void test_held_chunks_stay_with_the_map_G(void **state)
{
	struct fixture *map = *state;
	struct range range = fill_range(map);
	u8 *copy = copy_of(&range);
	int ends[2];

	hold_pages(&range, ends);
	empty_map(map->fd);
	assert_true(wait_until(only_held_is_left, map, PATIENCE));
	nap(1500000); /* the reclaim work comes again, and gives back no more */
	assert_int_equal(full_chunks(map), HELD);
	assert_true(sysfs_value(map->name, "resident_bytes") >= HELD * CHUNK);
	assert_pages_are(ends, copy);
	assert_true(wait_until(has_shrunk, map, PATIENCE));
	range_end(&range);
	free(copy);
}

/* Small pages are held one by one, so that their chunk can go. */
static void test_held_small_pages_outlive_their_chunk_G(void **state)
{
	struct fixture *map = *state;
	struct range range = fill_range(map);
	u8 *copy = copy_of(&range);
	int ends[2];

	hold_pages(&range, ends);
	empty_map(map->fd);
	assert_true(wait_until(has_shrunk, map, PATIENCE));
	fill_map(map->fd, (u8)~HUGE_BYTE);
	assert_pages_are(ends, copy);
	range_end(&range);
	free(copy);
}

/* Kept chunks are used again as if nobody held them. */
static void test_held_chunks_are_used_again_G(void **state)
{
	struct fixture *map = *state;
	struct range range = fill_range(map);
	struct snapmap_info before, after;
	int ends[2];

	assert_info(map->fd, &before);
	hold_pages(&range, ends);
	empty_map(map->fd);
	assert_true(wait_until(only_held_is_left, map, PATIENCE));
	fill_map(map->fd, HUGE_BYTE);
	assert_info(map->fd, &after);
	assert_true(after.resident_bytes <= before.resident_bytes);
	assert_int_equal(reachable_blocks(map->fd), after.used_blocks - after.retired_blocks);
	close(ends[0]);
	close(ends[1]);
	empty_map(map->fd);
	assert_true(wait_until(has_shrunk, map, PATIENCE));
	range_end(&range);
}

/* A pipe has what it took, whatever becomes of the map, and whoever gets its memory. */
static void test_held_pages_outlive_the_map_G_H(void **state)
{
	struct fixture *map = *state;
	struct range range = fill_range(map);
	u8 *copy = copy_of(&range);
	void *other;
	int ends[2];

	hold_pages(&range, ends);
	range_end(&range);
	close(map->fd);
	map->fd = -1;
	assert_int_equal(map_destroy(map->name), 0);
	assert_int_equal(setup_huge(&other), 0);
	fill_map(((struct fixture *)other)->fd, (u8)~HUGE_BYTE);
	assert_pages_are(ends, copy);
	assert_int_equal(huge_teardown(&other), 0);
	free(copy);
}

/* Debuggers, who take references page by page. */
static void test_debuggers_read_huge_pages_A(void **state)
{
	struct fixture *map = *state;
	struct range range = fill_range(map);
	u8 *copy = malloc(range.bytes);
	struct iovec own = { copy, range.bytes }, theirs = { (void *)range.at, range.bytes };
	int mem = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);

	assert_int_equal(process_vm_readv(getpid(), &own, 1, &theirs, 1, 0), range.bytes);
	assert_same(&range, copy);
	memset(copy, 0, range.bytes);
	assert_int_equal(pread(mem, copy, range.bytes, (off_t)(uintptr_t)range.at), range.bytes);
	assert_same(&range, copy);
	close(mem);
	range_end(&range);
	free(copy);
}

/* A file gets what is in a mapping, straight from its pages where that can be. */
static void test_direct_write_of_huge_pages_A(void **state)
{
	struct fixture *map = *state;
	struct range range = fill_range(map);
	const char *out = getenv("SNAPMAP_OUT");
	const ssize_t bytes = is_slow() ? CHUNK : 2 * CHUNK; /* from one chunk into others */
	u8 *copy = aligned_alloc(PAGE, bytes);
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s/snapmap-huge", out ? out : "/var/tmp");
	fd = open(path, O_RDWR | O_CREAT | O_DIRECT | O_CLOEXEC, 0600);
	if (fd < 0)
		skip_for("needs O_DIRECT at SNAPMAP_OUT");
	assert_int_equal(write(fd, range.at + CHUNK / 2, bytes), bytes);
	assert_int_equal(pread(fd, copy, bytes, 0), bytes);
	assert_memory_equal(copy, range.at + CHUNK / 2, bytes);
	close(fd);
	unlink(path);
	range_end(&range);
	free(copy);
}

/* ------------------------------------------------------------- what is given back */

static bool reads_as_zeroes(void *data)
{
	const struct range *range = data;
	size_t at;

	for (at = 0; at < range->bytes; at += 512)
		if (range->at[at])
			return false;
	return true;
}

/* Huge pages leave mappings before they are given back, and come again. */
static void test_huge_pages_come_and_go_D_G_H(void **state)
{
	struct fixture *map = *state;
	struct range range;
	int round;

	for (round = 0; round < 3; round++) {
		range = fill_range(map);
		assert_false(reads_as_zeroes(&range));
		empty_map(map->fd);
		assert_true(wait_until(has_shrunk, map, PATIENCE));
		assert_true(wait_until(reads_as_zeroes, &range, 30));
		range_end(&range);
	}
}

/* What another map has left in memory is gone before it is shown. */
static void test_fresh_huge_pages_are_zero_H(void **state)
{
	struct fixture *map = *state;
	struct range range = fill_range(map);
	struct fixture *other;
	u8 trace[PAGE];
	void *new;

	range_end(&range);
	close(map->fd);
	map->fd = -1;
	assert_int_equal(map_destroy(map->name), 0);
	assert_int_equal(setup_huge(&new), 0);
	other = new;
	fill_map(other->fd, 1);
	range = range_of(other);
	assert_true(huge_bytes(other) > 0);
	memset(trace, HUGE_BYTE, sizeof(trace));
	assert_null(memmem(range.at, range.bytes, trace, sizeof(trace)));
	range_end(&range);
	assert_int_equal(huge_teardown(&new), 0);
}

static u64 memory_available(void)
{
	unsigned long long kib = 0;
	char line[128];
	FILE *file = fopen("/proc/meminfo", "re");

	assert_non_null(file);
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "MemAvailable: %llu", &kib) == 1)
			break;
	fclose(file);
	return kib * 1024;
}

/* A map's life: its pages are mapped, and a pipe holds some when it goes. */
static void live_and_die(void)
{
	struct fixture *map;
	struct range range;
	void *state;
	int ends[2];

	assert_int_equal(setup_huge(&state), 0);
	map = state;
	range = fill_range(map);
	faults_of(&range);
	hold_pages(&range, ends);
	range_end(&range);
	assert_int_equal(huge_teardown(&state), 0);
	close(ends[0]);
	close(ends[1]);
}

static bool is_available(void *data)
{
	make_room();
	return memory_available() >= *(u64 *)data;
}

/* Ten lives, of which each would cost some 40 MB, or 20. */
static void test_memory_comes_back_G(void **state)
{
	u64 before, least;
	int i;

	(void)state;
	live_and_die();
	make_room();
	before = memory_available();
	for (i = 0; i < 10; i++)
		live_and_die();
	least = before - 60 * MIB;
	note("%llu MiB available before", before / MIB);
	assert_true(wait_until(is_available, &least, PATIENCE));
	note("%llu MiB behind", memory_available() / MIB);
}

static const struct CMUnitTest tests[] = {
	huge_test(test_held_chunks_stay_with_the_map_G),
	small_test(test_held_small_pages_outlive_their_chunk_G),
	huge_test(test_held_chunks_are_used_again_G),
	huge_test(test_held_pages_outlive_the_map_G_H),
	huge_test(test_debuggers_read_huge_pages_A),
	huge_test(test_direct_write_of_huge_pages_A),
	huge_test(test_huge_pages_come_and_go_D_G_H),
	huge_test(test_fresh_huge_pages_are_zero_H),
	plain_test(test_memory_comes_back_G),
	caught_test("held", test_held_chunks_stay_with_the_map_G),
	caught_test("unmap", test_huge_pages_come_and_go_D_G_H),
	plain_test(test_nothing_is_left_G),
};

int main(void)
{
	return cmocka_run_group_tests_name("held", tests, NULL, NULL);
}

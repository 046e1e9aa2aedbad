// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * huge_test.c - chunks of 2 MiB that are one page each, and readers that cannot tell
 *
 * What is in a range is compared with what was there before, or with a mapping
 * for which the reader has asked for small pages (MADV_NOHUGEPAGE).
 */
#include <libsnapmap.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "huge.h"

/* ------------------------------------------------------------- counting faults */

static void test_chunk_takes_one_fault_I(void **state)
{
	struct fixture *map = *state;
	struct range range = fill_range(map);
	u64 faults = faults_of(&range);

	note("%llu bytes, %llu of them huge: %llu faults", (u64)range.bytes, huge_bytes(map),
	     faults);
	assert_true(huge_bytes(map) > range.bytes / 2);
	assert_true(huge_bytes(map) <= range.bytes);
	assert_true(faults <= faults_allowed(map));
	assert_int_equal((uintptr_t)range.base % CHUNK, 0);
	range_end(&range);
}

/* A pin maps the arena as well. */
static void test_chunk_takes_one_fault_through_a_pin_I(void **state)
{
	struct fixture *map = *state;
	struct range range = fill_range(map);
	int pin = map_pin(map->fd);

	range_end(&range);
	assert_true(pin >= 0);
	range.base = mmap(NULL, range.span, PROT_READ, MAP_SHARED, pin, 0);
	assert_ptr_not_equal(range.base, MAP_FAILED);
	range.at = range.base + CHUNK;
	assert_true(faults_of(&range) <= faults_allowed(map));
	range_end(&range);
	close(pin);
}

static void test_small_chunk_takes_a_fault_in_64_KiB_I(void **state)
{
	struct fixture *map = *state;
	struct range range = fill_range(map);
	u64 faults = faults_of(&range);

	assert_int_equal(huge_bytes(map), 0);
	note("%llu bytes: %llu faults", (u64)range.bytes, faults);
	assert_true(faults <= faults_allowed(map));
	assert_true(faults > 2 * full_chunks(map));
	range_end(&range);
}

/* No fault is left to those who have asked for all at once. */
static void test_populated_mapping_does_not_fault(void **state)
{
	struct fixture *map = *state;
	struct range range = fill_range(map);

	range_end(&range);
	range.base = mmap(NULL, range.span, PROT_READ, MAP_SHARED | MAP_POPULATE, map->fd, 0);
	assert_ptr_not_equal(range.base, MAP_FAILED);
	range.at = range.base + CHUNK;
	assert_true(faults_of(&range) <= FAULTS_SLACK);
	assert_int_equal(mlock(range.base, range.span), 0);
	assert_int_equal(munlock(range.base, range.span), 0);
	range_end(&range);
}

static u64 entries(void)
{
	return is_slow() ? 50000 : 100000;
}

static void put_entries(int fd)
{
	struct batch batch = { .data = NULL };
	u64 key[2] = { 0 }, value[4] = { 0 };

	for (key[0] = 0; key[0] < entries(); key[0]++) {
		value[0] = key[0] * 3;
		batch_put(&batch, key, sizeof(key), value, sizeof(value));
	}
	assert_int_equal(batch_commit(fd, &batch, 0, NULL), 0);
	batch_free(&batch);
}

/* Reads all entries by the library; returns how many faults that takes a new reader. */
static u64 get_entries(const char *name)
{
	u64 key[2] = { 0 }, value[4], before;
	struct snapmap *map;

	assert_int_equal(snapmap_open(name, O_RDONLY, &map), 0);
	before = faults_so_far();
	for (key[0] = 0; key[0] < entries(); key[0]++) {
		assert_int_equal(snapmap_get(map, key, sizeof(key), value, sizeof(value), NULL), 0);
		assert_int_equal(value[0], key[0] * 3);
	}
	before = faults_so_far() - before;
	snapmap_close(map);
	return before;
}

static void test_library_reads_huge_chunks_A_I(void **state)
{
	struct fixture *map = *state;
	u64 faults;

	put_entries(map->fd);
	faults = get_entries(map->name);
	note("%llu entries, huge: %llu faults", entries(), faults);
	assert_true(huge_bytes(map) >= CHUNK);
	assert_true(faults <= CHUNK / AROUND + 6 + faults_allowed(map));
}

static void test_library_reads_small_chunks_A_I(void **state)
{
	struct fixture *map = *state;
	u64 faults;

	put_entries(map->fd);
	faults = get_entries(map->name);
	note("%llu entries, small: %llu faults", entries(), faults);
	assert_int_equal(huge_bytes(map), 0);
	assert_true(faults <= CHUNK / AROUND + 6 + faults_allowed(map));
}

/* ------------------------------------------------------------- the same bytes */

static void test_small_pages_show_the_same_A(void **state)
{
	struct fixture *map = *state;
	struct range huge = fill_range(map), small = small_range_of(map);

	assert_memory_equal(huge.at, small.at, huge.bytes);
	range_end(&small);
	small = small_range_of(map);
	assert_true(faults_of(&small) > 2 * full_chunks(map));
	range_end(&small);
	range_end(&huge);
}

/* A mapping that is not aligned as the arena is, and one that begins within a chunk. */
static void test_crooked_mappings_show_the_same_A(void **state)
{
	struct fixture *map = *state;
	struct range range = fill_range(map);
	const size_t part = range.bytes - 3 * PAGE;
	u8 *room = mmap(NULL, range.bytes + 2 * CHUNK, PROT_NONE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	u8 *at;

	assert_ptr_not_equal(room, MAP_FAILED);
	at = mmap(room + 5 * PAGE, range.bytes, PROT_READ, MAP_SHARED | MAP_FIXED, map->fd, CHUNK);
	assert_ptr_equal(at, room + 5 * PAGE);
	assert_memory_equal(at, range.at, range.bytes);
	munmap(room, range.bytes + 2 * CHUNK);
	at = mmap(NULL, part, PROT_READ, MAP_SHARED, map->fd, CHUNK + 3 * PAGE);
	assert_ptr_not_equal(at, MAP_FAILED);
	assert_memory_equal(at, range.at + 3 * PAGE, part);
	munmap(at, part);
	range_end(&range);
}

/* ------------------------------------------------------------- parts of a huge page */

/* Whether the kernel can read a byte at an address, on behalf of this process. */
static bool is_readable(const u8 *at)
{
	bool readable;
	int ends[2];

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	readable = write(ends[1], at, 1) == 1;
	close(ends[0]);
	close(ends[1]);
	return readable;
}

static void test_parts_are_unmapped_A(void **state)
{
	struct fixture *map = *state;
	struct range range = fill_range(map);
	u8 *copy = copy_of(&range), *at = (u8 *)range.at;

	/* A page in the middle of one, the end of one with the beginning of the next, one. */
	assert_int_equal(munmap(at + CHUNK / 2, PAGE), 0);
	assert_int_equal(munmap(at + 3 * CHUNK - PAGE, 2 * PAGE), 0);
	assert_int_equal(munmap(at + 4 * CHUNK, CHUNK), 0);
	assert_memory_equal(at, copy, CHUNK / 2);
	assert_memory_equal(at + CHUNK / 2 + PAGE, copy + CHUNK / 2 + PAGE,
			    5 * CHUNK / 2 - 2 * PAGE);
	assert_memory_equal(at + 3 * CHUNK + PAGE, copy + 3 * CHUNK + PAGE, CHUNK - PAGE);
	assert_memory_equal(at + 5 * CHUNK, copy + 5 * CHUNK, range.bytes - 5 * CHUNK);
	assert_false(is_readable(at + CHUNK / 2));
	assert_false(is_readable(at + 3 * CHUNK));
	assert_false(is_readable(at + 4 * CHUNK + CHUNK / 2));
	range_end(&range);
	free(copy);
}

static void test_parts_are_protected_A(void **state)
{
	struct fixture *map = *state;
	struct range range = fill_range(map);
	u8 *copy = copy_of(&range), *at = (u8 *)range.at;

	assert_int_equal(mprotect(at + 9 * PAGE, PAGE, PROT_NONE), 0);
	assert_int_equal(mprotect(at + 2 * CHUNK, CHUNK, PROT_NONE), 0);
	assert_int_equal(mprotect(at + 9 * PAGE, PAGE, PROT_READ | PROT_WRITE), -1);
	assert_int_equal(mprotect(at + 3 * CHUNK, CHUNK, PROT_READ | PROT_WRITE), -1);
	assert_memory_equal(at, copy, 9 * PAGE);
	assert_memory_equal(at + 10 * PAGE, copy + 10 * PAGE, 2 * CHUNK - 10 * PAGE);
	assert_memory_equal(at + 3 * CHUNK, copy + 3 * CHUNK, range.bytes - 3 * CHUNK);
	assert_false(is_readable(at + 9 * PAGE));
	assert_false(is_readable(at + 2 * CHUNK + CHUNK / 2));
	assert_int_equal(mprotect(range.base, range.span, PROT_READ), 0);
	assert_same(&range, copy);
	range_end(&range);
	free(copy);
}

/* Moves one chunk to where it is aligned, and one to where it is not. */
static void test_parts_are_moved_A(void **state)
{
	struct fixture *map = *state;
	struct range range = fill_range(map);
	u8 *copy = copy_of(&range), *at = (u8 *)range.at;
	u8 *room = mmap(NULL, 4 * CHUNK, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	u8 *to = room + (CHUNK - (uintptr_t)room % CHUNK);

	assert_ptr_not_equal(room, MAP_FAILED);
	assert_ptr_equal(mremap(at, CHUNK, CHUNK, MREMAP_MAYMOVE | MREMAP_FIXED, to), to);
	assert_memory_equal(to, copy, CHUNK);
	to += CHUNK + PAGE;
	assert_ptr_equal(mremap(at + 2 * CHUNK, CHUNK, CHUNK, MREMAP_MAYMOVE | MREMAP_FIXED, to),
			 to);
	assert_memory_equal(to, copy + 2 * CHUNK, CHUNK);
	assert_memory_equal(at + CHUNK, copy + CHUNK, CHUNK);
	assert_memory_equal(at + 3 * CHUNK, copy + 3 * CHUNK, range.bytes - 3 * CHUNK);
	empty_map(map->fd);
	munmap(room, 4 * CHUNK);
	range_end(&range);
	free(copy);
}

/* Advice: 5 to 26, among them PAGEOUT, COLLAPSE and what this kernel does not know. */
static bool is_harmless(int advice)
{
	return advice >= MADV_DONTNEED && advice <= 26 && advice != MADV_DONTFORK;
}

static void test_advice_changes_nothing_A(void **state)
{
	struct fixture *map = *state;
	struct range range = fill_range(map);
	u8 *copy = copy_of(&range), *at = (u8 *)range.at;
	int advice;

	for (advice = 0; advice <= 26; advice++) {
		if (!is_harmless(advice))
			continue;
		madvise(at + 3 * PAGE, 2 * CHUNK, advice);
		assert_memory_equal(at, copy, 4 * CHUNK);
		madvise(at + 4 * CHUNK, 2 * CHUNK, advice);
		assert_same(&range, copy);
	}
	range_end(&range);
	free(copy);
}

static void test_children_inherit_huge_pages_A(void **state)
{
	struct fixture *map = *state;
	struct range range = fill_range(map);
	u8 *copy = copy_of(&range);
	int status;
	pid_t pid;

	pid = child_start();
	if (!pid) {
		munmap((u8 *)range.at + CHUNK / 2, CHUNK);
		_exit(memcmp(range.at, copy, CHUNK / 2) ||
		      memcmp(range.at + 2 * CHUNK, copy + 2 * CHUNK, range.bytes - 2 * CHUNK));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_same(&range, copy);
	range_end(&range);
	free(copy);
}

static void read_to_the_end(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char buffer[4096];

	while (fd >= 0 && read(fd, buffer, sizeof(buffer)) > 0)
		;
	close(fd);
}

/* The page map's words of a range. */
static void read_pagemap(const struct range *range)
{
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	size_t bytes = range->bytes / PAGE * sizeof(u64);
	void *words = malloc(bytes);
	off_t at = (off_t)((uintptr_t)range->at / PAGE * sizeof(u64));

	assert_int_equal(pread(fd, words, bytes, at), bytes);
	close(fd);
	free(words);
}

static void test_proc_looks_at_huge_pages_A(void **state)
{
	static const char *const clear[] = { "1", "2", "3", "4", "5" };
	struct fixture *map = *state;
	struct range range = fill_range(map);
	u8 *copy = copy_of(&range);
	u8 *core = malloc(range.bytes / PAGE);
	size_t i;

	for (i = 0; i < ARRAY_SIZE(clear); i++) {
		read_to_the_end("/proc/self/smaps");
		read_to_the_end("/proc/self/smaps_rollup");
		read_to_the_end("/proc/self/numa_maps");
		read_pagemap(&range);
		mincore((void *)range.at, range.bytes, core);
		write_text("/proc/self/clear_refs", clear[i]);
		assert_same(&range, copy);
	}
	range_end(&range);
	free(core);
	free(copy);
}

/* ------------------------------------------------------------- threads */

#define THREADS 4
#define ROUNDS	30

/**
 * struct racer - one of the threads
 * @range: what it reads
 * @copy: what it should read
 * @barrier: before and behind each round
 * @wrong: whether it has read anything else
 */
struct racer {
	const struct range *range;
	const u8 *copy;
	pthread_barrier_t *barrier;
	bool wrong;
};

/* All touch the same chunks at the same time, which then are forgotten. */
static void *race(void *data)
{
	struct racer *racer = data;
	const struct range *range = racer->range;
	int round;
	size_t at;

	for (round = 0; round < ROUNDS; round++) {
		pthread_barrier_wait(racer->barrier);
		for (at = 0; at < range->bytes; at += CHUNK / 4)
			racer->wrong |= range->at[at] != racer->copy[at];
		if (pthread_barrier_wait(racer->barrier) == PTHREAD_BARRIER_SERIAL_THREAD)
			madvise((void *)range->at, range->bytes, MADV_DONTNEED);
	}
	return NULL;
}

static void test_threads_fault_together_A_D(void **state)
{
	struct fixture *map = *state;
	struct range range = fill_range(map);
	struct racer racers[THREADS];
	pthread_t threads[THREADS];
	u8 *copy = copy_of(&range);
	pthread_barrier_t barrier;
	int i;

	pthread_barrier_init(&barrier, NULL, THREADS);
	for (i = 0; i < THREADS; i++) {
		racers[i] = (struct racer){ &range, copy, &barrier, false };
		assert_int_equal(pthread_create(&threads[i], NULL, race, &racers[i]), 0);
	}
	for (i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		assert_false(racers[i].wrong);
	}
	pthread_barrier_destroy(&barrier);
	range_end(&range);
	free(copy);
}

/* ------------------------------------------------------------- without huge pages */

#define FAIL_PAGE "/sys/kernel/debug/fail_page_alloc/"

static bool begin_to_fail_huge_allocations(void)
{
	return write_text(FAIL_PAGE "min-order", "9") &&
	       write_text(FAIL_PAGE "ignore-gfp-wait", "N") &&
	       write_text(FAIL_PAGE "task-filter", "Y") && write_text(FAIL_PAGE "verbose", "0") &&
	       write_text(FAIL_PAGE "times", "-1") && write_text(FAIL_PAGE "probability", "100") &&
	       write_text("/proc/self/make-it-fail", "1");
}

/* Small ones never fail, not even while this is undone. */
static bool cease_to_fail_huge_allocations(void)
{
	return write_text("/proc/self/make-it-fail", "0") &&
	       write_text(FAIL_PAGE "probability", "0") && write_text(FAIL_PAGE "times", "1") &&
	       write_text(FAIL_PAGE "min-order", "1");
}

/* Where no 2 MiB are in one piece, small pages do, and nobody is told. */
static void test_fragmented_memory_A_F(void **state)
{
	struct fixture *map = *state;
	struct range range;

	if (!begin_to_fail_huge_allocations())
		skip_for("needs CONFIG_FAIL_PAGE_ALLOC, with debugfs");
	put_entries(map->fd);
	range = fill_range(map);
	assert_true(cease_to_fail_huge_allocations());
	assert_int_equal(huge_bytes(map), 0);
	get_entries(map->name);
	assert_true(faults_of(&range) > 2 * full_chunks(map));
	range_end(&range);
}

/* The parameter decides on chunks to come; those that are there stay as they are. */
static void test_huge_and_small_side_by_side_A(void **state)
{
	struct fixture *map = *state;
	struct range huge = fill_range(map), both, small;
	int pin = map_pin(map->fd); /* nothing is given back meanwhile */
	u64 before = huge_bytes(map);

	assert_true(pin >= 0);
	assert_true(set_huge(false));
	fill_map(map->fd, HUGE_BYTE - 1);
	assert_int_equal(huge_bytes(map), before);
	both = range_of(map);
	assert_true(both.bytes > huge.bytes + huge.bytes / 2);
	small = small_range_of(map);
	assert_memory_equal(both.at, small.at, both.bytes);
	assert_memory_equal(huge.at, small.at, both.bytes); /* mapped before it grew */
	assert_int_equal(reachable_blocks(map->fd),
			 sysfs_value(map->name, "used_blocks") -
				 sysfs_value(map->name, "retired_blocks"));
	range_end(&huge);
	range_end(&both);
	range_end(&small);
	close(pin);
}

static const struct CMUnitTest tests[] = {
	huge_test(test_chunk_takes_one_fault_I),
	huge_test(test_chunk_takes_one_fault_through_a_pin_I),
	small_test(test_small_chunk_takes_a_fault_in_64_KiB_I),
	huge_test(test_populated_mapping_does_not_fault),
	huge_test(test_library_reads_huge_chunks_A_I),
	small_test(test_library_reads_small_chunks_A_I),
	huge_test(test_small_pages_show_the_same_A),
	huge_test(test_crooked_mappings_show_the_same_A),
	huge_test(test_parts_are_unmapped_A),
	huge_test(test_parts_are_protected_A),
	huge_test(test_parts_are_moved_A),
	huge_test(test_advice_changes_nothing_A),
	huge_test(test_children_inherit_huge_pages_A),
	huge_test(test_proc_looks_at_huge_pages_A),
	huge_test(test_threads_fault_together_A_D),
	huge_test(test_fragmented_memory_A_F),
	huge_test(test_huge_and_small_side_by_side_A),
	plain_test(test_nothing_is_left_G),
};

int main(void)
{
	return cmocka_run_group_tests_name("huge", tests, NULL, NULL);
}

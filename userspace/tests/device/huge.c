// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * huge.c - maps whose chunks of 2 MiB are one page each
 */
#include <sys/mman.h>
#include <sys/resource.h>

#include "huge.h"

#define VALUE_BYTES 100000
#define LIMIT	    (200 * MIB)

static u32 values(void)
{
	return is_slow() ? 200 : 400;
}

bool write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t length = strlen(text);
	bool done = fd >= 0 && write(fd, text, length) == length;

	if (fd >= 0)
		close(fd);
	return done;
}

bool set_huge(bool huge)
{
	return write_text("/sys/module/snapmap/parameters/huge", huge ? "Y" : "N");
}

void make_room(void)
{
	write_text("/proc/sys/vm/drop_caches", "3");
	write_text("/proc/sys/vm/compact_memory", "1");
}

/* Free memory in pieces of a chunk or more. The columns count pieces of 1, 2, 4, ... pages. */
static u64 bytes_in_chunks(void)
{
	FILE *file = fopen("/proc/buddyinfo", "re");
	u64 bytes = 0, count;
	int node, column;

	while (file && fscanf(file, " Node %d, zone %*s", &node) == 1)
		for (column = 0; fscanf(file, "%llu", &count) == 1; column++)
			bytes += PAGE << column < CHUNK ? 0 : count * (PAGE << column);
	if (file)
		fclose(file);
	return bytes;
}

void fill_map(int fd, u8 byte)
{
	struct batch batch = { .data = NULL };
	u8 *value = malloc(VALUE_BYTES);
	u32 key;

	memset(value, byte, VALUE_BYTES);
	for (key = 0; key < values(); key++)
		batch_put(&batch, &key, sizeof(key), value, VALUE_BYTES);
	assert_int_equal(batch_commit(fd, &batch, 0, NULL), 0);
	batch_free(&batch);
	free(value);
}

void empty_map(int fd)
{
	struct batch none = { .data = NULL };

	assert_int_equal(batch_commit(fd, &none, SNAPMAP_COMMIT_REPLACE, NULL), 0);
}

u64 huge_bytes(const struct fixture *map)
{
	return sysfs_value(map->name, "huge_bytes");
}

#define TAG_BLOCKS (SNAPMAP_REGION_BLOCKS * SNAPMAP_BLOCK_GRANULES / SNAPMAP_BLOCK_SIZE)

u64 full_chunks(const struct fixture *map)
{
	struct snapmap_info info;

	assert_info(map->fd, &info);
	/* Tags are neither used nor free. */
	return (info.used_blocks + info.free_blocks) / (SNAPMAP_REGION_BLOCKS - TAG_BLOCKS);
}

bool has_shrunk(void *map)
{
	const struct fixture *fixture = map;

	return sysfs_value(fixture->name, "resident_bytes") < MIB && !huge_bytes(fixture);
}

/* ------------------------------------------------------------- ranges */

struct range range_of(const struct fixture *map)
{
	struct range range = { .bytes = full_chunks(map) * CHUNK };

	range.base = (u8 *)map_mapping(map->fd, &range.span);
	assert_non_null(range.base);
	range.at = range.base + CHUNK;
	return range;
}

struct range small_range_of(const struct fixture *map)
{
	struct range range = range_of(map);

	assert_int_equal(madvise(range.base, range.span, MADV_NOHUGEPAGE), 0);
	return range;
}

struct range fill_range(const struct fixture *map)
{
	fill_map(map->fd, HUGE_BYTE);
	assert_true(full_chunks(map) > values() * 15 / 400);
	return range_of(map);
}

u8 *copy_of(const struct range *range)
{
	u8 *copy = malloc(range->bytes);

	memcpy(copy, range->at, range->bytes);
	return copy;
}

void assert_same(const struct range *range, const u8 *copy)
{
	assert_memory_equal(range->at, copy, range->bytes);
}

void range_end(const struct range *range)
{
	munmap(range->base, range->span);
}

/* ------------------------------------------------------------- faults */

u64 faults_so_far(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_minflt;
}

u64 faults_of(const struct range *range)
{
	u64 before = faults_so_far();
	size_t at;

	for (at = 0; at < range->bytes; at += PAGE)
		*(const volatile u8 *)(range->at + at);
	return faults_so_far() - before;
}

u64 faults_allowed(const struct fixture *map)
{
	u64 huge = huge_bytes(map) / CHUNK;

	return huge + (full_chunks(map) - huge) * (CHUNK / AROUND) + FAULTS_SLACK;
}

/* ------------------------------------------------------------- fixtures */

int setup_small(void **state)
{
	return set_huge(false) ? fixture_new(state, LIMIT) : -1;
}

int setup_huge(void **state)
{
	if (bytes_in_chunks() < LIMIT)
		make_room();
	return set_huge(true) ? fixture_new(state, LIMIT) : -1;
}

int huge_teardown(void **state)
{
	set_huge(true);
	return fixture_teardown(state);
}

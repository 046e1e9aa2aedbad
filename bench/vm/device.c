// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * device.c - snapmap: the mapped reader, the GET ioctl, and commits
 */
#include <errno.h>
#include <fcntl.h>
#include <libsnapmap.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "vm.h"

#define TABLE "bench-vm"
#define LOAD  "bench-vm-load"
#define LIMIT (800ULL << 20)

/* Commits between two looks at what awaits reclaim. */
#define GROUP 10

#define BURST 100

/* Retired blocks beyond which a steady stream waits for quarantines to end. */
#define RETIRED_MOST(keys) (2000 + 600 * (keys))

static struct snapmap *map;

static struct snapmap *create(const char *name)
{
	const struct snapmap_create_opts opts = { .limit = LIMIT, .mode = 0600 };
	struct snapmap *new;
	int err = snapmap_create(name, &opts);

	if (!err)
		err = snapmap_open(name, O_RDWR, &new);
	if (err)
		die("%s: %s", name, strerror(-err));
	return new;
}

static void put(struct snapmap_batch *batch, size_t key, uint64_t version)
{
	uint8_t value[VALUE_BYTES];

	value_of(key, version, value);
	if (snapmap_batch_put(batch, key_at(key), sizeof(struct key), value, sizeof(value)))
		die("no memory");
}

static uint64_t commit(struct snapmap *to, const struct snapmap_batch *batch)
{
	struct snapmap_commit_result result;
	int err = snapmap_commit(to, batch, NULL, &result);

	if (err)
		die("commit: %s", strerror(-err));
	return result.blocks_copied;
}

/* Returns the ns that the commit has taken, without what it takes to make the batch. */
static double fill(struct snapmap *to, size_t entries)
{
	struct snapmap_batch *batch = snapmap_batch_new();
	double start;
	size_t i;

	for (i = 0; i < entries; i++)
		put(batch, i, 0);
	start = now_ns();
	commit(to, batch);
	start = now_ns() - start;
	snapmap_batch_free(batch);
	return start;
}

void device_open_table(size_t entries)
{
	map = create(TABLE);
	fill(map, entries);
}

void device_close(void)
{
	snapmap_close(map);
	snapmap_destroy(TABLE);
}

double device_load(const struct scale *scale, void *unused)
{
	struct snapmap *fresh = create(LOAD);
	double span = fill(fresh, scale->entries);

	(void)unused;
	snapmap_close(fresh);
	snapmap_destroy(LOAD);
	return span;
}

static void expect(size_t found, size_t want)
{
	if (found != want)
		die("snapmap finds %zu of %zu", found, want);
}

double device_get_mapped(const struct scale *scale, void *first_key)
{
	size_t first = *(size_t *)first_key, found = 0, i;
	uint8_t value[VALUE_BYTES];
	double start = now_ns();

	for (i = 0; i < scale->gets; i++)
		found += !snapmap_get(map, key_at(first + key_order(i)), sizeof(struct key), value,
				      sizeof(value), NULL);
	start = now_ns() - start;
	expect(found, first ? 0 : scale->gets);
	return start / (double)scale->gets;
}

double device_get_ioctl(const struct scale *scale, void *first_key)
{
	size_t first = *(size_t *)first_key, found = 0, i;
	int fd = snapmap_fd(map);
	uint8_t value[VALUE_BYTES];
	struct snapmap_get args;
	double start = now_ns();

	for (i = 0; i < scale->gets; i++) {
		args = (struct snapmap_get){
			.key = (uintptr_t)key_at(first + key_order(i)),
			.key_len = sizeof(struct key),
			.value = (uintptr_t)value,
			.value_len = sizeof(value),
		};
		found += !ioctl(fd, SNAPMAP_IOC_GET, &args);
	}
	start = now_ns() - start;
	expect(found, first ? 0 : scale->gets);
	return start / (double)scale->gets;
}

static uint64_t commit_keys(struct snapmap_batch *batch, size_t keys)
{
	static uint64_t next;
	size_t i;

	snapmap_batch_clear(batch);
	for (i = 0; i < keys; i++, next++)
		put(batch, key_order(next), next);
	return commit(map, batch);
}

double device_commit(const struct scale *scale, void *keys)
{
	struct snapmap_batch *batch = snapmap_batch_new();
	size_t count = *(size_t *)keys, commits = scale->keys_committed / count, i;
	double start = now_ns();

	for (i = 0; i < commits; i++)
		commit_keys(batch, count);
	start = now_ns() - start;
	snapmap_batch_free(batch);
	return start / (double)commits;
}

/*
 * Who makes more commits in the time of a quarantine than before needs more memory. An
 * empty commit retires nothing.
 */
static void wait_for_reclaim(struct snapmap_batch *batch, size_t keys)
{
	struct snapmap_info info;

	snapmap_batch_clear(batch);
	while (!snapmap_info(map, &info) && info.retired_blocks > RETIRED_MOST(keys)) {
		usleep(2000);
		commit(map, batch);
	}
}

static uint64_t stream(struct snapmap_batch *batch, size_t keys, size_t commits,
		       struct counters *total)
{
	uint64_t blocks = 0;
	size_t i, j;

	for (i = 0; i < commits; i += GROUP) {
		counters_begin();
		for (j = 0; j < GROUP; j++)
			blocks += commit_keys(batch, keys);
		counters_end(total);
		wait_for_reclaim(batch, keys);
	}
	return blocks;
}

void device_count(const struct scale *scale, size_t keys)
{
	struct snapmap_batch *batch = snapmap_batch_new();
	size_t commits = scale->stream / (keys > 1 ? 10 : 1);
	struct counters total = { 0 };
	uint64_t blocks;
	size_t i;
	char op[64];

	for (i = 0; i < BURST; i++)
		commit_keys(batch, keys); /* what follows needs less than this */
	stream(batch, keys, commits / 4, &total);
	total = (struct counters){ 0 };
	blocks = stream(batch, keys, commits, &total);
	snprintf(op, sizeof(op), "commit of %zu", keys);
	printf("steady stream, %zu entries: each %s takes\n", scale->entries, op);
	print_count(scale, op, "blocks copied", (double)blocks / (double)commits);
	print_count(scale, op, "allocations", (double)total.allocations / (double)commits);
	print_count(scale, op, "system calls", (double)total.calls / (double)commits);
	snapmap_batch_free(batch);
}

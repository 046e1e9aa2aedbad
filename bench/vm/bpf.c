// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * bpf.c - the kernel's own table: a BPF hash, by one system call an entry
 */
#include <errno.h>
#include <linux/bpf.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "vm.h"

static int table = -1;

static long bpf(int command, union bpf_attr *attr)
{
	return syscall(SYS_bpf, command, attr, sizeof(*attr));
}

static int create(size_t entries)
{
	const struct rlimit all = { RLIM_INFINITY, RLIM_INFINITY };
	union bpf_attr attr = {
		.map_type = BPF_MAP_TYPE_HASH,
		.key_size = sizeof(struct key),
		.value_size = VALUE_BYTES,
		.max_entries = entries,
	};

	setrlimit(RLIMIT_MEMLOCK, &all);
	return (int)bpf(BPF_MAP_CREATE, &attr);
}

static void put(int fd, size_t key, uint64_t version)
{
	uint8_t value[VALUE_BYTES];
	union bpf_attr attr = {
		.map_fd = fd,
		.key = (uintptr_t)key_at(key),
		.value = (uintptr_t)value,
	};

	value_of(key, version, value);
	if (bpf(BPF_MAP_UPDATE_ELEM, &attr))
		die("BPF_MAP_UPDATE_ELEM: %s", strerror(errno));
}

static void fill(int fd, size_t entries)
{
	size_t i;

	for (i = 0; i < entries; i++)
		put(fd, i, 0);
}

bool bpf_open_table(size_t entries)
{
	table = create(entries);
	if (table < 0) {
		printf("bpf(2) is not allowed here: %s\n", strerror(errno));
		return false;
	}
	fill(table, entries);
	return true;
}

void bpf_close(void)
{
	if (table >= 0)
		close(table);
}

double bpf_get(const struct scale *scale, void *first_key)
{
	uint8_t value[VALUE_BYTES];
	size_t first = *(size_t *)first_key, found = 0, i;
	union bpf_attr attr = { .map_fd = table, .value = (uintptr_t)value };
	double start = now_ns();

	for (i = 0; i < scale->gets; i++) {
		attr.key = (uintptr_t)key_at(first + key_order(i));
		found += !bpf(BPF_MAP_LOOKUP_ELEM, &attr);
	}
	start = now_ns() - start;
	if (found != (first ? 0 : scale->gets))
		die("bpf(2) finds %zu of %zu", found, scale->gets);
	return start / (double)scale->gets;
}

/* One by one: it has no commit of several. */
double bpf_commit(const struct scale *scale, void *keys)
{
	static uint64_t version;
	size_t count = *(size_t *)keys, commits = scale->keys_committed / count, i;
	double start = now_ns();

	for (i = 0; i < commits * count; i++)
		put(table, key_order(version + i), version + 1);
	version += i;
	return (now_ns() - start) / (double)commits;
}

double bpf_load(const struct scale *scale, void *unused)
{
	int fd = create(scale->entries);
	double start = now_ns();

	(void)unused;
	fill(fd, scale->entries);
	start = now_ns() - start;
	close(fd);
	return start;
}

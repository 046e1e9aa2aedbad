// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * snapmap_store.c - the module's own table, arena and commit code over a memfd
 *
 * The arena's chunks lie at their own offsets in one large mapping of the memfd, which takes
 * address space and no memory until a chunk is used. Readers map the memfd again, so nobody reads in
 * the kernel, and no grace period of RCU is waited for. The kernel's time is the real one.
 */
#include "snapmap_store.h"

#include <stdio.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "../kmod/commit.h"
#include "../kmod/reclaim.h"
#include "../kmod/snapshot.h"
#include "snapmap_blocks.h"

#define HUGE_PAGE ((size_t)2 << 20)

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

long shim_fail_alloc = -1;
unsigned long shim_grace_periods;
u64 shim_now_ns;

/*
 * One mapping; @base is aligned to a huge page. @pace_ns: time that passes from one commit to the
 * next, or 0 when it is the real time that passes.
 */
struct bench_store {
	struct snapmap_store store;
	int fd;
	int huge;
	u8 *base;
	u64 pace_ns;
};

static struct bench_store *owner(struct snapmap_arena *arena)
{
	return container_of(arena, struct bench_store, store.arena);
}

/* A range without a single page is not collapsed. */
static void collapse(u8 *data, size_t bytes)
{
	*(volatile u8 *)data = 0;
	madvise(data, bytes, MADV_COLLAPSE);
}

/* Where the system gives no huge pages by itself it does when asked; or else it goes without. */
static void *chunk_alloc(struct snapmap_arena *arena, size_t offset, size_t bytes)
{
	u8 *data = owner(arena)->base + offset; /* a hole until now, which reads as zeroes */

	if (owner(arena)->huge && bytes == HUGE_PAGE)
		collapse(data, bytes);
	return data;
}

static void chunk_shown(struct snapmap_arena *arena, size_t offset, size_t bytes)
{
	(void)arena;
	(void)offset;
	(void)bytes;
}

static void chunk_free(struct snapmap_arena *arena, void *data, size_t offset, size_t bytes)
{
	(void)arena;
	(void)offset;
	madvise(data, bytes, MADV_REMOVE);
}

static const struct snapmap_backing memfd_backing = {
	.alloc = chunk_alloc,
	.shown = chunk_shown,
	.free = chunk_free,
};

static void pass_time(const struct bench_store *store)
{
	struct timespec now;

	if (store->pace_ns) {
		shim_now_ns += store->pace_ns;
		return;
	}

	clock_gettime(CLOCK_MONOTONIC, &now);
	shim_now_ns = (u64)now.tv_sec * NSEC_PER_SEC + (u64)now.tv_nsec;
}

/* Address space for @span bytes, aligned to a huge page, with the memfd in it. */
static u8 *map_aligned(int fd, size_t span)
{
	u8 *space = mmap(NULL, span + HUGE_PAGE, PROT_NONE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	u8 *base;

	if (space == MAP_FAILED)
		return NULL;
	base = (u8 *)ALIGN((uintptr_t)space, HUGE_PAGE);
	if (mmap(base, span, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE | MAP_FIXED, fd,
		 0) == MAP_FAILED)
		return NULL;
	return base;
}

/* More than the arena can ever be, for it is mapped before its span is known. */
static int open_memory(struct bench_store *store, size_t span)
{
	store->fd = memfd_create("snapmap-bench", MFD_CLOEXEC);
	if (store->fd < 0 || ftruncate(store->fd, (off_t)span))
		return -ENOMEM;
	store->base = map_aligned(store->fd, span);
	if (!store->base)
		return -ENOMEM;
	madvise(store->base, span, store->huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
	return 0;
}

/**
 * bench_store_new() - an empty map
 * @limit: its memory limit
 * @huge: ask for pages of 2 MiB
 *
 * Return: the map, or NULL.
 */
struct bench_store *bench_store_new(uint64_t limit, int huge)
{
	struct bench_store *store = calloc(1, sizeof(*store));
	size_t span = ALIGN(limit, HUGE_PAGE) * 4 + HUGE_PAGE;

	if (!store)
		return NULL;
	store->huge = huge;
	pass_time(store);
	if (open_memory(store, span) || snapmap_store_init(&store->store, "bench", &memfd_backing,
							   limit, 0x9e3779b97f4a7c15ULL, 1)) {
		free(store);
		return NULL;
	}
	if (bench_store_span(store) > span) {
		fprintf(stderr, "bench: a span of %llu bytes was not expected\n",
			(unsigned long long)bench_store_span(store));
		abort();
	}
	return store;
}

/**
 * bench_store_free() - end a map
 * @store: the map; nobody reads it any more
 */
void bench_store_free(struct bench_store *store)
{
	snapmap_store_exit(&store->store);
	close(store->fd);
	munmap(store->base, ALIGN(store->store.arena.limit, HUGE_PAGE) * 4 + HUGE_PAGE);
	free(store);
}

int bench_store_fd(const struct bench_store *store)
{
	return store->fd;
}

uint64_t bench_store_span(const struct bench_store *store)
{
	return store->store.control->span;
}

/**
 * bench_store_commit() - all that the COMMIT ioctl does behind the system call
 * @store: the map
 * @ops: a batch
 * @bytes: its length
 * @replace: whether it replaces what there is
 *
 * Return: 0 or a negative errno.
 */
int bench_store_commit(struct bench_store *store, const void *ops, size_t bytes, int replace)
{
	struct snapmap_commit commit = {
		.flags = replace ? SNAPMAP_COMMIT_REPLACE : 0,
		.ops = (uintptr_t)ops,
		.ops_bytes = bytes,
	};

	pass_time(store);
	return snapmap_commit(&store->store, &commit);
}

/**
 * bench_store_settle() - what the module's reclaim work does a second after a commit
 * @store: the map
 */
void bench_store_settle(struct bench_store *store)
{
	pass_time(store);
	shim_now_ns += NSEC_PER_SEC;
	mutex_lock(&store->store.lock);
	while (snapmap_reclaim(&store->store, SNAPMAP_RECLAIM_QUARANTINE))
		;
	mutex_unlock(&store->store.lock);
	pass_time(store);
}

/**
 * bench_store_pace() - let a time of its own pass
 * @store: the map
 * @ns: from one commit to the next; 0 for the real time
 */
void bench_store_pace(struct bench_store *store, uint64_t ns)
{
	store->pace_ns = ns;
}

/**
 * bench_store_differing() - blocks of a pinned snapshot that the current one has not
 * @store: the map
 * @pin: what bench_store_pin() returned
 */
uint64_t bench_store_differing(struct bench_store *store, const void *pin)
{
	const struct snapmap_snapshot *snapshot = pin;

	return bench_blocks_only_in(&store->store.arena, snapshot->root, store->store.table.root);
}

void *bench_store_pin(struct bench_store *store)
{
	void *pin = snapmap_snapshot_pin(&store->store, 0);

	return IS_ERR(pin) ? NULL : pin;
}

void bench_store_unpin(struct bench_store *store, void *pin)
{
	snapmap_snapshot_unpin(&store->store, pin);
}

void bench_store_info(struct bench_store *store, struct bench_store_info *info)
{
	struct snapmap_info told = { 0 };

	snapmap_store_info(&store->store, &told);
	info->resident = told.resident_bytes;
	info->used_blocks = told.used_blocks;
	info->retired_blocks = told.retired_blocks;
	info->pinned_blocks = told.pinned_blocks;
	info->blocks_copied = told.blocks_copied;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * snapmap_store.h - the module's side of a map, in this process
 */
#ifndef BENCH_SNAPMAP_STORE_H
#define BENCH_SNAPMAP_STORE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct bench_store;

/**
 * struct bench_store_info - what a store takes
 * @resident: bytes of memory, bookkeeping included
 * @used_blocks: blocks in use
 * @retired_blocks: blocks that wait for reuse
 * @pinned_blocks: those among them that pins hold back
 * @blocks_copied: by all commits so far
 */
struct bench_store_info {
	uint64_t resident;
	uint64_t used_blocks;
	uint64_t retired_blocks;
	uint64_t pinned_blocks;
	uint64_t blocks_copied;
};

struct bench_store *bench_store_new(uint64_t limit, int huge);
void bench_store_free(struct bench_store *store);
int bench_store_fd(const struct bench_store *store);
uint64_t bench_store_span(const struct bench_store *store);
int bench_store_commit(struct bench_store *store, const void *ops, size_t bytes, int replace);
void bench_store_settle(struct bench_store *store);
void bench_store_pace(struct bench_store *store, uint64_t ns);
uint64_t bench_store_differing(struct bench_store *store, const void *pin);
void *bench_store_pin(struct bench_store *store);
void bench_store_unpin(struct bench_store *store, void *pin);
void bench_store_info(struct bench_store *store, struct bench_store_info *info);

#ifdef __cplusplus
}
#endif

#endif /* BENCH_SNAPMAP_STORE_H */

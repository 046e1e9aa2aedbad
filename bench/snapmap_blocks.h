/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#ifndef BENCH_SNAPMAP_BLOCKS_H
#define BENCH_SNAPMAP_BLOCKS_H

#include <stdint.h>

struct snapmap_arena;

uint64_t bench_blocks_only_in(const struct snapmap_arena *arena, uint64_t root, uint64_t other);

#endif /* BENCH_SNAPMAP_BLOCKS_H */

/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * snapmap_reader.h - a map of the library over a memfd instead of a device
 */
#ifndef BENCH_SNAPMAP_READER_H
#define BENCH_SNAPMAP_READER_H

#include <libsnapmap.h>

#ifdef __cplusplus
extern "C" {
#endif

struct snapmap *bench_reader_new(int fd, uint64_t span, int huge);
void bench_reader_free(struct snapmap *map);
const void *bench_batch_ops(const struct snapmap_batch *batch);

#ifdef __cplusplus
}
#endif

#endif /* BENCH_SNAPMAP_READER_H */

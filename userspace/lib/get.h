/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * get.h - look-ups, one by one and many at once
 *
 * What a look-up does in the likely case is compiled for several kinds of CPU (lookups.h),
 * and which of them is taken is known when the library is loaded.
 */
#ifndef SNAPMAP_GET_H
#define SNAPMAP_GET_H

#include "map.h"

/* More than fit into what a core can wait for at once bring nothing. */
#define SNAPMAP_GROUP 16

/**
 * struct snapmap_source - what many look-ups look into
 * @view: the map's mapping
 * @version: the version
 * @root: its root word
 * @directory: its directory's word as long as it is the current version; or 0
 */
struct snapmap_source {
	const struct snapmap_view *view;
	u64 version;
	u64 root;
	u64 directory;
};

typedef int snapmap_get_fn(const struct snapmap *map, const void *key, size_t key_len, void *buf,
			   size_t cap, struct snapmap_found *found);

/**
 * struct snapmap_lookups - look-ups, compiled for one kind of CPU
 * @get_8: as snapmap_get(), for keys of 8 bytes
 * @get_16: for keys of 16 bytes
 * @get_any_len: for keys of any length
 * @get_group: looks up to SNAPMAP_GROUP keys up, and returns how many there are
 */
struct snapmap_lookups {
	snapmap_get_fn *get_8;
	snapmap_get_fn *get_16;
	snapmap_get_fn *get_any_len;
	size_t (*get_group)(const struct snapmap_source *from, struct snapmap_query *queries,
			    size_t count);
};

#define SNAPMAP_HIDDEN __attribute__((visibility("hidden")))

extern const struct snapmap_lookups snapmap_lookups_any SNAPMAP_HIDDEN;
#if defined(__x86_64__) && !defined(__clang__) /* which has no such pragma */
#define SNAPMAP_LOOKUPS_AVX2
extern const struct snapmap_lookups snapmap_lookups_avx2 SNAPMAP_HIDDEN;
#endif

/* Those that are taken. */
extern const struct snapmap_lookups *snapmap_lookups SNAPMAP_HIDDEN;

snapmap_get_fn snapmap_get_otherwise SNAPMAP_HIDDEN;
int snapmap_get_at(const struct snapmap_view *view, u64 root, u64 hash, const void *key,
		   size_t key_len, void *buf, size_t cap,
		   struct snapmap_found *found) SNAPMAP_HIDDEN;

#endif /* SNAPMAP_GET_H */

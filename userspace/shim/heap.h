/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * heap.h - backs an arena with the C library's heap, a piece for each chunk, so
 * that a sanitizer sees every access past a chunk's end
 */
#ifndef SNAPMAP_SHIM_HEAP_H
#define SNAPMAP_SHIM_HEAP_H

#include "../../kmod/arena.h"
#include "shim.h"

static inline void *heap_alloc(struct snapmap_arena *arena, size_t offset, size_t bytes)
{
	void *data;

	(void)arena;
	(void)offset;
	if (shim_should_fail())
		return NULL;
	data = aligned_alloc(4096, bytes);
	/* Blocks come with any content: let nobody rely on zeroes. */
	if (data)
		memset(data, offset ? 0xa5 : 0, bytes);
	return data;
}

static inline void heap_shown(struct snapmap_arena *arena, size_t offset, size_t bytes)
{
	(void)arena;
	(void)offset;
	(void)bytes;
}

static inline void heap_free(struct snapmap_arena *arena, void *data, size_t offset, size_t bytes)
{
	(void)arena;
	(void)offset;
	(void)bytes;
	free(data);
}

static const struct snapmap_backing heap_backing = {
	.alloc = heap_alloc,
	.shown = heap_shown,
	.free = heap_free,
};

#endif /* SNAPMAP_SHIM_HEAP_H */

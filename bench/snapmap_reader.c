// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * snapmap_reader.c - opens a memfd as the library opens a device; all after that is the
 * library's own code
 */
#include "snapmap_reader.h"

#include <stdlib.h>
#include <sys/mman.h>

#include "../userspace/lib/batch.h"
#include "../userspace/lib/map.h"

#define HUGE_PAGE ((size_t)2 << 20)

/* The device's mappings are aligned by the kernel; those of a memfd need not be. */
static int align(struct snapmap_mapping *mapping, size_t span)
{
	u8 *space = mmap(NULL, span + HUGE_PAGE, PROT_NONE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	u8 *base;

	if (space == MAP_FAILED)
		return -1;
	base = (u8 *)(((uintptr_t)space + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1));
	if (mremap((void *)mapping->view.base, span, span, MREMAP_MAYMOVE | MREMAP_FIXED, base) ==
	    MAP_FAILED)
		return -1;
	mapping->view.base = base;
	return 0;
}

struct snapmap *bench_reader_new(int fd, uint64_t span, int huge)
{
	struct snapmap *map = malloc(sizeof(*map));

	if (!map)
		return NULL;
	map->fd = fd;
	if (snapmap_mapping_new(fd, span, &map->mapping) || align(map->mapping, span)) {
		free(map);
		return NULL;
	}
	madvise((void *)map->mapping->view.base, span, huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
	return map;
}

void bench_reader_free(struct snapmap *map)
{
	snapmap_mapping_put(map->mapping);
	free(map);
}

const void *bench_batch_ops(const struct snapmap_batch *batch)
{
	return batch->ops;
}

// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * mapping.c - the mmap of a map, shared by the map and its snapshots
 *
 * Snapshots pinned through a map use the map's own mapping: all snapshots of a
 * map live in one arena, and a pin then costs no mmap. Whoever lets go last
 * unmaps it.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "mapping.h"

static int check_control(const struct snapmap_control *control, u64 span)
{
	if (control->magic != SNAPMAP_LAYOUT_MAGIC || control->span != span ||
	    control->layout_version != SNAPMAP_LAYOUT_VERSION ||
	    control->hash_kind != SNAPMAP_HASH_FOLD)
		return -EPROTONOSUPPORT;
	return 0;
}

/**
 * snapmap_mapping_new() - map a map or a pin
 * @fd: its descriptor
 * @span: the span that it reports
 * @out: the mapping, with one reference
 *
 * Return: 0, -EPROTONOSUPPORT, what mmap() says.
 */
int snapmap_mapping_new(int fd, u64 span, struct snapmap_mapping **out)
{
	struct snapmap_mapping *mapping;
	void *base;
	int err;

	mapping = malloc(sizeof(*mapping));
	if (!mapping)
		return -ENOMEM;
	base = mmap(NULL, span, PROT_READ, MAP_SHARED | MAP_NORESERVE, fd, 0);
	if (base == MAP_FAILED) {
		err = -errno;
		free(mapping);
		return err;
	}
	mapping->view = snapmap_view_of(base, span >> SNAPMAP_BLOCK_SHIFT);
	mapping->refs = 1;
	err = check_control(base, span);
	if (err) {
		snapmap_mapping_put(mapping);
		return err;
	}
	*out = mapping;
	return 0;
}

/**
 * snapmap_mapping_get() - use a mapping once more
 * @mapping: the mapping, on which the caller has a reference
 *
 * Return: @mapping.
 */
struct snapmap_mapping *snapmap_mapping_get(struct snapmap_mapping *mapping)
{
	__atomic_fetch_add(&mapping->refs, 1, __ATOMIC_RELAXED);
	return mapping;
}

/**
 * snapmap_mapping_put() - end one use of a mapping
 * @mapping: the mapping
 */
void snapmap_mapping_put(struct snapmap_mapping *mapping)
{
	/* Ordered between this process's own threads; the kernel has no part in it. */
	if (__atomic_sub_fetch(&mapping->refs, 1, __ATOMIC_ACQ_REL))
		return;
	munmap((void *)mapping->view.base, mapping->view.bytes);
	free(mapping);
}

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * backing.h - backs an arena in a test that has no map around it
 */
#ifndef SNAPMAP_KUNIT_BACKING_H
#define SNAPMAP_KUNIT_BACKING_H

#include <linux/vmalloc.h>

#include "../kmod/arena.h"

static void *test_alloc(struct snapmap_arena *arena, size_t offset, size_t bytes)
{
	return vzalloc(bytes);
}

static void test_shown(struct snapmap_arena *arena, size_t offset, size_t bytes)
{
}

static void test_free(struct snapmap_arena *arena, void *data, size_t offset, size_t bytes)
{
	vfree(data);
}

static const struct snapmap_backing test_backing = {
	.alloc = test_alloc,
	.shown = test_shown,
	.free = test_free,
};

#endif /* SNAPMAP_KUNIT_BACKING_H */

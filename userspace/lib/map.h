/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#ifndef SNAPMAP_MAP_H
#define SNAPMAP_MAP_H

#include <libsnapmap.h>
#include <sys/ioctl.h>

#include "mapping.h"

/**
 * struct snapmap - an open map
 * @fd: its descriptor
 * @mapping: its mapping
 */
struct snapmap {
	int fd;
	struct snapmap_mapping *mapping;
};

int snapmap_ioctl(int fd, unsigned long request, void *arg);
int snapmap_fd_info(int fd, struct snapmap_info *out);

static inline const struct snapmap_control *snapmap_map_control(const struct snapmap *map)
{
	return snapmap_view_control(&map->mapping->view);
}

/* What the flags do not ask for is ignored; the kernel would refuse it. */
static inline u64 snapmap_if_asked(u32 flags, u32 flag, u64 value)
{
	return flags & flag ? value : 0;
}

#endif /* SNAPMAP_MAP_H */

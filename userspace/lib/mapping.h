/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#ifndef SNAPMAP_MAPPING_H
#define SNAPMAP_MAPPING_H

#include "view.h"

/**
 * struct snapmap_mapping - one mmap of a map's whole span
 * @view: where it is
 * @refs: the map and the snapshots that use it; atomic
 */
struct snapmap_mapping {
	struct snapmap_view view;
	unsigned int refs;
};

int snapmap_mapping_new(int fd, u64 span, struct snapmap_mapping **out);
struct snapmap_mapping *snapmap_mapping_get(struct snapmap_mapping *mapping);
void snapmap_mapping_put(struct snapmap_mapping *mapping);

#endif /* SNAPMAP_MAPPING_H */

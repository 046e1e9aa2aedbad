/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SNAPMAP_FILTER_H
#define SNAPMAP_FILTER_H

#include "table.h"

extern unsigned int snapmap_filter_entries;

void snapmap_filter_new(struct snapmap_build *build, u64 entries);
void snapmap_filter_add(struct snapmap_build *build, u64 hash);
void snapmap_filter_each(struct snapmap_build *build, bool own,
			 void (*visit)(struct snapmap_build *build, u32 block));

#endif /* SNAPMAP_FILTER_H */

/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#ifndef SNAPMAP_PIN_H
#define SNAPMAP_PIN_H

#include <libsnapmap.h>

#include "mapping.h"

/**
 * struct snapmap_snapshot - a pinned snapshot
 * @fd: the pin
 * @root: root word
 * @header: header
 * @mapping: where the blocks are
 */
struct snapmap_snapshot {
	int fd;
	u64 root;
	struct snapmap_header header;
	struct snapmap_mapping *mapping;
};

#endif /* SNAPMAP_PIN_H */

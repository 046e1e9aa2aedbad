/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#ifndef SNAPMAP_BATCH_H
#define SNAPMAP_BATCH_H

#include <libsnapmap.h>

/**
 * struct snapmap_batch - operations to be committed together
 * @ops: records, see struct snapmap_op
 * @bytes: bytes of @ops in use, a multiple of 8
 * @cap: bytes of @ops
 * @count: number of records
 */
struct snapmap_batch {
	unsigned char *ops;
	size_t bytes;
	size_t cap;
	uint64_t count;
};

#endif /* SNAPMAP_BATCH_H */

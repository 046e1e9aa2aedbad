/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SNAPMAP_BATCH_H
#define SNAPMAP_BATCH_H

#include "commit.h"

/**
 * struct snapmap_source - where the bytes of a batch come from
 * @read: gives those from @at on; 0 or an errno. May sleep
 * @will_read: a hint that those from @at on will be read soon. NULL when it is of no use
 * @bytes: how many there are
 *
 * It has no position: a build that is begun anew reads its batch anew.
 */
struct snapmap_source {
	int (*read)(struct snapmap_source *source, u64 at, void *to, u32 bytes);
	void (*will_read)(struct snapmap_source *source, u64 at, u32 bytes);
	u64 bytes;
};

/**
 * struct snapmap_user_source - a batch in the caller's memory
 * @source: set by snapmap_user_source_init()
 * @from: its address
 */
struct snapmap_user_source {
	struct snapmap_source source;
	const u8 __user *from;
};

void snapmap_user_source_init(struct snapmap_user_source *user, u64 address, u64 bytes);
int snapmap_batch_apply(struct snapmap_update *update, void *source);

#endif /* SNAPMAP_BATCH_H */

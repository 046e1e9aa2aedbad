/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SNAPMAP_PART_H
#define SNAPMAP_PART_H

#include <linux/fs.h>

#include "commit.h"
#include "map.h"

/**
 * struct snapmap_part - what a transaction does to one map
 * @map: the map, with a reference
 * @index: its place in the order of TXN and TXN_ADD
 * @batch: file that collects the batch; NULL once it is not needed any more
 * @bytes: length of the batch
 * @update: the commit
 * @puts: as in struct snapmap_txn_info, once prepared
 * @deletes: likewise
 */
struct snapmap_part {
	struct snapmap_map *map;
	u32 index;
	struct file *batch;
	loff_t bytes;
	struct snapmap_update update;
	u64 puts;
	u64 deletes;
};

static inline struct snapmap_store *snapmap_part_store(const struct snapmap_part *part)
{
	return &part->map->store;
}

struct snapmap_part *snapmap_part_new(struct snapmap_map *map, u32 flags, u64 if_version,
				      u64 stamp);
void snapmap_part_free(struct snapmap_part *part);
void snapmap_part_drop_batch(struct snapmap_part *part);
ssize_t snapmap_part_write(struct snapmap_part *part, struct iov_iter *from);
int snapmap_part_build(struct snapmap_part *part, u64 deadline_ns);

#endif /* SNAPMAP_PART_H */

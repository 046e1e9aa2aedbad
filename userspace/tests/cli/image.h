/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * image.h - a snapshot written by hand, after snapmap_layout.h alone
 *
 * Two levels: a top of four slots over three nodes, the first of which stands
 * in two slots (lag 1); four leaves below each node, each in a quarter
 * of the slots. No code of the module has a part in it.
 */
#ifndef SNAPMAP_TESTS_IMAGE_H
#define SNAPMAP_TESTS_IMAGE_H

#include "../../lib/map.h"
#include "../../lib/pin.h"

#define IMAGE_BLOCKS	    1024
#define IMAGE_ENTRIES	    120
#define IMAGE_VERSION	    7
#define IMAGE_TOP	    16u /* block numbers */
#define IMAGE_NODE(n)	    (17u + 4 * (n))
#define IMAGE_NODES	    3u
#define IMAGE_SLOTS	    128u /* of a node */
#define IMAGE_GROUP	    (IMAGE_SLOTS / 4)
#define IMAGE_LEAVES	    12u
#define IMAGE_LEAF(n)	    (32u + 8 * (n))
#define IMAGE_VALUES	    128u /* first block of external values */
#define IMAGE_FILTER	    512u
#define IMAGE_FILTER_RUN(n) (576u + 64 * (n))
#define IMAGE_DIRECTORY	    768u /* of 16 slots */

/**
 * struct image - an arena and the snapshot in it
 * @bytes: the arena, control page included
 * @mapping: as the library sees it
 * @snapshot: the snapshot
 * @next_value: first block that no value uses
 * @used: granules used of each leaf
 * @place: where entry n is, as an offset from @bytes
 */
struct image {
	u8 bytes[IMAGE_BLOCKS << SNAPMAP_BLOCK_SHIFT];
	struct snapmap_mapping mapping;
	struct snapmap_snapshot snapshot;
	u32 next_value;
	u32 used[IMAGE_LEAVES];
	u32 place[IMAGE_ENTRIES];
};

void image_make(struct image *image);
void image_map(struct image *image, struct snapmap *map);
void image_add_filter(struct image *image, struct snapmap *map);
void image_add_directory(struct image *image, struct snapmap *map);
u32 image_key(u32 n, char *key);
u32 image_value_len(u32 n);

static inline void *image_at(struct image *image, u32 block)
{
	return image->bytes + ((size_t)block << SNAPMAP_BLOCK_SHIFT);
}

/* Of a block of the first region. */
static inline u8 *image_tags(struct image *image, u32 block)
{
	return image->bytes + 2048 + 8 * block;
}

/* Whether the leaf of entry @n has @len bytes more behind the key, of whoever's. */
static inline bool image_has_room(const struct image *image, u32 n, u32 len)
{
	u32 at = image->place[n] % (SNAPMAP_LEAF_BLOCKS_MAX << SNAPMAP_BLOCK_SHIFT);

	return at + sizeof(struct snapmap_entry) + 32 + len <= SNAPMAP_LEAF_BLOCKS_MAX
								       << SNAPMAP_BLOCK_SHIFT;
}

static inline struct snapmap_entry *image_entry(struct image *image, u32 n)
{
	return (void *)(image->bytes + image->place[n]);
}

#endif /* SNAPMAP_TESTS_IMAGE_H */

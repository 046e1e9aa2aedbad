// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * image.c - writes the image, the plainest way that the format allows
 *
 * Every entry is put behind the one before it in its leaf, wherever its home
 * may be. All leaves are in the first 64 KiB, and so their tags in the control
 * page.
 */
#include "image.h"

#include <stdio.h>
#include <stdlib.h>

#define IMAGE_SEED 0x0123456789abcdefULL

/**
 * image_key() - a key
 * @n: its number
 * @key: out: 32 bytes
 *
 * Return: its length: 16 for a third of them, 8 for most others.
 */
u32 image_key(u32 n, char *key)
{
	return (u32)snprintf(key, 32, n / 40 == 1 ? "key %012u" : "key %u", n * 31);
}

/**
 * image_value_len() - the length of an entry's value
 * @n: the entry's number
 *
 * Return: 0 for some, a few bytes for most, and two that do not fit in a leaf.
 */
u32 image_value_len(u32 n)
{
	if (n == 5 || n == 50)
		return 1500;
	return n % 7 * 9;
}

static void put_value(struct image *image, struct snapmap_entry *entry, u32 at, u32 n)
{
	struct snapmap_extern *external = (void *)((u8 *)entry + at);

	if (!(entry->value_len & SNAPMAP_ENTRY_EXTERNAL)) {
		memset(external, 'a' + n % 26, entry->value_len);
		return;
	}
	external->block = image->next_value;
	memset(image_at(image, external->block), 'a' + n % 26, image_value_len(n));
	image->next_value += (image_value_len(n) + SNAPMAP_BLOCK_SIZE - 1) >> SNAPMAP_BLOCK_SHIFT;
}

/* The first two bits choose the node, or the first alone; the next two the leaf. */
static u32 leaf_of(u64 hash)
{
	u32 node = hash >> 62 < 2 ? 0 : (u32)(hash >> 62) - 1;
	u32 pos = node ? 2 : 1;

	return node * 4 + (u32)(hash << pos >> 62);
}

static void put_entry(struct image *image, u32 n)
{
	struct snapmap_entry entry = { .version = 2 + n % (IMAGE_VERSION - 1) };
	u32 tail = image_value_len(n);
	u32 at, bytes, granule, leaf, i;
	char key[32];
	u8 *tags, *to;
	u64 hash;

	entry.key_len = (u16)image_key(n, key);
	at = sizeof(entry) + ((entry.key_len + 7u) & ~7u);
	entry.value_len = tail;
	if (at + tail > SNAPMAP_ENTRY_INLINE_MAX) {
		entry.value_len |= SNAPMAP_ENTRY_EXTERNAL;
		tail = sizeof(struct snapmap_extern);
	}
	hash = snapmap_hash(IMAGE_SEED, key, entry.key_len);
	entry.check = (u16)(hash >> 16);
	leaf = leaf_of(hash);
	granule = image->used[leaf];
	bytes = at + tail;
	tags = image_tags(image, IMAGE_LEAF(leaf));
	for (i = 0; i * SNAPMAP_GRANULE_SIZE < bytes; i++)
		tags[granule + i] = i ? SNAPMAP_TAG_CONT : snapmap_hash_tag(hash);
	image->used[leaf] += i;
	if (image->used[leaf] > SNAPMAP_LEAF_BLOCKS_MAX * SNAPMAP_BLOCK_GRANULES)
		abort();
	to = (u8 *)image_at(image, IMAGE_LEAF(leaf)) + (granule << SNAPMAP_GRANULE_SHIFT);
	image->place[n] = (u32)(to - image->bytes);
	memcpy(to, &entry, sizeof(entry));
	memcpy(to + sizeof(entry), key, entry.key_len);
	put_value(image, (void *)to, at, n);
	image->snapshot.header.entries++;
	image->snapshot.header.key_bytes += entry.key_len;
	image->snapshot.header.value_bytes += image_value_len(n);
}

static void put_nodes(struct image *image)
{
	u32 *top = image_at(image, IMAGE_TOP);
	u32 node, slot;
	u32 *slots;

	top[0] = SNAPMAP_REF(IMAGE_NODE(0), 1);
	top[1] = SNAPMAP_REF(IMAGE_NODE(0), 1);
	top[2] = SNAPMAP_REF(IMAGE_NODE(1), 0);
	top[3] = SNAPMAP_REF(IMAGE_NODE(2), 0);
	for (node = 0; node < IMAGE_NODES; node++) {
		slots = image_at(image, IMAGE_NODE(node));
		for (slot = 0; slot < IMAGE_SLOTS; slot++)
			slots[slot] = SNAPMAP_REF(IMAGE_LEAF(node * 4 + slot / IMAGE_GROUP), 7);
	}
}

/**
 * image_make() - make the image anew
 * @image: filled
 */
void image_make(struct image *image)
{
	struct snapmap_control *control = (void *)image->bytes;
	u32 n;

	memset(image, 0, sizeof(*image));
	image->next_value = IMAGE_VALUES;
	control->hash_seed = IMAGE_SEED;
	image->mapping.view = snapmap_view_of(image->bytes, IMAGE_BLOCKS);
	image->mapping.refs = 1;
	image->snapshot.mapping = &image->mapping;
	image->snapshot.root = SNAPMAP_ROOT(IMAGE_TOP, 2, 2);
	image->snapshot.header.version = IMAGE_VERSION;
	put_nodes(image);
	for (n = 0; n < IMAGE_LEAVES; n++)
		image->used[n] = 2; /* behind the tags of eight blocks */
	for (n = 0; n < IMAGE_ENTRIES; n++)
		put_entry(image, n);
}

/**
 * image_map() - the image, made anew, as the current version of a map
 * @image: the image
 * @map: out: the map
 */
void image_map(struct image *image, struct snapmap *map)
{
	struct snapmap_control *control = (void *)image->bytes;

	image_make(image);
	control->layout_version = SNAPMAP_LAYOUT_VERSION;
	control->version = IMAGE_VERSION;
	control->root[IMAGE_VERSION & 1] = image->snapshot.root;
	*map = (struct snapmap){ .fd = -1, .mapping = &image->mapping };
}

/**
 * image_add_filter() - the same with a filter of two runs, which has the bits of all entries
 * @image: the image
 * @map: out: the map
 */
void image_add_filter(struct image *image, struct snapmap *map)
{
	struct snapmap_control *control = (void *)image->bytes;
	u32 *runs = image_at(image, IMAGE_FILTER);
	char key[32];
	u32 n, len;

	image_map(image, map);
	control->filter[IMAGE_VERSION & 1] = IMAGE_FILTER | 1ULL << 32;
	runs[0] = IMAGE_FILTER_RUN(0);
	runs[1] = IMAGE_FILTER_RUN(1);
	for (n = 0; n < IMAGE_ENTRIES; n++) {
		u64 hash, *words;

		len = image_key(n, key);
		hash = snapmap_hash(IMAGE_SEED, key, len);
		words = image_at(image, runs[hash >> 63]);
		words[hash >> 52 & 2047] |= 1ULL << hash % 64 | 1ULL << hash / 64 % 64 |
					    1ULL << hash / 4096 % 64;
	}
}

/**
 * image_add_directory() - the image with a directory of all leaves, by four bits
 * @image: the image
 * @map: out: the map
 */
void image_add_directory(struct image *image, struct snapmap *map)
{
	struct snapmap_control *control = (void *)image->bytes;
	u32 *slots = image_at(image, IMAGE_DIRECTORY);

	image_map(image, map);
	control->directory[IMAGE_VERSION & 1] = IMAGE_DIRECTORY << 8 | 60;
	for (u64 i = 0; i < 16; i++)
		slots[i] = SNAPMAP_REF(IMAGE_LEAF(leaf_of(i << 60)), 7);
}

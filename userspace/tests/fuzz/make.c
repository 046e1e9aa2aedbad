// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * make.c - images, as the module's own code makes them
 */
#include "image.h"

#include "../../../kmod/commit.h"
#include "../../../kmod/directory.h"
#include "../../../kmod/filter.h"
#include "../../../kunit/forge.h"
#include "../../shim/heap.h"
#include "../unit/broken.h"
#include "fuzz.h"

long shim_fail_alloc = -1;
unsigned long shim_grace_periods;
u64 shim_now_ns;

#define KEYS_PLAIN 192 /* behind them: keys whose hashes are all the same, and alike */
#define KEYS_ALIKE 224

/**
 * image_key() - a key out of 256
 * @id: its number
 * @key: out
 *
 * Return: its length.
 */
uint32_t image_key(uint8_t id, uint8_t key[SNAPMAP_KEY_MAX])
{
	u64 hash = id < KEYS_ALIKE ? 0x0123456789abcdefULL : 0xfedcba9876543000ULL + id;
	uint32_t len = id % 16 ? 1 + id * 7 % 40 : SNAPMAP_KEY_MAX - id / 16;
	u64 forged[FORGE_WORDS];

	if (id < KEYS_PLAIN) {
		memset(key, id, len);
		return len;
	}
	forge_key(IMAGE_SEED, hash, id, forged);
	memcpy(key, forged, sizeof(forged));
	return sizeof(forged);
}

/**
 * image_of_store() - copy a map's arena, with its current snapshot
 * @image: out
 * @store: the map
 */
void image_of_store(struct image *image, const struct snapmap_store *store)
{
	const struct snapmap_arena *arena = &store->arena;
	const struct snapmap_chunk *chunk;

	image->size = 0;
	for (u32 i = 0; i < arena->slots; i++)
		if (arena->chunks[i])
			image->size = (size_t)(arena->chunks[i]->first + arena->chunks[i]->blocks)
				      << SNAPMAP_BLOCK_SHIFT;
	image->size += SNAPMAP_LAST_BLOCKS << SNAPMAP_BLOCK_SHIFT;
	image->bytes = calloc(1, image->size);
	for (u32 i = 0; i < arena->slots; i++) {
		chunk = arena->chunks[i];
		if (chunk)
			memcpy(image->bytes + ((size_t)chunk->first << SNAPMAP_BLOCK_SHIFT),
			       chunk->data, (size_t)chunk->blocks << SNAPMAP_BLOCK_SHIFT);
	}
	image->root = store->table.root;
	image->header = store->control->header[store->version & 1];
}

static void put(struct snapmap_build *build, const void *data, u32 len, u32 value_len)
{
	static u8 value[25600];
	struct snapmap_key key = { data, len, snapmap_hash(IMAGE_SEED, data, len) };

	CHECK(!snapmap_build_put(build, &key, value, value_len));
}

static void put_as(struct snapmap_build *build, u8 id, u32 value_len)
{
	u8 key[SNAPMAP_KEY_MAX];
	u32 len = image_key(id, key);

	put(build, key, len, value_len);
}

static void put_by_id(struct snapmap_build *build, u8 id)
{
	put_as(build, id, id % 20 ? id : id * 100);
}

/* One leaf; leaves under one node; under two levels of them; and under eight. Two with a filter, two with a directory. */
static void fill(struct snapmap_build *build, unsigned int kind)
{
	static const u32 keys[IMAGE_KINDS] = { 4, KEYS_PLAIN, KEYS_PLAIN, 256 };
	u32 more = kind == 2 ? 3000 : 0;

	snapmap_filter_entries = 1;
	snapmap_directory_entries = kind < 2 ? U32_MAX : 1;
	if (kind % 2)
		snapmap_filter_new(build, keys[kind]);
	for (u32 id = 1; id <= keys[kind] && id < 256; id++)
		if (id < KEYS_PLAIN || id >= KEYS_ALIKE)
			put_by_id(build, (u8)id);
	for (u32 i = 0; i < more; i++) {
		u64 key[2] = { i, ~(u64)i };

		put(build, key, sizeof(key), 1 + i % 60);
	}
	if (kind == 3)
		for (u64 i = 0; i < 200; i++) {
			u64 key[FORGE_WORDS];

			forge_key(IMAGE_SEED, 0xfedcba9876543100ULL + i, i, key);
			put(build, key, sizeof(key), 8);
		}
}

static void drop_by_id(struct snapmap_build *build, u8 id)
{
	u8 data[SNAPMAP_KEY_MAX];
	u32 len = image_key(id, data);
	struct snapmap_key key = { data, len, snapmap_hash(IMAGE_SEED, data, len) };

	CHECK(!snapmap_build_delete(build, &key));
}

/* The entries of version 2, and in version 3 one more, one less and one other. */
static void edit(struct snapmap_build *build)
{
	put_by_id(build, 0);
	drop_by_id(build, 1);
	put_as(build, 2, 9);
	put_by_id(build, 3); /* as it was */
}

static void publish(struct snapmap_store *store, const struct snapmap_build *build)
{
	struct snapmap_publication next = {
		.store = store,
		.build = *build,
		.snapshot = snapmap_snapshot_new(store),
	};
	struct snapmap_publication *set[] = { &next };

	CHECK(next.snapshot);
	snapmap_build_finish(&next.build);
	CHECK(!snapmap_snapshot_publish(set, 1));
}

/**
 * image_make() - make one of a few images
 * @image: out
 * @kind: 0 to IMAGE_KINDS - 1, from shallow to deep
 */
void image_make(struct image *image, unsigned int kind)
{
	struct snapmap_store store = {};
	struct snapmap_build build;

	CHECK(!snapmap_store_init(&store, "fuzz", &heap_backing, 64ULL << 20, IMAGE_SEED, 1));
	build = (struct snapmap_build){
		.arena = &store.arena,
		.seed = store.seed,
		.version = 2,
	};
	fill(&build, kind);
	publish(&store, &build);
	build = (struct snapmap_build){
		.arena = &store.arena,
		.seed = store.seed,
		.version = 3,
		.table = store.table,
	};
	edit(&build);
	publish(&store, &build);
	image_of_store(image, &store);
	snapmap_store_exit(&store);
}

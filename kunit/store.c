// SPDX-License-Identifier: GPL-2.0-only
/*
 * store.c - a map's snapshots without a map around them
 *
 * Keys are numbers of eight bytes. Commits are made here without a batch, so
 * that a thread without user memory can make them.
 */
#include <linux/xxhash.h>
#include <linux/slab.h>

#include "backing.h"
#include "store.h"

/* The quarantine's parameters as they were before the test. */
static unsigned int saved_us, saved_commits;

/* A store in a case of its own; nothing of the quarantine is over until it says so. */
struct snapmap_store *test_store_new(struct kunit *test, const struct snapmap_backing *backing,
				     u64 limit)
{
	struct snapmap_store *store = kzalloc(sizeof(*store), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, store);
	if (snapmap_store_init(store, "kunit", backing ?: &test_backing, limit, 1, 1)) {
		kfree(store);
		KUNIT_FAIL_AND_ABORT(test, "no store");
	}
	saved_us = snapmap_quarantine_us;
	saved_commits = snapmap_quarantine_commits;
	return store;
}

void test_store_end(struct snapmap_store *store)
{
	if (!store)
		return;
	snapmap_store_exit(store);
	kfree(store);
	snapmap_quarantine_us = saved_us;
	snapmap_quarantine_commits = saved_commits;
}

static int build_put(struct snapmap_build *build, u64 number, u32 value_len)
{
	struct snapmap_key key = { &number, sizeof(number),
				   snapmap_hash(build->seed, &number, sizeof(number)) };
	void *value = kvzalloc(value_len, GFP_KERNEL);
	int err = -ENOMEM;

	if (value) {
		memcpy(value, &build->version, sizeof(build->version));
		err = snapmap_build_put(build, &key, value, value_len);
	}
	kvfree(value);
	return err;
}

/* Writes @count keys from @first on; a value begins with the version that writes it. */
int test_store_put(struct snapmap_store *store, u64 first, u64 count, u32 value_len, u64 stamp)
{
	struct snapmap_publication next = {
		.store = store,
		.build = {
			.arena = &store->arena,
			.seed = store->seed,
			.version = store->version + 1,
			.table = store->table,
			.notes = snapmap_spare_notes(store),
		},
		.snapshot = snapmap_snapshot_new(store),
		.stamp = stamp,
	};
	struct snapmap_publication *set[] = { &next };
	struct snapmap_retired *retired = kzalloc(sizeof(*retired), GFP_KERNEL);
	int err = retired && next.snapshot ? 0 : -ENOMEM;

	for (; !err && count; count--)
		err = build_put(&next.build, first++, value_len);
	if (!err) {
		snapmap_build_finish(&next.build);
		err = snapmap_snapshot_publish(set, 1);
	}
	if (err) {
		snapmap_build_abort(&next.build);
		snapmap_snapshot_end(store, next.snapshot);
		kfree(retired);
		return err;
	}
	snapmap_reclaim_queue(store, retired, &next.build.retired);
	return 0;
}

/* Reclaims, and writes all of TEST_KEYS. */
int test_store_commit(struct snapmap_store *store, enum snapmap_urgency urgency)
{
	int err;

	mutex_lock(&store->lock);
	snapmap_reclaim(store, urgency);
	err = test_store_put(store, 0, TEST_KEYS, sizeof(u64), 0);
	mutex_unlock(&store->lock);
	return err;
}

void test_store_reclaim(struct snapmap_store *store, enum snapmap_urgency urgency)
{
	mutex_lock(&store->lock);
	snapmap_reclaim(store, urgency);
	mutex_unlock(&store->lock);
}

bool test_store_pending(struct snapmap_store *store)
{
	bool pending;

	mutex_lock(&store->lock);
	pending = snapmap_reclaim_pending(store);
	mutex_unlock(&store->lock);
	return pending;
}

/* The version that a value begins with; 0 when the key is absent or was written by another. */
u64 test_store_version_of(struct snapmap_store *store, u64 root, u64 key)
{
	const struct snapmap_view view = { .arena = &store->arena };
	struct snapmap_hit hit;

	if (!snapmap_lookup(&view, root, snapmap_hash(store->seed, &key, sizeof(key)), &key,
			    sizeof(key), &hit))
		return 0;
	return *(u64 *)hit.value == hit.version ? hit.version : 0;
}

/* The version that all of TEST_KEYS carry, 0 when they differ or one is missing. */
u64 test_store_version_of_all(struct snapmap_store *store, u64 root)
{
	u64 version = test_store_version_of(store, root, 0);
	u64 key;

	for (key = 1; key < TEST_KEYS; key++)
		if (test_store_version_of(store, root, key) != version)
			return 0;
	return version;
}

/* Pins the current snapshot; snapmap_snapshot_unpin() and reclaim free the pin. */
struct snapmap_snapshot *test_store_pin(struct kunit *test, struct snapmap_store *store)
{
	struct snapmap_snapshot *pin = snapmap_snapshot_pin(store, 0);

	KUNIT_ASSERT_FALSE(test, IS_ERR(pin));
	return pin;
}

static bool is_used(const struct snapmap_chunk *chunk, u32 at)
{
	return chunk->groups[at >> SNAPMAP_GROUP_SHIFT].used >> (at & (SNAPMAP_GROUP_BLOCKS - 1)) & 1;
}

/* Groups have it as used, but it is free. */
static bool is_ready(const struct snapmap_arena *arena, u32 block)
{
	u32 blocks, i;

	for (blocks = 1; blocks <= SNAPMAP_READY_BLOCKS; blocks++)
		for (i = 0; i < arena->ready[blocks - 1].count; i++)
			if (block - arena->ready[blocks - 1].block[i] < blocks)
				return true;
	return false;
}

static bool has_tags_of_others(const struct snapmap_chunk *chunk, u32 block)
{
	u32 region = snapmap_region_first(block);

	return chunk->has_tags && block - region >= SNAPMAP_TAGS_BLOCK &&
	       block - region < snapmap_region_tags_end(region);
}

static u64 digest_chunk(const struct snapmap_arena *arena, const struct snapmap_chunk *chunk,
			u64 digest)
{
	u32 block = chunk->first;

	for (; block < chunk->first + chunk->blocks; block++) {
		if (!is_used(chunk, block - chunk->first) || is_ready(arena, block) ||
		    has_tags_of_others(chunk, block))
			continue;
		digest = xxh64(snapmap_chunk_at(chunk, block), SNAPMAP_BLOCK_SIZE, digest + block);
		if (chunk->has_tags)
			digest = xxh64(snapmap_chunk_tags(chunk, block), SNAPMAP_BLOCK_GRANULES,
				       digest);
	}
	return digest;
}

/*
 * All that a reader, a pin or the next commit can tell: which blocks are in use,
 * their bytes and tags, the control page among them, and what the store knows besides.
 * Two equal ones mean: as before (promise F). Left out are the counter of
 * failures, the pool of free blocks, and the state, which ends by its own call.
 */
u64 test_store_digest(struct snapmap_store *store)
{
	u64 known[] = {
		store->version, store->stamp, store->table.root, store->table.entries,
		store->table.key_bytes, store->table.value_bytes, store->arena.used,
		store->retired_blocks, store->pinned_blocks, store->pin_count, store->commits,
		store->history.kept, store->control->revoked,
	};
	u64 digest = xxh64(known, sizeof(known), 0);
	u32 state = store->control->state;
	u32 slot;

	store->control->state = 0;
	for (slot = 0; slot < store->arena.slots; slot++)
		if (store->arena.chunks[slot])
			digest = digest_chunk(&store->arena, store->arena.chunks[slot], digest);
	store->control->state = state;
	return digest;
}

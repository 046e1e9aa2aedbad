// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * get.c - looking up in the current snapshot, by the live protocol
 *
 * The value is copied out before the snapshot is known to have been intact, and
 * counts only when it proves to have been (promises A and B). Until then every
 * byte may be anything; lookup.h bounds what it reads, and so the copy.
 *
 * A single look-up waits for memory twice, for a leaf's tags and for the entry.
 * Many look-ups at once wait together: each step is taken for all keys of a
 * group before the next one, and asks for the memory that the next one needs.
 */
#include <errno.h>

#include "barrier.h"
#include "map.h"

static bool key_len_valid(size_t key_len)
{
	return key_len && key_len <= SNAPMAP_KEY_MAX;
}

static int copy_out(const struct snapmap_hit *hit, void *buf, size_t cap,
		    struct snapmap_found *found)
{
	found->value_len = hit->value_len;
	found->entry_version = hit->version;
	if (hit->value_len > cap)
		return -ERANGE;
	if (hit->value_len)
		memcpy(buf, hit->value, hit->value_len);
	return 0;
}

/* One attempt; returns whether the snapshot was intact to its end. */
static __always_inline bool get_once(const struct snapmap_view *view, u64 hash, const void *key,
				     size_t key_len, void *buf, size_t cap,
				     struct snapmap_found *found, int *err)
{
	const struct snapmap_control *control = snapmap_view_control(view);
	struct snapmap_hit hit;
	u64 root;

	found->version = snapmap_live_begin(control, &root);
	*err = snapmap_lookup(view, root, hash, key, key_len, &hit) ?
		       copy_out(&hit, buf, cap, found) :
		       -ENOENT;
	return snapmap_live_intact(control, found->version);
}

static __cold int get_again(const struct snapmap_view *view, u64 hash, const void *key,
			    size_t key_len, void *buf, size_t cap, struct snapmap_found *found)
{
	int err;

	while (!get_once(view, hash, key, key_len, buf, cap, found, &err))
		;
	return err;
}

int snapmap_get(const struct snapmap *map, const void *key, size_t key_len, void *buf, size_t cap,
		struct snapmap_found *found)
{
	const struct snapmap_view *view = &map->mapping->view;
	struct snapmap_found local;
	u64 hash;
	int err;

	if (!key_len_valid(key_len))
		return -EMSGSIZE;
	if (!found)
		found = &local;
	hash = snapmap_view_hash(view, key, key_len);
	if (likely(get_once(view, hash, key, key_len, buf, cap, found, &err)))
		return err;
	return get_again(view, hash, key, key_len, buf, cap, found);
}

/* More than fit into what a core can wait for at once bring nothing. */
#define GROUP 16

/* How far a look-up has come. */
struct probe {
	u64 hash;
	const u32 *slot; /* in the lowest inner node so far */
	const u8 *leaf;
	u32 ref;
	u32 pos;
};

static void hash_keys(const struct snapmap_view *view, const struct snapmap_query *queries,
		      size_t count, struct probe *probes)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (key_len_valid(queries[i].key_len))
			probes[i].hash =
				snapmap_view_hash(view, queries[i].key, queries[i].key_len);
}

/* One inner level for all. */
static void walk_level(const struct snapmap_view *view, u32 bits, size_t count,
		       struct probe *probes)
{
	struct probe *probe;

	for (probe = probes; probe < probes + count; probe++) {
		probe->pos -= SNAPMAP_REF_ARG(probe->ref);
		probe->slot = snapmap_slot_at(view, probe->ref, bits, probe->pos, probe->hash);
		probe->pos += bits;
		if (probe->slot)
			__builtin_prefetch(probe->slot);
	}
	for (probe = probes; probe < probes + count; probe++)
		probe->ref = probe->slot ? READ_ONCE(*probe->slot) : 0;
}

static void prefetch_tags(const struct probe *probe)
{
	u32 home =
		snapmap_leaf_home(snapmap_leaf_blocks(probe->ref), snapmap_hash_check(probe->hash));

	__builtin_prefetch(probe->leaf);
	__builtin_prefetch(probe->leaf + (home << SNAPMAP_GRANULE_SHIFT));
}

/* By its tags; not every entry is at home. */
static void prefetch_entry(const struct probe *probe)
{
	u32 granule = snapmap_leaf_guess(probe->leaf, snapmap_leaf_blocks(probe->ref), probe->hash);

	__builtin_prefetch(probe->leaf + (granule << SNAPMAP_GRANULE_SHIFT));
}

static void walk_all(const struct snapmap_view *view, u64 root, size_t count, struct probe *probes)
{
	u32 levels = SNAPMAP_ROOT_LEVELS(root);
	u32 bits = SNAPMAP_ROOT_BITS(root);
	u32 ref = SNAPMAP_ROOT_REF(root);
	bool sound = !levels || snapmap_root_is_inner(root);
	size_t i;

	if (levels)
		ref = SNAPMAP_REF_BLOCK(ref); /* the top has no lag */
	for (i = 0; i < count; i++) {
		probes[i].ref = sound ? ref : 0;
		probes[i].pos = 0;
	}
	for (; sound && levels; levels--) {
		walk_level(view, bits, count, probes);
		bits = SNAPMAP_NODE_BITS;
	}
	for (i = 0; i < count; i++) {
		probes[i].leaf = snapmap_leaf_at(view, probes[i].ref);
		if (probes[i].leaf)
			prefetch_tags(&probes[i]);
	}
	for (i = 0; i < count; i++)
		if (probes[i].leaf)
			prefetch_entry(&probes[i]);
}

static void query_one(const struct snapmap_view *view, const struct probe *probe,
		      struct snapmap_query *query)
{
	struct snapmap_found found;
	struct snapmap_hit hit;

	query->err = -ENOENT;
	if (!key_len_valid(query->key_len)) {
		query->err = -EMSGSIZE;
	} else if (probe->leaf &&
		   snapmap_leaf_find(view, probe->leaf, snapmap_leaf_blocks(probe->ref),
				     probe->hash, query->key, query->key_len, &hit)) {
		query->err = copy_out(&hit, query->buf, query->cap, &found);
		query->value_len = found.value_len;
		query->entry_version = found.entry_version;
	}
}

static size_t query_group(const struct snapmap_view *view, u64 root, struct snapmap_query *queries,
			  size_t count)
{
	struct probe probes[GROUP];
	size_t found = 0;
	size_t i;

	hash_keys(view, queries, count, probes);
	walk_all(view, root, count, probes);
	for (i = 0; i < count; i++) {
		query_one(view, &probes[i], &queries[i]);
		found += !queries[i].err;
	}
	return found;
}

size_t snapmap_get_many(const struct snapmap *map, struct snapmap_query *queries, size_t count,
			uint64_t *version)
{
	const struct snapmap_view *view = &map->mapping->view;
	const struct snapmap_control *control = snapmap_view_control(view);
	size_t found, i;
	u64 root, now;

	do {
		found = 0;
		now = snapmap_live_begin(control, &root);
		for (i = 0; i < count; i += GROUP)
			found += query_group(view, root, queries + i,
					     count - i < GROUP ? count - i : GROUP);
	} while (!snapmap_live_intact(control, now));
	if (version)
		*version = now;
	return found;
}

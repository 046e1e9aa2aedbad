/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * lookups.h - look-ups, for the kind of CPU that who includes this is compiled for
 *
 * It defines SNAPMAP_LOOKUPS, the name of the struct snapmap_lookups that this makes.
 *
 * For keys of 8 and of 16 bytes (numbers, addresses, UUIDs, digests) the compiler makes a
 * copy in which it knows the length. Many look-ups at once wait for memory together: each
 * step is taken for all keys of a group before the next one, and asks for what the next one
 * needs.
 */
#include <errno.h>

#include "get.h"
#include "live.h"

static __always_inline int get_likely(const struct snapmap *map, const void *key, size_t key_len,
				      void *buf, size_t cap, struct snapmap_found *found)
{
	if (likely(snapmap_key_len_valid(key_len)) &&
	    likely(snapmap_get_entered(&map->mapping->view, key, key_len, buf, cap, found)))
		return 0;
	return snapmap_get_otherwise(map, key, key_len, buf, cap, found);
}

static int get_8(const struct snapmap *map, const void *key, size_t key_len, void *buf, size_t cap,
		 struct snapmap_found *found)
{
	(void)key_len;
	return get_likely(map, key, 8, buf, cap, found);
}

static int get_16(const struct snapmap *map, const void *key, size_t key_len, void *buf, size_t cap,
		  struct snapmap_found *found)
{
	(void)key_len;
	return get_likely(map, key, 16, buf, cap, found);
}

static int get_any_len(const struct snapmap *map, const void *key, size_t key_len, void *buf,
		       size_t cap, struct snapmap_found *found)
{
	return get_likely(map, key, key_len, buf, cap, found);
}

/* How far a look-up has come. */
struct probe {
	u64 hash;
	u64 mask; /* of the entries in question; 0 when there is none, or the key is none */
	struct snapmap_leaf leaf;
	u32 granule; /* of the first entry */
};

/* The length of all keys of a group, which must not be empty; 0 when they differ. */
static size_t common_len(const struct snapmap_query *queries, size_t count)
{
	size_t i;

	for (i = 1; i < count; i++)
		if (queries[i].key_len != queries[0].key_len)
			return 0;
	return queries[0].key_len;
}

/* @len, here and below: the length of all keys where the compiler is to know it, or 0. */
static __always_inline size_t len_of(const struct snapmap_query *query, size_t len)
{
	return len ? len : query->key_len;
}

/* To the slot of the directory, which is fetched, if there is one. Inner nodes are in some cache. */
static __always_inline void find_slot(const struct snapmap_source *from,
				      const struct snapmap_query *query, size_t len,
				      struct probe *probe)
{
	probe->mask = snapmap_key_len_valid(len_of(query, len));
	if (!probe->mask)
		return;
	probe->hash = snapmap_view_hash(from->view, query->key, len_of(query, len));
	if (from->directory)
		__builtin_prefetch(from->view->base +
				   snapmap_directory_slot(from->directory, probe->hash));
}

static __always_inline bool leaf_of(const struct snapmap_source *from, u64 hash,
				    struct snapmap_leaf *leaf)
{
	u32 ref = snapmap_view_entered(from->view, from->directory, hash);

	if (!likely(snapmap_ref_is_leaf(ref)))
		ref = snapmap_walk(from->view, from->root, hash);
	return snapmap_leaf_at(from->view, ref, leaf);
}

/* To the leaf; the lines of its tags are fetched, and that where the entry most likely is. */
static __always_inline void find_leaf(const struct snapmap_source *from, struct probe *probe)
{
	if (!probe->mask)
		return;
	probe->mask = leaf_of(from, probe->hash, &probe->leaf);
	if (!probe->mask)
		return;
	__builtin_prefetch(probe->leaf.tags);
	__builtin_prefetch(probe->leaf.tags + SNAPMAP_LEAF_GRANULES_MAX - 1);
	snapmap_leaf_prefetch(&probe->leaf, snapmap_leaf_home(&probe->leaf, probe->hash));
}

/* By the tags; the entry is fetched. */
static __always_inline void find_entry(struct probe *probe)
{
	u32 home;

	if (!probe->mask)
		return;
	home = snapmap_leaf_home(&probe->leaf, probe->hash);
	probe->mask = snapmap_leaf_match(&probe->leaf, home, probe->hash);
	if (!probe->mask)
		return;
	probe->granule = snapmap_mask_first(probe->mask, home);
	snapmap_leaf_prefetch(&probe->leaf, probe->granule);
}

/* Fills in a query of which @err is known, but for the less likely cases. */
static __always_inline bool answer(const struct snapmap_source *from, u64 hash, int err,
				   struct snapmap_found *found, struct snapmap_query *query)
{
	if (!likely(err != -EAGAIN))
		err = snapmap_get_at(from->view, from->root, hash, query->key, query->key_len,
				     query->buf, query->cap, found);
	query->err = err;
	if (!err || err == -ERANGE) {
		query->value_len = found->value_len;
		query->entry_version = found->entry_version;
	}
	return !err;
}

static __always_inline bool query_found(const struct snapmap_source *from,
					const struct probe *probe, struct snapmap_query *query,
					size_t len)
{
	struct snapmap_found found;
	int err = -ENOENT;

	if (!snapmap_key_len_valid(len_of(query, len)))
		err = -EMSGSIZE;
	else if (probe->mask)
		err = snapmap_get_first(&probe->leaf, probe->mask, probe->granule, query->key,
					len_of(query, len), query->buf, query->cap, &found);
	return answer(from, probe->hash, err, &found, query);
}

static __always_inline size_t query_by_steps(const struct snapmap_source *from,
					     struct snapmap_query *queries, size_t count,
					     size_t len)
{
	struct probe probes[SNAPMAP_GROUP];
	size_t found = 0;
	size_t i;

	for (i = 0; i < count; i++)
		find_slot(from, &queries[i], len, &probes[i]);
	for (i = 0; i < count; i++)
		find_leaf(from, &probes[i]);
	for (i = 0; i < count; i++)
		find_entry(&probes[i]);
	for (i = 0; i < count; i++)
		found += query_found(from, &probes[i], &queries[i], len);
	return found;
}

/* Looks a key up whose leaf need not be waited for. */
static __always_inline bool query_leaf(const struct snapmap_source *from, u64 hash,
				       struct snapmap_query *query, size_t len)
{
	struct snapmap_found found;
	struct snapmap_leaf leaf;
	int err = -ENOENT;

	if (leaf_of(from, hash, &leaf))
		err = snapmap_get_in_leaf(&leaf, hash, query->key, len, query->buf, query->cap,
					  &found);
	return answer(from, hash, err, &found, query);
}

/*
 * One after the other: a table of one level is in some cache, and nothing is waited for.
 * But for the hashes: a look-up is a long chain of steps, and without that part of it
 * more of them are under way at once.
 */
static __always_inline size_t query_straight(const struct snapmap_source *from,
					     struct snapmap_query *queries, size_t count,
					     size_t len)
{
	size_t found = 0;
	u64 hash[SNAPMAP_GROUP];
	size_t i;

	for (i = 0; i < count; i++)
		hash[i] = snapmap_view_hash(from->view, queries[i].key, len);
	for (i = 0; i < count; i++)
		found += query_leaf(from, hash[i], &queries[i], len);
	return found;
}

/*
 * The same for keys of any lengths, the hashes as well: how a key of some length is compared
 * is predicted from how it has been hashed just before.
 */
static size_t query_any_straight(const struct snapmap_source *from, struct snapmap_query *queries,
				 size_t count)
{
	size_t found = 0;
	size_t i, len;

	for (i = 0; i < count; i++) {
		len = queries[i].key_len;
		if (snapmap_key_len_valid(len))
			found += query_leaf(from,
					    snapmap_view_hash(from->view, queries[i].key, len),
					    &queries[i], len);
		else
			queries[i].err = -EMSGSIZE;
	}
	return found;
}

static __always_inline size_t query_as(const struct snapmap_source *from,
				       struct snapmap_query *queries, size_t count, size_t len)
{
	if (SNAPMAP_ROOT_LEVELS(from->root) <= 1)
		return len ? query_straight(from, queries, count, len) :
			     query_any_straight(from, queries, count);
	return query_by_steps(from, queries, count, len);
}

static size_t query_group(const struct snapmap_source *from, struct snapmap_query *queries,
			  size_t count)
{
	switch (common_len(queries, count)) {
	case 16:
		return query_as(from, queries, count, 16);
	case 8:
		return query_as(from, queries, count, 8);
	default:
		return query_as(from, queries, count, 0);
	}
}

const struct snapmap_lookups SNAPMAP_LOOKUPS = {
	.get_8 = get_8,
	.get_16 = get_16,
	.get_any_len = get_any_len,
	.get_group = query_group,
};

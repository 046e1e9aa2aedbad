// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * get.c - looking up in the current snapshot, by the live protocol
 *
 * The likely case is in live.h; here are all others. For keys of 8 and of 16 bytes
 * (numbers, addresses, UUIDs, digests) the compiler makes a copy of the likely case in
 * which it knows the length. Many look-ups at once wait for memory together: each step
 * is taken for all keys of a group before the next one, and asks for what the next one
 * needs.
 */
#include <errno.h>

#include "attempt.h"
#include "live.h"
#include "map.h"

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

/* In a version that is known. */
static __cold int get_at(const struct snapmap_view *view, u64 root, u64 hash, const void *key,
			 size_t key_len, void *buf, size_t cap, struct snapmap_found *found)
{
	struct snapmap_hit hit;

	if (!snapmap_lookup(view, root, hash, key, key_len, &hit))
		return -ENOENT;
	return copy_out(&hit, buf, cap, found);
}

/* All cases, as often as it takes. */
static __cold int get_any(const struct snapmap *map, const void *key, size_t key_len, void *buf,
			  size_t cap, struct snapmap_found *found)
{
	const struct snapmap_view *view = &map->mapping->view;
	u64 hash = snapmap_view_hash(view, key, key_len);
	struct snapmap_attempt attempt = { .laps = 0 };
	struct snapmap_found local;
	int err;

	if (!found)
		found = &local;
	do {
		snapmap_attempt_begin(map, &attempt);
		err = get_at(view, attempt.root, hash, key, key_len, buf, cap, found);
	} while (!snapmap_attempt_counts(map, &attempt));
	found->version = attempt.version;
	return err;
}

static __always_inline int get_live(const struct snapmap *map, const void *key, size_t key_len,
				    void *buf, size_t cap, struct snapmap_found *found)
{
	int err;

	if (!snapmap_key_len_valid(key_len))
		return -EMSGSIZE;
	err = snapmap_get_live(&map->mapping->view, key, key_len, buf, cap, found);
	return likely(err != -EAGAIN) ? err : get_any(map, key, key_len, buf, cap, found);
}

int snapmap_get(const struct snapmap *map, const void *key, size_t key_len, void *buf, size_t cap,
		struct snapmap_found *found)
{
	if (key_len == 16)
		return get_live(map, key, 16, buf, cap, found);
	if (key_len == 8)
		return get_live(map, key, 8, buf, cap, found);
	return get_live(map, key, key_len, buf, cap, found);
}

/* More than fit into what a core can wait for at once bring nothing. */
#define GROUP 16

/* How far a look-up has come. */
struct probe {
	u64 hash;
	u64 mask; /* of the entries in question; 0 when there is none */
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

/* Down to the leaf, whose tags are fetched. The inner nodes are in some cache. */
static __always_inline void find_leaf(const struct snapmap_view *view, u64 root,
				      const struct snapmap_query *query, size_t len,
				      struct probe *probe)
{
	probe->mask = 0;
	if (!snapmap_key_len_valid(len_of(query, len)))
		return;
	probe->hash = snapmap_view_hash(view, query->key, len_of(query, len));
	if (!snapmap_leaf_at(view, snapmap_walk(view, root, probe->hash), &probe->leaf))
		return;
	probe->mask = 1;
	__builtin_prefetch(probe->leaf.tags);
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
static __always_inline bool answer(const struct snapmap_view *view, u64 root, u64 hash, int err,
				   struct snapmap_found *found, struct snapmap_query *query)
{
	if (!likely(err != -EAGAIN))
		err = get_at(view, root, hash, query->key, query->key_len, query->buf, query->cap,
			     found);
	query->err = err;
	if (!err || err == -ERANGE) {
		query->value_len = found->value_len;
		query->entry_version = found->entry_version;
	}
	return !err;
}

static __always_inline bool query_found(const struct snapmap_view *view, u64 root,
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
	return answer(view, root, probe->hash, err, &found, query);
}

static __always_inline size_t query_by_steps(const struct snapmap_view *view, u64 root,
					     struct snapmap_query *queries, size_t count,
					     size_t len)
{
	struct probe probes[GROUP];
	size_t found = 0;
	size_t i;

	for (i = 0; i < count; i++)
		find_leaf(view, root, &queries[i], len, &probes[i]);
	for (i = 0; i < count; i++)
		find_entry(&probes[i]);
	for (i = 0; i < count; i++)
		found += query_found(view, root, &probes[i], &queries[i], len);
	return found;
}

/* Looks a key up whose leaf need not be waited for. */
static __always_inline bool query_leaf(const struct snapmap_view *view, u64 root, u64 hash,
				       struct snapmap_query *query, size_t len)
{
	struct snapmap_found found;
	struct snapmap_leaf leaf;
	int err = -ENOENT;

	if (snapmap_leaf_at(view, snapmap_walk(view, root, hash), &leaf))
		err = snapmap_get_in_leaf(&leaf, hash, query->key, len, query->buf, query->cap,
					  &found);
	return answer(view, root, hash, err, &found, query);
}

/*
 * One after the other: a table of one level is in some cache, and nothing is waited for.
 * But for the hashes: a look-up is a long chain of steps, and without that part of it
 * more of them are under way at once.
 */
static __always_inline size_t query_straight(const struct snapmap_view *view, u64 root,
					     struct snapmap_query *queries, size_t count,
					     size_t len)
{
	size_t found = 0;
	u64 hash[GROUP];
	size_t i;

	for (i = 0; i < count; i++)
		hash[i] = snapmap_view_hash(view, queries[i].key, len);
	for (i = 0; i < count; i++)
		found += query_leaf(view, root, hash[i], &queries[i], len);
	return found;
}

/*
 * The same for keys of any lengths, the hashes as well: how a key of some length is compared
 * is predicted from how it has been hashed just before.
 */
static size_t query_any_straight(const struct snapmap_view *view, u64 root,
				 struct snapmap_query *queries, size_t count)
{
	size_t found = 0;
	size_t i, len;

	for (i = 0; i < count; i++) {
		len = queries[i].key_len;
		if (snapmap_key_len_valid(len))
			found += query_leaf(view, root,
					    snapmap_view_hash(view, queries[i].key, len),
					    &queries[i], len);
		else
			queries[i].err = -EMSGSIZE;
	}
	return found;
}

static __always_inline size_t query_group(const struct snapmap_view *view, u64 root,
					  struct snapmap_query *queries, size_t count, size_t len)
{
	if (SNAPMAP_ROOT_LEVELS(root) <= 1)
		return len ? query_straight(view, root, queries, count, len) :
			     query_any_straight(view, root, queries, count);
	return query_by_steps(view, root, queries, count, len);
}

static size_t query_all(const struct snapmap_view *view, u64 root, struct snapmap_query *queries,
			size_t count)
{
	size_t found = 0;
	size_t step;

	for (; count; queries += step, count -= step) {
		step = count < GROUP ? count : GROUP;
		switch (common_len(queries, step)) {
		case 16:
			found += query_group(view, root, queries, step, 16);
			break;
		case 8:
			found += query_group(view, root, queries, step, 8);
			break;
		default:
			found += query_group(view, root, queries, step, 0);
		}
	}
	return found;
}

size_t snapmap_get_many(const struct snapmap *map, struct snapmap_query *queries, size_t count,
			uint64_t *version)
{
	struct snapmap_attempt attempt = { .laps = 0 };
	size_t found;

	do {
		snapmap_attempt_begin(map, &attempt);
		found = query_all(&map->mapping->view, attempt.root, queries, count);
	} while (!snapmap_attempt_counts(map, &attempt));
	if (version)
		*version = attempt.version;
	return found;
}

// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * get.c - looking up in the current snapshot, by the live protocol
 *
 * The likely case is in live.h, and compiled by lookups.h; here are all others.
 */
#include "get.h"

#include <errno.h>

#include "attempt.h"
#include "live.h"

const struct snapmap_lookups *snapmap_lookups = &snapmap_lookups_any;

#ifdef SNAPMAP_LOOKUPS_AVX2
__attribute__((constructor)) static void choose_lookups(void)
{
	if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") &&
	    __builtin_cpu_supports("bmi2"))
		snapmap_lookups = &snapmap_lookups_avx2;
}
#endif

__thread u8 snapmap_ask __attribute__((tls_model("initial-exec"), visibility("hidden")));

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
__cold int snapmap_get_at(const struct snapmap_view *view, u64 root, u64 hash, const void *key,
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
		err = snapmap_get_at(view, attempt.root, hash, key, key_len, buf, cap, found);
	} while (!snapmap_attempt_counts(map, &attempt));
	found->version = attempt.version;
	return err;
}

static __always_inline int get_live(const struct snapmap *map, const void *key, size_t key_len,
				    void *buf, size_t cap, struct snapmap_found *found)
{
	int err = snapmap_get_live(&map->mapping->view, key, key_len, buf, cap, found);

	return likely(err != -EAGAIN) ? err : get_any(map, key, key_len, buf, cap, found);
}

/*
 * What is not the likeliest case: a table without a directory, keys that are not there, and
 * all else.
 */
int snapmap_get_otherwise(const struct snapmap *map, const void *key, size_t key_len, void *buf,
			  size_t cap, struct snapmap_found *found)
{
	if (!snapmap_key_len_valid(key_len))
		return -EMSGSIZE;
	if (key_len == 16)
		return get_live(map, key, 16, buf, cap, found);
	return get_live(map, key, key_len, buf, cap, found);
}

int snapmap_get(const struct snapmap *map, const void *key, size_t key_len, void *buf, size_t cap,
		struct snapmap_found *found)
{
	if (!likely(!snapmap_ask))
		return snapmap_get_otherwise(map, key, key_len, buf, cap, found);
	if (key_len == 16)
		return snapmap_lookups->get_16(map, key, key_len, buf, cap, found);
	if (key_len == 8)
		return snapmap_lookups->get_8(map, key, key_len, buf, cap, found);
	return snapmap_lookups->get_any_len(map, key, key_len, buf, cap, found);
}

/*
 * All groups in one version. Behind the first of them that another has been committed meanwhile,
 * what the directory has told counts for nothing: that group and the next ones do without.
 */
static size_t query_all(struct snapmap_source *from, struct snapmap_query *queries, size_t count)
{
	const struct snapmap_control *control = snapmap_view_control(from->view);
	size_t found = 0;
	size_t step, hits;

	for (; count; queries += step, count -= step) {
		step = count < SNAPMAP_GROUP ? count : SNAPMAP_GROUP;
		hits = snapmap_lookups->get_group(from, queries, step);
		if (from->directory && !likely(snapmap_live_recheck(control, from->version))) {
			from->directory = 0;
			hits = snapmap_lookups->get_group(from, queries, step);
		}
		found += hits;
	}
	return found;
}

size_t snapmap_get_many(const struct snapmap *map, struct snapmap_query *queries, size_t count,
			uint64_t *version)
{
	struct snapmap_source from = { .view = &map->mapping->view };
	struct snapmap_attempt attempt = { .laps = 0 };
	size_t found;

	do {
		snapmap_attempt_begin(map, &attempt);
		from.version = attempt.version;
		from.root = attempt.root;
		from.directory = attempt.pinned ? 0 :
						  snapmap_live_directory(snapmap_map_control(map),
									 attempt.version);
		found = query_all(&from, queries, count);
	} while (!snapmap_attempt_counts(map, &attempt));
	if (version)
		*version = attempt.version;
	return found;
}

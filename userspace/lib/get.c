// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * get.c - looking up in the current snapshot, by the live protocol
 *
 * The value is copied out before the snapshot is known to have been intact, and
 * counts only when it proves to have been (promises A and B). Until then every
 * byte may be anything; lookup.h bounds what it reads, and so the copy.
 */
#include <errno.h>

#include "barrier.h"
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

int snapmap_get(const struct snapmap *map, const void *key, size_t key_len, void *buf, size_t cap,
		struct snapmap_found *found)
{
	const struct snapmap_view *view = &map->mapping->view;
	const struct snapmap_control *control = snapmap_view_control(view);
	struct snapmap_found local;
	struct snapmap_hit hit;
	u64 hash, root;
	int err;

	if (!key_len || key_len > SNAPMAP_KEY_MAX)
		return -EMSGSIZE;
	if (!found)
		found = &local;
	hash = snapmap_view_hash(view, key, key_len);
	do {
		err = -ENOENT;
		found->version = snapmap_live_begin(control, &root);
		if (snapmap_lookup(view, root, hash, key, key_len, &hit))
			err = copy_out(&hit, buf, cap, found);
	} while (!snapmap_live_intact(control, found->version));
	return err;
}

// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * diff.c - what differs between two pinned snapshots of one map
 *
 * Both are read through the mapping of the newer one: all snapshots of a map lie
 * in one arena.
 */
#include <errno.h>
#include <stdlib.h>

#include "pin.h"

/* The module's names are those of the public interface: here they get others. */
#define snapmap_change	   walk_change
#define snapmap_diff	   walk
#define snapmap_diff_begin walk_begin
#define snapmap_diff_next  walk_next
#include "../../kmod/diff.h"
#undef snapmap_change
#undef snapmap_diff
#undef snapmap_diff_begin
#undef snapmap_diff_next

/**
 * struct snapmap_diff - a comparison under way
 * @before: the older snapshot
 * @after: the newer snapshot
 * @walk: where it is
 */
struct snapmap_diff {
	const struct snapmap_snapshot *before;
	const struct snapmap_snapshot *after;
	struct walk walk;
};

static u64 map_id(const struct snapmap_snapshot *snapshot)
{
	return snapmap_view_control(&snapshot->mapping->view)->map_id;
}

int snapmap_diff_new(const struct snapmap_snapshot *before, const struct snapmap_snapshot *after,
		     struct snapmap_diff **out)
{
	const struct snapmap_view *view = &after->mapping->view;
	struct snapmap_diff *diff;

	if (map_id(before) != map_id(after))
		return -EINVAL;
	diff = malloc(sizeof(*diff));
	if (!diff)
		return -ENOMEM;
	diff->before = before;
	diff->after = after;
	walk_begin(&diff->walk, view, snapmap_view_control(view)->hash_seed, before->root,
		   after->root);
	*out = diff;
	return 0;
}

static void fill_item(const struct walk_change *change, bool has, const struct snapmap_hit *hit,
		      struct snapmap_item *item)
{
	*item = (struct snapmap_item){ .key = NULL };
	if (!has)
		return;
	item->key = change->key;
	item->key_len = change->key_len;
	item->value = hit->value;
	item->value_len = hit->value_len;
	item->version = hit->version;
}

int snapmap_diff_next(struct snapmap_diff *diff, struct snapmap_change *change)
{
	struct walk_change found;
	int ret = walk_next(&diff->walk, &found);

	if (snapmap_pin_check(diff->before) || snapmap_pin_check(diff->after))
		return -ESTALE;
	if (ret <= 0)
		return ret;
	change->key = found.key;
	change->key_len = found.key_len;
	fill_item(&found, found.has_old, &found.old, &change->before);
	fill_item(&found, found.has_new, &found.new, &change->after);
	return 1;
}

uint64_t snapmap_diff_nodes(const struct snapmap_diff *diff)
{
	return diff->walk.nodes;
}

void snapmap_diff_free(struct snapmap_diff *diff)
{
	free(diff);
}

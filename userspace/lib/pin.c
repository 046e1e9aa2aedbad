// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * pin.c - snapshots that stay
 *
 * The kernel reuses no block of a pinned snapshot, so nothing is checked after
 * the reading and pointers into the mapping may be handed out.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "map.h"
#include "pin.h"

/* Takes @fd and the reference on @mapping over when it succeeds. */
static int snapshot_new(int fd, const struct snapmap_info *info, struct snapmap_mapping *mapping,
			struct snapmap_snapshot **out)
{
	struct snapmap_snapshot *snapshot = malloc(sizeof(*snapshot));

	if (!snapshot)
		return -ENOMEM;
	snapshot->fd = fd;
	snapshot->root = info->root;
	snapshot->header = info->header;
	snapshot->mapping = mapping;
	*out = snapshot;
	return 0;
}

int snapmap_pin(const struct snapmap *map, struct snapmap_snapshot **out)
{
	struct snapmap_pin pin = { .version = 0 };
	struct snapmap_info info;
	int fd = snapmap_ioctl(map->fd, SNAPMAP_IOC_PIN, &pin);
	int err;

	if (fd < 0)
		return fd;
	err = snapmap_fd_info(fd, &info);
	if (!err)
		err = snapshot_new(fd, &info, map->mapping, out);
	if (err) {
		close(fd);
		return err;
	}
	snapmap_mapping_get(map->mapping);
	return 0;
}

/* A map answers SNAPMAP_IOC_INFO like a pin, but holds nothing back. */
static int check_is_pin(int fd)
{
	struct snapmap_wait wait = { .timeout_ns = 0 };
	int err = snapmap_ioctl(fd, SNAPMAP_IOC_WAIT, &wait);

	return err == -ENOTTY ? 0 : -EINVAL;
}

int snapmap_pin_open_fd(int fd, struct snapmap_snapshot **out)
{
	struct snapmap_mapping *mapping;
	struct snapmap_info info;
	int err = snapmap_fd_info(fd, &info);

	if (!err)
		err = check_is_pin(fd);
	if (!err)
		err = snapmap_mapping_new(fd, info.span, &mapping);
	if (err)
		return err;
	err = snapshot_new(fd, &info, mapping, out);
	if (err)
		snapmap_mapping_put(mapping);
	return err;
}

void snapmap_unpin(struct snapmap_snapshot *snapshot)
{
	if (!snapshot)
		return;
	snapmap_mapping_put(snapshot->mapping);
	close(snapshot->fd);
	free(snapshot);
}

int snapmap_pin_fd(const struct snapmap_snapshot *snapshot)
{
	return snapshot->fd;
}

uint64_t snapmap_pin_version(const struct snapmap_snapshot *snapshot)
{
	return snapshot->header.version;
}

const struct snapmap_header *snapmap_pin_header(const struct snapmap_snapshot *snapshot)
{
	return &snapshot->header;
}

int snapmap_pin_get(const struct snapmap_snapshot *snapshot, const void *key, size_t key_len,
		    struct snapmap_item *item)
{
	const struct snapmap_view *view = &snapshot->mapping->view;
	struct snapmap_hit hit;
	u64 hash;

	if (!key_len || key_len > SNAPMAP_KEY_MAX)
		return -EMSGSIZE;
	hash = snapmap_view_hash(view, key, key_len);
	if (!snapmap_lookup(view, snapshot->root, hash, key, key_len, &hit))
		return -ENOENT;
	item->key = key;
	item->key_len = key_len;
	item->value = hit.value;
	item->value_len = hit.value_len;
	item->version = hit.version;
	return 0;
}

// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * pin.c - snapshots that stay
 *
 * The kernel reuses no block of a pinned snapshot unless it has revoked the pin,
 * so pointers into the mapping may be handed out, and what was read counts if the
 * pin is not revoked then.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "barrier.h"
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

/* Takes @fd, a pin of @map, over in any case. */
static int take_pin(const struct snapmap *map, int fd, struct snapmap_snapshot **out)
{
	struct snapmap_info info;
	int err = snapmap_fd_info(fd, &info);

	if (!err)
		err = snapshot_new(fd, &info, map->mapping, out);
	if (err) {
		close(fd);
		return err;
	}
	snapmap_mapping_get(map->mapping);
	return 0;
}

int snapmap_pin_at(const struct snapmap *map, uint64_t version, struct snapmap_snapshot **out)
{
	struct snapmap_pin pin = { .version = version };
	int fd = snapmap_ioctl(map->fd, SNAPMAP_IOC_PIN, &pin);

	return fd < 0 ? fd : take_pin(map, fd, out);
}

int snapmap_pin(const struct snapmap *map, struct snapmap_snapshot **out)
{
	return snapmap_pin_at(map, 0, out);
}

/* Takes all of @fds over; when one fails there are no snapshots. */
static int take_pins(struct snapmap *const *maps, unsigned int count, const int *fds,
		     struct snapmap_snapshot **out)
{
	unsigned int i, done;
	int err = 0;

	for (done = 0; done < count && !err; done++)
		err = take_pin(maps[done], fds[done], &out[done]);
	if (!err)
		return 0;
	for (i = 0; i + 1 < done; i++)
		snapmap_unpin(out[i]);
	for (i = done; i < count; i++)
		close(fds[i]);
	return err;
}

int snapmap_pin_set(struct snapmap *const maps[], unsigned int count,
		    struct snapmap_snapshot *snapshots[])
{
	int map_fds[SNAPMAP_SET_MAX], pin_fds[SNAPMAP_SET_MAX];
	struct snapmap_pin_set set = {
		.count = count,
		.maps = (uintptr_t)map_fds,
		.pins = (uintptr_t)pin_fds,
	};
	unsigned int i;
	int err;

	if (!count || count > SNAPMAP_SET_MAX)
		return -EINVAL;
	for (i = 0; i < count; i++)
		map_fds[i] = maps[i]->fd;
	err = snapmap_ioctl(maps[0]->fd, SNAPMAP_IOC_PIN_SET, &set);
	return err ? err : take_pins(maps, count, pin_fds, snapshots);
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

int snapmap_pin_check(const struct snapmap_snapshot *snapshot)
{
	const struct snapmap_control *control = snapmap_view_control(&snapshot->mapping->view);

#ifdef SNAPMAP_BREAK_REVOKED /* a deliberate break, for the tests' own test */
	return 0;
#endif
	return snapmap_pin_is_revoked(control, snapshot->header.version) ? -ESTALE : 0;
}

int snapmap_pin_get(const struct snapmap_snapshot *snapshot, const void *key, size_t key_len,
		    struct snapmap_item *item)
{
	const struct snapmap_view *view = &snapshot->mapping->view;
	struct snapmap_hit hit;
	bool found;
	u64 hash;

	if (!key_len || key_len > SNAPMAP_KEY_MAX)
		return -EMSGSIZE;
	hash = snapmap_view_hash(view, key, key_len);
	found = snapmap_lookup(view, snapshot->root, hash, key, key_len, &hit);
	if (snapmap_pin_check(snapshot))
		return -ESTALE;
	if (!found)
		return -ENOENT;
	item->key = key;
	item->key_len = key_len;
	item->value = hit.value;
	item->value_len = hit.value_len;
	item->version = hit.version;
	return 0;
}

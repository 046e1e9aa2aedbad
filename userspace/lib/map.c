// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * map.c - opening a map and asking about it
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "barrier.h"
#include "map.h"

#define NS_PER_MS 1000000LL

/**
 * snapmap_ioctl() - ioctl() with a negative errno
 * @fd: descriptor
 * @request: SNAPMAP_IOC_*
 * @arg: its struct
 *
 * Return: what ioctl() returns, or a negative errno.
 */
int snapmap_ioctl(int fd, unsigned long request, void *arg)
{
	int ret = ioctl(fd, request, arg);

	return ret < 0 ? -errno : ret;
}

/**
 * snapmap_fd_info() - SNAPMAP_IOC_INFO
 * @fd: a map or a pin
 * @out: what it tells
 *
 * Return: 0 or a negative errno.
 */
int snapmap_fd_info(int fd, struct snapmap_info *out)
{
	memset(out, 0, sizeof(*out));
	return snapmap_ioctl(fd, SNAPMAP_IOC_INFO, out);
}

static int open_device(const char *name_or_path, int flags)
{
	char path[sizeof(SNAPMAP_DEVICE_DIR) + 1 + SNAPMAP_NAME_MAX];
	const char *use = name_or_path;
	int fd;

	if (!strchr(name_or_path, '/')) {
		if (!snapmap_name_valid(name_or_path))
			return -EINVAL;
		snprintf(path, sizeof(path), "%s/%s", SNAPMAP_DEVICE_DIR, name_or_path);
		use = path;
	}
	fd = open(use, flags | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* Takes @fd over when it succeeds. */
static int map_new(int fd, struct snapmap **out)
{
	struct snapmap_info info;
	struct snapmap *map;
	int err;

	/* First of all, for it fails on what is no map; a mapping of one might fault. */
	err = snapmap_fd_info(fd, &info);
	if (err)
		return err;
	map = malloc(sizeof(*map));
	if (!map)
		return -ENOMEM;
	map->fd = fd;
	err = snapmap_mapping_new(fd, info.span, &map->mapping);
	if (err) {
		free(map);
		return err;
	}
	*out = map;
	return 0;
}

int snapmap_open(const char *name_or_path, int flags, struct snapmap **out)
{
	int fd, err;

	if ((flags & ~(O_ACCMODE | O_NONBLOCK | O_CLOEXEC)) || (flags & O_ACCMODE) == O_WRONLY)
		return -EINVAL;
	fd = open_device(name_or_path, flags);
	if (fd < 0)
		return fd;
	err = map_new(fd, out);
	if (err)
		close(fd);
	return err;
}

void snapmap_close(struct snapmap *map)
{
	if (!map)
		return;
	snapmap_mapping_put(map->mapping);
	close(map->fd);
	free(map);
}

int snapmap_fd(const struct snapmap *map)
{
	return map->fd;
}

int snapmap_mapped(const struct snapmap *map, uint32_t layout_version, const void **base,
		   uint64_t *bytes)
{
	if (layout_version != snapmap_map_control(map)->layout_version)
		return -EPROTONOSUPPORT;
	*base = map->mapping->view.base;
	*bytes = map->mapping->view.bytes;
	return 0;
}

uint64_t snapmap_version(const struct snapmap *map)
{
	return snapmap_live_version(snapmap_map_control(map));
}

uint32_t snapmap_state(const struct snapmap *map)
{
	return snapmap_live_state(snapmap_map_control(map));
}

void snapmap_header(const struct snapmap *map, struct snapmap_header *out)
{
	const struct snapmap_control *control = snapmap_map_control(map);
	u64 version;

	do {
		version = snapmap_live_version(control);
		memcpy(out, &control->header[version & 1], sizeof(*out));
	} while (!snapmap_live_recheck(control, version));
}

int snapmap_info(const struct snapmap *map, struct snapmap_info *out)
{
	return snapmap_fd_info(map->fd, out);
}

/* 0 when there is another version than @version, -ENODEV when there never will be. */
static int wait_is_over(const struct snapmap *map, uint64_t *version)
{
	uint32_t state = snapmap_state(map);
	uint64_t now = snapmap_version(map);

	if (now != *version) {
		*version = now;
		return 0;
	}
	return state & SNAPMAP_STATE_DESTROYED ? -ENODEV : -EAGAIN;
}

int snapmap_wait(const struct snapmap *map, uint64_t *version, int timeout_ms)
{
	struct snapmap_wait wait = {
		.version = *version,
		.timeout_ns = timeout_ms < 0 ? -1 : timeout_ms * NS_PER_MS,
	};
	uint64_t seen = *version;
	int err = wait_is_over(map, version);

	if (err != -EAGAIN)
		return err;
	err = snapmap_ioctl(map->fd, SNAPMAP_IOC_WAIT, &wait);
	if (err)
		return err;
	*version = wait.version;
	return wait.version == seen ? -ENODEV : 0;
}

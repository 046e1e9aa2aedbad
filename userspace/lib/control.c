// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * control.c - creating, changing and destroying maps
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "map.h"

#define NAME_CHARS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-"

bool snapmap_name_valid(const char *name)
{
	size_t len = strlen(name);

	return len && len <= SNAPMAP_NAME_MAX && strspn(name, NAME_CHARS) == len &&
	       name[0] != '.' && name[0] != '-' && strcmp(name, "control") != 0;
}

static int control_ioctl(unsigned long request, void *arg)
{
	int fd = open(SNAPMAP_DEVICE_CONTROL, O_RDWR | O_CLOEXEC);
	int err;

	if (fd < 0)
		return -errno;
	err = snapmap_ioctl(fd, request, arg);
	close(fd);
	return err;
}

int snapmap_create(const char *name, const struct snapmap_create_opts *opts)
{
	struct snapmap_create create = { .mode = 0644, .uid = geteuid(), .gid = getegid() };

	if (!snapmap_name_valid(name))
		return -EINVAL;
	memcpy(create.name, name, strlen(name));
	if (opts) {
		create.limit = opts->limit;
		create.mode = opts->mode;
		create.uid = opts->uid;
		create.gid = opts->gid;
		create.flags = opts->flags;
		create.history = opts->history;
		create.lease_ms = opts->lease_ms;
	}
	return control_ioctl(SNAPMAP_IOC_CREATE, &create);
}

int snapmap_set(const char *name, const struct snapmap_set_opts *opts)
{
	struct snapmap_set set = { .mask = opts->mask };

	if (!snapmap_name_valid(name))
		return -EINVAL;
	memcpy(set.name, name, strlen(name));
	if (opts->mask & SNAPMAP_SET_FLAGS)
		set.flags = opts->flags;
	if (opts->mask & SNAPMAP_SET_HISTORY)
		set.history = opts->history;
	if (opts->mask & SNAPMAP_SET_LEASE)
		set.lease_ms = opts->lease_ms;
	return control_ioctl(SNAPMAP_IOC_SET, &set);
}

int snapmap_destroy(const char *name)
{
	struct snapmap_destroy destroy = { .flags = 0 };

	if (!snapmap_name_valid(name))
		return -EINVAL;
	memcpy(destroy.name, name, strlen(name));
	return control_ioctl(SNAPMAP_IOC_DESTROY, &destroy);
}

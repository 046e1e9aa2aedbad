// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * attempt.c - what a look-up does that has been overtaken again and again
 */
#include <unistd.h>

#include "attempt.h"

/**
 * snapmap_attempt_pin() - pin the current version and choose it
 * @map: the map
 * @attempt: of the look-up
 *
 * Return: false when there is no pin to be had: what has been chosen before holds.
 */
__cold bool snapmap_attempt_pin(const struct snapmap *map, struct snapmap_attempt *attempt)
{
	struct snapmap_pin pin = { .version = 0 };
	struct snapmap_info info;
	int fd = snapmap_ioctl(map->fd, SNAPMAP_IOC_PIN, &pin);

	if (fd < 0)
		return false;
	if (snapmap_fd_info(fd, &info)) {
		close(fd);
		return false;
	}
	attempt->pinned = true;
	attempt->pin = fd;
	attempt->version = info.header.version;
	attempt->root = info.root;
	return true;
}

/**
 * snapmap_attempt_end() - the end of an attempt that was overtaken, or has a pin
 * @map: the map
 * @attempt: of the look-up
 *
 * Return: whether it counts.
 */
__cold bool snapmap_attempt_end(const struct snapmap *map, struct snapmap_attempt *attempt)
{
	bool counts = false;

	if (attempt->pinned) {
		counts = !snapmap_pin_is_revoked(snapmap_map_control(map), attempt->version);
		close(attempt->pin);
		attempt->pinned = false;
	}
	if (attempt->laps < SNAPMAP_LAPS_MAX)
		attempt->laps++;
	return counts;
}

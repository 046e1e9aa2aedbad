// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * log.c - what a map tells of its snapshots and of who pins them
 */
#include <errno.h>

#include "map.h"

#define CHUNK 128 /* records asked for at once */

static uint32_t room(size_t count)
{
	return count < UINT32_MAX ? (uint32_t)count : UINT32_MAX;
}

ssize_t snapmap_log(const struct snapmap *map, uint64_t *version, struct snapmap_record *records,
		    size_t count)
{
	struct snapmap_log log = {
		.record_size = sizeof(*records),
		.count = room(count),
		.records = (uintptr_t)records,
		.version = *version,
	};
	int err = snapmap_ioctl(map->fd, SNAPMAP_IOC_LOG, &log);

	if (err)
		return err;
	*version = log.version;
	return log.count;
}

ssize_t snapmap_pins(const struct snapmap *map, uint32_t first, struct snapmap_pin_record *records,
		     size_t count)
{
	struct snapmap_pins pins = {
		.record_size = sizeof(*records),
		.count = room(count),
		.first = first,
		.records = (uintptr_t)records,
	};
	int err = snapmap_ioctl(map->fd, SNAPMAP_IOC_PINS, &pins);

	return err ? err : (ssize_t)pins.count;
}

/* All are looked at, for the clock may have been set back between two of them. */
int snapmap_version_at(const struct snapmap *map, uint64_t realtime_ns, uint64_t *version)
{
	struct snapmap_record records[CHUNK];
	uint64_t next = 1, found = 0;
	ssize_t count, i;

	do {
		count = snapmap_log(map, &next, records, CHUNK);
		if (count < 0)
			return (int)count;
		for (i = 0; i < count; i++)
			if (records[i].header.realtime_ns <= realtime_ns)
				found = records[i].header.version;
		next += (uint64_t)count;
	} while (count == CHUNK);
	if (!found)
		return -ESTALE;
	*version = found;
	return 0;
}

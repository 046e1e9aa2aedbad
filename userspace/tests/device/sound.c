// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * sound.c - whether a map follows the rules of the format, as the library knows them
 */
#include <libsnapmap.h>

#include "device.h"

static void count_fault(void *data, uint32_t block, const char *what)
{
	note("block %u: %s", block, what);
	++*(int *)data;
}

void assert_sound(const char *name)
{
	const struct snapmap_verify_ops ops = { .fault = count_fault };
	struct snapmap_snapshot *pin;
	struct snapmap *map;
	int faults = 0;

	assert_int_equal(snapmap_open(name, O_RDONLY, &map), 0);
	assert_int_equal(snapmap_pin(map, &pin), 0);
	assert_int_equal(snapmap_verify(pin, &ops, &faults), 0);
	assert_int_equal(faults, 0);
	snapmap_unpin(pin);
	snapmap_close(map);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * broken.h - the deliberate break that SNAPMAP_BROKEN in the environment names
 */
#ifndef SNAPMAP_TESTS_BROKEN_H
#define SNAPMAP_TESTS_BROKEN_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../../kmod/broken.h"

unsigned int snapmap_breaks;

static void __attribute__((constructor)) choose_break(void)
{
	const char *name = getenv("SNAPMAP_BROKEN");

	if (!name)
		return;
	for (unsigned int which = 0; snapmap_break_name(which); which++)
		if (!strcmp(name, snapmap_break_name(which)))
			snapmap_breaks = 1U << which;
	if (!snapmap_breaks) {
		fprintf(stderr, "no break '%s'\n", name);
		exit(2);
	}
}

#endif /* SNAPMAP_TESTS_BROKEN_H */

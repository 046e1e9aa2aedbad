/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#ifndef SNAPMAP_OPTIONS_H
#define SNAPMAP_OPTIONS_H

#include <glib.h>

#define ARGUMENTS_ANY (-1)

/**
 * struct usage - how a verb is called
 * @args: names of its arguments, for --help
 * @min: the least number of arguments
 * @max: the largest, or ARGUMENTS_ANY
 * @summary: what it does, for --help
 * @description: what else there is to know, for --help; may be NULL
 */
struct usage {
	const char *args;
	int min;
	int max;
	const char *summary;
	const char *description;
};

/* What options_parse() returns when the verb is to run. */
#define OPTIONS_GO_ON (-1)

int options_parse(const struct usage *usage, const GOptionEntry *entries, int argc, char **argv,
		  char ***rest);

#endif /* SNAPMAP_OPTIONS_H */

/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#ifndef SNAPMAP_RUNNER_H
#define SNAPMAP_RUNNER_H

#include <glib.h>
#include <libsnapmap.h>
#include <stdio.h>

/**
 * struct runner - a command that is run for one version
 * @name: the map
 * @version: the version
 * @input: its standard input
 */
struct runner {
	const char *name;
	guint64 version;
	FILE *input;
};

int runner_begin(struct runner *runner, const char *name, const char *command,
		 const struct snapmap_event *event);
void runner_feed(struct runner *runner, const GString *line);
void runner_end(struct runner *runner);

#endif /* SNAPMAP_RUNNER_H */

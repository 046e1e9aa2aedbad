/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#ifndef SNAPMAP_RUNNER_H
#define SNAPMAP_RUNNER_H

#include <glib.h>
#include <libsnapmap.h>
#include <stdio.h>

/**
 * struct runner - a command that is run for one version
 * @name: the map
 * @command: for sh
 * @event: the step to the version
 * @input: its standard input
 */
struct runner {
	const char *name;
	const char *command;
	const struct snapmap_event *event;
	FILE *input;
};

int runner_begin(struct runner *runner, const char *name, const char *command,
		 const struct snapmap_event *event);
int runner_feed(struct runner *runner, const GString *line);
int runner_run(struct runner *runner);
void runner_drop(struct runner *runner);

#endif /* SNAPMAP_RUNNER_H */

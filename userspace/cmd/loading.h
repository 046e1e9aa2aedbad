/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#ifndef SNAPMAP_LOADING_H
#define SNAPMAP_LOADING_H

#include <glib.h>
#include <libsnapmap.h>
#include <stdbool.h>

#include "record.h"

/**
 * struct part - a map and the file that goes into it
 * @name: the map
 * @file: the file
 * @map: the map, open
 */
struct part {
	const char *name;
	const char *file;
	struct snapmap *map;
};

/**
 * struct loading - files that become one commit
 * @parts: maps and files
 * @count: their number, 1 to SNAPMAP_SET_MAX
 * @format: the format of the files
 * @with_op: whether their lines say put or del
 * @opts: how to commit
 */
struct loading {
	struct part parts[SNAPMAP_SET_MAX];
	guint count;
	const struct format *format;
	bool with_op;
	struct snapmap_commit_opts opts;
};

int loading_commit(struct loading *loading);
int loading_dry_run(struct loading *loading, bool as_json);

#endif /* SNAPMAP_LOADING_H */

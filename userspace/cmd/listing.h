/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#ifndef SNAPMAP_LISTING_H
#define SNAPMAP_LISTING_H

#include <glib.h>
#include <jansson.h>
#include <libsnapmap.h>

#include "options.h"

/**
 * struct listing - a verb that shows the records of one map, as a table or as JSON
 * @usage: how it is called
 * @record_size: bytes of a record
 * @read: appends all records; returns 0 or a negative errno
 * @failure: what to say when it cannot
 * @head: the table's first line, with its newline
 * @append: appends a record as a line
 * @json: a record as JSON
 */
struct listing {
	struct usage usage;
	guint record_size;
	int (*read)(const struct snapmap *map, GArray *records);
	const char *failure;
	const char *head;
	void (*append)(GString *out, const void *record);
	json_t *(*json)(const void *record);
};

int listing_run(const struct listing *listing, int argc, char **argv);

#endif /* SNAPMAP_LISTING_H */

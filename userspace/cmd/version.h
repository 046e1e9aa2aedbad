/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#ifndef SNAPMAP_VERSION_H
#define SNAPMAP_VERSION_H

#include <glib.h>
#include <libsnapmap.h>
#include <stdbool.h>

/**
 * struct version - a version, as it stands on the command line
 * @is_time: whether a time was given instead of its number
 * @number: the number, or the time in ns since 1970; 0 for the current version
 */
struct version {
	bool is_time;
	guint64 number;
};

#define VERSION_HELP                                                                   \
	"V is the number of a version that the map keeps ('snapmap log' shows them), " \
	"or a\ntime, such as 2026-11-23T04:00:00Z or @1795406400, for the version "    \
	"that was\ncurrent then. A time is in UTC unless it ends in an offset such "   \
	"as +02:00."

int version_parse(const char *verb, const char *text, struct version *out);
int version_find(const char *name, const struct snapmap *map, const struct version *version,
		 uint64_t *out);
int version_pin(const char *name, const struct snapmap *map, const struct version *version,
		struct snapmap_snapshot **out);
int report_version(const char *name, const struct snapmap *map, guint64 version, int err);
int report_revoked(const char *name, const struct snapmap_snapshot *snapshot);

#endif /* SNAPMAP_VERSION_H */

// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * version.c - versions on the command line: by number or by time
 */
#include "version.h"

#include <errno.h>

#include "cmd.h"
#include "number.h"
#include "report.h"

/**
 * version_parse() - take a version
 * @verb: the verb, for messages
 * @text: the word; NULL for the current version
 * @out: the version
 *
 * Return: CMD_DONE or CMD_USAGE.
 */
int version_parse(const char *verb, const char *text, struct version *out)
{
	*out = (struct version){ .is_time = false };
	if (!text || (parse_u64(text, &out->number) && out->number))
		return CMD_DONE;
	out->is_time = true;
	if (parse_time(text, &out->number))
		return CMD_DONE;
	return report_usage(verb,
			    "'%s' is neither a version nor a time; use a number, "
			    "2026-11-23T04:00:00Z or @1795406400",
			    text);
}

/* "5 to 9", or "9 alone" */
static char *kept_text(const struct snapmap *map)
{
	struct snapmap_info info;

	if (snapmap_info(map, &info))
		return g_strdup("others");
	if (info.oldest_kept == info.header.version)
		return g_strdup_printf("%llu alone", info.header.version);
	return g_strdup_printf("%llu to %llu", info.oldest_kept, info.header.version);
}

/**
 * report_version() - why a version cannot be had
 * @name: the map
 * @map: the map
 * @version: the version
 * @err: what the library returned
 *
 * Return: the exit code.
 */
int report_version(const char *name, const struct snapmap *map, guint64 version, int err)
{
	g_autofree char *kept = kept_text(map);

	switch (err) {
	case -ESTALE:
		return report_not_found(name, "version %" G_GUINT64_FORMAT " is gone; it keeps %s",
					version, kept);
	case -EINVAL:
		return report_not_found(name,
					"there is no version %" G_GUINT64_FORMAT
					" yet; it keeps %s",
					version, kept);
	default:
		return report_errno(name, "the snapshot cannot be pinned", err);
	}
}

/**
 * report_revoked() - a pin has been revoked while it was in use
 * @name: the map
 * @snapshot: the pinned snapshot
 *
 * Return: the exit code.
 */
int report_revoked(const char *name, const struct snapmap_snapshot *snapshot)
{
	return report_failure(name,
			      "version %" G_GUINT64_FORMAT " has been revoked meanwhile, to make "
			      "room for commits; try again, or raise the map's limit",
			      (guint64)snapmap_pin_version(snapshot));
}

static int report_too_old(const char *name, const struct snapmap *map, guint64 ns)
{
	g_autofree char *wanted = time_text(ns);
	g_autofree char *oldest = NULL;
	struct snapmap_record record;
	uint64_t version = 1;

	if (snapmap_log(map, &version, &record, 1) != 1)
		return report_not_found(name, "it keeps no version as old as %s", wanted);
	oldest = time_text(record.header.realtime_ns);
	return report_not_found(name,
				"it keeps no version as old as %s; its oldest is version "
				"%" G_GUINT64_FORMAT ", of %s",
				wanted, (guint64)version, oldest);
}

/**
 * version_find() - the number of a version
 * @name: the map
 * @map: the map
 * @version: as it was given
 * @out: its number; 0 for the current one
 *
 * Return: CMD_DONE or the exit code.
 */
int version_find(const char *name, const struct snapmap *map, const struct version *version,
		 uint64_t *out)
{
	int err;

	*out = version->number;
	if (!version->is_time)
		return CMD_DONE;
	err = snapmap_version_at(map, version->number, out);
	if (err == -ESTALE)
		return report_too_old(name, map, version->number);
	return err ? report_errno(name, "the map does not tell its history", err) : CMD_DONE;
}

/**
 * version_pin() - pin a version
 * @name: the map
 * @map: the map
 * @version: as it was given
 * @out: the snapshot
 *
 * Return: CMD_DONE or the exit code.
 */
int version_pin(const char *name, const struct snapmap *map, const struct version *version,
		struct snapmap_snapshot **out)
{
	uint64_t number;
	int code = version_find(name, map, version, &number);
	int err;

	if (code)
		return code;
	err = snapmap_pin_at(map, number, out);
	return err ? report_version(name, map, number, err) : CMD_DONE;
}

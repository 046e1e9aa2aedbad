// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * cmd_diff.c - what differs between two versions
 */
#include <fcntl.h>
#include <stdio.h>

#include "change.h"
#include "cmd.h"
#include "options.h"
#include "output.h"
#include "report.h"
#include "version.h"

static const struct usage usage = {
	.args = "NAME V1 [V2]",
	.min = 2,
	.max = 3,
	.summary = "Print each key that versions V1 and V2 (default: the current one) differ in:\n"
		   "added<TAB>KEY<TAB>VALUE, changed<TAB>KEY<TAB>OLD<TAB>NEW or\n"
		   "removed<TAB>KEY<TAB>OLD, in no order that means anything.",
	.description = "The time that this takes follows what differs, not what the map holds.\n"
		       "A key that was written again with the same value does not differ.\n"
		       "\n" VERSION_HELP,
};

struct options {
	gboolean as_json;
	gboolean as_apply;
	gboolean stats;
	enum change_style style;
};

static int print_changes(const char *name, struct snapmap_diff *diff,
			 const struct snapmap_snapshot *before, const struct options *options)
{
	g_autoptr(GString) line = g_string_new(NULL);
	struct snapmap_change change;
	guint64 changes = 0;
	int code = CMD_DONE;
	int ret = 0;

	while (!code && (ret = snapmap_diff_next(diff, &change)) > 0) {
		g_string_truncate(line, 0);
		change_append(line, &change, options->style);
		if (snapmap_pin_check(before))
			return report_revoked(name, before);
		code = output_write(line);
		changes++;
	}
	if (code)
		return code;
	if (snapmap_pin_check(before))
		return report_revoked(name, before);
	if (ret < 0)
		return report_errno(name, "the versions cannot be compared to their end", ret);
	if (options->stats)
		fprintf(stderr,
			"%" G_GUINT64_FORMAT " changes, %" G_GUINT64_FORMAT " nodes visited\n",
			changes, (guint64)snapmap_diff_nodes(diff));
	return CMD_DONE;
}

/* Which one is the older says which pin is the first to be revoked. */
static int compare(const char *name, struct snapmap_snapshot *const snapshots[2],
		   const struct options *options)
{
	bool back = snapmap_pin_version(snapshots[0]) > snapmap_pin_version(snapshots[1]);
	struct snapmap_diff *diff;
	int err = snapmap_diff_new(snapshots[0], snapshots[1], &diff);
	int code;

	if (err)
		return report_errno(name, "the versions cannot be compared", err);
	code = print_changes(name, diff, snapshots[back], options);
	snapmap_diff_free(diff);
	return code;
}

static int diff(const char *name, const struct snapmap *map, const struct version versions[2],
		const struct options *options)
{
	struct snapmap_snapshot *snapshots[2] = { NULL, NULL };
	int code = version_pin(name, map, &versions[0], &snapshots[0]);

	if (!code)
		code = version_pin(name, map, &versions[1], &snapshots[1]);
	if (!code)
		code = compare(name, snapshots, options);
	snapmap_unpin(snapshots[1]);
	snapmap_unpin(snapshots[0]);
	return code;
}

static int run(char **rest, struct options *options)
{
	struct version versions[2];
	struct snapmap *map;
	int code = change_style("diff", options->as_json, options->as_apply, &options->style);

	if (!code)
		code = version_parse("diff", rest[1], &versions[0]);
	if (!code)
		code = version_parse("diff", rest[2], &versions[1]);
	if (!code)
		code = open_map(rest[0], O_RDONLY, &map);
	if (code)
		return code;
	code = diff(rest[0], map, versions, options);
	snapmap_close(map);
	return code;
}

int cmd_diff(int argc, char **argv)
{
	struct options options = { .stats = FALSE };
	const GOptionEntry entries[] = {
		{ "apply", 'a', 0, G_OPTION_ARG_NONE, &options.as_apply,
		  "Print lines that 'snapmap apply' reads", NULL },
		{ "json", 'j', 0, G_OPTION_ARG_NONE, &options.as_json,
		  "Print a JSON object a line, with the version of each entry", NULL },
		{ "stats", 0, 0, G_OPTION_ARG_NONE, &options.stats,
		  "Say on standard error how many nodes were looked at", NULL },
		G_OPTION_ENTRY_NULL,
	};
	g_auto(GStrv) rest = NULL;
	int code = options_parse(&usage, entries, argc, argv, &rest);

	return code == OPTIONS_GO_ON ? run(rest, &options) : code;
}

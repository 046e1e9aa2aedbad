// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * cmd_rollback.c - publish an older snapshot's entries as a new version
 */
#include <fcntl.h>

#include "cmd.h"
#include "number.h"
#include "options.h"
#include "report.h"
#include "writing.h"

static const struct usage usage = {
	.args = "NAME V",
	.min = 2,
	.max = 2,
	.summary = "Publish the entries of version V, which the map still keeps, as a new version.",
	.description =
		"'snapmap log' shows the versions that a map keeps. The time that this takes\n"
		"follows what differs between the two versions, not what the map holds.",
};

static int rollback(const char *name, guint64 to, const struct snapmap_commit_opts *opts)
{
	struct snapmap *map;
	int code = open_map(name, O_RDWR, &map);
	int err;

	if (code)
		return code;
	err = snapmap_rollback(map, to, opts, NULL);
	snapmap_close(map);
	return err ? report_rollback(name, to, err) : CMD_DONE;
}

static int run(char **rest, const struct writing *writing)
{
	struct snapmap_commit_opts opts;
	guint64 to;
	int code = writing_parse("rollback", writing, &opts);

	if (code)
		return code;
	if (!parse_u64(rest[1], &to) || !to)
		return report_usage("rollback", "'%s' is no version; use a number", rest[1]);
	return rollback(rest[0], to, &opts);
}

int cmd_rollback(int argc, char **argv)
{
	struct writing writing = { .stamp = NULL };
	const GOptionEntry entries[] = {
		WRITING_ENTRIES(&writing),
		G_OPTION_ENTRY_NULL,
	};
	g_auto(GStrv) rest = NULL;
	int code = options_parse(&usage, entries, argc, argv, &rest);

	if (code == OPTIONS_GO_ON)
		code = run(rest, &writing);
	writing_clear(&writing);
	return code;
}

// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * cmd_rollback.c - publish an older snapshot's entries as a new version
 */
#include <errno.h>
#include <fcntl.h>

#include "cmd.h"
#include "options.h"
#include "report.h"
#include "version.h"
#include "writing.h"

static const struct usage usage = {
	.args = "NAME V",
	.min = 2,
	.max = 2,
	.summary = "Publish the entries of version V, which the map still keeps, as a new version.",
	.description = VERSION_HELP "\n"
				    "The time that this takes follows what differs between the two "
				    "versions, not\n"
				    "what the map holds.",
};

static int rollback(const char *name, struct snapmap *map, const struct version *version,
		    const struct snapmap_commit_opts *opts)
{
	uint64_t to;
	int code = version_find(name, map, version, &to);
	int err;

	if (code)
		return code;
	err = snapmap_rollback(map, to, opts, NULL);
	if (err == -ESTALE || err == -EINVAL)
		return report_version(name, map, to, err);
	return err ? report_commit(name, err) : CMD_DONE;
}

static int run(char **rest, const struct writing *writing)
{
	struct snapmap_commit_opts opts;
	struct version version;
	struct snapmap *map;
	int code = writing_parse("rollback", writing, &opts);

	if (!code)
		code = version_parse("rollback", rest[1], &version);
	if (!code)
		code = open_map(rest[0], O_RDWR, &map);
	if (code)
		return code;
	code = rollback(rest[0], map, &version, &opts);
	snapmap_close(map);
	return code;
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

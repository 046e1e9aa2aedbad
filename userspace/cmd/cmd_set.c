// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * cmd_set.c - change what a map was created with
 */
#include "cmd.h"
#include "keep.h"
#include "options.h"
#include "report.h"

static const struct usage usage = {
	.args = "NAME",
	.min = 1,
	.max = 1,
	.summary = "Change what a map keeps. What is not given stays as it is.",
	.description = KEEP_HELP "\n"
				 "Snapshots that are too many go at once. Transactions that exist "
				 "keep their lease.",
};

static int set(const char *name, const struct keep *keep)
{
	struct snapmap_set_opts opts;
	int code = keep_parse("set", keep, &opts);
	int err;

	if (code)
		return code;
	if (!opts.mask)
		return report_usage("set",
				    "nothing is to change; give --history, --lease or --pins");
	err = snapmap_set(name, &opts);
	return err ? report_control(name, "change", err) : CMD_DONE;
}

int cmd_set(int argc, char **argv)
{
	struct keep keep = { NULL, NULL, NULL };
	const GOptionEntry entries[] = {
		KEEP_ENTRIES(&keep),
		G_OPTION_ENTRY_NULL,
	};
	g_auto(GStrv) rest = NULL;
	int code = options_parse(&usage, entries, argc, argv, &rest);

	if (code == OPTIONS_GO_ON)
		code = set(rest[0], &keep);
	keep_clear(&keep);
	return code;
}

// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * cmd_destroy.c - end maps
 */
#include "cmd.h"
#include "options.h"
#include "report.h"

static const struct usage usage = {
	.args = "NAME...",
	.min = 1,
	.max = ARGUMENTS_ANY,
	.summary = "End maps. Their names are free at once; who has one open keeps its last\n"
		   "snapshot.",
};

int cmd_destroy(int argc, char **argv)
{
	const GOptionEntry entries[] = { G_OPTION_ENTRY_NULL };
	g_auto(GStrv) rest = NULL;
	int code = options_parse(&usage, entries, argc, argv, &rest);
	int err, i, one;

	if (code != OPTIONS_GO_ON)
		return code;
	code = CMD_DONE;
	for (i = 0; rest[i]; i++) {
		err = snapmap_destroy(rest[i]);
		one = err ? report_control(rest[i], "destroy", err) : CMD_DONE;
		code = MAX(code, one);
	}
	return code;
}

// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * cmd_dump.c - all entries of one pinned snapshot
 */
#include <errno.h>
#include <fcntl.h>

#include "cmd.h"
#include "options.h"
#include "output.h"
#include "progress.h"
#include "record.h"
#include "report.h"
#include "version.h"

static const struct usage usage = {
	.args = "NAME",
	.min = 1,
	.max = 1,
	.summary = "Print all entries of one snapshot, in no order that means anything.",
	.description = "'snapmap load' reads the output back, byte for byte.\n\n" VERSION_HELP,
};

static int dump_items(const char *name, const struct snapmap_snapshot *snapshot,
		      struct snapmap_iter *iter, const struct format *format)
{
	g_autoptr(GString) line = g_string_new(NULL);
	struct snapmap_item item;
	struct progress progress;
	guint64 done = 0;
	int code = CMD_DONE;
	int ret = 0;

	progress_begin(&progress, name, "printing", snapmap_pin_header(snapshot)->entries);
	while (!code && (ret = snapmap_iter_next(iter, &item)) > 0) {
		g_string_truncate(line, 0);
		format->append(line, &item);
		if (snapmap_pin_check(snapshot))
			break;
		code = output_write(line);
		progress_tell(&progress, ++done);
	}
	progress_hide(&progress);
	if (snapmap_pin_check(snapshot))
		return report_revoked(name, snapshot);
	if (ret < 0)
		return report_errno(name,
				    "the snapshot cannot be read to its end; "
				    "'snapmap verify' tells more",
				    ret);
	return code;
}

static int dump(const char *name, const struct snapmap *map, const struct version *at,
		const struct format *format)
{
	struct snapmap_snapshot *snapshot;
	struct snapmap_iter *iter;
	int code = version_pin(name, map, at, &snapshot);
	int err;

	if (code)
		return code;
	err = snapmap_iter_new(snapshot, &iter);
	if (err == -ESTALE)
		code = report_revoked(name, snapshot);
	else if (err)
		code = report_errno(name, "the snapshot cannot be read", err);
	else
		code = dump_items(name, snapshot, iter, format);
	if (!err)
		snapmap_iter_free(iter);
	snapmap_unpin(snapshot);
	return code;
}

int cmd_dump(int argc, char **argv)
{
	g_autofree char *format_name = NULL;
	g_autofree char *at_text = NULL;
	const GOptionEntry entries[] = {
		{ "at", 0, 0, G_OPTION_ARG_FILENAME, &at_text,
		  "Print version V (default: the current one)", "V" },
		{ "format", 'f', 0, G_OPTION_ARG_FILENAME, &format_name,
		  "Format: tsv (default) or jsonl", "FORMAT" },
		G_OPTION_ENTRY_NULL,
	};
	g_auto(GStrv) rest = NULL;
	const struct format *format;
	struct snapmap *map;
	struct version at;
	int code = options_parse(&usage, entries, argc, argv, &rest);

	if (code != OPTIONS_GO_ON)
		return code;
	format = format_find(format_name);
	if (!format)
		return report_usage(argv[0], "there is no format '%s'; use tsv or jsonl",
				    format_name);
	code = version_parse(argv[0], at_text, &at);
	if (!code)
		code = open_map(rest[0], O_RDONLY, &map);
	if (code)
		return code;
	code = dump(rest[0], map, &at, format);
	snapmap_close(map);
	return code;
}

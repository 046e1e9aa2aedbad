// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * cmd_dump.c - all entries of one pinned snapshot
 */
#include <fcntl.h>

#include "cmd.h"
#include "options.h"
#include "output.h"
#include "progress.h"
#include "record.h"
#include "report.h"

static const struct usage usage = {
	.args = "NAME",
	.min = 1,
	.max = 1,
	.summary = "Print all entries of one snapshot, in no order that means anything.",
	.description = "'snapmap load' reads the output back, byte for byte.",
};

static int dump_items(const char *name, struct snapmap_iter *iter, guint64 total,
		      const struct format *format)
{
	g_autoptr(GString) line = g_string_new(NULL);
	struct snapmap_item item;
	struct progress progress;
	guint64 done = 0;
	int code = CMD_DONE;
	int ret = 0;

	progress_begin(&progress, name, "printing", total);
	while (!code && (ret = snapmap_iter_next(iter, &item)) > 0) {
		g_string_truncate(line, 0);
		format->append(line, &item);
		code = output_write(line);
		progress_tell(&progress, ++done);
	}
	progress_hide(&progress);
	if (ret < 0)
		return report_errno(name,
				    "the snapshot cannot be read to its end; "
				    "'snapmap verify' tells more",
				    ret);
	return code;
}

static int dump(const char *name, const struct snapmap *map, const struct format *format)
{
	struct snapmap_snapshot *snapshot;
	struct snapmap_iter *iter;
	int err = snapmap_pin(map, &snapshot);
	int code;

	if (err)
		return report_errno(name, "the current snapshot cannot be pinned", err);
	err = snapmap_iter_new(snapshot, &iter);
	if (err)
		code = report_errno(name, "the snapshot cannot be read", err);
	else
		code = dump_items(name, iter, snapmap_pin_header(snapshot)->entries, format);
	if (!err)
		snapmap_iter_free(iter);
	snapmap_unpin(snapshot);
	return code;
}

int cmd_dump(int argc, char **argv)
{
	g_autofree char *format_name = NULL;
	const GOptionEntry entries[] = {
		{ "format", 'f', 0, G_OPTION_ARG_FILENAME, &format_name,
		  "Format: tsv (default) or jsonl", "FORMAT" },
		G_OPTION_ENTRY_NULL,
	};
	g_auto(GStrv) rest = NULL;
	const struct format *format;
	struct snapmap *map;
	int code = options_parse(&usage, entries, argc, argv, &rest);

	if (code != OPTIONS_GO_ON)
		return code;
	format = format_find(format_name);
	if (!format)
		return report_usage(argv[0], "there is no format '%s'; use tsv or jsonl",
				    format_name);
	code = open_map(rest[0], O_RDONLY, &map);
	if (code)
		return code;
	code = dump(rest[0], map, format);
	snapmap_close(map);
	return code;
}

// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * cmd_watch.c - a line for each new version
 */
#include <errno.h>
#include <fcntl.h>

#include "cmd.h"
#include "number.h"
#include "options.h"
#include "output.h"
#include "report.h"

static const struct usage usage = {
	.args = "NAME",
	.min = 1,
	.max = 1,
	.summary = "Print a line for the current version and for each that is seen after it:\n"
		   "VERSION<TAB>ENTRIES<TAB>BYTES<TAB>TIME.",
	.description = "BYTES is the sum of all keys and values. Versions that follow each other\n"
		       "faster than they can be printed are passed over. Ends when the map is\n"
		       "destroyed.",
};

static int print_line(const struct snapmap_header *header)
{
	g_autoptr(GString) out = g_string_new(NULL);
	g_autofree char *time = time_text(header->realtime_ns);
	int code;

	g_string_printf(out, "%llu\t%llu\t%llu\t%s\n", header->version, header->entries,
			header->key_bytes + header->value_bytes, time);
	code = output_write(out);
	return code ? code : output_flush();
}

static int watch(const char *name, const struct snapmap *map, guint64 lines)
{
	struct snapmap_header header = { .version = 0 };
	uint64_t version;
	int code = CMD_DONE;
	guint64 i;
	int err;

	for (i = 0; !code && (!lines || i < lines); i++) {
		version = header.version;
		err = snapmap_wait(map, &version, -1);
		if (err == -ENODEV)
			return CMD_DONE;
		if (err)
			return report_errno(name, "waiting for a version failed", err);
		snapmap_header(map, &header);
		code = print_line(&header);
	}
	return code;
}

int cmd_watch(int argc, char **argv)
{
	g_autofree char *count = NULL;
	const GOptionEntry entries[] = {
		{ "count", 'n', 0, G_OPTION_ARG_FILENAME, &count, "End after N lines", "N" },
		G_OPTION_ENTRY_NULL,
	};
	g_auto(GStrv) rest = NULL;
	struct snapmap *map;
	guint64 lines = 0;
	int code = options_parse(&usage, entries, argc, argv, &rest);

	if (code != OPTIONS_GO_ON)
		return code;
	if (count && (!parse_u64(count, &lines) || !lines))
		return report_usage("watch", "'%s' is no number of lines; use 1 or more", count);
	code = open_map(rest[0], O_RDONLY, &map);
	if (code)
		return code;
	code = watch(rest[0], map, lines);
	snapmap_close(map);
	return code;
}

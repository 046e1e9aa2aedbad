// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * cmd_load.c - load and apply: a file becomes one commit
 */
#include <errno.h>
#include <fcntl.h>

#include "cmd.h"
#include "input.h"
#include "options.h"
#include "report.h"

/* What tells the two verbs apart. */
struct kind {
	struct usage usage;
	bool with_op;
	uint32_t flags;
};

static const struct kind load = {
	.usage = {
		.args = "NAME FILE",
		.min = 2,
		.max = 2,
		.summary = "Replace the whole content of a map by that of FILE, as one version.\n"
			   "When a key comes more than once, its last line counts.",
		.description = "Lines of FILE ('-' for standard input) are KEY<TAB>VALUE with the\n"
			       "escapes \\t \\n \\r \\\\ \\xHH; with --format jsonl\n"
			       "{\"key\":KEY,\"value\":VALUE}, or key_base64 and value_base64.\n"
			       "When a line is bad nothing is changed and the exit code is 4.",
	},
	.with_op = false,
	.flags = SNAPMAP_COMMIT_REPLACE,
};

static const struct kind apply = {
	.usage = {
		.args = "NAME FILE",
		.min = 2,
		.max = 2,
		.summary = "Apply the puts and deletes of FILE in order, seen all at once.\n"
			   "To delete a key that is absent is no error.",
		.description = "Lines of FILE ('-' for standard input) are put<TAB>KEY<TAB>VALUE or\n"
			       "del<TAB>KEY with the escapes \\t \\n \\r \\\\ \\xHH; with --format jsonl\n"
			       "{\"op\":\"put\",\"key\":KEY,\"value\":VALUE} or {\"op\":\"del\",\"key\":KEY}, or\n"
			       "key_base64 and value_base64.\n"
			       "When a line is bad nothing is changed and the exit code is 4.",
	},
	.with_op = true,
	.flags = 0,
};

static int commit_file(const struct kind *kind, struct snapmap *map, const char *name,
		       const char *file, const struct format *format, struct snapmap_batch *batch)
{
	struct snapmap_commit_opts opts = { .flags = kind->flags };
	struct progress progress;
	int code = input_read(name, file, format, kind->with_op, batch, &progress);
	int err;

	if (code)
		return code;
	progress_step(&progress, "committing", snapmap_batch_count(batch));
	err = snapmap_commit(map, batch, &opts, NULL);
	progress_hide(&progress);
	return err ? report_commit(name, err) : CMD_DONE;
}

static int run(const struct kind *kind, const char *name, const char *file,
	       const struct format *format)
{
	struct snapmap_batch *batch;
	struct snapmap *map;
	int code = open_map(name, O_RDWR, &map);

	if (code)
		return code;
	batch = snapmap_batch_new();
	code = batch ? commit_file(kind, map, name, file, format, batch) :
		       report_commit(name, -ENOMEM);
	snapmap_batch_free(batch);
	snapmap_close(map);
	return code;
}

static int run_verb(const struct kind *kind, int argc, char **argv)
{
	g_autofree char *format_name = NULL;
	const GOptionEntry entries[] = {
		{ "format", 'f', 0, G_OPTION_ARG_FILENAME, &format_name,
		  "Format of FILE: tsv (default) or jsonl", "FORMAT" },
		G_OPTION_ENTRY_NULL,
	};
	g_auto(GStrv) rest = NULL;
	const struct format *format;
	int code = options_parse(&kind->usage, entries, argc, argv, &rest);

	if (code != OPTIONS_GO_ON)
		return code;
	format = format_find(format_name);
	if (!format)
		return report_usage(argv[0], "there is no format '%s'; use tsv or jsonl",
				    format_name);
	return run(kind, rest[0], rest[1], format);
}

int cmd_load(int argc, char **argv)
{
	return run_verb(&load, argc, argv);
}

int cmd_apply(int argc, char **argv)
{
	return run_verb(&apply, argc, argv);
}

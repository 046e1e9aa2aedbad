// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * cmd_load.c - load and apply: files become one commit
 */
#include <string.h>

#include "cmd.h"
#include "loading.h"
#include "options.h"
#include "report.h"
#include "writing.h"

/* What tells the two verbs apart. */
struct kind {
	struct usage usage;
	bool with_op;
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
};

static const struct kind apply = {
	.usage = {
		.args = "NAME FILE [NAME FILE]...",
		.min = 2,
		.max = 2 * SNAPMAP_SET_MAX,
		.summary = "Apply the puts and deletes of FILE in order, seen all at once; of several\n"
			   "FILEs too, each in its map. To delete a key that is absent is no error.",
		.description = "Lines of FILE ('-' for standard input) are put<TAB>KEY<TAB>VALUE or\n"
			       "del<TAB>KEY with the escapes \\t \\n \\r \\\\ \\xHH; with --format jsonl\n"
			       "{\"op\":\"put\",\"key\":KEY,\"value\":VALUE} or {\"op\":\"del\",\"key\":KEY}, or\n"
			       "key_base64 and value_base64.\n"
			       "When a line is bad nothing is changed and the exit code is 4.",
	},
	.with_op = true,
};

/* As they stand on the command line. */
struct options {
	char *format;
	gboolean merge;
	gboolean dry_run;
	gboolean as_json;
	struct writing writing;
};

static int take_parts(const char *verb, char **rest, struct loading *loading)
{
	bool uses_stdin = false;
	struct part *part;
	guint i;

	for (; *rest; rest += 2) {
		if (!rest[1])
			return report_usage(verb, "the last map has no file; give NAME FILE pairs");
		for (i = 0; i < loading->count; i++)
			if (!strcmp(loading->parts[i].name, rest[0]))
				return report_usage(verb,
						    "'%s' is there twice; give each map "
						    "one file",
						    rest[0]);
		if (!strcmp(rest[1], "-") && uses_stdin)
			return report_usage(verb, "standard input can be read only once");
		uses_stdin |= !strcmp(rest[1], "-");
		part = &loading->parts[loading->count++];
		part->name = rest[0];
		part->file = rest[1];
	}
	return CMD_DONE;
}

static int parse(const struct kind *kind, const char *verb, char **rest,
		 const struct options *options, struct loading *loading)
{
	int code = writing_parse(verb, &options->writing, &loading->opts);

	if (code)
		return code;
	if (options->as_json && !options->dry_run)
		return report_usage(verb, "--json is for --dry-run");
	loading->format = format_find(options->format);
	if (!loading->format)
		return report_usage(verb, "there is no format '%s'; use tsv or jsonl",
				    options->format);
	loading->with_op = kind->with_op;
	if (!kind->with_op && !options->merge)
		loading->opts.flags |= SNAPMAP_COMMIT_REPLACE;
	return take_parts(verb, rest, loading);
}

static int run(const struct kind *kind, const char *verb, char **rest,
	       const struct options *options)
{
	struct loading loading = { .count = 0 };
	int code = parse(kind, verb, rest, options, &loading);

	if (code)
		return code;
	return options->dry_run ? loading_dry_run(&loading, options->as_json) :
				  loading_commit(&loading);
}

static int run_verb(const struct kind *kind, int argc, char **argv)
{
	struct options options = { .format = NULL };
	const GOptionEntry merge = { "merge",
				     0,
				     0,
				     G_OPTION_ARG_NONE,
				     &options.merge,
				     "Leave keys that FILE does not name as they are",
				     NULL };
	const GOptionEntry entries[] = {
		{ "format", 'f', 0, G_OPTION_ARG_FILENAME, &options.format,
		  "Format of FILE: tsv (default) or jsonl", "FORMAT" },
		{ "dry-run", 'n', 0, G_OPTION_ARG_NONE, &options.dry_run,
		  "Change nothing; print how many keys would change", NULL },
		{ "json", 'j', 0, G_OPTION_ARG_NONE, &options.as_json, "With --dry-run, print JSON",
		  NULL },
		WRITING_ENTRIES(&options.writing),
		kind->with_op ? (GOptionEntry)G_OPTION_ENTRY_NULL : merge,
		G_OPTION_ENTRY_NULL,
	};
	g_auto(GStrv) rest = NULL;
	int code = options_parse(&kind->usage, entries, argc, argv, &rest);

	if (code == OPTIONS_GO_ON)
		code = run(kind, argv[0], rest, &options);
	g_free(options.format);
	writing_clear(&options.writing);
	return code;
}

int cmd_load(int argc, char **argv)
{
	return run_verb(&load, argc, argv);
}

int cmd_apply(int argc, char **argv)
{
	return run_verb(&apply, argc, argv);
}

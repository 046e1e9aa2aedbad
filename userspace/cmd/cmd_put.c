// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * cmd_put.c - write one entry
 */
#include <errno.h>
#include <fcntl.h>

#include "argument.h"
#include "cmd.h"
#include "number.h"
#include "options.h"
#include "report.h"
#include "writing.h"

static const struct usage usage = {
	.args = "NAME KEY VALUE|--file FILE",
	.min = 2,
	.max = 3,
	.summary = "Write one entry.",
	.description =
		"KEY and VALUE are taken as they stand unless --escaped is given; of FILE\n"
		"('-' for standard input) every byte counts, and --escaped does not. When a\n"
		"condition does not hold, nothing is changed and the exit code is 3.",
};

/* As they stand on the command line. */
struct options {
	gboolean escaped;
	gboolean if_absent;
	char *if_version;
	char *file;
	struct writing writing;
};

/* What the options ask for. */
struct condition {
	unsigned int kind;
	guint64 version;
};

static int parse_condition(const struct options *options, struct condition *condition)
{
	const char *if_version = options->if_version;

	condition->kind = SNAPMAP_COND_NONE;
	condition->version = 0;
	if (options->if_absent && if_version)
		return report_usage("put", "--if-absent and --if-version exclude each other");
	if (options->if_absent)
		condition->kind = SNAPMAP_COND_ABSENT;
	if (!if_version)
		return CMD_DONE;
	condition->kind = SNAPMAP_COND_VERSION;
	if (!parse_u64(if_version, &condition->version))
		return report_usage("put", "'%s' is no version; use a number", if_version);
	return CMD_DONE;
}

static int report_condition(const char *name, const struct condition *condition, uint64_t version)
{
	if (condition->kind == SNAPMAP_COND_ABSENT)
		return report_conflict(
			name,
			"the key is there already (version %" G_GUINT64_FORMAT
			"), nothing has changed; leave out --if-absent to replace it",
			(guint64)version);
	return report_conflict(name,
			       "the key was not last written at version %" G_GUINT64_FORMAT
			       " (the map is at %" G_GUINT64_FORMAT
			       "), nothing has changed; read it again with 'snapmap get --json'",
			       condition->version, (guint64)version);
}

/* What is to be committed, and how. */
struct request {
	struct condition condition;
	struct snapmap_commit_opts opts;
	struct argument key;
	struct argument value;
};

static int commit(const char *name, struct snapmap *map, const struct request *request)
{
	const struct argument *key = &request->key, *value = &request->value;
	const struct condition *condition = &request->condition;
	struct snapmap_commit_result result = { .version = 0 };
	struct snapmap_batch *batch = snapmap_batch_new();
	int err = -ENOMEM;

	if (batch)
		err = snapmap_batch_put_if(batch, key->bytes, key->len, value->bytes, value->len,
					   condition->kind, condition->version);
	if (!err)
		err = snapmap_commit(map, batch, &request->opts, &result);
	snapmap_batch_free(batch);
	if (err == -ECANCELED)
		return report_condition(name, condition, result.version);
	return err ? report_commit(name, err) : CMD_DONE;
}

static int parse_value(char *word, const struct options *options, struct argument *value)
{
	if (word && options->file)
		return report_usage("put", "a VALUE and --file exclude each other");
	if (!word && !options->file)
		return report_usage("put", "an argument is missing; usage: snapmap put %s",
				    usage.args);
	return word ? argument_value("put", word, options->escaped, value) : CMD_DONE;
}

static int parse(char **rest, const struct options *options, struct request *request)
{
	int code = parse_condition(options, &request->condition);

	if (!code)
		code = writing_parse("put", &options->writing, &request->opts);
	if (!code)
		code = argument_key("put", rest[1], options->escaped, &request->key);
	return code ? code : parse_value(rest[2], options, &request->value);
}

static int commit_file(const char *name, struct snapmap *map, const char *file,
		       struct request *request)
{
	int code = argument_value_file(name, file, &request->value);

	if (code)
		return code;
	code = commit(name, map, request);
	g_free(request->value.bytes);
	return code;
}

static int put(char **rest, const struct options *options)
{
	struct request request;
	struct snapmap *map;
	int code = parse(rest, options, &request);

	if (!code)
		code = open_map(rest[0], O_RDWR, &map);
	if (code)
		return code;
	code = options->file ? commit_file(rest[0], map, options->file, &request) :
			       commit(rest[0], map, &request);
	snapmap_close(map);
	return code;
}

int cmd_put(int argc, char **argv)
{
	struct options options = { .file = NULL };
	const GOptionEntry entries[] = {
		ARGUMENT_ESCAPED_ENTRY(&options.escaped),
		{ "file", 'f', 0, G_OPTION_ARG_FILENAME, &options.file,
		  "Take the value from FILE, up to 1 MiB", "FILE" },
		{ "if-absent", 0, 0, G_OPTION_ARG_NONE, &options.if_absent,
		  "Only if there is no such key", NULL },
		{ "if-version", 0, 0, G_OPTION_ARG_FILENAME, &options.if_version,
		  "Only if the key was last written at version V", "V" },
		WRITING_ENTRIES(&options.writing),
		G_OPTION_ENTRY_NULL,
	};
	g_auto(GStrv) rest = NULL;
	int code = options_parse(&usage, entries, argc, argv, &rest);

	if (code == OPTIONS_GO_ON)
		code = put(rest, &options);
	g_free(options.if_version);
	g_free(options.file);
	writing_clear(&options.writing);
	return code;
}

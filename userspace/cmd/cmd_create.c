// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * cmd_create.c - make a map
 */
#include <inttypes.h>
#include <unistd.h>

#include "cmd.h"
#include "keep.h"
#include "number.h"
#include "options.h"
#include "report.h"

#define DEFAULT_MODE 0644

static const struct usage usage = {
	.args = "NAME",
	.min = 1,
	.max = 1,
	.summary = "Make a new, empty map, /dev/snapmap/NAME.",
	.description = "SIZE is a number of bytes, or with K, M or G of 1024 times as many.\n"
		       "The mode says who may read the map and who, by the right to write, may\n"
		       "commit to it. " KEEP_HELP,
};

/* As they stand on the command line; NULL where not given. */
struct options {
	char *limit;
	char *mode;
	char *owner;
	struct keep keep;
};

static int parse_limit(const char *text, struct snapmap_create_opts *opts)
{
	guint64 limit;

	if (!parse_size(text, &limit))
		return report_usage("create", "'%s' is no size; use a number with K, M or G", text);
	if (limit < SNAPMAP_LIMIT_MIN || limit > SNAPMAP_LIMIT_MAX)
		return report_usage("create", "'%s' is no possible limit; use %lluK to %lluG", text,
				    SNAPMAP_LIMIT_MIN >> 10, SNAPMAP_LIMIT_MAX >> 30);
	opts->limit = limit;
	return CMD_DONE;
}

static int parse_keep(const struct keep *keep, struct snapmap_create_opts *opts)
{
	struct snapmap_set_opts set;
	int code = keep_parse("create", keep, &set);

	opts->flags = set.flags;
	opts->history = set.history;
	opts->lease_ms = set.lease_ms;
	return code;
}

static int parse(const struct options *options, struct snapmap_create_opts *opts)
{
	int code = options->limit ? parse_limit(options->limit, opts) : CMD_DONE;

	if (code)
		return code;
	if (options->mode && !parse_mode(options->mode, &opts->mode))
		return report_usage("create", "'%s' is no mode; use an octal number up to 777",
				    options->mode);
	if (options->owner && !parse_owner(options->owner, &opts->uid, &opts->gid))
		return report_usage("create", "'%s' names no user or group of this system",
				    options->owner);
	return parse_keep(&options->keep, opts);
}

static int create(const char *name, const struct options *options)
{
	struct snapmap_create_opts opts = {
		.mode = DEFAULT_MODE,
		.uid = geteuid(),
		.gid = getegid(),
	};
	int code = parse(options, &opts);
	int err;

	if (code)
		return code;
	err = snapmap_create(name, &opts);
	return err ? report_control(name, "create", err) : CMD_DONE;
}

int cmd_create(int argc, char **argv)
{
	struct options options = { .limit = NULL };
	const GOptionEntry entries[] = {
		{ "limit", 'l', 0, G_OPTION_ARG_FILENAME, &options.limit,
		  "The most memory that it may take (default: the module's)", "SIZE" },
		{ "mode", 'm', 0, G_OPTION_ARG_FILENAME, &options.mode,
		  "Permission bits (default 0644)", "OCTAL" },
		{ "owner", 'o', 0, G_OPTION_ARG_FILENAME, &options.owner,
		  "Who owns it (default: the caller)", "USER[:GROUP]" },
		KEEP_ENTRIES(&options.keep),
		G_OPTION_ENTRY_NULL,
	};
	g_auto(GStrv) rest = NULL;
	int code = options_parse(&usage, entries, argc, argv, &rest);

	if (code == OPTIONS_GO_ON)
		code = create(rest[0], &options);
	g_free(options.limit);
	g_free(options.mode);
	g_free(options.owner);
	keep_clear(&options.keep);
	return code;
}

// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * cmd_watch.c - every change from now on, version by version
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>

#include "argument.h"
#include "change.h"
#include "cmd.h"
#include "jsonl.h"
#include "number.h"
#include "options.h"
#include "output.h"
#include "report.h"
#include "runner.h"
#include "version.h"

static const struct usage usage = {
	.args = "NAME",
	.min = 1,
	.max = 1,
	.summary =
		"Print a line for the version to start with, start<TAB>VERSION<TAB>TIME, and\n"
		"then for each version a line version<TAB>VERSION<TAB>TIME and one for each key\n"
		"that has changed: added<TAB>KEY<TAB>VALUE, changed<TAB>KEY<TAB>OLD<TAB>NEW or\n"
		"removed<TAB>KEY<TAB>OLD.",
	.description =
		"What is printed leads exactly from one version to the other. Where the map has\n"
		"not kept the versions between, their changes come as one, and the line of the\n"
		"version ends in merges FIRST to LAST. Ends when the map is destroyed.\n"
		"\n"
		"A COMMAND is run by sh for each version, instead of printing: with the lines of\n"
		"its changes on standard input, and SNAPMAP_NAME, SNAPMAP_VERSION, SNAPMAP_FROM\n"
		"and SNAPMAP_STAMP in its environment.\n"
		"\n" VERSION_HELP,
};

/* As they stand on the command line. */
struct options {
	gboolean escaped;
	gboolean as_json;
	gboolean as_apply;
	char *count;
	char *from;
	char *command;
	char **keys;
};

/**
 * struct watching - a watch at work
 * @name: the map
 * @watch: the watch
 * @style: how changes are written
 * @command: what is run for each version, or NULL
 * @left: versions to show; 0 for all
 */
struct watching {
	const char *name;
	struct snapmap_watch *watch;
	enum change_style style;
	const char *command;
	guint64 left;
};

static json_t *header_json(const char *event, const struct snapmap_header *header)
{
	g_autofree char *time = time_text(header->realtime_ns);
	g_autofree char *stamp = g_strdup_printf("%llu", header->stamp);

	return json_pack("{s:s, s:I, s:s, s:I, s:s}", "event", event, "version",
			 (json_int_t)header->version, "published", time, "entries",
			 (json_int_t)header->entries, "stamp", stamp);
}

static void append_text(GString *out, const char *event, const struct snapmap_header *header,
			guint64 from)
{
	g_autofree char *time = time_text(header->realtime_ns);

	g_string_append_printf(out, "%s\t%llu\t%s", event, header->version, time);
	if (from && from + 1 != header->version)
		g_string_append_printf(out, "\tmerges %" G_GUINT64_FORMAT " to %llu", from + 1,
				       header->version);
	g_string_append_c(out, '\n');
}

/* The line of a version; @from is 0 for the one to start with. */
static int print_header(const struct watching *watching, const struct snapmap_header *header,
			guint64 from)
{
	const char *event = from ? "version" : "start";
	g_autoptr(GString) out = g_string_new(NULL);
	json_t *json;

	if (watching->style == CHANGE_JSON) {
		json = header_json(event, header);
		if (from)
			json_object_set_new(json, "from", json_integer((json_int_t)from));
		json_append_line(out, json);
		json_decref(json);
	} else if (watching->style == CHANGE_TEXT) {
		append_text(out, event, header, from);
	}
	return output_write(out);
}

static int report_lost(const struct watching *watching)
{
	return report_failure(
		watching->name,
		"version %" G_GUINT64_FORMAT " has been revoked to make room for commits, "
		"so nobody can tell what has changed since; watch again, or raise the map's limit",
		(guint64)snapmap_pin_version(snapmap_watch_snapshot(watching->watch)));
}

static int report_watch(const struct watching *watching, int err)
{
	if (err == -ESTALE)
		return report_lost(watching);
	return report_errno(watching->name, "the next version cannot be told", err);
}

/* Writes the changes of a step, to standard output or to @runner. */
static int tell_changes(const struct watching *watching, struct runner *runner)
{
	const struct snapmap_snapshot *before = snapmap_watch_snapshot(watching->watch);
	g_autoptr(GString) line = g_string_new(NULL);
	struct snapmap_change change;
	int code = CMD_DONE;
	int ret = 0;

	while (!code && (ret = snapmap_watch_change(watching->watch, &change)) > 0) {
		g_string_truncate(line, 0);
		change_append(line, &change, watching->style);
		if (snapmap_pin_check(before))
			return report_lost(watching);
		code = runner ? runner_feed(runner, line) : output_write(line);
	}
	return ret < 0 ? report_watch(watching, ret) : code;
}

static int run_step(const struct watching *watching, const struct snapmap_event *event)
{
	struct runner runner;
	int code = runner_begin(&runner, watching->name, watching->command, event);

	if (code)
		return code;
	code = tell_changes(watching, &runner);
	if (!code)
		return runner_run(&runner);
	runner_drop(&runner);
	return code;
}

static int print_step(const struct watching *watching, const struct snapmap_event *event)
{
	int code = print_header(watching, &event->header, event->from);

	if (!code)
		code = tell_changes(watching, NULL);
	return code ? code : output_flush();
}

static int print_start(const struct watching *watching)
{
	int code;

	if (watching->command)
		return CMD_DONE;
	code = print_header(watching, snapmap_pin_header(snapmap_watch_snapshot(watching->watch)),
			    0);
	return code ? code : output_flush();
}

static int wait_for_more(const struct watching *watching)
{
	struct pollfd waiting = { .fd = snapmap_watch_fd(watching->watch), .events = POLLIN };

	if (poll(&waiting, 1, -1) < 0 && errno != EINTR)
		return report_errno(watching->name, "waiting for a version failed", -errno);
	return CMD_DONE;
}

static int watch(struct watching *watching)
{
	int code = print_start(watching);
	struct snapmap_event event;
	int ret;

	while (!code) {
		ret = snapmap_watch_next(watching->watch, &event);
		if (ret == -ENODEV)
			return CMD_DONE;
		if (ret < 0)
			return report_watch(watching, ret);
		if (!ret) {
			code = wait_for_more(watching);
			continue;
		}
		code = watching->command ? run_step(watching, &event) :
					   print_step(watching, &event);
		if (watching->left && !--watching->left)
			break;
	}
	return code;
}

static int find_start(const char *name, const struct version *from, uint64_t *version)
{
	struct snapmap *map;
	int code = open_map(name, O_RDONLY, &map);

	if (code)
		return code;
	code = version_find(name, map, from, version);
	snapmap_close(map);
	return code;
}

static int report_start(const char *name, uint64_t version, int err)
{
	struct snapmap *map;
	int code;

	if (!version || (err != -ESTALE && err != -EINVAL))
		return report_open(name, O_RDONLY, err);
	code = open_map(name, O_RDONLY, &map);
	if (code)
		return code;
	code = report_version(name, map, version, err);
	snapmap_close(map);
	return code;
}

static int begin(struct watching *watching, const struct version *from,
		 const struct snapmap_key_prefix *prefixes, guint prefix_count)
{
	struct snapmap_watch_opts opts = { .prefixes = prefixes, .prefix_count = prefix_count };
	int code = find_start(watching->name, from, &opts.from);
	int err;

	if (code)
		return code;
	err = snapmap_watch_new(watching->name, &opts, &watching->watch);
	if (err)
		return report_start(watching->name, opts.from, err);
	code = watch(watching);
	snapmap_watch_free(watching->watch);
	return code;
}

static int take_prefixes(const struct options *options, struct snapmap_key_prefix *prefixes)
{
	struct argument prefix;
	char **word;
	int code;

	for (word = options->keys; word && *word; word++) {
		code = argument_key("watch", *word, options->escaped, &prefix);
		if (code)
			return code;
		*prefixes++ = (struct snapmap_key_prefix){ prefix.bytes, prefix.len };
	}
	return CMD_DONE;
}

static int run(const char *name, const struct options *options)
{
	guint count = options->keys ? g_strv_length(options->keys) : 0;
	g_autofree struct snapmap_key_prefix *prefixes = g_new(struct snapmap_key_prefix, count);
	struct watching watching = {
		.name = name,
		.command = options->command,
	};
	struct version from;
	int code = change_style("watch", options->as_json, options->as_apply, &watching.style);

	if (!code)
		code = version_parse("watch", options->from, &from);
	if (!code)
		code = take_prefixes(options, prefixes);
	if (code)
		return code;
	if (options->count && (!parse_u64(options->count, &watching.left) || !watching.left))
		return report_usage("watch", "'%s' is no number of versions; use 1 or more",
				    options->count);
	return begin(&watching, &from, prefixes, count);
}

int cmd_watch(int argc, char **argv)
{
	struct options options = { .escaped = FALSE };
	const GOptionEntry entries[] = {
		{ "apply", 'a', 0, G_OPTION_ARG_NONE, &options.as_apply,
		  "Print lines that 'snapmap apply' reads, of changes alone", NULL },
		{ "count", 'n', 0, G_OPTION_ARG_FILENAME, &options.count, "End after N versions",
		  "N" },
		{ "exec", 'x', 0, G_OPTION_ARG_FILENAME, &options.command,
		  "Run a command for each version", "COMMAND" },
		{ "from", 0, 0, G_OPTION_ARG_FILENAME, &options.from,
		  "Start with version V (default: the current one)", "V" },
		{ "json", 'j', 0, G_OPTION_ARG_NONE, &options.as_json, "Print a JSON object a line",
		  NULL },
		{ "keys", 'k', 0, G_OPTION_ARG_FILENAME_ARRAY, &options.keys,
		  "Only keys that begin with PREFIX, and versions that change one; may be repeated",
		  "PREFIX" },
		ARGUMENT_ESCAPED_ENTRY(&options.escaped),
		G_OPTION_ENTRY_NULL,
	};
	g_auto(GStrv) rest = NULL;
	int code = options_parse(&usage, entries, argc, argv, &rest);

	if (code == OPTIONS_GO_ON)
		code = run(rest[0], &options);
	g_free(options.count);
	g_free(options.from);
	g_free(options.command);
	g_strfreev(options.keys);
	return code;
}

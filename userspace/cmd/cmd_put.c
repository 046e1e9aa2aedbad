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

static const struct usage usage = {
	.args = "NAME KEY VALUE",
	.min = 3,
	.max = 3,
	.summary = "Write one entry.",
	.description = "KEY and VALUE are taken as they stand unless --escaped is given. When a\n"
		       "condition does not hold, nothing is changed and the exit code is 3.",
};

/* What the options ask for. */
struct condition {
	unsigned int kind;
	guint64 version;
};

static int parse_condition(gboolean if_absent, const char *if_version, struct condition *condition)
{
	condition->kind = SNAPMAP_COND_NONE;
	condition->version = 0;
	if (if_absent && if_version)
		return report_usage("put", "--if-absent and --if-version exclude each other");
	if (if_absent)
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

static int commit(const char *name, struct snapmap *map, const struct condition *condition,
		  const struct argument *key, const struct argument *value)
{
	struct snapmap_commit_result result = { .version = 0 };
	struct snapmap_batch *batch = snapmap_batch_new();
	int err = -ENOMEM;

	if (batch)
		err = snapmap_batch_put_if(batch, key->bytes, key->len, value->bytes, value->len,
					   condition->kind, condition->version);
	if (!err)
		err = snapmap_commit(map, batch, NULL, &result);
	snapmap_batch_free(batch);
	if (err == -ECANCELED)
		return report_condition(name, condition, result.version);
	return err ? report_commit(name, err) : CMD_DONE;
}

static int put(char **rest, bool escaped, const struct condition *condition)
{
	struct argument key, value;
	struct snapmap *map;
	int code = argument_key("put", rest[1], escaped, &key);

	if (!code)
		code = argument_value("put", rest[2], escaped, &value);
	if (!code)
		code = open_map(rest[0], O_RDWR, &map);
	if (code)
		return code;
	code = commit(rest[0], map, condition, &key, &value);
	snapmap_close(map);
	return code;
}

int cmd_put(int argc, char **argv)
{
	gboolean escaped = FALSE, if_absent = FALSE;
	g_autofree char *if_version = NULL;
	const GOptionEntry entries[] = {
		ARGUMENT_ESCAPED_ENTRY(&escaped),
		{ "if-absent", 0, 0, G_OPTION_ARG_NONE, &if_absent, "Only if there is no such key",
		  NULL },
		{ "if-version", 0, 0, G_OPTION_ARG_FILENAME, &if_version,
		  "Only if the key was last written at version V", "V" },
		G_OPTION_ENTRY_NULL,
	};
	g_auto(GStrv) rest = NULL;
	struct condition condition;
	int code = options_parse(&usage, entries, argc, argv, &rest);

	if (code != OPTIONS_GO_ON)
		return code;
	code = parse_condition(if_absent, if_version, &condition);
	return code ? code : put(rest, escaped, &condition);
}

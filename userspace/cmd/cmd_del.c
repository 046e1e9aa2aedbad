// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * cmd_del.c - delete entries, all or none
 */
#include <errno.h>
#include <fcntl.h>

#include "argument.h"
#include "cmd.h"
#include "options.h"
#include "report.h"
#include "text.h"
#include "writing.h"

static const struct usage usage = {
	.args = "NAME KEY...",
	.min = 2,
	.max = ARGUMENTS_ANY,
	.summary = "Delete entries. When one of the keys is absent nothing is deleted and the\n"
		   "exit code is 1.",
	.description = "Keys are taken as they stand unless --escaped is given.",
};

static int add_keys(struct snapmap_batch *batch, const struct argument *keys, guint count)
{
	int err = 0;
	guint i;

	for (i = 0; i < count && !err; i++)
		err = snapmap_batch_delete_if(batch, keys[i].bytes, keys[i].len,
					      SNAPMAP_COND_PRESENT, 0);
	return err;
}

static int report_absent(const char *name, const struct argument *key)
{
	g_autoptr(GString) text = g_string_new(NULL);

	text_escape(text, key->bytes, key->len);
	return report_not_found(name,
				"there is no key '%s', nothing has been deleted; "
				"leave it out",
				text->str);
}

static int commit(const char *name, struct snapmap *map, const struct argument *keys, guint count,
		  const struct snapmap_commit_opts *opts)
{
	struct snapmap_commit_result result = { .failed_op = SNAPMAP_NO_OP };
	struct snapmap_batch *batch = snapmap_batch_new();
	int err = batch ? add_keys(batch, keys, count) : -ENOMEM;

	if (!err)
		err = snapmap_commit(map, batch, opts, &result);
	snapmap_batch_free(batch);
	if (err == -ECANCELED && result.failed_op < count)
		return report_absent(name, &keys[result.failed_op]);
	return err ? report_commit(name, err) : CMD_DONE;
}

static int del(const char *name, const struct argument *keys, guint count,
	       const struct snapmap_commit_opts *opts)
{
	struct snapmap *map;
	int code = open_map(name, O_RDWR, &map);

	if (code)
		return code;
	code = commit(name, map, keys, count, opts);
	snapmap_close(map);
	return code;
}

static int run(char **rest, bool escaped, const struct writing *writing)
{
	g_autofree struct argument *keys = NULL;
	struct snapmap_commit_opts opts;
	int code = writing_parse("del", writing, &opts);

	if (!code)
		code = argument_keys("del", rest + 1, escaped, &keys);
	return code ? code : del(rest[0], keys, g_strv_length(rest + 1), &opts);
}

int cmd_del(int argc, char **argv)
{
	struct writing writing = { .stamp = NULL };
	gboolean escaped = FALSE;
	const GOptionEntry entries[] = {
		ARGUMENT_ESCAPED_ENTRY(&escaped),
		WRITING_ENTRIES(&writing),
		G_OPTION_ENTRY_NULL,
	};
	g_auto(GStrv) rest = NULL;
	int code = options_parse(&usage, entries, argc, argv, &rest);

	if (code == OPTIONS_GO_ON)
		code = run(rest, escaped, &writing);
	writing_clear(&writing);
	return code;
}

// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * writing.c - the options of the verbs that commit: stamps, and waiting for others
 */
#include "writing.h"

#include <string.h>

#include "cmd.h"
#include "number.h"
#include "report.h"

static int parse_stamp(const char *verb, const struct writing *writing,
		       struct snapmap_commit_opts *opts)
{
	guint64 stamp;

	if (!writing->stamp)
		return writing->if_newer ?
			       report_usage(verb, "--if-newer compares stamps; give a --stamp") :
			       CMD_DONE;
	if (!parse_u64(writing->stamp, &stamp))
		return report_usage(verb, "'%s' is no stamp; use a number of 64 bits",
				    writing->stamp);
	opts->stamp = stamp;
	opts->flags |= SNAPMAP_COMMIT_STAMP;
	if (writing->if_newer)
		opts->flags |= SNAPMAP_COMMIT_STAMP_GROWS;
	return CMD_DONE;
}

static int parse_wait(const char *verb, const struct writing *writing,
		      struct snapmap_commit_opts *opts)
{
	guint64 wait;

	if (writing->no_wait)
		opts->flags |= SNAPMAP_COMMIT_NOWAIT;
	if (!writing->wait)
		return CMD_DONE;
	if (writing->no_wait)
		return report_usage(verb, "--wait and --no-wait exclude each other");
	if (!parse_duration(writing->wait, &wait) || !wait || wait > G_MAXUINT32)
		return report_usage(verb,
				    "'%s' is no time to wait; use a number with ms, s, m or h, "
				    "from 1ms to 1000h",
				    writing->wait);
	opts->wait_ms = wait;
	return CMD_DONE;
}

/**
 * writing_parse() - read the options
 * @verb: the verb, for messages
 * @writing: the options
 * @opts: out: how to commit
 *
 * Return: CMD_DONE or CMD_USAGE.
 */
int writing_parse(const char *verb, const struct writing *writing, struct snapmap_commit_opts *opts)
{
	int code;

	memset(opts, 0, sizeof(*opts));
	code = parse_stamp(verb, writing, opts);
	return code ? code : parse_wait(verb, writing, opts);
}

/**
 * writing_clear() - free the options
 * @writing: the options
 */
void writing_clear(struct writing *writing)
{
	g_free(writing->stamp);
	g_free(writing->wait);
}

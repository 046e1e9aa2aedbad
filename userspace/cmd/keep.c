// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * keep.c - the options of create and set about history, leases and pins
 */
#include "keep.h"

#include <string.h>

#include "cmd.h"
#include "number.h"
#include "report.h"

static int parse_history(const char *verb, const char *text, struct snapmap_set_opts *opts)
{
	guint64 history;

	if (!parse_u64(text, &history) || !history || history > SNAPMAP_HISTORY_MAX)
		return report_usage(verb, "'%s' is no number of snapshots; use 1 to %u", text,
				    SNAPMAP_HISTORY_MAX);
	opts->mask |= SNAPMAP_SET_HISTORY;
	opts->history = history;
	return CMD_DONE;
}

static int parse_lease(const char *verb, const char *text, struct snapmap_set_opts *opts)
{
	guint64 lease;

	if (!parse_duration(text, &lease) || !lease || lease > SNAPMAP_LEASE_MAX)
		return report_usage(verb, "'%s' is no possible lease; use a time from 1ms to 1h",
				    text);
	opts->mask |= SNAPMAP_SET_LEASE;
	opts->lease_ms = lease;
	return CMD_DONE;
}

static int parse_pins(const char *verb, const char *text, struct snapmap_set_opts *opts)
{
	bool revoke = !strcmp(text, "revoke");

	if (!revoke && strcmp(text, "refuse"))
		return report_usage(verb, "--pins takes refuse or revoke, not '%s'", text);
	opts->mask |= SNAPMAP_SET_FLAGS;
	opts->flags = revoke ? SNAPMAP_MAP_REVOKE : 0;
	return CMD_DONE;
}

/**
 * keep_parse() - read the options
 * @verb: the verb, for messages
 * @keep: the options
 * @opts: out: what was given; the mask says which
 *
 * Return: CMD_DONE or CMD_USAGE.
 */
int keep_parse(const char *verb, const struct keep *keep, struct snapmap_set_opts *opts)
{
	int code = CMD_DONE;

	memset(opts, 0, sizeof(*opts));
	if (keep->history)
		code = parse_history(verb, keep->history, opts);
	if (!code && keep->lease)
		code = parse_lease(verb, keep->lease, opts);
	if (!code && keep->pins)
		code = parse_pins(verb, keep->pins, opts);
	return code;
}

/**
 * keep_clear() - free the options
 * @keep: the options
 */
void keep_clear(struct keep *keep)
{
	g_free(keep->history);
	g_free(keep->lease);
	g_free(keep->pins);
}

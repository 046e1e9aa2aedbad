// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * main.c - finds the verb
 */
#include <glib.h>
#include <stdio.h>
#include <string.h>

#include "cmd.h"
#include "output.h"
#include "report.h"

struct verb {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *summary;
};

static const struct verb verbs[] = {
	{ "create", cmd_create, "make a new, empty map" },
	{ "set", cmd_set, "change how much a map keeps, and for how long" },
	{ "destroy", cmd_destroy, "end maps" },
	{ "list", cmd_list, "show the maps" },
	{ "info", cmd_info, "show one map's state, memory and counters" },
	{ "put", cmd_put, "write one entry" },
	{ "get", cmd_get, "print values" },
	{ "del", cmd_del, "delete entries, all or none" },
	{ "load", cmd_load, "replace a map's content by that of a file" },
	{ "apply", cmd_apply, "apply a file of puts and deletes, all or none" },
	{ "rollback", cmd_rollback, "publish an older version's entries as a new version" },
	{ "dump", cmd_dump, "print all entries of one snapshot" },
	{ "log", cmd_log, "show the versions that a map keeps" },
	{ "diff", cmd_diff, "print what differs between two versions" },
	{ "watch", cmd_watch, "print what changes, version by version" },
	{ "pins", cmd_pins, "show who has pinned which version" },
	{ "verify", cmd_verify, "check a snapshot against every rule of the format" },
};

static void print_help(GString *out)
{
	gsize i;

	g_string_append(out,
			"Usage: snapmap VERB [OPTION...] [ARGUMENT...]\n\n"
			"Tables of keys and values that every process can read and that change\n"
			"from one snapshot to the next.\n\nVerbs:\n");
	for (i = 0; i < G_N_ELEMENTS(verbs); i++)
		g_string_append_printf(out, "  %-9s %s\n", verbs[i].name, verbs[i].summary);
	g_string_append(out,
			"\n'snapmap VERB --help' tells more; so does snapmap(1).\n"
			"  -h, --help     this text\n"
			"  --version      the version of the command\n\n"
			"Exit codes: 0 done, 1 no such map, key or version,\n"
			"2 wrong usage, 3 a condition did not hold, 4 anything else, bad input\n"
			"data included, 5 another transaction is prepared.\n");
}

static int run_general(const char *word)
{
	g_autoptr(GString) out = g_string_new(NULL);

	if (!strcmp(word, "--version"))
		g_string_append(out, "snapmap " SNAPMAP_VERSION "\n");
	else if (!strcmp(word, "--help") || !strcmp(word, "-h") || !strcmp(word, "help"))
		print_help(out);
	else
		return report_usage(NULL, "there is no verb '%s'; see 'snapmap --help'", word);
	return output_write(out);
}

static int run(int argc, char **argv)
{
	gsize i;

	if (argc < 2)
		return report_usage(NULL, "a verb is missing; see 'snapmap --help'");
	for (i = 0; i < G_N_ELEMENTS(verbs); i++)
		if (!strcmp(argv[1], verbs[i].name))
			return verbs[i].run(argc - 1, argv + 1);
	return run_general(argv[1]);
}

int main(int argc, char **argv)
{
	int code = run(argc, argv);
	int closing = output_close();

	return code ? code : closing;
}

// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * options.c - the command line of one verb
 */
#include "options.h"

#include "cmd.h"
#include "output.h"
#include "report.h"

static GOptionContext *new_context(const struct usage *usage, const char *verb)
{
	g_autofree char *command = g_strdup_printf("snapmap %s", verb);
	GOptionContext *context = g_option_context_new(usage->args);

	g_set_prgname(command);
	g_option_context_set_help_enabled(context, FALSE);
	g_option_context_set_summary(context, usage->summary);
	g_option_context_set_description(context, usage->description);
	return context;
}

static int print_help(GOptionContext *context)
{
	g_autofree char *help = g_option_context_get_help(context, FALSE, NULL);
	g_autoptr(GString) out = g_string_new(help);

	return output_write(out);
}

static int check_count(const struct usage *usage, const char *verb, int count)
{
	if (count < usage->min)
		return report_usage(verb, "an argument is missing; usage: snapmap %s %s", verb,
				    usage->args);
	if (usage->max != ARGUMENTS_ANY && count > usage->max)
		return report_usage(verb, "too many arguments; usage: snapmap %s %s", verb,
				    usage->args);
	return OPTIONS_GO_ON;
}

/**
 * options_parse() - parse a verb's options and arguments
 * @usage: how it is called
 * @entries: its options; their values are stored as GOption does
 * @argc: number of words, the verb included
 * @argv: the words; changed
 * @rest: out: the arguments, NULL-terminated, never NULL; to be freed with
 *	g_strfreev()
 *
 * Return: OPTIONS_GO_ON, or the exit code when there was an error or --help.
 */
int options_parse(const struct usage *usage, const GOptionEntry *entries, int argc, char **argv,
		  char ***rest)
{
	gboolean help = FALSE;
	const GOptionEntry common[] = {
		{ "help", 'h', 0, G_OPTION_ARG_NONE, &help, "Show this text", NULL },
		{ G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, rest, NULL, NULL },
		G_OPTION_ENTRY_NULL,
	};
	g_autoptr(GOptionContext) context = NULL;
	g_autoptr(GError) error = NULL;
	const char *verb = argv[0];

	*rest = NULL;
	context = new_context(usage, verb);
	g_option_context_add_main_entries(context, entries, NULL);
	g_option_context_add_main_entries(context, common, NULL);
	if (!g_option_context_parse(context, &argc, &argv, &error))
		return report_usage(verb, "%s; see 'snapmap %s --help'", error->message, verb);
	if (help)
		return print_help(context);
	if (!*rest)
		*rest = g_new0(char *, 1);
	return check_count(usage, verb, g_strv_length(*rest));
}

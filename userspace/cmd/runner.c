// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * runner.c - a command for each version that a watch tells
 *
 * What becomes of the command is reported and is no reason to end the watch; nor
 * is that it does not read its input.
 */
#include "runner.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "cmd.h"
#include "output.h"
#include "report.h"

static void on_pipe(int number)
{
	(void)number;
}

/* Handled rather than ignored: the command is to find the signal as it was. */
static void survive_pipes(void)
{
	const struct sigaction action = { .sa_handler = on_pipe, .sa_flags = SA_RESTART };

	sigaction(SIGPIPE, &action, NULL);
}

static void set_number(const char *name, guint64 number)
{
	g_autofree char *text = g_strdup_printf("%" G_GUINT64_FORMAT, number);

	g_setenv(name, text, TRUE);
}

/**
 * runner_begin() - start a command
 * @runner: filled
 * @name: the map
 * @command: for sh
 * @event: the step that it is run for
 *
 * Return: CMD_DONE or the exit code; on success runner_end() is to follow.
 */
int runner_begin(struct runner *runner, const char *name, const char *command,
		 const struct snapmap_event *event)
{
	int code = output_flush();

	if (code)
		return code;
	survive_pipes();
	g_setenv("SNAPMAP_NAME", name, TRUE);
	set_number("SNAPMAP_VERSION", event->to);
	set_number("SNAPMAP_FROM", event->from);
	runner->name = name;
	runner->version = event->to;
	runner->input = popen(command, "we");
	if (!runner->input)
		return report_errno(name, "no command can be started", -errno);
	return CMD_DONE;
}

/**
 * runner_feed() - write to the command's standard input
 * @runner: the command
 * @line: what is written
 */
void runner_feed(struct runner *runner, const GString *line)
{
	if (!ferror(runner->input))
		fwrite(line->str, 1, line->len, runner->input);
}

/**
 * runner_end() - wait for the command's end, and report its failure
 * @runner: the command
 */
void runner_end(struct runner *runner)
{
	int status = pclose(runner->input);

	if (status == -1)
		report_errno(runner->name, "the command cannot be waited for", -errno);
	else if (WIFSIGNALED(status))
		report_failure(runner->name,
			       "the command for version %" G_GUINT64_FORMAT
			       " was ended by signal %d; the watch goes on",
			       runner->version, WTERMSIG(status));
	else if (WEXITSTATUS(status))
		report_failure(runner->name,
			       "the command for version %" G_GUINT64_FORMAT
			       " ended with exit code %d; the watch goes on",
			       runner->version, WEXITSTATUS(status));
}

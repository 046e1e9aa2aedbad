// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * runner.c - a command for each version that a watch tells
 *
 * The command is started when all changes of its version have been gathered, in a
 * file without a name: fed by a pipe it could not tell the end of the changes from
 * the end of a watch whose pin is revoked in their midst, and would do half of them.
 *
 * What becomes of the command is reported and is no reason to end the watch; nor
 * is that it does not read its input.
 */
#define _GNU_SOURCE /* environ */
#include "runner.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cmd.h"
#include "report.h"

static void set_number(const char *name, guint64 number)
{
	g_autofree char *text = g_strdup_printf("%" G_GUINT64_FORMAT, number);

	g_setenv(name, text, TRUE);
}

static void set_environment(const char *name, const struct snapmap_event *event)
{
	g_setenv("SNAPMAP_NAME", name, TRUE);
	set_number("SNAPMAP_VERSION", event->to);
	set_number("SNAPMAP_FROM", event->from);
	set_number("SNAPMAP_STAMP", event->header.stamp);
}

/**
 * runner_begin() - begin to gather the input of a command
 * @runner: filled
 * @name: the map
 * @command: for sh
 * @event: the step that it is to be run for
 *
 * Return: CMD_DONE or the exit code; on success runner_run() or runner_drop() is to
 * follow.
 */
int runner_begin(struct runner *runner, const char *name, const char *command,
		 const struct snapmap_event *event)
{
	runner->name = name;
	runner->command = command;
	runner->event = event;
	runner->input = tmpfile();
	if (!runner->input)
		return report_errno(name, "the changes cannot be kept for the command", -errno);
	fcntl(fileno(runner->input), F_SETFD, FD_CLOEXEC);
	return CMD_DONE;
}

/**
 * runner_feed() - add to what the command will find on its standard input
 * @runner: the command
 * @line: what is added
 *
 * Return: CMD_DONE or the exit code.
 */
int runner_feed(struct runner *runner, const GString *line)
{
	if (fwrite(line->str, 1, line->len, runner->input) == line->len)
		return CMD_DONE;
	return report_errno(runner->name, "the changes cannot be kept for the command", -errno);
}

/**
 * runner_drop() - give the command up before it has been started
 * @runner: the command
 */
void runner_drop(struct runner *runner)
{
	fclose(runner->input);
}

static int start(const struct runner *runner, pid_t *pid)
{
	char *const argv[] = { (char *)"sh", (char *)"-c", (char *)"--", (char *)runner->command,
			       NULL };
	posix_spawn_file_actions_t actions;
	int err = posix_spawn_file_actions_init(&actions);

	if (err)
		return -err;
	err = posix_spawn_file_actions_adddup2(&actions, fileno(runner->input), STDIN_FILENO);
	if (!err)
		err = posix_spawn(pid, "/bin/sh", &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	return -err;
}

static void wait_for(const struct runner *runner, pid_t pid)
{
	guint64 version = runner->event->to;
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR) {
			report_errno(runner->name, "the command cannot be waited for", -errno);
			return;
		}
	if (WIFSIGNALED(status))
		report_failure(runner->name,
			       "the command for version %" G_GUINT64_FORMAT
			       " was ended by signal %d; the watch goes on",
			       version, WTERMSIG(status));
	else if (WEXITSTATUS(status))
		report_failure(runner->name,
			       "the command for version %" G_GUINT64_FORMAT
			       " ended with exit code %d; the watch goes on",
			       version, WEXITSTATUS(status));
}

static int run(const struct runner *runner)
{
	pid_t pid;
	int err;

	/* The command reads by the same descriptor. */
	if (fflush(runner->input) || lseek(fileno(runner->input), 0, SEEK_SET))
		return report_errno(runner->name, "the changes cannot be kept for the command",
				    -errno);
	set_environment(runner->name, runner->event);
	err = start(runner, &pid);
	if (err)
		return report_errno(runner->name, "no command can be started", err);
	wait_for(runner, pid);
	return CMD_DONE;
}

/**
 * runner_run() - run the command to its end, and report its failure
 * @runner: the command, which is of no use afterwards
 *
 * Return: CMD_DONE, also when the command has failed, or the exit code.
 */
int runner_run(struct runner *runner)
{
	int code = run(runner);

	fclose(runner->input);
	return code;
}

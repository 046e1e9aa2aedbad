// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * output.c - standard output, of which no loss goes unnoticed
 *
 * The first error is reported and ends the work; whoever called stops when it
 * gets anything but CMD_DONE.
 */
#include "output.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "cmd.h"
#include "report.h"

static bool failed;

static int fail(int err)
{
	if (!failed)
		report_errno("standard output", "it cannot be written", -err);
	failed = true;
	return CMD_FAILED;
}

/**
 * output_write() - write bytes
 * @text: the bytes
 *
 * Return: CMD_DONE or CMD_FAILED.
 */
int output_write(const GString *text)
{
	if (fwrite(text->str, 1, text->len, stdout) != text->len)
		return fail(errno);
	return CMD_DONE;
}

/**
 * output_flush() - let the other side see what has been written
 *
 * Return: CMD_DONE or CMD_FAILED.
 */
int output_flush(void)
{
	return fflush(stdout) ? fail(errno) : CMD_DONE;
}

/**
 * output_json() - write a JSON text and a newline
 * @json: the text
 *
 * Return: CMD_DONE or CMD_FAILED.
 */
int output_json(const json_t *json)
{
	char *dump = json_dumps(json, JSON_INDENT(2));
	g_autoptr(GString) text = g_string_new(dump);

	free(dump);
	g_string_append_c(text, '\n');
	return output_write(text);
}

/**
 * output_close() - the end of all output
 *
 * Return: CMD_DONE or CMD_FAILED.
 */
int output_close(void)
{
	if (output_flush() || failed)
		return CMD_FAILED;
	return fclose(stdout) ? fail(errno) : CMD_DONE;
}

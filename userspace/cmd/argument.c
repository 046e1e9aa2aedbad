// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * argument.c - keys and values on the command line
 *
 * They are taken as they stand unless --escaped asks for escapes, so that a
 * script need not quote what it does not know. A value may come from a file, too.
 */
#include "argument.h"

#include <errno.h>
#include <fcntl.h>
#include <libsnapmap.h>
#include <string.h>
#include <unistd.h>

#include "cmd.h"
#include "report.h"
#include "text.h"

static int take(const char *verb, char *word, bool escaped, struct argument *out)
{
	g_autoptr(GString) why = g_string_new(NULL);

	out->bytes = word;
	out->len = strlen(word);
	if (escaped && !text_unescape(out->bytes, &out->len, why))
		return report_usage(verb, "%s", why->str);
	return CMD_DONE;
}

/**
 * argument_value() - take a value
 * @verb: the verb, for messages
 * @word: the word, which stays in use
 * @escaped: whether it has escapes
 * @out: the value
 *
 * Return: CMD_DONE or CMD_USAGE.
 */
int argument_value(const char *verb, char *word, bool escaped, struct argument *out)
{
	int code = take(verb, word, escaped, out);

	if (!code && out->len > SNAPMAP_VALUE_MAX)
		return report_usage(verb, "the value has %" G_GSIZE_FORMAT " bytes; %d are allowed",
				    out->len, SNAPMAP_VALUE_MAX);
	return code;
}

/* Reads up to the longest value and one byte, which says that there is more. */
static gssize read_value(int fd, char *buffer)
{
	gsize done = 0;
	gssize got;

	do {
		got = read(fd, buffer + done, SNAPMAP_VALUE_MAX + 1 - done);
		if (got < 0 && errno != EINTR)
			return -errno;
		done += MAX(got, 0);
	} while (got && done <= SNAPMAP_VALUE_MAX);
	return done;
}

/**
 * argument_value_file() - take a value from a file, byte for byte
 * @name: the map, for messages
 * @file: its path, or "-" for standard input
 * @out: the value; its bytes are to be freed
 *
 * Return: CMD_DONE or CMD_FAILED.
 */
int argument_value_file(const char *name, const char *file, struct argument *out)
{
	int fd = strcmp(file, "-") ? open(file, O_RDONLY | O_CLOEXEC) : STDIN_FILENO;
	gssize got;

	if (fd < 0)
		return report_errno(name, file, -errno);
	out->bytes = g_malloc(SNAPMAP_VALUE_MAX + 1);
	got = read_value(fd, out->bytes);
	if (fd != STDIN_FILENO)
		close(fd);
	if (got >= 0 && got <= SNAPMAP_VALUE_MAX) {
		out->len = got;
		return CMD_DONE;
	}
	g_free(out->bytes);
	if (got < 0)
		return report_errno(name, file, (int)got);
	return report_failure(name, "%s: a value has at most %d bytes", file, SNAPMAP_VALUE_MAX);
}

/**
 * argument_key() - take a key
 * @verb: the verb, for messages
 * @word: the word, which stays in use
 * @escaped: whether it has escapes
 * @out: the key
 *
 * Return: CMD_DONE or CMD_USAGE.
 */
int argument_key(const char *verb, char *word, bool escaped, struct argument *out)
{
	int code = take(verb, word, escaped, out);

	if (code)
		return code;
	if (!out->len)
		return report_usage(verb, "a key is empty; give at least one byte");
	if (out->len > SNAPMAP_KEY_MAX)
		return report_usage(verb, "a key has %" G_GSIZE_FORMAT " bytes; %d are allowed",
				    out->len, SNAPMAP_KEY_MAX);
	return CMD_DONE;
}

/**
 * argument_keys() - take any number of keys
 * @verb: the verb, for messages
 * @words: the words, NULL-terminated, which stay in use
 * @escaped: whether they have escapes
 * @out: the keys, as many as words; to be freed
 *
 * Return: CMD_DONE or CMD_USAGE.
 */
int argument_keys(const char *verb, char **words, bool escaped, struct argument **out)
{
	guint count = g_strv_length(words);
	struct argument *keys = g_new(struct argument, count);
	int code;
	guint i;

	for (i = 0; i < count; i++) {
		code = argument_key(verb, words[i], escaped, &keys[i]);
		if (code) {
			g_free(keys);
			return code;
		}
	}
	*out = keys;
	return CMD_DONE;
}

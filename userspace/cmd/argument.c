// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * argument.c - keys and values on the command line
 *
 * They are taken as they stand unless --escaped asks for escapes, so that a
 * script need not quote what it does not know.
 */
#include "argument.h"

#include <libsnapmap.h>
#include <string.h>

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

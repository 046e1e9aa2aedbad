/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#ifndef SNAPMAP_ARGUMENT_H
#define SNAPMAP_ARGUMENT_H

#include <glib.h>
#include <stdbool.h>

/**
 * struct argument - a key or a value from the command line
 * @bytes: its bytes; changed in place when it had escapes
 * @len: their number
 */
struct argument {
	char *bytes;
	gsize len;
};

int argument_value(const char *verb, char *word, bool escaped, struct argument *out);
int argument_value_file(const char *name, const char *file, struct argument *out);
int argument_key(const char *verb, char *word, bool escaped, struct argument *out);
int argument_keys(const char *verb, char **words, bool escaped, struct argument **out);

/* The option that all verbs with such arguments have. */
#define ARGUMENT_ESCAPED_ENTRY(variable)                                       \
	{                                                                      \
		"escaped", 'e', 0, G_OPTION_ARG_NONE, variable,                \
			"Arguments have escapes: \\t \\n \\r \\\\ \\xHH", NULL \
	}

#endif /* SNAPMAP_ARGUMENT_H */

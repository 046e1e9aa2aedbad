// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * tsv.c - records as fields between tabs
 *
 *	load, dump:	KEY <TAB> VALUE
 *	apply:		put <TAB> KEY <TAB> VALUE, del <TAB> KEY
 *
 * Tabs separate, newlines end; in a field both are written as escapes.
 */
#include <string.h>

#include "record.h"
#include "text.h"

#define FIELDS_MAX 3

struct field {
	char *text;
	gsize len;
};

/* Returns the number of fields; FIELDS_MAX + 1 when there are more. */
static guint split(char *line, gsize len, struct field fields[FIELDS_MAX])
{
	char *end = line + len;
	guint count = 0;
	char *tab;

	for (;;) {
		if (count == FIELDS_MAX)
			return count + 1;
		tab = memchr(line, '\t', end - line);
		fields[count].text = line;
		fields[count++].len = (tab ? tab : end) - line;
		if (!tab)
			return count;
		line = tab + 1;
	}
}

static bool field_is(const struct field *field, const char *word)
{
	return field->len == strlen(word) && !memcmp(field->text, word, field->len);
}

static bool bad_count(guint have, guint want, GString *why)
{
	if (have < want)
		g_string_assign(why, "a field is missing; separate fields by a tab");
	else
		g_string_assign(why, "there are too many fields; write a tab in a field as \\t");
	return false;
}

static bool check_op(const struct field *op, bool *is_delete, GString *why)
{
	*is_delete = field_is(op, "del");
	if (*is_delete || field_is(op, "put"))
		return true;
	g_string_assign(why, "the line begins neither with 'put' nor with 'del' and a tab");
	return false;
}

static bool parse(char *line, gsize len, bool with_op, struct record *record, GString *why)
{
	struct field fields[FIELDS_MAX];
	guint count = split(line, len, fields);
	struct field *key = fields + with_op;
	guint want;

	if (with_op && !check_op(&fields[0], &record->is_delete, why))
		return false;
	want = with_op + (record->is_delete ? 1 : 2);
	if (count != want)
		return bad_count(count, want, why);
	if (!text_unescape(key->text, &key->len, why))
		return false;
	record->key = key->text;
	record->key_len = key->len;
	if (record->is_delete)
		return true;
	if (!text_unescape(key[1].text, &key[1].len, why))
		return false;
	record->value = key[1].text;
	record->value_len = key[1].len;
	return true;
}

static void append(GString *out, const struct snapmap_item *item)
{
	text_escape(out, item->key, item->key_len);
	g_string_append_c(out, '\t');
	text_escape(out, item->value, item->value_len);
	g_string_append_c(out, '\n');
}

const struct format format_tsv = { "tsv", parse, append };

// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * jsonl.c - records as JSON objects, one a line
 *
 *	load, dump:	{"key": KEY, "value": VALUE}
 *	apply:		{"op": "put", "key": KEY, "value": VALUE}, {"op": "del", "key": KEY}
 *
 * Bytes that are not UTF-8, or have a NUL in them, stand as base64 in a field
 * named key_base64 or value_base64 instead.
 */
#include "jsonl.h"

#include <string.h>

#include "record.h"
#include "text.h"

#define BASE64_CHARS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

/**
 * json_set_bytes() - add bytes to an object, as text or as base64
 * @object: the object
 * @name: name of the member; "_base64" is added when the bytes are no text
 * @bytes: the bytes
 * @len: their number
 */
void json_set_bytes(json_t *object, const char *name, const void *bytes, gsize len)
{
	g_autofree char *base64 = NULL;
	g_autofree char *base64_name = NULL;

	if (text_is_plain(bytes, len)) {
		json_object_set_new_nocheck(object, name, json_stringn_nocheck(bytes, len));
		return;
	}
	base64 = g_base64_encode(bytes, len);
	base64_name = g_strconcat(name, "_base64", NULL);
	json_object_set_new_nocheck(object, base64_name, json_string_nocheck(base64));
}

static bool bad(GString *why, const char *format, const char *name)
{
	g_string_printf(why, format, name);
	return false;
}

/* GLib skips what is no base64; a damaged file must not pass for another value. */
static bool is_base64(const char *text, gsize len)
{
	gsize body = strspn(text, BASE64_CHARS);

	return len % 4 == 0 && len - body <= 2 && strspn(text + body, "=") == len - body;
}

static bool take_text(const json_t *field, const char *name, const char **bytes, gsize *len,
		      GString *why)
{
	if (!json_is_string(field))
		return bad(why, "\"%s\" is no string", name);
	*bytes = json_string_value(field);
	*len = json_string_length(field);
	return true;
}

static bool take_base64(const json_t *field, const char *name, char **decoded, const char **bytes,
			gsize *len, GString *why)
{
	const char *text;

	if (!take_text(field, name, &text, len, why))
		return false;
	if (!is_base64(text, *len))
		return bad(why, "\"%s\" is no base64", name);
	*decoded = *len ? (char *)g_base64_decode(text, len) : NULL;
	*bytes = *decoded;
	return true;
}

/* Takes NAME or NAME_base64 out of @object. */
static bool take_bytes(const json_t *object, const char *name, const char *base64_name,
		       char **decoded, const char **bytes, gsize *len, GString *why)
{
	const json_t *plain = json_object_get(object, name);
	const json_t *base64 = json_object_get(object, base64_name);

	if (plain && base64)
		return bad(why, "there are both a \"%s\" and its base64", name);
	if (plain)
		return take_text(plain, name, bytes, len, why);
	if (base64)
		return take_base64(base64, base64_name, decoded, bytes, len, why);
	return bad(why, "there is no \"%s\"", name);
}

static bool take_op(const json_t *object, bool *is_delete, GString *why)
{
	const char *op = json_string_value(json_object_get(object, "op"));

	*is_delete = op && !strcmp(op, "del");
	if (*is_delete || (op && !strcmp(op, "put")))
		return true;
	return bad(why, "\"%s\" is neither \"put\" nor \"del\"", "op");
}

/* A misspelt member must not be passed over. */
static bool check_members(json_t *object, bool with_op, bool with_value, GString *why)
{
	const char *name;
	json_t *member;

	json_object_foreach(object, name, member) {
		if (!strcmp(name, "key") || !strcmp(name, "key_base64") ||
		    (with_op && !strcmp(name, "op")) ||
		    (with_value && (!strcmp(name, "value") || !strcmp(name, "value_base64"))))
			continue;
		return bad(why, "\"%s\" is not expected here", name);
	}
	return true;
}

static bool take_members(json_t *object, bool with_op, struct record *record, GString *why)
{
	if (with_op && !take_op(object, &record->is_delete, why))
		return false;
	if (!check_members(object, with_op, !record->is_delete, why))
		return false;
	if (!take_bytes(object, "key", "key_base64", &record->decoded[0], &record->key,
			&record->key_len, why))
		return false;
	return record->is_delete || take_bytes(object, "value", "value_base64", &record->decoded[1],
					       &record->value, &record->value_len, why);
}

static bool parse(char *line, gsize len, bool with_op, struct record *record, GString *why)
{
	json_error_t error;

	record->json = json_loadb(line, len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);
	if (!record->json)
		return bad(why, "this is no JSON: %s", error.text);
	if (!json_is_object(record->json))
		return bad(why, "this is no JSON %s", "object");
	return take_members(record->json, with_op, record, why);
}

static int append_chunk(const char *chunk, size_t len, void *out)
{
	g_string_append_len(out, chunk, len);
	return 0;
}

/**
 * json_append_line() - append a JSON text as one line
 * @out: where to
 * @json: the text
 */
void json_append_line(GString *out, const json_t *json)
{
	json_dump_callback(json, append_chunk, out, JSON_COMPACT);
	g_string_append_c(out, '\n');
}

static void append(GString *out, const struct snapmap_item *item)
{
	json_t *object = json_object();

	json_set_bytes(object, "key", item->key, item->key_len);
	json_set_bytes(object, "value", item->value, item->value_len);
	json_append_line(out, object);
	json_decref(object);
}

const struct format format_jsonl = { "jsonl", parse, append };

// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * change.c - changes as lines
 *
 *	added <TAB> KEY <TAB> VALUE
 *	changed <TAB> KEY <TAB> OLD <TAB> NEW
 *	removed <TAB> KEY <TAB> OLD
 *
 * with the escapes of text.h, or as JSON objects, or
 *
 *	put <TAB> KEY <TAB> NEW
 *	del <TAB> KEY
 */
#include "change.h"

#include "cmd.h"
#include "jsonl.h"
#include "report.h"
#include "text.h"

static const char *kind(const struct snapmap_change *change)
{
	if (!change->before.key)
		return "added";
	return change->after.key ? "changed" : "removed";
}

static void append_field(GString *out, const void *bytes, gsize len)
{
	g_string_append_c(out, '\t');
	text_escape(out, bytes, len);
}

static void append_text(GString *out, const struct snapmap_change *change)
{
	g_string_append(out, kind(change));
	append_field(out, change->key, change->key_len);
	if (change->before.key)
		append_field(out, change->before.value, change->before.value_len);
	if (change->after.key)
		append_field(out, change->after.value, change->after.value_len);
	g_string_append_c(out, '\n');
}

static void set_item(json_t *json, const char *name, const char *version,
		     const struct snapmap_item *item)
{
	if (!item->key)
		return;
	json_set_bytes(json, name, item->value, item->value_len);
	json_object_set_new(json, version, json_integer((json_int_t)item->version));
}

static void append_json(GString *out, const struct snapmap_change *change)
{
	json_t *json = json_pack("{s:s}", "event", kind(change));

	json_set_bytes(json, "key", change->key, change->key_len);
	set_item(json, "old", "old_version", &change->before);
	set_item(json, "new", "new_version", &change->after);
	json_append_line(out, json);
	json_decref(json);
}

static void append_apply(GString *out, const struct snapmap_change *change)
{
	g_string_append(out, change->after.key ? "put" : "del");
	append_field(out, change->key, change->key_len);
	if (change->after.key)
		append_field(out, change->after.value, change->after.value_len);
	g_string_append_c(out, '\n');
}

/**
 * change_style() - which style options ask for
 * @verb: the verb, for messages
 * @as_json: --json
 * @as_apply: --apply
 * @style: out: the style
 *
 * Return: CMD_DONE or CMD_USAGE.
 */
int change_style(const char *verb, gboolean as_json, gboolean as_apply, enum change_style *style)
{
	*style = as_json ? CHANGE_JSON : as_apply ? CHANGE_APPLY : CHANGE_TEXT;
	if (as_json && as_apply)
		return report_usage(verb, "--json and --apply exclude each other");
	return CMD_DONE;
}

/**
 * change_append() - append a change as a line
 * @out: where to
 * @change: the change
 * @style: how
 */
void change_append(GString *out, const struct snapmap_change *change, enum change_style style)
{
	if (style == CHANGE_JSON)
		append_json(out, change);
	else if (style == CHANGE_APPLY)
		append_apply(out, change);
	else
		append_text(out, change);
}

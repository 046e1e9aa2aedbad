// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * cmd_pins.c - who has pinned a map's snapshots
 */
#include <fcntl.h>
#include <string.h>

#include "cmd.h"
#include "jsonl.h"
#include "number.h"
#include "options.h"
#include "output.h"
#include "report.h"
#include "text.h"

static const struct usage usage = {
	.args = "NAME",
	.min = 1,
	.max = 1,
	.summary = "Show who has pinned which version of a map, for how long, and the memory that\n"
		   "is held back for that version alone.",
	.description = "Several pins of one version hold back the same memory.",
};

#define CHUNK 64 /* records asked for at once */

static int read_records(const struct snapmap *map, GArray *records)
{
	struct snapmap_pin_record chunk[CHUNK];
	uint32_t next = 0;
	ssize_t count;

	do {
		count = snapmap_pins(map, next, chunk, CHUNK);
		if (count < 0)
			return (int)count;
		g_array_append_vals(records, chunk, (guint)count);
		next = count ? chunk[count - 1].id + 1 : 0;
	} while (count == CHUNK);
	return 0;
}

static gsize comm_len(const struct snapmap_pin_record *record)
{
	return strnlen((const char *)record->comm, sizeof(record->comm));
}

static void append_record(GString *out, const struct snapmap_pin_record *record)
{
	g_autofree char *age = age_text(record->age_ns);
	g_autofree char *held = size_text(record->held_bytes);
	g_autofree char *pid = record->pid ? g_strdup_printf("%u", record->pid) : g_strdup("-");
	g_autofree char *user = user_name(record->uid);

	g_string_append_printf(out, "%8llu %8s %8s %7s %-12s ", record->version, age, held, pid,
			       user);
	text_escape(out, record->comm, comm_len(record));
	if (record->flags & SNAPMAP_PIN_REVOKED)
		g_string_append(out, "  revoked");
	g_string_append_c(out, '\n');
}

static int print_text(const GArray *records)
{
	g_autoptr(GString) out = g_string_new(NULL);
	guint i;

	g_string_append_printf(out, "%8s %8s %8s %7s %-12s %s\n", "VERSION", "AGE", "HELD", "PID",
			       "USER", "COMMAND");
	for (i = 0; i < records->len; i++)
		append_record(out, &g_array_index(records, struct snapmap_pin_record, i));
	return output_write(out);
}

static json_t *record_json(const struct snapmap_pin_record *record)
{
	g_autofree char *user = user_name(record->uid);
	json_t *json = json_pack("{s:I, s:I, s:I, s:I, s:s, s:b}", "version",
				 (json_int_t)record->version, "age_ns", (json_int_t)record->age_ns,
				 "held_bytes", (json_int_t)record->held_bytes, "uid",
				 (json_int_t)record->uid, "user", user, "revoked",
				 !!(record->flags & SNAPMAP_PIN_REVOKED));

	json_set_bytes(json, "command", record->comm, comm_len(record));
	if (record->pid)
		json_object_set_new(json, "pid", json_integer(record->pid));
	return json;
}

static int print_json(const GArray *records)
{
	json_t *json = json_array();
	guint i;
	int code;

	for (i = 0; i < records->len; i++)
		json_array_append_new(
			json, record_json(&g_array_index(records, struct snapmap_pin_record, i)));
	code = output_json(json);
	json_decref(json);
	return code;
}

int cmd_pins(int argc, char **argv)
{
	gboolean as_json = FALSE;
	const GOptionEntry entries[] = {
		{ "json", 'j', 0, G_OPTION_ARG_NONE, &as_json, "Print JSON", NULL },
		G_OPTION_ENTRY_NULL,
	};
	g_autoptr(GArray) records = g_array_new(FALSE, FALSE, sizeof(struct snapmap_pin_record));
	g_auto(GStrv) rest = NULL;
	struct snapmap *map;
	int code = options_parse(&usage, entries, argc, argv, &rest);
	int err;

	if (code != OPTIONS_GO_ON)
		return code;
	code = open_map(rest[0], O_RDONLY, &map);
	if (code)
		return code;
	err = read_records(map, records);
	snapmap_close(map);
	if (err)
		return report_errno(rest[0], "the map does not tell its pins", err);
	return as_json ? print_json(records) : print_text(records);
}

// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * cmd_pins.c - who has pinned a map's snapshots
 */
#include <string.h>

#include "cmd.h"
#include "jsonl.h"
#include "listing.h"
#include "number.h"
#include "text.h"

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

static void append_record(GString *out, const void *data)
{
	const struct snapmap_pin_record *record = data;
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

static json_t *record_json(const void *data)
{
	const struct snapmap_pin_record *record = data;
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

static const struct listing listing = {
	.usage = {
		.args = "NAME",
		.min = 1,
		.max = 1,
		.summary = "Show who has pinned which version of a map, for how long, and the memory that\n"
			   "is held back for that version alone.",
		.description = "Several pins of one version hold back the same memory.",
	},
	.record_size = sizeof(struct snapmap_pin_record),
	.read = read_records,
	.failure = "the map does not tell its pins",
	.head = " VERSION      AGE     HELD     PID USER         COMMAND\n",
	.append = append_record,
	.json = record_json,
};

int cmd_pins(int argc, char **argv)
{
	return listing_run(&listing, argc, argv);
}

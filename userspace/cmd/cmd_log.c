// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * cmd_log.c - the versions that a map keeps
 */
#include "cmd.h"
#include "listing.h"
#include "number.h"

#define CHUNK 64 /* records asked for at once */

/* A version may go between two calls: what is told then begins later. */
static int read_records(const struct snapmap *map, GArray *records)
{
	struct snapmap_record chunk[CHUNK];
	uint64_t next = 1;
	ssize_t count;

	do {
		count = snapmap_log(map, &next, chunk, CHUNK);
		if (count < 0)
			return (int)count;
		g_array_append_vals(records, chunk, (guint)count);
		next += (uint64_t)count;
	} while (count == CHUNK);
	return 0;
}

static void append_record(GString *out, const void *data)
{
	const struct snapmap_record *record = data;
	const struct snapmap_header *header = &record->header;
	g_autofree char *time = time_text(header->realtime_ns);
	g_autofree char *pid = record->pid ? g_strdup_printf("%u", record->pid) : g_strdup("-");
	g_autofree char *user = user_name(record->uid);

	g_string_append_printf(out, "%8llu  %s %10llu %8llu %8llu %12llu %7s %s", header->version,
			       time, header->entries, record->puts, record->deletes, header->stamp,
			       pid, user);
	if (record->rolled_back_to)
		g_string_append_printf(out, "  rolled back to %llu", record->rolled_back_to);
	g_string_append_c(out, '\n');
}

/* A stamp may be any 64 bits, more than JSON's numbers hold safely. */
static json_t *record_json(const void *data)
{
	const struct snapmap_record *record = data;
	const struct snapmap_header *header = &record->header;
	g_autofree char *time = time_text(header->realtime_ns);
	g_autofree char *stamp = g_strdup_printf("%llu", header->stamp);
	g_autofree char *user = user_name(record->uid);
	json_t *json = json_pack("{s:I, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:s, s:I, s:s}",
				 "version", (json_int_t)header->version, "published", time,
				 "entries", (json_int_t)header->entries, "key_bytes",
				 (json_int_t)header->key_bytes, "value_bytes",
				 (json_int_t)header->value_bytes, "puts", (json_int_t)record->puts,
				 "deletes", (json_int_t)record->deletes, "blocks_copied",
				 (json_int_t)record->blocks_copied, "stamp", stamp, "uid",
				 (json_int_t)record->uid, "user", user);

	if (record->pid)
		json_object_set_new(json, "pid", json_integer(record->pid));
	if (record->rolled_back_to)
		json_object_set_new(json, "rolled_back_to",
				    json_integer((json_int_t)record->rolled_back_to));
	return json;
}

static const struct listing listing = {
	.usage = {
		.args = "NAME",
		.min = 1,
		.max = 1,
		.summary = "Show the versions that a map keeps: when each was published, its entries, the\n"
			   "operations that made it, its stamp, and the process and user that committed.",
		.description = "'snapmap set --history' says how many a map keeps.",
	},
	.record_size = sizeof(struct snapmap_record),
	.read = read_records,
	.failure = "the map does not tell its history",
	.head = " VERSION  PUBLISHED                         ENTRIES     PUTS  DELETES        STAMP     PID USER\n",
	.append = append_record,
	.json = record_json,
};

int cmd_log(int argc, char **argv)
{
	return listing_run(&listing, argc, argv);
}

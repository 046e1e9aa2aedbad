// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * listing.c - records of a map, as a table or as JSON
 */
#include "listing.h"

#include <fcntl.h>

#include "cmd.h"
#include "output.h"
#include "report.h"

static const void *record_at(const struct listing *listing, const GArray *records, guint i)
{
	return records->data + (gsize)i * listing->record_size;
}

static int print_text(const struct listing *listing, const GArray *records)
{
	g_autoptr(GString) out = g_string_new(listing->head);
	guint i;

	for (i = 0; i < records->len; i++)
		listing->append(out, record_at(listing, records, i));
	return output_write(out);
}

static int print_json(const struct listing *listing, const GArray *records)
{
	json_t *json = json_array();
	guint i;
	int code;

	for (i = 0; i < records->len; i++)
		json_array_append_new(json, listing->json(record_at(listing, records, i)));
	code = output_json(json);
	json_decref(json);
	return code;
}

/**
 * listing_run() - run the verb
 * @listing: the verb
 * @argc: number of words, the verb included
 * @argv: the words
 *
 * Return: the exit code.
 */
int listing_run(const struct listing *listing, int argc, char **argv)
{
	gboolean as_json = FALSE;
	const GOptionEntry entries[] = {
		{ "json", 'j', 0, G_OPTION_ARG_NONE, &as_json, "Print JSON", NULL },
		G_OPTION_ENTRY_NULL,
	};
	g_autoptr(GArray) records = g_array_new(FALSE, FALSE, listing->record_size);
	g_auto(GStrv) rest = NULL;
	struct snapmap *map;
	int code = options_parse(&listing->usage, entries, argc, argv, &rest);
	int err;

	if (code != OPTIONS_GO_ON)
		return code;
	code = open_map(rest[0], O_RDONLY, &map);
	if (code)
		return code;
	err = listing->read(map, records);
	snapmap_close(map);
	if (err)
		return report_errno(rest[0], listing->failure, err);
	return as_json ? print_json(listing, records) : print_text(listing, records);
}

// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * record.c - what the formats have in common
 */
#include "record.h"

#include <string.h>

/**
 * format_find() - a format by its name
 * @name: the name; NULL for the default
 *
 * Return: NULL when there is none.
 */
const struct format *format_find(const char *name)
{
	if (!name || !strcmp(name, format_tsv.name))
		return &format_tsv;
	return strcmp(name, format_jsonl.name) ? NULL : &format_jsonl;
}

/**
 * record_clear() - free what a record holds
 * @record: the record
 */
void record_clear(struct record *record)
{
	json_decref(record->json);
	g_free(record->decoded[0]);
	g_free(record->decoded[1]);
	memset(record, 0, sizeof(*record));
}

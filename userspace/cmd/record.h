/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * record.h - one line of a file, in either format
 */
#ifndef SNAPMAP_RECORD_H
#define SNAPMAP_RECORD_H

#include <glib.h>
#include <jansson.h>
#include <libsnapmap.h>
#include <stdbool.h>

/**
 * struct record - an entry to write or to delete
 * @is_delete: whether it is to be deleted
 * @key: its key
 * @key_len: bytes of the key
 * @value: its value, when it is to be written
 * @value_len: bytes of the value
 * @json: what @key and @value point into, or NULL
 * @decoded: buffers that @key and @value point to, or NULL
 */
struct record {
	bool is_delete;
	const char *key;
	gsize key_len;
	const char *value;
	gsize value_len;
	json_t *json;
	char *decoded[2];
};

/**
 * struct format - a way to write records as lines
 * @name: for --format
 * @parse: fills @record from a line without its newline; the line is changed,
 *	and may be pointed into. @with_op tells apart apply and load. Returns false
 *	and says why in @why. record_clear() is needed in any case.
 * @append: appends an entry as a line
 */
struct format {
	const char *name;
	bool (*parse)(char *line, gsize len, bool with_op, struct record *record, GString *why);
	void (*append)(GString *out, const struct snapmap_item *item);
};

extern const struct format format_tsv;
extern const struct format format_jsonl;

const struct format *format_find(const char *name);
void record_clear(struct record *record);

#endif /* SNAPMAP_RECORD_H */

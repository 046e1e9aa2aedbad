// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * formats.c - the command's readers and writers without a map
 *
 * formats load|apply FROM TO FILE
 *
 * Reads FILE in the format FROM as 'snapmap load' or 'snapmap apply' does and
 * prints it in the format TO as 'snapmap dump' does; deletes stand as lines of
 * "del" and the key. The first bad line is told on standard error.
 */
#include <stdio.h>
#include <string.h>

#include "../../cmd/lines.h"
#include "../../cmd/record.h"
#include "../../cmd/text.h"

static void print_record(const struct record *record, const struct format *to, GString *out)
{
	const struct snapmap_item item = {
		.key = record->key,
		.key_len = record->key_len,
		.value = record->value ? record->value : "",
		.value_len = record->value_len,
	};

	g_string_truncate(out, 0);
	if (record->is_delete) {
		g_string_append(out, "del\t");
		text_escape(out, item.key, item.key_len);
		g_string_append_c(out, '\n');
	} else {
		to->append(out, &item);
	}
	fwrite(out->str, 1, out->len, stdout);
}

static int convert(struct lines *lines, const struct format *from, const struct format *to,
		   bool with_op)
{
	g_autoptr(GString) out = g_string_new(NULL);
	g_autoptr(GString) why = g_string_new(NULL);
	char *line;
	gsize len;
	int ret;

	while ((ret = lines_next(lines, &line, &len)) > 0) {
		struct record record = { .is_delete = false };
		bool good = from->parse(line, len, with_op, &record, why);

		if (good)
			print_record(&record, to, out);
		record_clear(&record);
		if (!good) {
			fprintf(stderr, "%" G_GUINT64_FORMAT ": %s\n", lines->number, why->str);
			return 1;
		}
	}
	if (ret)
		fprintf(stderr, "%" G_GUINT64_FORMAT ": %s\n", lines->number, g_strerror(-ret));
	return ret ? 1 : 0;
}

int main(int argc, char **argv)
{
	const struct format *from = argc == 5 ? format_find(argv[2]) : NULL;
	const struct format *to = argc == 5 ? format_find(argv[3]) : NULL;
	struct lines lines;
	int code;

	if (!from || !to || lines_open(&lines, argv[4]))
		return 2;
	code = convert(&lines, from, to, !strcmp(argv[1], "apply"));
	lines_close(&lines);
	return code;
}

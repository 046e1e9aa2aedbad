// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * cmd_list.c - what maps there are
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "cmd.h"
#include "number.h"
#include "options.h"
#include "output.h"
#include "report.h"

static const struct usage usage = {
	.args = "",
	.summary = "Show the maps.",
	.description = "Of maps that the caller may not read only name, mode and owner are shown.",
};

/**
 * struct row - one map
 * @name: its name
 * @mode: permission bits of its node
 * @owner: USER:GROUP of its node
 * @readable: whether @info is filled
 * @info: what the map says of itself
 */
struct row {
	char *name;
	mode_t mode;
	char *owner;
	bool readable;
	struct snapmap_info info;
};

static void row_free(gpointer data)
{
	struct row *row = data;

	g_free(row->name);
	g_free(row->owner);
	g_free(row);
}

static int compare_rows(gconstpointer a, gconstpointer b)
{
	const struct row *const *left = a;
	const struct row *const *right = b;

	return strcmp((*left)->name, (*right)->name);
}

static int read_info(struct row *row)
{
	struct snapmap *map;
	int err = snapmap_open(row->name, O_RDONLY, &map);

	if (err)
		return err;
	err = snapmap_info(map, &row->info);
	row->readable = !err;
	snapmap_close(map);
	return err;
}

/* A map may be destroyed at any time while we look: that is no error. */
static int add_row(GPtrArray *rows, const char *name)
{
	g_autofree char *path = g_build_filename(SNAPMAP_DEVICE_DIR, name, NULL);
	struct row *row;
	struct stat st;
	int err;

	if (!snapmap_name_valid(name) || stat(path, &st) < 0)
		return CMD_DONE;
	row = g_new0(struct row, 1);
	row->name = g_strdup(name);
	row->mode = st.st_mode & 0777;
	row->owner = owner_name(st.st_uid, st.st_gid);
	err = read_info(row);
	if (err && err != -EACCES && err != -EPERM) {
		row_free(row);
		return err == -ENOENT || err == -ENODEV || err == -ENXIO ?
			       CMD_DONE :
			       report_open(name, O_RDONLY, err);
	}
	g_ptr_array_add(rows, row);
	return CMD_DONE;
}

static int read_rows(GPtrArray *rows)
{
	g_autoptr(GDir) dir = g_dir_open(SNAPMAP_DEVICE_DIR, 0, NULL);
	int code = CMD_DONE;
	const char *name;
	int one;

	if (!dir)
		return report_failure(NULL, "there is no %s; is the snapmap module loaded?",
				      SNAPMAP_DEVICE_DIR);
	while ((name = g_dir_read_name(dir))) {
		one = add_row(rows, name);
		code = MAX(code, one);
	}
	g_ptr_array_sort(rows, compare_rows);
	return code;
}

static void append_unreadable(GString *out, const struct row *row)
{
	g_string_append_printf(out, "%-24s %10s %10s %8s %8s %8s  %04o %s\n", row->name, "-", "-",
			       "-", "-", "-", row->mode, row->owner);
}

static void append_row(GString *out, const struct row *row)
{
	const struct snapmap_header *header = &row->info.header;
	g_autofree char *data = size_text(header->key_bytes + header->value_bytes);
	g_autofree char *memory = size_text(row->info.resident_bytes);
	g_autofree char *limit = size_text(row->info.limit);

	g_string_append_printf(out, "%-24s %10llu %10llu %8s %8s %8s  %04o %s\n", row->name,
			       header->version, header->entries, data, memory, limit, row->mode,
			       row->owner);
}

static int print_text(const GPtrArray *rows)
{
	g_autoptr(GString) out = g_string_new(NULL);
	const struct row *row;
	guint i;

	g_string_append_printf(out, "%-24s %10s %10s %8s %8s %8s  %s %s\n", "NAME", "VERSION",
			       "ENTRIES", "DATA", "MEMORY", "LIMIT", "MODE", "OWNER");
	for (i = 0; i < rows->len; i++) {
		row = rows->pdata[i];
		if (row->readable)
			append_row(out, row);
		else
			append_unreadable(out, row);
	}
	return output_write(out);
}

static json_t *row_json(const struct row *row)
{
	const struct snapmap_header *header = &row->info.header;
	g_autofree char *mode = g_strdup_printf("%04o", row->mode);
	json_t *json = json_pack("{s:s, s:s, s:s, s:b}", "name", row->name, "mode", mode, "owner",
				 row->owner, "readable", row->readable);
	json_t *more;

	if (!row->readable)
		return json;
	more = json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}", "version", (json_int_t)header->version,
			 "entries", (json_int_t)header->entries, "key_bytes",
			 (json_int_t)header->key_bytes, "value_bytes",
			 (json_int_t)header->value_bytes, "resident_bytes",
			 (json_int_t)row->info.resident_bytes, "limit",
			 (json_int_t)row->info.limit);
	json_object_update(json, more);
	json_decref(more);
	return json;
}

static int print_json(const GPtrArray *rows)
{
	json_t *json = json_array();
	int code;
	guint i;

	for (i = 0; i < rows->len; i++)
		json_array_append_new(json, row_json(rows->pdata[i]));
	code = output_json(json);
	json_decref(json);
	return code;
}

int cmd_list(int argc, char **argv)
{
	gboolean as_json = FALSE;
	const GOptionEntry entries[] = {
		{ "json", 'j', 0, G_OPTION_ARG_NONE, &as_json, "Print JSON", NULL },
		G_OPTION_ENTRY_NULL,
	};
	g_autoptr(GPtrArray) rows = g_ptr_array_new_with_free_func(row_free);
	g_auto(GStrv) rest = NULL;
	int code = options_parse(&usage, entries, argc, argv, &rest);
	int printed;

	if (code != OPTIONS_GO_ON)
		return code;
	code = read_rows(rows);
	if (code && !rows->len)
		return code;
	printed = as_json ? print_json(rows) : print_text(rows);
	return MAX(code, printed);
}

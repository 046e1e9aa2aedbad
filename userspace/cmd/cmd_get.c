// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * cmd_get.c - print values
 *
 * One key of the current version is read from the mapping. Several, or an older
 * version, are read from one pin, so that they belong to the same version.
 */
#include <errno.h>
#include <fcntl.h>

#include "argument.h"
#include "cmd.h"
#include "jsonl.h"
#include "options.h"
#include "output.h"
#include "record.h"
#include "report.h"
#include "text.h"
#include "version.h"

static const struct usage usage = {
	.args = "NAME KEY...",
	.min = 2,
	.max = ARGUMENTS_ANY,
	.summary = "Print the value of one key, or lines of KEY<TAB>VALUE for several, all read\n"
		   "from the same version.",
	.description =
		"Values, and the keys of such lines, are printed with the escapes\n"
		"\\t \\n \\r \\\\ \\xHH. Keys are taken as they stand unless --escaped is given.\n"
		"When a key is absent the others are printed and the exit code is 1.\n"
		"\n" VERSION_HELP,
};

struct options {
	gboolean escaped;
	gboolean as_json;
	gboolean raw;
	char *at;
};

/**
 * struct answer - what has been found
 * @name: the map
 * @keys: the keys asked for
 * @count: their number
 * @items: an item for each of @keys; those not found have no key
 * @version: the version that was read
 * @snapshot: the pin that it was read from, or NULL
 */
struct answer {
	const char *name;
	const struct argument *keys;
	guint count;
	struct snapmap_item *items;
	uint64_t version;
	const struct snapmap_snapshot *snapshot;
};

/* A @buffer of SNAPMAP_VALUE_MAX holds any value; its pages are not touched in vain. */
static int get_live(const struct snapmap *map, struct answer *answer, void *buffer)
{
	const struct argument *key = &answer->keys[0];
	struct snapmap_item *item = &answer->items[0];
	struct snapmap_found found;
	int err = snapmap_get(map, key->bytes, key->len, buffer, SNAPMAP_VALUE_MAX, &found);

	if (err && err != -ENOENT)
		return report_errno(answer->name, "the key cannot be looked up", err);
	answer->version = found.version;
	if (err)
		return CMD_DONE;
	item->key = key->bytes;
	item->key_len = key->len;
	item->value = buffer;
	item->value_len = found.value_len;
	item->version = found.entry_version;
	return CMD_DONE;
}

static int get_pinned(const struct snapmap_snapshot *snapshot, struct answer *answer)
{
	guint i;
	int err;

	answer->snapshot = snapshot;
	answer->version = snapmap_pin_version(snapshot);
	for (i = 0; i < answer->count; i++) {
		err = snapmap_pin_get(snapshot, answer->keys[i].bytes, answer->keys[i].len,
				      &answer->items[i]);
		if (err == -ESTALE)
			return report_revoked(answer->name, snapshot);
		if (err && err != -ENOENT)
			return report_errno(answer->name, "a key cannot be looked up", err);
	}
	return CMD_DONE;
}

/* Whether what has been copied out of the snapshot is of that snapshot. */
static int check_answer(const struct answer *answer)
{
	if (answer->snapshot && snapmap_pin_check(answer->snapshot))
		return report_revoked(answer->name, answer->snapshot);
	return CMD_DONE;
}

static int report_missing(const struct answer *answer)
{
	int code = CMD_DONE;
	guint i;

	for (i = 0; i < answer->count; i++) {
		g_autoptr(GString) text = g_string_new(NULL);

		if (answer->items[i].key)
			continue;
		text_escape(text, answer->keys[i].bytes, answer->keys[i].len);
		code = report_not_found(answer->name,
					"there is no key '%s' in version %" G_GUINT64_FORMAT,
					text->str, (guint64)answer->version);
	}
	return code;
}

static int print_text(const struct answer *answer, bool raw)
{
	g_autoptr(GString) out = g_string_new(NULL);
	const struct snapmap_item *item;
	int code;
	guint i;

	for (i = 0; i < answer->count; i++) {
		item = &answer->items[i];
		if (!item->key)
			continue;
		if (raw) {
			g_string_append_len(out, item->value, item->value_len);
		} else if (answer->count > 1) {
			format_tsv.append(out, item);
		} else {
			text_escape(out, item->value, item->value_len);
			g_string_append_c(out, '\n');
		}
	}
	code = check_answer(answer);
	return code ? code : output_write(out);
}

static json_t *item_json(const struct snapmap_item *item)
{
	json_t *json = json_object();

	json_set_bytes(json, "key", item->key, item->key_len);
	json_set_bytes(json, "value", item->value, item->value_len);
	json_object_set_new(json, "version", json_integer((json_int_t)item->version));
	return json;
}

static json_t *missing_json(const struct argument *key)
{
	json_t *json = json_object();

	json_set_bytes(json, "key", key->bytes, key->len);
	return json;
}

static int print_json(const struct answer *answer)
{
	json_t *found = json_array();
	json_t *missing = json_array();
	json_t *json = json_pack("{s:s, s:I, s:o, s:o}", "name", answer->name, "version",
				 (json_int_t)answer->version, "entries", found, "missing", missing);
	guint i;
	int code;

	for (i = 0; i < answer->count; i++) {
		if (answer->items[i].key)
			json_array_append_new(found, item_json(&answer->items[i]));
		else
			json_array_append_new(missing, missing_json(&answer->keys[i]));
	}
	code = check_answer(answer);
	if (!code)
		code = output_json(json);
	json_decref(json);
	return code;
}

static int print(const struct answer *answer, const struct options *options)
{
	int code = options->as_json ? print_json(answer) : print_text(answer, options->raw);

	return code ? code : report_missing(answer);
}

static int get_one(const struct snapmap *map, struct answer *answer, const struct options *options)
{
	g_autofree char *buffer = g_malloc(SNAPMAP_VALUE_MAX);
	int code = get_live(map, answer, buffer);

	return code ? code : print(answer, options);
}

static int get_several(const struct snapmap *map, const struct version *at, struct answer *answer,
		       const struct options *options)
{
	struct snapmap_snapshot *snapshot;
	int code = version_pin(answer->name, map, at, &snapshot);

	if (code)
		return code;
	code = get_pinned(snapshot, answer);
	if (!code)
		code = print(answer, options);
	snapmap_unpin(snapshot);
	return code;
}

static int get(struct answer *answer, const struct version *at, const struct options *options)
{
	g_autofree struct snapmap_item *items = g_new0(struct snapmap_item, answer->count);
	struct snapmap *map;
	int code = open_map(answer->name, O_RDONLY, &map);

	if (code)
		return code;
	answer->items = items;
	code = answer->count == 1 && !options->at ? get_one(map, answer, options) :
						    get_several(map, at, answer, options);
	snapmap_close(map);
	return code;
}

static int run(char **rest, const struct options *options)
{
	g_autofree struct argument *keys = NULL;
	struct answer answer = { .name = rest[0], .count = g_strv_length(rest + 1) };
	struct version at;
	int code;

	if (options->raw && (answer.count > 1 || options->as_json))
		return report_usage("get", "--raw prints one value; give one key and no --json");
	code = version_parse("get", options->at, &at);
	if (!code)
		code = argument_keys("get", rest + 1, options->escaped, &keys);
	if (code)
		return code;
	answer.keys = keys;
	return get(&answer, &at, options);
}

int cmd_get(int argc, char **argv)
{
	struct options options = { .escaped = FALSE };
	const GOptionEntry entries[] = {
		{ "at", 0, 0, G_OPTION_ARG_FILENAME, &options.at,
		  "Read version V (default: the current one)", "V" },
		ARGUMENT_ESCAPED_ENTRY(&options.escaped),
		{ "json", 'j', 0, G_OPTION_ARG_NONE, &options.as_json,
		  "Print JSON, with the version of each entry", NULL },
		{ "raw", 'r', 0, G_OPTION_ARG_NONE, &options.raw,
		  "Print the bytes of one value and nothing else", NULL },
		G_OPTION_ENTRY_NULL,
	};
	g_auto(GStrv) rest = NULL;
	int code = options_parse(&usage, entries, argc, argv, &rest);

	if (code == OPTIONS_GO_ON)
		code = run(rest, &options);
	g_free(options.at);
	return code;
}

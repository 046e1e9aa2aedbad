// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * cmd_info.c - all that is known of one map
 */
#include <fcntl.h>

#include "cmd.h"
#include "number.h"
#include "options.h"
#include "output.h"
#include "report.h"

static const struct usage usage = {
	.args = "NAME",
	.min = 1,
	.max = 1,
	.summary = "Show one map's state, memory and counters.",
};

/* How a number is shown. A stamp may be any 64 bits, more than JSON's numbers hold safely. */
enum kind {
	COUNT,
	SIZE,
	TIME,
	STAMP,
	BLOCKS,
	POLICY,
	PROCESS
};

struct fact {
	const char *name;
	enum kind kind;
	guint64 value;
};

#define FACTS_MAX 28

/* Returns how many. */
static guint list_facts(const struct snapmap_info *info, struct fact facts[FACTS_MAX])
{
	const struct snapmap_header *header = &info->header;
	const struct fact all[] = {
		{ "version", COUNT, header->version },
		{ "entries", COUNT, header->entries },
		{ "key_bytes", SIZE, header->key_bytes },
		{ "value_bytes", SIZE, header->value_bytes },
		{ "stamp", STAMP, header->stamp },
		{ "published", TIME, header->realtime_ns },
		{ "history", COUNT, info->history },
		{ "oldest_kept", COUNT, info->oldest_kept },
		{ "pin_policy", POLICY, info->policy },
		{ "revoked", COUNT, info->revoked },
		{ "lease_ms", COUNT, info->lease_ms },
		{ "writer", PROCESS, info->writer },
		{ "limit", SIZE, info->limit },
		{ "resident_bytes", SIZE, info->resident_bytes },
		{ "span", SIZE, info->span },
		{ "used_blocks", BLOCKS, info->used_blocks },
		{ "free_blocks", BLOCKS, info->free_blocks },
		{ "retired_blocks", BLOCKS, info->retired_blocks },
		{ "pinned_blocks", BLOCKS, info->pinned_blocks },
		{ "pins", COUNT, info->pins },
		{ "commits", COUNT, info->commits },
		{ "conflicts", COUNT, info->conflicts },
		{ "failures", COUNT, info->failures },
		{ "expired", COUNT, info->expired },
		{ "blocks_copied", BLOCKS, info->blocks_copied },
	};

	G_STATIC_ASSERT(G_N_ELEMENTS(all) <= FACTS_MAX);
	memcpy(facts, all, sizeof(all));
	return G_N_ELEMENTS(all);
}

/* A process as its number and name; it may have gone meanwhile. */
static char *process_text(guint64 pid)
{
	g_autofree char *path = g_strdup_printf("/proc/%" G_GUINT64_FORMAT "/comm", pid);
	g_autofree char *comm = NULL;

	if (!pid)
		return g_strdup("none");
	if (!g_file_get_contents(path, &comm, NULL, NULL))
		return g_strdup_printf("%" G_GUINT64_FORMAT, pid);
	return g_strdup_printf("%" G_GUINT64_FORMAT " (%s)", pid, g_strchomp(comm));
}

static char *size_fact_text(guint64 bytes, guint64 value)
{
	g_autofree char *size = size_text(bytes);

	return g_strdup_printf("%" G_GUINT64_FORMAT " (%s)", value, size);
}

static char *fact_text(const struct fact *fact)
{
	switch (fact->kind) {
	case TIME:
		return time_text(fact->value);
	case POLICY:
		return g_strdup(fact->value & SNAPMAP_MAP_REVOKE ? "revoke" : "refuse");
	case PROCESS:
		return process_text(fact->value);
	case SIZE:
		return size_fact_text(fact->value, fact->value);
	case BLOCKS:
		return size_fact_text(fact->value << SNAPMAP_BLOCK_SHIFT, fact->value);
	default:
		return g_strdup_printf("%" G_GUINT64_FORMAT, fact->value);
	}
}

static const char *state_text(const struct snapmap_info *info)
{
	return info->state & SNAPMAP_STATE_DESTROYED ? "destroyed" : "live";
}

static int print_text(const struct snapmap_info *info)
{
	g_autoptr(GString) out = g_string_new(NULL);
	struct fact facts[FACTS_MAX];
	guint count = list_facts(info, facts);
	guint i;

	g_string_append_printf(out, "%-15s %s\n%-15s %016llx\n%-15s %s\n", "name", info->name,
			       "map_id", info->map_id, "state", state_text(info));
	for (i = 0; i < count; i++) {
		g_autofree char *text = fact_text(&facts[i]);

		g_string_append_printf(out, "%-15s %s\n", facts[i].name, text);
	}
	return output_write(out);
}

static json_t *fact_json(const struct fact *fact)
{
	g_autofree char *text = NULL;

	if (fact->kind != TIME && fact->kind != STAMP && fact->kind != POLICY)
		return json_integer((json_int_t)fact->value);
	text = fact_text(fact);
	return json_string(text);
}

static int print_json(const struct snapmap_info *info)
{
	g_autofree char *id = g_strdup_printf("%016llx", info->map_id);
	json_t *json = json_pack("{s:s, s:s, s:s}", "name", info->name, "map_id", id, "state",
				 state_text(info));
	struct fact facts[FACTS_MAX];
	guint count = list_facts(info, facts);
	guint i;
	int code;

	for (i = 0; i < count; i++)
		json_object_set_new(json, facts[i].name, fact_json(&facts[i]));
	code = output_json(json);
	json_decref(json);
	return code;
}

int cmd_info(int argc, char **argv)
{
	gboolean as_json = FALSE;
	const GOptionEntry entries[] = {
		{ "json", 'j', 0, G_OPTION_ARG_NONE, &as_json, "Print JSON", NULL },
		G_OPTION_ENTRY_NULL,
	};
	g_auto(GStrv) rest = NULL;
	struct snapmap_info info;
	struct snapmap *map;
	int code = options_parse(&usage, entries, argc, argv, &rest);
	int err;

	if (code != OPTIONS_GO_ON)
		return code;
	code = open_map(rest[0], O_RDONLY, &map);
	if (code)
		return code;
	err = snapmap_info(map, &info);
	snapmap_close(map);
	if (err)
		return report_errno(rest[0], "the map does not answer", err);
	return as_json ? print_json(&info) : print_text(&info);
}

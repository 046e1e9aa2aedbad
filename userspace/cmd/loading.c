// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * loading.c - files become one commit, or a summary of what it would change
 *
 * What is read goes on to a transaction at once, so that the size of a file does
 * not matter here. The transaction keeps nobody out before all files have been
 * read.
 */
#include "loading.h"

#include <errno.h>
#include <fcntl.h>

#include "cmd.h"
#include "dry_run.h"
#include "input.h"
#include "output.h"
#include "report.h"
#include "version.h"

/* --- opening --- */

static void close_parts(struct loading *loading, guint count)
{
	while (count--)
		snapmap_close(loading->parts[count].map);
}

static int open_parts(struct loading *loading, int flags)
{
	struct part *part;
	int code;
	guint i;

	for (i = 0; i < loading->count; i++) {
		part = &loading->parts[i];
		code = open_map(part->name, flags, &part->map);
		if (code) {
			close_parts(loading, i);
			return code;
		}
	}
	return CMD_DONE;
}

/* --- committing --- */

/**
 * struct filling - a transaction that takes what is read
 * @txn: the transaction
 * @count: operations so far
 */
struct filling {
	struct snapmap_transaction *txn;
	guint64 count;
};

static int fill(void *data, const struct record *record)
{
	struct filling *filling = data;

	filling->count++;
	if (record->is_delete)
		return snapmap_txn_delete(filling->txn, record->key, record->key_len);
	return snapmap_txn_put(filling->txn, record->key, record->key_len, record->value,
			       record->value_len);
}

/* The first map begins the transaction, the others join it. */
static int take_map(const struct loading *loading, guint index, struct filling *filling)
{
	const struct snapmap_txn_opts opts = {
		.flags = loading->opts.flags & ~SNAPMAP_COMMIT_NOWAIT,
		.stamp = loading->opts.stamp,
	};
	const struct part *part = &loading->parts[index];
	int err = index ? snapmap_txn_add(filling->txn, part->map, &opts) :
			  snapmap_txn_new(part->map, &opts, &filling->txn);

	return err ? report_commit(part->name, err) : CMD_DONE;
}

static int fill_all(const struct loading *loading, struct filling *filling,
		    struct progress *progress)
{
	const struct sink sink = { .take = fill, .data = filling };
	int code = CMD_DONE;
	guint i;

	for (i = 0; i < loading->count && !code; i++) {
		code = take_map(loading, i, filling);
		if (!code)
			code = input_read(loading->parts[i].name, loading->parts[i].file,
					  loading->format, loading->with_op, &sink, progress);
	}
	return code;
}

static int fill_and_commit(const struct loading *loading, struct filling *filling)
{
	const struct snapmap_commit_opts opts = {
		.flags = loading->opts.flags & SNAPMAP_COMMIT_NOWAIT,
		.wait_ms = loading->opts.wait_ms,
	};
	struct snapmap_txn_result result = { .map = 0 };
	struct progress progress;
	int code = fill_all(loading, filling, &progress);
	int err;

	if (code)
		return code;
	progress_step(&progress, "committing", filling->count);
	err = snapmap_txn_commit(filling->txn, &opts, &result);
	progress_hide(&progress);
	return err ? report_commit(loading->parts[result.map].name, err) : CMD_DONE;
}

/**
 * loading_commit() - read the files and commit them
 * @loading: the files
 *
 * Return: CMD_DONE or the exit code; then nothing has changed.
 */
int loading_commit(struct loading *loading)
{
	struct filling filling = { .txn = NULL };
	int code = open_parts(loading, O_RDWR);

	if (code)
		return code;
	code = fill_and_commit(loading, &filling);
	snapmap_txn_free(filling.txn);
	close_parts(loading, loading->count);
	return code;
}

/* --- dry runs --- */

static void sum_text(GString *out, const char *name, uint64_t version,
		     const struct dry_run_sum *sum)
{
	g_string_append_printf(out,
			       "%s: %" G_GUINT64_FORMAT " added, %" G_GUINT64_FORMAT
			       " changed, %" G_GUINT64_FORMAT " unchanged, %" G_GUINT64_FORMAT
			       " removed, against version %" G_GUINT64_FORMAT "\n",
			       name, sum->added, sum->changed, sum->unchanged, sum->removed,
			       (guint64)version);
}

static json_t *sum_json(const char *name, uint64_t version, const struct dry_run_sum *sum)
{
	return json_pack("{s:s, s:I, s:I, s:I, s:I, s:I}", "name", name, "version",
			 (json_int_t)version, "added", (json_int_t)sum->added, "changed",
			 (json_int_t)sum->changed, "unchanged", (json_int_t)sum->unchanged,
			 "removed", (json_int_t)sum->removed);
}

static int compare(const struct loading *loading, const struct part *part,
		   const struct snapmap_snapshot *snapshot, struct dry_run_sum *sum)
{
	struct progress progress;
	struct dry_run run;
	const struct sink sink = { .take = dry_run_take, .data = &run };
	int code, err = 0;

	dry_run_begin(&run, snapshot);
	code = input_read(part->name, part->file, loading->format, loading->with_op, &sink,
			  &progress);
	if (!code)
		err = dry_run_add_up(&run, loading->opts.flags & SNAPMAP_COMMIT_REPLACE, sum);
	dry_run_end(&run);
	if (err)
		return report_revoked(part->name, snapshot);
	return code;
}

static int compare_all(const struct loading *loading, struct snapmap_snapshot **snapshots,
		       bool as_json)
{
	g_autoptr(GString) text = g_string_new(NULL);
	json_t *json = json_array();
	struct dry_run_sum sum;
	int code = CMD_DONE;
	uint64_t version;
	guint i;

	for (i = 0; i < loading->count && !code; i++) {
		code = compare(loading, &loading->parts[i], snapshots[i], &sum);
		if (code)
			break;
		version = snapmap_pin_version(snapshots[i]);
		sum_text(text, loading->parts[i].name, version, &sum);
		json_array_append_new(json, sum_json(loading->parts[i].name, version, &sum));
	}
	if (!code)
		code = as_json ? output_json(json) : output_write(text);
	json_decref(json);
	return code;
}

static int pin_and_compare(struct loading *loading, bool as_json)
{
	struct snapmap_snapshot *snapshots[SNAPMAP_SET_MAX];
	struct snapmap *maps[SNAPMAP_SET_MAX];
	guint i;
	int err, code;

	for (i = 0; i < loading->count; i++)
		maps[i] = loading->parts[i].map;
	err = snapmap_pin_set(maps, loading->count, snapshots);
	if (err)
		return report_errno(loading->parts[0].name, "the current snapshot cannot be pinned",
				    err);
	code = compare_all(loading, snapshots, as_json);
	for (i = 0; i < loading->count; i++)
		snapmap_unpin(snapshots[i]);
	return code;
}

/**
 * loading_dry_run() - read the files and print what they would change
 * @loading: the files
 * @as_json: print JSON
 *
 * Return: CMD_DONE or the exit code.
 */
int loading_dry_run(struct loading *loading, bool as_json)
{
	int code = open_parts(loading, O_RDONLY);

	if (code)
		return code;
	code = pin_and_compare(loading, as_json);
	close_parts(loading, loading->count);
	return code;
}

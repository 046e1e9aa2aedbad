// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * cmd_verify.c - check a snapshot
 */
#include <errno.h>
#include <fcntl.h>

#include "cmd.h"
#include "options.h"
#include "output.h"
#include "progress.h"
#include "report.h"
#include "version.h"

static const struct usage usage = {
	.args = "NAME",
	.min = 1,
	.max = 1,
	.summary = "Check a snapshot against every rule of the format.",
	.description =
		"Faults are told on standard error; the exit code is then 4.\n\n" VERSION_HELP,
};

/**
 * struct verification - who is told of faults
 * @name: the map
 * @faults: how many there have been
 * @progress: the bar
 */
struct verification {
	const char *name;
	guint64 faults;
	struct progress progress;
};

static void on_fault(void *data, uint32_t block, const char *what)
{
	struct verification *verification = data;

	if (verification->faults++ >= REPORT_LINES_MAX)
		return;
	progress_hide(&verification->progress);
	report_failure(verification->name, "block %u: %s", block, what);
}

static void on_progress(void *data, uint64_t entries)
{
	struct verification *verification = data;

	progress_tell(&verification->progress, entries);
}

static const struct snapmap_verify_ops verify_ops = {
	.fault = on_fault,
	.progress = on_progress,
};

static int print_result(const char *name, const struct snapmap_header *header)
{
	g_autoptr(GString) out = g_string_new(NULL);

	g_string_printf(out, "%s: version %llu is sound: %llu entries, %llu bytes\n", name,
			header->version, header->entries, header->key_bytes + header->value_bytes);
	return output_write(out);
}

static int verify(const char *name, const struct snapmap_snapshot *snapshot)
{
	const struct snapmap_header *header = snapmap_pin_header(snapshot);
	struct verification verification = { .name = name };
	int err;

	progress_begin(&verification.progress, name, "verifying", header->entries);
	err = snapmap_verify(snapshot, &verify_ops, &verification);
	progress_hide(&verification.progress);
	if (err == -EUCLEAN)
		return report_failure(name,
				      "version %llu has %" G_GUINT64_FORMAT " faults; "
				      "load the map anew and report them",
				      header->version, verification.faults);
	if (err == -ESTALE)
		return report_revoked(name, snapshot);
	return err ? report_errno(name, "it cannot be verified", err) : print_result(name, header);
}

int cmd_verify(int argc, char **argv)
{
	g_autofree char *at_text = NULL;
	const GOptionEntry entries[] = {
		{ "at", 0, 0, G_OPTION_ARG_FILENAME, &at_text,
		  "Check version V (default: the current one)", "V" },
		G_OPTION_ENTRY_NULL,
	};
	g_auto(GStrv) rest = NULL;
	struct snapmap_snapshot *snapshot = NULL;
	struct version at;
	struct snapmap *map;
	int code = options_parse(&usage, entries, argc, argv, &rest);

	if (code != OPTIONS_GO_ON)
		return code;
	code = version_parse("verify", at_text, &at);
	if (!code)
		code = open_map(rest[0], O_RDONLY, &map);
	if (code)
		return code;
	code = version_pin(rest[0], map, &at, &snapshot);
	if (!code)
		code = verify(rest[0], snapshot);
	snapmap_unpin(snapshot);
	snapmap_close(map);
	return code;
}

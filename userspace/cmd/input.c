// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * input.c - a file of records goes to where they are wanted, or its bad lines are told
 */
#include "input.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "cmd.h"
#include "lines.h"
#include "report.h"

/**
 * struct input - a file being read
 * @name: the map, for messages
 * @file: the file's name, for messages
 * @format: its format
 * @with_op: whether its lines say put or del
 * @lines: where in it we are
 * @sink: who takes what has been read
 * @why: what is wrong with a line
 * @bad: number of bad lines
 * @progress: the bar
 */
struct input {
	const char *name;
	const char *file;
	const struct format *format;
	bool with_op;
	struct lines lines;
	const struct sink *sink;
	GString *why;
	guint64 bad;
	struct progress *progress;
};

static void bad_line(struct input *input)
{
	if (input->bad++ >= REPORT_LINES_MAX)
		return;
	progress_hide(input->progress);
	report_failure(input->name, "%s:%" G_GUINT64_FORMAT ": %s", input->file,
		       input->lines.number, input->why->str);
}

static bool check_size(const struct record *record, GString *why)
{
	if (!record->key_len)
		g_string_assign(why, "the key is empty");
	else if (record->key_len > SNAPMAP_KEY_MAX)
		g_string_printf(why, "the key has %" G_GSIZE_FORMAT " bytes; %d are allowed",
				record->key_len, SNAPMAP_KEY_MAX);
	else if (record->value_len > SNAPMAP_VALUE_MAX)
		g_string_printf(why, "the value has %" G_GSIZE_FORMAT " bytes; %d are allowed",
				record->value_len, SNAPMAP_VALUE_MAX);
	else
		return true;
	return false;
}

/* Returns 0, also for a bad line; what the sink says. Behind a bad line it is not asked. */
static int read_line(struct input *input, char *line, gsize len)
{
	struct record record = { .is_delete = false };
	int err = 0;

	if (!input->format->parse(line, len, input->with_op, &record, input->why) ||
	    !check_size(&record, input->why))
		bad_line(input);
	else if (!input->bad)
		err = input->sink->take(input->sink->data, &record);
	record_clear(&record);
	return err;
}

/* Behind a line without end nothing more is read: the file is no list of records. */
static int read_lines(struct input *input)
{
	char *line;
	gsize len;
	int ret;

	while ((ret = lines_next(&input->lines, &line, &len)) > 0) {
		ret = read_line(input, line, len);
		if (ret)
			return ret;
		progress_tell(input->progress, input->lines.offset);
	}
	if (ret == -EMSGSIZE) {
		g_string_assign(input->why, "the line is longer than any record can be");
		bad_line(input);
		ret = 0;
	}
	return ret;
}

static int finish(struct input *input, int err)
{
	progress_hide(input->progress);
	if (err)
		return report_failure(input->name, "%s: %s, nothing has been applied", input->file,
				      g_strerror(-err));
	if (!input->bad)
		return CMD_DONE;
	return report_failure(input->name,
			      "%s: %" G_GUINT64_FORMAT " bad %s, nothing has been applied; "
			      "mend the file, or see --format",
			      input->file, input->bad, input->bad == 1 ? "line" : "lines");
}

static guint64 file_size(int fd)
{
	struct stat st;

	return !fstat(fd, &st) && S_ISREG(st.st_mode) ? (guint64)st.st_size : 0;
}

/**
 * input_read() - read a file of records
 * @name: the map, for messages
 * @file: path, or "-" for standard input
 * @format: the format of its lines
 * @with_op: whether they say put or del; else all are puts
 * @sink: who takes them; to be forgotten unless all lines were good
 * @progress: out: a bar that has begun
 *
 * Return: CMD_DONE or CMD_FAILED.
 */
int input_read(const char *name, const char *file, const struct format *format, bool with_op,
	       const struct sink *sink, struct progress *progress)
{
	g_autoptr(GString) why = g_string_new(NULL);
	struct input input = {
		.name = name,
		.file = strcmp(file, "-") ? file : "standard input",
		.format = format,
		.with_op = with_op,
		.sink = sink,
		.why = why,
		.progress = progress,
	};
	int err = lines_open(&input.lines, file);

	if (err)
		return report_errno(name, file, err);
	progress_begin(progress, name, "reading", file_size(input.lines.fd));
	err = read_lines(&input);
	lines_close(&input.lines);
	return finish(&input, err);
}

// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * lines.c - lines of any bytes, given in place, up to a bound on their length
 */
#include "lines.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define FIRST_CAP (256 << 10)

/**
 * lines_open() - open a file for reading
 * @lines: filled
 * @file: its path, or "-" for standard input
 *
 * Return: 0 or a negative errno.
 */
int lines_open(struct lines *lines, const char *file)
{
	memset(lines, 0, sizeof(*lines));
	lines->fd = strcmp(file, "-") ? open(file, O_RDONLY | O_CLOEXEC) : STDIN_FILENO;
	if (lines->fd < 0)
		return -errno;
	lines->cap = FIRST_CAP;
	lines->buffer = g_malloc(lines->cap);
	return 0;
}

/**
 * lines_close() - close the file
 * @lines: the file
 */
void lines_close(struct lines *lines)
{
	if (lines->fd > STDIN_FILENO)
		close(lines->fd);
	g_free(lines->buffer);
}

static void make_room(struct lines *lines)
{
	gsize left = lines->end - lines->begin;

	if (lines->begin) {
		memmove(lines->buffer, lines->buffer + lines->begin, left);
		lines->begin = 0;
		lines->end = left;
	}
	if (left == lines->cap) {
		lines->cap *= 2;
		lines->buffer = g_realloc(lines->buffer, lines->cap);
	}
}

/* Returns bytes read, 0 at the end of the file, or a negative errno. */
static gssize fill(struct lines *lines)
{
	gssize got;

	make_room(lines);
	do
		got = read(lines->fd, lines->buffer + lines->end, lines->cap - lines->end);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return -errno;
	lines->end += got;
	lines->offset += got;
	return got;
}

static void give(struct lines *lines, gsize len, gsize newline, char **line, gsize *line_len)
{
	*line = lines->buffer + lines->begin;
	*line_len = len;
	lines->begin += len + newline;
	lines->number++;
}

/**
 * lines_next() - the next line
 * @lines: the file
 * @line: out: its first byte, good until the next call; may be changed
 * @len: out: its length, without the newline; the last line may lack one
 *
 * Return: 1 with a line, 0 at the end of the file, -EMSGSIZE when the line is
 * longer than any record, or what read() says.
 */
int lines_next(struct lines *lines, char **line, gsize *len)
{
	gsize looked = 0;
	char *newline;
	gssize got;

	for (;;) {
		newline = memchr(lines->buffer + lines->begin + looked, '\n',
				 lines->end - lines->begin - looked);
		looked = lines->end - lines->begin;
		if (newline) {
			give(lines, newline - lines->buffer - lines->begin, 1, line, len);
			return 1;
		}
		if (looked > LINES_MAX) {
			lines->number++;
			return -EMSGSIZE;
		}
		got = fill(lines);
		if (got < 0)
			return got;
		if (!got)
			break;
	}
	if (!looked)
		return 0;
	give(lines, looked, 0, line, len);
	return 1;
}

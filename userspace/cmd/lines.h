/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#ifndef SNAPMAP_LINES_H
#define SNAPMAP_LINES_H

#include <glib.h>

/* Longest line: key and value with every byte written as six, and names around. */
#define LINES_MAX (8 << 20)

/**
 * struct lines - a file read line by line
 * @fd: the file
 * @buffer: what has been read; grows to the longest line
 * @cap: its size
 * @begin: first byte not yet given
 * @end: behind the last byte read
 * @offset: bytes of the file read so far
 * @number: number of the line given last
 */
struct lines {
	int fd;
	char *buffer;
	gsize cap;
	gsize begin;
	gsize end;
	guint64 offset;
	guint64 number;
};

int lines_open(struct lines *lines, const char *file);
int lines_next(struct lines *lines, char **line, gsize *len);
void lines_close(struct lines *lines);

#endif /* SNAPMAP_LINES_H */

// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * progress.c - a bar for work that takes more than a second
 */
#include "progress.h"

#include <stdio.h>
#include <unistd.h>

#define SHOW_AFTER_US G_USEC_PER_SEC
#define REDRAW_US     (G_USEC_PER_SEC / 10)
#define BAR_WIDTH     40

/**
 * progress_begin() - work begins
 * @progress: filled
 * @subject: the map
 * @what: what is being done
 * @total: amount of work; 0 when nobody knows
 */
void progress_begin(struct progress *progress, const char *subject, const char *what, guint64 total)
{
	*progress = (struct progress){
		.subject = subject,
		.what = what,
		.total = total,
		.began = g_get_monotonic_time(),
		.on = isatty(STDERR_FILENO),
	};
}

static void draw(struct progress *progress, guint64 done)
{
	static const char full[] = "########################################";
	double part = progress->total ? MIN((double)done / (double)progress->total, 1.0) : 0;

	fprintf(stderr, "\r\033[K%s: %s ", progress->subject, progress->what);
	if (progress->total)
		fprintf(stderr, "[%-*.*s] %3.0f %%", BAR_WIDTH, (int)(part * BAR_WIDTH), full,
			part * 100);
	else if (done)
		fprintf(stderr, "%" G_GUINT64_FORMAT, done);
	fflush(stderr);
}

static void look(struct progress *progress, guint64 done)
{
	gint64 now = g_get_monotonic_time();

	if (now - progress->began < SHOW_AFTER_US || now - progress->drawn < REDRAW_US)
		return;
	progress->drawn = now;
	draw(progress, done);
}

/**
 * progress_tell() - so much is done
 * @progress: the bar
 * @done: of its total
 *
 * Cheap enough to be called for every entry.
 */
void progress_tell(struct progress *progress, guint64 done)
{
	if (progress->on)
		look(progress, done);
}

/**
 * progress_step() - another kind of work begins, of unknown length
 * @progress: the bar
 * @what: what is being done now
 * @done: how much of it there is to do, 0 when that says nothing
 */
void progress_step(struct progress *progress, const char *what, guint64 done)
{
	progress->what = what;
	progress->total = 0;
	progress->drawn = 0;
	if (progress->on)
		look(progress, done);
}

/**
 * progress_hide() - clear the bar's line, at the end or for a message
 * @progress: the bar
 */
void progress_hide(struct progress *progress)
{
	if (progress->drawn)
		fputs("\r\033[K", stderr);
	progress->drawn = 0;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#ifndef SNAPMAP_PROGRESS_H
#define SNAPMAP_PROGRESS_H

#include <glib.h>
#include <stdbool.h>

/**
 * struct progress - a bar on a terminal
 * @subject: the map
 * @what: what is being done
 * @total: when it is done; 0 when nobody knows
 * @began: monotonic time, us
 * @drawn: when it was last drawn; 0 for never
 * @on: whether there is a terminal
 */
struct progress {
	const char *subject;
	const char *what;
	guint64 total;
	gint64 began;
	gint64 drawn;
	bool on;
};

void progress_begin(struct progress *progress, const char *subject, const char *what,
		    guint64 total);
void progress_step(struct progress *progress, const char *what, guint64 done);
void progress_tell(struct progress *progress, guint64 done);
void progress_hide(struct progress *progress);

#endif /* SNAPMAP_PROGRESS_H */

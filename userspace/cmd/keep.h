/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#ifndef SNAPMAP_KEEP_H
#define SNAPMAP_KEEP_H

#include <glib.h>
#include <libsnapmap.h>

/**
 * struct keep - what a map keeps, and for how long, as it stands on the command line
 * @history: how many snapshots
 * @lease: the longest lease
 * @pins: what happens to pins when the limit is reached
 *
 * Each is NULL where it is not given.
 */
struct keep {
	char *history;
	char *lease;
	char *pins;
};

/* The options that create and set have. */
/* clang-format off */
#define KEEP_ENTRIES(keep)								\
	{ "history", 0, 0, G_OPTION_ARG_FILENAME, &(keep)->history,			\
	  "How many snapshots it keeps, the current one included", "N" },		\
	{ "lease", 0, 0, G_OPTION_ARG_FILENAME, &(keep)->lease,				\
	  "The longest time for which a prepared transaction keeps others out", "TIME" }, \
	{ "pins", 0, 0, G_OPTION_ARG_FILENAME, &(keep)->pins,				\
	  "When the limit does not hold what is pinned: refuse the commit, or revoke "	\
	  "the oldest pins", "refuse|revoke" }
/* clang-format on */

#define KEEP_HELP "TIME is a number with ms, s, m or h, up to 1h; without a unit it is seconds."

int keep_parse(const char *verb, const struct keep *keep, struct snapmap_set_opts *opts);
void keep_clear(struct keep *keep);

#endif /* SNAPMAP_KEEP_H */

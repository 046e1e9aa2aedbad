/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#ifndef SNAPMAP_WRITING_H
#define SNAPMAP_WRITING_H

#include <glib.h>
#include <libsnapmap.h>

/**
 * struct writing - how a verb commits, as it stands on the command line
 * @stamp: the stamp that the new version gets; NULL where not given
 * @if_newer: only if it is larger than the current one
 * @wait: how long to wait for other transactions; NULL where not given
 * @no_wait: not to wait for them
 */
struct writing {
	char *stamp;
	gboolean if_newer;
	char *wait;
	gboolean no_wait;
};

/* The options of all verbs that commit. */
/* clang-format off */
#define WRITING_ENTRIES(writing)							\
	{ "stamp", 0, 0, G_OPTION_ARG_FILENAME, &(writing)->stamp,			\
	  "Give the new version this stamp, a number of 64 bits", "N" },		\
	{ "if-newer", 0, 0, G_OPTION_ARG_NONE, &(writing)->if_newer,			\
	  "Only if --stamp is larger than the stamp that the map has", NULL },		\
	{ "wait", 0, 0, G_OPTION_ARG_FILENAME, &(writing)->wait,			\
	  "Wait at most so long while another transaction is prepared", "TIME" },	\
	{ "no-wait", 0, 0, G_OPTION_ARG_NONE, &(writing)->no_wait,			\
	  "Fail at once when another transaction is prepared", NULL }
/* clang-format on */

int writing_parse(const char *verb, const struct writing *writing,
		  struct snapmap_commit_opts *opts);
void writing_clear(struct writing *writing);

#endif /* SNAPMAP_WRITING_H */

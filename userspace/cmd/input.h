/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#ifndef SNAPMAP_INPUT_H
#define SNAPMAP_INPUT_H

#include "progress.h"
#include "record.h"

/**
 * struct sink - who takes records
 * @take: called for each, in order; a negative errno ends the reading
 * @data: its first argument
 */
struct sink {
	int (*take)(void *data, const struct record *record);
	void *data;
};

int input_read(const char *name, const char *file, const struct format *format, bool with_op,
	       const struct sink *sink, struct progress *progress);

#endif /* SNAPMAP_INPUT_H */

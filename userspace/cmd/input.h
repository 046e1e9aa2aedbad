/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#ifndef SNAPMAP_INPUT_H
#define SNAPMAP_INPUT_H

#include "progress.h"
#include "record.h"

int input_read(const char *name, const char *file, const struct format *format, bool with_op,
	       struct snapmap_batch *batch, struct progress *progress);

#endif /* SNAPMAP_INPUT_H */

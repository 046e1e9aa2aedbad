/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#ifndef SNAPMAP_OUTPUT_H
#define SNAPMAP_OUTPUT_H

#include <glib.h>
#include <jansson.h>

int output_write(const GString *text);
int output_flush(void);
int output_json(const json_t *json);
int output_close(void);

#endif /* SNAPMAP_OUTPUT_H */

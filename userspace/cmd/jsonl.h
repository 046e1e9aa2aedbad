/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#ifndef SNAPMAP_JSONL_H
#define SNAPMAP_JSONL_H

#include <glib.h>
#include <jansson.h>

void json_append_line(GString *out, const json_t *json);
void json_set_bytes(json_t *object, const char *name, const void *bytes, gsize len);

#endif /* SNAPMAP_JSONL_H */

/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#ifndef SNAPMAP_TEXT_H
#define SNAPMAP_TEXT_H

#include <glib.h>
#include <stdbool.h>

void text_escape(GString *out, const void *bytes, gsize len);
bool text_unescape(char *text, gsize *len, GString *why);
bool text_is_plain(const void *bytes, gsize len);

#endif /* SNAPMAP_TEXT_H */

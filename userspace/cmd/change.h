/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#ifndef SNAPMAP_CHANGE_H
#define SNAPMAP_CHANGE_H

#include <glib.h>
#include <libsnapmap.h>

/**
 * enum change_style - how changes are written
 * @CHANGE_TEXT: what happened, key and values, between tabs
 * @CHANGE_JSON: the same as JSON objects
 * @CHANGE_APPLY: lines that 'snapmap apply' reads
 */
enum change_style {
	CHANGE_TEXT,
	CHANGE_JSON,
	CHANGE_APPLY,
};

int change_style(const char *verb, gboolean as_json, gboolean as_apply, enum change_style *style);
void change_append(GString *out, const struct snapmap_change *change, enum change_style style);

#endif /* SNAPMAP_CHANGE_H */

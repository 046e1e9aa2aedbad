/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#ifndef SNAPMAP_NUMBER_H
#define SNAPMAP_NUMBER_H

#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>

bool parse_u64(const char *text, guint64 *out);
bool parse_size(const char *text, guint64 *out);
bool parse_duration(const char *text, guint64 *out);
bool parse_time(const char *text, guint64 *ns);
bool parse_mode(const char *text, mode_t *out);
bool parse_owner(const char *text, uid_t *uid, gid_t *gid);
char *size_text(guint64 bytes);
char *time_text(guint64 ns);
char *age_text(guint64 ns);
char *user_name(uid_t uid);
char *owner_name(uid_t uid, gid_t gid);

#endif /* SNAPMAP_NUMBER_H */

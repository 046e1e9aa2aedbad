/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#ifndef SNAPMAP_REPORT_H
#define SNAPMAP_REPORT_H

#include <glib.h>
#include <libsnapmap.h>

#define REPORT_LINES_MAX 20 /* faults told one by one; the rest is counted */

int report_usage(const char *verb, const char *format, ...) G_GNUC_PRINTF(2, 3);
int report_failure(const char *subject, const char *format, ...) G_GNUC_PRINTF(2, 3);
int report_errno(const char *subject, const char *doing, int err);
int report_open(const char *name, int flags, int err);
int report_control(const char *name, const char *verb, int err);
int report_commit(const char *name, int err);
int report_not_found(const char *subject, const char *format, ...) G_GNUC_PRINTF(2, 3);
int report_conflict(const char *subject, const char *format, ...) G_GNUC_PRINTF(2, 3);
int open_map(const char *name, int flags, struct snapmap **out);

#endif /* SNAPMAP_REPORT_H */

/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#ifndef SNAPMAP_REPORT_H
#define SNAPMAP_REPORT_H

#include <glib.h>
#include <libsnapmap.h>

#include "cmd.h"

#define REPORT_LINES_MAX 20 /* faults told one by one; the rest is counted */

/* Says on stderr what is wrong with @subject, which may be NULL; returns @code, the exit status. */
int report(int code, const char *subject, const char *format, ...) G_GNUC_PRINTF(3, 4);

#define report_usage(verb, ...)	       report(CMD_USAGE, verb, __VA_ARGS__)
#define report_failure(subject, ...)   report(CMD_FAILED, subject, __VA_ARGS__)
#define report_not_found(subject, ...) report(CMD_NOT_FOUND, subject, __VA_ARGS__)
#define report_conflict(subject, ...)  report(CMD_CONFLICT, subject, __VA_ARGS__)
#define report_busy(subject, ...)      report(CMD_BUSY, subject, __VA_ARGS__)

int report_errno(const char *subject, const char *doing, int err);
int report_open(const char *name, int flags, int err);
int report_control(const char *name, const char *verb, int err);
int report_commit(const char *name, int err);
int open_map(const char *name, int flags, struct snapmap **out);

#endif /* SNAPMAP_REPORT_H */

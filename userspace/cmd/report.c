// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * report.c - errors for people: what is wrong, and what to do
 *
 * Every function writes one line, "snapmap: SUBJECT: ...", to standard error
 * and returns the exit code that belongs to it.
 */
#include "report.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd.h"
#include "number.h"

int report(int code, const char *subject, const char *format, ...)
{
	va_list args;

	fprintf(stderr, subject ? "snapmap: %s: " : "snapmap: ", subject);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	return code;
}

int report_errno(const char *subject, const char *doing, int err)
{
	return report_failure(subject, "%s: %s", doing, g_strerror(-err));
}

static bool module_is_loaded(void)
{
	return !access(SNAPMAP_DEVICE_CONTROL, F_OK);
}

static int report_no_module(const char *subject)
{
	return report_failure(subject, "there is no %s; is the snapmap module loaded?",
			      SNAPMAP_DEVICE_CONTROL);
}

static int report_bad_name(const char *name)
{
	return report_usage(name,
			    "this is no name of a map; use 1 to %d of A-Z a-z 0-9 . _ -, "
			    "not beginning with . or -, and not 'control'",
			    SNAPMAP_NAME_MAX);
}

static int report_no_access(const char *name, int flags)
{
	g_autofree char *path = g_build_filename(SNAPMAP_DEVICE_DIR, name, NULL);
	g_autofree char *owner = NULL;
	const char *what = flags == O_RDONLY ? "read" : "commit to";
	struct stat st;

	if (stat(path, &st) < 0)
		return report_failure(name, "you may not %s this map; ask its owner", what);
	owner = owner_name(st.st_uid, st.st_gid);
	return report_failure(name, "you may not %s this map (mode %04o, owner %s); ask its owner",
			      what, st.st_mode & 0777, owner);
}

/**
 * report_open() - why a map cannot be opened
 * @name: the map
 * @flags: O_RDONLY or O_RDWR
 * @err: what snapmap_open() returned
 *
 * Return: the exit code.
 */
int report_open(const char *name, int flags, int err)
{
	if (!snapmap_name_valid(name))
		return report_bad_name(name);
	switch (err) {
	case -ENOENT:
	case -ENODEV:
	case -ENXIO:
		if (!module_is_loaded())
			return report_no_module(name);
		return report_not_found(name, "no such map; 'snapmap list' shows those that exist");
	case -EACCES:
	case -EPERM:
		return report_no_access(name, flags);
	case -EPROTONOSUPPORT:
		return report_failure(name, "the module uses a format that this command does not "
					    "know; install the two from the same version");
	case -ENOTTY:
		return report_failure(name, "this is no map; is another driver using %s?",
				      SNAPMAP_DEVICE_DIR);
	case -ENOMEM:
		return report_failure(name, "no memory or address space to map it; "
					    "raise the limit (ulimit -v)");
	default:
		return report_errno(name, "it cannot be opened", err);
	}
}

/**
 * report_control() - why a map cannot be created, changed or destroyed
 * @name: the map
 * @verb: "create", "change" or "destroy"
 * @err: what the library returned
 *
 * Return: the exit code.
 */
int report_control(const char *name, const char *verb, int err)
{
	if (!snapmap_name_valid(name))
		return report_bad_name(name);
	switch (err) {
	case -EEXIST:
		return report_conflict(name, "a map of this name exists; destroy it first, or "
					     "use 'snapmap load' to replace its content");
	case -ENOENT:
	case -ENODEV:
	case -ENXIO:
		if (!module_is_loaded())
			return report_no_module(name);
		return report_not_found(name, "no such map; 'snapmap list' shows those that exist");
	case -EACCES:
	case -EPERM:
		return report_failure(name, "you may not %s maps; ask root", verb);
	case -ENFILE:
		return report_failure(name,
				      "there are too many maps; destroy one that is not needed");
	case -ENOSPC:
		return report_failure(name, "the limit is too small for even an empty map; "
					    "give a larger --limit");
	case -ENOMEM:
		return report_failure(name, "the system has no memory for it; free some");
	default:
		return report_errno(name, "it cannot be changed", err);
	}
}

/**
 * report_commit() - why a commit failed, when no condition was at fault
 * @name: the map
 * @err: what snapmap_commit() returned
 *
 * Return: the exit code.
 */
int report_commit(const char *name, int err)
{
	switch (err) {
	case -ENOSPC:
		return report_failure(name,
				      "its memory limit does not hold the old and the new "
				      "snapshot together, nothing has changed; use a smaller "
				      "batch, end old pins, or create it with a larger limit");
	case -ENOMEM:
		return report_failure(name, "the system has no memory for the new snapshot, "
					    "nothing has changed; free some");
	case -ENODEV:
		return report_not_found(name, "the map has been destroyed, nothing has changed");
	case -EOVERFLOW:
		return report_failure(name, "too many keys share one hash value, nothing has "
					    "changed; leave out keys that were made to collide");
	case -EALREADY:
		return report_conflict(name,
				       "its stamp is this one or a larger one already, nothing has "
				       "changed; 'snapmap info' shows it");
	case -EBUSY:
		return report_busy(name, "another transaction is prepared, nothing has changed; "
					 "leave out --no-wait to wait for its end");
	case -ETIMEDOUT:
		return report_busy(name,
				   "another transaction has been prepared all the time, nothing "
				   "has changed; try again, or give a longer --wait");
	case -ETIME:
		return report_failure(name,
				      "the time for which it may keep others out is over, nothing "
				      "has changed; 'snapmap set --lease' allows more");
	default:
		return report_errno(name, "the commit failed, nothing has changed", err);
	}
}

/**
 * open_map() - open a map or say why not
 * @name: the map
 * @flags: O_RDONLY or O_RDWR
 * @out: the map
 *
 * Return: CMD_DONE or the exit code.
 */
int open_map(const char *name, int flags, struct snapmap **out)
{
	int err = strchr(name, '/') ? -EINVAL : snapmap_open(name, flags, out);

	return err ? report_open(name, flags, err) : CMD_DONE;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * cmd.h - the verbs of the command
 *
 * A verb gets its own arguments, argv[0] being its name, and returns the exit
 * code of the process. What it reports has been reported when it returns.
 */
#ifndef SNAPMAP_CMD_H
#define SNAPMAP_CMD_H

/* Exit codes; the manual page promises them. */
enum {
	CMD_DONE = 0,
	CMD_NOT_FOUND = 1,
	CMD_USAGE = 2,
	CMD_CONFLICT = 3,
	CMD_FAILED = 4,
	CMD_BUSY = 5,
};

int cmd_apply(int argc, char **argv);
int cmd_create(int argc, char **argv);
int cmd_del(int argc, char **argv);
int cmd_destroy(int argc, char **argv);
int cmd_diff(int argc, char **argv);
int cmd_dump(int argc, char **argv);
int cmd_get(int argc, char **argv);
int cmd_info(int argc, char **argv);
int cmd_list(int argc, char **argv);
int cmd_load(int argc, char **argv);
int cmd_log(int argc, char **argv);
int cmd_pins(int argc, char **argv);
int cmd_put(int argc, char **argv);
int cmd_rollback(int argc, char **argv);
int cmd_set(int argc, char **argv);
int cmd_verify(int argc, char **argv);
int cmd_watch(int argc, char **argv);

#endif /* SNAPMAP_CMD_H */

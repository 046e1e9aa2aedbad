// SPDX-License-Identifier: GPL-2.0-only
/*
 * torture.c - /sys/kernel/debug/snapmap: the kernel's part of snapmap-torture
 *
 * readers: "NAME COUNT" starts threads that read the map NAME, an empty line
 * ends them; reading gives "LOOK-UPS FAULTS" of all since they were started,
 * and the first fault. ages: a histogram of reuse; see ages.c.
 */
#include <linux/debugfs.h>

#include "../kmod/torture.h"
#include "ages.h"
#include "kreader.h"

static struct dentry *dir;

void snapmap_torture_init(void)
{
	dir = debugfs_create_dir("snapmap", NULL);
	kreader_init(dir);
	ages_init(dir);
}

void snapmap_torture_exit(void)
{
	debugfs_remove_recursive(dir);
	ages_exit();
	kreader_exit();
}

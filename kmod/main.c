// SPDX-License-Identifier: GPL-2.0-only
/*
 * main.c - loading and unloading the module
 */
#include <linux/module.h>

#include "control.h"
#include "map.h"
#include "mapping.h"
#include "torture.h"

static int __init snapmap_init(void)
{
	int err = snapmap_mapping_init();

	if (err)
		return err;
	err = snapmap_map_init();
	if (err)
		goto exit_mapping;
	err = snapmap_control_init();
	if (err)
		goto exit_map;
	snapmap_torture_init();
	return 0;

exit_map:
	snapmap_map_exit();
exit_mapping:
	snapmap_mapping_exit();
	return err;
}

static void __exit snapmap_exit(void)
{
	snapmap_torture_exit();
	snapmap_control_exit();
	snapmap_map_destroy_all();
	snapmap_map_exit();
	snapmap_mapping_exit();
}

module_init(snapmap_init);
module_exit(snapmap_exit);

MODULE_DESCRIPTION("RCU-protected immutable key/value tables, read through mmap");
MODULE_AUTHOR("The snapmap authors");
MODULE_LICENSE("GPL");

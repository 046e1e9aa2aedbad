// SPDX-License-Identifier: GPL-2.0-only
/*
 * control.c - /dev/snapmap/control: creating, changing and destroying maps
 */
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>

#include "control.h"
#include "ioctl.h"
#include "map.h"

static int ioctl_create(struct file *file, void *args)
{
	return snapmap_map_create(args);
}

static int ioctl_set(struct file *file, void *args)
{
	return snapmap_map_set(args);
}

static int ioctl_destroy(struct file *file, void *data)
{
	const struct snapmap_destroy *args = data;

	if (args->flags || args->reserved)
		return -EINVAL;
	return snapmap_map_destroy(args->name);
}

static const struct snapmap_ioctl ioctls[] = {
	{ SNAPMAP_IOC_CREATE, FMODE_WRITE, ioctl_create },
	{ SNAPMAP_IOC_SET, FMODE_WRITE, ioctl_set },
	{ SNAPMAP_IOC_DESTROY, FMODE_WRITE, ioctl_destroy },
};

static long control_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	return snapmap_ioctl_dispatch(ioctls, ARRAY_SIZE(ioctls), file, cmd, arg);
}

static const struct file_operations control_fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = control_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
};

static struct miscdevice control_device = {
	.minor = MISC_DYNAMIC_MINOR,
	/*
	 * Without memory for the node's name, devtmpfs takes this one, and does not
	 * find the node again to remove it: it must not stand where our directory does.
	 */
	.name = "snapmap-control",
	.nodename = "snapmap/control",
	.mode = 0600,
	.fops = &control_fops,
};

int __init snapmap_control_init(void)
{
	return misc_register(&control_device);
}

void snapmap_control_exit(void)
{
	misc_deregister(&control_device);
}

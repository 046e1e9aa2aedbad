// SPDX-License-Identifier: GPL-2.0-only
/*
 * pin.c - a descriptor that keeps one snapshot whole
 *
 * It can be passed to another process, which need not be allowed to open the
 * map, and outlives the map's name. Closing its last copy, or dying, ends it.
 */
#include <linux/anon_inodes.h>
#include <linux/fdtable.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "ioctl.h"
#include "map.h"
#include "mapping.h"
#include "pin.h"

/**
 * struct pin - an open pin
 * @map: the map, with a reference
 * @pinned: the snapshot; shared with other pins of it, and reclaim frees it
 */
struct pin {
	struct snapmap_map *map;
	struct snapmap_pinned *pinned;
};

static int pin_release(struct inode *inode, struct file *file)
{
	struct pin *pin = file->private_data;

	snapmap_snapshot_unpin(&pin->map->store, pin->pinned);
	snapmap_map_later_reclaim(pin->map);
	put_device(&pin->map->dev);
	kfree(pin);
	return 0;
}

static int pin_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct pin *pin = file->private_data;

	return snapmap_mapping_mmap(pin->map, vma);
}

static int ioctl_info(struct file *file, void *data)
{
	struct pin *pin = file->private_data;
	struct snapmap_info *args = data;

	if (args->flags)
		return -EINVAL;
	snapmap_store_info(&pin->map->store, args);
	args->header = pin->pinned->header;
	args->root = pin->pinned->root;
	return 0;
}

static int ioctl_get(struct file *file, void *data)
{
	struct pin *pin = file->private_data;
	struct snapmap_get *args = data;

	args->version = pin->pinned->version;
	return snapmap_map_get(pin->map, pin->pinned->root, args);
}

static const struct snapmap_ioctl ioctls[] = {
	{ SNAPMAP_IOC_INFO, 0, ioctl_info },
	{ SNAPMAP_IOC_GET, 0, ioctl_get },
};

static long pin_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	return snapmap_ioctl_dispatch(ioctls, ARRAY_SIZE(ioctls), file, cmd, arg);
}

static const struct file_operations pin_fops = {
	.owner = THIS_MODULE,
	.release = pin_release,
	.mmap = pin_mmap,
	.unlocked_ioctl = pin_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
};

static struct pin *pin_alloc(struct snapmap_map *map)
{
	struct pin *pin = kzalloc(sizeof(*pin), SNAPMAP_GFP);

	if (!pin)
		return NULL;
	pin->pinned = kzalloc(sizeof(*pin->pinned), SNAPMAP_GFP);
	if (!pin->pinned) {
		kfree(pin);
		return NULL;
	}
	pin->map = map;
	return pin;
}

static void pin_free(struct pin *pin)
{
	kfree(pin->pinned);
	kfree(pin);
}

/**
 * snapmap_pin_open() - pin the current snapshot
 * @map: the map
 * @version: out: the version that is pinned
 *
 * Context: may sleep.
 * Return: a descriptor, -ENOMEM, -EMFILE or -ENFILE.
 */
int snapmap_pin_open(struct snapmap_map *map, u64 *version)
{
	struct pin *pin = pin_alloc(map);
	struct file *file;
	int fd;

	if (!pin)
		return -ENOMEM;
	fd = get_unused_fd_flags(O_CLOEXEC);
	if (fd < 0) {
		pin_free(pin);
		return fd;
	}
	file = anon_inode_getfile("[snapmap-pin]", &pin_fops, pin, O_RDONLY | O_CLOEXEC);
	if (IS_ERR(file)) {
		put_unused_fd(fd);
		pin_free(pin);
		return PTR_ERR(file);
	}
	file->f_mapping = map->inode->i_mapping;
	get_device(&map->dev);
	pin->pinned = snapmap_snapshot_pin(&map->store, pin->pinned);
	*version = pin->pinned->version;
	fd_install(fd, file);
	return fd;
}

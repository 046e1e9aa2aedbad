/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SNAPMAP_MAP_H
#define SNAPMAP_MAP_H

#include <linux/cdev.h>
#include <linux/device.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>

#include "snapshot.h"

/**
 * struct snapmap_map - a named map
 * @dev: its device; its reference count is the map's
 * @cdev: its character device; every open file holds it, and by it @dev
 * @store: its snapshots
 * @inode: whose page cache all mappings of the map are tied to
 * @huge_bytes: how much of its memory is in huge pages; written under the map's
 *	mutex, read without
 * @wait: woken on publication and destruction
 * @reclaim_work: frees what no commit comes to free
 * @pins: its open pins, by number
 * @mode: permission bits of the node
 * @uid: owner of the node
 * @gid: group of the node
 *
 * References are held by open files of the node (through @cdev), by pins, and by
 * its name until it is destroyed.
 */
struct snapmap_map {
	struct device dev;
	struct cdev cdev;
	struct snapmap_store store;
	struct inode *inode;
	u64 huge_bytes;
	struct wait_queue_head wait;
	struct delayed_work reclaim_work;
	struct xarray pins;
	umode_t mode;
	kuid_t uid;
	kgid_t gid;
};

static inline struct snapmap_map *snapmap_map_of(const struct device *dev)
{
	return container_of(dev, struct snapmap_map, dev);
}

struct snapmap_map *snapmap_map_find(const char *name);
int snapmap_map_create(const struct snapmap_create *args);
int snapmap_map_set(const struct snapmap_set *args);
int snapmap_map_destroy(const char *name);
void snapmap_map_destroy_all(void);
void snapmap_map_later_reclaim(struct snapmap_map *map);
void snapmap_map_committed(struct snapmap_map *map, int err);
int snapmap_map_get(struct snapmap_map *map, u64 root, struct snapmap_get *args);
int snapmap_map_init(void);
void snapmap_map_exit(void);

/* sysfs.c */
extern const struct attribute_group *snapmap_sysfs_groups[];

#endif /* SNAPMAP_MAP_H */

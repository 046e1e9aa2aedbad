/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SNAPMAP_DEVICE_H
#define SNAPMAP_DEVICE_H

#include <linux/fs.h>

struct snapmap_map;

extern const struct file_operations snapmap_device_fops;

struct snapmap_map *snapmap_device_map(int fd, fmode_t mode);

#endif /* SNAPMAP_DEVICE_H */

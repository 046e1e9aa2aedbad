/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SNAPMAP_IOCTL_H
#define SNAPMAP_IOCTL_H

#include <linux/fs.h>
#include <linux/snapmap.h>

/**
 * struct snapmap_ioctl - one row of a descriptor's table of ioctls
 * @cmd: the ioctl, with the size of its struct as this kernel knows it
 * @mode: FMODE_READ or FMODE_WRITE when the descriptor must be open so, else 0
 * @run: does the work on a copy of the struct, which is copied back when the
 *	ioctl's direction says so, whatever is returned but -EFAULT
 */
struct snapmap_ioctl {
	unsigned int cmd;
	fmode_t mode;
	int (*run)(struct file *file, void *args);
};

long snapmap_ioctl_dispatch(const struct snapmap_ioctl *table, size_t rows, struct file *file,
			    unsigned int cmd, unsigned long arg);
bool snapmap_record_size_ok(u32 size);
int snapmap_record_to_user(u64 records, u32 index, u32 user_size, const void *record,
			   u32 size);

#endif /* SNAPMAP_IOCTL_H */

// SPDX-License-Identifier: GPL-2.0-only
/*
 * ioctl.c - the rules that all ioctls share
 *
 * The number of an ioctl carries the size of the caller's struct. A shorter
 * one is filled up with zeroes, a longer one must be zero where this kernel
 * knows nothing (-E2BIG), and an unknown number is -ENOTTY. A struct that
 * cannot be written back to is refused before anything is done, so that -EFAULT
 * does not hide a commit that has been made or a descriptor that was opened.
 */
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/uaccess.h>

#include "ioctl.h"

union any_args {
	struct snapmap_create create;
	struct snapmap_destroy destroy;
	struct snapmap_info info;
	struct snapmap_commit commit;
	struct snapmap_get get;
	struct snapmap_pin pin;
	struct snapmap_wait wait;
};

static const struct snapmap_ioctl *find_row(const struct snapmap_ioctl *table, size_t rows,
					    unsigned int cmd)
{
	for (; rows; rows--, table++)
		if (_IOC_TYPE(cmd) == _IOC_TYPE(table->cmd) &&
		    _IOC_NR(cmd) == _IOC_NR(table->cmd) && _IOC_DIR(cmd) == _IOC_DIR(table->cmd))
			return table;
	return NULL;
}

/**
 * snapmap_ioctl_dispatch() - run the ioctl that a number names
 * @table: the descriptor's ioctls
 * @rows: how many
 * @file: the descriptor
 * @cmd: the number, as the caller gave it
 * @arg: address of the caller's struct
 *
 * Return: what the ioctl returns; -ENOTTY, -EBADF, -E2BIG or -EFAULT.
 */
long snapmap_ioctl_dispatch(const struct snapmap_ioctl *table, size_t rows, struct file *file,
			    unsigned int cmd, unsigned long arg)
{
	const struct snapmap_ioctl *row = find_row(table, rows, cmd);
	void __user *user = (void __user *)arg;
	union any_args args;
	size_t size, out;
	int ret;

	if (!row)
		return -ENOTTY;
	if (row->mode && !(file->f_mode & row->mode))
		return -EBADF;
	size = _IOC_SIZE(row->cmd);
	ret = copy_struct_from_user(&args, size, user, _IOC_SIZE(cmd));
	if (ret)
		return ret;
	out = _IOC_DIR(cmd) & _IOC_READ ? min_t(size_t, size, _IOC_SIZE(cmd)) : 0;
	/* The same bytes, as a probe: nothing must change when the call fails. */
	if (copy_to_user(user, &args, out))
		return -EFAULT;
	ret = row->run(file, &args);
	if (ret != -EFAULT && copy_to_user(user, &args, out))
		return -EFAULT;
	return ret;
}

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
#include <linux/mm.h>
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
	struct snapmap_set set;
	struct snapmap_log log;
	struct snapmap_pins pins;
	struct snapmap_pin_set pin_set;
	struct snapmap_rollback rollback;
	struct snapmap_txn txn;
	struct snapmap_txn_add txn_add;
	struct snapmap_txn_run txn_run;
	struct snapmap_txn_info txn_info;
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

/**
 * snapmap_record_size_ok() - whether records can be given in this size
 * @size: the caller's idea of a record's size
 */
bool snapmap_record_size_ok(u32 size)
{
	return size && size <= PAGE_SIZE;
}

/**
 * snapmap_record_to_user() - give the caller one of a row of records
 * @records: address of the row
 * @index: place in it
 * @user_size: size of a record for the caller; snapmap_record_size_ok()
 * @record: the record
 * @size: its size
 *
 * What the caller knows and this kernel does not is 0.
 *
 * Context: may sleep.
 * Return: 0 or -EFAULT.
 */
int snapmap_record_to_user(u64 records, u32 index, u32 user_size, const void *record, u32 size)
{
	u8 __user *to = u64_to_user_ptr(records + (u64)index * user_size);
	u32 common = min(size, user_size);

	if (copy_to_user(to, record, common) || clear_user(to + common, user_size - common))
		return -EFAULT;
	return 0;
}

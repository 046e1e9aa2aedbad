// SPDX-License-Identifier: GPL-2.0-only
/*
 * device.c - /dev/snapmap/NAME: reading, committing and waiting
 */
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/poll.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "commit.h"
#include "device.h"
#include "history.h"
#include "ioctl.h"
#include "map.h"
#include "mapping.h"
#include "pin.h"
#include "rollback.h"
#include "txn.h"

/**
 * struct reader - an open file of a map
 * @map: the map; the file's cdev reference keeps it
 * @seen: newest version that read(2) has given; only grows
 */
struct reader {
	struct snapmap_map *map;
	atomic64_t seen;
};

static struct snapmap_map *map_of(struct file *file)
{
	struct reader *reader = file->private_data;

	return reader->map;
}

static u64 current_version(const struct snapmap_map *map)
{
	/* Pairs with the store-release in write_slot(). */
	return smp_load_acquire(&map->store.control->version);
}

static bool is_destroyed(const struct snapmap_map *map)
{
	/* Who sees the flag sees the last version; pairs with snapmap_store_seal(). */
	return smp_load_acquire(&map->store.control->state) & SNAPMAP_STATE_DESTROYED;
}

static int device_open(struct inode *inode, struct file *file)
{
	struct snapmap_map *map = container_of(inode->i_cdev, struct snapmap_map, cdev);
	struct reader *reader;

	if (is_destroyed(map))
		return -ENODEV;
	reader = kzalloc(sizeof(*reader), SNAPMAP_GFP);
	if (!reader)
		return -ENOMEM;
	reader->map = map;
	file->private_data = reader;
	file->f_mapping = map->inode->i_mapping;
	return nonseekable_open(inode, file);
}

static int device_release(struct inode *inode, struct file *file)
{
	kfree(file->private_data);
	return 0;
}

static int device_mmap(struct file *file, struct vm_area_struct *vma)
{
	return snapmap_mapping_mmap(map_of(file), vma);
}

static bool has_news(struct reader *reader)
{
	return current_version(reader->map) > (u64)atomic64_read(&reader->seen);
}

/* Claims @version for the calling thread; false when another one has been as far. */
static bool claim_version(struct reader *reader, u64 version)
{
	s64 seen = atomic64_read(&reader->seen);

	while ((u64)seen < version)
		if (atomic64_try_cmpxchg(&reader->seen, &seen, version))
			return true;
	return false;
}

/* Waits for news; 0 when there is some, 1 when there will be none. */
static int wait_to_read(struct file *file, struct reader *reader)
{
	struct snapmap_map *map = reader->map;

	for (;;) {
		if (is_destroyed(map))
			return !has_news(reader);	/* in this order: the last one is news */
		if (has_news(reader))
			return 0;
		if (file->f_flags & O_NONBLOCK)
			return -EAGAIN;
		if (wait_event_interruptible(map->wait, has_news(reader) || is_destroyed(map)))
			return -ERESTARTSYS;
	}
}

static ssize_t device_read(struct file *file, char __user *to, size_t count, loff_t *pos)
{
	struct reader *reader = file->private_data;
	u64 version;
	int ret;

	if (count < sizeof(version))
		return -EINVAL;
	do {
		ret = wait_to_read(file, reader);
		if (ret)
			return ret < 0 ? ret : 0;
		version = current_version(reader->map);
		if (copy_to_user(to, &version, sizeof(version)))
			return -EFAULT;
	} while (!claim_version(reader, version));	/* another thread was faster */
	return sizeof(version);
}

static __poll_t device_poll(struct file *file, struct poll_table_struct *table)
{
	struct reader *reader = file->private_data;
	__poll_t events = 0;

	poll_wait(file, &reader->map->wait, table);
	if (has_news(reader))
		events |= EPOLLIN | EPOLLRDNORM;
	if (is_destroyed(reader->map))
		events |= EPOLLHUP | EPOLLIN | EPOLLRDNORM;
	return events;
}

static int ioctl_info(struct file *file, void *data)
{
	struct snapmap_info *args = data;

	if (args->flags)
		return -EINVAL;
	snapmap_store_info(&map_of(file)->store, args);
	return 0;
}

static int ioctl_commit(struct file *file, void *data)
{
	struct snapmap_map *map = map_of(file);
	int err = snapmap_commit(&map->store, data);

	snapmap_map_committed(map, err);
	return err;
}

static int ioctl_rollback(struct file *file, void *data)
{
	struct snapmap_map *map = map_of(file);
	int err = snapmap_rollback(&map->store, data);

	snapmap_map_committed(map, err);
	return err;
}

static int ioctl_txn(struct file *file, void *data)
{
	return snapmap_txn_open(map_of(file), data);
}

static int ioctl_get(struct file *file, void *data)
{
	struct snapmap_get *args = data;

	args->version = 0;
	return snapmap_map_get(map_of(file), 0, args);
}

static int ioctl_pin(struct file *file, void *data)
{
	struct snapmap_pin *args = data;

	if (args->flags || args->reserved)
		return -EINVAL;
	return snapmap_pin_open(map_of(file), &args->version);
}

static int ioctl_pin_set(struct file *file, void *data)
{
	return snapmap_pin_open_set(data);
}

static int ioctl_pins(struct file *file, void *data)
{
	return snapmap_pin_list(map_of(file), data);
}

static int ioctl_log(struct file *file, void *data)
{
	struct snapmap_store *store = &map_of(file)->store;
	struct snapmap_record record;
	struct snapmap_log *args = data;
	u64 version = args->version;
	u32 room = args->count;
	int err = 0;

	args->count = 0;
	if (args->flags || args->reserved || !snapmap_record_size_ok(args->record_size))
		return -EINVAL;
	while (!err && snapmap_history_record(store, version, &record) && args->count < room) {
		version = record.header.version + 1;
		err = snapmap_record_to_user(args->records, args->count, args->record_size,
					     &record, sizeof(record));
		if (!args->count++)
			args->version = record.header.version;
		cond_resched();
	}
	if (!args->count)
		args->version = record.header.version;
	return err;
}

/* Waits until the version is not @known, or the map is destroyed. */
static int wait_for_news(struct snapmap_map *map, u64 known, s64 timeout_ns)
{
	if (timeout_ns < 0)
		return wait_event_interruptible(map->wait, current_version(map) != known ||
						is_destroyed(map));
	return wait_event_interruptible_hrtimeout(map->wait, current_version(map) != known ||
						  is_destroyed(map), ns_to_ktime(timeout_ns));
}

static int ioctl_wait(struct file *file, void *data)
{
	struct snapmap_map *map = map_of(file);
	struct snapmap_wait *args = data;
	u64 begin = ktime_get_ns();
	int err;

	if (args->flags)
		return -EINVAL;
	err = wait_for_news(map, args->version, args->timeout_ns);
	if (err == -ERESTARTSYS) {
		/* The call may begin anew: with what the caller knew, and the time left. */
		if (args->timeout_ns > 0)
			args->timeout_ns = max_t(s64, 0, args->timeout_ns -
						 (s64)(ktime_get_ns() - begin));
		return err;
	}
	args->version = current_version(map);
	args->state = READ_ONCE(map->store.control->state);
	return err == -ETIME ? -ETIMEDOUT : err;
}

static const struct snapmap_ioctl ioctls[] = {
	{ SNAPMAP_IOC_INFO, FMODE_READ, ioctl_info },
	{ SNAPMAP_IOC_COMMIT, FMODE_WRITE, ioctl_commit },
	{ SNAPMAP_IOC_GET, FMODE_READ, ioctl_get },
	{ SNAPMAP_IOC_PIN, FMODE_READ, ioctl_pin },
	{ SNAPMAP_IOC_WAIT, FMODE_READ, ioctl_wait },
	{ SNAPMAP_IOC_LOG, FMODE_READ, ioctl_log },
	{ SNAPMAP_IOC_PINS, FMODE_READ, ioctl_pins },
	{ SNAPMAP_IOC_PIN_SET, FMODE_READ, ioctl_pin_set },
	{ SNAPMAP_IOC_ROLLBACK, FMODE_WRITE, ioctl_rollback },
	{ SNAPMAP_IOC_TXN, FMODE_WRITE, ioctl_txn },
};

static long device_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	return snapmap_ioctl_dispatch(ioctls, ARRAY_SIZE(ioctls), file, cmd, arg);
}

const struct file_operations snapmap_device_fops = {
	.owner = THIS_MODULE,
	.open = device_open,
	.release = device_release,
	.read = device_read,
	.poll = device_poll,
	.mmap = device_mmap,
	.get_unmapped_area = thp_get_unmapped_area,
	.unlocked_ioctl = device_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
};

/**
 * snapmap_device_map() - the map that a descriptor of the caller is
 * @fd: the descriptor
 * @mode: FMODE_READ or FMODE_WRITE: how it must be open
 *
 * Context: may sleep.
 * Return: the map, with a reference that the caller gives back by put_device()
 *	on its @dev; -EBADF, or -EINVAL when it is no map.
 */
struct snapmap_map *snapmap_device_map(int fd, fmode_t mode)
{
	struct file *file = fget(fd);
	struct snapmap_map *map;

	if (!file)
		return ERR_PTR(-EBADF);
	if (file->f_op != &snapmap_device_fops) {
		map = ERR_PTR(-EINVAL);
	} else if (!(file->f_mode & mode)) {
		map = ERR_PTR(-EBADF);
	} else {
		map = map_of(file);
		get_device(&map->dev);
	}
	fput(file);
	return map;
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * pin.c - a descriptor that keeps one snapshot whole
 *
 * It can be passed to another process, which need not be allowed to open the
 * map, and outlives the map's name. Closing its last copy, or dying, ends it.
 *
 * A map knows its pins by number, for those who ask what holds its memory back.
 * What stands there under a number has a snapshot for as long as the lock of
 * the numbers is held: a pin loses its number before it lets the snapshot go.
 *
 * Lock order: set_lock and pin_lock (snapshot.c) are never held together with
 * the lock of the numbers.
 */
#include <linux/anon_inodes.h>
#include <linux/fdtable.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/pid.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/uidgid.h>
#include <linux/xarray.h>

#include "device.h"
#include "ioctl.h"
#include "map.h"
#include "mapping.h"
#include "pin.h"

/**
 * struct pin - an open pin
 * @map: the map, with a reference
 * @snapshot: what is pinned; shared with other pins of it. NULL until it is
 * @id: its number in @pins of the map
 * @opened_ns: CLOCK_MONOTONIC time
 * @opener: process that opened it; a reference
 * @uid: its effective user
 * @comm: its name
 */
struct pin {
	struct snapmap_map *map;
	struct snapmap_snapshot *snapshot;
	u32 id;
	u64 opened_ns;
	struct pid *opener;
	kuid_t uid;
	char comm[TASK_COMM_LEN];
};

static void pin_free(struct pin *pin)
{
	struct snapmap_map *map = pin->map;

	xa_erase(&map->pins, pin->id);
	if (pin->snapshot) {
		snapmap_snapshot_unpin(&map->store, pin->snapshot);
		snapmap_map_later_reclaim(map);
	}
	put_pid(pin->opener);
	put_device(&map->dev);
	kfree(pin);
}

static int pin_release(struct inode *inode, struct file *file)
{
	pin_free(file->private_data);
	return 0;
}

static bool is_revoked(const struct pin *pin)
{
	return snapmap_snapshot_is_revoked(&pin->map->store, pin->snapshot->header.version);
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
	if (is_revoked(pin))
		return -ESTALE;
	snapmap_store_info(&pin->map->store, args);
	args->header = pin->snapshot->header;
	args->root = pin->snapshot->root;
	return 0;
}

static int ioctl_get(struct file *file, void *data)
{
	struct pin *pin = file->private_data;
	struct snapmap_get *args = data;

	args->version = pin->snapshot->header.version;
	return snapmap_map_get(pin->map, pin->snapshot->root, args);
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
	.get_unmapped_area = thp_get_unmapped_area,
	.unlocked_ioctl = pin_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
};

static struct pin *pin_alloc(struct snapmap_map *map)
{
	struct pin *pin = kzalloc(sizeof(*pin), SNAPMAP_GFP);
	int err;

	if (!pin)
		return ERR_PTR(-ENOMEM);
	pin->map = map;
	err = xa_alloc(&map->pins, &pin->id, pin, xa_limit_31b, SNAPMAP_GFP);
	if (err) {
		kfree(pin);
		return ERR_PTR(err == -EBUSY ? -ENFILE : err);
	}
	get_device(&map->dev);
	pin->opened_ns = ktime_get_ns();
	pin->opener = get_task_pid(current, PIDTYPE_TGID);
	pin->uid = current_euid();
	get_task_comm(pin->comm, current);
	return pin;
}

/* A file without a snapshot yet. */
static struct file *pin_file(struct snapmap_map *map)
{
	struct pin *pin = pin_alloc(map);
	struct file *file;

	if (IS_ERR(pin))
		return ERR_CAST(pin);
	file = anon_inode_getfile("[snapmap-pin]", &pin_fops, pin, O_RDONLY | O_CLOEXEC);
	if (IS_ERR(file))
		pin_free(pin);
	else
		file->f_mapping = map->inode->i_mapping;
	return file;
}

/* Shows the pin to those who ask. */
static void pin_set_snapshot(struct file *file, struct snapmap_snapshot *snapshot)
{
	struct pin *pin = file->private_data;

	xa_lock(&pin->map->pins);
	pin->snapshot = snapshot;
	xa_unlock(&pin->map->pins);
}

/**
 * snapmap_pin_open() - pin a snapshot
 * @map: the map
 * @version: in: as in the ioctl; out: the version that is pinned
 *
 * Context: may sleep.
 * Return: a descriptor or the errno that snapmap.h lists for PIN.
 */
int snapmap_pin_open(struct snapmap_map *map, u64 *version)
{
	struct snapmap_snapshot *snapshot;
	struct file *file = pin_file(map);
	int fd;

	if (IS_ERR(file))
		return PTR_ERR(file);
	fd = get_unused_fd_flags(O_CLOEXEC);
	if (fd < 0)
		goto put_file;
	snapshot = snapmap_snapshot_pin(&map->store, *version);
	if (IS_ERR(snapshot)) {
		put_unused_fd(fd);
		fd = PTR_ERR(snapshot);
		goto put_file;
	}
	*version = snapshot->header.version;
	pin_set_snapshot(file, snapshot);
	fd_install(fd, file);
	return fd;

put_file:
	fput(file);
	return fd;
}

/* Pins of several maps, on the way to become descriptors. */
struct pin_set {
	u32 count;
	s32 fds[SNAPMAP_SET_MAX];
	struct file *files[SNAPMAP_SET_MAX];
	struct snapmap_store *stores[SNAPMAP_SET_MAX];
	struct snapmap_snapshot *snapshots[SNAPMAP_SET_MAX];
};

/* Gets file and number of the next pin of @set; @map_fd is the map's descriptor. */
static int pin_set_add(struct pin_set *set, s32 map_fd)
{
	struct snapmap_map *map = snapmap_device_map(map_fd, FMODE_READ);
	struct file *file;
	int fd;

	if (IS_ERR(map))
		return PTR_ERR(map);
	file = pin_file(map);
	set->stores[set->count] = &map->store;
	put_device(&map->dev);	/* the pin has one of its own */
	if (IS_ERR(file))
		return PTR_ERR(file);
	fd = get_unused_fd_flags(O_CLOEXEC);
	if (fd < 0) {
		fput(file);
		return fd;
	}
	set->files[set->count] = file;
	set->fds[set->count++] = fd;
	return 0;
}

static void pin_set_drop(struct pin_set *set)
{
	while (set->count--) {
		put_unused_fd(set->fds[set->count]);
		fput(set->files[set->count]);
	}
}

static int pin_set_fill(struct pin_set *set, const struct snapmap_pin_set *args)
{
	const s32 __user *maps = u64_to_user_ptr(args->maps);
	s32 map_fd;
	u32 i;
	int err;

	for (i = 0; i < args->count; i++) {
		if (get_user(map_fd, &maps[i]))
			return -EFAULT;
		err = pin_set_add(set, map_fd);
		if (err)
			return err;
	}
	if (copy_to_user(u64_to_user_ptr(args->pins), set->fds, set->count * sizeof(*set->fds)))
		return -EFAULT;
	return 0;
}

/**
 * snapmap_pin_open_set() - pin the current snapshots of several maps at one moment
 * @args: as in the ioctl
 *
 * Context: may sleep.
 * Return: 0 or the errno that snapmap.h lists for PIN_SET.
 */
int snapmap_pin_open_set(const struct snapmap_pin_set *args)
{
	struct pin_set *set;
	u32 i;
	int err;

	if (args->flags || !args->count || args->count > SNAPMAP_SET_MAX)
		return -EINVAL;
	set = kzalloc(sizeof(*set), SNAPMAP_GFP);
	if (!set)
		return -ENOMEM;
	err = pin_set_fill(set, args);
	if (err) {
		pin_set_drop(set);
		goto free_set;
	}
	snapmap_snapshot_pin_set(set->stores, set->count, set->snapshots);
	for (i = 0; i < set->count; i++) {
		pin_set_snapshot(set->files[i], set->snapshots[i]);
		fd_install(set->fds[i], set->files[i]);
	}
free_set:
	kfree(set);
	return err;
}

static void fill_record(const struct pin *pin, struct snapmap_pin_record *record)
{
	*record = (struct snapmap_pin_record){
		.id = pin->id,
		.flags = is_revoked(pin) ? SNAPMAP_PIN_REVOKED : 0,
		.version = pin->snapshot->header.version,
		.age_ns = ktime_get_ns() - pin->opened_ns,
		.held_bytes = READ_ONCE(pin->snapshot->held_blocks) << SNAPMAP_BLOCK_SHIFT,
		.pid = pid_vnr(pin->opener),
		.uid = from_kuid_munged(current_user_ns(), pin->uid),
	};
	strscpy_pad(record->comm, pin->comm, sizeof(record->comm));
}

/* The pin of the smallest number that is not below @index; false when there is none. */
static bool next_record(struct snapmap_map *map, unsigned long *index,
			struct snapmap_pin_record *record)
{
	struct pin *pin;

	xa_lock(&map->pins);
	while ((pin = xa_find(&map->pins, index, U32_MAX, XA_PRESENT)) && !pin->snapshot)
		++*index;
	if (pin)
		fill_record(pin, record);
	xa_unlock(&map->pins);
	++*index;
	return pin;
}

/**
 * snapmap_pin_list() - the open pins of a map
 * @map: the map
 * @args: as in the ioctl
 *
 * Context: may sleep.
 * Return: 0 or the errno that snapmap.h lists for PINS.
 */
int snapmap_pin_list(struct snapmap_map *map, struct snapmap_pins *args)
{
	struct snapmap_pin_record record;
	unsigned long index = args->first;
	u32 room = args->count;
	int err = 0;

	args->count = 0;
	if (args->flags || !snapmap_record_size_ok(args->record_size))
		return -EINVAL;
	while (!err && args->count < room && next_record(map, &index, &record)) {
		err = snapmap_record_to_user(args->records, args->count, args->record_size,
					     &record, sizeof(record));
		if (!err)
			args->count++;
		cond_resched();
	}
	return err;
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * map.c - maps: their names, their life and their end
 *
 * A map is a device of the class "snapmap", which is also where names are
 * looked up. Creating and destroying are rare and take one mutex.
 *
 * Life. A map is reserved, set up, and then added to the system at once, after
 * which nothing can fail. Destroying takes the name away, seals the snapshots,
 * wakes all who wait, and drops the name's reference; memory goes with the last
 * reference (promise G), which is the last open file, mapping or pin.
 *
 * Lock order: registry_lock, then store->pin_lock.
 */
#include <linux/ctype.h>
#include <linux/fs.h>
#include <linux/idr.h>
#include <linux/kernel.h>
#include <linux/memcontrol.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/random.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/uidgid.h>

#include "broken.h"
#include "compat.h"
#include "device.h"
#include "history.h"
#include "map.h"
#include "mapping.h"
#include "reclaim.h"

#define MAPS_MAX	4096

/* Retired blocks are looked at again after so long without a commit. */
#define RECLAIM_DELAY	HZ

static unsigned long default_limit = 1UL << 30;
module_param(default_limit, ulong, 0644);
MODULE_PARM_DESC(default_limit, "memory limit of a map that is created without one, in bytes");

static DEFINE_MUTEX(registry_lock);
static DEFINE_IDA(minors);
static dev_t first_devt;
static atomic64_t last_map_id;

static void map_free(struct device *dev)
{
	struct snapmap_map *map = snapmap_map_of(dev);

	cancel_delayed_work_sync(&map->reclaim_work);
	snapmap_store_exit(&map->store);
	xa_destroy(&map->pins);
	iput(map->inode);
	mem_cgroup_put(map->store.arena.memcg);
	ida_free(&minors, MINOR(dev->devt));
	kfree(map);
}

static char *map_devnode(snapmap_devnode_device *dev, umode_t *mode, kuid_t *uid, kgid_t *gid)
{
	const struct snapmap_map *map = snapmap_map_of(dev);

	if (mode) {	/* NULL when only the name is wanted */
		*mode = S_IFCHR | map->mode;	/* devtmpfs takes 0 for "no mode given" */
		*uid = map->uid;
		*gid = map->gid;
	}
	/*
	 * Without this name devtmpfs goes on with another one: it would make a
	 * node that is not ours, or leave ours behind for whoever gets the minor.
	 */
	return kasprintf(GFP_KERNEL | __GFP_NOFAIL, "snapmap/%s", dev_name(dev));
}

static const struct device_type map_type = {
	.name = "snapmap",
	.devnode = map_devnode,
	.release = map_free,
};

static struct class map_class = {
	.name = "snapmap",
	.dev_groups = snapmap_sysfs_groups,
};

static void reclaim_work(struct work_struct *work)
{
	struct snapmap_map *map = container_of(to_delayed_work(work), struct snapmap_map,
					       reclaim_work);
	struct snapmap_store *store = &map->store;
	bool more;

	mutex_lock(&store->lock);
	while (snapmap_reclaim(store, SNAPMAP_RECLAIM_QUARANTINE)) {
		mutex_unlock(&store->lock);	/* let commits through */
		cond_resched();
		mutex_lock(&store->lock);
	}
	more = snapmap_spare_trim(store);
	if (more || snapmap_reclaim_pending(store))
		snapmap_map_later_reclaim(map);
	mutex_unlock(&store->lock);
}

/**
 * snapmap_map_later_reclaim() - see to it that reclaim runs some time
 * @map: the map
 */
void snapmap_map_later_reclaim(struct snapmap_map *map)
{
	queue_delayed_work(system_unbound_wq, &map->reclaim_work, RECLAIM_DELAY);
}

/**
 * snapmap_map_committed() - what follows a commit
 * @map: the map
 * @err: what came of it
 */
void snapmap_map_committed(struct snapmap_map *map, int err)
{
	snapmap_map_later_reclaim(map);
	if (!err)
		wake_up_all(&map->wait);
}

static bool name_is_valid(const u8 *name)
{
	size_t length = strnlen(name, SNAPMAP_NAME_MAX + 1);
	size_t i;

	if (!length || length > SNAPMAP_NAME_MAX || name[0] == '.' || name[0] == '-')
		return false;
	for (i = 0; i < length; i++)
		if (!isascii(name[i]) || (!isalnum(name[i]) && !strchr("._-", name[i])))
			return false;
	return strcmp(name, "control") &&
	       !memchr_inv(name + length, 0, SNAPMAP_NAME_MAX + 1 - length);
}

/* What CREATE gives and SET changes; 0 stands for the default. */
static bool options_are_valid(u32 flags, u32 history, u32 lease_ms)
{
	return !(flags & ~SNAPMAP_MAP_REVOKE) && history <= SNAPMAP_HISTORY_MAX &&
	       lease_ms <= SNAPMAP_LEASE_MAX;
}

static int check_create(const struct snapmap_create *args)
{
	if (args->mode & ~0777 ||
	    !options_are_valid(args->flags, args->history, args->lease_ms))
		return -EINVAL;
	if (args->limit && (args->limit < SNAPMAP_LIMIT_MIN || args->limit > SNAPMAP_LIMIT_MAX))
		return -EINVAL;
	return name_is_valid(args->name) ? 0 : -EINVAL;
}

static int check_set(const struct snapmap_set *args)
{
	if (args->mask & ~(SNAPMAP_SET_FLAGS | SNAPMAP_SET_HISTORY | SNAPMAP_SET_LEASE) ||
	    !options_are_valid(args->flags, args->history, args->lease_ms))
		return -EINVAL;
	if ((args->flags && !(args->mask & SNAPMAP_SET_FLAGS)) ||
	    (args->history && !(args->mask & SNAPMAP_SET_HISTORY)) ||
	    (args->lease_ms && !(args->mask & SNAPMAP_SET_LEASE)))
		return -EINVAL;
	return name_is_valid(args->name) ? 0 : -EINVAL;
}

static int set_options(struct snapmap_store *store, const struct snapmap_set *args)
{
	int err = 0;

	if (mutex_lock_killable(&store->lock))
		return -EINTR;
	if (args->mask & SNAPMAP_SET_HISTORY)
		err = snapmap_history_resize(store, args->history ?: 1);
	if (!err && args->mask & SNAPMAP_SET_FLAGS)
		WRITE_ONCE(store->policy, args->flags);
	if (!err && args->mask & SNAPMAP_SET_LEASE)
		WRITE_ONCE(store->lease.max_ms, args->lease_ms ?: SNAPMAP_LEASE_DEFAULT);
	mutex_unlock(&store->lock);
	return err;
}

static int init_store(struct snapmap_map *map, const struct snapmap_create *args, u64 limit)
{
	const struct snapmap_set options = {
		.mask = SNAPMAP_SET_FLAGS | SNAPMAP_SET_HISTORY | SNAPMAP_SET_LEASE,
		.flags = args->flags,
		.history = args->history,
		.lease_ms = args->lease_ms,
	};
	int err = snapmap_store_init(&map->store, args->name, &snapmap_mapping_backing, limit,
				     get_random_u64(), atomic64_inc_return(&last_map_id));

	if (err)
		return err;
	err = set_options(&map->store, &options);
	if (err)
		snapmap_store_exit(&map->store);
	return err;
}

/* What the map owns apart from its device. */
static int map_setup(struct snapmap_map *map, const struct snapmap_create *args)
{
	u64 limit = args->limit ?: clamp_t(u64, data_race(READ_ONCE(default_limit)),
					   SNAPMAP_LIMIT_MIN, SNAPMAP_LIMIT_MAX);
	struct mem_cgroup *caller;
	int err;

	map->mode = args->mode;
	map->uid = make_kuid(current_user_ns(), args->uid);
	map->gid = make_kgid(current_user_ns(), args->gid);
	if (!uid_valid(map->uid) || !gid_valid(map->gid))
		return -EINVAL;
	init_waitqueue_head(&map->wait);
	INIT_DELAYED_WORK(&map->reclaim_work, reclaim_work);
	xa_init_flags(&map->pins, XA_FLAGS_ALLOC1 | XA_FLAGS_ACCOUNT);
	map->inode = snapmap_mapping_new_inode();
	if (IS_ERR(map->inode))
		return PTR_ERR(map->inode);
	map->store.arena.memcg = get_mem_cgroup_from_mm(current->mm);
	caller = set_active_memcg(map->store.arena.memcg);
	err = init_store(map, args, limit);
	set_active_memcg(caller);
	if (err) {
		mem_cgroup_put(map->store.arena.memcg);
		iput(map->inode);
	}
	return err;
}

static struct snapmap_map *map_alloc(const struct snapmap_create *args)
{
	struct snapmap_map *map = kzalloc(sizeof(*map), SNAPMAP_GFP);
	int minor, err;

	if (!map)
		return ERR_PTR(-ENOMEM);
	minor = ida_alloc_max(&minors, MAPS_MAX - 1, GFP_KERNEL);
	if (minor < 0) {
		kfree(map);
		return ERR_PTR(minor == -ENOSPC ? -ENFILE : minor);
	}
	err = map_setup(map, args);
	if (err) {
		ida_free(&minors, minor);
		kfree(map);
		return ERR_PTR(err);
	}
	device_initialize(&map->dev);
	map->dev.class = &map_class;
	map->dev.type = &map_type;
	map->dev.devt = MKDEV(MAJOR(first_devt), minor);
	return map;	/* from here on put_device() frees it */
}

/**
 * snapmap_map_find() - look a map up by its name
 * @name: the name
 *
 * Context: may sleep.
 * Return: the map, with a reference that the caller gives back by put_device()
 *	on its @dev; NULL when there is none.
 */
struct snapmap_map *snapmap_map_find(const char *name)
{
	struct device *dev = class_find_device_by_name(&map_class, name);

	return dev ? snapmap_map_of(dev) : NULL;
}

static int map_add(const struct snapmap_create *args)
{
	struct snapmap_map *map = snapmap_map_find(args->name);
	int err;

	if (map) {
		put_device(&map->dev);
		return -EEXIST;
	}
	map = map_alloc(args);
	if (IS_ERR(map))
		return PTR_ERR(map);
	cdev_init(&map->cdev, &snapmap_device_fops);
	map->cdev.owner = THIS_MODULE;
	err = dev_set_name(&map->dev, "%s", args->name);
	if (!err)
		err = cdev_device_add(&map->cdev, &map->dev);
	if (err)
		put_device(&map->dev);
	return err;
}

/**
 * snapmap_map_create() - create an empty map and its node
 * @args: as in the ioctl
 *
 * Context: may sleep.
 * Return: 0 or the errno that snapmap.h lists for CREATE.
 */
int snapmap_map_create(const struct snapmap_create *args)
{
	int err = check_create(args);

	if (err)
		return err;
	mutex_lock(&registry_lock);
	err = map_add(args);
	mutex_unlock(&registry_lock);
	return err;
}

/**
 * snapmap_map_set() - change a map's options
 * @args: as in the ioctl
 *
 * Context: may sleep.
 * Return: 0 or the errno that snapmap.h lists for SET.
 */
int snapmap_map_set(const struct snapmap_set *args)
{
	struct snapmap_map *map;
	int err = check_set(args);

	if (err)
		return err;
	map = snapmap_map_find(args->name);
	if (!map)
		return -ENOENT;
	err = set_options(&map->store, args);
	snapmap_map_later_reclaim(map);
	put_device(&map->dev);
	return err;
}

/* Ends a map, and the reference that the caller has got. */
static void map_end(struct snapmap_map *map)
{
	cdev_device_del(&map->cdev, &map->dev);
	snapmap_store_seal(&map->store);
	wake_up_all(&map->wait);
	put_device(&map->dev);	/* the name's */
	put_device(&map->dev);	/* the caller's */
}

/**
 * snapmap_map_destroy() - take a map's name away and end it
 * @name: the name
 *
 * Context: may sleep. A commit in progress will fail with -ENODEV.
 * Return: 0, -EINVAL or -ENOENT.
 */
int snapmap_map_destroy(const char *name)
{
	struct snapmap_map *map;

	if (!name_is_valid(name))
		return -EINVAL;
	mutex_lock(&registry_lock);
	map = snapmap_map_find(name);
	if (map)
		map_end(map);
	mutex_unlock(&registry_lock);
	return map ? 0 : -ENOENT;
}

static int match_any(struct device *dev, const void *data)
{
	return 1;
}

/**
 * snapmap_map_destroy_all() - end every map
 *
 * Context: module exit: no file of any map is open, so this frees them all.
 */
void snapmap_map_destroy_all(void)
{
	struct device *dev;

	mutex_lock(&registry_lock);
	while ((dev = class_find_device(&map_class, NULL, NULL, match_any)))
		map_end(snapmap_map_of(dev));
	mutex_unlock(&registry_lock);
}

/* Copies a value out, inside snapmap_store_read_lock(): the buffer does not fault. */
static int copy_value(struct snapmap_map *map, u64 root, const struct snapmap_key *key,
		      struct snapmap_get *args, void *buffer, u32 capacity)
{
	const struct snapmap_view view = { .arena = &map->store.arena };
	struct snapmap_hit hit;

	if (snapmap_snapshot_is_revoked(&map->store, args->version))
		return -ESTALE;	/* a pinned one; the current one never is */
	if (!snapmap_lookup(&view, root, key->hash, key->data, key->len, &hit))
		return -ENOENT;
	args->entry_version = hit.version;
	args->value_len = hit.value_len;
	if (hit.value_len > capacity)
		return -ERANGE;
	memcpy(buffer, hit.value, hit.value_len);
	return 0;
}

/* What KCSAN must find. */
static void race(void)
{
	if (snapmap_broken(SNAPMAP_BREAK_RACE))
		snapmap_raced++;
}

static int get_into(struct snapmap_map *map, u64 root, struct snapmap_get *args, void *buffer,
		    u32 capacity)
{
	u8 data[SNAPMAP_KEY_MAX];
	struct snapmap_key key = { .data = data, .len = args->key_len };
	int err;

	if (copy_from_user(data, u64_to_user_ptr(args->key), args->key_len))
		return -EFAULT;
	key.hash = snapmap_hash(map->store.seed, data, key.len);
	snapmap_store_read_lock(&map->store);
	race();
	if (!args->version)
		args->version = snapmap_snapshot_current(&map->store, &root);
	err = copy_value(map, root, &key, args, buffer, capacity);
	snapmap_store_read_unlock(&map->store);
	if (!err && copy_to_user(u64_to_user_ptr(args->value), buffer, args->value_len))
		return -EFAULT;
	return err;
}

/**
 * snapmap_map_get() - copy a value to user space
 * @map: the map
 * @root: root word of the pinned snapshot that @args->version names
 * @args: as in the ioctl, but for @version: 0 for the current snapshot
 *
 * Context: may sleep.
 * Return: 0 or the errno that snapmap.h lists for GET.
 */
int snapmap_map_get(struct snapmap_map *map, u64 root, struct snapmap_get *args)
{
	u32 capacity = min_t(u32, args->value_len, SNAPMAP_VALUE_MAX);
	void *buffer = NULL;
	int err;

	args->value_len = 0;
	args->entry_version = 0;
	if (args->flags || args->reserved)
		return -EINVAL;
	if (!args->key_len || args->key_len > SNAPMAP_KEY_MAX)
		return -EMSGSIZE;
	if (capacity) {
		buffer = kvmalloc(capacity, SNAPMAP_GFP);
		if (!buffer)
			return -ENOMEM;
	}
	err = get_into(map, root, args, buffer, capacity);
	kvfree(buffer);
	return err;
}

int __init snapmap_map_init(void)
{
	int err = alloc_chrdev_region(&first_devt, 0, MAPS_MAX, "snapmap");

	if (err)
		return err;
	err = class_register(&map_class);
	if (err)
		unregister_chrdev_region(first_devt, MAPS_MAX);
	return err;
}

void snapmap_map_exit(void)
{
	class_unregister(&map_class);
	unregister_chrdev_region(first_devt, MAPS_MAX);
	ida_destroy(&minors);
}

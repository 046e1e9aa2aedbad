// SPDX-License-Identifier: GPL-2.0-only
/*
 * txn.c - a transaction: a commit in steps, to one map or several
 *
 * While it is open its batches are collected in files of the kernel's own, which
 * take memory of whoever writes to them and may be swapped. Preparing takes the
 * lease of each map, in the order of the maps' numbers, so that no two
 * transactions can wait for each other, and builds; committing publishes all at
 * one moment and cannot fail but when a map has been destroyed. The time of the
 * lease begins when the first one has been got; who has not committed by its
 * end is aborted: while building by itself, later by a timer.
 *
 * Lock order: txn->lock, the leases, store->lock.
 */
#include <linux/anon_inodes.h>
#include <linux/errno.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/jiffies.h>
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/pid.h>
#include <linux/sched.h>
#include <linux/shmem_fs.h>
#include <linux/slab.h>
#include <linux/sort.h>
#include <linux/uio.h>
#include <linux/workqueue.h>

#include "batch.h"
#include "device.h"
#include "ioctl.h"
#include "map.h"
#include "txn.h"

/**
 * struct part - what a transaction does to one map
 * @map: the map, with a reference
 * @index: its place in the order of TXN and TXN_ADD
 * @batch: file that collects the batch
 * @bytes: length of the batch
 * @update: the commit
 * @puts: as in struct snapmap_txn_info, once prepared
 * @deletes: likewise
 */
struct part {
	struct snapmap_map *map;
	u32 index;
	struct file *batch;
	loff_t bytes;
	struct snapmap_update update;
	u64 puts;
	u64 deletes;
};

/**
 * struct txn - a transaction
 * @lock: protects everything
 * @state: SNAPMAP_TXN_*
 * @lease_ms: how long it may have leases
 * @lease_is_asked: whether the caller has said so, rather than the map
 * @deadline_ns: when its leases end, CLOCK_MONOTONIC, once it has begun to prepare
 * @expire: ends them
 * @count: number of parts
 * @parts: in the order in which they were added
 * @order: the same in the order of the maps' numbers
 */
struct txn {
	struct mutex lock;	/* state and parts; outside the leases */
	u32 state;
	u32 lease_ms;
	bool lease_is_asked;
	u64 deadline_ns;
	struct delayed_work expire;
	u32 count;
	struct part *parts[SNAPMAP_SET_MAX];
	struct part *order[SNAPMAP_SET_MAX];
};

static struct snapmap_store *store_of(const struct part *part)
{
	return &part->map->store;
}

/* ------------------------------------------------------------- parts */

static void part_free(struct part *part)
{
	fput(part->batch);
	put_device(&part->map->dev);
	kfree(part);
}

static struct part *part_alloc(struct snapmap_map *map, u32 flags, u64 if_version, u64 stamp)
{
	struct part *part = kzalloc(sizeof(*part), SNAPMAP_GFP);

	if (!part)
		return ERR_PTR(-ENOMEM);
	part->update = (struct snapmap_update){
		.next.store = &map->store,
		.flags = flags,
		.if_version = if_version,
		.stamp = stamp,
	};
	part->batch = shmem_file_setup("snapmap-txn", 0, VM_NORESERVE);
	if (IS_ERR(part->batch)) {
		kfree(part);
		return ERR_PTR(-ENOMEM);
	}
	part->map = map;
	get_device(&map->dev);
	return part;
}

static bool txn_has(const struct txn *txn, const struct snapmap_map *map)
{
	u32 i;

	for (i = 0; i < txn->count; i++)
		if (txn->parts[i]->map == map)
			return true;
	return false;
}

/* The lease must be within what the map allows. */
static int txn_fit_lease(struct txn *txn, const struct snapmap_map *map)
{
	u32 max_ms = READ_ONCE(map->store.lease.max_ms);

	if (!txn->lease_is_asked && (!txn->count || txn->lease_ms > max_ms))
		txn->lease_ms = max_ms;
	return txn->lease_ms <= max_ms ? 0 : -EINVAL;
}

static int txn_add(struct txn *txn, struct snapmap_map *map, u32 flags, u64 if_version, u64 stamp)
{
	struct part *part;
	int err;

	if (flags & SNAPMAP_COMMIT_NOWAIT || txn->count == SNAPMAP_SET_MAX)
		return -EINVAL;
	if (txn_has(txn, map))
		return -EEXIST;
	part = part_alloc(map, flags, if_version, stamp);
	if (IS_ERR(part))
		return PTR_ERR(part);
	err = snapmap_update_check(&part->update);
	if (!err)
		err = txn_fit_lease(txn, map);
	if (err) {
		part_free(part);
		return err;
	}
	part->index = txn->count;
	txn->parts[txn->count] = part;
	txn->order[txn->count++] = part;
	return 0;
}

/* ------------------------------------------------------------- building */

struct file_source {
	struct snapmap_source source;
	struct file *file;
	loff_t pos;
};

static int read_file(struct snapmap_source *source, void *to, u32 bytes)
{
	struct file_source *from = container_of(source, struct file_source, source);
	ssize_t got;

	for (; bytes; to += got, bytes -= got) {
		got = kernel_read(from->file, to, bytes, &from->pos);
		if (got <= 0)
			return got ?: -EIO;
	}
	return 0;
}

static int part_build(struct part *part, u64 deadline_ns)
{
	struct file_source from = {
		.source = { .read = read_file, .left = part->bytes },
		.file = part->batch,
	};
	int err;

	part->update.deadline_ns = deadline_ns;
	err = snapmap_update_build(&part->update, snapmap_batch_apply, &from.source);
	if (!err) {
		part->puts = part->update.next.snapshot->puts;
		part->deletes = part->update.next.snapshot->deletes;
	}
	return err;
}

static bool lease_is_over(const struct txn *txn)
{
	return ktime_get_ns() >= txn->deadline_ns;
}

/* The first lease sets the time for all that follows. */
static void begin_lease(struct txn *txn, struct snapmap_patience *patience)
{
	txn->deadline_ns = ktime_get_ns() + txn->lease_ms * NSEC_PER_MSEC;
	if (!patience->timed || patience->until > txn->deadline_ns)
		patience->until = txn->deadline_ns;
	patience->timed = true;
}

static int part_prepare(struct txn *txn, struct part *part, struct snapmap_patience *patience)
{
	bool first = part == txn->order[0];
	int err = snapmap_lease_take(store_of(part), patience);

	if (err == -ETIMEDOUT && !first && lease_is_over(txn))
		return -ETIME;
	if (err)
		return err;
	if (first)
		begin_lease(txn, patience);
	err = part_build(part, txn->deadline_ns);
	if (err)
		snapmap_lease_give(store_of(part));
	else
		snapmap_lease_show(store_of(part), task_tgid(current));
	return err;
}

/* Lets go of the first @count parts in order, which are prepared. */
static void discard(struct txn *txn, u32 count)
{
	struct part *part;

	while (count--) {
		part = txn->order[count];
		snapmap_update_abort(&part->update);
		snapmap_lease_give(store_of(part));
		snapmap_map_later_reclaim(part->map);
	}
}

static void count_expired(const struct txn *txn, u32 count)
{
	struct snapmap_lease *lease;

	while (count--) {
		lease = &store_of(txn->order[count])->lease;
		WRITE_ONCE(lease->expired, lease->expired + 1);
	}
}

static void expire_now(struct txn *txn, u32 count)
{
	count_expired(txn, count);
	discard(txn, count);
	txn->state = SNAPMAP_TXN_EXPIRED;
}

static int compare_maps(const void *a, const void *b)
{
	const struct part *const *x = a, *const *y = b;
	u64 one = store_of(*x)->control->map_id;
	u64 other = store_of(*y)->control->map_id;

	return one < other ? -1 : one > other;
}

/* Why a transaction that is not open any more can do nothing. */
static int ended(const struct txn *txn)
{
	return txn->state == SNAPMAP_TXN_EXPIRED ? -ETIME : -EBADFD;
}

static int prepare(struct txn *txn, struct snapmap_txn_run *args)
{
	struct snapmap_patience patience = snapmap_patience_of(args->flags, args->wait_ms);
	struct part *part;
	u32 done;
	int err = 0;

	sort(txn->order, txn->count, sizeof(*txn->order), compare_maps, NULL);
	for (done = 0; done < txn->count; done++) {
		part = txn->order[done];
		err = part_prepare(txn, part, &patience);
		if (err)
			break;
	}
	if (!err) {
		txn->state = SNAPMAP_TXN_PREPARED;
		queue_delayed_work(system_unbound_wq, &txn->expire,
				   msecs_to_jiffies(txn->lease_ms) + 1);
		return 0;
	}
	args->map = part->index;
	args->failed_op = part->update.failed_op;
	args->version = part->update.version;
	if (err == -ETIME)
		expire_now(txn, done);
	else
		discard(txn, done);
	return err;
}

static void expire_work(struct work_struct *work)
{
	struct txn *txn = container_of(to_delayed_work(work), struct txn, expire);

	mutex_lock(&txn->lock);
	if (txn->state == SNAPMAP_TXN_PREPARED && lease_is_over(txn))
		expire_now(txn, txn->count);
	mutex_unlock(&txn->lock);
}

static int publish(struct txn *txn)
{
	struct snapmap_publication *set[SNAPMAP_SET_MAX];
	struct part *part;
	u32 i;
	int err;

	for (i = 0; i < txn->count; i++)
		set[i] = &txn->order[i]->update.next;
	err = snapmap_snapshot_publish(set, txn->count);
	if (err) {
		discard(txn, txn->count);
		txn->state = SNAPMAP_TXN_ABORTED;
		return err;
	}
	txn->state = SNAPMAP_TXN_COMMITTED;
	for (i = 0; i < txn->count; i++) {
		part = txn->order[i];
		snapmap_update_published(&part->update);
		snapmap_lease_give(store_of(part));
		snapmap_map_committed(part->map, 0);
	}
	return 0;
}

static int commit(struct txn *txn, struct snapmap_txn_run *args)
{
	int err = 0;

	if (txn->state == SNAPMAP_TXN_OPEN)
		err = prepare(txn, args);
	if (err)
		return err;
	if (txn->state != SNAPMAP_TXN_PREPARED)
		return ended(txn);
	if (lease_is_over(txn)) {
		expire_now(txn, txn->count);
		return -ETIME;
	}
	err = publish(txn);
	if (!err)
		args->version = txn->parts[0]->update.version;
	return err;
}

/* ------------------------------------------------------------- the descriptor */

static ssize_t txn_write_iter(struct kiocb *iocb, struct iov_iter *from)
{
	struct txn *txn = iocb->ki_filp->private_data;
	struct part *part;
	ssize_t ret;

	if (mutex_lock_killable(&txn->lock))
		return -EINTR;
	part = txn->parts[txn->count - 1];
	if (txn->state != SNAPMAP_TXN_OPEN)
		ret = ended(txn);
	else
		ret = vfs_iter_write(part->batch, from, &part->bytes, 0);
	mutex_unlock(&txn->lock);
	return ret == -ENOSPC ? -ENOMEM : ret;
}

static int add_locked(struct txn *txn, const struct snapmap_txn_add *args)
{
	struct snapmap_map *map;
	int err;

	if (txn->state != SNAPMAP_TXN_OPEN)
		return ended(txn);
	map = snapmap_device_map(args->map, FMODE_WRITE);
	if (IS_ERR(map))
		return PTR_ERR(map);
	err = txn_add(txn, map, args->flags, args->if_version, args->stamp);
	put_device(&map->dev);	/* the part has one of its own */
	return err;
}

static int ioctl_add(struct file *file, void *args)
{
	struct txn *txn = file->private_data;
	int err;

	if (mutex_lock_killable(&txn->lock))
		return -EINTR;
	err = add_locked(txn, args);
	mutex_unlock(&txn->lock);
	return err;
}

/* Both ways to run: PREPARE and COMMIT. */
static int run(struct txn *txn, struct snapmap_txn_run *args, bool to_the_end)
{
	int err;

	args->map = 0;
	args->failed_op = SNAPMAP_NO_OP;
	args->version = 0;
	if (args->flags & ~SNAPMAP_COMMIT_NOWAIT || args->reserved)
		return -EINVAL;
	if (mutex_lock_killable(&txn->lock))
		return -EINTR;
	if (to_the_end)
		err = commit(txn, args);
	else
		err = txn->state == SNAPMAP_TXN_OPEN ? prepare(txn, args) : ended(txn);
	mutex_unlock(&txn->lock);
	return err;
}

static int ioctl_prepare(struct file *file, void *args)
{
	return run(file->private_data, args, false);
}

static int ioctl_commit(struct file *file, void *args)
{
	return run(file->private_data, args, true);
}

static int abort_locked(struct txn *txn)
{
	if (txn->state != SNAPMAP_TXN_OPEN && txn->state != SNAPMAP_TXN_PREPARED)
		return ended(txn);
	if (txn->state == SNAPMAP_TXN_PREPARED)
		discard(txn, txn->count);
	txn->state = SNAPMAP_TXN_ABORTED;
	return 0;
}

static int ioctl_abort(struct file *file, void *args)
{
	struct txn *txn = file->private_data;
	int err;

	if (mutex_lock_killable(&txn->lock))
		return -EINTR;
	err = abort_locked(txn);
	mutex_unlock(&txn->lock);
	return err;
}

static void fill_info(const struct txn *txn, struct snapmap_txn_info *args)
{
	const struct part *part = txn->parts[args->map];
	bool prepared = txn->state == SNAPMAP_TXN_PREPARED;
	u64 now = ktime_get_ns();

	*args = (struct snapmap_txn_info){
		.map = args->map,
		.maps = txn->count,
		.state = txn->state,
		.map_id = store_of(part)->control->map_id,
		.bytes = part->bytes,
	};
	if (prepared && now < txn->deadline_ns)
		args->lease_left_ns = txn->deadline_ns - now;
	if (!prepared && txn->state != SNAPMAP_TXN_COMMITTED)
		return;
	args->version = part->update.next.build.version;
	args->puts = part->puts;
	args->deletes = part->deletes;
	args->missing = part->update.missing;
	args->blocks_copied = part->update.next.build.blocks_copied;
}

static int ioctl_info(struct file *file, void *data)
{
	struct txn *txn = file->private_data;
	struct snapmap_txn_info *args = data;
	int err = 0;

	if (args->flags)
		return -EINVAL;
	if (mutex_lock_killable(&txn->lock))
		return -EINTR;
	if (args->map < txn->count)
		fill_info(txn, args);
	else
		err = -EINVAL;
	mutex_unlock(&txn->lock);
	return err;
}

static const struct snapmap_ioctl ioctls[] = {
	{ SNAPMAP_IOC_TXN_ADD, 0, ioctl_add },
	{ SNAPMAP_IOC_TXN_PREPARE, 0, ioctl_prepare },
	{ SNAPMAP_IOC_TXN_COMMIT, 0, ioctl_commit },
	{ SNAPMAP_IOC_TXN_ABORT, 0, ioctl_abort },
	{ SNAPMAP_IOC_TXN_INFO, 0, ioctl_info },
};

static long txn_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	return snapmap_ioctl_dispatch(ioctls, ARRAY_SIZE(ioctls), file, cmd, arg);
}

static void txn_free(struct txn *txn)
{
	cancel_delayed_work_sync(&txn->expire);
	if (txn->state == SNAPMAP_TXN_PREPARED)
		discard(txn, txn->count);
	while (txn->count)
		part_free(txn->parts[--txn->count]);
	mutex_destroy(&txn->lock);
	kfree(txn);
}

static int txn_release(struct inode *inode, struct file *file)
{
	txn_free(file->private_data);
	return 0;
}

static const struct file_operations txn_fops = {
	.owner = THIS_MODULE,
	.release = txn_release,
	.write_iter = txn_write_iter,
	.unlocked_ioctl = txn_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
};

static struct txn *txn_alloc(struct snapmap_map *map, const struct snapmap_txn *args)
{
	struct txn *txn = kzalloc(sizeof(*txn), SNAPMAP_GFP);
	int err;

	if (!txn)
		return ERR_PTR(-ENOMEM);
	mutex_init(&txn->lock);
	INIT_DELAYED_WORK(&txn->expire, expire_work);
	txn->lease_ms = args->lease_ms;
	txn->lease_is_asked = args->lease_ms;
	err = txn_add(txn, map, args->flags, args->if_version, args->stamp);
	if (err) {
		txn_free(txn);
		return ERR_PTR(err);
	}
	return txn;
}

/**
 * snapmap_txn_open() - open a transaction
 * @map: its first map
 * @args: as in the ioctl
 *
 * Context: may sleep.
 * Return: a descriptor or the errno that snapmap.h lists for TXN.
 */
int snapmap_txn_open(struct snapmap_map *map, const struct snapmap_txn *args)
{
	struct txn *txn = txn_alloc(map, args);
	struct file *file;
	int fd;

	if (IS_ERR(txn))
		return PTR_ERR(txn);
	file = anon_inode_getfile("[snapmap-txn]", &txn_fops, txn, O_WRONLY | O_CLOEXEC);
	if (IS_ERR(file)) {
		txn_free(txn);
		return PTR_ERR(file);
	}
	stream_open(file_inode(file), file);
	fd = get_unused_fd_flags(O_CLOEXEC);
	if (fd < 0)
		fput(file);
	else
		fd_install(fd, file);
	return fd;
}

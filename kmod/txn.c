// SPDX-License-Identifier: GPL-2.0-only
/*
 * txn.c - a transaction: a commit in steps, to one map or several
 *
 * While it is open its batches are collected. Preparing takes the lease of each
 * map, in the order of the maps' numbers, so that no two transactions can wait
 * for each other, and builds; committing publishes all at one moment and cannot
 * fail but when a map has been destroyed. The time of the lease begins when the
 * first one has been got; who has not committed by its end is aborted: while
 * building by itself, later by a timer.
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
#include <linux/slab.h>
#include <linux/sort.h>
#include <linux/uio.h>
#include <linux/workqueue.h>

#include "broken.h"
#include "device.h"
#include "ioctl.h"
#include "map.h"
#include "part.h"
#include "txn.h"

/**
 * struct txn - a transaction
 * @lock: protects everything
 * @state: SNAPMAP_TXN_*
 * @lease_ms: how long it may have leases
 * @lease_is_asked: whether the caller has said so, rather than the map
 * @in_one_call: it is prepared and committed by one call, like any commit: nobody
 *	can sit on its leases, so that only a time that the caller asks for counts
 * @deadline_ns: when its leases end, CLOCK_MONOTONIC, once it has begun to
 *	prepare; 0 for never
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
	bool in_one_call;
	u64 deadline_ns;
	struct delayed_work expire;
	u32 count;
	struct snapmap_part *parts[SNAPMAP_SET_MAX];
	struct snapmap_part *order[SNAPMAP_SET_MAX];
};

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
	struct snapmap_part *part;
	int err;

	if (txn->count == SNAPMAP_SET_MAX)
		return -EINVAL;
	if (txn_has(txn, map))
		return -EEXIST;
	err = txn_fit_lease(txn, map);
	if (err)
		return err;
	part = snapmap_part_new(map, flags, if_version, stamp);
	if (IS_ERR(part))
		return PTR_ERR(part);
	part->index = txn->count;
	txn->parts[txn->count] = part;
	txn->order[txn->count++] = part;
	return 0;
}

/* ------------------------------------------------------------- leases and builds */

static bool lease_is_over(const struct txn *txn)
{
	return txn->deadline_ns && ktime_get_ns() >= txn->deadline_ns &&
	       !snapmap_broken(SNAPMAP_BREAK_LEASE);
}

/* The first lease sets the time for all that follows. */
static void begin_lease(struct txn *txn, struct snapmap_patience *patience)
{
	txn->deadline_ns = 0;
	if (txn->in_one_call && !txn->lease_is_asked)
		return;
	txn->deadline_ns = ktime_get_ns() + txn->lease_ms * NSEC_PER_MSEC;
	if (!patience->timed || patience->until > txn->deadline_ns)
		patience->until = txn->deadline_ns;
	patience->timed = true;
}

/* For who has the lease. */
static void count_expired(struct snapmap_part *part)
{
	struct snapmap_lease *lease = &snapmap_part_store(part)->lease;

	WRITE_ONCE(lease->expired, lease->expired + 1);
}

static int part_prepare(struct txn *txn, struct snapmap_part *part, struct snapmap_patience *patience)
{
	bool first = part == txn->order[0];
	int err;

	part->update.failed_op = SNAPMAP_NO_OP;
	part->update.version = 0;
	err = snapmap_lease_take(snapmap_part_store(part), patience);
	if (err == -ETIMEDOUT && !first && lease_is_over(txn))
		return -ETIME;
	if (err)
		return err;
	if (first)
		begin_lease(txn, patience);
	err = snapmap_part_build(part, txn->deadline_ns);
	if (err == -ETIME)
		count_expired(part);
	if (err)
		snapmap_lease_give(snapmap_part_store(part));
	else
		snapmap_lease_show(snapmap_part_store(part), task_tgid(current));
	return err;
}

/* Lets go of the first @count parts in order, which are prepared. */
static void discard(struct txn *txn, u32 count)
{
	struct snapmap_part *part;

	while (count--) {
		part = txn->order[count];
		snapmap_update_abort(&part->update);
		snapmap_lease_give(snapmap_part_store(part));
		snapmap_map_later_reclaim(part->map);
	}
}

static void expire_now(struct txn *txn, u32 count)
{
	u32 i;

	for (i = 0; i < count; i++)
		count_expired(txn->order[i]);
	discard(txn, count);
	txn->state = SNAPMAP_TXN_EXPIRED;
}

static int compare_maps(const void *a, const void *b)
{
	const struct snapmap_part *const *x = a, *const *y = b;
	u64 one = snapmap_part_store(*x)->control->map_id;
	u64 other = snapmap_part_store(*y)->control->map_id;

	return one < other ? -1 : one > other;
}

/* Why a transaction that is not open any more can do nothing. */
static int ended(const struct txn *txn)
{
	return txn->state == SNAPMAP_TXN_EXPIRED ? -ETIME : -EBADFD;
}

/* Sees to it that leases end. A jiffy may be shorter than it is long. */
static void start_timer(struct txn *txn)
{
	u64 now = ktime_get_ns();
	u64 left = txn->deadline_ns > now ? txn->deadline_ns - now : 0;

	queue_delayed_work(system_unbound_wq, &txn->expire, nsecs_to_jiffies(left) + 1);
}

static void set_prepared(struct txn *txn)
{
	u32 i;

	for (i = 0; i < txn->count; i++)
		snapmap_part_drop_batch(txn->parts[i]);
	txn->state = SNAPMAP_TXN_PREPARED;
	if (!txn->in_one_call)
		start_timer(txn);
}

static int prepare(struct txn *txn, struct snapmap_txn_run *args, bool in_one_call)
{
	struct snapmap_patience patience = snapmap_patience_of(args->flags, args->wait_ms);
	struct snapmap_part *part;
	u32 done;
	int err = 0;

	txn->in_one_call = in_one_call;
	sort(txn->order, txn->count, sizeof(*txn->order), compare_maps, NULL);
	for (done = 0; done < txn->count; done++) {
		part = txn->order[done];
		err = part_prepare(txn, part, &patience);
		if (err)
			break;
	}
	if (!err) {
		set_prepared(txn);
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
	else if (txn->state == SNAPMAP_TXN_PREPARED)
		start_timer(txn);
	mutex_unlock(&txn->lock);
}

static int publish(struct txn *txn)
{
	struct snapmap_publication *set[SNAPMAP_SET_MAX];
	struct snapmap_part *part;
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
		snapmap_lease_give(snapmap_part_store(part));
		snapmap_map_committed(part->map, 0);
	}
	return 0;
}

static int commit(struct txn *txn, struct snapmap_txn_run *args)
{
	int err = 0;

	if (txn->state == SNAPMAP_TXN_OPEN)
		err = prepare(txn, args, true);
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
	struct snapmap_part *part;
	ssize_t ret;

	if (mutex_lock_killable(&txn->lock))
		return -EINTR;
	part = txn->parts[txn->count - 1];
	if (txn->state != SNAPMAP_TXN_OPEN)
		ret = ended(txn);
	else
		ret = snapmap_part_write(part, from);
	mutex_unlock(&txn->lock);
	return ret;
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
		err = txn->state == SNAPMAP_TXN_OPEN ? prepare(txn, args, false) : ended(txn);
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
	const struct snapmap_part *part = txn->parts[args->map];
	bool prepared = txn->state == SNAPMAP_TXN_PREPARED;
	u64 now = ktime_get_ns();

	*args = (struct snapmap_txn_info){
		.map = args->map,
		.maps = txn->count,
		.state = txn->state,
		.map_id = snapmap_part_store(part)->control->map_id,
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
		snapmap_part_free(txn->parts[--txn->count]);
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

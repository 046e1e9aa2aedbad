// SPDX-License-Identifier: GPL-2.0-only
/*
 * commit.c - a batch of operations becomes the next snapshot, or nothing
 *
 * A commit reserves the bookkeeping of its publication, builds the next
 * snapshot beside the current one, and publishes it. Nothing can fail after
 * publication; any failure before it aborts the build (promises A and F).
 *
 * The batch is read from user space through a window, so that no allocation is
 * ever as large as the batch. Every byte of it is read once: what was checked
 * is what is used.
 */
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "broken.h"
#include "commit.h"
#include "reclaim.h"

#define WINDOW_BYTES	(64U << 10)
#define POLL_OPS	256	/* operations between two looks at signals */

/*
 * The part of a batch that is in the kernel: @data[@pos..@end), of @size bytes
 * allocated. @left bytes at @from have not been copied yet.
 */
struct window {
	const u8 __user *from;
	u64 left;
	u8 *data;
	u32 size;
	u32 pos;
	u32 end;
};

/*
 * Makes sure that @want bytes of the batch stand at @pos. What there is of a
 * batch that is cut off is read all the same: a bad address is -EFAULT.
 */
static int window_fill(struct window *window, u32 want)
{
	u32 have = window->end - window->pos;
	u8 *data = window->data;
	bool cut_off;
	u32 more;

	if (have >= want)
		return 0;
	cut_off = want - have > window->left;
	if (cut_off)
		want = have + window->left;
	if (want > window->size) {
		data = kvmalloc(want, SNAPMAP_GFP);
		if (!data)
			return -ENOMEM;
		window->size = want;
	}
	memmove(data, window->data + window->pos, have);
	if (data != window->data) {
		kvfree(window->data);
		window->data = data;
	}
	more = min_t(u64, window->size - have, window->left);
	window->pos = 0;
	window->end = have;
	if (copy_from_user(data + have, window->from, more))
		return -EFAULT;
	window->from += more;
	window->left -= more;
	window->end += more;
	return cut_off ? -EINVAL : 0;
}

static int check_op(const struct snapmap_op *op, u32 flags)
{
	if (op->opcode != SNAPMAP_OP_PUT && op->opcode != SNAPMAP_OP_DELETE)
		return -EINVAL;
	if (op->condition > SNAPMAP_COND_VERSION)
		return -EINVAL;
	if (op->if_version && op->condition != SNAPMAP_COND_VERSION)
		return -EINVAL;
	if (op->opcode == SNAPMAP_OP_DELETE && op->value_len)
		return -EINVAL;
	if (flags & SNAPMAP_COMMIT_REPLACE &&
	    (op->opcode != SNAPMAP_OP_PUT || op->condition != SNAPMAP_COND_NONE))
		return -EINVAL;
	if (!op->key_len || op->key_len > SNAPMAP_KEY_MAX || op->value_len > SNAPMAP_VALUE_MAX)
		return -EMSGSIZE;
	return 0;
}

static int check_condition(struct snapmap_build *build, const struct snapmap_op *op,
			   const struct snapmap_key *key)
{
	u64 version = 0;
	bool present, holds;

	if (op->condition == SNAPMAP_COND_NONE)
		return 0;
	present = !snapmap_build_find(build, key, &version);
	if (op->condition == SNAPMAP_COND_VERSION)
		holds = present && version == op->if_version && version != build->version;
	else
		holds = present == (op->condition == SNAPMAP_COND_PRESENT);
	return holds ? 0 : -ECANCELED;
}

/* Takes the next operation off the window and applies it. */
static int apply_op(struct snapmap_build *build, struct window *window,
		    struct snapmap_commit *args)
{
	struct snapmap_key key;
	struct snapmap_op op;
	u32 bytes;
	int err;

	err = window_fill(window, sizeof(op));
	if (err)
		return err;
	memcpy(&op, window->data + window->pos, sizeof(op));
	err = check_op(&op, args->flags);
	if (err)
		return err;
	bytes = ALIGN(sizeof(op) + op.key_len + op.value_len, 8);
	err = window_fill(window, bytes);
	if (err)
		return err;
	key.data = window->data + window->pos + sizeof(op);
	key.len = op.key_len;
	key.hash = snapmap_hash(build->seed, key.data, key.len);
	window->pos += bytes;
	err = check_condition(build, &op, &key);
	if (err)
		return err;
	if (op.opcode == SNAPMAP_OP_PUT)
		return snapmap_build_put(build, &key, key.data + key.len, op.value_len);
	err = snapmap_build_delete(build, &key);
	if (err != -ENOENT)
		return err;
	args->missing++;
	return 0;
}

static void yield_cpu(void)
{
	cond_resched();
}

static bool is_fault_of_op(int err)
{
	return err == -ECANCELED || err == -EINVAL || err == -EMSGSIZE;
}

static int apply_batch(struct snapmap_build *build, struct window *window,
		       struct snapmap_commit *args)
{
	u64 index;
	int err;

	for (index = 0; window->left || window->pos < window->end; index++) {
		if (index % POLL_OPS == 0) {
			cond_resched();
			if (fatal_signal_pending(current))
				return -EINTR;
		}
		err = apply_op(build, window, args);
		if (err) {
			if (is_fault_of_op(err))
				args->failed_op = index;
			return err;
		}
	}
	return 0;
}

/* Builds the next snapshot; on failure nothing is left of it. */
static int build_batch(struct snapmap_store *store, struct snapmap_build *build,
		       struct snapmap_commit *args)
{
	struct window window = {
		.from = u64_to_user_ptr(args->ops),
		.left = args->ops_bytes,
		.size = WINDOW_BYTES,
	};
	int err;

	*build = (struct snapmap_build){
		.arena = &store->arena,
		.seed = store->seed,
		.version = store->version + 1,
		.table = store->table,
		.resched = yield_cpu,
	};
	args->missing = 0;
	window.data = kvmalloc(window.size, SNAPMAP_GFP);
	if (!window.data)
		return -ENOMEM;
	if (args->flags & SNAPMAP_COMMIT_REPLACE)
		snapmap_build_clear(build);
	err = apply_batch(build, &window, args);
	kvfree(window.data);
	if (err == -EINTR && snapmap_broken(SNAPMAP_BREAK_HALF))
		err = 0;
	if (err)
		snapmap_build_abort(build);
	else
		snapmap_build_finish(build);
	return err;
}

/*
 * At the limit or without memory, retired blocks that only wait for their
 * quarantine are worth a second try: memory is for what is needed.
 */
static int build_or_retry(struct snapmap_store *store, struct snapmap_build *build,
			  struct snapmap_commit *args)
{
	int err = build_batch(store, build, args);

	if (err != -ENOSPC && err != -ENOMEM)
		return err;
	if (store->retired_blocks == store->pinned_blocks)
		return err;
	snapmap_reclaim(store, SNAPMAP_RECLAIM_NOW);
	return build_batch(store, build, args);
}

static int commit_locked(struct snapmap_store *store, struct snapmap_commit *args)
{
	struct snapmap_retired *retired;
	struct snapmap_build build;
	u64 stamp = store->stamp;
	int err;

	if (READ_ONCE(store->destroyed))
		return -ENODEV;
	if (args->flags & SNAPMAP_COMMIT_IF_VERSION && args->if_version != store->version &&
	    !snapmap_broken(SNAPMAP_BREAK_VERSION))
		return -ECANCELED;
	snapmap_reclaim(store, SNAPMAP_RECLAIM_QUARANTINE);
	retired = kzalloc(sizeof(*retired), SNAPMAP_GFP);
	if (!retired)
		return -ENOMEM;
	err = build_or_retry(store, &build, args);
	if (err)
		goto free_retired;
	if (args->flags & SNAPMAP_COMMIT_STAMP)
		stamp = args->stamp;
	err = snapmap_snapshot_publish(store, &build, stamp);
	if (err)
		goto abort;
	snapmap_reclaim_queue(store, retired, &build.retired);
	args->blocks_copied = build.blocks_copied;
	return 0;

abort:
	snapmap_build_abort(&build);
free_retired:
	kfree(retired);
	return err;
}

static void count_outcome(struct snapmap_store *store, int err, u64 blocks_copied)
{
	if (!err) {
		WRITE_ONCE(store->commits, store->commits + 1);
		WRITE_ONCE(store->blocks_copied, store->blocks_copied + blocks_copied);
	} else if (err == -ECANCELED) {
		WRITE_ONCE(store->conflicts, store->conflicts + 1);
	} else {
		WRITE_ONCE(store->failures, store->failures + 1);
	}
}

static int check_args(const struct snapmap_commit *args)
{
	const u32 known = SNAPMAP_COMMIT_REPLACE | SNAPMAP_COMMIT_IF_VERSION |
			  SNAPMAP_COMMIT_STAMP;

	if (args->flags & ~known && !snapmap_broken(SNAPMAP_BREAK_FLAGS))
		return -EINVAL;
	if (args->wait_ms)
		return -EINVAL;
	if (args->if_version && !(args->flags & SNAPMAP_COMMIT_IF_VERSION))
		return -EINVAL;
	if (args->stamp && !(args->flags & SNAPMAP_COMMIT_STAMP))
		return -EINVAL;
	if (args->ops % 8 || args->ops_bytes % 8)
		return -EINVAL;
	return 0;
}

/**
 * snapmap_commit() - apply a batch and publish the result
 * @store: the map's snapshots
 * @args: as in the ioctl; its out members are filled in every case
 *
 * Context: may sleep; takes @store->lock.
 * Return: 0 or the errno that snapmap.h lists for COMMIT.
 */
int snapmap_commit(struct snapmap_store *store, struct snapmap_commit *args)
{
	int err = check_args(args);

	args->version = 0;
	args->failed_op = SNAPMAP_NO_OP;
	args->missing = 0;
	args->blocks_copied = 0;
	if (err)
		return err;
	if (mutex_lock_killable(&store->lock))
		return -EINTR;
	err = commit_locked(store, args);
	if (err)
		args->missing = 0;
	if (!err || err == -ECANCELED)
		args->version = store->version;
	count_outcome(store, err, args->blocks_copied);
	mutex_unlock(&store->lock);
	return err;
}

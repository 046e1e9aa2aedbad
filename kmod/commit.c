// SPDX-License-Identifier: GPL-2.0-only
/*
 * commit.c - the steps of a commit: reserve, build, publish
 *
 * The bookkeeping of the publication is reserved first, then the next snapshot
 * is built beside the current one, and published. Nothing can fail after
 * publication; any failure before it aborts the build (promises A and F).
 *
 * COMMIT and ROLLBACK take all steps in one call; a transaction (txn.c) builds
 * when it is prepared and publishes when it is committed.
 */
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/ktime.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "batch.h"
#include "broken.h"
#include "commit.h"
#include "reclaim.h"

/**
 * snapmap_update_check() - whether a commit asks for what there is
 * @update: its flags, @if_version and @stamp
 *
 * Return: 0 or -EINVAL.
 */
int snapmap_update_check(const struct snapmap_update *update)
{
	const u32 known = SNAPMAP_COMMIT_REPLACE | SNAPMAP_COMMIT_IF_VERSION |
			  SNAPMAP_COMMIT_STAMP | SNAPMAP_COMMIT_STAMP_GROWS |
			  SNAPMAP_COMMIT_NOWAIT;
	u32 flags = update->flags;

	if (flags & ~known && !snapmap_broken(SNAPMAP_BREAK_FLAGS))
		return -EINVAL;
	if (update->if_version && !(flags & SNAPMAP_COMMIT_IF_VERSION))
		return -EINVAL;
	if (update->stamp && !(flags & SNAPMAP_COMMIT_STAMP))
		return -EINVAL;
	if (flags & SNAPMAP_COMMIT_STAMP_GROWS && !(flags & SNAPMAP_COMMIT_STAMP))
		return -EINVAL;
	return 0;
}

/**
 * snapmap_update_tick() - to be called every SNAPMAP_TICK_OPS operations
 * @update: the commit
 *
 * Return: 0; -EINTR when the caller is being killed; -ETIME at the deadline.
 */
int snapmap_update_tick(const struct snapmap_update *update)
{
	cond_resched();
	if (fatal_signal_pending(current))
		return -EINTR;
	if (update->deadline_ns && ktime_get_ns() >= update->deadline_ns)
		return -ETIME;
	return 0;
}

/* What the commit requires of the map as it is now. */
static int check_map(const struct snapmap_update *update)
{
	const struct snapmap_store *store = update->next.store;

	if (READ_ONCE(store->destroyed))
		return -ENODEV;
	if (update->flags & SNAPMAP_COMMIT_IF_VERSION && update->if_version != store->version &&
	    !snapmap_broken(SNAPMAP_BREAK_VERSION))
		return -ECANCELED;
	if (update->flags & SNAPMAP_COMMIT_STAMP_GROWS && update->stamp <= store->stamp &&
	    !snapmap_broken(SNAPMAP_BREAK_STAMP))
		return -EALREADY;
	return 0;
}

static int reserve(struct snapmap_update *update)
{
	struct snapmap_store *store = update->next.store;

	lockdep_assert_held(&store->lock);
	update->retired = snapmap_spare_take(store, &store->spare.retired);
	update->next.snapshot = snapmap_snapshot_new(store);
	return update->retired && update->next.snapshot ? 0 : -ENOMEM;
}

static void unreserve(struct snapmap_update *update)
{
	struct snapmap_store *store = update->next.store;

	if (update->retired)
		snapmap_spare_give(&store->spare.retired, update->retired);
	snapmap_snapshot_end(store, update->next.snapshot);
	update->retired = NULL;
	update->next.snapshot = NULL;
}

static void yield_cpu(void)
{
	cond_resched();
}

static bool make_room(struct snapmap_build *build, int err)
{
	return snapmap_reclaim_for(container_of(build->arena, struct snapmap_store, arena), err);
}

static int try_build(struct snapmap_update *update, snapmap_apply_fn apply, void *data)
{
	struct snapmap_store *store = update->next.store;
	struct snapmap_build *build = &update->next.build;
	int err;

	*build = (struct snapmap_build){
		.arena = &store->arena,
		.seed = store->seed,
		.version = store->version + 1,
		.table = store->table,
		.resched = yield_cpu,
		.make_room = make_room,
		.notes = snapmap_spare_notes(store),
	};
	update->failed_op = SNAPMAP_NO_OP;
	update->missing = 0;
	update->next.snapshot->puts = 0;
	update->next.snapshot->deletes = 0;
	update->next.stamp = update->flags & SNAPMAP_COMMIT_STAMP ? update->stamp : store->stamp;
	err = apply(update, data);
	snapmap_spare_look(store);
	if (err == -EINTR && snapmap_broken(SNAPMAP_BREAK_HALF))
		err = 0;
	if (err)
		snapmap_build_abort(build);
	else
		snapmap_build_finish(build);
	return err;
}

/*
 * Room that was made in the middle of a build may lie in pieces between what the
 * build had allocated by then, so at the limit it counts only what a build finds
 * that begins with all of it. Ends, for each turn takes from what is retired. The same
 * holds for runs that are ready, which is what the last turn is for.
 */
static int build(struct snapmap_update *update, snapmap_apply_fn apply, void *data)
{
	int err;

	do {
		err = try_build(update, apply, data);
	} while (err == -ENOSPC && update->next.build.made_room);
	if (err != -ENOSPC)
		return err;
	snapmap_arena_merge(&update->next.store->arena);
	return try_build(update, apply, data);
}

static int build_locked(struct snapmap_update *update, snapmap_apply_fn apply, void *data)
{
	int err = check_map(update);

	if (err)
		return err;
	snapmap_reclaim(update->next.store, SNAPMAP_RECLAIM_QUARANTINE);
	err = reserve(update);
	if (!err)
		err = build(update, apply, data);
	if (err)
		unreserve(update);
	return err;
}

static void count_failure(struct snapmap_store *store, int err)
{
	if (err == -ECANCELED || err == -EALREADY)
		WRITE_ONCE(store->conflicts, store->conflicts + 1);
	else
		WRITE_ONCE(store->failures, store->failures + 1);
}

/**
 * snapmap_update_build() - all steps of a commit before its publication
 * @update: the commit
 * @apply: changes the build
 * @data: its second argument
 *
 * After a success comes the publication, and then snapmap_update_published(); or
 * snapmap_update_abort().
 *
 * Context: the caller has the lease. May sleep; takes the store's lock.
 * Return: 0 or the errno that snapmap.h lists for a commit. After a failure
 *	nothing is left of it.
 */
int snapmap_update_build(struct snapmap_update *update, snapmap_apply_fn apply, void *data)
{
	struct snapmap_store *store = update->next.store;
	int err;

	update->version = 0;
	update->failed_op = SNAPMAP_NO_OP;
	if (mutex_lock_killable(&store->lock))
		return -EINTR;
	err = build_locked(update, apply, data);
	mutex_unlock(&store->lock);
	if (!err)
		return 0;
	count_failure(store, err);
	update->missing = 0;
	if (err == -ECANCELED || err == -EALREADY)
		update->version = store->version;
	return err;
}

/**
 * snapmap_update_abort() - let go of what has been built
 * @update: the commit; built and not published
 *
 * Context: the caller has the lease. May sleep; takes the store's lock.
 */
void snapmap_update_abort(struct snapmap_update *update)
{
	struct snapmap_store *store = update->next.store;

	mutex_lock(&store->lock);
	snapmap_build_abort(&update->next.build);
	unreserve(update);
	mutex_unlock(&store->lock);
}

/**
 * snapmap_update_published() - the last step of a commit
 * @update: the commit; published
 *
 * Context: the caller has the lease. May sleep; takes the store's lock.
 */
void snapmap_update_published(struct snapmap_update *update)
{
	struct snapmap_store *store = update->next.store;
	u64 copied = update->next.build.blocks_copied;

	mutex_lock(&store->lock);
	snapmap_reclaim_queue(store, update->retired, &update->next.build.retired);
	mutex_unlock(&store->lock);
	update->retired = NULL;
	update->version = store->version;
	WRITE_ONCE(store->commits, store->commits + 1);
	WRITE_ONCE(store->blocks_copied, store->blocks_copied + copied);
}

static int build_and_publish(struct snapmap_update *update, snapmap_apply_fn apply, void *data)
{
	struct snapmap_publication *set[] = { &update->next };
	int err = snapmap_update_build(update, apply, data);

	if (err)
		return err;
	err = snapmap_snapshot_publish(set, 1);
	if (err) {
		count_failure(update->next.store, err);
		snapmap_update_abort(update);
	} else {
		snapmap_update_published(update);
	}
	return err;
}

/**
 * snapmap_update_run() - all steps of a commit
 * @update: the commit; checked
 * @wait_ms: as in the ioctl
 * @apply: changes the build
 * @data: its second argument
 *
 * Context: may sleep; takes the lease and the store's lock.
 * Return: 0 or the errno that snapmap.h lists for a commit. After a success
 *	@update->next.snapshot may be gone any time.
 */
int snapmap_update_run(struct snapmap_update *update, u32 wait_ms, snapmap_apply_fn apply,
		       void *data)
{
	struct snapmap_patience patience = snapmap_patience_of(update->flags, wait_ms);
	struct snapmap_store *store = update->next.store;
	int err;

	update->failed_op = SNAPMAP_NO_OP;
	err = snapmap_lease_take(store, &patience);
	if (err)
		return err;
	err = build_and_publish(update, apply, data);
	snapmap_lease_give(store);
	return err;
}

/**
 * snapmap_commit() - apply a batch and publish the result
 * @store: the map's snapshots
 * @args: as in the ioctl; its out members are filled in every case
 *
 * Context: may sleep; takes the lease and the store's lock.
 * Return: 0 or the errno that snapmap.h lists for COMMIT.
 */
int snapmap_commit(struct snapmap_store *store, struct snapmap_commit *args)
{
	struct snapmap_update update = {
		.next.store = store,
		.flags = args->flags,
		.if_version = args->if_version,
		.stamp = args->stamp,
		.failed_op = SNAPMAP_NO_OP,
	};
	struct snapmap_user_source user;
	int err = snapmap_update_check(&update);

	if (!err && (args->ops % 8 || args->ops_bytes % 8))
		err = -EINVAL;
	snapmap_user_source_init(&user, args->ops, args->ops_bytes);
	if (!err)
		err = snapmap_update_run(&update, args->wait_ms, snapmap_batch_apply, &user.source);
	args->version = update.version;
	args->failed_op = update.failed_op;
	args->missing = update.missing;
	args->blocks_copied = err ? 0 : update.next.build.blocks_copied;
	return err;
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * rollback.c - an older snapshot's content becomes a new version
 *
 * The older snapshot is compared with the current one, and what differs is
 * written as any commit writes it. So all that is the same in both stays
 * shared, and the cost follows the difference (promise I). To share the older
 * snapshot's own blocks again would save little, and would take from reclaim
 * that a run is retired only once.
 */
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/sched.h>

#include "broken.h"
#include "commit.h"
#include "history.h"
#include "rollback.h"

#define snapmap_diff_resched() cond_resched()
#include "diff.h"

/* Keeps a snapshot of the history while it is read; no pin of the user's. */
static struct snapmap_snapshot *hold(struct snapmap_store *store, u64 version)
{
	struct snapmap_snapshot *snapshot;

	spin_lock(&store->pin_lock);
	snapshot = snapmap_history_find(store, version);
	if (!IS_ERR(snapshot)) {
		snapshot->users++;
		snapshot->busy = true;	/* not to be revoked in favour of its own copy */
	}
	spin_unlock(&store->pin_lock);
	return snapshot;
}

static void let_go(struct snapmap_store *store, struct snapmap_snapshot *snapshot)
{
	spin_lock(&store->pin_lock);
	snapshot->busy = false;
	snapmap_snapshot_put(store, snapshot);
	spin_unlock(&store->pin_lock);
}

static int apply_change(struct snapmap_update *update, const struct snapmap_change *change)
{
	struct snapmap_key key = { change->key, change->key_len, change->hash };
	struct snapmap_build *build = &update->next.build;

	if (!change->has_new) {
		update->next.snapshot->deletes++;
		return snapmap_build_delete(build, &key);
	}
	update->next.snapshot->puts++;
	return snapmap_build_put(build, &key, change->new.value, change->new.value_len);
}

static int apply_difference(struct snapmap_update *update, u64 root)
{
	struct snapmap_build *build = &update->next.build;
	const struct snapmap_view view = { .arena = build->arena };
	struct snapmap_change change;
	struct snapmap_diff diff;
	u64 count;
	int ret;

	snapmap_diff_begin(&diff, &view, build->seed, build->table.root, root);
	for (count = 0; (ret = snapmap_diff_next(&diff, &change)) > 0; count++) {
		ret = count % SNAPMAP_TICK_OPS ? 0 : snapmap_update_tick(update);
		if (!ret)
			ret = apply_change(update, &change);
		if (ret)
			return ret;
	}
	/* a snapshot that is held is whole */
	WARN_ON_ONCE(ret && !snapmap_broken(SNAPMAP_BREAK_PINS));
	return ret;
}

/*
 * A rollback under way. The snapshot is found and held when the build begins, and
 * for one that is begun anew: the room for that may have cost the history it.
 */
struct progress {
	struct snapmap_rollback *args;
	struct snapmap_snapshot *to;
};

static int apply(struct snapmap_update *update, void *data)
{
	struct progress *progress = data;
	struct snapmap_rollback *args = progress->args;
	struct snapmap_snapshot *to = progress->to;
	int err;

	if (!to)
		to = hold(update->next.store, args->to);
	if (IS_ERR(to))
		return PTR_ERR(to);
	progress->to = to;
	err = apply_difference(update, to->root);
	update->next.snapshot->rolled_back_to = args->to;
	args->puts = update->next.snapshot->puts;
	args->deletes = update->next.snapshot->deletes;
	return err;
}

/**
 * snapmap_rollback() - give a map the content of an older version again
 * @store: the map's snapshots
 * @args: as in the ioctl; its out members are filled in every case
 *
 * Context: may sleep; takes the lease and the store's lock.
 * Return: 0 or the errno that snapmap.h lists for ROLLBACK.
 */
int snapmap_rollback(struct snapmap_store *store, struct snapmap_rollback *args)
{
	struct snapmap_update update = {
		.next.store = store,
		.flags = args->flags,
		.if_version = args->if_version,
		.stamp = args->stamp,
	};
	struct progress progress = { .args = args };
	int err = snapmap_update_check(&update);

	args->puts = 0;
	args->deletes = 0;
	if (!args->to || args->flags & SNAPMAP_COMMIT_REPLACE)
		err = -EINVAL;
	if (!err)
		err = snapmap_update_run(&update, args->wait_ms, apply, &progress);
	if (progress.to)
		let_go(store, progress.to);
	if (err) {
		args->puts = 0;
		args->deletes = 0;
	}
	args->version = update.version;
	args->blocks_copied = err ? 0 : update.next.build.blocks_copied;
	return err;
}

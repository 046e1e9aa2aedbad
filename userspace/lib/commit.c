// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * commit.c - new versions by one call: of a batch, and of an older snapshot
 */
#include "batch.h"
#include "map.h"

static const struct snapmap_commit_opts no_opts;

int snapmap_commit(struct snapmap *map, const struct snapmap_batch *batch,
		   const struct snapmap_commit_opts *opts, struct snapmap_commit_result *result)
{
	const struct snapmap_commit_opts *how = opts ? opts : &no_opts;
	struct snapmap_commit commit = {
		.flags = how->flags,
		.wait_ms = how->wait_ms,
		.ops = (uintptr_t)batch->ops,
		.ops_bytes = batch->bytes,
		.if_version =
			snapmap_if_asked(how->flags, SNAPMAP_COMMIT_IF_VERSION, how->if_version),
		.stamp = snapmap_if_asked(how->flags, SNAPMAP_COMMIT_STAMP, how->stamp),
		.failed_op = SNAPMAP_NO_OP,
	};
	int err = snapmap_ioctl(map->fd, SNAPMAP_IOC_COMMIT, &commit);

	if (result) {
		result->version = commit.version;
		result->failed_op = commit.failed_op;
		result->missing = commit.missing;
		result->blocks_copied = commit.blocks_copied;
	}
	return err;
}

int snapmap_rollback(struct snapmap *map, uint64_t to, const struct snapmap_commit_opts *opts,
		     struct snapmap_rollback_result *result)
{
	const struct snapmap_commit_opts *how = opts ? opts : &no_opts;
	struct snapmap_rollback rollback = {
		.flags = how->flags,
		.wait_ms = how->wait_ms,
		.to = to,
		.if_version =
			snapmap_if_asked(how->flags, SNAPMAP_COMMIT_IF_VERSION, how->if_version),
		.stamp = snapmap_if_asked(how->flags, SNAPMAP_COMMIT_STAMP, how->stamp),
	};
	int err = snapmap_ioctl(map->fd, SNAPMAP_IOC_ROLLBACK, &rollback);

	if (result) {
		result->version = rollback.version;
		result->puts = rollback.puts;
		result->deletes = rollback.deletes;
		result->blocks_copied = rollback.blocks_copied;
	}
	return err;
}

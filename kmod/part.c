// SPDX-License-Identifier: GPL-2.0-only
/*
 * part.c - what a transaction does to one of its maps
 *
 * Its batch is collected in a file of the kernel's own, which takes memory of
 * whoever writes to it, may be swapped, and is as large as it needs be.
 */
#include <linux/errno.h>
#include <linux/file.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/shmem_fs.h>
#include <linux/slab.h>

#include "batch.h"
#include "part.h"

/**
 * snapmap_part_new() - an empty batch for a map
 * @map: the map
 * @flags: as in the ioctl
 * @if_version: likewise
 * @stamp: likewise
 *
 * Context: may sleep.
 * Return: the part, which ends by snapmap_part_free(); -ENOMEM or -EINVAL.
 */
struct snapmap_part *snapmap_part_new(struct snapmap_map *map, u32 flags, u64 if_version,
				      u64 stamp)
{
	const struct snapmap_update update = {
		.next.store = &map->store,
		.flags = flags,
		.if_version = if_version,
		.stamp = stamp,
	};
	struct snapmap_part *part;

	if (flags & SNAPMAP_COMMIT_NOWAIT || snapmap_update_check(&update))
		return ERR_PTR(-EINVAL);
	part = kzalloc(sizeof(*part), SNAPMAP_GFP);
	if (!part)
		return ERR_PTR(-ENOMEM);
	part->batch = shmem_file_setup("snapmap-txn", 0, VM_NORESERVE);
	if (IS_ERR(part->batch)) {
		kfree(part);
		return ERR_PTR(-ENOMEM);
	}
	part->update = update;
	part->map = map;
	get_device(&map->dev);
	return part;
}

/**
 * snapmap_part_drop_batch() - free the batch, which has been built or never will be
 * @part: the part
 */
void snapmap_part_drop_batch(struct snapmap_part *part)
{
	if (part->batch)
		fput(part->batch);
	part->batch = NULL;
}

/**
 * snapmap_part_free() - end a part
 * @part: neither built nor with a lease, or published
 */
void snapmap_part_free(struct snapmap_part *part)
{
	snapmap_part_drop_batch(part);
	put_device(&part->map->dev);
	kfree(part);
}

/**
 * snapmap_part_write() - append to the batch
 * @part: the part
 * @from: what; of any length
 *
 * Context: may sleep.
 * Return: bytes taken, or an errno as of write(2).
 */
ssize_t snapmap_part_write(struct snapmap_part *part, struct iov_iter *from)
{
	ssize_t ret = vfs_iter_write(part->batch, from, &part->bytes, 0);

	return ret == -ENOSPC ? -ENOMEM : ret;	/* shmem's limit is memory */
}

struct file_source {
	struct snapmap_source source;
	struct file *file;
};

static int read_file(struct snapmap_source *source, u64 at, void *to, u32 bytes)
{
	struct file_source *from = container_of(source, struct file_source, source);
	loff_t pos = at;
	ssize_t got;

	for (; bytes; to += got, bytes -= got) {
		got = kernel_read(from->file, to, bytes, &pos);
		if (got <= 0)
			return got ?: -EIO;
	}
	return 0;
}

/**
 * snapmap_part_build() - build the map's next snapshot
 * @part: the part
 * @deadline_ns: as in struct snapmap_update
 *
 * Context: the caller has the map's lease. May sleep.
 * Return: 0 or the errno that snapmap.h lists for a commit.
 */
int snapmap_part_build(struct snapmap_part *part, u64 deadline_ns)
{
	struct file_source from = {
		.source = { .read = read_file, .bytes = part->bytes },
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

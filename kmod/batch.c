// SPDX-License-Identifier: GPL-2.0-only
/*
 * batch.c - a row of operations is applied to a build
 *
 * The batch is read through a window, so that no allocation is ever as large as
 * the batch. A build reads every byte of it once: what was checked is what is
 * used.
 */
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "batch.h"
#include "broken.h"

/*
 * The part of a batch that is in the kernel: @data[@pos..@end), of @size bytes
 * allocated. Of @source, @read bytes have been read.
 */
struct window {
	struct snapmap_source *source;
	u64 read;
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
	struct snapmap_source *source = window->source;
	u64 left = source->bytes - window->read;
	u8 *data = window->data;
	bool cut_off;
	u32 more;
	int err;

	if (have >= want)
		return 0;
	cut_off = want - have > left;
	if (cut_off)
		want = have + left;
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
	more = min_t(u64, window->size - have, left);
	window->pos = 0;
	window->end = have;
	err = source->read(source, window->read, data + have, more);
	if (err)
		return err;
	window->read += more;
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
static int apply_op(struct snapmap_update *update, struct window *window)
{
	struct snapmap_snapshot *snapshot = update->next.snapshot;
	struct snapmap_build *build = &update->next.build;
	struct snapmap_key key;
	struct snapmap_op op;
	u32 bytes;
	int err;

	err = window_fill(window, sizeof(op));
	if (err)
		return err;
	memcpy(&op, window->data + window->pos, sizeof(op));
	err = check_op(&op, update->flags);
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
	if (op.opcode == SNAPMAP_OP_PUT) {
		snapshot->puts++;
		return snapmap_build_put(build, &key, key.data + key.len, op.value_len);
	}
	err = snapmap_build_delete(build, &key);
	if (err == -ENOENT) {
		update->missing++;
		return 0;
	}
	snapshot->deletes++;
	return err;
}

static bool is_fault_of_op(int err)
{
	return err == -ECANCELED || err == -EINVAL || err == -EMSGSIZE;
}

static int apply_all(struct snapmap_update *update, struct window *window)
{
	u64 index;
	int err;

	for (index = 0; window->read < window->source->bytes || window->pos < window->end;
	     index++) {
		err = index % SNAPMAP_TICK_OPS ? 0 : snapmap_update_tick(update);
		if (err)
			return err;
		err = apply_op(update, window);
		if (err) {
			if (is_fault_of_op(err))
				update->failed_op = index;
			return err;
		}
	}
	return 0;
}

/**
 * snapmap_batch_apply() - apply a batch to a build
 * @update: the commit
 * @source: a struct snapmap_source
 *
 * Context: may sleep; see snapmap_update_build().
 * Return: 0 or the errno that snapmap.h lists for a commit.
 */
int snapmap_batch_apply(struct snapmap_update *update, void *source)
{
	struct snapmap_store *store = update->next.store;
	struct window window = { .source = source };
	int err;

	window.data = snapmap_spare_take_window(store, window.source->bytes, &window.size);
	if (!window.data)
		return -ENOMEM;
	if (update->flags & SNAPMAP_COMMIT_REPLACE)
		snapmap_build_clear(&update->next.build);
	err = apply_all(update, &window);
	snapmap_spare_give_window(store, window.data, window.size);
	return err;
}

static int read_user(struct snapmap_source *source, u64 at, void *to, u32 bytes)
{
	struct snapmap_user_source *user = container_of(source, struct snapmap_user_source,
							source);

	return copy_from_user(to, user->from + at, bytes) ? -EFAULT : 0;
}

/**
 * snapmap_user_source_init() - a batch in the caller's memory
 * @user: the source
 * @address: where the batch is
 * @bytes: its length
 */
void snapmap_user_source_init(struct snapmap_user_source *user, u64 address, u64 bytes)
{
	user->source = (struct snapmap_source){ .read = read_user, .bytes = bytes };
	user->from = u64_to_user_ptr(address);
}

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
#include <linux/math64.h>
#include <linux/mm.h>
#include <linux/overflow.h>
#include <linux/prefetch.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "batch.h"
#include "broken.h"
#include "bulk.h"
#include "trie.h"

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

/* As window_fill(), when they do not. */
static int window_refill(struct window *window, u32 want)
{
	u32 have = window->end - window->pos;
	struct snapmap_source *source = window->source;
	u64 left = source->bytes - window->read;
	u8 *data = window->data;
	bool cut_off;
	u32 more;
	int err;

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

/*
 * Makes sure that @want bytes of the batch stand at @pos. What there is of a
 * batch that is cut off is read all the same: a bad address is -EFAULT.
 */
static int window_fill(struct window *window, u32 want)
{
	return window->end - window->pos >= want ? 0 : window_refill(window, want);
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

static u32 op_bytes(const struct snapmap_op *op)
{
	return ALIGN(sizeof(*op) + op->key_len + op->value_len, 8);
}

/*
 * Takes the next operation off the window, and checks it. Its key, which is not hashed
 * yet, and value stay where they are until the next call.
 */
static int next_op(const struct snapmap_update *update, struct window *window,
		   struct snapmap_op *op, struct snapmap_key *key)
{
	int err;

	err = window_fill(window, sizeof(*op));
	if (err)
		return err;
	memcpy(op, window->data + window->pos, sizeof(*op));
	err = check_op(op, update->flags);
	if (err)
		return err;
	err = window_fill(window, op_bytes(op));
	if (err)
		return err;
	key->data = window->data + window->pos + sizeof(*op);
	key->len = op->key_len;
	window->pos += op_bytes(op);
	return 0;
}

static void hash_key(const struct snapmap_update *update, struct snapmap_key *key)
{
	key->hash = snapmap_hash(update->next.build.seed, key->data, key->len);
}

/* So many operations ahead of the one that is applied, nodes are fetched. */
#define AHEAD_NODE	8
/* And so many, leaves. */
#define AHEAD_LEAF	4

/*
 * What of a batch has been looked at before its turn. Of the operations, counted from
 * the first, @applied have been taken off the window, the hashes of those up to @hashed
 * are in @hash, and the leaves of those up to @fetched have been asked for. The first
 * that has not been hashed lies @bytes behind the window's @pos.
 */
struct ahead {
	u64 hash[AHEAD_NODE];
	u64 applied;
	u64 hashed;
	u64 fetched;
	u32 bytes;
};

/*
 * Hashes the next key; false when it is not in the window. What is wrong with an
 * operation is found out when it is its turn.
 */
static bool hash_ahead(const struct snapmap_build *build, const struct window *window,
		       struct ahead *ahead)
{
	const u8 *at = window->data + window->pos + ahead->bytes;
	u64 left = window->end - window->pos;
	const struct snapmap_op *op = (const void *)at;

	if (left < ahead->bytes + sizeof(*op) ||
	    left < ahead->bytes + sizeof(*op) + op->key_len || !op->key_len ||
	    op->value_len > SNAPMAP_VALUE_MAX)
		return false;
	ahead->hash[ahead->hashed++ % AHEAD_NODE] =
		snapmap_hash(build->seed, op + 1, op->key_len);
	ahead->bytes += op_bytes(op);
	return true;
}

/*
 * Lets memory bring what the next operations will read, while those before them are
 * applied: first the lowest inner node, then, which that tells of, the leaf.
 */
static void look_ahead(const struct snapmap_build *build, const struct window *window,
		       struct ahead *ahead)
{
	if (ahead->hashed < ahead->applied) {	/* some went on behind the window */
		ahead->hashed = ahead->applied;
		ahead->fetched = ahead->applied;
	}
	while (ahead->hashed < ahead->applied + AHEAD_NODE && hash_ahead(build, window, ahead))
		snapmap_trie_fetch(build, ahead->hash[(ahead->hashed - 1) % AHEAD_NODE]);
	while (ahead->fetched < min(ahead->hashed, ahead->applied + AHEAD_LEAF))
		snapmap_build_fetch(build, ahead->hash[ahead->fetched++ % AHEAD_NODE]);
}

/* As next_op(), with the key hashed, and a look at what comes after. */
static int next_hashed(const struct snapmap_update *update, struct window *window,
		       struct ahead *ahead, struct snapmap_op *op, struct snapmap_key *key)
{
	int err = window_fill(window, sizeof(*op));

	if (err)
		return err;
	look_ahead(&update->next.build, window, ahead);
	err = next_op(update, window, op, key);
	if (err)
		return err;
	if (ahead->hashed > ahead->applied)
		key->hash = ahead->hash[ahead->applied % AHEAD_NODE];
	else
		hash_key(update, key);
	ahead->applied++;
	ahead->bytes -= min(ahead->bytes, op_bytes(op));
	return 0;
}

/* Takes the next operation off the window and applies it. */
static int apply_op(struct snapmap_update *update, struct window *window, void *ahead)
{
	struct snapmap_snapshot *snapshot = update->next.snapshot;
	struct snapmap_build *build = &update->next.build;
	struct snapmap_key key;
	struct snapmap_op op;
	int err;

	err = next_hashed(update, window, ahead, &op, &key);
	if (!err)
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

typedef int (*each_fn)(struct snapmap_update *update, struct window *window, void *data);

/* Calls @each for every operation, which it takes off the window. */
static int walk_ops(struct snapmap_update *update, struct window *window, each_fn each, void *data)
{
	u64 index;
	int err;

	for (index = 0; window->read < window->source->bytes || window->pos < window->end;
	     index++) {
		err = index % SNAPMAP_TICK_OPS ? 0 : snapmap_update_tick(update);
		if (err)
			return err;
		err = each(update, window, data);
		if (err) {
			if (is_fault_of_op(err))
				update->failed_op = index;
			return err;
		}
	}
	return 0;
}

/* ------------------------------------------------------------- in bulk */

/* The shortest operation: a key of one byte. */
#define OP_MIN		24
/* For larger batches the notes took too much; smaller ones gain nothing, but tests want them. */
#define BULK_MAX	SZ_1G
#ifdef SNAPMAP_TEST
#define BULK_MIN	1
#else
#define BULK_MIN	SZ_16K
#endif

/* So many operations ahead of the one that is read. */
#define PREFETCH_OPS	16

struct bulk_batch {
	struct snapmap_bulk bulk;
	struct snapmap_update *update;
	struct window *window;
	u64 reads;
};

/* Notes of the next operation what must be known to build in bulk. */
static int note_op(struct snapmap_update *update, struct window *window, void *data)
{
	u64 at = window->read - (window->end - window->pos);
	struct bulk_batch *batch = data;
	struct snapmap_bulk_op *note = &batch->bulk.notes->ops[batch->bulk.count];
	struct snapmap_item item = {};
	struct snapmap_key key;
	struct snapmap_op op;
	int err;

	err = next_op(update, window, &op, &key);
	if (err)
		return err;
	hash_key(update, &key);
	item.key_len = op.key_len;
	item.value_len = op.value_len;
	item.block = !snapmap_value_is_inline(op.key_len, op.value_len);
	note->hash = key.hash;
	note->at = at;
	note->granules = snapmap_item_granules(&item);
	note->words = op_bytes(&op) / 8;
	batch->bulk.count++;
	return 0;
}

/* Sorted by hash, the operations lie anywhere in the batch. */
static void prefetch_noted(struct bulk_batch *batch, const struct snapmap_bulk_op *note)
{
	struct snapmap_source *source = batch->window->source;

	if (source->will_read && note < batch->bulk.notes->ops + batch->bulk.count)
		source->will_read(source, note->at, note->words * 8);
}

/*
 * Reads a noted operation again: its writer may have changed it meanwhile, and
 * then what has been checked and measured is not what is here.
 */
static int read_noted(void *data, const struct snapmap_bulk_op *note, struct snapmap_key *key,
		      const void **value, u32 *value_len)
{
	struct bulk_batch *batch = data;
	struct window *window = batch->window;
	u32 bytes = note->words * 8;
	struct snapmap_op op;
	int err;

	prefetch_noted(batch, note + PREFETCH_OPS);
	err = batch->reads++ % SNAPMAP_TICK_OPS ? 0 : snapmap_update_tick(batch->update);
	if (!err)
		err = window->source->read(window->source, note->at, window->data, bytes);
	if (err)
		return err;
	window->read = note->at + bytes;
	window->pos = 0;
	window->end = bytes;
	err = next_op(batch->update, window, &op, key);
	if (err)
		return err;
	hash_key(batch->update, key);
	if (op_bytes(&op) != bytes || key->hash != note->hash)
		return -EINVAL;
	batch->update->next.snapshot->puts++;
	*value = key->data + key->len;
	*value_len = op.value_len;
	return 0;
}

static int apply_in_bulk(struct snapmap_update *update, struct window *window,
			 struct snapmap_bulk_notes *notes)
{
	struct bulk_batch batch = {
		.bulk = {
			.build = &update->next.build,
			.notes = notes,
			.read = read_noted,
			.data = &batch,
		},
		.update = update,
		.window = window,
	};
	int err = walk_ops(update, window, note_op, &batch);

	return err ?: snapmap_bulk_build(&batch.bulk);
}

static int apply_all(struct snapmap_update *update, struct window *window)
{
	u64 bytes = window->source->bytes;
	struct snapmap_bulk_notes *notes = NULL;
	struct ahead ahead = {};
	int err;

	if (update->flags & SNAPMAP_COMMIT_REPLACE && bytes >= BULK_MIN && bytes <= BULK_MAX)
		notes = kvmalloc(struct_size(notes, ops, div_u64(bytes, OP_MIN)), SNAPMAP_GFP);
	if (!notes)
		return walk_ops(update, window, apply_op, &ahead);
	err = apply_in_bulk(update, window, notes);
	kvfree(notes);
	return err;
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

/* A prefetch faults on no address. */
static void prefetch_user(struct snapmap_source *source, u64 at, u32 bytes)
{
	struct snapmap_user_source *user = container_of(source, struct snapmap_user_source,
							source);
	const void *from = (__force const void *)(user->from + at);

	prefetch(from);
	prefetch(from + bytes - 1);
}

/**
 * snapmap_user_source_init() - a batch in the caller's memory
 * @user: the source
 * @address: where the batch is
 * @bytes: its length
 */
void snapmap_user_source_init(struct snapmap_user_source *user, u64 address, u64 bytes)
{
	user->source = (struct snapmap_source){
		.read = read_user,
		.will_read = prefetch_user,
		.bytes = bytes,
	};
	user->from = u64_to_user_ptr(address);
}

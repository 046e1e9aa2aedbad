// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * table_fuzz.c - a map under any sequence of commits, pins and time
 *
 * The input is a row of steps. They fill a batch, commit it, pin versions and
 * unpin them, roll back, change how long the history is and whether pins may be
 * revoked, move time and grace periods, and let an allocation fail. A model says
 * what each commit must answer and what each snapshot must hold (promises A, B, F,
 * G) unless its pin has been revoked; the
 * library verifies the arena as a whole. Keys are those of image_key(); a value
 * follows from its number and length.
 */
#include "../../../kmod/commit.h"
#include "../../../kmod/directory.h"
#include "../../../kmod/filter.h"
#include "../../../kmod/history.h"
#include "../../../kmod/reclaim.h"
#include "../../../kmod/rollback.h"
#include "../../shim/heap.h"
#include "fuzz.h"
#include "image.h"

#define KEYS	  256
#define OPS_MAX	  64
#define PINS	  4
#define HISTORY	  8
#define STEPS	  400
#define FAIL_OFF  (-1)
#define VALUE_MAX 20000

/* What is known of a key in a snapshot; absent when @version is 0. */
struct entry {
	u64 version;
	u32 len;
	u16 number;
};

struct model {
	struct entry entry[KEYS];
};

/* Ways to make an operation that must be refused. */
enum flaw {
	SOUND,
	BAD_OPCODE,
	BAD_CONDITION,
	STRAY_VERSION,
	DELETE_WITH_VALUE,
	KEY_EMPTY,
	KEY_LONG,
	VALUE_LONG,
	FLAWS,
};

struct op {
	struct snapmap_op raw;
	enum flaw flaw;
	u8 id;
	u16 number;
};

struct pin {
	struct snapmap_snapshot *pinned;
	struct model model;
};

/* A map, what must be in it, and the batch that is being filled. */
struct state {
	struct snapmap_store store;
	struct model model;
	struct model past[HISTORY]; /* of the latest versions, each at version % HISTORY */
	struct pin pin[PINS];
	struct op op[OPS_MAX];
	u32 ops;
	u16 number;
	u64 stamp;
	long fail;

	/* A live reader that has begun to read. */
	u64 live_version;
	u64 live_root;
	struct model live_model;
};

/* The bytes of a value of that number, as many as it may have. */
static const u8 *value_of(u16 number)
{
	static u8 count[VALUE_MAX + 256];

	if (!count[1])
		for (u32 i = 0; i < sizeof(count); i++)
			count[i] = (u8)i;
	return count + (u8)(number * 31);
}

/* ------------------------------------------------------------ what must be there */

static bool holds(struct state *state, u64 root, u8 id, const struct entry *entry)
{
	const struct snapmap_view view = { .arena = &state->store.arena };
	u8 key[SNAPMAP_KEY_MAX];
	u32 len = image_key(id, key);
	struct snapmap_hit hit;

	if (!snapmap_lookup(&view, root, snapmap_hash(IMAGE_SEED, key, len), key, len, &hit))
		return !entry->version;
	return hit.version == entry->version && hit.value_len == entry->len &&
	       !memcmp(hit.value, value_of(entry->number), entry->len);
}

static bool holds_all(struct state *state, u64 root, const struct model *model)
{
	for (u32 id = 0; id < KEYS; id++)
		if (!holds(state, root, (u8)id, &model->entry[id]))
			return false;
	return true;
}

static void check_header(struct state *state, const struct snapmap_header *header)
{
	u64 entries = 0, value_bytes = 0;

	for (u32 id = 0; id < KEYS; id++) {
		entries += !!state->model.entry[id].version;
		value_bytes += state->model.entry[id].version ? state->model.entry[id].len : 0;
	}
	CHECK(header->version == state->store.version);
	CHECK(header->entries == entries && header->value_bytes == value_bytes);
	CHECK(header->stamp == state->stamp);
}

/* A pin holds what it must, or has been revoked. */
static void check_pin(struct state *state, const struct pin *pin)
{
	if (state->store.control->revoked <= pin->pinned->header.version)
		CHECK(holds_all(state, pin->pinned->root, &pin->model));
}

/* The history has the latest snapshots, of which the model knows as many as there may be. */
static void check_history(struct state *state)
{
	struct snapmap_history *history = &state->store.history;
	struct snapmap_snapshot *snapshot;
	u64 version = state->store.version;

	CHECK(history->kept && history->kept <= history->depth && history->depth <= HISTORY);
	for (u32 i = 0; i < history->kept; i++, version--) {
		snapshot = snapmap_history_find(&state->store, version);
		CHECK(snapshot->header.version == version);
		CHECK(holds_all(state, snapshot->root, &state->past[version % HISTORY]));
	}
}

static void check_snapshots(struct state *state)
{
	struct image image;

	CHECK(holds_all(state, state->store.table.root, &state->model));
	for (u32 i = 0; i < PINS; i++)
		if (state->pin[i].pinned)
			check_pin(state, &state->pin[i]);
	spin_lock(&state->store.pin_lock);
	check_history(state);
	spin_unlock(&state->store.pin_lock);
	image_of_store(&image, &state->store);
	image_verify(&image);
	check_header(state, &image.header);
	free(image.bytes);
}

/* ------------------------------------------------------------ a batch and its answer */

static void make_flawed(struct op *op)
{
	switch (op->flaw) {
	case BAD_OPCODE:
		op->raw.opcode += 2;
		break;
	case BAD_CONDITION:
		op->raw.condition = SNAPMAP_COND_VERSION + 1;
		break;
	case STRAY_VERSION:
		op->raw.condition = SNAPMAP_COND_NONE;
		op->raw.if_version = 1;
		break;
	case DELETE_WITH_VALUE:
		op->raw.opcode = SNAPMAP_OP_DELETE;
		op->raw.value_len = 1;
		break;
	case KEY_EMPTY:
		op->raw.key_len = 0;
		break;
	case KEY_LONG:
		op->raw.key_len = SNAPMAP_KEY_MAX + 1;
		break;
	case VALUE_LONG:
		op->raw.opcode = SNAPMAP_OP_PUT;
		op->raw.value_len = SNAPMAP_VALUE_MAX + 1;
		break;
	default:
		break;
	}
}

static void add_op(struct state *state, struct fuzz_input *input, u32 opcode, bool flawed)
{
	static const u32 lengths[] = { 0,   1,	 7,    8,    15,   16,	 31,   32,
				       100, 500, 1000, 1040, 1041, 1500, 4096, VALUE_MAX };
	struct op *op = &state->op[state->ops];
	u8 key[SNAPMAP_KEY_MAX];
	u8 how;

	if (state->ops == OPS_MAX)
		return;
	state->ops++;
	*op = (struct op){ .id = fuzz_u8(input), .number = ++state->number };
	how = fuzz_u8(input);
	op->raw.opcode = opcode;
	op->raw.condition = how >> 4 < 4 ? how >> 4 : SNAPMAP_COND_NONE;
	if (op->raw.condition == SNAPMAP_COND_VERSION)
		op->raw.if_version = how & 1 ? state->model.entry[op->id].version :
					       state->store.version + 1 - (how >> 1 & 3);
	op->raw.value_len = opcode == SNAPMAP_OP_PUT ? lengths[how & 15] : 0;
	op->raw.key_len = image_key(op->id, key);
	if (flawed)
		op->flaw = 1 + how % (FLAWS - 1);
	make_flawed(op);
}

/* What the operation must answer, given what was there before it. */
static int answer_of(const struct op *op, const struct model *model, u64 version, u32 flags)
{
	const struct entry *entry = &model->entry[op->id];
	bool present = entry->version;

	if (op->flaw && op->flaw < KEY_EMPTY)
		return -EINVAL;
	if (flags & SNAPMAP_COMMIT_REPLACE &&
	    (op->raw.opcode != SNAPMAP_OP_PUT || op->raw.condition != SNAPMAP_COND_NONE))
		return -EINVAL;
	if (op->flaw)
		return -EMSGSIZE;
	switch (op->raw.condition) {
	case SNAPMAP_COND_ABSENT:
		return present ? -ECANCELED : 0;
	case SNAPMAP_COND_PRESENT:
		return present ? 0 : -ECANCELED;
	case SNAPMAP_COND_VERSION:
		return present && entry->version == op->raw.if_version &&
				       entry->version != version ?
			       0 :
			       -ECANCELED;
	}
	return 0;
}

static bool apply_op(const struct op *op, struct model *model, u64 version)
{
	struct entry *entry = &model->entry[op->id];
	bool was = entry->version;

	*entry = (struct entry){};
	if (op->raw.opcode == SNAPMAP_OP_PUT)
		*entry = (struct entry){ version, op->raw.value_len, op->number };
	return was;
}

/* Plays the batch on @model: what COMMIT must say when it has all the memory it wants. */
static int play(struct state *state, struct model *model, u32 flags, bool cut,
		struct snapmap_commit *want)
{
	u64 version = state->store.version + 1;
	int err;

	if (flags & SNAPMAP_COMMIT_REPLACE)
		memset(model, 0, sizeof(*model));
	for (u32 i = 0; i < state->ops; i++) {
		want->failed_op = i;
		err = answer_of(&state->op[i], model, version, flags);
		if (cut && i + 1 == state->ops && !state->op[i].flaw && (!err || err == -ECANCELED))
			err = -EINVAL;
		if (err)
			return err;
		if (!apply_op(&state->op[i], model, version))
			want->missing += state->op[i].raw.opcode == SNAPMAP_OP_DELETE;
	}
	want->failed_op = SNAPMAP_NO_OP;
	return 0;
}

/* The batch as bytes: an allocation of its own, of exactly its size. */
static u8 *encode(struct state *state, u64 *bytes)
{
	u8 key[SNAPMAP_KEY_MAX + 1] = { 0 };
	const struct op *op;
	u8 *data = NULL;
	u32 value_len;
	u64 size;
	u8 *to;

	*bytes = 0;
	for (u32 i = 0; i < state->ops; i++) {
		op = &state->op[i];
		value_len = op->flaw ? 0 : op->raw.value_len;
		image_key(op->id, key);
		size = ALIGN(sizeof(op->raw) + op->raw.key_len + value_len, (u64)8);
		data = realloc(data, *bytes + size);
		to = data + *bytes;
		memset(to, 0, size);
		memcpy(to, &op->raw, sizeof(op->raw));
		memcpy(to + sizeof(op->raw), key, op->raw.key_len);
		memcpy(to + sizeof(op->raw) + op->raw.key_len, value_of(op->number), value_len);
		*bytes += size;
	}
	return data;
}

/* Failures for want of memory: the limit is small, and some keys share all 64 bits. */
static bool may_fail(struct state *state, int err)
{
	if (err == -ENOMEM)
		return state->fail != FAIL_OFF && shim_fail_alloc == FAIL_OFF;
	return err == -ENOSPC || err == -EOVERFLOW;
}

static void check_answer(struct state *state, int err, const struct snapmap_commit *args,
			 int want_err, const struct snapmap_commit *want, u64 version)
{
	if (err != want_err)
		CHECK(may_fail(state, err));
	else
		CHECK(args->failed_op == want->failed_op);
	CHECK(state->store.version == version + !err);
	CHECK(state->store.arena.resident <= state->store.arena.limit);
	CHECK(args->version == (!err || err == -ECANCELED ? state->store.version : 0));
	CHECK(args->missing == (err ? 0 : want->missing));
}

static int expect(struct state *state, const struct snapmap_commit *args, bool cut,
		  struct model *model, struct snapmap_commit *want)
{
	if (args->flags > (SNAPMAP_COMMIT_NOWAIT << 1) - 1)
		return -EINVAL;
	if (args->flags & SNAPMAP_COMMIT_IF_VERSION && args->if_version != state->store.version)
		return -ECANCELED;
	return play(state, model, args->flags, cut, want);
}

/* Each slot of the directory names the leaf of all its hashes, or none where there is no such leaf. */
static void check_directory(const struct snapmap_store *store)
{
	const struct snapmap_view view = { .arena = &store->arena };
	u64 word = store->table.directory, root = store->table.root;
	u32 shift = SNAPMAP_DIRECTORY_SHIFT(word);
	const u32 *slots;
	u32 first, last;

	if (!word)
		return;
	slots = snapmap_arena_at(&store->arena, SNAPMAP_DIRECTORY_BLOCK(word));
	for (u64 i = 0; i < 1ULL << SNAPMAP_DIRECTORY_WIDTH(word); i++) {
		first = snapmap_walk(&view, root, i << shift);
		last = snapmap_walk(&view, root, (i << shift) + ((1ULL << shift) - 1));
		CHECK(slots[i] == (first == last ? first : 0));
	}
}

static void published(struct state *state, const struct model *model)
{
	check_directory(&state->store);
	state->model = *model;
	state->past[state->store.version % HISTORY] = *model;
}

static void commit(struct state *state, u8 how)
{
	bool cut = (how & 0x38) == 0x38 && state->ops && !state->op[state->ops - 1].flaw;
	u64 version = state->store.version;
	struct snapmap_commit args = {}, want = { .failed_op = SNAPMAP_NO_OP };
	struct model model = state->model;
	int err, want_err;
	u64 bytes;
	u8 *data;

	args.flags = how & 7; /* replace, if-version, stamp */
	if (args.flags & SNAPMAP_COMMIT_IF_VERSION)
		args.if_version = version - !!(how & 0x40);
	if (args.flags & SNAPMAP_COMMIT_STAMP)
		args.stamp = how;
	if ((how & 0xc0) == 0xc0)
		args.flags |= SNAPMAP_COMMIT_NOWAIT << 1;
	want_err = expect(state, &args, cut, &model, &want);
	data = encode(state, &bytes);
	args.ops = (uintptr_t)data;
	args.ops_bytes = bytes - (cut ? 8 : 0);
	shim_fail_alloc = state->fail;
	err = snapmap_commit(&state->store, &args);
	check_answer(state, err, &args, want_err, &want, version);
	shim_fail_alloc = FAIL_OFF;
	state->fail = FAIL_OFF;
	free(data);
	if (!err) {
		published(state, &model);
		state->stamp = args.flags & SNAPMAP_COMMIT_STAMP ? how : state->stamp;
	}
	for (u32 i = 0; i < state->ops; i++)
		CHECK(holds(state, state->store.table.root, state->op[i].id,
			    &state->model.entry[state->op[i].id]));
	state->ops = 0;
}

/* ------------------------------------------------------------ older versions */

/* What a version is to be found as: 0, -ESTALE or -EINVAL. */
static int standing_of(struct state *state, u64 version)
{
	if (version > state->store.version)
		return -EINVAL;
	return version + state->store.history.kept > state->store.version ? 0 : -ESTALE;
}

static bool is_same(const struct entry *one, const struct entry *other)
{
	if (!one->version || !other->version)
		return !one->version && !other->version;
	return one->len == other->len &&
	       !memcmp(value_of(one->number), value_of(other->number), one->len);
}

/* Changes @model to what @to holds, and counts; what is the same stays as it is. */
static void play_rollback(struct model *model, const struct model *to, u64 version,
			  struct snapmap_rollback *want)
{
	for (u32 id = 0; id < KEYS; id++) {
		if (is_same(&model->entry[id], &to->entry[id]))
			continue;
		want->puts += !!to->entry[id].version;
		want->deletes += !to->entry[id].version;
		model->entry[id] = to->entry[id];
		if (to->entry[id].version)
			model->entry[id].version = version;
	}
}

/* The version is so many back; 0xff: one that is to come. */
static void roll_back(struct state *state, u8 back)
{
	u64 version = state->store.version, to = back == 0xff ? version + 1 : version - back % 12;
	struct snapmap_rollback args = { .to = to }, want = {};
	struct model model = state->model;
	int err, want_err;

	if (to > version + 1 || !to)
		return;
	want_err = standing_of(state, to);
	shim_fail_alloc = state->fail;
	err = snapmap_rollback(&state->store, &args);
	if (err != want_err)
		CHECK(may_fail(state, err));
	shim_fail_alloc = FAIL_OFF;
	state->fail = FAIL_OFF;
	CHECK(state->store.version == version + !err);
	if (!err) {
		play_rollback(&model, &state->past[to % HISTORY], version + 1, &want);
		published(state, &model);
	}
	CHECK(args.puts == want.puts && args.deletes == want.deletes);
	CHECK(holds_all(state, state->store.table.root, &state->model));
}

static void set_history(struct state *state, u32 depth)
{
	mutex_lock(&state->store.lock);
	CHECK(!snapmap_history_resize(&state->store, depth));
	mutex_unlock(&state->store.lock);
}

static void pin_version(struct state *state, struct pin *pin, u64 version)
{
	int want = standing_of(state, version);

	pin->pinned = snapmap_snapshot_pin(&state->store, version);
	if (want) {
		CHECK(PTR_ERR(pin->pinned) == want);
		pin->pinned = NULL;
		return;
	}
	CHECK(pin->pinned->header.version == version);
	pin->model = state->past[version % HISTORY];
	check_pin(state, pin);
}

/* ------------------------------------------------------------ readers and time */

static void toggle_pin(struct state *state, struct pin *pin, u32 back)
{
	if (pin->pinned) {
		check_pin(state, pin);
		snapmap_snapshot_unpin(&state->store, pin->pinned);
		pin->pinned = NULL;
		return;
	}
	if (back < state->store.version)
		pin_version(state, pin, state->store.version - back);
}

/* A look-up that began some steps ago ends: it is right, or finds out. */
static void live_end(struct state *state)
{
	bool right = holds_all(state, state->live_root, &state->live_model);

	CHECK(right || state->store.control->oldest > state->live_version);
}

static void live_begin(struct state *state)
{
	state->live_version = snapmap_snapshot_current(&state->store, &state->live_root);
	CHECK(state->live_version == state->store.version);
	state->live_model = state->model;
}

static void pass_time(struct state *state, u8 how)
{
	shim_grace_periods += how & 1;
	shim_now_ns += (u64)(how >> 1) * (how & 2 ? 20 : 1) * NSEC_PER_MSEC;
	if (how & 4)
		snapmap_reclaim(&state->store,
				how & 8 ? SNAPMAP_RECLAIM_NOW : SNAPMAP_RECLAIM_QUARANTINE);
	if ((how & 0x30) == 0x30)
		snapmap_arena_trim(&state->store.arena);
}

static void step(struct state *state, struct fuzz_input *input)
{
	u8 what = fuzz_u8(input);

	if (what < 0x50)
		add_op(state, input, SNAPMAP_OP_PUT, false);
	else if (what < 0x80)
		add_op(state, input, SNAPMAP_OP_DELETE, false);
	else if (what < 0x88)
		add_op(state, input, what & 1 ? SNAPMAP_OP_PUT : SNAPMAP_OP_DELETE, true);
	else if (what < 0xb0)
		commit(state, what < 0xa0 ? 0 : fuzz_u8(input));
	else if (what < 0xc0)
		toggle_pin(state, &state->pin[what % PINS], what & 4 ? fuzz_u8(input) % 12 : 0);
	else if (what < 0xd0)
		pass_time(state, fuzz_u8(input));
	else if (what < 0xd8)
		state->fail = fuzz_u8(input) % 32;
	else if (what < 0xe0)
		check_snapshots(state);
	else if (what < 0xf0)
		live_end(state);
	else if (what < 0xf8)
		live_begin(state);
	else if (what < 0xfc)
		roll_back(state, fuzz_u8(input));
	else if (what < 0xfe)
		set_history(state, 1 + fuzz_u8(input) % HISTORY);
	else
		state->store.policy ^= SNAPMAP_MAP_REVOKE;
}

/* Promise G: when nothing is wanted any more, nothing is left. */
static void finish(struct state *state)
{
	struct snapmap_commit args = { .flags = SNAPMAP_COMMIT_REPLACE };

	check_snapshots(state);
	live_end(state);
	for (u32 i = 0; i < PINS; i++)
		if (state->pin[i].pinned)
			toggle_pin(state, &state->pin[i], 0);
	set_history(state, 1);
	CHECK(!snapmap_commit(&state->store, &args));
	shim_grace_periods++;
	shim_now_ns += 2 * NSEC_PER_SEC;
	while (snapmap_reclaim(&state->store, SNAPMAP_RECLAIM_QUARANTINE))
		;
	CHECK(!snapmap_reclaim_pending(&state->store));
	CHECK(!state->store.retired_blocks && !state->store.pinned_blocks);
	CHECK(state->store.arena.used == SNAPMAP_CONTROL_BLOCKS);
	snapmap_store_exit(&state->store);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const u64 limits[] = { 256 << 10, 1 << 20, 8 << 20, 64 << 20 };
	struct fuzz_input input = { data, size };
	static struct state state;

	memset(&state, 0, sizeof(state));
	state.fail = FAIL_OFF;
	snapmap_filter_entries = 8;
	snapmap_directory_entries = 8;
	CHECK(!snapmap_store_init(&state.store, "fuzz", &heap_backing, limits[fuzz_u8(&input) % 4],
				  IMAGE_SEED, 1));
	live_begin(&state);
	for (u32 steps = 0; input.left && steps < STEPS; steps++)
		step(&state, &input);
	finish(&state);
	return 0;
}

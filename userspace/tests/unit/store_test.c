// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * store_test.c - commits, pins and reclaim of one map, against trivial models
 *
 * Keys are small numbers. The model of a snapshot is an array that says for
 * each key which value it has; the content of a value follows from its number.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "../../../kmod/commit.h"
#include "../../../kmod/history.h"
#include "../../../kmod/reclaim.h"
#include "../../shim/heap.h"
#include "broken.h"
#include "random.h"

long shim_fail_alloc = -1;
unsigned long shim_grace_periods;
u64 shim_now_ns;

#define KEYS	  400
#define VALUE_LEN 70

/* What a snapshot holds: value number of each key, 0 where it is absent. */
struct model {
	u32 value[KEYS];
};

struct batch {
	u8 *data;
	u64 bytes;
	u64 room;
};

static void batch_add(struct batch *batch, u32 opcode, u32 condition, u64 if_version,
		      const void *key, u32 key_len, const void *value, u32 value_len)
{
	struct snapmap_op op = {
		.opcode = opcode,
		.condition = condition,
		.key_len = key_len,
		.value_len = value_len,
		.if_version = if_version,
	};
	u64 bytes = ALIGN(sizeof(op) + key_len + value_len, (u64)8);
	u8 *to;

	if (batch->bytes + bytes > batch->room) {
		batch->room = 2 * (batch->bytes + bytes);
		batch->data = realloc(batch->data, batch->room);
	}
	to = batch->data + batch->bytes;
	memcpy(to, &op, sizeof(op));
	memcpy(to + sizeof(op), key, key_len);
	if (value_len)
		memcpy(to + sizeof(op) + key_len, value, value_len);
	batch->bytes += bytes;
}

static void value_of(u32 number, u8 *value)
{
	for (u32 i = 0; i < VALUE_LEN; i++)
		value[i] = (u8)(number * 31 + i);
}

static void batch_put(struct batch *batch, u32 key, u32 number)
{
	u8 value[VALUE_LEN];

	value_of(number, value);
	batch_add(batch, SNAPMAP_OP_PUT, SNAPMAP_COND_NONE, 0, &key, sizeof(key), value,
		  number % (VALUE_LEN + 1));
}

static void batch_delete(struct batch *batch, u32 key)
{
	batch_add(batch, SNAPMAP_OP_DELETE, SNAPMAP_COND_NONE, 0, &key, sizeof(key), NULL, 0);
}

static int commit(struct snapmap_store *store, struct batch *batch, u32 flags,
		  struct snapmap_commit *args)
{
	int err;

	*args = (struct snapmap_commit){
		.flags = flags,
		.ops = (uintptr_t)batch->data,
		.ops_bytes = batch->bytes,
	};
	err = snapmap_commit(store, args);
	free(batch->data);
	*batch = (struct batch){};
	return err;
}

static int setup(void **state)
{
	static struct snapmap_store store;

	memset(&store, 0, sizeof(store));
	random_init();
	*state = &store;
	return snapmap_store_init(&store, "test", &heap_backing, 64ULL << 20, random_next(), 1);
}

static int teardown(void **state)
{
	snapmap_store_exit(*state);
	return 0;
}

static void pass_time(u64 ms)
{
	shim_now_ns += ms * NSEC_PER_MSEC;
}

static void reclaim_all(struct snapmap_store *store)
{
	shim_grace_periods++;
	pass_time(2000);
	while (snapmap_reclaim(store, SNAPMAP_RECLAIM_QUARANTINE))
		;
}

static bool lookup(struct snapmap_store *store, u64 root, u32 key, struct snapmap_hit *hit)
{
	const struct snapmap_view view = { .arena = &store->arena };

	return snapmap_lookup(&view, root, snapmap_hash(store->seed, &key, sizeof(key)), &key,
			      sizeof(key), hit);
}

static bool key_matches(struct snapmap_store *store, u64 root, u32 key, u32 number)
{
	struct snapmap_hit hit;
	u8 value[VALUE_LEN];

	if (!lookup(store, root, key, &hit))
		return !number;
	value_of(number, value);
	return number && hit.value_len == number % (VALUE_LEN + 1) &&
	       !memcmp(hit.value, value, hit.value_len);
}

static void check_model(struct snapmap_store *store, u64 root, const struct model *model)
{
	for (u32 key = 0; key < KEYS; key++)
		assert_true(key_matches(store, root, key, model->value[key]));
}

/* Writes at least one entry, and so retires something wherever there is anything. */
static void random_commit(struct snapmap_store *store, struct model *model, u32 number)
{
	struct snapmap_commit args;
	struct batch batch = {};
	u32 ops = 1 + random_below(30);
	u32 key;

	while (ops--) {
		key = random_below(KEYS);
		if (!ops || random_below(3)) {
			batch_put(&batch, key, number);
			model->value[key] = number;
		} else {
			batch_delete(&batch, key);
			model->value[key] = 0;
		}
	}
	assert_int_equal(commit(store, &batch, 0, &args), 0);
	assert_int_equal(args.version, store->version);
}

#define PINS 12

/*
 * Promise B: over random commits, pins, unpins and passing time, every pinned
 * snapshot keeps its content. Promise G: in the end nothing is held back.
 */
static void test_pins_against_models(void **state)
{
	struct snapmap_store *store = *state;
	struct snapmap_snapshot *pin[PINS] = {};
	static struct model current, saved[PINS];
	u64 used;

	memset(&current, 0, sizeof(current));
	for (u32 number = 1; number <= 3000; number++) {
		u32 i = random_below(PINS);

		random_commit(store, &current, number);
		shim_grace_periods += random_below(2);
		pass_time(random_below(30));
		if (pin[i]) {
			snapmap_snapshot_unpin(store, pin[i]);
			pin[i] = NULL;
		} else {
			pin[i] = snapmap_snapshot_pin(store, 0);
			saved[i] = current;
		}
		for (i = 0; i < PINS; i++)
			if (pin[i])
				check_model(store, pin[i]->root, &saved[i]);
		check_model(store, store->table.root, &current);
	}
	for (u32 i = 0; i < PINS; i++)
		if (pin[i])
			snapmap_snapshot_unpin(store, pin[i]);
	reclaim_all(store);
	assert_false(snapmap_reclaim_pending(store));
	assert_int_equal(store->retired_blocks, 0);
	assert_int_equal(store->pinned_blocks, 0);

	/* What is left is what the current snapshot reaches: clearing it leaves nothing. */
	used = store->arena.used;
	assert_true(used > SNAPMAP_CONTROL_BLOCKS);
	assert_int_equal(commit(store, &(struct batch){}, SNAPMAP_COMMIT_REPLACE,
				&(struct snapmap_commit){}),
			 0);
	reclaim_all(store);
	assert_int_equal(store->arena.used, SNAPMAP_CONTROL_BLOCKS);
}

static struct snapmap_snapshot *pin_current(struct snapmap_store *store)
{
	return snapmap_snapshot_pin(store, 0);
}

/* The snapshot at a place of the list; the newest for its version. */
static struct snapmap_snapshot *snapshot_at(struct snapmap_store *store, u64 place)
{
	struct list_head *link = store->snapshots.next;

	while (place-- && !list_is_last(link, &store->snapshots))
		link = link->next;
	return list_entry(link, struct snapmap_snapshot, link);
}

/* However many pins a version has, commits look at one; it is gone with the last. */
static void test_pins_of_a_version_are_one_E(void **state)
{
	struct snapmap_store *store = *state;
	static struct model current;
	struct snapmap_snapshot *first = pin_current(store);

	memset(&current, 0, sizeof(current));
	assert_ptr_equal(pin_current(store), first);
	snapmap_snapshot_unpin(store, first);
	snapmap_snapshot_unpin(store, first);
	assert_ptr_equal(pin_current(store), first);
	assert_int_equal(store->pin_count, 1);
	random_commit(store, &current, 1);
	assert_ptr_not_equal(pin_current(store), first);
	snapmap_snapshot_unpin(store, first);
	assert_int_equal(store->pin_count, 1);
	random_commit(store, &current, 2);
	reclaim_all(store);
	assert_ptr_equal(snapshot_at(store, 1), snapshot_at(store, store->version));
	snapmap_snapshot_unpin(store, snapshot_at(store, 0));
	reclaim_all(store);
	assert_ptr_equal(snapshot_at(store, 0), snapshot_at(store, store->version));
}

#define MANY 60000

static void put_many(struct snapmap_store *store, u32 flags)
{
	struct batch batch = {};

	for (u32 key = 0; key < MANY; key++)
		batch_put(&batch, key, 63);
	assert_int_equal(commit(store, &batch, flags, &(struct snapmap_commit){}), 0);
}

/*
 * Promises E and I: what a pin held back is settled bit by bit, not within one
 * commit; and however it comes, it reaches the next pin or is free.
 */
static void test_no_commit_settles_all_that_a_pin_held_E(void **state)
{
	struct snapmap_store *store = *state;
	struct snapmap_snapshot *old, *new;
	u64 held, calls = 0;

	put_many(store, 0);
	old = pin_current(store);
	assert_int_equal(commit(store, &(struct batch){}, 0, &(struct snapmap_commit){}), 0);
	new = pin_current(store);
	put_many(store, SNAPMAP_COMMIT_REPLACE);
	reclaim_all(store);
	held = new->held.blocks;
	assert_true(held > MANY / 8);
	assert_int_equal(old->held.blocks, 0);
	snapmap_snapshot_unpin(store, new);
	for (; snapmap_reclaim(store, SNAPMAP_RECLAIM_QUARANTINE); calls++)
		assert_int_equal(old->held.blocks + new->held.blocks, held);
	assert_true(calls);
	assert_int_equal(old->held.blocks, held);
	assert_int_equal(store->pinned_blocks, held);
	snapmap_snapshot_unpin(store, old);
	reclaim_all(store);
	assert_int_equal(store->retired_blocks, 0);
}

static void put_one(struct snapmap_store *store)
{
	struct batch batch = {};

	batch_put(&batch, 7, 7);
	assert_int_equal(commit(store, &batch, 0, &(struct snapmap_commit){}), 0);
}

/*
 * Promise I: what large commits have retired is settled bit by bit, by those that come
 * after, and none of these waits for much of it.
 */
static void test_no_commit_settles_all_that_others_retired_I(void **state)
{
	struct snapmap_store *store = *state;
	u64 all, before;

	for (u32 i = 0; i < 5; i++)
		put_many(store, SNAPMAP_COMMIT_REPLACE);
	put_one(store);
	all = store->retired_blocks;
	assert_true(all > 4 * MANY / 8);
	pass_time(2000);
	for (before = all; before > all / 16; before = store->retired_blocks) {
		put_one(store);
		assert_true(store->retired_blocks < before);
		assert_true(before - store->retired_blocks < all / 16);
	}
}

/*
 * Promises A and D: a live reader that is overtaken at any point of its look-up
 * either gets the value of its version or finds out by control->oldest.
 */
static void test_overtaken_reader_finds_out(void **state)
{
	struct snapmap_store *store = *state;
	static struct model current, seen;
	u32 lapped = 0, intact = 0;
	u64 version, root;

	memset(&current, 0, sizeof(current));
	random_commit(store, &current, 1);
	for (u32 round = 0; round < 2000; round++) {
		version = snapmap_snapshot_current(store, &root);
		seen = current;
		for (u32 commits = random_below(4 * snapmap_quarantine_commits); commits;
		     commits--) {
			random_commit(store, &current, round + 2);
			shim_grace_periods++;
			pass_time(random_below(4));
		}
		for (u32 key = 0; key < KEYS; key += 7) {
			bool same = key_matches(store, root, key, seen.value[key]);

			assert_true(same || store->control->oldest > version);
		}
		if (store->control->oldest > version)
			lapped++;
		else
			intact++;
	}
	assert_true(lapped > 100);
	assert_true(intact > 100);
}

/*
 * (a) of reclaim.c: no reuse while a reader in the kernel may be inside who began
 * before; without one, no grace period is waited for.
 */
static void test_readers_in_the_kernel(void **state)
{
	struct snapmap_store *store = *state;
	static struct model current;
	u64 root, version;
	struct model seen;

	memset(&current, 0, sizeof(current));
	random_commit(store, &current, 1);
	snapmap_store_read_lock(store);
	version = snapmap_snapshot_current(store, &root);
	seen = current;
	for (u32 number = 2; number < 200; number++) {
		random_commit(store, &current, number);
		pass_time(2000);
	}
	check_model(store, root, &seen);
	assert_true(store->control->oldest <= version);

	/* Once a grace period has passed, whoever is inside began later. */
	reclaim_all(store);
	assert_int_equal(store->control->oldest, store->version);
	random_commit(store, &current, 200);
	pass_time(2000);
	snapmap_reclaim(store, SNAPMAP_RECLAIM_QUARANTINE);
	assert_true(store->control->oldest < store->version);

	snapmap_store_read_unlock(store);
	snapmap_reclaim(store, SNAPMAP_RECLAIM_QUARANTINE);
	assert_int_equal(store->control->oldest, store->version);
	assert_int_equal(store->retired_blocks, 0);
	check_model(store, store->table.root, &current);
}

/* (a) and (b) of reclaim.c: no reuse before readers have gone and the quarantine is over. */
static void test_quarantine(void **state)
{
	struct snapmap_store *store = *state;
	static struct model current;
	u64 retired;

	memset(&current, 0, sizeof(current));
	random_commit(store, &current, 1);
	reclaim_all(store);
	random_commit(store, &current, 2);
	retired = store->retired_blocks;
	assert_true(retired > 0);

	snapmap_store_read_lock(store);
	pass_time(5000);
	snapmap_reclaim(store, SNAPMAP_RECLAIM_QUARANTINE);
	assert_int_equal(store->retired_blocks, retired); /* somebody inside, no grace period yet */
	snapmap_store_read_unlock(store);

	reclaim_all(store);
	for (u32 number = 3; number < 3 + 2 * snapmap_quarantine_commits; number++)
		random_commit(store, &current, number);
	retired = store->retired_blocks;
	snapmap_reclaim(store, SNAPMAP_RECLAIM_QUARANTINE);
	assert_int_equal(store->retired_blocks, retired); /* too young */

	shim_now_ns += snapmap_quarantine_us * NSEC_PER_USEC;
	snapmap_reclaim(store, SNAPMAP_RECLAIM_QUARANTINE);
	assert_true(store->retired_blocks < retired);
	snapmap_reclaim(store, SNAPMAP_RECLAIM_QUARANTINE);
	assert_true(store->retired_blocks > 0); /* too few commits */

	pass_time(1000);
	snapmap_reclaim(store, SNAPMAP_RECLAIM_QUARANTINE);
	assert_int_equal(store->retired_blocks, 0);
	assert_int_equal(store->control->oldest, store->version);
}

/* At the limit the quarantine is cut short. */
static void test_limit_cuts_quarantine(void **state)
{
	struct snapmap_store *store = *state;
	struct snapmap_commit args;
	struct batch batch = {};
	static u8 value[SNAPMAP_VALUE_MAX];

	for (u32 round = 0; round < 100; round++) {
		for (u32 key = 0; key < 20; key++)
			batch_add(&batch, SNAPMAP_OP_PUT, 0, 0, &key, sizeof(key), value,
				  sizeof(value));
		assert_int_equal(commit(store, &batch, 0, &args), 0);
		assert_true(store->arena.resident <= store->arena.limit);
	}
}

static void test_conditions(void **state)
{
	static const struct {
		u32 condition;
		u64 if_version;
		bool holds_absent;
		bool holds_present;
	} cases[] = {
		{ SNAPMAP_COND_NONE, 0, true, true },
		{ SNAPMAP_COND_ABSENT, 0, true, false },
		{ SNAPMAP_COND_PRESENT, 0, false, true },
		{ SNAPMAP_COND_VERSION, 2, false, true },
		{ SNAPMAP_COND_VERSION, 1, false, false },
		{ SNAPMAP_COND_VERSION, 0, false, false },
	};
	struct snapmap_store *store = *state;
	struct snapmap_commit args;
	struct batch batch = {};
	u32 absent, present = 1000;
	int err;

	batch_put(&batch, present, 1);
	assert_int_equal(commit(store, &batch, 0, &args), 0);
	for (u32 i = 0; i < ARRAY_SIZE(cases); i++) {
		absent = 2000 + i;
		batch_add(&batch, SNAPMAP_OP_PUT, cases[i].condition, cases[i].if_version, &absent,
			  sizeof(absent), "v", 1);
		err = commit(store, &batch, 0, &args);
		assert_int_equal(err, cases[i].holds_absent ? 0 : -ECANCELED);
		assert_int_equal(args.failed_op, err ? 0 : SNAPMAP_NO_OP);

		batch_put(&batch, 3000 + i, 1);
		batch_add(&batch, SNAPMAP_OP_DELETE, cases[i].condition, cases[i].if_version,
			  &present, sizeof(present), NULL, 0);
		batch_put(&batch, present, 7);
		err = commit(store, &batch, 0, &args);
		assert_int_equal(err, cases[i].holds_present ? 0 : -ECANCELED);
		assert_int_equal(args.failed_op, err ? 1 : SNAPMAP_NO_OP);
		assert_int_equal(args.version, store->version);
		assert_true(key_matches(store, store->table.root, 3000 + i, err ? 0 : 1));

		/* Version 2 again for the next case. */
		batch_put(&batch, present, 1);
		store->version = 1;
		assert_int_equal(commit(store, &batch, 0, &args), 0);
	}
}

/* A key that the batch itself has written has no version yet to be compared. */
static void test_condition_within_batch(void **state)
{
	struct snapmap_store *store = *state;
	struct snapmap_commit args;
	struct batch batch = {};
	u32 key = 5;

	batch_put(&batch, key, 1);
	batch_add(&batch, SNAPMAP_OP_PUT, SNAPMAP_COND_VERSION, 2, &key, sizeof(key), "", 0);
	assert_int_equal(commit(store, &batch, 0, &args), -ECANCELED);
	assert_int_equal(args.failed_op, 1);
	assert_int_equal(store->version, 1);
	assert_int_equal(store->conflicts, 1);
}

/* Promise F: each allocation of a commit fails once, and nothing has changed. */
static void test_every_allocation_fails(void **state)
{
	struct snapmap_store *store = *state;
	static u8 value[SNAPMAP_VALUE_MAX];
	struct snapmap_commit args;
	static struct model current;
	struct batch batch = {};
	u64 used;
	long n;
	int err = -ENOMEM;

	memset(&current, 0, sizeof(current));
	random_commit(store, &current, 1);
	reclaim_all(store);
	used = store->arena.used;
	for (n = 0; err; n++) {
		for (u32 key = 0; key < KEYS; key++)
			batch_put(&batch, key, 100000);
		for (u32 key = KEYS; key < KEYS + 5; key++)
			batch_add(&batch, SNAPMAP_OP_PUT, 0, 0, &key, sizeof(key), value,
				  sizeof(value) - key);
		snapmap_arena_trim(&store->arena);
		shim_fail_alloc = n;
		err = commit(store, &batch, 0, &args);
		shim_fail_alloc = -1;
		if (!err)
			break;
		assert_int_equal(err, -ENOMEM);
		assert_int_equal(store->version, 2);
		assert_int_equal(store->arena.used, used);
		assert_int_equal(store->retired_blocks, 0);
		check_model(store, store->table.root, &current);
	}
	assert_true(n >= 10);
	assert_int_equal(store->failures, n);
}

static int put_zeroes(struct snapmap_store *store, u32 key, u32 value_len)
{
	static const u8 zeroes[SNAPMAP_VALUE_MAX];
	struct snapmap_commit args;
	struct batch batch = {};

	batch_add(&batch, SNAPMAP_OP_PUT, 0, 0, &key, sizeof(key), zeroes, value_len);
	return commit(store, &batch, 0, &args);
}

static void give_back_all(struct snapmap_store *store)
{
	reclaim_all(store);
	snapmap_arena_trim(&store->arena);
}

/* Puts until one is refused, and lets time pass now and then; returns the refused key. */
static u32 fill_up(struct snapmap_store *store, u32 value_len)
{
	struct snapmap_record record;
	struct snapmap_hit hit;
	u32 key = 0;
	int err;

	while (!(err = put_zeroes(store, key, value_len))) {
		assert_true(lookup(store, store->table.root, key, &hit));
		assert_int_equal(hit.value_len, value_len);
		assert_int_equal(store->table.entries, ++key);
		assert_true(snapmap_history_record(store, store->version, &record));
		assert_int_equal(record.puts, 1);
		if (!random_below(4))
			give_back_all(store);
	}
	assert_int_equal(err, -ENOSPC);
	return key;
}

/*
 * Promises F and G: what is refused at the limit is refused again when all that
 * was waiting has been given back, for the limit is used to its end.
 */
static void test_refused_at_the_limit_stays_refused_F_G(void **state)
{
	static const u32 limits[] = { SNAPMAP_LIMIT_MIN, 300 << 10, 1 << 20, 5 << 20 };
	static const u32 lengths[] = { 2000, 9000, 50000 };
	struct snapmap_store *store = *state;
	u32 i, value_len, refused;

	for (i = 0; i < 4 * ARRAY_SIZE(limits) * ARRAY_SIZE(lengths); i++) {
		value_len = lengths[i / ARRAY_SIZE(limits) % ARRAY_SIZE(lengths)];
		snapmap_store_exit(store);
		memset(store, 0, sizeof(*store));
		assert_int_equal(snapmap_store_init(store, "test", &heap_backing,
						    limits[i % ARRAY_SIZE(limits)], random_next(),
						    1),
				 0);
		refused = fill_up(store, value_len);
		give_back_all(store);
		assert_int_equal(put_zeroes(store, refused, value_len), -ENOSPC);
	}
}

/*
 * Each commit takes 1 ms. Readers in the kernel come and go so that somebody is always
 * inside, and grace periods last for 1 to 40 commits, in turn, some of them longer
 * than the quarantine.
 */
static void steady_commit(struct snapmap_store *store, u32 keys, u32 round)
{
	static u32 left, last;
	struct snapmap_commit args;
	struct batch batch = {};

	for (u32 i = 0; i < keys; i++)
		batch_put(&batch, (round * 7 + i) % KEYS, round);
	pass_time(1);
	if (!left--) {
		shim_grace_periods++;
		last = last % 40 + 1;
		left = last;
	}
	assert_int_equal(commit(store, &batch, 0, &args), 0);
	if (round % 1000 == 0)
		assert_true(snapmap_spare_trim(store));
}

#define MEASURED 10000 /* commits */

/* How many allocations the last 10,000 of 12,000 commits make. */
static long steady_allocations(struct snapmap_store *store, u32 keys)
{
	const unsigned int commits = snapmap_quarantine_commits;
	const long many = 1L << 40;
	long count;

	snapmap_quarantine_commits = 16;
	snapmap_store_read_lock(store);
	for (u32 round = 0; round < 2000 + MEASURED; round++) {
		if (round == 2000)
			shim_fail_alloc = many;
		steady_commit(store, keys, round);
	}
	snapmap_store_read_unlock(store);
	snapmap_quarantine_commits = commits;
	count = many - shim_fail_alloc;
	shim_fail_alloc = -1;
	return count;
}

/*
 * By chance a leaf may find no room in one piece, about once in a hundred runs, and
 * the arena grows by a chunk: then the next run has it. Who keeps nothing allocates
 * in each commit, and is told at once.
 */
static bool soon_allocates_nothing(struct snapmap_store *store, u32 keys)
{
	long allocations = 1;

	for (u32 tries = 0; allocations && allocations < MEASURED / 10 && tries < 10; tries++)
		allocations = steady_allocations(store, keys);
	return !allocations;
}

/* Promise I, and G: what is kept for that goes when no commits come. */
static void test_steady_stream_allocates_nothing(void **state)
{
	struct snapmap_store *store = *state;
	u64 resident = store->arena.resident;
	struct snapmap_commit args;
	struct batch batch = {};

	assert_true(soon_allocates_nothing(store, 1));
	assert_true(soon_allocates_nothing(store, 100));
	assert_true(store->spare.retired.count > 0);
	assert_non_null(store->spare.window);
	assert_int_equal(commit(store, &batch, SNAPMAP_COMMIT_REPLACE, &args), 0);
	reclaim_all(store);
	assert_true(snapmap_spare_trim(store));
	assert_false(snapmap_spare_trim(store));
	assert_int_equal(store->spare.retired.count, 0);
	assert_int_equal(store->spare.snapshots.count, 0);
	assert_null(store->spare.window);
	assert_int_equal(store->arena.resident, resident);
}

/* A burst needs many records; when commits are few again, they go by halves. */
static void test_spare_follows_use(void **state)
{
	struct snapmap_store *store = *state;
	struct snapmap_commit args;
	struct batch batch = {};
	u32 most;

	for (u32 i = 0; i < 1000; i++) {
		batch_put(&batch, i % KEYS, i);
		assert_int_equal(commit(store, &batch, 0, &args), 0);
	}
	reclaim_all(store);
	most = store->spare.retired.count;
	assert_true(most >= 999);
	for (u32 i = 0; i < 12; i++) {
		assert_true(snapmap_spare_trim(store));
		batch_put(&batch, i, i);
		assert_int_equal(commit(store, &batch, 0, &args), 0);
		assert_true(store->spare.retired.count <= most);
		most = store->spare.retired.count;
	}
	assert_true(most <= 64);
	assert_true(store->spare.snapshots.count <= 64);
}

static void test_malformed_batches(void **state)
{
	struct snapmap_store *store = *state;
	struct snapmap_commit args;
	struct batch batch = {};

	for (u32 cut = 8; cut <= 80; cut += 8) {
		batch_put(&batch, 1, 60);
		batch_put(&batch, 2, 60);
		assert_true(batch.bytes == 160);
		batch.bytes -= cut;
		assert_int_equal(commit(store, &batch, 0, &args), cut == 80 ? 0 : -EINVAL);
		assert_int_equal(args.failed_op, cut == 80 ? SNAPMAP_NO_OP : 1);
	}
	assert_int_equal(store->version, 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_pins_against_models),
		TEST(test_pins_of_a_version_are_one_E),
		TEST(test_no_commit_settles_all_that_a_pin_held_E),
		TEST(test_no_commit_settles_all_that_others_retired_I),
		TEST(test_overtaken_reader_finds_out),
		TEST(test_readers_in_the_kernel),
		TEST(test_quarantine),
		TEST(test_limit_cuts_quarantine),
		TEST(test_conditions),
		TEST(test_condition_within_batch),
		TEST(test_every_allocation_fails),
		TEST(test_refused_at_the_limit_stays_refused_F_G),
		TEST(test_steady_stream_allocates_nothing),
		TEST(test_spare_follows_use),
		TEST(test_malformed_batches),
	};

	return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}

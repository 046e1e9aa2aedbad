// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * version_test.c - the history of a map, revoked pins and rollback, against models
 *
 * Keys are small numbers, values are numbers too. The model of a version is an
 * array that says for each key which value it has, 0 where it is absent.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "../../../kmod/commit.h"
#include "../../../kmod/history.h"
#include "../../../kmod/reclaim.h"
#include "../../../kmod/rollback.h"
#include "../../shim/heap.h"
#include "broken.h"
#include "random.h"

long shim_fail_alloc = -1;
unsigned long shim_grace_periods;
u64 shim_now_ns;

#define KEYS	 300
#define VERSIONS 600

struct op {
	struct snapmap_op op;
	u32 key;
	u32 value;
};

struct model {
	u32 value[KEYS];
};

static struct model models[VERSIONS + 1]; /* by version */

static int setup_limit(void **state, u64 limit)
{
	static struct snapmap_store store;

	memset(&store, 0, sizeof(store));
	memset(models, 0, sizeof(models));
	random_init();
	*state = &store;
	return snapmap_store_init(&store, "test", &heap_backing, limit, random_next(), 1);
}

static int setup(void **state)
{
	return setup_limit(state, 64ULL << 20);
}

static int setup_small(void **state)
{
	return setup_limit(state, 160ULL << 10);
}

static int teardown(void **state)
{
	snapmap_store_exit(*state);
	return 0;
}

static u64 reclaim_all(struct snapmap_store *store)
{
	shim_grace_periods++;
	shim_now_ns += 2 * NSEC_PER_SEC;
	while (snapmap_reclaim(store, SNAPMAP_RECLAIM_QUARANTINE))
		;
	return store->arena.used;
}

static int commit(struct snapmap_store *store, struct op *ops, u32 count,
		  struct snapmap_commit *args)
{
	args->ops = (uintptr_t)ops;
	args->ops_bytes = count * sizeof(*ops);
	return snapmap_commit(store, args);
}

static struct op put(u32 key, u32 value)
{
	return (struct op){
		.op = { .opcode = SNAPMAP_OP_PUT, .key_len = 4, .value_len = 4 },
		.key = key,
		.value = value,
	};
}

/* Changes up to @most keys, and the model of the version to come. */
static int random_commit(struct snapmap_store *store, u32 most)
{
	struct model *next = &models[store->version + 1];
	struct snapmap_commit args = {};
	u32 count = 1 + random_below(most);
	struct op ops[KEYS];

	*next = models[store->version];
	for (u32 i = 0; i < count; i++) {
		u32 key = random_below(KEYS);

		ops[i] = put(key, (u32)store->version + 1);
		next->value[key] = ops[i].value;
		if (random_below(3))
			continue;
		ops[i].op.opcode = SNAPMAP_OP_DELETE;
		ops[i].op.value_len = 0;
		next->value[key] = 0;
	}
	return commit(store, ops, count, &args);
}

static u32 value_at(struct snapmap_store *store, u64 root, u32 key)
{
	const struct snapmap_view view = { .arena = &store->arena };
	struct snapmap_hit hit;

	if (!snapmap_lookup(&view, root, snapmap_hash(store->seed, &key, sizeof(key)), &key,
			    sizeof(key), &hit))
		return 0;
	assert_int_equal(hit.value_len, 4);
	return *(const u32 *)hit.value;
}

static void check(struct snapmap_store *store, u64 root, u64 version)
{
	for (u32 key = 0; key < KEYS; key++)
		assert_int_equal(value_at(store, root, key), models[version].value[key]);
}

static u64 oldest_kept(struct snapmap_store *store)
{
	return snapmap_history_oldest(store);
}

/* Promise B: all that the history keeps can be pinned and is as it was; G: nothing else is left. */
static void test_history(void **state)
{
	struct snapmap_store *store = *state;
	u64 version, depth = 1, used;

	while (store->version < VERSIONS) {
		assert_int_equal(random_commit(store, 5), 0);
		shim_grace_periods++;
		shim_now_ns += random_below(30) * NSEC_PER_MSEC;
		if (!random_below(20)) {
			depth = 1 + random_below(random_below(2) ? 100 : 3);
			assert_int_equal(snapmap_history_resize(store, depth), 0);
		}
		assert_true(store->version - oldest_kept(store) < depth);
		for (version = 1; version <= store->version + 1; version++) {
			struct snapmap_snapshot *pin = snapmap_snapshot_pin(store, version);

			if (version > store->version) {
				assert_int_equal(PTR_ERR(pin), -EINVAL);
			} else if (version < oldest_kept(store)) {
				assert_int_equal(PTR_ERR(pin), -ESTALE);
			} else {
				assert_int_equal(pin->header.version, version);
				if (!random_below(10))
					check(store, pin->root, version);
				snapmap_snapshot_unpin(store, pin);
			}
		}
	}
	assert_int_equal(snapmap_history_resize(store, 1), 0);
	assert_int_equal(oldest_kept(store), store->version);
	used = reclaim_all(store);
	assert_int_equal(store->retired_blocks, 0);
	assert_int_equal(store->pinned_blocks, 0);
	assert_false(snapmap_reclaim_pending(store));
	assert_true(used > SNAPMAP_CONTROL_BLOCKS);
}

/* A history that grows begins to keep what comes from then on; records tell of each version. */
static void test_log(void **state)
{
	struct snapmap_store *store = *state;
	struct snapmap_commit args = { .flags = SNAPMAP_COMMIT_STAMP, .stamp = 77 };
	struct snapmap_record record;
	struct op ops[] = { put(1, 1), put(2, 2), put(1, 3), put(9, 0) };

	ops[3].op.opcode = SNAPMAP_OP_DELETE;
	ops[3].op.value_len = 0;
	assert_int_equal(snapmap_history_resize(store, 3), 0);
	assert_int_equal(commit(store, ops, 4, &args), 0);
	assert_int_equal(args.missing, 1);
	assert_true(snapmap_history_record(store, 0, &record));
	assert_int_equal(record.header.version, 1);
	assert_true(snapmap_history_record(store, 2, &record));
	assert_int_equal(record.header.version, 2);
	assert_int_equal(record.header.stamp, 77);
	assert_int_equal(record.header.entries, 2);
	assert_int_equal(record.puts, 3);
	assert_int_equal(record.deletes, 0);
	assert_int_equal(record.blocks_copied, args.blocks_copied);
	assert_int_equal(record.pid, 1);
	assert_false(snapmap_history_record(store, 3, &record));
	assert_int_equal(record.header.version, 3);
	for (int i = 0; i < 5; i++)
		assert_int_equal(commit(store, &ops[3], 1, &(struct snapmap_commit){}), 0);
	assert_true(snapmap_history_record(store, 2, &record));
	assert_int_equal(record.header.version, 5);
	assert_int_equal(record.header.stamp, 77);
}

/* At the limit the history gets shorter before a commit fails; the oldest go first. */
static void test_history_gives_way(void **state)
{
	struct snapmap_store *store = *state;
	u64 shortest = U64_MAX;

	assert_int_equal(snapmap_history_resize(store, SNAPMAP_HISTORY_MAX), 0);
	while (store->version < VERSIONS) {
		assert_int_equal(random_commit(store, KEYS), 0);
		shortest = min(shortest, store->version - oldest_kept(store));
		check(store, snapmap_snapshot_pin(store, oldest_kept(store))->root,
		      oldest_kept(store));
		snapmap_snapshot_unpin(store, snapmap_history_find(store, oldest_kept(store)));
	}
	assert_true(oldest_kept(store) > 10);
	assert_true(store->arena.resident <= store->arena.limit);
}

#define PINS 40

/* A pin is either as it was or known to be revoked, and the oldest are revoked first. */
static void check_pins(struct snapmap_store *store, struct snapmap_snapshot **pins, u32 count)
{
	for (u32 i = 0; i < count; i++) {
		if (!pins[i])
			continue;
		assert_int_equal(snapmap_snapshot_is_revoked(store, pins[i]->header.version),
				 pins[i]->revoked);
		if (!pins[i]->revoked)
			check(store, pins[i]->root, pins[i]->header.version);
	}
}

/* Promises B and G: with the policy no commit fails for pins, and no pin shows wrong data. */
static void test_revoke(void **state)
{
	struct snapmap_store *store = *state;
	struct snapmap_snapshot *pins[PINS] = {};
	u32 revoked = 0;

	store->policy = SNAPMAP_MAP_REVOKE;
	assert_int_equal(snapmap_history_resize(store, 4), 0);
	while (store->version < VERSIONS) {
		u32 i = random_below(PINS);

		if (pins[i]) {
			revoked += pins[i]->revoked;
			snapmap_snapshot_unpin(store, pins[i]);
			pins[i] = NULL;
		} else {
			pins[i] = snapmap_snapshot_pin(
				store, oldest_kept(store) + random_below(store->version + 1 -
									 oldest_kept(store)));
		}
		assert_int_equal(random_commit(store, KEYS), 0);
		check_pins(store, pins, PINS);
	}
	assert_true(revoked > 0);
	for (u32 i = 0; i < PINS; i++)
		if (pins[i])
			snapmap_snapshot_unpin(store, pins[i]);
	reclaim_all(store);
	assert_int_equal(store->pin_count, 0);
	assert_int_equal(snapmap_history_resize(store, 1), 0);
	reclaim_all(store);
	assert_int_equal(store->retired_blocks, 0);
}

/* Without the policy the commit fails, and the pin stays as it is. */
static void test_refuse(void **state)
{
	struct snapmap_store *store = *state;
	struct snapmap_snapshot *pins[VERSIONS];
	u32 count = 0;
	u64 version;
	int err;

	do {
		pins[count++] = snapmap_snapshot_pin(store, 0);
		version = store->version;
		err = random_commit(store, KEYS);
	} while (!err && count < VERSIONS - 2);
	assert_int_equal(err, -ENOSPC);
	assert_int_equal(store->version, version);
	assert_int_equal(store->control->revoked, 0);
	check_pins(store, pins, count);
	while (count--)
		snapmap_snapshot_unpin(store, pins[count]);
	assert_int_equal(random_commit(store, KEYS), 0);
}

/* Promises A and B: after a rollback the content is that of the version, and of none other. */
static void test_rollback(void **state)
{
	struct snapmap_store *store = *state;
	struct snapmap_record record;
	u64 to, before;

	assert_int_equal(snapmap_history_resize(store, 50), 0);
	while (store->version < VERSIONS) {
		assert_int_equal(random_commit(store, random_below(5) ? 3 : KEYS), 0);
		shim_grace_periods++;
		shim_now_ns += random_below(30) * NSEC_PER_MSEC;
		if (random_below(4) || store->version == VERSIONS)
			continue;
		to = oldest_kept(store) + random_below(store->version + 1 - oldest_kept(store));
		before = store->version;

		struct snapmap_rollback args = { .to = to };

		assert_int_equal(snapmap_rollback(store, &args), 0);
		assert_int_equal(args.version, before + 1);
		models[before + 1] = models[to];
		check(store, store->table.root, to);
		check(store, snapmap_history_find(store, before)->root, before);
		assert_true(snapmap_history_record(store, before + 1, &record));
		assert_int_equal(record.rolled_back_to, to);
		assert_int_equal(record.puts, args.puts);
		assert_int_equal(
			record.header.entries,
			snapmap_history_find(store, to == before + 1 - 50 ? 0 : to)->header.entries);
	}
}

/* Promise I: a rollback costs what differs. F: what cannot be done changes nothing. */
static void test_rollback_costs_the_difference(void **state)
{
	struct snapmap_store *store = *state;
	struct snapmap_rollback args = { .to = 2 };
	static struct op ops[100000];

	for (u32 i = 0; i < ARRAY_SIZE(ops); i++)
		ops[i] = put(i, 1);
	assert_int_equal(snapmap_history_resize(store, 3), 0);
	assert_int_equal(commit(store, ops, ARRAY_SIZE(ops), &(struct snapmap_commit){}), 0);
	for (u32 i = 0; i < 10; i++)
		ops[i] = put(i, 2);
	ops[10] = put(ARRAY_SIZE(ops), 2);
	assert_int_equal(commit(store, ops, 11, &(struct snapmap_commit){}), 0);
	assert_int_equal(snapmap_rollback(store, &args), 0);
	assert_int_equal(args.puts, 10);
	assert_int_equal(args.deletes, 1);
	assert_true(args.blocks_copied < 11 * 12);
	assert_int_equal(value_at(store, store->table.root, 5), 1);

	args = (struct snapmap_rollback){ .to = 1 };
	assert_int_equal(snapmap_rollback(store, &args), -ESTALE);
	args = (struct snapmap_rollback){ .to = 5 };
	assert_int_equal(snapmap_rollback(store, &args), -EINVAL);
	args = (struct snapmap_rollback){ .to = 0 };
	assert_int_equal(snapmap_rollback(store, &args), -EINVAL);
	args = (struct snapmap_rollback){ .to = 3, .flags = SNAPMAP_COMMIT_REPLACE };
	assert_int_equal(snapmap_rollback(store, &args), -EINVAL);
	args = (struct snapmap_rollback){ .to = 3,
					  .flags = SNAPMAP_COMMIT_IF_VERSION,
					  .if_version = 3 };
	assert_int_equal(snapmap_rollback(store, &args), -ECANCELED);
	assert_int_equal(args.version, 4);
	assert_int_equal(store->version, 4);
	for (shim_fail_alloc = 0;; shim_fail_alloc++) {
		long n = shim_fail_alloc;

		snapmap_arena_trim(&store->arena);
		args = (struct snapmap_rollback){ .to = 3 };
		if (!snapmap_rollback(store, &args))
			break;
		assert_int_equal(store->version, 4);
		assert_int_equal(value_at(store, store->table.root, 5), 1);
		shim_fail_alloc = n;
	}
	shim_fail_alloc = -1;
	assert_int_equal(store->version, 5);
	assert_int_equal(value_at(store, store->table.root, 5), 2);
}

/* A delayed or repeated feed does not go back. */
static void test_stamp_grows(void **state)
{
	static const struct {
		u32 flags;
		u64 stamp;
		int err;
	} rows[] = {
		{ SNAPMAP_COMMIT_STAMP | SNAPMAP_COMMIT_STAMP_GROWS, 0, -EALREADY },
		{ SNAPMAP_COMMIT_STAMP | SNAPMAP_COMMIT_STAMP_GROWS, 5, 0 },
		{ SNAPMAP_COMMIT_STAMP | SNAPMAP_COMMIT_STAMP_GROWS, 5, -EALREADY },
		{ SNAPMAP_COMMIT_STAMP | SNAPMAP_COMMIT_STAMP_GROWS, 4, -EALREADY },
		{ 0, 0, 0 },
		{ SNAPMAP_COMMIT_STAMP | SNAPMAP_COMMIT_STAMP_GROWS, 5, -EALREADY },
		{ SNAPMAP_COMMIT_STAMP, 3, 0 },
		{ SNAPMAP_COMMIT_STAMP | SNAPMAP_COMMIT_STAMP_GROWS, 4, 0 },
		{ SNAPMAP_COMMIT_STAMP_GROWS, 0, -EINVAL },
	};
	struct snapmap_store *store = *state;
	u64 version;

	for (u32 i = 0; i < ARRAY_SIZE(rows); i++) {
		struct snapmap_commit args = { .flags = rows[i].flags, .stamp = rows[i].stamp };

		version = store->version;
		assert_int_equal(commit(store, NULL, 0, &args), rows[i].err);
		assert_int_equal(store->version, version + !rows[i].err);
		assert_int_equal(args.version, rows[i].err == -EINVAL ? 0 : store->version);
	}
	assert_int_equal(store->stamp, 4);
}

#define TEST(name)	 cmocka_unit_test_setup_teardown(name, setup, teardown)
#define TEST_SMALL(name) cmocka_unit_test_setup_teardown(name, setup_small, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_history),
		TEST(test_log),
		TEST_SMALL(test_history_gives_way),
		TEST_SMALL(test_revoke),
		TEST_SMALL(test_refuse),
		TEST(test_rollback),
		TEST(test_rollback_costs_the_difference),
		TEST(test_stamp_grows),
	};

	return cmocka_run_group_tests_name("version", tests, NULL, NULL);
}

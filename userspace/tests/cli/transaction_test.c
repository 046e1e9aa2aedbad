// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * transaction_test.c - the library's transactions, rollbacks and sets of pins
 * against the module; for a guest, as root
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Needs what is above. */
#include <cmocka.h>

#include "../../lib/map.h"

#define NAME "library-txn"
#define MAPS 3

struct fixture {
	struct snapmap *maps[MAPS];
	struct snapmap_batch *batch;
	struct snapmap_transaction *txn;
};

static const char *name_of(int n)
{
	static const char *const names[MAPS] = { NAME "-a", NAME "-b", NAME "-c" };

	return names[n];
}

static int setup(void **state)
{
	struct snapmap_create_opts opts = {
		.mode = 0600,
		.history = 8,
		.lease_ms = SNAPMAP_LEASE_MAX, /* however slow the machine */
	};
	static struct fixture fixture;
	int i;

	*state = &fixture;
	fixture.batch = snapmap_batch_new();
	fixture.txn = NULL;
	for (i = 0; i < MAPS; i++)
		if (snapmap_create(name_of(i), &opts) ||
		    snapmap_open(name_of(i), O_RDWR, &fixture.maps[i]))
			return -1;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;
	int i;

	snapmap_txn_free(fixture->txn);
	snapmap_batch_free(fixture->batch);
	for (i = 0; i < MAPS; i++) {
		snapmap_close(fixture->maps[i]);
		snapmap_destroy(name_of(i));
	}
	return 0;
}

static int put_with(struct fixture *fixture, const char *key, const char *value,
		    const struct snapmap_commit_opts *opts)
{
	snapmap_batch_clear(fixture->batch);
	assert_int_equal(snapmap_batch_put(fixture->batch, key, strlen(key), value, strlen(value)),
			 0);
	return snapmap_commit(fixture->maps[0], fixture->batch, opts, NULL);
}

static void begin(struct fixture *fixture, uint32_t lease_ms)
{
	struct snapmap_txn_opts opts = { .lease_ms = lease_ms };

	assert_int_equal(snapmap_txn_new(fixture->maps[0], &opts, &fixture->txn), 0);
}

static void begin_put(struct fixture *fixture, const char *key, const char *value)
{
	begin(fixture, 0);
	assert_int_equal(snapmap_txn_put(fixture->txn, key, strlen(key), value, strlen(value)), 0);
}

static void assert_value(struct snapmap *map, const char *key, const char *want)
{
	struct snapmap_found found;
	char value[64];
	int err = snapmap_get(map, key, strlen(key), value, sizeof(value), &found);

	if (!want) {
		assert_int_equal(err, -ENOENT);
		return;
	}
	assert_int_equal(err, 0);
	assert_int_equal(found.value_len, strlen(want));
	assert_memory_equal(value, want, found.value_len);
}

static void assert_state(struct fixture *fixture, uint32_t state)
{
	struct snapmap_txn_info info;

	assert_int_equal(snapmap_txn_info(fixture->txn, 0, &info), 0);
	assert_int_equal(info.state, state);
}

static void test_commit(void **state)
{
	struct fixture *fixture = *state;
	struct snapmap_txn_result result;
	struct snapmap_txn_info info;

	begin_put(fixture, "k", "v");
	assert_int_equal(snapmap_txn_delete(fixture->txn, "none", 4), 0);
	assert_value(fixture->maps[0], "k", NULL);
	assert_int_equal(snapmap_txn_commit(fixture->txn, NULL, &result), 0);
	assert_int_equal(result.version, 2);
	assert_value(fixture->maps[0], "k", "v");
	assert_int_equal(snapmap_txn_info(fixture->txn, 0, &info), 0);
	assert_int_equal(info.state, SNAPMAP_TXN_COMMITTED);
	assert_int_equal(info.version, 2);
	assert_int_equal(info.puts, 1);
	assert_int_equal(info.missing, 1);
	assert_int_equal(snapmap_txn_put(fixture->txn, "k", 1, "w", 1), -EBADFD);
	assert_int_equal(snapmap_txn_commit(fixture->txn, NULL, NULL), -EBADFD);
	assert_int_equal(snapmap_txn_info(fixture->txn, 1, &info), -EINVAL);
}

static void test_prepared_is_not_seen(void **state)
{
	struct fixture *fixture = *state;
	struct snapmap_txn_info info;
	struct snapmap_info map_info;

	begin_put(fixture, "k", "v");
	assert_int_equal(snapmap_txn_prepare(fixture->txn, NULL, NULL), 0);
	assert_value(fixture->maps[0], "k", NULL);
	assert_int_equal(snapmap_version(fixture->maps[0]), 1);
	assert_int_equal(snapmap_txn_info(fixture->txn, 0, &info), 0);
	assert_int_equal(info.state, SNAPMAP_TXN_PREPARED);
	assert_int_equal(info.version, 2);
	assert_true(info.lease_left_ns > 0);
	assert_int_equal(snapmap_info(fixture->maps[0], &map_info), 0);
	assert_int_equal(map_info.writer, getpid());
	assert_int_equal(snapmap_txn_abort(fixture->txn), 0);
	assert_state(fixture, SNAPMAP_TXN_ABORTED);
	assert_int_equal(snapmap_version(fixture->maps[0]), 1);
	assert_int_equal(put_with(fixture, "k", "w", NULL), 0);
	assert_value(fixture->maps[0], "k", "w");
}

static void test_others_wait(void **state)
{
	const struct snapmap_commit_opts nowait = { .flags = SNAPMAP_COMMIT_NOWAIT };
	const struct snapmap_commit_opts briefly = { .wait_ms = 20 };
	struct fixture *fixture = *state;
	struct snapmap_transaction *other;

	begin_put(fixture, "k", "v");
	assert_int_equal(snapmap_txn_prepare(fixture->txn, NULL, NULL), 0);
	assert_int_equal(put_with(fixture, "k", "w", &nowait), -EBUSY);
	assert_int_equal(put_with(fixture, "k", "w", &briefly), -ETIMEDOUT);
	assert_int_equal(snapmap_rollback(fixture->maps[0], 1, &nowait, NULL), -EBUSY);
	assert_int_equal(snapmap_txn_new(fixture->maps[0], NULL, &other), 0);
	assert_int_equal(snapmap_txn_prepare(other, &nowait, NULL), -EBUSY);
	assert_int_equal(snapmap_txn_commit(other, &briefly, NULL), -ETIMEDOUT);
	assert_int_equal(snapmap_txn_commit(fixture->txn, NULL, NULL), 0);
	assert_int_equal(snapmap_txn_commit(other, &nowait, NULL), 0);
	snapmap_txn_free(other);
	assert_int_equal(snapmap_version(fixture->maps[0]), 3);
}

static void test_lease_ends(void **state)
{
	struct fixture *fixture = *state;
	struct snapmap_info info;

	begin(fixture, 1000);
	assert_int_equal(snapmap_txn_put(fixture->txn, "k", 1, "v", 1), 0);
	assert_int_equal(snapmap_txn_prepare(fixture->txn, NULL, NULL), 0);
	/* Waits for the lease to end: nobody else ends it. */
	assert_int_equal(put_with(fixture, "other", "w", NULL), 0);
	assert_int_equal(snapmap_txn_commit(fixture->txn, NULL, NULL), -ETIME);
	assert_state(fixture, SNAPMAP_TXN_EXPIRED);
	assert_value(fixture->maps[0], "k", NULL);
	assert_int_equal(snapmap_version(fixture->maps[0]), 2);
	assert_int_equal(snapmap_info(fixture->maps[0], &info), 0);
	assert_int_equal(info.expired, 1);
	assert_int_equal(info.writer, 0);
}

static void test_lease_is_bounded_by_the_map(void **state)
{
	struct snapmap_set_opts set = { .mask = SNAPMAP_SET_LEASE, .lease_ms = 1000 };
	struct snapmap_txn_opts opts = { .lease_ms = 1001 };
	struct fixture *fixture = *state;
	struct snapmap_info info;

	assert_int_equal(snapmap_set(name_of(0), &set), 0);
	assert_int_equal(snapmap_info(fixture->maps[0], &info), 0);
	assert_int_equal(info.lease_ms, 1000);
	assert_int_equal(info.history, 8);
	assert_int_equal(snapmap_txn_new(fixture->maps[0], &opts, &fixture->txn), -EINVAL);
	fixture->txn = NULL;
	begin(fixture, 1000);
}

static void test_conflict_leaves_it_open(void **state)
{
	struct fixture *fixture = *state;
	struct snapmap_txn_result result;

	assert_int_equal(put_with(fixture, "k", "v", NULL), 0);
	begin(fixture, 0);
	assert_int_equal(snapmap_txn_add(fixture->txn, fixture->maps[1], NULL), 0);
	assert_int_equal(snapmap_txn_put(fixture->txn, "x", 1, "1", 1), 0);
	assert_int_equal(snapmap_txn_put_if(fixture->txn, "k", 1, "1", 1, SNAPMAP_COND_PRESENT, 0),
			 0);
	assert_int_equal(snapmap_txn_commit(fixture->txn, NULL, &result), -ECANCELED);
	assert_int_equal(result.map, 1);
	assert_int_equal(result.failed_op, 1);
	assert_int_equal(result.version, 1);
	assert_state(fixture, SNAPMAP_TXN_OPEN);
	snapmap_batch_clear(fixture->batch);
	assert_int_equal(snapmap_batch_put(fixture->batch, "k", 1, "v", 1), 0);
	assert_int_equal(snapmap_commit(fixture->maps[1], fixture->batch, NULL, NULL), 0);
	assert_int_equal(snapmap_txn_commit(fixture->txn, NULL, &result), 0);
	assert_int_equal(result.version, 3);
	assert_value(fixture->maps[1], "k", "1");
}

static void test_stamp_grows(void **state)
{
	const uint32_t grows = SNAPMAP_COMMIT_STAMP | SNAPMAP_COMMIT_STAMP_GROWS;
	struct snapmap_commit_opts opts = { .flags = grows, .stamp = 1ULL << 63 };
	struct snapmap_txn_opts txn_opts = { .flags = grows, .stamp = 1ULL << 63 };
	struct fixture *fixture = *state;
	struct snapmap_txn_result result;
	struct snapmap_header header;

	assert_int_equal(put_with(fixture, "k", "v", &opts), 0);
	assert_int_equal(put_with(fixture, "k", "w", &opts), -EALREADY);
	assert_int_equal(snapmap_rollback(fixture->maps[0], 1, &opts, NULL), -EALREADY);
	assert_int_equal(snapmap_txn_new(fixture->maps[1], NULL, &fixture->txn), 0);
	assert_int_equal(snapmap_txn_add(fixture->txn, fixture->maps[0], &txn_opts), 0);
	assert_int_equal(snapmap_txn_prepare(fixture->txn, NULL, &result), -EALREADY);
	assert_int_equal(result.map, 1);
	assert_int_equal(result.version, 2);
	assert_value(fixture->maps[0], "k", "v");
	opts.stamp++;
	assert_int_equal(put_with(fixture, "k", "w", &opts), 0);
	snapmap_header(fixture->maps[0], &header);
	assert_true(header.stamp == opts.stamp);
}

static void test_rollback(void **state)
{
	const struct snapmap_commit_opts stamp = { .flags = SNAPMAP_COMMIT_STAMP, .stamp = 7 };
	struct snapmap_rollback_result result;
	struct fixture *fixture = *state;
	struct snapmap_header header;
	int i;

	assert_int_equal(put_with(fixture, "a", "1", NULL), 0);
	assert_int_equal(put_with(fixture, "a", "2", NULL), 0);
	assert_int_equal(put_with(fixture, "b", "2", NULL), 0);
	assert_int_equal(snapmap_rollback(fixture->maps[0], 2, &stamp, &result), 0);
	assert_int_equal(result.version, 5);
	assert_int_equal(result.puts, 1);
	assert_int_equal(result.deletes, 1);
	assert_value(fixture->maps[0], "a", "1");
	assert_value(fixture->maps[0], "b", NULL);
	snapmap_header(fixture->maps[0], &header);
	assert_int_equal(header.stamp, 7);
	assert_int_equal(header.entries, 1);
	assert_int_equal(snapmap_rollback(fixture->maps[0], 6, NULL, NULL), -EINVAL);
	for (i = 0; i < 8; i++)
		assert_int_equal(put_with(fixture, "c", "3", NULL), 0);
	assert_int_equal(snapmap_rollback(fixture->maps[0], 5, NULL, NULL), -ESTALE);
	assert_int_equal(snapmap_rollback(fixture->maps[0], 6, NULL, NULL), 0);
}

/* Many pieces, and a batch among them. */
static void test_much(void **state)
{
	struct fixture *fixture = *state;
	struct snapmap_header header;
	struct snapmap_batch *batch;
	char value[1000];
	uint32_t i;

	memset(value, 'v', sizeof(value));
	begin(fixture, 0);
	for (i = 0; i < 5000; i++)
		assert_int_equal(snapmap_txn_put(fixture->txn, &i, 4, value, i % 1000), 0);
	batch = snapmap_batch_new();
	for (i = 5000; i < 6000; i++)
		assert_int_equal(snapmap_batch_put(batch, &i, 4, value, 1000), 0);
	assert_int_equal(snapmap_txn_write(fixture->txn, batch), 0);
	snapmap_batch_free(batch);
	i = 0;
	assert_int_equal(snapmap_txn_delete(fixture->txn, &i, 4), 0);
	assert_int_equal(snapmap_txn_commit(fixture->txn, NULL, NULL), 0);
	snapmap_header(fixture->maps[0], &header);
	assert_int_equal(header.entries, 5999);
	assert_int_equal(header.value_bytes, 5 * 999 * 500 + 1000000);
}

static void test_dying_aborts(void **state)
{
	const struct snapmap_commit_opts nowait = { .flags = SNAPMAP_COMMIT_NOWAIT };
	struct fixture *fixture = *state;
	int status;
	pid_t pid = fork();

	if (!pid) {
		begin_put(fixture, "k", "v");
		_exit(snapmap_txn_prepare(fixture->txn, NULL, NULL) ? 1 : 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(put_with(fixture, "other", "w", &nowait), 0);
	assert_value(fixture->maps[0], "k", NULL);
}

static void test_closed_maps_and_their_end(void **state)
{
	struct fixture *fixture = *state;

	begin_put(fixture, "k", "v");
	assert_int_equal(snapmap_txn_add(fixture->txn, fixture->maps[0], NULL), -EEXIST);
	assert_int_equal(snapmap_txn_add(fixture->txn, fixture->maps[1], NULL), 0);
	assert_int_equal(snapmap_txn_put(fixture->txn, "l", 1, "w", 1), 0);
	assert_int_equal(snapmap_txn_prepare(fixture->txn, NULL, NULL), 0);
	assert_int_equal(snapmap_destroy(name_of(1)), 0);
	assert_int_equal(snapmap_txn_commit(fixture->txn, NULL, NULL), -ENODEV);
	assert_value(fixture->maps[0], "k", NULL);
	assert_int_equal(put_with(fixture, "k", "w", NULL), 0);
}

/* --- several maps at one moment --- */

struct race {
	struct snapmap *maps[MAPS];
	int stop;
	long sets;
	long changes;
	const char *wrong;
};

static const char *check_set(struct race *race, struct snapmap_snapshot **snapshots, uint64_t *last)
{
	struct snapmap_item item[MAPS];
	uint64_t value;
	int i, err = 0;

	for (i = 0; i < MAPS; i++)
		err |= snapmap_pin_get(snapshots[i], "round", 5, &item[i]);
	if (err)
		return "a pin has no such key";
	memcpy(&value, item[0].value, sizeof(value));
	for (i = 1; i < MAPS; i++)
		if (memcmp(item[i].value, &value, sizeof(value)))
			return "a set has half of a transaction";
	if (value < *last)
		return "a set is older than the one before";
	race->changes += value != *last;
	*last = value;
	return NULL;
}

static void *pin_sets(void *data)
{
	struct snapmap_snapshot *snapshots[MAPS];
	struct race *race = data;
	uint64_t last = 0;
	int i;

	while (!__atomic_load_n(&race->stop, __ATOMIC_RELAXED) && !race->wrong) {
		/* In another order than the transactions have. */
		if (snapmap_pin_set(race->maps, MAPS, snapshots)) {
			race->wrong = "a set cannot be pinned";
			break;
		}
		race->wrong = check_set(race, snapshots, &last);
		race->sets++;
		for (i = 0; i < MAPS; i++)
			snapmap_unpin(snapshots[i]);
	}
	return NULL;
}

static void commit_round(struct fixture *fixture, uint64_t round)
{
	struct snapmap_transaction *txn;
	int i;

	assert_int_equal(snapmap_txn_new(fixture->maps[0], NULL, &txn), 0);
	for (i = 0; i < MAPS; i++) {
		if (i)
			assert_int_equal(snapmap_txn_add(txn, fixture->maps[i], NULL), 0);
		assert_int_equal(snapmap_txn_put(txn, "round", 5, &round, sizeof(round)), 0);
	}
	assert_int_equal(snapmap_txn_commit(txn, NULL, NULL), 0);
	snapmap_txn_free(txn);
}

static void test_a_set_has_all_or_nothing(void **state)
{
	struct fixture *fixture = *state;
	struct race race = { .stop = 0 };
	pthread_t thread;
	uint64_t round;
	int i;

	for (i = 0; i < MAPS; i++)
		race.maps[i] = fixture->maps[MAPS - 1 - i];
	commit_round(fixture, 0);
	assert_int_equal(pthread_create(&thread, NULL, pin_sets, &race), 0);
	/* As long as it takes to meet each other often. */
	for (round = 1; !race.wrong && (round < 200 || (race.changes < 100 && round < 100000));
	     round++)
		commit_round(fixture, round);
	__atomic_store_n(&race.stop, 1, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	if (race.wrong)
		fail_msg("%s", race.wrong);
	print_message("# %ld sets, %ld changes seen, %llu transactions\n", race.sets, race.changes,
		      (unsigned long long)round);
	assert_int_equal(snapmap_version(fixture->maps[0]), snapmap_version(fixture->maps[2]));
}

static void test_a_set_fails_whole(void **state)
{
	struct snapmap_snapshot *snapshots[MAPS];
	struct fixture *fixture = *state;
	struct snapmap closed = { .fd = -1 };
	struct snapmap *maps[MAPS];
	struct snapmap_info info;

	memcpy(maps, fixture->maps, sizeof(maps));
	maps[2] = &closed;
	assert_int_equal(snapmap_pin_set(maps, MAPS, snapshots), -EBADF);
	assert_int_equal(snapmap_info(fixture->maps[0], &info), 0);
	assert_int_equal(info.pins, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_commit),
		TEST(test_prepared_is_not_seen),
		TEST(test_others_wait),
		TEST(test_lease_ends),
		TEST(test_lease_is_bounded_by_the_map),
		TEST(test_conflict_leaves_it_open),
		TEST(test_stamp_grows),
		TEST(test_rollback),
		TEST(test_much),
		TEST(test_dying_aborts),
		TEST(test_closed_maps_and_their_end),
		TEST(test_a_set_has_all_or_nothing),
		TEST(test_a_set_fails_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

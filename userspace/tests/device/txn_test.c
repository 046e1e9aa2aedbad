// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * txn_test.c - transactions on one map: filled, prepared, and then committed or
 * aborted (promises A, E, F and H)
 *
 * What is written to them is in stream_test.c, what a lease does to others in
 * lease_test.c, several maps are in set_test.c.
 */
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>

#include "versions.h"

#define HOUR_MS SNAPMAP_LEASE_MAX

/* What every call says to a transaction that is prepared or has ended. */
static void assert_takes_no_more(int txn, int fd, int err)
{
	assert_int_equal(txn_put(txn, "more", "value"), err);
	assert_int_equal(write(txn, "x", 1), -1);
	assert_int_equal(txn_add(txn, fd, 0), err);
	assert_int_equal(txn_prepare(txn, NULL), err);
}

static void assert_has_ended(int txn, int fd, int err)
{
	assert_takes_no_more(txn, fd, err);
	assert_int_equal(txn_commit(txn, NULL), err);
	assert_int_equal(txn_abort(txn), err);
}

/* ------------------------------------------------------------- states */

static void assert_counts(int txn, u64 version, u64 puts, u64 deletes, u64 missing)
{
	struct snapmap_txn_info info;

	assert_txn_info(txn, 0, &info);
	assert_int_equal(info.version, version);
	assert_int_equal(info.puts, puts);
	assert_int_equal(info.deletes, deletes);
	assert_int_equal(info.missing, missing);
	assert_int_equal(info.blocks_copied != 0, version != 0);
}

static void test_from_open_to_committed(void **state)
{
	struct fixture *map = *state;
	struct batch batch = { .data = NULL };
	struct snapmap_txn_run run;
	struct snapmap_txn_info info;
	struct snapmap_info of_map;
	int txn;

	assert_int_equal(map_set_lease(map->name, SNAPMAP_LEASE_MAX), 0);
	txn = txn_open(map->fd, 0, HOUR_MS / 2);
	assert_int_equal(fcntl(txn, F_GETFD), FD_CLOEXEC);
	batch_puts(&batch, "a", "1");
	batch_puts(&batch, "b", "2");
	batch_dels(&batch, "a");
	batch_dels(&batch, "none");
	assert_int_equal(txn_write(txn, &batch), 0);
	assert_txn_info(txn, 0, &info);
	assert_int_equal(info.state, SNAPMAP_TXN_OPEN);
	assert_int_equal(info.maps, 1);
	assert_int_equal(info.bytes, batch.bytes);
	assert_int_equal(info.lease_left_ns, 0);
	assert_counts(txn, 0, 0, 0, 0);
	assert_int_equal(txn_prepare(txn, &run), 0);
	assert_int_equal(run.version, 0);
	assert_int_equal(run.map, 0);
	assert_int_equal(run.failed_op, SNAPMAP_NO_OP);
	assert_txn_info(txn, 0, &info);
	assert_int_equal(info.state, SNAPMAP_TXN_PREPARED);
	assert_in_range(info.lease_left_ns, 1, HOUR_MS / 2 * 1000000ULL);
	assert_counts(txn, 2, 2, 1, 1);
	assert_takes_no_more(txn, map->fd, -EBADFD);
	assert_int_equal(txn_commit(txn, &run), 0);
	assert_int_equal(run.version, 2);
	assert_int_equal(txn_state(txn), SNAPMAP_TXN_COMMITTED);
	assert_counts(txn, 2, 2, 1, 1);
	assert_has_ended(txn, map->fd, -EBADFD);
	assert_info(map->fd, &of_map);
	assert_int_equal(info.map_id, of_map.map_id);
	assert_int_equal(of_map.commits, 1);
	assert_true(key_is(map->fd, "b", "2"));
	assert_true(key_is(map->fd, "a", NULL));
	close(txn);
	assert_int_equal(map_version(map->fd), 2);
	assert_no_leak(map->fd);
	batch_free(&batch);
}

/* Nobody sees what has been prepared. */
static void test_prepared_is_not_seen_A(void **state)
{
	struct fixture *map = *state;
	struct snapmap_info before, now;
	int txn, pin;

	assert_int_equal(put_string(map->fd, "key", "old"), 0);
	assert_info(map->fd, &before);
	txn = txn_prepared(map->fd, 0, "key", "new");
	assert_true(txn >= 0);
	assert_info(map->fd, &now);
	assert_memory_equal(&now.header, &before.header, sizeof(now.header));
	assert_int_equal(now.root, before.root);
	assert_int_equal(now.commits, before.commits);
	assert_true(key_is(map->fd, "key", "old"));
	assert_int_equal(pin_at(map->fd, 3), -EINVAL);
	pin = map_pin(map->fd);
	assert_int_equal(wait_version(map->fd, 2, 0, NULL), -ETIMEDOUT);
	assert_int_equal(txn_commit(txn, NULL), 0);
	assert_true(key_is(map->fd, "key", "new"));
	assert_true(key_is(pin, "key", "old"));
	assert_int_equal(wait_version(map->fd, 2, 0, NULL), 0);
	close(pin);
	close(txn);
}

static void test_abort_leaves_nothing_F(void **state)
{
	struct fixture *map = *state;
	struct snapmap_info before;
	int txn;

	assert_int_equal(put_string(map->fd, "key", "old"), 0);
	settle(map->fd);
	assert_info(map->fd, &before);
	txn = txn_prepared(map->fd, 0, "key", "new");
	assert_int_equal(txn_abort(txn), 0);
	assert_unchanged(map->fd, &before);
	assert_int_equal(txn_state(txn), SNAPMAP_TXN_ABORTED);
	assert_has_ended(txn, map->fd, -EBADFD);
	close(txn);
	txn = txn_open(map->fd, 0, 0);
	assert_int_equal(txn_put(txn, "key", "new"), 0);
	assert_int_equal(txn_abort(txn), 0);
	assert_has_ended(txn, map->fd, -EBADFD);
	close(txn);
	assert_unchanged(map->fd, &before);
	assert_int_equal(put_nowait(map->fd, "key", "other"), 0);
	assert_no_leak(map->fd);
}

/* The descriptor's end is the transaction's: of its last copy, and not before. */
static void test_last_close_aborts_F(void **state)
{
	struct fixture *map = *state;
	int txn = txn_prepared(map->fd, 0, "key", "new"), copy = dup(txn);

	close(txn);
	assert_int_equal(put_nowait(map->fd, "key", "other"), -EBUSY);
	assert_int_equal(txn_state(copy), SNAPMAP_TXN_PREPARED);
	close(copy);
	assert_int_equal(put_nowait(map->fd, "key", "other"), 0);
	assert_int_equal(map_version(map->fd), 2);
	assert_no_leak(map->fd);
}

/* It may be handed to another process, which need not be allowed to open the map. */
static void test_transaction_is_passed_on(void **state)
{
	struct fixture *map = *state;
	int txn = txn_prepared(map->fd, 0, "key", "new"), status;
	pid_t pid = child_start();

	if (!pid) {
		close(map->fd);
		if (setresuid(65534, 65534, 65534) || map_open(map->name, O_RDWR) != -EACCES)
			_exit(1);
		_exit(txn_commit(txn, NULL) ? 2 : 0);
	}
	close(txn);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_true(key_is(map->fd, "key", "new"));
}

/* COMMIT alone does it all; an empty transaction publishes a version too. */
static void test_commit_prepares(void **state)
{
	struct fixture *map = *state;
	struct snapmap_txn_run run;
	int txn = txn_open(map->fd, 0, 0);

	assert_int_equal(txn_commit(txn, &run), 0);
	assert_int_equal(run.version, 2);
	close(txn);
	txn = txn_open(map->fd, 0, 0);
	assert_int_equal(txn_put(txn, "key", "value"), 0);
	assert_int_equal(txn_commit(txn, &run), 0);
	assert_int_equal(run.version, 3);
	assert_true(key_is(map->fd, "key", "value"));
	close(txn);
}

/* ------------------------------------------------------------- conditions */

/* Opens, fills and prepares with a condition that does not hold. */
static void test_conflicts_leave_it_open_F(void **state)
{
	struct fixture *map = *state;
	struct snapmap_txn args = { .flags = SNAPMAP_COMMIT_IF_VERSION, .if_version = 1 };
	struct snapmap_op absent = { .opcode = SNAPMAP_OP_PUT,
				     .condition = SNAPMAP_COND_ABSENT,
				     .key_len = 3 };
	struct batch batch = { .data = NULL };
	struct snapmap_txn_run run;
	struct snapmap_info info;
	int txn = ioc(map->fd, SNAPMAP_IOC_TXN, &args);

	assert_int_equal(put_string(map->fd, "key", "value"), 0);
	assert_int_equal(txn_prepare(txn, &run), -ECANCELED);
	assert_int_equal(run.version, 2);
	assert_int_equal(run.failed_op, SNAPMAP_NO_OP);
	assert_int_equal(txn_state(txn), SNAPMAP_TXN_OPEN);
	close(txn);
	txn = txn_open(map->fd, 0, 0);
	batch_puts(&batch, "other", "value");
	batch_add(&batch, absent, "key", NULL);
	assert_int_equal(txn_write(txn, &batch), 0);
	assert_int_equal(txn_commit(txn, &run), -ECANCELED);
	assert_int_equal(run.version, 2);
	assert_int_equal(run.failed_op, 1);
	assert_int_equal(txn_state(txn), SNAPMAP_TXN_OPEN);
	assert_info(map->fd, &info);
	assert_int_equal(info.conflicts, 2);
	assert_int_equal(map_version(map->fd), 2);
	/* What stood in the way goes, and the same transaction succeeds. */
	batch_clear(&batch);
	batch_dels(&batch, "key");
	assert_int_equal(batch_commit(map->fd, &batch, SNAPMAP_COMMIT_NOWAIT, NULL), 0);
	assert_int_equal(txn_commit(txn, &run), 0);
	assert_int_equal(run.version, 4);
	assert_true(key_is(map->fd, "other", "value"));
	close(txn);
	batch_free(&batch);
	assert_no_leak(map->fd);
}

static void test_replacement_and_stamps(void **state)
{
	struct fixture *map = *state;
	struct snapmap_txn args = { .flags = SNAPMAP_COMMIT_REPLACE | SNAPMAP_COMMIT_STAMP |
					     SNAPMAP_COMMIT_STAMP_GROWS,
				    .stamp = 77 };
	struct snapmap_info info;
	struct snapmap_txn_run run;
	int txn;

	assert_int_equal(put_string(map->fd, "old", "value"), 0);
	txn = ioc(map->fd, SNAPMAP_IOC_TXN, &args);
	assert_int_equal(txn_put(txn, "new", "value"), 0);
	assert_int_equal(txn_commit(txn, NULL), 0);
	close(txn);
	assert_true(key_is(map->fd, "old", NULL));
	assert_true(key_is(map->fd, "new", "value"));
	assert_info(map->fd, &info);
	assert_int_equal(info.header.stamp, 77);
	txn = ioc(map->fd, SNAPMAP_IOC_TXN, &args);
	assert_int_equal(txn_prepare(txn, &run), -EALREADY);
	assert_int_equal(run.version, 3);
	assert_int_equal(txn_state(txn), SNAPMAP_TXN_OPEN);
	close(txn);
	args.flags = SNAPMAP_COMMIT_NOWAIT;
	args.stamp = 0;
	assert_int_equal(ioc(map->fd, SNAPMAP_IOC_TXN, &args), -EINVAL);
}

/* ------------------------------------------------------------- adding maps */

static void test_what_cannot_be_added_F_H(void **state)
{
	struct fixture *map = *state;
	int txn = txn_open(map->fd, 0, 0), reader = map_open(map->name, O_RDONLY);
	int pin = map_pin(map->fd), other, other_reader, null = open("/dev/null", O_RDWR);
	struct snapmap_txn_info info;

	map_create("txn_test.other", FIXTURE_LIMIT);
	other = map_open("txn_test.other", O_RDWR);
	other_reader = map_open("txn_test.other", O_RDONLY);
	assert_int_equal(txn_open(reader, 0, 0), -EBADF);
	assert_int_equal(txn_add(txn, map->fd, 0), -EEXIST);
	assert_int_equal(txn_add(txn, other_reader, 0), -EBADF);
	assert_int_equal(txn_add(txn, -1, 0), -EBADF);
	assert_int_equal(txn_add(txn, 1000, 0), -EBADF);
	assert_int_equal(txn_add(txn, pin, 0), -EINVAL);
	assert_int_equal(txn_add(txn, null, 0), -EINVAL);
	assert_int_equal(txn_add(txn, txn, 0), -EINVAL);
	assert_int_equal(txn_add(txn, other, SNAPMAP_COMMIT_NOWAIT), -EINVAL);
	assert_txn_info(txn, 0, &info);
	assert_int_equal(info.maps, 1);
	assert_int_equal(txn_add(txn, other, 0), 0);
	assert_int_equal(txn_add(txn, other, 0), -EEXIST);
	close(txn);
	close(other);
	close(other_reader);
	close(reader);
	close(pin);
	close(null);
	assert_int_equal(map_destroy("txn_test.other"), 0);
}

/* ------------------------------------------------------------- ends that meet */

/**
 * struct race - two threads and one transaction
 * @txn: prepared
 * @begin: both are there
 * @err: what the other thread's call has said
 */
struct race {
	int txn;
	pthread_barrier_t begin;
	int err;
};

static void *abort_it(void *data)
{
	struct race *race = data;

	pthread_barrier_wait(&race->begin);
	race->err = txn_abort(race->txn);
	return NULL;
}

static void *commit_it(void *data)
{
	struct race *race = data;

	pthread_barrier_wait(&race->begin);
	race->err = txn_commit(race->txn, NULL);
	return NULL;
}

/* One of the two ends it, the other is told so; and the map is as the winner says. */
static void race_once(struct fixture *map, void *(*other)(void *data), u64 *committed)
{
	struct race race = { .txn = txn_prepared(map->fd, 0, "key", "value") };
	u64 version = map_version(map->fd);
	pthread_t thread;
	bool won;
	int err;

	assert_true(race.txn >= 0);
	pthread_barrier_init(&race.begin, NULL, 2);
	assert_int_equal(pthread_create(&thread, NULL, other, &race), 0);
	pthread_barrier_wait(&race.begin);
	err = txn_commit(race.txn, NULL);
	pthread_join(thread, NULL);
	pthread_barrier_destroy(&race.begin);
	assert_true((err == 0) != (race.err == 0));
	assert_int_equal(err + race.err, -EBADFD);
	won = other == commit_it || !err;
	assert_int_equal(map_version(map->fd), version + won);
	assert_int_equal(txn_state(race.txn), won ? SNAPMAP_TXN_COMMITTED : SNAPMAP_TXN_ABORTED);
	*committed += !err;
	close(race.txn);
	assert_int_equal(put_nowait(map->fd, "key", "other"), 0);
}

static void test_commit_and_abort_race_A_F(void **state)
{
	u64 rounds = is_slow() ? 300 : 3000, i, first = 0, second = 0;

	for (i = 0; i < rounds; i++) {
		race_once(*state, abort_it, &first);
		race_once(*state, commit_it, &second);
	}
	note("of %llu commits that raced with an abort, %llu were first", rounds, first);
	assert_no_leak(((struct fixture *)*state)->fd);
}

/* Who is killed, with the descriptor open, at any moment, leaves nothing. */
static void use_transactions(const char *name, u64 rng)
{
	int fd = map_open(name, O_RDWR), txn;
	struct batch batch = { .data = NULL };
	static u8 value[900];
	u64 key;

	for (key = 0; key < 600; key++)
		batch_put(&batch, &key, sizeof(key), value, random_below(&rng, sizeof(value)));
	for (;;) {
		txn = txn_open(fd, 0, 0);
		txn_write(txn, &batch);
		if (random_below(&rng, 2))
			txn_prepare(txn, NULL);
		if (random_below(&rng, 2))
			txn_commit(txn, NULL);
		close(txn);
	}
}

static void test_killed_owner_aborts_E_F(void **state)
{
	u64 rounds = is_slow() ? 50 : 500, i, rng = seed_of_test();
	struct fixture *map = *state;
	pid_t pid;

	for (i = 0; i < rounds; i++) {
		pid = child_start();
		if (!pid)
			use_transactions(map->name, random_next(&rng) + i);
		nap(random_below(&rng, 30000));
		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, NULL, 0), pid);
		assert_int_equal(put_nowait(map->fd, "alive", "yes"), 0);
	}
	note("%llu versions", map_version(map->fd));
	assert_no_leak(map->fd);
}

/* ------------------------------------------------------------- maps that end */

static void test_map_is_destroyed_meanwhile_F(void **state)
{
	struct fixture *map = *state;
	int txn = txn_prepared(map->fd, 0, "key", "new");
	int open = txn_open(map->fd, 0, 0);

	assert_int_equal(map_destroy(map->name), 0);
	assert_int_equal(txn_commit(txn, NULL), -ENODEV);
	assert_int_equal(txn_state(txn), SNAPMAP_TXN_ABORTED);
	assert_int_equal(txn_put(open, "key", "value"), 0);
	assert_int_equal(txn_prepare(open, NULL), -ENODEV);
	assert_int_equal(map_version(map->fd), 1);
	close(txn);
	close(open);
}

/* The transaction alone keeps what it needs of the map. */
static void test_transaction_outlives_its_map_G(void **state)
{
	struct fixture *map = *state;
	int txn = txn_prepared(map->fd, 0, "key", "new");

	assert_int_equal(map_destroy(map->name), 0);
	close(map->fd);
	map->fd = -1;
	assert_int_equal(txn_state(txn), SNAPMAP_TXN_PREPARED);
	assert_int_equal(txn_abort(txn), 0);
	close(txn);
}

static const struct CMUnitTest tests[] = {
	map_test(test_from_open_to_committed),	       map_test(test_prepared_is_not_seen_A),
	map_test(test_abort_leaves_nothing_F),	       map_test(test_last_close_aborts_F),
	map_test(test_transaction_is_passed_on),       map_test(test_commit_prepares),
	map_test(test_conflicts_leave_it_open_F),      map_test(test_replacement_and_stamps),
	map_test(test_what_cannot_be_added_F_H),       map_test(test_commit_and_abort_race_A_F),
	map_test(test_killed_owner_aborts_E_F),	       map_test(test_map_is_destroyed_meanwhile_F),
	map_test(test_transaction_outlives_its_map_G), plain_test(test_nothing_is_left_G),
};

int main(void)
{
	return cmocka_run_group_tests_name("txn", tests, NULL, NULL);
}

// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * lease_test.c - a prepared transaction keeps other writers out, for so long and
 * no longer (promises C, E and F)
 */
#include <pthread.h>
#include <signal.h>
#include <sys/time.h>
#include <sys/wait.h>

#include "versions.h"

#define MS	1000000ULL
#define LONG_MS SNAPMAP_LEASE_MAX /* longer than a test may take */

/* Leases end where a test wants them to, however slow the machine. */
static int setup_patient(void **state)
{
	struct fixture *map;

	if (fixture_setup(state))
		return -1;
	map = *state;
	return map_set_lease(map->name, LONG_MS);
}

#define patient_test(f) cmocka_unit_test_setup_teardown(f, setup_patient, fixture_teardown)

/*
 * A prepared transaction with a lease that ends soon: as soon as @lease_ms, or
 * later where it has taken as long to prepare it. @before is how the map was.
 */
static int txn_short(int fd, u32 lease_ms, struct snapmap_info *before)
{
	int txn = -ETIME;

	for (; txn == -ETIME && lease_ms <= SNAPMAP_LEASE_DEFAULT; lease_ms *= 2) {
		assert_info(fd, before);
		txn = txn_prepared(fd, lease_ms, "key", "value");
	}
	assert_true(txn >= 0);
	return txn;
}

/* ------------------------------------------------------------- who must wait */

static int rollback_with(int fd, u64 to, u32 flags, u32 wait_ms)
{
	struct snapmap_rollback args = { .flags = flags, .wait_ms = wait_ms, .to = to };

	return ioc(fd, SNAPMAP_IOC_ROLLBACK, &args);
}

static int prepare_with(int fd, u32 flags, u32 wait_ms)
{
	struct snapmap_txn_run args = { .flags = flags, .wait_ms = wait_ms };
	int txn = txn_open(fd, 0, 0);
	int err = ioc(txn, SNAPMAP_IOC_TXN_PREPARE, &args);

	close(txn);
	return err;
}

static void test_others_fail_at_once_if_they_ask_E_F(void **state)
{
	struct fixture *map = *state;
	int txn = txn_prepared(map->fd, 0, "key", "value");
	struct snapmap_info before;

	assert_info(map->fd, &before);
	assert_int_equal(put_nowait(map->fd, "key", "other"), -EBUSY);
	assert_int_equal(rollback_with(map->fd, 1, SNAPMAP_COMMIT_NOWAIT, 0), -EBUSY);
	assert_int_equal(prepare_with(map->fd, SNAPMAP_COMMIT_NOWAIT, 0), -EBUSY);
	assert_unchanged(map->fd, &before);
	/* The holder, and for how long, can be asked for. */
	assert_int_equal(before.writer, getpid());
	assert_int_equal(txn_commit(txn, NULL), 0);
	assert_info(map->fd, &before);
	assert_int_equal(before.writer, 0);
	assert_int_equal(before.expired, 0);
	close(txn);
}

static void test_others_wait_as_long_as_they_say_E_F(void **state)
{
	struct fixture *map = *state;
	struct snapmap_info before;
	u64 begun = now_ns();
	int txn;

	txn = txn_prepared(map->fd, 0, "key", "value");
	assert_true(txn >= 0);
	assert_info(map->fd, &before);
	assert_int_equal(put_waiting(map->fd, "key", "other", 30), -ETIMEDOUT);
	assert_true(now_ns() - begun >= 30 * MS);
	assert_int_equal(rollback_with(map->fd, 1, 0, 30), -ETIMEDOUT);
	assert_int_equal(prepare_with(map->fd, 0, 30), -ETIMEDOUT);
	assert_true(now_ns() - begun >= 90 * MS);
	assert_unchanged(map->fd, &before);
	close(txn);
	assert_int_equal(put_waiting(map->fd, "key", "other", 30), 0);
}

/* A process that wants to write, without a copy of @txn; its exit status is 0 when it has. */
static pid_t start_writer(int fd, int txn, u32 wait_ms)
{
	pid_t pid = child_start();

	if (pid)
		return pid;
	close(txn);
	_exit(-put_waiting(fd, "key", "of the child", wait_ms));
}

static bool is_asleep(void *data)
{
	char path[40], line[200] = "", *behind;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", *(pid_t *)data);
	file = fopen(path, "re");
	if (!file)
		return false;
	behind = fgets(line, sizeof(line), file) ? strrchr(line, ')') : NULL;
	fclose(file);
	return behind && behind[2] == 'S';
}

static void assert_writes_now(pid_t pid, int fd)
{
	struct child child = { .pid = pid };

	assert_true(wait_until(child_has_ended, &child, PATIENCE));
	assert_int_equal(child.status, 0);
	assert_true(key_is(fd, "key", "of the child"));
}

static int end_by_commit(int txn)
{
	return txn_commit(txn, NULL);
}

/* Whatever ends a transaction lets those in who wait. */
static void test_waiting_writers_go_on_E(void **state)
{
	int (*const ends[])(int txn) = { end_by_commit, txn_abort, close };
	struct fixture *map = *state;
	pid_t pid, second;
	size_t i;
	int txn;

	for (i = 0; i < 2 * ARRAY_SIZE(ends); i++) {
		txn = txn_prepared(map->fd, 0, "key", "value");
		pid = start_writer(map->fd, txn, i % 2 ? LONG_MS : 0);
		second = start_writer(map->fd, txn, 0);
		assert_true(wait_until(is_asleep, &pid, PATIENCE));
		assert_true(wait_until(is_asleep, &second, PATIENCE));
		assert_int_equal(ends[i / 2](txn), 0);
		assert_writes_now(pid, map->fd);
		assert_writes_now(second, map->fd);
		close(txn);
	}
}

static void test_killed_owner_lets_others_in_E_F(void **state)
{
	struct fixture *map = *state;
	pid_t owner = child_start(), pid;
	struct snapmap_info info = { .writer = 0 };

	if (!owner) {
		if (txn_prepared(map->fd, 0, "key", "value") < 0)
			_exit(1);
		pause();
	}
	while (info.writer != (u32)owner)
		assert_info(map->fd, &info);
	pid = start_writer(map->fd, -1, 0);
	assert_true(wait_until(is_asleep, &pid, PATIENCE));
	assert_int_equal(kill(owner, SIGKILL), 0);
	assert_int_equal(waitpid(owner, NULL, 0), owner);
	assert_writes_now(pid, map->fd);
}

static void on_signal(int number)
{
	(void)number;
}

/* A signal ends the wait; nobody else's turn is lost by it. */
static void test_signals_end_the_wait_F(void **state)
{
	struct sigaction action = { .sa_handler = on_signal };
	struct itimerval soon = { .it_value = { .tv_usec = 30000 },
				  .it_interval = { .tv_usec = 30000 } };
	struct fixture *map = *state;
	struct itimerval never = { .it_interval = { .tv_usec = 0 } };
	int txn = txn_prepared(map->fd, 0, "key", "value");
	pid_t pid = start_writer(map->fd, txn, 0);

	assert_true(wait_until(is_asleep, &pid, PATIENCE));
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &soon, NULL);
	assert_int_equal(put_waiting(map->fd, "key", "other", 0), -EINTR);
	assert_int_equal(put_waiting(map->fd, "key", "other", 60000), -EINTR);
	assert_int_equal(rollback_with(map->fd, 1, 0, 0), -EINTR);
	assert_int_equal(prepare_with(map->fd, 0, 60000), -EINTR);
	setitimer(ITIMER_REAL, &never, NULL);
	assert_int_equal(txn_commit(txn, NULL), 0);
	assert_writes_now(pid, map->fd);
	close(txn);
}

static void test_destroyed_map_keeps_nobody_waiting_E(void **state)
{
	struct fixture *map = *state;
	int txn = txn_prepared(map->fd, 0, "key", "value");
	struct child child = { .pid = start_writer(map->fd, txn, 0) };

	assert_true(wait_until(is_asleep, &child.pid, PATIENCE));
	assert_int_equal(map_destroy(map->name), 0);
	assert_true(wait_until(child_has_ended, &child, PATIENCE));
	assert_int_equal(WEXITSTATUS(child.status), ENODEV);
	close(txn);
}

/* ------------------------------------------------------------- the lease ends */

static bool has_expired(void *data)
{
	return txn_state(*(int *)data) == SNAPMAP_TXN_EXPIRED;
}

/* By itself, without a call; the owner is told, whatever it asks for. */
static void test_lease_ends_E_F(void **state)
{
	struct fixture *map = *state;
	struct snapmap_info before, info;
	struct snapmap_txn_run run;
	int txn;

	settle(map->fd);
	txn = txn_short(map->fd, 50, &before);
	assert_true(wait_until(has_expired, &txn, 30));
	assert_int_equal(txn_commit(txn, &run), -ETIME);
	assert_int_equal(run.version, 0);
	assert_int_equal(txn_prepare(txn, NULL), -ETIME);
	assert_int_not_equal(txn_put(txn, "key", "more"), 0);
	assert_int_not_equal(txn_abort(txn), 0);
	assert_unchanged(map->fd, &before);
	assert_info(map->fd, &info);
	assert_int_equal(info.expired, before.expired + 1);
	assert_int_equal(info.writer, 0);
	assert_int_equal(put_nowait(map->fd, "key", "other"), 0);
	assert_int_equal(txn_commit(txn, &run), -ETIME);
	close(txn);
	assert_true(key_is(map->fd, "key", "other"));
	assert_no_leak(map->fd);
}

/* Who waits without a time of his own waits no longer than the lease lasts. */
static void test_writer_waits_for_the_lease_only_E(void **state)
{
	struct fixture *map = *state;
	struct snapmap_info before;
	int txn = txn_short(map->fd, 100, &before);
	u64 begun = now_ns();

	assert_int_equal(put_waiting(map->fd, "key", "other", 0), 0);
	note("waited for %llu ms", (now_ns() - begun) / MS);
	assert_int_equal(txn_commit(txn, NULL), -ETIME);
	assert_true(key_is(map->fd, "key", "other"));
	assert_int_equal(map_version(map->fd), 2);
	close(txn);
}

/* More than can be built in a millisecond: the builder itself stops. */
static void test_lease_ends_during_the_build_E_F(void **state)
{
	struct fixture *map = *state;
	struct batch batch = { .data = NULL };
	struct snapmap_info before, info;
	u64 key, value[20] = { 0 };
	int txn, i;

	for (key = 0; key < 30000; key++)
		batch_put(&batch, &key, sizeof(key), value, sizeof(value));
	settle(map->fd);
	assert_info(map->fd, &before);
	for (i = 1; i <= 3; i++) {
		txn = txn_open(map->fd, 0, 1);
		assert_int_equal(txn_write(txn, &batch), 0);
		if (i == 1)
			assert_int_equal(txn_prepare(txn, NULL), -ETIME);
		else
			assert_int_equal(txn_commit(txn, NULL), -ETIME);
		assert_int_equal(txn_state(txn), SNAPMAP_TXN_EXPIRED);
		assert_int_equal(txn_commit(txn, NULL), -ETIME);
		assert_unchanged(map->fd, &before);
		assert_info(map->fd, &info);
		assert_int_equal(info.expired, i);
		close(txn);
	}
	assert_int_equal(put_nowait(map->fd, "key", "value"), 0);
	assert_no_leak(map->fd);
	batch_free(&batch);
}

/* What is committed in one call takes as long as it takes, unless it asked for less. */
static void test_commit_in_one_call_is_not_cut_off(void **state)
{
	struct fixture *map = *state;
	struct batch batch = { .data = NULL };
	u64 key, value[20] = { 0 };
	struct snapmap_info info;
	int txn;

	for (key = 0; key < 30000; key++)
		batch_put(&batch, &key, sizeof(key), value, sizeof(value));
	assert_int_equal(map_set_lease(map->name, 1), 0);
	txn = txn_open(map->fd, 0, 0);
	assert_int_equal(txn_write(txn, &batch), 0);
	assert_int_equal(txn_commit(txn, NULL), 0);
	close(txn);
	assert_info(map->fd, &info);
	assert_int_equal(info.header.entries, 30000);
	assert_int_equal(info.expired, 0);
	txn = txn_open(map->fd, 0, 0);
	assert_int_equal(txn_write(txn, &batch), 0);
	assert_int_equal(txn_prepare(txn, NULL), -ETIME);
	close(txn);
	batch_free(&batch);
}

/* A commit at the very end of the lease is made, or is not; the answer says which. */
static void test_commit_and_expiry_race_A_F(void **state)
{
	u64 rounds = is_slow() ? 100 : 1000, i, rng = seed_of_test(), made = 0, version;
	u32 lease_ms = is_slow() ? 40 : 3;
	struct fixture *map = *state;
	int txn, err;

	for (i = 0; i < rounds; i++) {
		version = map_version(map->fd);
		txn = txn_prepared(map->fd, lease_ms, "key", "value");
		if (txn == -ETIME)
			continue;
		assert_true(txn >= 0);
		nap(random_below(&rng, 2000 * lease_ms));
		err = txn_commit(txn, NULL);
		assert_true(!err || err == -ETIME);
		made += !err;
		assert_int_equal(map_version(map->fd), version + !err);
		assert_int_equal(txn_state(txn), err ? SNAPMAP_TXN_EXPIRED : SNAPMAP_TXN_COMMITTED);
		assert_int_equal(put_nowait(map->fd, "key", "other"), 0);
		close(txn);
	}
	note("%llu of %llu commits were in time", made, rounds);
	assert_no_leak(map->fd);
}

/* ------------------------------------------------------------- how long it may be */

static void test_map_bounds_the_lease_E(void **state)
{
	struct fixture *map = *state;
	struct snapmap_txn_info info;
	int txn, before;

	before = txn_open(map->fd, 0, LONG_MS);
	assert_int_equal(map_set_lease(map->name, LONG_MS / 2), 0);
	assert_int_equal(txn_open(map->fd, 0, LONG_MS / 2 + 1), -EINVAL);
	assert_int_equal(txn_open(map->fd, 0, ~0U), -EINVAL);
	/* Who asks for nothing gets what there is; who had it before keeps it. */
	txn = txn_open(map->fd, 0, 0);
	assert_int_equal(txn_prepare(txn, NULL), 0);
	assert_txn_info(txn, 0, &info);
	assert_in_range(info.lease_left_ns, 1, LONG_MS / 2 * MS);
	close(txn);
	assert_int_equal(txn_prepare(before, NULL), 0);
	assert_txn_info(before, 0, &info);
	assert_in_range(info.lease_left_ns, LONG_MS / 2 * MS, LONG_MS * MS);
	close(before);
	txn = txn_open(map->fd, 0, LONG_MS / 2);
	assert_true(txn >= 0);
	close(txn);
}

/* A second map that allows less: refused when more was asked for, else it bounds. */
static void test_added_map_bounds_the_lease_E(void **state)
{
	struct fixture *map = *state;
	struct snapmap_txn_info info;
	int other, txn;

	assert_int_equal(map_create("lease_test.other", FIXTURE_LIMIT), 0);
	assert_int_equal(map_set_lease("lease_test.other", LONG_MS / 2), 0);
	other = map_open("lease_test.other", O_RDWR);
	txn = txn_open(map->fd, 0, LONG_MS / 2 + 1);
	assert_int_equal(txn_add(txn, other, 0), -EINVAL);
	close(txn);
	txn = txn_open(map->fd, 0, 0);
	assert_int_equal(txn_add(txn, other, 0), 0);
	assert_int_equal(txn_prepare(txn, NULL), 0);
	assert_txn_info(txn, 1, &info);
	assert_in_range(info.lease_left_ns, 1, LONG_MS / 2 * MS);
	close(txn);
	close(other);
	assert_int_equal(map_destroy("lease_test.other"), 0);
}

/* Many writers of all kinds, and no version is lost or made twice. */
static void write_for_a_while(const char *name, u64 rng)
{
	int fd = map_open(name, O_RDWR), txn, err = 0, i;
	u64 made = 0;

	for (i = 0; i < (is_slow() ? 100 : 500) && !err; i++) {
		switch (random_below(&rng, 4)) {
		case 0:
			err = put_waiting(fd, "key", "value", 0);
			break;
		case 1:
			err = rollback_with(fd, map_version(fd), 0, 0);
			err = err == -ESTALE ? 1 : err;
			break;
		default:
			txn = txn_prepared(fd, LONG_MS, "key", "value");
			err = txn < 0 ? txn : random_below(&rng, 2) ? txn_commit(txn, NULL) : 1;
			close(txn);
		}
		made += !err;
		err = err > 0 ? 0 : err;
	}
	_exit(err ? 255 : made / 4);
}

static void test_writers_take_turns_C_E(void **state)
{
	struct fixture *map = *state;
	u64 rng = seed_of_test(), made = 0;
	struct snapmap_info info;
	int status, i;
	pid_t pid[4];

	for (i = 0; i < 4; i++) {
		random_next(&rng);
		pid[i] = child_start();
		if (!pid[i])
			write_for_a_while(map->name, rng);
	}
	for (i = 0; i < 4; i++) {
		assert_int_equal(waitpid(pid[i], &status, 0), pid[i]);
		assert_true(WIFEXITED(status));
		assert_int_not_equal(WEXITSTATUS(status), 255);
		made += WEXITSTATUS(status);
	}
	assert_info(map->fd, &info);
	assert_int_equal(info.header.version, info.commits + 1);
	assert_in_range(info.commits, 4 * made, 4 * made + 15);
	assert_int_equal(info.writer, 0);
	assert_no_leak(map->fd);
}

static const struct CMUnitTest tests[] = {
	patient_test(test_others_fail_at_once_if_they_ask_E_F),
	patient_test(test_others_wait_as_long_as_they_say_E_F),
	patient_test(test_waiting_writers_go_on_E),
	patient_test(test_killed_owner_lets_others_in_E_F),
	patient_test(test_signals_end_the_wait_F),
	patient_test(test_destroyed_map_keeps_nobody_waiting_E),
	patient_test(test_lease_ends_E_F),
	patient_test(test_writer_waits_for_the_lease_only_E),
	patient_test(test_lease_ends_during_the_build_E_F),
	patient_test(test_commit_in_one_call_is_not_cut_off),
	patient_test(test_commit_and_expiry_race_A_F),
	patient_test(test_map_bounds_the_lease_E),
	patient_test(test_added_map_bounds_the_lease_E),
	patient_test(test_writers_take_turns_C_E),
	caught_test("lease", test_lease_ends_E_F),
	plain_test(test_nothing_is_left_G),
};

int main(void)
{
	return cmocka_run_group_tests_name("lease", tests, NULL, NULL);
}

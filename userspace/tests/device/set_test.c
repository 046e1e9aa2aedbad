// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * set_test.c - several maps at once: transactions on them, and sets of pins
 * (promises A, C, E and F)
 */
#include <signal.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "versions.h"

#define MAPS 6

/**
 * struct maps - the maps of a test
 * @name: their names
 * @fd: open for reading and writing
 */
struct maps {
	char name[MAPS][40];
	int fd[MAPS];
};

static int setup(void **state)
{
	struct maps *maps = calloc(1, sizeof(*maps));
	static unsigned int number;
	u32 i;

	for (i = 0; i < MAPS; i++) {
		snprintf(maps->name[i], sizeof(maps->name[i]), "set_test.%u", ++number);
		if (map_create(maps->name[i], FIXTURE_LIMIT) ||
		    map_set_lease(maps->name[i], SNAPMAP_LEASE_MAX))
			return -1;
		maps->fd[i] = map_open(maps->name[i], O_RDWR);
	}
	*state = maps;
	return 0;
}

static int teardown(void **state)
{
	struct maps *maps = *state;
	u32 i;

	for (i = 0; i < MAPS; i++) {
		map_destroy(maps->name[i]);
		close(maps->fd[i]);
	}
	free(maps);
	return 0;
}

#define set_case(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

/* An open transaction on @count maps, which puts @value to "key" in each. */
static int txn_on(const int *fd, u32 count, const char *value)
{
	int txn = txn_open(fd[0], 0, 0), err = txn < 0 ? txn : 0;
	u32 i;

	for (i = 0; i < count && !err; i++) {
		if (i)
			err = txn_add(txn, fd[i], 0);
		if (!err)
			err = txn_put(txn, "key", value);
	}
	if (err && txn >= 0)
		close(txn);
	return err ? err : txn;
}

/* ------------------------------------------------------------- transactions */

static void test_all_maps_are_committed_A(void **state)
{
	struct maps *maps = *state;
	struct snapmap_txn_info info;
	struct snapmap_txn_run run;
	struct snapmap_info of_map;
	int txn;
	u32 i;

	assert_int_equal(put_string(maps->fd[0], "more", "value"), 0);
	txn = txn_on(maps->fd, MAPS, "value");
	assert_int_equal(txn_prepare(txn, NULL), 0);
	for (i = 0; i < MAPS; i++) {
		assert_true(key_is(maps->fd[i], "key", NULL));
		assert_int_equal(put_nowait(maps->fd[i], "key", "other"), -EBUSY);
	}
	assert_int_equal(txn_commit(txn, &run), 0);
	assert_int_equal(run.version, 3);
	for (i = 0; i < MAPS; i++) {
		assert_true(key_is(maps->fd[i], "key", "value"));
		assert_info(maps->fd[i], &of_map);
		assert_txn_info(txn, i, &info);
		assert_int_equal(info.maps, MAPS);
		assert_int_equal(info.map_id, of_map.map_id);
		assert_int_equal(info.version, i ? 2 : 3);
		assert_int_equal(info.puts, 1);
	}
	close(txn);
}

/* The fault is in one map; nothing happens to any, and the answer says in which. */
static void test_fault_in_one_map_A_F(void **state)
{
	struct maps *maps = *state;
	struct snapmap_info before[MAPS];
	struct snapmap_txn_add add = { .flags = SNAPMAP_COMMIT_IF_VERSION, .if_version = 7 };
	struct snapmap_txn_run run;
	u32 at, i;
	int txn;

	for (at = 0; at < MAPS; at++) {
		for (i = 0; i < MAPS; i++)
			assert_info(maps->fd[i], &before[i]);
		txn = txn_open(maps->fd[MAPS - 1], 0, 0);
		for (i = 1; i < MAPS; i++) {
			add.map = maps->fd[MAPS - 1 - i];
			if (i == at)
				assert_int_equal(ioc(txn, SNAPMAP_IOC_TXN_ADD, &add), 0);
			else
				assert_int_equal(txn_add(txn, add.map, 0), 0);
			assert_int_equal(txn_put(txn, !at && i == 1 ? "" : "key", "value"), 0);
		}
		assert_int_equal(txn_prepare(txn, &run), at ? -ECANCELED : -EMSGSIZE);
		assert_int_equal(run.map, at ? at : 1);
		assert_int_equal(run.version, at ? 1 : 0);
		assert_int_equal(run.failed_op, at ? SNAPMAP_NO_OP : 0);
		assert_int_equal(txn_state(txn), SNAPMAP_TXN_OPEN);
		for (i = 0; i < MAPS; i++)
			assert_unchanged(maps->fd[i], &before[i]);
		close(txn);
	}
	for (i = 0; i < MAPS; i++) {
		assert_int_equal(put_nowait(maps->fd[i], "key", "value"), 0);
		assert_no_leak(maps->fd[i]);
	}
}

/*
 * A transaction on the first map and on a second one, which is not to be had in
 * time; in so short a time, that is, as is enough for the first.
 */
static int txn_until_second(const struct maps *maps, struct snapmap_txn_run *run)
{
	u32 lease_ms;
	int txn = -1;

	run->map = 0;
	for (lease_ms = 50; !run->map && lease_ms <= SNAPMAP_LEASE_DEFAULT; lease_ms *= 2) {
		close(txn);
		txn = txn_open(maps->fd[0], 0, lease_ms);
		assert_int_equal(txn_add(txn, maps->fd[1], 0), 0);
		assert_int_equal(txn_prepare(txn, run), -ETIME);
	}
	return txn;
}

/* The lease begins with the first map's, and bounds the wait for the others. */
static void test_lease_bounds_the_wait_for_the_others_E(void **state)
{
	struct maps *maps = *state;
	struct snapmap_txn_run run;
	int holder, txn;

	holder = txn_prepared(maps->fd[1], 0, "key", "value");
	assert_true(holder >= 0);
	txn = txn_until_second(maps, &run);
	assert_int_equal(run.map, 1);
	assert_int_equal(txn_state(txn), SNAPMAP_TXN_EXPIRED);
	assert_int_equal(txn_commit(txn, NULL), -ETIME);
	assert_int_equal(put_nowait(maps->fd[0], "key", "value"), 0);
	close(txn);
	/* With a time of its own it gives up earlier, and may try again. */
	txn = txn_open(maps->fd[0], 0, 0);
	assert_int_equal(txn_add(txn, maps->fd[1], 0), 0);
	run = (struct snapmap_txn_run){ .wait_ms = 20 };
	assert_int_equal(ioc(txn, SNAPMAP_IOC_TXN_PREPARE, &run), -ETIMEDOUT);
	run = (struct snapmap_txn_run){ .flags = SNAPMAP_COMMIT_NOWAIT };
	assert_int_equal(ioc(txn, SNAPMAP_IOC_TXN_PREPARE, &run), -EBUSY);
	assert_int_equal(put_nowait(maps->fd[0], "key", "value"), 0);
	close(holder);
	assert_int_equal(txn_commit(txn, NULL), 0);
	close(txn);
}

static void test_one_map_is_destroyed_A_F(void **state)
{
	struct maps *maps = *state;
	struct snapmap_info before;
	int txn = txn_on(maps->fd, MAPS, "value");
	u32 i;

	assert_int_equal(txn_prepare(txn, NULL), 0);
	assert_info(maps->fd[0], &before);
	assert_int_equal(map_destroy(maps->name[2]), 0);
	assert_int_equal(txn_commit(txn, NULL), -ENODEV);
	assert_int_equal(txn_state(txn), SNAPMAP_TXN_ABORTED);
	close(txn);
	for (i = 0; i < MAPS; i++) {
		assert_int_equal(map_version(maps->fd[i]), 1);
		assert_int_equal(put_nowait(maps->fd[i], "key", "x"), i == 2 ? -ENODEV : 0);
	}
	assert_no_leak(maps->fd[0]);
}

/* Destroyed at the very moment: both maps have it, or none. */
static void test_destruction_races_with_commit_A(void **state)
{
	u64 rounds = is_slow() ? 50 : 500, i, committed = 0, rng = seed_of_test();
	struct maps *maps = *state;
	int fds[2], txn, err, status;
	pid_t pid;

	for (i = 0; i < rounds; i++) {
		u64 version = map_version(maps->fd[0]);

		map_create("set_test.victim", FIXTURE_LIMIT);
		fds[0] = maps->fd[0];
		fds[1] = map_open("set_test.victim", O_RDWR);
		txn = txn_on(fds, 2, "value");
		assert_int_equal(txn_prepare(txn, NULL), 0);
		pid = child_start();
		if (!pid)
			_exit(map_destroy("set_test.victim") != 0);
		nap(random_below(&rng, 1500));
		err = txn_commit(txn, NULL);
		assert_true(!err || err == -ENODEV);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
		assert_int_equal(map_version(fds[0]), version + !err);
		assert_int_equal(map_version(fds[1]), 1 + !err);
		assert_true(key_is(fds[1], "key", err ? NULL : "value"));
		committed += !err;
		close(txn);
		close(fds[1]);
	}
	note("%llu of %llu commits came before the map's end", committed, rounds);
}

/* Transactions on all maps, named in any order, wait for each other in one order only. */
static void commit_in_any_order(const struct maps *maps, u64 rng)
{
	int fd[MAPS], txn, err, i, j, round;
	u32 count;

	for (round = 0; round < (is_slow() ? 30 : 150); round++) {
		for (i = 0; i < MAPS; i++) {
			j = random_below(&rng, i + 1);
			fd[i] = fd[j];
			fd[j] = maps->fd[i];
		}
		count = 2 + random_below(&rng, MAPS - 1);
		txn = txn_on(fd, count, "value");
		err = txn < 0 ? txn : txn_commit(txn, NULL);
		if (err)
			_exit(-err);
		close(txn);
	}
	_exit(0);
}

static void test_no_deadlock_in_any_order_E(void **state)
{
	struct maps *maps = *state;
	u64 rng = seed_of_test();
	int status, i;
	pid_t pid[4];

	for (i = 0; i < 4; i++) {
		random_next(&rng);
		pid[i] = child_start();
		if (!pid[i]) {
			alarm(300); /* far less than the leases */
			commit_in_any_order(maps, rng);
		}
	}
	for (i = 0; i < 4; i++) {
		assert_int_equal(waitpid(pid[i], &status, 0), pid[i]);
		assert_int_equal(status, 0);
	}
}

static void test_as_many_maps_as_there_may_be(void **state)
{
	int fd[SNAPMAP_SET_MAX + 1], txn;
	s32 pins[SNAPMAP_SET_MAX + 1];
	struct snapmap_pin_set set = { .maps = (uintptr_t)fd, .pins = (uintptr_t)pins };
	char name[40];
	u32 i;

	(void)state;
	for (i = 0; i <= SNAPMAP_SET_MAX; i++) {
		snprintf(name, sizeof(name), "set_test.many.%u", i);
		assert_int_equal(map_create(name, MIB), 0);
		fd[i] = map_open(name, O_RDWR);
	}
	txn = txn_on(fd, SNAPMAP_SET_MAX, "value");
	assert_true(txn >= 0);
	assert_int_equal(txn_add(txn, fd[SNAPMAP_SET_MAX], 0), -EINVAL);
	assert_int_equal(txn_commit(txn, NULL), 0);
	close(txn);
	set.count = SNAPMAP_SET_MAX;
	assert_int_equal(ioc(fd[0], SNAPMAP_IOC_PIN_SET, &set), 0);
	for (i = 0; i < SNAPMAP_SET_MAX; i++) {
		assert_true(key_is(pins[i], "key", "value"));
		close(pins[i]);
	}
	set.count++;
	assert_int_equal(ioc(fd[0], SNAPMAP_IOC_PIN_SET, &set), -EINVAL);
	for (i = 0; i <= SNAPMAP_SET_MAX; i++) {
		close(fd[i]);
		snprintf(name, sizeof(name), "set_test.many.%u", i);
		assert_int_equal(map_destroy(name), 0);
	}
}

/* ------------------------------------------------------------- sets of pins */

static int next_fd(void)
{
	int fd = dup(0);

	close(fd);
	return fd;
}

static void test_what_cannot_be_pinned_F_H(void **state)
{
	struct maps *maps = *state;
	int writer = map_open(maps->name[1], O_WRONLY), pin = map_pin(maps->fd[0]), first, i;
	int bad[] = { writer, -1, 1000, pin, 0 };
	static const int err[] = { -EBADF, -EBADF, -EBADF, -EINVAL, -EINVAL };
	struct rlimit old, few;
	s32 pins[2];

	first = next_fd();
	for (i = 0; i < (int)ARRAY_SIZE(bad); i++) {
		assert_int_equal(pin_both(maps->fd[0], bad[i], pins), err[i]);
		assert_int_equal(next_fd(), first);
	}
	/* One descriptor is left, and two are wanted. */
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	few = (struct rlimit){ .rlim_cur = first + 1, .rlim_max = old.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	assert_int_equal(pin_both(maps->fd[0], maps->fd[1], pins), -EMFILE);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	assert_int_equal(next_fd(), first);
	assert_int_equal(sysfs_value(maps->name[0], "pins"), 1);
	assert_int_equal(sysfs_value(maps->name[1], "pins"), 0);
	/* A map twice is two pins. */
	assert_int_equal(pin_both(maps->fd[1], maps->fd[1], pins), 0);
	assert_int_equal(sysfs_value(maps->name[1], "pins"), 2);
	close(pins[0]);
	close(pins[1]);
	close(pin);
	close(writer);
}

/* Writes the same number to two maps, over and over; and one of them alone too. */
static int write_pairs(const struct maps *maps, const _Atomic u32 *stop)
{
	char text[24];
	u64 number = 0;
	int txn;

	while (!atomic_load(stop)) {
		snprintf(text, sizeof(text), "%llu", ++number);
		txn = txn_on(number % 2 ? maps->fd : (int[]){ maps->fd[1], maps->fd[0] }, 2, text);
		if (txn < 0 || txn_commit(txn, NULL))
			return 1;
		close(txn);
		if (number % 3 == 0 && put_string(maps->fd[number % 2], "alone", text))
			return 2;
	}
	return 0;
}

static void look_at_pair(const struct maps *maps, u64 round, char *seen)
{
	char text[2][24] = { "", "" };
	s32 pins[2];
	int i;

	assert_int_equal(pin_both(maps->fd[round % 2], maps->fd[!(round % 2)], pins), 0);
	for (i = 0; i < 2; i++) {
		int err = key_get(pins[i], "key", text[i], sizeof(text[i]) - 1, NULL);

		assert_true(!err || err == -ENOENT);
		close(pins[i]);
	}
	if (strcmp(text[0], text[1]))
		fail_msg("one map shows %s, the other %s", text[0], text[1]);
	strcpy(seen, text[0]);
}

static void test_set_of_pins_is_of_one_moment_A(void **state)
{
	u64 rounds = is_slow() ? 3000 : 20000, round, changes = 0;
	_Atomic u32 *stop = shared_page();
	struct child child = { .status = 0 };
	char seen[24] = "", last[24] = "";
	struct maps *maps = *state;

	child.pid = child_start();
	if (!child.pid)
		_exit(write_pairs(maps, stop));
	for (round = 0; round < rounds || changes < 100; round++) {
		look_at_pair(maps, round, seen);
		changes += strcmp(seen, last) != 0;
		strcpy(last, seen);
		assert_false(child_has_ended(&child));
	}
	atomic_store(stop, 1);
	assert_true(wait_until(child_has_ended, &child, PATIENCE));
	assert_int_equal(child.status, 0);
	note("%llu sets of pins, %llu different ones", round, changes);
}

/* Killed at any moment of it, a transaction is in both maps or in none, and keeps nobody out. */
static void test_killed_in_a_set_A_E_F(void **state)
{
	u64 kills = is_slow() ? 60 : 600, rng = seed_of_test(), changes = 0, i;
	char seen[24] = "", last[24] = "";
	_Atomic u32 *stop = shared_page();
	struct maps *maps = *state;
	u32 most_us = 20000;
	pid_t pid;

	for (i = 0; i < kills || changes < 10; i++) {
		pid = child_start();
		if (!pid)
			_exit(write_pairs(maps, stop));
		nap(random_below(&rng, most_us));
		assert_int_equal(kill(pid, SIGKILL), 0);
		assert_int_equal(waitpid(pid, NULL, 0), pid);
		look_at_pair(maps, i, seen);
		assert_int_equal(put_nowait(maps->fd[i % 2], "alone", seen), 0);
		if (strcmp(seen, last))
			changes++;
		else
			most_us += 1000; /* a slow machine */
		strcpy(last, seen);
	}
	note("%llu kills, %llu of them after a commit", i, changes);
	assert_no_leak(maps->fd[0]);
	assert_no_leak(maps->fd[1]);
}

static const struct CMUnitTest tests[] = {
	set_case(test_all_maps_are_committed_A),
	set_case(test_fault_in_one_map_A_F),
	set_case(test_lease_bounds_the_wait_for_the_others_E),
	set_case(test_one_map_is_destroyed_A_F),
	set_case(test_destruction_races_with_commit_A),
	set_case(test_no_deadlock_in_any_order_E),
	plain_test(test_as_many_maps_as_there_may_be),
	set_case(test_what_cannot_be_pinned_F_H),
	set_case(test_set_of_pins_is_of_one_moment_A),
	set_case(test_killed_in_a_set_A_E_F),
	caught_test("set", test_set_of_pins_is_of_one_moment_A),
	plain_test(test_nothing_is_left_G),
};

int main(void)
{
	return cmocka_run_group_tests_name("set", tests, NULL, NULL);
}

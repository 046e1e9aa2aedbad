// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * wake_test.c - many wait at once, and no wake-up is lost
 *
 * Every wait has a limit of PATIENCE seconds, which only a failure reaches.
 */
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>

#include "device.h"

#define THREADS 6

static void ignore_signal(int number)
{
	(void)number;
}

/* ------------------------------------------------------------- all are woken */

/**
 * struct sleeper - a thread that waits
 * @thread: it
 * @name: the map's
 * @version: what it was woken with
 * @result: what its call returned
 * @ready: it is about to wait
 */
struct sleeper {
	pthread_t thread;
	const char *name;
	u64 version;
	int result;
	_Atomic int ready;
};

static void *sleep_in_wait(void *data)
{
	struct sleeper *sleeper = data;
	struct snapmap_wait out = { .version = 0 };
	int fd = map_open(sleeper->name, O_RDONLY);

	sleeper->ready = 1;
	sleeper->result = wait_version(fd, 1, PATIENCE * 1000000000LL, &out);
	sleeper->version = out.version;
	close(fd);
	return NULL;
}

static void *sleep_in_read(void *data)
{
	struct sleeper *sleeper = data;
	int fd = map_open(sleeper->name, O_RDONLY);

	sleeper->result = read_version(fd, &sleeper->version) == 8 ? 0 : -EIO;
	sleeper->ready = 1;
	if (!sleeper->result)
		sleeper->result = read_version(fd, &sleeper->version) >= 0 ? 0 : -EIO;
	close(fd);
	return NULL;
}

static void *sleep_in_poll(void *data)
{
	struct sleeper *sleeper = data;
	int fd = map_open(sleeper->name, O_RDONLY);
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };

	read_version(fd, &sleeper->version);
	sleeper->ready = 1;
	sleeper->result = poll(&poll_fd, 1, PATIENCE * 1000) == 1 ? 0 : -ETIMEDOUT;
	read_version(fd, &sleeper->version);
	close(fd);
	return NULL;
}

static bool all_ready(void *data)
{
	struct sleeper *sleepers = data;
	int i;

	for (i = 0; i < THREADS; i++)
		if (!sleepers[i].ready)
			return false;
	return true;
}

static void start_sleepers(struct sleeper sleepers[THREADS], const char *name)
{
	static void *(*const kinds[])(void *) = { sleep_in_wait, sleep_in_read, sleep_in_poll };
	int i;

	for (i = 0; i < THREADS; i++) {
		sleepers[i] = (struct sleeper){ .name = name, .result = -EINPROGRESS };
		assert_int_equal(pthread_create(&sleepers[i].thread, NULL,
						kinds[i % ARRAY_SIZE(kinds)], &sleepers[i]),
				 0);
	}
	assert_true(wait_until(all_ready, sleepers, PATIENCE));
	nap(20000); /* most are asleep by now; it must work either way */
}

/* A thread that does not end is woken by a signal, and counts as failed. */
static bool join_in_time(pthread_t thread)
{
	struct timespec end;

	clock_gettime(CLOCK_REALTIME, &end);
	end.tv_sec += PATIENCE;
	if (!pthread_timedjoin_np(thread, NULL, &end))
		return true;
	pthread_kill(thread, SIGUSR2);
	pthread_join(thread, NULL);
	return false;
}

static void assert_all_wake(struct sleeper sleepers[THREADS], u64 version)
{
	int i, late = 0;

	for (i = 0; i < THREADS; i++)
		late += !join_in_time(sleepers[i].thread);
	assert_int_equal(late, 0);
	for (i = 0; i < THREADS; i++) {
		assert_int_equal(sleepers[i].result, 0);
		assert_int_equal(sleepers[i].version, version);
	}
}

static void test_publication_wakes_all_C(void **state)
{
	struct fixture *map = *state;
	struct sleeper sleepers[THREADS];

	start_sleepers(sleepers, map->name);
	assert_int_equal(put_string(map->fd, "a", "1"), 0);
	assert_all_wake(sleepers, 2);
}

static void test_destruction_wakes_all_G(void **state)
{
	struct fixture *map = *state;
	struct sleeper sleepers[THREADS];

	start_sleepers(sleepers, map->name);
	assert_int_equal(map_destroy(map->name), 0);
	assert_all_wake(sleepers, 1);
}

#define SHARED 2000 /* commits */

/* Threads that read one descriptor. */
struct crowd {
	int fd;
	_Atomic u8 given[SHARED + 2]; /* how often each version was */
	_Atomic int failures;
};

static void *read_until_the_end(void *data)
{
	struct crowd *crowd = data;
	ssize_t ret;
	u64 version;

	while ((ret = read_version(crowd->fd, &version)) == 8)
		crowd->given[version]++;
	if (ret)
		crowd->failures++;
	return NULL;
}

/* They share its versions: each comes once at most, and nobody gets EAGAIN. */
static void test_threads_share_a_blocking_descriptor_C(void **state)
{
	struct fixture *map = *state;
	static struct crowd crowd;
	pthread_t threads[THREADS];
	int i, given = 0, late = 0;

	crowd.fd = open_reader(map, 0);
	for (i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, read_until_the_end, &crowd), 0);
	for (i = 0; i < SHARED; i++)
		assert_int_equal(put_string(map->fd, "a", "1"), 0);
	assert_int_equal(map_destroy(map->name), 0);
	for (i = 0; i < THREADS; i++)
		late += !join_in_time(threads[i]);
	assert_int_equal(late, 0);
	for (i = 0; i <= SHARED + 1; i++) {
		assert_in_range(crowd.given[i], 0, 1);
		given += crowd.given[i];
	}
	note("%d of %d versions were given", given, SHARED + 1);
	assert_int_equal(crowd.failures, 0);
	assert_int_equal(crowd.given[SHARED + 1], 1);
	close(crowd.fd);
}

/* ------------------------------------------------------------- no wake-up is lost */

/* Versions. */
static u64 followed(void)
{
	return is_slow() ? 1500 : 4000;
}

/* Sees each version, for the next one comes only after it has. */
static int follow_versions(const char *name, _Atomic u64 *seen)
{
	struct sigaction action = { .sa_handler = ignore_signal, .sa_flags = SA_RESTART };
	struct snapmap_wait args = { .version = 1, .timeout_ns = -1 };
	int fd = map_open(name, O_RDONLY);

	sigaction(SIGUSR1, &action, NULL);
	atomic_store(seen, 1);
	while (args.version <= followed()) {
		if (ioc(fd, SNAPMAP_IOC_WAIT, &args))
			return 1;
		atomic_store(seen, args.version);
	}
	return 0;
}

static int send_signals(pid_t to)
{
	while (!kill(to, SIGUSR1))
		sched_yield();
	return 0;
}

static bool has_seen(const _Atomic u64 *seen, u64 version)
{
	u64 end = now_ns() + PATIENCE * 1000000000ULL;

	while (atomic_load(seen) != version) {
		if (now_ns() > end)
			return false;
		sched_yield();
	}
	return true;
}

static void kill_child(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* Signals that restart a waiter's call do not make it miss a publication. */
static void test_no_wake_up_is_lost_to_signals_C(void **state)
{
	struct fixture *map = *state;
	_Atomic u64 *seen = shared_page();
	pid_t follower, sender;
	u64 version = 1;
	bool fine;

	follower = child_start();
	if (!follower)
		_exit(follow_versions(map->name, seen));
	fine = has_seen(seen, version);
	sender = child_start();
	if (!sender)
		_exit(send_signals(follower));
	while (fine && version <= followed())
		fine = !put_string(map->fd, "a", "1") && has_seen(seen, ++version);
	kill_child(sender);
	kill_child(follower);
	if (!fine)
		note("version %llu was not seen within %d s", version, PATIENCE);
	assert_true(fine);
}

static const struct CMUnitTest tests[] = {
	map_test(test_publication_wakes_all_C),
	map_test(test_destruction_wakes_all_G),
	map_test(test_threads_share_a_blocking_descriptor_C),
	map_test(test_no_wake_up_is_lost_to_signals_C),
	cmocka_unit_test(test_nothing_is_left_G),
};

int main(void)
{
	struct sigaction wake = { .sa_handler = ignore_signal };

	sigaction(SIGUSR2, &wake, NULL);
	return cmocka_run_group_tests_name("wake", tests, NULL, NULL);
}

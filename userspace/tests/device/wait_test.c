// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * wait_test.c - poll, epoll, read and SNAPMAP_IOC_WAIT
 *
 * Every wait has a limit of PATIENCE seconds, which only a failure reaches.
 */
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>

#include "device.h"

#define PATIENCE 20
#define THREADS	 6

static int wait_version(int fd, u64 known, s64 timeout_ns, struct snapmap_wait *out)
{
	struct snapmap_wait args = { .version = known, .timeout_ns = timeout_ns };
	int err = ioc(fd, SNAPMAP_IOC_WAIT, &args);

	if (out)
		*out = args;
	return err;
}

static int poll_now(int fd)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN | POLLOUT | POLLPRI };

	return poll(&poll_fd, 1, 0) < 0 ? -errno : poll_fd.revents;
}

static ssize_t read_version(int fd, u64 *version)
{
	ssize_t ret = read(fd, version, sizeof(*version));

	return ret < 0 ? -errno : ret;
}

static int open_reader(const struct fixture *map, int flags)
{
	int fd = map_open(map->name, O_RDONLY | flags);

	assert_true(fd >= 0);
	return fd;
}

/* ------------------------------------------------------------- read */

static void test_read_gives_each_version_once_C(void **state)
{
	struct fixture *map = *state;
	int fd = open_reader(map, O_NONBLOCK);
	u64 version;

	assert_int_equal(read_version(fd, &version), 8);
	assert_int_equal(version, 1);
	assert_int_equal(read_version(fd, &version), -EAGAIN);
	assert_int_equal(put_string(map->fd, "a", "1"), 0);
	assert_int_equal(put_string(map->fd, "a", "2"), 0);
	assert_int_equal(read_version(fd, &version), 8);
	assert_int_equal(version, 3);
	assert_int_equal(read_version(fd, &version), -EAGAIN);
	close(fd);
}

static void test_descriptors_read_independently(void **state)
{
	struct fixture *map = *state;
	int first = open_reader(map, O_NONBLOCK), second = open_reader(map, O_NONBLOCK);
	u64 version;

	assert_int_equal(read_version(first, &version), 8);
	assert_int_equal(put_string(map->fd, "a", "1"), 0);
	assert_int_equal(read_version(second, &version), 8);
	assert_int_equal(version, 2);
	assert_int_equal(read_version(first, &version), 8);
	assert_int_equal(version, 2);
	close(first);
	close(second);
}

static void test_read_lengths_H(void **state)
{
	struct fixture *map = *state;
	int fd = open_reader(map, O_NONBLOCK);
	u8 buf[16];
	int len;

	for (len = 0; len < 8; len++) {
		assert_int_equal(read(fd, buf, len), -1);
		assert_int_equal(errno, EINVAL);
	}
	assert_int_equal(read(fd, buf, sizeof(buf)), 8);
	assert_int_equal(pread(fd, buf, 8, 0), -1);
	assert_int_equal(errno, ESPIPE);
	assert_int_equal(lseek(fd, 0, SEEK_SET), -1);
	assert_int_equal(errno, ESPIPE);
	assert_int_equal(write(map->fd, buf, 8), -1);
	assert_int_equal(errno, EINVAL);
	close(fd);
}

/* A read that fails has not given the version. */
static void test_read_that_faults_gives_nothing_F(void **state)
{
	struct fixture *map = *state;
	int fd = open_reader(map, O_NONBLOCK);
	u64 *nowhere = shared_page();
	u64 version;

	assert_int_equal(mprotect(nowhere, PAGE, PROT_READ), 0);
	assert_int_equal(read_version(fd, nowhere), -EFAULT);
	munmap(nowhere, PAGE);
	assert_int_equal(read_version(fd, &version), 8);
	assert_int_equal(version, 1);
	close(fd);
}

static void test_read_of_a_destroyed_map_ends(void **state)
{
	struct fixture *map = *state;
	int fd = open_reader(map, 0);
	u64 version;

	assert_int_equal(map_destroy(map->name), 0);
	assert_int_equal(read_version(fd, &version), 8);
	assert_int_equal(version, 1);
	assert_int_equal(read_version(fd, &version), 0);
	assert_int_equal(read_version(fd, &version), 0);
	close(fd);
}

/* ------------------------------------------------------------- poll */

static void test_poll_tells_what_read_would_do(void **state)
{
	struct fixture *map = *state;
	int fd = open_reader(map, O_NONBLOCK);
	u64 version;

	assert_int_equal(poll_now(fd), POLLIN);
	assert_int_equal(read_version(fd, &version), 8);
	assert_int_equal(poll_now(fd), 0);
	assert_int_equal(put_string(map->fd, "a", "1"), 0);
	assert_int_equal(poll_now(fd), POLLIN);
	assert_int_equal(read_version(fd, &version), 8);
	assert_int_equal(poll_now(fd), 0);
	assert_int_equal(map_destroy(map->name), 0);
	assert_int_equal(poll_now(fd), POLLIN | POLLHUP);
	assert_int_equal(read_version(fd, &version), 0);
	assert_int_equal(poll_now(fd), POLLIN | POLLHUP);
	close(fd);
}

static int epoll_on(int fd, u32 events)
{
	struct epoll_event event = { .events = events };
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	assert_true(epoll >= 0);
	assert_int_equal(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event), 0);
	return epoll;
}

static u32 epoll_now(int epoll)
{
	struct epoll_event event = { .events = 0 };

	return epoll_wait(epoll, &event, 1, 0) == 1 ? event.events : 0;
}

/* Edges: one for each publication, and one for the end. */
static void test_epoll_edges(void **state)
{
	struct fixture *map = *state;
	int fd = open_reader(map, O_NONBLOCK);
	int epoll = epoll_on(fd, EPOLLIN | EPOLLET);
	int i;

	assert_int_equal(epoll_now(epoll), EPOLLIN);
	assert_int_equal(epoll_now(epoll), 0);
	for (i = 0; i < 5; i++) {
		assert_int_equal(put_string(map->fd, "a", "1"), 0);
		assert_int_equal(epoll_now(epoll), EPOLLIN);
		assert_int_equal(epoll_now(epoll), 0);
	}
	assert_int_equal(map_destroy(map->name), 0);
	assert_int_equal(epoll_now(epoll), EPOLLIN | EPOLLHUP);
	assert_int_equal(epoll_now(epoll), 0);
	close(epoll);
	close(fd);
}

/* A commit that publishes nothing wakes nobody. */
static void test_failed_commit_is_no_event_F(void **state)
{
	struct fixture *map = *state;
	int fd = open_reader(map, O_NONBLOCK);
	int epoll = epoll_on(fd, EPOLLIN | EPOLLET);

	assert_int_equal(epoll_now(epoll), EPOLLIN);
	assert_int_equal(put_string(map->fd, "", "empty key"), -EMSGSIZE);
	assert_int_equal(epoll_now(epoll), 0);
	close(epoll);
	close(fd);
}

/* ------------------------------------------------------------- WAIT */

static void test_wait_returns_at_once_for_another_version(void **state)
{
	struct fixture *map = *state;
	static const u64 others[] = { 0, 2, ~0ULL };
	struct snapmap_wait out;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(others); i++) {
		assert_int_equal(wait_version(map->fd, others[i], -1, &out), 0);
		assert_int_equal(out.version, 1);
		assert_int_equal(out.state, 0);
	}
}

static void test_wait_ends_in_time(void **state)
{
	struct fixture *map = *state;
	static const s64 timeouts[] = { 0, 1, 1000, 30000000 };
	struct snapmap_wait out;
	size_t i;
	u64 start;

	for (i = 0; i < ARRAY_SIZE(timeouts); i++) {
		start = now_ns();
		assert_int_equal(wait_version(map->fd, 1, timeouts[i], &out), -ETIMEDOUT);
		assert_true(now_ns() - start >= (u64)timeouts[i]);
		assert_int_equal(out.version, 1);
		assert_int_equal(out.state, 0);
	}
}

static void test_wait_on_a_destroyed_map(void **state)
{
	struct fixture *map = *state;
	struct snapmap_wait out;

	assert_int_equal(map_destroy(map->name), 0);
	assert_int_equal(wait_version(map->fd, 1, -1, &out), 0);
	assert_int_equal(out.version, 1);
	assert_int_equal(out.state, SNAPMAP_STATE_DESTROYED);
}

static void ignore_signal(int number)
{
	(void)number;
}

/* While it lives, the process gets SIGALRM often, and restarts its system calls. */
static void alarms_begin(struct sigaction *old, int flags)
{
	struct sigaction action = { .sa_handler = ignore_signal, .sa_flags = flags };
	struct itimerval often = { { 0, 5000 }, { 0, 5000 } };

	sigaction(SIGALRM, &action, old);
	setitimer(ITIMER_REAL, &often, NULL);
}

static void alarms_end(const struct sigaction *old)
{
	struct itimerval never = { { 0, 0 }, { 0, 0 } };

	setitimer(ITIMER_REAL, &never, NULL);
	sigaction(SIGALRM, old, NULL);
}

/**
 * struct child - a process of a test
 * @pid: it
 * @status: how it has ended
 */
struct child {
	pid_t pid;
	int status;
};

static bool child_has_ended(void *data)
{
	struct child *child = data;

	return waitpid(child->pid, &child->status, WNOHANG) == child->pid;
}

static int wait_under_signals(int fd)
{
	struct sigaction old;

	alarms_begin(&old, SA_RESTART);
	return wait_version(fd, 1, 100000000, NULL) == -ETIMEDOUT ? 0 : 1;
}

/* "At most so long" holds however many signals come. In a child, for it may never end. */
static void test_wait_ends_in_time_under_signals(void **state)
{
	struct fixture *map = *state;
	struct child child = { .pid = child_start() };
	bool ended;

	if (!child.pid)
		_exit(wait_under_signals(map->fd));
	ended = wait_until(child_has_ended, &child, 10);
	if (!ended) {
		kill(child.pid, SIGKILL);
		waitpid(child.pid, NULL, 0);
	}
	assert_true(ended);
	assert_int_equal(child.status, 0);
}

static void test_wait_is_interrupted_without_restart(void **state)
{
	struct fixture *map = *state;
	struct sigaction old;
	int err;

	alarms_begin(&old, 0);
	err = wait_version(map->fd, 1, PATIENCE * 1000000000LL, NULL);
	alarms_end(&old);
	assert_int_equal(err, -EINTR);
}

/* ------------------------------------------------------------- threads */

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

#define FOLLOWED 4000 /* versions */

/* Sees each version, for the next one comes only after it has. */
static int follow_versions(const char *name, _Atomic u64 *seen)
{
	struct sigaction action = { .sa_handler = ignore_signal, .sa_flags = SA_RESTART };
	struct snapmap_wait args = { .version = 1, .timeout_ns = -1 };
	int fd = map_open(name, O_RDONLY);

	sigaction(SIGUSR1, &action, NULL);
	atomic_store(seen, 1);
	while (args.version <= FOLLOWED) {
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
	u64 end = now_ns() + 10 * 1000000000ULL;

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
	while (fine && version <= FOLLOWED)
		fine = !put_string(map->fd, "a", "1") && has_seen(seen, ++version);
	kill_child(sender);
	kill_child(follower);
	if (!fine)
		note("version %llu was not seen within 10 s", version);
	assert_true(fine);
}

static const struct CMUnitTest tests[] = {
	map_test(test_read_gives_each_version_once_C),
	map_test(test_descriptors_read_independently),
	map_test(test_read_lengths_H),
	map_test(test_read_that_faults_gives_nothing_F),
	map_test(test_read_of_a_destroyed_map_ends),
	map_test(test_poll_tells_what_read_would_do),
	map_test(test_epoll_edges),
	map_test(test_failed_commit_is_no_event_F),
	map_test(test_wait_returns_at_once_for_another_version),
	map_test(test_wait_ends_in_time),
	map_test(test_wait_on_a_destroyed_map),
	map_test(test_wait_ends_in_time_under_signals),
	map_test(test_wait_is_interrupted_without_restart),
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
	return cmocka_run_group_tests_name("wait", tests, NULL, NULL);
}

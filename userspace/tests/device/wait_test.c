// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * wait_test.c - poll, epoll, read and SNAPMAP_IOC_WAIT, for one who waits
 *
 * Every wait has a limit of PATIENCE seconds, which only a failure reaches.
 */
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>

#include "device.h"

static int poll_now(int fd)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN | POLLOUT | POLLPRI };

	return poll(&poll_fd, 1, 0) < 0 ? -errno : poll_fd.revents;
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
	ended = wait_until(child_has_ended, &child, PATIENCE);
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

/* The version that it was not given comes with the next read. */
static void test_read_is_interrupted_F(void **state)
{
	struct fixture *map = *state;
	int fd = open_reader(map, 0);
	struct sigaction old;
	u64 version;

	assert_int_equal(read_version(fd, &version), 8);
	alarms_begin(&old, 0);
	assert_int_equal(read_version(fd, &version), -EINTR);
	alarms_end(&old);
	assert_int_equal(put_string(map->fd, "a", "1"), 0);
	assert_int_equal(read_version(fd, &version), 8);
	assert_int_equal(version, 2);
	close(fd);
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
	map_test(test_read_is_interrupted_F),
	cmocka_unit_test(test_nothing_is_left_G),
};

int main(void)
{
	return cmocka_run_group_tests_name("wait", tests, NULL, NULL);
}

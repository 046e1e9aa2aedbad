// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * device_test.c - the library against the module; for a guest, as root
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Needs what is above. */
#include <cmocka.h>

#include <libsnapmap.h>

#define NAME "library-test"

struct fixture {
	struct snapmap *map;
	struct snapmap_batch *batch;
};

static int setup(void **state)
{
	static struct fixture fixture;

	*state = &fixture;
	fixture.batch = snapmap_batch_new();
	return snapmap_create(NAME, NULL) || snapmap_open(NAME, O_RDWR, &fixture.map);
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	snapmap_batch_free(fixture->batch);
	snapmap_close(fixture->map);
	snapmap_destroy(NAME);
	return 0;
}

static void put(struct fixture *fixture, const char *key, const char *value)
{
	snapmap_batch_clear(fixture->batch);
	assert_int_equal(snapmap_batch_put(fixture->batch, key, strlen(key), value, strlen(value)),
			 0);
	assert_int_equal(snapmap_commit(fixture->map, fixture->batch, NULL, NULL), 0);
}

static void test_get(void **state)
{
	struct fixture *fixture = *state;
	struct snapmap_found found;
	char buf[16];

	assert_int_equal(snapmap_get(fixture->map, "k", 1, buf, 16, &found), -ENOENT);
	assert_int_equal(found.version, 1);
	put(fixture, "k", "value");
	put(fixture, "empty", "");
	assert_int_equal(snapmap_get(fixture->map, "k", 1, buf, 16, &found), 0);
	assert_int_equal(found.value_len, 5);
	assert_int_equal(found.entry_version, 2);
	assert_int_equal(found.version, 3);
	assert_memory_equal(buf, "value", 5);
	assert_int_equal(snapmap_get(fixture->map, "k", 1, buf, 5, NULL), 0);
	found.value_len = 0;
	assert_int_equal(snapmap_get(fixture->map, "k", 1, buf, 4, &found), -ERANGE);
	assert_int_equal(found.value_len, 5);
	assert_int_equal(snapmap_get(fixture->map, "empty", 5, NULL, 0, &found), 0);
	assert_int_equal(found.value_len, 0);
	assert_int_equal(snapmap_get(fixture->map, "k", 0, buf, 16, NULL), -EMSGSIZE);
	assert_int_equal(snapmap_get(fixture->map, "k", 1025, buf, 16, NULL), -EMSGSIZE);
}

static void test_header_and_info(void **state)
{
	struct fixture *fixture = *state;
	struct snapmap_header header;
	struct snapmap_info info;

	put(fixture, "key", "value");
	snapmap_header(fixture->map, &header);
	assert_int_equal(snapmap_info(fixture->map, &info), 0);
	assert_memory_equal(&header, &info.header, sizeof(header));
	assert_int_equal(header.version, 2);
	assert_int_equal(header.entries, 1);
	assert_int_equal(snapmap_version(fixture->map), 2);
	assert_int_equal(snapmap_state(fixture->map), 0);
	assert_string_equal((const char *)info.name, NAME);
	assert_int_equal(info.commits, 1);
}

static void test_open(void **state)
{
	struct fixture *fixture = *state;
	struct snapmap *map;

	assert_int_equal(snapmap_open("/dev/snapmap/" NAME, O_RDONLY | O_NONBLOCK, &map), 0);
	assert_true(fcntl(snapmap_fd(map), F_GETFL) & O_NONBLOCK);
	assert_true(fcntl(snapmap_fd(map), F_GETFD) & FD_CLOEXEC);
	snapmap_batch_clear(fixture->batch);
	assert_int_equal(snapmap_commit(map, fixture->batch, NULL, NULL), -EBADF);
	snapmap_close(map);
	assert_int_equal(snapmap_open("/dev/snapmap/control", O_RDWR, &map), -ENOTTY);
	assert_int_equal(snapmap_open("no-such-map", O_RDWR, &map), -ENOENT);
}

static void test_commit(void **state)
{
	struct snapmap_commit_opts opts = { .flags = SNAPMAP_COMMIT_STAMP, .stamp = 99 };
	struct fixture *fixture = *state;
	struct snapmap_commit_result result;
	struct snapmap_header header;

	snapmap_batch_put(fixture->batch, "a", 1, "1", 1);
	snapmap_batch_put_if(fixture->batch, "b", 1, "1", 1, SNAPMAP_COND_ABSENT, 0);
	snapmap_batch_delete(fixture->batch, "c", 1);
	assert_int_equal(snapmap_commit(fixture->map, fixture->batch, &opts, &result), 0);
	assert_int_equal(result.version, 2);
	assert_int_equal(result.missing, 1);
	assert_int_equal(result.failed_op, SNAPMAP_NO_OP);
	assert_true(result.blocks_copied > 0);
	snapmap_header(fixture->map, &header);
	assert_int_equal(header.stamp, 99);

	snapmap_batch_clear(fixture->batch);
	snapmap_batch_put(fixture->batch, "a", 1, "2", 1);
	opts.flags = SNAPMAP_COMMIT_IF_VERSION;
	opts.if_version = 1;
	assert_int_equal(snapmap_commit(fixture->map, fixture->batch, &opts, &result), -ECANCELED);
	assert_int_equal(result.version, 2);
	assert_int_equal(result.failed_op, SNAPMAP_NO_OP);
	opts.if_version = 2;
	assert_int_equal(snapmap_commit(fixture->map, fixture->batch, &opts, &result), 0);
	snapmap_header(fixture->map, &header);
	assert_int_equal(header.version, 3);
	assert_int_equal(header.stamp, 99);
}

static void test_conditions(void **state)
{
	struct fixture *fixture = *state;
	struct snapmap_commit_result result;
	struct snapmap_batch *batch = fixture->batch;

	put(fixture, "a", "1");
	snapmap_batch_clear(batch);
	snapmap_batch_put(batch, "x", 1, "1", 1);
	snapmap_batch_put_if(batch, "a", 1, "2", 1, SNAPMAP_COND_VERSION, 2);
	snapmap_batch_delete_if(batch, "none", 4, SNAPMAP_COND_PRESENT, 0);
	assert_int_equal(snapmap_commit(fixture->map, batch, NULL, &result), -ECANCELED);
	assert_int_equal(result.failed_op, 2);
	assert_int_equal(result.version, 2);
	assert_int_equal(snapmap_get(fixture->map, "x", 1, NULL, 0, NULL), -ENOENT);
	snapmap_batch_clear(batch);
	snapmap_batch_delete_if(batch, "a", 1, SNAPMAP_COND_VERSION, 3);
	assert_int_equal(snapmap_commit(fixture->map, batch, NULL, &result), -ECANCELED);
	assert_int_equal(result.failed_op, 0);
	snapmap_batch_clear(batch);
	snapmap_batch_delete_if(batch, "a", 1, SNAPMAP_COND_VERSION, 2);
	assert_int_equal(snapmap_commit(fixture->map, batch, NULL, &result), 0);
}

static void test_wait(void **state)
{
	struct fixture *fixture = *state;
	struct timespec before, after;
	uint64_t version = 0;

	assert_int_equal(snapmap_wait(fixture->map, &version, 0), 0);
	assert_int_equal(version, 1);
	clock_gettime(CLOCK_MONOTONIC, &before);
	assert_int_equal(snapmap_wait(fixture->map, &version, 50), -ETIMEDOUT);
	clock_gettime(CLOCK_MONOTONIC, &after);
	assert_true((after.tv_sec - before.tv_sec) * 1000000000 + after.tv_nsec - before.tv_nsec >=
		    50000000);
	assert_int_equal(version, 1);
	put(fixture, "k", "v");
	assert_int_equal(snapmap_wait(fixture->map, &version, -1), 0);
	assert_int_equal(version, 2);
	put(fixture, "k", "w");
	assert_int_equal(snapmap_destroy(NAME), 0);
	assert_int_equal(snapmap_wait(fixture->map, &version, -1), 0);
	assert_int_equal(version, 3);
	assert_int_equal(snapmap_wait(fixture->map, &version, -1), -ENODEV);
	assert_true(snapmap_state(fixture->map) & SNAPMAP_STATE_DESTROYED);
}

static void test_destroyed(void **state)
{
	struct fixture *fixture = *state;
	struct pollfd poll_fd = { .fd = snapmap_fd(fixture->map), .events = POLLIN };
	char buf[16];

	put(fixture, "k", "v");
	assert_int_equal(snapmap_destroy(NAME), 0);
	assert_int_equal(snapmap_get(fixture->map, "k", 1, buf, 16, NULL), 0);
	assert_int_equal(snapmap_commit(fixture->map, fixture->batch, NULL, NULL), -ENODEV);
	assert_int_equal(poll(&poll_fd, 1, 0), 1);
	assert_true(poll_fd.revents & POLLHUP);
	assert_int_equal(snapmap_destroy(NAME), -ENOENT);
}

static void test_pin_stays(void **state)
{
	struct fixture *fixture = *state;
	struct snapmap_snapshot *snapshot;
	struct snapmap_item item;
	char value[64];
	int i;

	put(fixture, "k", "first");
	assert_int_equal(snapmap_pin(fixture->map, &snapshot), 0);
	assert_int_equal(snapmap_pin_get(snapshot, "k", 1, &item), 0);
	for (i = 0; i < 500; i++) {
		snprintf(value, sizeof(value), "%d and more", i);
		put(fixture, "k", value);
	}
	assert_int_equal(item.value_len, 5);
	assert_memory_equal(item.value, "first", 5);
	assert_int_equal(item.version, 2);
	assert_int_equal(snapmap_pin_version(snapshot), 2);
	assert_int_equal(snapmap_pin_header(snapshot)->entries, 1);
	/* It outlives the map that it was pinned through. */
	snapmap_close(fixture->map);
	assert_memory_equal(item.value, "first", 5);
	assert_int_equal(snapmap_pin_get(snapshot, "none", 4, &item), -ENOENT);
	snapmap_unpin(snapshot);
	assert_int_equal(snapmap_open(NAME, O_RDWR, &fixture->map), 0);
}

static void send_fd(int socket, int fd)
{
	char control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec byte = { .iov_base = "p", .iov_len = 1 };
	struct msghdr message = {
		.msg_iov = &byte,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(header), &fd, sizeof(int));
	assert_int_equal(sendmsg(socket, &message, 0), 1);
}

static int receive_fd(int socket)
{
	char control[CMSG_SPACE(sizeof(int))];
	char data;
	struct iovec byte = { .iov_base = &data, .iov_len = 1 };
	struct msghdr message = {
		.msg_iov = &byte,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	int fd = -1;

	if (recvmsg(socket, &message, 0) == 1)
		memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(int));
	return fd;
}

/* In the other process: 0 when the pin shows what it should. */
static int use_pin(int socket)
{
	struct snapmap_snapshot *snapshot;
	struct snapmap_item item;
	int bad;

	if (snapmap_pin_open_fd(receive_fd(socket), &snapshot))
		return 1;
	bad = snapmap_pin_get(snapshot, "k", 1, &item) || item.value_len != 5 ||
	      memcmp(item.value, "first", 5) || snapmap_pin_version(snapshot) != 2;
	snapmap_unpin(snapshot);
	return bad;
}

static void test_pin_is_sent(void **state)
{
	struct fixture *fixture = *state;
	struct snapmap_snapshot *snapshot;
	int sockets[2];
	int status;
	pid_t pid;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets), 0);
	pid = fork();
	if (!pid)
		_exit(use_pin(sockets[1]));
	put(fixture, "k", "first");
	assert_int_equal(snapmap_pin(fixture->map, &snapshot), 0);
	put(fixture, "k", "second");
	send_fd(sockets[0], snapmap_pin_fd(snapshot));
	snapmap_unpin(snapshot);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	close(sockets[0]);
	close(sockets[1]);
}

static void test_map_is_no_pin(void **state)
{
	struct fixture *fixture = *state;
	struct snapmap_snapshot *snapshot;

	assert_int_equal(snapmap_pin_open_fd(snapmap_fd(fixture->map), &snapshot), -EINVAL);
}

static void test_iterate(void **state)
{
	struct fixture *fixture = *state;
	struct snapmap_snapshot *snapshot;
	static unsigned char seen[50000];
	struct snapmap_iter *iter;
	struct snapmap_item item;
	uint32_t number;
	int ret;

	for (number = 0; number < sizeof(seen); number++)
		assert_int_equal(snapmap_batch_put(fixture->batch, &number, 4, &number, 4), 0);
	assert_int_equal(snapmap_commit(fixture->map, fixture->batch, NULL, NULL), 0);
	assert_int_equal(snapmap_pin(fixture->map, &snapshot), 0);
	assert_int_equal(snapmap_iter_new(snapshot, &iter), 0);
	while ((ret = snapmap_iter_next(iter, &item)) > 0) {
		assert_int_equal(item.key_len, 4);
		assert_memory_equal(item.key, item.value, 4);
		memcpy(&number, item.key, 4);
		seen[number]++;
	}
	assert_int_equal(ret, 0);
	for (number = 0; number < sizeof(seen); number++)
		assert_int_equal(seen[number], 1);
	snapmap_iter_free(iter);
	snapmap_unpin(snapshot);
}

/* The mapping stays read-only, whatever is asked for (promise B). */
static void test_read_only(void **state)
{
	struct fixture *fixture = *state;
	int fd = snapmap_fd(fixture->map);

	assert_ptr_equal(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), MAP_FAILED);
	assert_int_equal(errno, EACCES);
}

#define RACE_VALUE   600
#define RACE_SECONDS 3

struct race {
	struct snapmap *map;
	int stop;
	long gets;
	const char *wrong;
};

/* Every value is one byte repeated; a torn one would be mixed (promise A). */
static const char *check_race(const struct snapmap_found *found, const char *value, uint64_t *last)
{
	size_t i;

	if (found->version < *last)
		return "the version went back";
	*last = found->version;
	if (found->entry_version > found->version || found->value_len != RACE_VALUE)
		return "an impossible entry";
	for (i = 1; i < RACE_VALUE; i++)
		if (value[i] != value[0])
			return "a torn value";
	return NULL;
}

static void *race_reader(void *data)
{
	struct race *race = data;
	struct snapmap_found found;
	char value[RACE_VALUE];
	uint64_t last = 0;
	int err;

	while (!__atomic_load_n(&race->stop, __ATOMIC_RELAXED) && !race->wrong) {
		err = snapmap_get(race->map, "race", 4, value, sizeof(value), &found);
		race->wrong = err ? strerror(-err) : check_race(&found, value, &last);
		race->gets++;
	}
	return NULL;
}

static void test_race(void **state)
{
	struct fixture *fixture = *state;
	struct race races[2] = { { .map = fixture->map }, { .map = fixture->map } };
	time_t end = time(NULL) + RACE_SECONDS;
	char value[RACE_VALUE + 1] = { 0 };
	pthread_t threads[2];
	int i, n;

	memset(value, 'a', RACE_VALUE);
	put(fixture, "race", value);
	for (i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, race_reader, &races[i]), 0);
	for (n = 0; time(NULL) < end; n++) {
		memset(value, 'a' + n % 26, RACE_VALUE);
		put(fixture, "race", value);
	}
	for (i = 0; i < 2; i++) {
		__atomic_store_n(&races[i].stop, 1, __ATOMIC_RELAXED);
		pthread_join(threads[i], NULL);
		if (races[i].wrong)
			fail_msg("%s", races[i].wrong);
		print_message("# %ld gets against %d commits\n", races[i].gets, n);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_get),	      TEST(test_header_and_info), TEST(test_open),
		TEST(test_commit),    TEST(test_conditions),	  TEST(test_wait),
		TEST(test_destroyed), TEST(test_pin_stays),	  TEST(test_pin_is_sent),
		TEST(test_iterate),   TEST(test_map_is_no_pin),	  TEST(test_read_only),
		TEST(test_race),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

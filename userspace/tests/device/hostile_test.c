// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * hostile_test.c - processes that mean harm, as far as their rights go
 * (promises E and H)
 */
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "device.h"

/* ------------------------------------------------------------- keys that share a hash */

/*
 * The first word makes one factor of the last product 0, and so the product,
 * whatever the other word is.
 */
static void colliding_key(u64 seed, u64 number, u64 key[2])
{
	key[0] = seed ^ SNAPMAP_HASH_MIX;
	key[1] = number;
}

static u64 seed_of_map(int fd)
{
	const struct snapmap_control *control = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
	u64 seed;

	assert_ptr_not_equal(control, MAP_FAILED);
	assert_int_equal(control->hash_kind, SNAPMAP_HASH_FOLD);
	seed = control->hash_seed;
	munmap((void *)control, PAGE);
	return seed;
}

static void add_colliding(struct batch *batch, u64 seed, u64 first, u64 count)
{
	u64 key[2];

	batch_clear(batch);
	for (; count--; first++) {
		colliding_key(seed, first, key);
		batch_put(batch, key, sizeof(key), &first, sizeof(first));
	}
}

static void assert_colliding(int fd, u64 seed, u64 number, int expected)
{
	u64 key[2], value = ~0ULL;
	struct snapmap_get get = { .key = (uintptr_t)key,
				   .key_len = sizeof(key),
				   .value = (uintptr_t)&value,
				   .value_len = sizeof(value) };

	colliding_key(seed, number, key);
	assert_int_equal(ioc(fd, SNAPMAP_IOC_GET, &get), expected);
	if (!expected)
		assert_int_equal(value, number);
}

/* As many as a leaf holds are told apart by the keys themselves. */
static void test_some_keys_share_a_hash_A(void **state)
{
	struct fixture *map = *state;
	u64 seed = seed_of_map(map->fd), i;
	struct batch batch = { .data = NULL };

	add_colliding(&batch, seed, 0, 15);
	assert_int_equal(batch_commit(map->fd, &batch, 0, NULL), 0);
	for (i = 0; i < 20; i++)
		assert_colliding(map->fd, seed, i, i < 15 ? 0 : -ENOENT);
	assert_no_leak(map->fd);
	batch_free(&batch);
}

/* Beside others, which stay as they are; and more than fit are refused. */
static void test_too_many_keys_share_a_hash_F_H(void **state)
{
	struct fixture *map = *state;
	u64 seed = seed_of_map(map->fd), i;
	struct batch batch = { .data = NULL };
	struct snapmap_info before;

	for (i = 0; i < 3000; i++)
		batch_put(&batch, &i, sizeof(i), &i, sizeof(i));
	assert_int_equal(batch_commit(map->fd, &batch, 0, NULL), 0);
	assert_info(map->fd, &before);
	add_colliding(&batch, seed, 0, 500);
	assert_int_equal(batch_commit(map->fd, &batch, 0, NULL), -EOVERFLOW);
	assert_unchanged(map->fd, &before);
	for (i = 0; i < 100; i++) {
		add_colliding(&batch, seed, i, 1);
		if (batch_commit(map->fd, &batch, 0, NULL))
			break;
	}
	note("%llu keys of one hash fitted", i);
	assert_in_range(i, 20, 99);
	assert_colliding(map->fd, seed, i - 1, 0);
	assert_colliding(map->fd, seed, i, -ENOENT);
	assert_no_leak(map->fd);
	batch_free(&batch);
}

/* ------------------------------------------------------------- a commit that does not go on */

enum stall {
	STALL_COMING,
	STALL_CAUGHT,
	STALL_IMPOSSIBLE,
	STALL_OVER
};

/**
 * struct staller - a process with a commit whose batch is never answered for
 * @pid: the process
 * @state: enum stall, shared; set to STALL_OVER to let the commit go on
 * @map: descriptor of the map
 * @batch: memory that a userfaultfd watches
 */
struct staller {
	pid_t pid;
	_Atomic int *state;
	int map;
	void *batch;
};

/* Who reads the page waits until the descriptor is closed, then reads zeroes. */
static int trap_set(void *page)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register range = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);

	range.range.start = (uintptr_t)page;
	range.range.len = PAGE;
	if (fd < 0 || ioctl(fd, UFFDIO_API, &api) || ioctl(fd, UFFDIO_REGISTER, &range))
		return -1;
	return fd;
}

static void *stalled_commit(void *data)
{
	const struct staller *staller = data;
	struct snapmap_commit args = { .ops = (uintptr_t)staller->batch, .ops_bytes = PAGE };

	ioc(staller->map, SNAPMAP_IOC_COMMIT, &args); /* zeroes are no batch */
	return NULL;
}

static int stall(struct staller *staller)
{
	struct pollfd trap = { .events = POLLIN };
	pthread_t thread;

	staller->batch =
		mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	trap.fd = trap_set(staller->batch);
	if (trap.fd < 0) {
		*staller->state = STALL_IMPOSSIBLE;
		return 1;
	}
	pthread_create(&thread, NULL, stalled_commit, staller);
	if (poll(&trap, 1, PATIENCE * 1000) == 1)
		*staller->state = STALL_CAUGHT;
	while (*staller->state != STALL_OVER)
		nap(1000);
	close(trap.fd);
	pthread_join(thread, NULL);
	return 0;
}

static bool stall_has_begun(void *data)
{
	struct staller *staller = data;

	return *staller->state != STALL_COMING;
}

static struct staller staller_start(int map)
{
	struct staller staller = { .state = shared_page(), .map = map };

	staller.pid = child_start();
	if (!staller.pid)
		_exit(stall(&staller));
	assert_true(wait_until(stall_has_begun, &staller, PATIENCE));
	if (*staller.state == STALL_IMPOSSIBLE) {
		waitpid(staller.pid, NULL, 0);
		skip_for("needs CONFIG_USERFAULTFD");
	}
	return staller;
}

static int come_and_go(void)
{
	int err = map_create("bystander", SNAPMAP_LIMIT_MIN);
	int fd = map_open("bystander", O_RDWR);

	if (!err)
		err = put_string(fd, "key", "value");
	close(fd);
	return err ? err : map_destroy("bystander");
}

/* Whoever may commit to one map can hold up neither its readers nor any other map. */
static void test_stalled_commit_holds_up_no_other_map_E_H(void **state)
{
	struct fixture *map = *state;
	struct child bystander, destroyer;
	struct staller staller;
	bool ended;

	assert_int_equal(put_string(map->fd, "key", "value"), 0);
	staller = staller_start(map->fd);
	assert_true(key_is(map->fd, "key", "value"));
	destroyer.pid = child_start();
	if (!destroyer.pid)
		_exit(-map_destroy(map->name));
	nap(200000); /* for the destroyer to be under way; without, the test proves less */
	bystander.pid = child_start();
	if (!bystander.pid)
		_exit(-come_and_go());
	ended = wait_until(child_has_ended, &bystander, PATIENCE);
	*staller.state = STALL_OVER;
	assert_int_equal(waitpid(staller.pid, NULL, 0), staller.pid);
	assert_true(wait_until(child_has_ended, &destroyer, PATIENCE));
	assert_true(ended || wait_until(child_has_ended, &bystander, PATIENCE));
	assert_int_equal(destroyer.status, 0);
	assert_true(ended);
	assert_int_equal(bystander.status, 0);
}

static void kill_child(pid_t pid)
{
	int status;

	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
}

/* Both a stalled commit and who waits for it can be killed. */
static void test_stalled_commit_can_be_killed_F(void **state)
{
	struct fixture *map = *state;
	struct snapmap_info before;
	struct staller staller;
	pid_t waiter;

	assert_int_equal(put_string(map->fd, "key", "value"), 0);
	assert_info(map->fd, &before);
	staller = staller_start(map->fd);
	waiter = child_start();
	if (!waiter)
		_exit(-put_string(map->fd, "key", "other"));
	nap(100000);
	kill_child(waiter);
	kill_child(staller.pid);
	assert_unchanged(map->fd, &before);
	assert_int_equal(put_string(map->fd, "key", "value"), 0);
	assert_no_leak(map->fd);
}

/* ------------------------------------------------------------- pins in the worst order */

#define PINS 500

static u64 keys(void)
{
	return is_slow() ? 8000 : 20000;
}

/* Each value takes a run of blocks of its own. */
static void replace_all(int fd, u8 round)
{
	struct batch batch = { .data = NULL };
	u8 value[1200];
	u64 key;

	memset(value, round, sizeof(value));
	for (key = 0; key < keys(); key++)
		batch_put(&batch, &key, sizeof(key), value, sizeof(value));
	assert_int_equal(batch_commit(fd, &batch, SNAPMAP_COMMIT_REPLACE, NULL), 0);
	batch_free(&batch);
}

static u64 time_a_commit(int fd)
{
	u64 start = now_ns();

	assert_int_equal(put_string(fd, "small", "commit"), 0);
	return (now_ns() - start) / 1000;
}

/*
 * Many pins of nearly one content, closed from the newest to the oldest: what
 * the newest held back is handed down. Prints what that costs the next commit.
 */
static void test_pins_closed_newest_first_E(void **state)
{
	struct fixture *map = *state;
	u64 before;
	int pins[PINS], i;

	replace_all(map->fd, 1);
	for (i = 0; i < PINS; i++) {
		assert_int_equal(put_string(map->fd, "small", "commit"), 0);
		pins[i] = map_pin(map->fd);
		assert_true(pins[i] >= 0);
	}
	replace_all(map->fd, 2);
	settle(map->fd);
	before = time_a_commit(map->fd);
	for (i = PINS - 1; i >= 0; i--)
		close(pins[i]);
	note("%d pins of %llu runs: a commit takes %llu us, and %llu us once they are closed", PINS,
	     keys(), before, time_a_commit(map->fd));
	assert_no_leak(map->fd);
}

/* ------------------------------------------------------------- faults beside growth */

static void touch(const u8 *base, size_t bytes, size_t step)
{
	size_t at;

	for (at = 0; at < bytes; at += step)
		*(const volatile u8 *)(base + at);
}

/* Faults, forks, maps and unmaps until it is killed. */
static void disturb(const char *name)
{
	int fd = map_open(name, O_RDONLY);
	size_t bytes;
	const u8 *base;
	pid_t pid;

	for (;;) {
		base = map_mapping(fd, &bytes);
		touch(base, bytes, PAGE);
		pid = child_start();
		if (!pid) {
			touch(base, bytes, 3 * PAGE);
			_exit(0);
		}
		mprotect((void *)base, bytes / 2, PROT_NONE);
		madvise((void *)(base + bytes / 2), bytes / 4, MADV_DONTNEED);
		touch(base + bytes / 2, bytes / 2, PAGE);
		waitpid(pid, NULL, 0);
		munmap((void *)base, bytes);
	}
}

static bool has_shrunk(void *data)
{
	struct fixture *map = data;

	return sysfs_value(map->name, "resident_bytes") < MIB;
}

static void test_faults_beside_growth_and_shrinking_H(void **state)
{
	struct fixture *map = *state;
	pid_t pids[3];
	int i, status;

	for (i = 0; i < 3; i++) {
		pids[i] = child_start();
		if (!pids[i])
			disturb(map->name);
	}
	for (i = 0; i < 3; i++) {
		replace_all(map->fd, i);
		assert_int_equal(batch_commit(map->fd, &(struct batch){ .data = NULL },
					      SNAPMAP_COMMIT_REPLACE, NULL),
				 0);
		assert_true(wait_until(has_shrunk, map, PATIENCE));
	}
	for (i = 0; i < 3; i++) {
		assert_int_equal(waitpid(pids[i], &status, WNOHANG), 0); /* it has not crashed */
		kill(pids[i], SIGKILL);
		waitpid(pids[i], &status, 0);
	}
	assert_no_leak(map->fd);
}

static int setup_large(void **state)
{
	return fixture_new(state, 200 * MIB);
}

#define large_test(f) cmocka_unit_test_setup_teardown(f, setup_large, fixture_teardown)

static const struct CMUnitTest tests[] = {
	map_test(test_some_keys_share_a_hash_A),
	map_test(test_too_many_keys_share_a_hash_F_H),
	map_test(test_stalled_commit_holds_up_no_other_map_E_H),
	map_test(test_stalled_commit_can_be_killed_F),
	large_test(test_pins_closed_newest_first_E),
	map_test(test_faults_beside_growth_and_shrinking_H),
	plain_test(test_nothing_is_left_G),
};

int main(void)
{
	return cmocka_run_group_tests_name("hostile", tests, NULL, NULL);
}

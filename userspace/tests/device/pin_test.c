// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * pin_test.c - descriptors that keep a snapshot
 */
#include <libsnapmap.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "device.h"

#define NOBODY 65534

/* ------------------------------------------------------------- a table that changes */

#define KEYS 400

/* Writes @count keys from @first on with values that depend on @round. */
static void add_round(struct batch *batch, u32 first, u32 count, u32 round)
{
	static u8 value[9000];
	u32 i, key;

	for (i = 0; i < count; i++) {
		key = (first + i) % KEYS;
		memset(value, round ^ key, sizeof(value));
		batch_put(batch, &key, sizeof(key), value, key % 20 ? key * 2 : 8000 + round % 900);
	}
}

static int commit_round(int fd, u32 first, u32 count, u32 round)
{
	struct batch batch = { .data = NULL };
	int err;

	add_round(&batch, first, count, round);
	err = batch_commit(fd, &batch, 0, NULL);
	batch_free(&batch);
	return err;
}

/* A digest of all entries of a pin, in the order of the table. Source: FNV-1a. */
static u64 digest(struct snapmap_snapshot *pin)
{
	u64 hash = 0xcbf29ce484222325ULL;
	struct snapmap_iter *iter;
	struct snapmap_item item;
	size_t i;

	assert_int_equal(snapmap_iter_new(pin, &iter), 0);
	while (snapmap_iter_next(iter, &item) == 1) {
		for (i = 0; i < item.key_len; i++)
			hash = (hash ^ ((const u8 *)item.key)[i]) * 0x100000001b3ULL;
		for (i = 0; i < item.value_len; i++)
			hash = (hash ^ ((const u8 *)item.value)[i]) * 0x100000001b3ULL;
		hash = (hash ^ item.version) * 0x100000001b3ULL;
	}
	snapmap_iter_free(iter);
	return hash;
}

static void test_pinned_bytes_stay_B(void **state)
{
	struct fixture *map = *state;
	struct snapmap_snapshot *pin;
	struct snapmap_info before, now;
	struct snapmap *lib;
	u64 first;
	u32 i;

	assert_int_equal(snapmap_open(map->name, O_RDONLY, &lib), 0);
	assert_int_equal(commit_round(map->fd, 0, KEYS, 1), 0);
	assert_int_equal(snapmap_pin(lib, &pin), 0);
	assert_info(snapmap_pin_fd(pin), &before);
	first = digest(pin);
	for (i = 2; i < 3000; i++) {
		assert_int_equal(commit_round(map->fd, i * 7, 3, i), 0);
		if (i % 500 == 0)
			assert_int_equal(digest(pin), first);
	}
	assert_int_equal(digest(pin), first);
	assert_info(snapmap_pin_fd(pin), &now);
	assert_memory_equal(&now.header, &before.header, sizeof(now.header));
	assert_int_equal(now.root, before.root);
	assert_int_equal(now.pins, 1);
	snapmap_unpin(pin);
	snapmap_close(lib);
	assert_no_leak(map->fd);
}

/* What one pin holds back are the blocks that only it reaches. */
static void test_pin_holds_only_what_has_changed_E(void **state)
{
	struct fixture *map = *state;
	struct snapmap_info info;
	u64 whole, own;
	int pin;
	u32 i;

	assert_int_equal(commit_round(map->fd, 0, KEYS, 1), 0);
	settle(map->fd);
	whole = reachable_blocks(map->fd);
	pin = map_pin(map->fd);
	settle(map->fd);
	assert_info(map->fd, &info);
	assert_int_equal(info.pinned_blocks, 0);
	assert_int_equal(info.used_blocks, whole);
	assert_int_equal(commit_round(map->fd, 0, 1, 0), 0);
	own = reachable_blocks(pin); /* without the directory, which is of the current version */
	assert_int_equal(own, whole - 1);
	for (i = 1; i < 100; i++)
		assert_int_equal(commit_round(map->fd, i, 1, i), 0);
	settle(map->fd);
	assert_info(map->fd, &info);
	assert_in_range(info.pinned_blocks, 1, whole);
	assert_int_equal(reachable_blocks(pin), own);
	assert_no_leak(map->fd);
	close(pin);
	settle(map->fd);
	assert_info(map->fd, &info);
	assert_int_equal(info.pinned_blocks, 0);
	assert_int_equal(info.used_blocks, reachable_blocks(map->fd));
}

/* ------------------------------------------------------------- many pins */

#define PINS 300

struct pins {
	struct snapmap_snapshot *pin[PINS];
	u64 digest[PINS];
};

static void take_pins(struct pins *pins, struct snapmap *lib, int fd)
{
	u32 i;

	for (i = 0; i < PINS; i++) {
		assert_int_equal(commit_round(fd, i * 3, 4, i), 0);
		assert_int_equal(snapmap_pin(lib, &pins->pin[i]), 0);
		assert_int_equal(snapmap_pin_version(pins->pin[i]), map_version(fd));
		pins->digest[i] = i % 10 ? 0 : digest(pins->pin[i]);
	}
}

/* Closes a pin that is still open; what others show does not change. */
static void drop_random_pin(struct pins *pins, u64 *rng, int fd, u32 left)
{
	u32 i = random_below(rng, PINS);

	while (!pins->pin[i])
		i = (i + 1) % PINS;
	if (i % 10 == 0)
		assert_int_equal(digest(pins->pin[i]), pins->digest[i]);
	snapmap_unpin(pins->pin[i]);
	pins->pin[i] = NULL;
	assert_int_equal(commit_round(fd, random_below(rng, KEYS), 2, left), 0);
}

static bool nothing_retired(void *data)
{
	struct fixture *map = data;

	return sysfs_value(map->name, "retired_blocks") == 0;
}

static void test_pins_closed_at_random_free_all_E_G(void **state)
{
	struct fixture *map = *state;
	static struct pins pins;
	u64 rng = seed_of_test();
	struct snapmap *lib;
	u32 left;

	assert_int_equal(snapmap_open(map->name, O_RDONLY, &lib), 0);
	assert_int_equal(commit_round(map->fd, 0, KEYS, 0), 0);
	take_pins(&pins, lib, map->fd);
	assert_int_equal(sysfs_value(map->name, "pins"), PINS);
	note("%d pins hold %llu blocks back, %llu in use", PINS,
	     sysfs_value(map->name, "pinned_blocks"), sysfs_value(map->name, "used_blocks"));
	for (left = PINS; left; left--) {
		drop_random_pin(&pins, &rng, map->fd, left);
		assert_int_equal(sysfs_value(map->name, "pins"), left - 1);
	}
	/* Reclaim runs by itself, without another commit. */
	assert_true(wait_until(nothing_retired, map, PATIENCE));
	assert_int_equal(sysfs_value(map->name, "pinned_blocks"), 0);
	assert_int_equal(sysfs_value(map->name, "used_blocks"), reachable_blocks(map->fd));
	snapmap_close(lib);
}

/* ------------------------------------------------------------- passed on */

static int send_fd(int socket, int fd)
{
	char control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec byte = { "", 1 };
	struct msghdr message = { .msg_iov = &byte,
				  .msg_iovlen = 1,
				  .msg_control = control,
				  .msg_controllen = sizeof(control) };
	struct cmsghdr *head = CMSG_FIRSTHDR(&message);

	head->cmsg_level = SOL_SOCKET;
	head->cmsg_type = SCM_RIGHTS;
	head->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(head), &fd, sizeof(int));
	return sendmsg(socket, &message, 0) == 1 ? 0 : -errno;
}

static int receive_fd(int socket)
{
	char control[CMSG_SPACE(sizeof(int))] = { 0 }, data;
	struct iovec byte = { &data, 1 };
	struct msghdr message = { .msg_iov = &byte,
				  .msg_iovlen = 1,
				  .msg_control = control,
				  .msg_controllen = sizeof(control) };
	struct cmsghdr *head;
	int fd;

	if (recvmsg(socket, &message, MSG_CMSG_CLOEXEC) != 1)
		return -errno;
	head = CMSG_FIRSTHDR(&message);
	if (!head || head->cmsg_type != SCM_RIGHTS)
		return -ENOMSG;
	memcpy(&fd, CMSG_DATA(head), sizeof(int));
	return fd;
}

/* What somebody can do who cannot open the map; returns the number of the step that fails. */
static int use_as_nobody(const char *name, int socket)
{
	struct snapmap_snapshot *pin;
	struct snapmap_item item;
	int fd;

	if (setresgid(NOBODY, NOBODY, NOBODY) || setresuid(NOBODY, NOBODY, NOBODY))
		return 1;
	if (map_open(name, O_RDONLY) != -EACCES || control_open(O_RDWR) != -EACCES)
		return 2;
	fd = receive_fd(socket);
	if (fd < 0)
		return 3;
	if (!key_is(fd, "secret", "shared") || put_string(fd, "secret", "x") != -ENOTTY)
		return 4;
	if (snapmap_pin_open_fd(fd, &pin))
		return 5;
	if (snapmap_pin_get(pin, "secret", 6, &item) || memcmp(item.value, "shared", 6))
		return 6;
	snapmap_unpin(pin);
	return 0;
}

static void test_pin_is_passed_to_one_who_cannot_open_the_map(void **state)
{
	struct fixture *map = *state;
	int ends[2], pin, status;
	pid_t pid;

	assert_int_equal(put_string(map->fd, "secret", "shared"), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
	pid = child_start();
	if (!pid) {
		close(map->fd);
		_exit(use_as_nobody(map->name, ends[1]));
	}
	pin = map_pin(map->fd);
	assert_true(pin >= 0);
	assert_int_equal(put_string(map->fd, "secret", "changed"), 0);
	assert_int_equal(send_fd(ends[0], pin), 0);
	close(pin);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(WEXITSTATUS(status), 0);
	assert_int_equal(sysfs_value(map->name, "pins"), 0);
	close(ends[0]);
	close(ends[1]);
}

/* A pin that waits in a socket that nobody reads still holds. */
static void test_pin_in_a_socket_holds_B_G(void **state)
{
	struct fixture *map = *state;
	int ends[2], pin;

	assert_int_equal(put_string(map->fd, "key", "old"), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
	pin = map_pin(map->fd);
	assert_int_equal(send_fd(ends[0], pin), 0);
	close(pin);
	assert_int_equal(sysfs_value(map->name, "pins"), 1);
	assert_int_equal(put_string(map->fd, "key", "new"), 0);
	settle(map->fd);
	pin = receive_fd(ends[1]);
	assert_true(key_is(pin, "key", "old"));
	assert_int_equal(send_fd(ends[0], pin), 0);
	close(pin);
	close(ends[0]);
	close(ends[1]);
	assert_int_equal(sysfs_value(map->name, "pins"), 0);
}

static void test_copies_are_one_pin(void **state)
{
	struct fixture *map = *state;
	int pin = map_pin(map->fd), copy = dup(pin), status;
	pid_t pid;

	assert_int_equal(fcntl(pin, F_GETFD), FD_CLOEXEC);
	assert_int_equal(sysfs_value(map->name, "pins"), 1);
	close(pin);
	assert_int_equal(sysfs_value(map->name, "pins"), 1);
	pid = child_start();
	if (!pid)
		_exit(0);
	waitpid(pid, &status, 0);
	assert_int_equal(sysfs_value(map->name, "pins"), 1);
	close(copy);
	assert_int_equal(sysfs_value(map->name, "pins"), 0);
}

/* ------------------------------------------------------------- life */

/* Its mapping alone keeps a pin. */
static void test_mapping_keeps_the_pin_B(void **state)
{
	struct fixture *map = *state;
	int pin = map_pin(map->fd);
	size_t bytes;
	const void *base = map_mapping(pin, &bytes);

	assert_non_null(base);
	close(pin);
	assert_int_equal(sysfs_value(map->name, "pins"), 1);
	munmap((void *)base, bytes);
	assert_int_equal(sysfs_value(map->name, "pins"), 0);
}

static int hold_pins(const char *name, int ready_fd)
{
	int fd = map_open(name, O_RDONLY);
	size_t bytes;
	int i, pin;

	for (i = 0; i < 50; i++) {
		pin = map_pin(fd);
		if (pin < 0 || (i % 2 && !map_mapping(pin, &bytes)))
			return 1;
	}
	if (write(ready_fd, "", 1) != 1)
		return 2;
	pause();
	return 0;
}

static void test_killed_holder_leaves_no_trace_E_G(void **state)
{
	struct fixture *map = *state;
	int ends[2];
	char byte;
	pid_t pid;
	u32 i;

	assert_int_equal(commit_round(map->fd, 0, KEYS, 0), 0);
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	pid = child_start();
	if (!pid)
		_exit(hold_pins(map->name, ends[1]));
	assert_int_equal(read(ends[0], &byte, 1), 1);
	assert_int_equal(sysfs_value(map->name, "pins"), 50);
	for (i = 1; i < 50; i++)
		assert_int_equal(commit_round(map->fd, i * 9, 9, i), 0);
	settle(map->fd);
	assert_true(sysfs_value(map->name, "pinned_blocks") > 0);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	assert_int_equal(sysfs_value(map->name, "pins"), 0);
	assert_true(wait_until(nothing_retired, map, PATIENCE));
	assert_int_equal(sysfs_value(map->name, "pinned_blocks"), 0);
	assert_int_equal(sysfs_value(map->name, "used_blocks"), reachable_blocks(map->fd));
	close(ends[0]);
	close(ends[1]);
}

static void test_pins_outlive_the_map_B(void **state)
{
	struct fixture *map = *state;
	struct snapmap_info info;
	int old, last;

	assert_int_equal(put_string(map->fd, "key", "old"), 0);
	old = map_pin(map->fd);
	assert_int_equal(put_string(map->fd, "key", "new"), 0);
	assert_int_equal(map_destroy(map->name), 0);
	last = map_pin(map->fd);
	close(map->fd);
	map->fd = -1;
	assert_true(key_is(old, "key", "old"));
	assert_info(old, &info);
	assert_int_equal(info.header.version, 2);
	assert_int_equal(info.state, SNAPMAP_STATE_DESTROYED);
	assert_int_equal(reachable_blocks(old), 1);
	if (last >= 0) {
		assert_true(key_is(last, "key", "new"));
		close(last);
	}
	close(old);
}

/* Pins every version until a commit does not fit; returns how many pins. */
static int pin_until_full(int fd, int *pins, int most)
{
	u8 *value = calloc(1, SNAPMAP_VALUE_MAX);
	int count = 0, err = 0;

	while (!err && count < most) {
		pins[count] = map_pin(fd);
		assert_true(pins[count++] >= 0);
		err = put_bytes(fd, "key", value, SNAPMAP_VALUE_MAX);
	}
	free(value);
	assert_int_equal(err, -ENOSPC);
	return count;
}

/* Pins fill the map, within its limit; when they go, commits go on. */
static void test_pins_at_the_limit_E_F_G(void **state)
{
	struct fixture *map = *state;
	struct snapmap_info before;
	int pins[200], count;
	u8 *value = calloc(1, SNAPMAP_VALUE_MAX);

	count = pin_until_full(map->fd, pins, ARRAY_SIZE(pins));
	assert_info(map->fd, &before);
	note("full with %d pins: %llu of %llu bytes resident", count, before.resident_bytes,
	     before.limit);
	assert_true(before.resident_bytes <= before.limit);
	assert_int_equal(put_bytes(map->fd, "key", value, SNAPMAP_VALUE_MAX), -ENOSPC);
	assert_unchanged(map->fd, &before);
	assert_int_equal(put_string(map->fd, "small", "fits"), 0);
	while (count--)
		close(pins[count]);
	assert_int_equal(put_bytes(map->fd, "key", value, SNAPMAP_VALUE_MAX), 0);
	assert_no_leak(map->fd);
	free(value);
}

/* Without a descriptor to give, nothing is pinned. */
static void test_pin_without_descriptors_F(void **state)
{
	struct fixture *map = *state;
	struct snapmap_info info;
	struct rlimit old, none;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	none = (struct rlimit){ .rlim_cur = 3, .rlim_max = old.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	assert_int_equal(map_pin(map->fd), -EMFILE);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	assert_info(map->fd, &info);
	assert_int_equal(info.pins, 0);
}

static const struct CMUnitTest tests[] = {
	map_test(test_pin_without_descriptors_F),
	map_test(test_pinned_bytes_stay_B),
	map_test(test_pin_holds_only_what_has_changed_E),
	map_test(test_pins_closed_at_random_free_all_E_G),
	map_test(test_pin_is_passed_to_one_who_cannot_open_the_map),
	map_test(test_pin_in_a_socket_holds_B_G),
	map_test(test_copies_are_one_pin),
	map_test(test_mapping_keeps_the_pin_B),
	map_test(test_killed_holder_leaves_no_trace_E_G),
	map_test(test_pins_outlive_the_map_B),
	map_test(test_pins_at_the_limit_E_F_G),
	cmocka_unit_test(test_nothing_is_left_G),
};

int main(void)
{
	return cmocka_run_group_tests_name("pin", tests, NULL, NULL);
}

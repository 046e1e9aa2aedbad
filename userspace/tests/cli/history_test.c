// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * history_test.c - the library's older versions, comparisons and watches against
 * the module; for a guest, as root
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Needs what is above. */
#include <cmocka.h>

#include <libsnapmap.h>

#include "../unit/random.h"

#define NAME	"library-history"
#define HISTORY 10

static struct snapmap *map;
static struct snapmap_batch *batch;

static int setup(void **state)
{
	struct snapmap_create_opts opts = { .mode = 0600, .history = HISTORY };

	(void)state;
	batch = snapmap_batch_new();
	return snapmap_create(NAME, &opts) || snapmap_open(NAME, O_RDWR, &map);
}

static int teardown(void **state)
{
	(void)state;
	snapmap_batch_free(batch);
	snapmap_close(map);
	snapmap_destroy(NAME);
	return 0;
}

static void put_number(uint32_t key, uint32_t value)
{
	assert_int_equal(snapmap_batch_put(batch, &key, 4, &value, 4), 0);
}

static void commit(void)
{
	assert_int_equal(snapmap_commit(map, batch, NULL, NULL), 0);
	snapmap_batch_clear(batch);
}

/* Version n + 1 has n keys, each with its number; they end with version @last. */
static void make_versions(uint32_t last)
{
	for (uint32_t n = 1; n < last; n++) {
		put_number(n, n);
		commit();
	}
}

static bool holds(const struct snapmap_snapshot *snapshot, uint32_t key, uint32_t value)
{
	struct snapmap_item item;

	return !snapmap_pin_get(snapshot, &key, 4, &item) && item.value_len == 4 &&
	       !memcmp(item.value, &value, 4);
}

static void test_versions_as_they_were(void **state)
{
	struct snapmap_snapshot *snapshot;
	uint64_t version;

	(void)state;
	make_versions(25);
	for (version = 16; version <= 25; version++) {
		assert_int_equal(snapmap_pin_at(map, version, &snapshot), 0);
		assert_int_equal(snapmap_pin_version(snapshot), version);
		assert_int_equal(snapmap_pin_header(snapshot)->entries, version - 1);
		assert_true(holds(snapshot, (uint32_t)version - 1, (uint32_t)version - 1));
		assert_false(holds(snapshot, (uint32_t)version, (uint32_t)version));
		assert_int_equal(snapmap_pin_check(snapshot), 0);
		snapmap_unpin(snapshot);
	}
	assert_int_equal(snapmap_pin_at(map, 15, &snapshot), -ESTALE);
	assert_int_equal(snapmap_pin_at(map, 1, &snapshot), -ESTALE);
	assert_int_equal(snapmap_pin_at(map, 26, &snapshot), -EINVAL);
	assert_int_equal(snapmap_pin_at(map, 0, &snapshot), 0);
	assert_int_equal(snapmap_pin_version(snapshot), 25);
	snapmap_unpin(snapshot);
}

/* A pin keeps a version that the history has let go. */
static void test_pin_outlives_the_history(void **state)
{
	struct snapmap_snapshot *snapshot, *again;

	(void)state;
	make_versions(5);
	assert_int_equal(snapmap_pin_at(map, 3, &snapshot), 0);
	for (uint32_t n = 0; n < 200; n++) {
		put_number(n % 5, n);
		commit();
	}
	assert_int_equal(snapmap_pin_at(map, 4, &again), -ESTALE);
	assert_true(holds(snapshot, 2, 2));
	assert_false(holds(snapshot, 3, 3));
	snapmap_unpin(snapshot);
}

static void test_log_and_times(void **state)
{
	struct snapmap_record records[HISTORY];
	uint64_t version = 1, found;
	ssize_t count, i;

	(void)state;
	make_versions(25);
	count = snapmap_log(map, &version, records, HISTORY);
	assert_int_equal(count, HISTORY);
	assert_int_equal(version, 16);
	for (i = 0; i < count; i++) {
		assert_int_equal(records[i].header.version, 16 + i);
		assert_int_equal(records[i].puts, 1);
		assert_int_equal(records[i].pid, getpid());
	}
	version = 24;
	assert_int_equal(snapmap_log(map, &version, records, HISTORY), 2);
	assert_int_equal(records[0].header.version, 24);
	version = 20;
	assert_int_equal(snapmap_log(map, &version, records, 3), 3);
	assert_int_equal(records[2].header.version, 22);
	assert_int_equal(snapmap_version_at(map, records[1].header.realtime_ns, &found), 0);
	assert_int_equal(found, 21);
	assert_int_equal(snapmap_version_at(map, UINT64_MAX, &found), 0);
	assert_int_equal(found, 25);
	assert_int_equal(snapmap_version_at(map, 1, &found), -ESTALE);
}

static void test_pins_are_listed(void **state)
{
	struct snapmap_snapshot *snapshots[5];
	struct snapmap_pin_record records[4];
	uint32_t seen = 0, next = 0;
	ssize_t count, i;

	(void)state;
	make_versions(5);
	assert_int_equal(snapmap_pins(map, 0, records, 4), 0);
	for (i = 0; i < 5; i++)
		assert_int_equal(snapmap_pin_at(map, 1 + (uint64_t)i, &snapshots[i]), 0);
	do {
		count = snapmap_pins(map, next, records, 2);
		for (i = 0; i < count; i++) {
			seen |= 1U << records[i].version;
			assert_int_equal(records[i].pid, getpid());
			assert_int_equal(records[i].flags, 0);
			next = records[i].id + 1;
		}
	} while (count == 2);
	assert_int_equal(count, 1);
	assert_int_equal(seen, 0x3e);
	for (i = 0; i < 5; i++)
		snapmap_unpin(snapshots[i]);
}

/* In a process that may read and write files that it has open, and exit. */
static void compare_without_calls(struct snapmap_diff *diff, uint32_t expected)
{
	struct snapmap_change change;
	uint32_t changes = 0;
	int ret;

	prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT);
	while ((ret = snapmap_diff_next(diff, &change)) > 0)
		changes++;
	syscall(SYS_exit, ret || changes != expected);
}

/* Promise D: a comparison makes no system call. */
static void test_comparison_makes_no_call(void **state)
{
	struct snapmap_snapshot *before, *after;
	struct snapmap_diff *diff;
	int status;
	pid_t pid;

	(void)state;
	for (uint32_t n = 0; n < 5000; n++)
		put_number(n, n);
	commit();
	for (uint32_t n = 0; n < 5000; n += 5)
		put_number(n, n + 1);
	put_number(5000, 0);
	commit();
	assert_int_equal(snapmap_pin_at(map, 2, &before), 0);
	assert_int_equal(snapmap_pin_at(map, 3, &after), 0);
	assert_int_equal(snapmap_diff_new(before, after, &diff), 0);
	pid = fork();
	if (!pid)
		compare_without_calls(diff, 1001);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	snapmap_diff_free(diff);
	snapmap_unpin(before);
	snapmap_unpin(after);
}

static void test_comparison_of_two_maps(void **state)
{
	struct snapmap_snapshot *snapshot, *other;
	struct snapmap_diff *diff;
	struct snapmap *second;

	(void)state;
	assert_int_equal(snapmap_create(NAME "-2", NULL), 0);
	assert_int_equal(snapmap_open(NAME "-2", O_RDWR, &second), 0);
	assert_int_equal(snapmap_pin(map, &snapshot), 0);
	assert_int_equal(snapmap_pin(second, &other), 0);
	assert_int_equal(snapmap_diff_new(snapshot, other, &diff), -EINVAL);
	snapmap_unpin(other);
	snapmap_unpin(snapshot);
	snapmap_close(second);
	assert_int_equal(snapmap_destroy(NAME "-2"), 0);
}

/* Two such tables fit into 512 KiB, three do not. */
#define ENTRIES 5200

/* Writes all of a small map anew until the pin of version 2 is revoked. */
static void fill_until_revoked(const struct snapmap_snapshot *snapshot)
{
	int rounds = 0;

	while (!snapmap_pin_check(snapshot)) {
		for (uint32_t n = 0; n < ENTRIES; n++)
			put_number(n, n + (uint32_t)rounds);
		commit();
		assert_true(++rounds < 100);
	}
}

static void test_revoked_pin_gives_ESTALE(void **state)
{
	struct snapmap_create_opts opts = {
		.mode = 0600,
		.limit = 512 << 10,
		.flags = SNAPMAP_MAP_REVOKE,
	};
	struct snapmap_snapshot *snapshot, *now;
	struct snapmap_pin_record record;
	struct snapmap_change change;
	struct snapmap_iter *iter;
	struct snapmap_item item;
	struct snapmap_diff *diff;
	uint32_t key = 7;

	(void)state;
	snapmap_close(map);
	assert_int_equal(snapmap_destroy(NAME), 0);
	assert_int_equal(snapmap_create(NAME, &opts), 0);
	assert_int_equal(snapmap_open(NAME, O_RDWR, &map), 0);
	for (uint32_t n = 0; n < ENTRIES; n++)
		put_number(n, ~n);
	commit();
	assert_int_equal(snapmap_pin(map, &snapshot), 0);
	assert_int_equal(snapmap_iter_new(snapshot, &iter), 0);
	assert_int_equal(snapmap_iter_next(iter, &item), 1);
	assert_true(holds(snapshot, 7, ~7U));
	fill_until_revoked(snapshot);
	assert_int_equal(snapmap_pin_get(snapshot, &key, 4, &item), -ESTALE);
	assert_int_equal(snapmap_iter_next(iter, &item), -ESTALE);
	assert_int_equal(snapmap_pin(map, &now), 0);
	assert_int_equal(snapmap_pin_check(now), 0);
	assert_int_equal(snapmap_diff_new(snapshot, now, &diff), 0);
	assert_int_equal(snapmap_diff_next(diff, &change), -ESTALE);
	assert_int_equal(snapmap_pins(map, 0, &record, 1), 1);
	assert_int_equal(record.flags, SNAPMAP_PIN_REVOKED);
	snapmap_diff_free(diff);
	snapmap_iter_free(iter);
	snapmap_unpin(now);
	snapmap_unpin(snapshot);
}

/* ------------------------------------------------------------- watches */

static uint32_t number_of(const struct snapmap_item *item)
{
	uint32_t number = 0;

	if (item->key)
		memcpy(&number, item->value, sizeof(number));
	return number;
}

#define KEYS	200
#define COMMITS 600

/* Does a step to @held; each old value must be what was told before. */
static void replay(struct snapmap_watch *watch, uint32_t held[KEYS])
{
	struct snapmap_change change;
	uint32_t key;
	int ret;

	while ((ret = snapmap_watch_change(watch, &change)) > 0) {
		memcpy(&key, change.key, sizeof(key));
		assert_in_range(key, 0, KEYS - 1);
		assert_int_equal(number_of(&change.before), held[key]);
		held[key] = number_of(&change.after);
	}
	assert_int_equal(ret, 0);
}

static void *write_at_random(void *data)
{
	struct snapmap_batch *own = snapmap_batch_new();
	uint64_t random = *(uint64_t *)data;

	for (uint32_t n = 1; n <= COMMITS; n++) {
		snapmap_batch_clear(own);
		for (uint32_t i = 0; i < 5; i++) {
			uint32_t key = (uint32_t)(random >> 33) % KEYS;

			random = random * 6364136223846793005ULL + 1442695040888963407ULL;
			if (random >> 62)
				snapmap_batch_put(own, &key, 4, &n, 4);
			else
				snapmap_batch_delete(own, &key, 4);
		}
		if (snapmap_commit(map, own, NULL, NULL))
			break;
	}
	snapmap_batch_free(own);
	return NULL;
}

static void wait_for(int loop, const struct snapmap_watch *watch)
{
	struct epoll_event event;

	while (epoll_wait(loop, &event, 1, -1) < 0)
		assert_int_equal(errno, EINTR);
	assert_ptr_equal(event.data.ptr, watch);
}

static int make_loop(struct snapmap_watch *watch)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = watch };
	int loop = epoll_create1(EPOLL_CLOEXEC);

	assert_true(loop >= 0);
	assert_int_equal(epoll_ctl(loop, EPOLL_CTL_ADD, snapmap_watch_fd(watch), &event), 0);
	return loop;
}

/* What has been told is what the map has now. */
static void assert_current(const uint32_t held[KEYS])
{
	uint32_t value;

	for (uint32_t key = 0; key < KEYS; key++) {
		if (snapmap_get(map, &key, 4, &value, 4, NULL))
			value = 0;
		assert_int_equal(value, held[key]);
	}
}

/* Promises A and C: in an epoll loop, beside a writer that is faster by turns. */
static void test_watch_loses_nothing(void **state)
{
	uint64_t seed = random_next(), told = 1, merged = 0;
	uint32_t held[KEYS] = { 0 };
	struct snapmap_watch *watch;
	struct snapmap_event event;
	pthread_t writer;
	int loop, ret;

	(void)state;
	assert_int_equal(snapmap_watch_new(NAME, NULL, &watch), 0);
	loop = make_loop(watch);
	assert_int_equal(pthread_create(&writer, NULL, write_at_random, &seed), 0);
	while (told < COMMITS + 1) {
		wait_for(loop, watch);
		while ((ret = snapmap_watch_next(watch, &event)) > 0) {
			assert_int_equal(event.from, told);
			assert_true(event.to > told);
			replay(watch, held);
			merged += event.to - told - 1;
			told = event.to;
			if (!random_below(20))
				usleep(random_below(100000));
		}
		assert_int_equal(ret, 0);
	}
	assert_int_equal(pthread_join(writer, NULL), 0);
	assert_current(held);
	print_message("# %d commits, %u of them merged\n", COMMITS, (unsigned int)merged);
	close(loop);
	snapmap_watch_free(watch);
}

/* After a step has been told, the descriptor is quiet until there is another version. */
static void test_watch_in_a_loop(void **state)
{
	struct snapmap_watch *watch;
	struct snapmap_event event;
	struct epoll_event ready;
	int loop;

	(void)state;
	assert_int_equal(snapmap_watch_new("/dev/snapmap/" NAME, NULL, &watch), 0);
	loop = make_loop(watch);
	assert_int_equal(snapmap_watch_next(watch, &event), 0);
	assert_int_equal(epoll_wait(loop, &ready, 1, 0), 0);
	make_versions(3);
	assert_int_equal(epoll_wait(loop, &ready, 1, 0), 1);
	assert_int_equal(snapmap_watch_next(watch, &event), 1);
	assert_int_equal(event.to, 2);
	assert_int_equal(event.header.entries, 1);
	assert_int_equal(snapmap_watch_next(watch, &event), 1);
	assert_int_equal(event.to, 3);
	assert_int_equal(snapmap_watch_next(watch, &event), 0);
	assert_int_equal(epoll_wait(loop, &ready, 1, 0), 0);
	put_number(1, 1);
	commit();
	assert_int_equal(snapmap_destroy(NAME), 0);
	assert_int_equal(epoll_wait(loop, &ready, 1, -1), 1);
	assert_true(ready.events & EPOLLHUP);
	assert_int_equal(snapmap_watch_next(watch, &event), 1);
	assert_int_equal(event.to, 4);
	assert_int_equal(snapmap_watch_next(watch, &event), -ENODEV);
	close(loop);
	snapmap_watch_free(watch);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_versions_as_they_were, setup, teardown),
		cmocka_unit_test_setup_teardown(test_pin_outlives_the_history, setup, teardown),
		cmocka_unit_test_setup_teardown(test_log_and_times, setup, teardown),
		cmocka_unit_test_setup_teardown(test_pins_are_listed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_comparison_makes_no_call, setup, teardown),
		cmocka_unit_test_setup_teardown(test_comparison_of_two_maps, setup, teardown),
		cmocka_unit_test_setup_teardown(test_revoked_pin_gives_ESTALE, setup, teardown),
		cmocka_unit_test_setup_teardown(test_watch_loses_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(test_watch_in_a_loop, setup, teardown),
	};

	random_init();
	return cmocka_run_group_tests_name("library history", tests, NULL, NULL);
}

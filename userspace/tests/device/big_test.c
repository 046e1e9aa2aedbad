// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * big_test.c - batches that take long, and their end by SIGKILL
 *
 * A commit that is killed has either been published whole or not at all, and
 * leaves no memory behind (promises A and F).
 */
#include <signal.h>
#include <sys/wait.h>

#include "device.h"

/* A million entries, or a quarter of that where the kernel is slow. */
static u64 million(void)
{
	return is_slow() ? 250000 : 1000000;
}

/* Entries of a batch that is killed. */
static u64 killable(void)
{
	return is_slow() ? 20000 : 50000;
}

/* @count entries from @first on, of 16 and 32 bytes, that carry @mark. */
static void fill_batch(struct batch *batch, u64 first, u64 count, u64 mark)
{
	u64 value[4] = { mark, mark, mark, mark };
	u64 key[2] = { first, 0 };

	batch_clear(batch);
	for (; count--; key[0]++)
		batch_put(batch, key, sizeof(key), value, sizeof(value));
}

/* The mark of an entry, 0 when it is absent. */
static u64 mark_of(int fd, u64 number)
{
	u64 key[2] = { number, 0 };
	u64 value[4] = { 0 };
	struct snapmap_get get = { .key = (uintptr_t)key,
				   .key_len = sizeof(key),
				   .value = (uintptr_t)value,
				   .value_len = sizeof(value) };

	if (ioc(fd, SNAPMAP_IOC_GET, &get))
		return 0;
	assert_int_equal(get.value_len, sizeof(value));
	assert_int_equal(value[3], value[0]);
	return value[0];
}

static void test_million_entries_in_one_commit_A(void **state)
{
	struct fixture *map = *state;
	struct batch batch = { .data = NULL };
	struct snapmap_commit out;
	struct snapmap_info info;
	u64 start, i;

	fill_batch(&batch, 0, million(), 7);
	start = now_ns();
	assert_int_equal(batch_commit(map->fd, &batch, 0, &out), 0);
	note("%llu bytes of batch in %llu ms", (u64)batch.bytes, (now_ns() - start) / 1000000);
	batch_free(&batch);
	assert_int_equal(out.version, 2);
	assert_info(map->fd, &info);
	assert_int_equal(info.header.entries, million());
	assert_int_equal(info.header.key_bytes, million() * 16);
	assert_int_equal(info.header.value_bytes, million() * 32);
	for (i = 0; i < million(); i += 997)
		assert_int_equal(mark_of(map->fd, i), 7);
	assert_int_equal(mark_of(map->fd, million()), 0);
	note("%llu blocks in use, %llu bytes resident", info.used_blocks, info.resident_bytes);
	assert_no_leak(map->fd);
}

/* Everything goes in one commit, and its memory comes back (promise G). */
static void test_million_entries_replaced_by_none_G(void **state)
{
	struct fixture *map = *state;
	struct batch batch = { .data = NULL };
	struct snapmap_info info;

	fill_batch(&batch, 0, million() / 4, 7);
	assert_int_equal(batch_commit(map->fd, &batch, 0, NULL), 0);
	batch_clear(&batch);
	assert_int_equal(batch_commit(map->fd, &batch, SNAPMAP_COMMIT_REPLACE, NULL), 0);
	settle(map->fd);
	assert_info(map->fd, &info);
	assert_int_equal(info.used_blocks, 0);
	batch_free(&batch);
}

/* ------------------------------------------------------------- SIGKILL */

/**
 * struct kills - commits that are killed
 * @map: the map
 * @flags: of the commits
 * @mark: what the entries of the current snapshot carry
 * @full_ns: how long a commit takes that is not killed, as one has been measured
 * @longest_us: so long the next one may go on
 * @aborted: commits that were killed in time
 * @published: commits that were not
 */
struct kills {
	struct fixture *map;
	u32 flags;
	u64 mark;
	u64 full_ns;
	u64 longest_us;
	unsigned int aborted;
	unsigned int published;
};

/* All entries carry the same mark, which is @kills->mark or the next. */
static void assert_whole(struct kills *kills)
{
	struct fixture *map = kills->map;
	struct snapmap_info info;
	u64 mark = mark_of(map->fd, 0);
	u64 i;

	assert_true(mark == kills->mark || mark == kills->mark + 1);
	for (i = 0; i < killable(); i += 1009)
		assert_int_equal(mark_of(map->fd, i), mark);
	assert_int_equal(mark_of(map->fd, killable()), 0);
	assert_info(map->fd, &info);
	assert_int_equal(info.header.entries, killable());
	if (mark == kills->mark) {
		kills->aborted++;
		kills->longest_us *= 2;
	} else {
		kills->published++;
		kills->longest_us = kills->longest_us / 2 + 1;
	}
	kills->mark = mark;
}

static void kill_one_commit(struct kills *kills, u64 *rng)
{
	struct batch batch = { .data = NULL };
	u64 version = map_version(kills->map->fd);
	unsigned int published = kills->published;
	int status;
	pid_t pid;

	fill_batch(&batch, 0, killable(), kills->mark + 1);
	pid = child_start();
	if (!pid)
		_exit(-batch_commit(kills->map->fd, &batch, kills->flags, NULL));
	nap(random_below(rng, kills->longest_us));
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) || !WEXITSTATUS(status));
	assert_whole(kills);
	version += kills->published - published;
	assert_int_equal(map_version(kills->map->fd), version);
	batch_free(&batch);
}

/* The second of two: the first one splits leaves. */
static void measure_full_commit(struct kills *kills)
{
	struct batch batch = { .data = NULL };
	u64 start;

	fill_batch(&batch, 0, killable(), kills->mark);
	assert_int_equal(batch_commit(kills->map->fd, &batch, kills->flags, NULL), 0);
	start = now_ns();
	assert_int_equal(batch_commit(kills->map->fd, &batch, kills->flags, NULL), 0);
	kills->full_ns = now_ns() - start;
	kills->longest_us = 2 * kills->full_ns / 1000;
	batch_free(&batch);
}

/*
 * Until some have been killed in time, whatever the machine's speed: who comes too
 * late comes earlier the next time, and the other way round.
 */
static void kill_commits(struct fixture *map, u32 flags)
{
	struct kills kills = { .map = map, .flags = flags, .mark = 1 };
	u64 rng = seed_of_test();
	unsigned int round;

	measure_full_commit(&kills);
	for (round = 0; round < 100 && (round < 12 || kills.aborted < 4); round++)
		kill_one_commit(&kills, &rng);
	note("a commit takes %llu ms; %u killed in time, %u published", kills.full_ns / 1000000,
	     kills.aborted, kills.published);
	assert_true(kills.aborted >= 4);
	assert_sound(map->name);
	assert_no_leak(map->fd);
}

static void test_killed_update_is_whole_or_nothing_A_F(void **state)
{
	kill_commits(*state, 0);
}

static void test_killed_replace_is_whole_or_nothing_A_F(void **state)
{
	kill_commits(*state, SNAPMAP_COMMIT_REPLACE);
}

/* ------------------------------------------------------------- dead committers in a queue */

/* Writers that wait for another's commit can be killed, too. */
static void test_killed_while_waiting_for_a_commit_E_F(void **state)
{
	struct fixture *map = *state;
	struct batch batch = { .data = NULL };
	pid_t pids[6];
	int status, i;
	u64 version;

	fill_batch(&batch, 0, killable(), 1);
	for (i = 0; i < 6; i++) {
		pids[i] = child_start();
		if (!pids[i])
			_exit(-batch_commit(map->fd, &batch, 0, NULL));
	}
	nap(20000);
	for (i = 5; i >= 0; i--)
		kill(pids[i], SIGKILL);
	for (i = 0; i < 6; i++)
		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
	version = map_version(map->fd);
	assert_true(version <= 7);
	assert_int_equal(batch_commit(map->fd, &batch, 0, NULL), 0);
	assert_int_equal(map_version(map->fd), version + 1);
	assert_no_leak(map->fd);
	batch_free(&batch);
}

static int setup_large(void **state)
{
	return fixture_new(state, 400 * MIB);
}

#define large_test(f) cmocka_unit_test_setup_teardown(f, setup_large, fixture_teardown)

static const struct CMUnitTest tests[] = {
	large_test(test_million_entries_in_one_commit_A),
	large_test(test_million_entries_replaced_by_none_G),
	large_test(test_killed_update_is_whole_or_nothing_A_F),
	large_test(test_killed_replace_is_whole_or_nothing_A_F),
	large_test(test_killed_while_waiting_for_a_commit_E_F),
	cmocka_unit_test(test_nothing_is_left_G),
};

int main(void)
{
	return cmocka_run_group_tests_name("big", tests, NULL, NULL);
}

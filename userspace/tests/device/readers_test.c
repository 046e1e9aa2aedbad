// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * readers_test.c - readers of all kinds beside a writer (promises A to E)
 *
 * SNAPMAP_COMMITS scales the number of commits, by default 10000 on stock kernels
 * and 3000 on test builds, which are slow.
 */
#include <signal.h>
#include <sys/wait.h>

#include "readers.h"

/**
 * struct play - a writer and its readers
 * @map: the map
 * @stage: what they share
 * @writer: the writer, in this process
 * @pids: the readers, in the order of @kinds
 * @kinds: what each of them does
 * @count: how many
 * @seed: of all chance
 */
struct play {
	struct fixture *map;
	struct stage *stage;
	struct writer writer;
	pid_t pids[READERS_MAX];
	const reader_fn *kinds;
	unsigned int count;
	u64 seed;
};

static u64 commits_to_make(unsigned int share)
{
	const char *given = getenv("SNAPMAP_COMMITS");

	return (given ? strtoull(given, NULL, 0) : is_slow() ? 3000 : 10000) / share;
}

static void start_reader(struct play *play, unsigned int i)
{
	play->pids[i] = reader_start(play->stage, play->map->name, i, play->kinds[i],
				     random_next(&play->seed));
	assert_true(play->pids[i] > 0);
}

static void play_begin(struct play *play, struct fixture *map, const reader_fn *kinds,
		       unsigned int count)
{
	unsigned int i;

	*play = (struct play){ .map = map, .kinds = kinds, .count = count };
	play->seed = seed_of_test();
	play->stage = stage_new();
	assert_non_null(play->stage);
	assert_int_equal(writer_init(&play->writer, map->fd, play->seed), 0);
	atomic_store(&play->stage->committed, play->writer.version);
	for (i = 0; i < count; i++)
		start_reader(play, i);
}

/* One commit; what has returned is published to the readers. */
static int play_commit(struct play *play)
{
	int err = writer_commit(&play->writer);

	atomic_store(&play->stage->committed, play->writer.version);
	return err;
}

/* Returns how many have not ended as they should. */
static unsigned int stop_readers(struct play *play)
{
	unsigned int i, crashed = 0;
	int status;

	atomic_store(&play->stage->stop, 1);
	for (i = 0; i < play->count; i++)
		kill(play->pids[i], SIGCONT);
	for (i = 0; i < play->count; i++)
		crashed += waitpid(play->pids[i], &status, 0) != play->pids[i] || status;
	return crashed;
}

/* No reader has crashed or seen anything wrong, and none has left a trace (promise E). */
static void play_end(struct play *play, int err)
{
	struct snapmap_info info;

	assert_int_equal(stop_readers(play), 0);
	stage_print(play->stage);
	assert_int_equal(err, 0);
	assert_true(stage_is_clean(play->stage));
	assert_no_leak(play->map->fd);
	assert_info(play->map->fd, &info);
	assert_int_equal(info.pins, 0);
	assert_int_equal(info.pinned_blocks, 0);
	assert_int_equal(info.retired_blocks, 0);
	assert_int_equal(info.failures, 0);
	writer_exit(&play->writer);
	stage_free(play->stage);
}

static bool all_have_read(const struct play *play)
{
	unsigned int i;

	for (i = 0; i < play->count; i++)
		if (!play->stage->tally[i].lookups)
			return false;
	return true;
}

static bool some_were_lapped(const struct play *play)
{
	unsigned int i;
	u64 lapped = 0;

	for (i = 0; i < play->count; i++)
		lapped += play->stage->tally[i].lapped;
	return lapped > 0;
}

/* They have met what they are here for, or never will. */
static bool is_enough(const struct play *play, u64 end)
{
	return (all_have_read(play) && some_were_lapped(play)) || now_ns() > end;
}

static void test_readers_beside_a_writer_A_B_C_D(void **state)
{
	static const reader_fn kinds[] = { reader_live, reader_live, reader_pinned, reader_ioctl };
	u64 start, i, commits = commits_to_make(1);
	struct play play;
	int err = 0;

	play_begin(&play, *state, kinds, ARRAY_SIZE(kinds));
	start = now_ns();
	for (i = 0; i < commits && !err; i++)
		err = play_commit(&play);
	note("%llu commits in %llu ms", i, (now_ns() - start) / 1000000);
	play_end(&play, err);
}

/* ------------------------------------------------------------- killed readers */

static void kill_and_restart(struct play *play, unsigned int i)
{
	assert_int_equal(kill(play->pids[i], SIGKILL), 0);
	assert_int_equal(waitpid(play->pids[i], NULL, 0), play->pids[i]);
	start_reader(play, i);
}

static void test_killed_readers_leave_no_trace_E(void **state)
{
	static const reader_fn kinds[] = { reader_live, reader_pinned, reader_pinned,
					   reader_ioctl };
	u64 i, commits = commits_to_make(4), kills = 0, seldom = is_slow() ? 25 : 40;
	struct play play;
	int err = 0;

	play_begin(&play, *state, kinds, ARRAY_SIZE(kinds));
	for (i = 0; i < commits && !err; i++) {
		err = play_commit(&play);
		if (random_below(&play.seed, seldom))
			continue;
		kill_and_restart(&play, random_below(&play.seed, ARRAY_SIZE(kinds)));
		kills++;
	}
	note("%llu commits, %llu readers killed", i, kills);
	play_end(&play, err);
}

/* ------------------------------------------------------------- overtaken readers */

/**
 * struct quarantine - the module's parameters, to be put back
 */
struct quarantine {
	u64 us;
	u64 commits;
};

/* Blocks are reused as soon as no reader in the kernel is inside. */
static void quarantine_off(struct quarantine *old)
{
	assert_int_equal(parameter_set("quarantine_us", 0, &old->us), 0);
	assert_int_equal(parameter_set("quarantine_commits", 0, &old->commits), 0);
}

static void quarantine_restore(const struct quarantine *old)
{
	u64 now;

	assert_int_equal(parameter_set("quarantine_us", old->us, &now), 0);
	assert_int_equal(parameter_set("quarantine_commits", old->commits, &now), 0);
}

/* Stops a reader anywhere, lets the writer go on, and lets the reader go on. */
static int overtake(struct play *play, unsigned int i)
{
	int err = 0, n;

	kill(play->pids[i], SIGSTOP);
	for (n = random_below(&play->seed, 40); n && !err; n--)
		err = play_commit(play);
	kill(play->pids[i], SIGCONT);
	return err;
}

/*
 * With readers that are held up in the middle of a look-up until their blocks
 * have been reused: they find out, and never crash.
 */
static void test_overtaken_readers_find_out_A_D_H(void **state)
{
	static const reader_fn kinds[] = { reader_live, reader_live, reader_lapped, reader_lapped };
	u64 i, commits = commits_to_make(4), end;
	struct quarantine old;
	struct play play;
	int err = 0;

	quarantine_off(&old);
	play_begin(&play, *state, kinds, ARRAY_SIZE(kinds));
	end = now_ns() + PATIENCE * 1000000000ULL;
	for (i = 0; !err && (i < commits || !is_enough(&play, end)); i++) {
		err = play_commit(&play);
		if (!err && !random_below(&play.seed, 20))
			err = overtake(&play, random_below(&play.seed, 2));
	}
	quarantine_restore(&old);
	assert_true(some_were_lapped(&play));
	assert_true(all_have_read(&play));
	play_end(&play, err);
}

/* Commits without pause, so that what a look-up reads is reused while it reads. */
static void commit_until_stopped(const struct fixture *map, struct stage *stage)
{
	while (!atomic_load(&stage->stop))
		if (put_string(map->fd, "short", "value"))
			_exit(1);
	_exit(0);
}

/* The longest value there can be takes longer than many commits, and comes whole. */
static void test_overtaken_again_and_again_D(void **state)
{
	static u64 words[SNAPMAP_VALUE_MAX / 8], got[SNAPMAP_VALUE_MAX / 8];
	struct fixture *map = *state;
	struct stage *stage = stage_new();
	struct snapmap_found found;
	struct quarantine old;
	struct snapmap *reader;
	int lookups = is_slow() ? 40 : 100, i, status;
	u64 version;
	pid_t pid;

	assert_non_null(stage);
	value_make(words, 0, 2, ARRAY_SIZE(words));
	assert_int_equal(put_bytes(map->fd, "long", words, sizeof(words)), 0);
	assert_int_equal(snapmap_open(map->name, O_RDONLY, &reader), 0);
	quarantine_off(&old);
	pid = child_start();
	if (!pid)
		commit_until_stopped(map, stage);
	for (i = 0; i < lookups; i++) {
		memset(got, 0, sizeof(got));
		assert_int_equal(snapmap_get(reader, "long", 4, got, sizeof(got), &found), 0);
		assert_int_equal(found.value_len, sizeof(got));
		assert_true(value_is_whole(got, sizeof(got), 0, &version));
	}
	atomic_store(&stage->stop, 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	quarantine_restore(&old);
	assert_int_equal(status, 0);
	snapmap_close(reader);
	stage_free(stage);
}

/* ------------------------------------------------------------- stopped readers */

/* Readers that never go on hold nothing up but what they have pinned. */
static void test_stopped_readers_block_nobody_E(void **state)
{
	static const reader_fn kinds[] = { reader_live, reader_pinned, reader_ioctl };
	u64 i, commits = commits_to_make(20);
	struct play play;
	int err = 0;

	play_begin(&play, *state, kinds, ARRAY_SIZE(kinds));
	nap(50000);
	for (i = 0; i < play.count; i++)
		kill(play.pids[i], SIGSTOP);
	for (i = 0; i < commits && !err; i++)
		err = play_commit(&play);
	play_end(&play, err);
}

static const struct CMUnitTest tests[] = {
	map_test(test_readers_beside_a_writer_A_B_C_D),
	map_test(test_killed_readers_leave_no_trace_E),
	map_test(test_overtaken_readers_find_out_A_D_H),
	map_test(test_overtaken_again_and_again_D),
	map_test(test_stopped_readers_block_nobody_E),
	cmocka_unit_test(test_nothing_is_left_G),
};

int main(void)
{
	return cmocka_run_group_tests_name("readers", tests, NULL, NULL);
}

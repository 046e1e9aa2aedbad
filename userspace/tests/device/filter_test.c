// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * filter_test.c - what the filter denies is not there, whatever is committed meanwhile
 * (promises A and C)
 *
 * Here every table that is replaced gets a filter. SNAPMAP_COMMITS scales the number of
 * commits, by default 4000 on stock kernels and 500 on test builds, which are slow.
 */
#include <libsnapmap.h>
#include <linux/snapmap_layout.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "versions.h"

#define KEPT	256U /* keys that are always there */
#define PASSING 256U /* keys of a replacement that come and go */
#define READERS 2

static u64 commits_to_make(void)
{
	const char *given = getenv("SNAPMAP_COMMITS");

	return given ? strtoull(given, NULL, 0) : is_slow() ? 500 : 4000;
}

static u64 usual_entries; /* filter_entries, as the module had it */

static int filters_for_all(void **state)
{
	(void)state;
	return parameter_set("filter_entries", 1, &usual_entries);
}

static int filters_as_usual(void **state)
{
	u64 now;

	(void)state;
	return parameter_set("filter_entries", usual_entries, &now);
}

static u64 filter_of(int fd)
{
	const struct snapmap_control *control;
	size_t bytes;
	u64 filter;

	control = map_mapping(fd, &bytes);
	assert_non_null(control);
	filter = control->filter[control->version & 1];
	munmap((void *)control, bytes);
	return filter;
}

static void put_number(struct batch *batch, u64 number)
{
	batch_put(batch, &number, sizeof(number), &number, sizeof(number));
}

/* By all that is kept, and from @first on what passes. */
static int replace(int fd, struct batch *batch, u64 first)
{
	u64 i;

	batch_clear(batch);
	for (i = 0; i < KEPT; i++)
		put_number(batch, i);
	for (i = 0; i < PASSING; i++)
		put_number(batch, first + i);
	return batch_commit(fd, batch, SNAPMAP_COMMIT_REPLACE, NULL);
}

static int commit_number(int fd, struct batch *batch, u64 number, bool put)
{
	batch_clear(batch);
	if (put)
		put_number(batch, number);
	else
		batch_delete(batch, &number, sizeof(number));
	return batch_commit(fd, batch, 0, NULL);
}

static int get_number(const struct snapmap *map, u64 number, struct snapmap_found *found)
{
	u64 value = 0;
	int err = snapmap_get(map, &number, sizeof(number), &value, sizeof(value), found);

	return !err && value != number ? -EBADMSG : err;
}

static void test_keys_come_and_go_C(void **state)
{
	struct fixture *fixture = *state;
	struct batch batch = { .data = NULL };
	u64 number;
	struct snapmap_found found;
	struct snapmap *map;

	assert_int_equal(snapmap_open(fixture->name, O_RDONLY, &map), 0);
	assert_int_equal(replace(fixture->fd, &batch, 1000), 0);
	assert_int_not_equal(filter_of(fixture->fd), 0);
	for (number = 0; number < 1000 + PASSING; number++)
		assert_int_equal(get_number(map, number, &found),
				 number < KEPT || number >= 1000 ? 0 : -ENOENT);
	/* Until it has been told of too many, and some more. */
	for (number = 2000; number < 2000 + 3 * (KEPT + PASSING); number++) {
		assert_int_equal(get_number(map, number, &found), -ENOENT);
		assert_int_equal(commit_number(fixture->fd, &batch, number, true), 0);
		assert_int_equal(get_number(map, number, &found), 0);
		if (number % 2 == 0)
			continue;
		assert_int_equal(commit_number(fixture->fd, &batch, number, false), 0);
		assert_int_equal(get_number(map, number, &found), -ENOENT);
		assert_int_equal(found.version, map_version(fixture->fd));
		if (number % 100 == 1)
			assert_sound(fixture->name);
	}
	assert_int_equal(filter_of(fixture->fd), 0);
	assert_sound(fixture->name);
	batch_free(&batch);
	snapmap_close(map);
	assert_no_leak(fixture->fd);
}

/* What an older version had is found again, though nobody had told the filter of it. */
static void test_rollback_C(void **state)
{
	struct fixture *fixture = *state;
	struct batch batch = { .data = NULL };
	u64 number;
	struct snapmap_found found;
	struct snapmap *map;

	assert_int_equal(snapmap_open(fixture->name, O_RDONLY, &map), 0);
	for (number = 1; number <= 2; number++)
		assert_int_equal(replace(fixture->fd, &batch, 1000 * number), 0);
	assert_int_equal(get_number(map, 1000, &found), -ENOENT);
	assert_int_equal(rollback(fixture->fd, 2, 0, NULL), 0);
	assert_int_not_equal(filter_of(fixture->fd), 0);
	for (number = 1000; number < 1000 + PASSING; number++)
		assert_int_equal(get_number(map, number, &found), 0);
	assert_sound(fixture->name);
	batch_free(&batch);
	snapmap_close(map);
}

/* ------------------------------------------------------------- beside a writer */

/**
 * struct stage - what the writer and its readers share
 * @stop: readers are to end
 * @passing: the first of the keys that pass, and that are there, mostly
 * @gets: look-ups that have been made
 * @denied: of those, that have found nothing
 */
struct stage {
	_Atomic int stop;
	_Atomic u64 passing;
	_Atomic u64 gets;
	_Atomic u64 denied;
};

/* Returns how often a key that is always there was not found, or a version went back. */
static int read_on(const char *name, struct stage *stage, u64 rng)
{
	struct snapmap_found found;
	u64 i, denied = 0, last = 0;
	struct snapmap *map;
	int wrong = 0;

	if (snapmap_open(name, O_RDONLY, &map))
		return 1;
	for (i = 0; !stage->stop; i++) {
		wrong += !!get_number(map, random_below(&rng, KEPT), &found);
		wrong += found.version < last;
		last = found.version;
		denied += get_number(map, stage->passing + random_below(&rng, 2 * PASSING),
				     &found) == -ENOENT;
		wrong += found.version < last;
		last = found.version;
	}
	stage->gets += 2 * i;
	stage->denied += denied;
	snapmap_close(map);
	return wrong;
}

/* Replacements, each of which makes another filter, and between them keys one by one. */
static int write_on(int fd, struct stage *stage, u64 commits, u64 *rng)
{
	struct batch batch = { .data = NULL };
	u64 first = 1000;
	int err = 0;

	while (commits-- && !err) {
		if (!random_below(rng, 4)) {
			first += PASSING / 2;
			err = replace(fd, &batch, first);
			stage->passing = first;
		} else {
			err = commit_number(fd, &batch, first + random_below(rng, 2 * PASSING),
					    random_below(rng, 2));
		}
	}
	batch_free(&batch);
	return err;
}

static void test_readers_beside_replacements_A_C(void **state)
{
	struct fixture *fixture = *state;
	struct stage *stage = shared_page();
	u64 rng = seed_of_test();
	struct batch batch = { .data = NULL };
	pid_t pids[READERS];
	int err, i, status;

	stage->passing = 1000;
	assert_int_equal(replace(fixture->fd, &batch, 1000), 0);
	for (i = 0; i < READERS; i++) {
		u64 seed = random_next(&rng);

		pids[i] = child_start();
		if (!pids[i])
			_exit(!!read_on(fixture->name, stage, seed));
	}
	err = write_on(fixture->fd, stage, commits_to_make(), &rng);
	stage->stop = 1;
	for (i = 0; i < READERS; i++) {
		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_int_equal(status, 0);
	}
	assert_int_equal(err, 0);
	note("%llu look-ups, %llu of keys that were not there", (u64)stage->gets,
	     (u64)stage->denied);
	assert_true(stage->denied);
	batch_free(&batch);
	munmap(stage, PAGE);
	assert_no_leak(fixture->fd);
}

/* Promise H: the parameter takes any number. */
static void test_no_filters(void **state)
{
	struct fixture *fixture = *state;
	struct batch batch = { .data = NULL };
	u64 one, most;

	assert_int_equal(parameter_set("filter_entries", UINT32_MAX, &one), 0);
	assert_int_equal(replace(fixture->fd, &batch, 1000), 0);
	assert_int_equal(filter_of(fixture->fd), 0);
	assert_int_equal(parameter_set("filter_entries", 0, &most), 0);
	batch_clear(&batch);
	assert_int_equal(batch_commit(fixture->fd, &batch, SNAPMAP_COMMIT_REPLACE, NULL), 0);
	assert_int_equal(filter_of(fixture->fd), 0);
	batch_free(&batch);
	assert_int_equal(parameter_set("filter_entries", one, &most), 0);
}

static int kept_setup(void **state)
{
	return fixture_new_kept(state, FIXTURE_LIMIT, 8, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		map_test(test_keys_come_and_go_C),
		cmocka_unit_test_setup_teardown(test_rollback_C, kept_setup, fixture_teardown),
		map_test(test_readers_beside_replacements_A_C),
		map_test(test_no_filters),
		cmocka_unit_test(test_nothing_is_left_G),
	};

	return cmocka_run_group_tests_name("filter", tests, filters_for_all, filters_as_usual);
}

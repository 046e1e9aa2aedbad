// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * directory_test.c - what the directory leads to is of the version that is found, whatever is
 * committed meanwhile (promises A, B and C)
 *
 * Here every table that has inner nodes has a directory. The commit of version v gives key
 * v % KEYS the value v, so what a key has in any version can be computed; and it puts or
 * deletes one more key, so that leaves are split and joined. SNAPMAP_COMMITS scales the
 * number of commits, by default 12000 on stock kernels and 600 on test builds, which are slow.
 */
#include <libsnapmap.h>
#include <linux/snapmap_layout.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "versions.h"

#define KEYS	2000U
#define PASSING 3000U /* keys that come and go */
#define READERS 2

static u64 commits_to_make(void)
{
	const char *given = getenv("SNAPMAP_COMMITS");

	return given ? strtoull(given, NULL, 0) : is_slow() ? 600 : 12000;
}

static u64 usual_entries; /* directory_entries, as the module had it */

static int directories_for_all(void **state)
{
	(void)state;
	return parameter_set("directory_entries", 1, &usual_entries);
}

static int directories_as_usual(void **state)
{
	u64 now;

	(void)state;
	return parameter_set("directory_entries", usual_entries, &now);
}

/* How many slots of the map's directory name a leaf; -1 when it has none. */
static int entered_leaves(int fd)
{
	const struct snapmap_control *control;
	const u32 *slots;
	size_t bytes;
	u64 word, i;
	int count = 0;

	control = map_mapping(fd, &bytes);
	assert_non_null(control);
	word = control->directory[control->version & 1];
	slots = (const void *)((const char *)control +
			       ((u64)SNAPMAP_DIRECTORY_BLOCK(word) << SNAPMAP_BLOCK_SHIFT));
	for (i = 0; word && i < 1ULL << SNAPMAP_DIRECTORY_WIDTH(word); i++)
		count += slots[i] && slots[i] != SNAPMAP_DIRECTORY_CLOSED;
	munmap((void *)control, bytes);
	return word ? count : -1;
}

static void put_number(struct batch *batch, u64 key, u64 value)
{
	batch_put(batch, &key, sizeof(key), &value, sizeof(value));
}

/* The first content, with 0 as all values. */
static int fill(int fd, struct batch *batch)
{
	u64 key;

	batch_clear(batch);
	for (key = 0; key < KEYS; key++)
		put_number(batch, key, 0);
	return batch_commit(fd, batch, SNAPMAP_COMMIT_REPLACE, NULL);
}

/* The commit that makes version @version. */
static int commit_version(int fd, struct batch *batch, u64 version)
{
	u64 passing = KEYS + version % PASSING;

	batch_clear(batch);
	put_number(batch, version % KEYS, version);
	if (version / PASSING % 2)
		batch_delete(batch, &passing, sizeof(passing));
	else
		put_number(batch, passing, version);
	return batch_commit(fd, batch, 0, NULL);
}

/* What @key has in @version, when the table was filled in @first. */
static u64 value_in(u64 key, u64 version, u64 first)
{
	u64 age = (version + KEYS - key) % KEYS;

	return version - age > first && version > age ? version - age : 0;
}

static int get_number(const struct snapmap *map, u64 key, u64 *value, struct snapmap_found *found)
{
	return snapmap_get(map, &key, sizeof(key), value, sizeof(*value), found);
}

static void assert_all(const struct snapmap *map, u64 version, u64 first)
{
	struct snapmap_found found;
	u64 key, value;

	for (key = 0; key < KEYS; key++) {
		assert_int_equal(get_number(map, key, &value, &found), 0);
		assert_int_equal(found.version, version);
		assert_int_equal(value, value_in(key, version, first));
	}
}

/* Until all keys have come, and gone, and come again. */
static void test_leaves_are_split_and_joined_C(void **state)
{
	struct fixture *fixture = *state;
	struct batch batch = { .data = NULL };
	u64 first, version, end;
	struct snapmap *map;

	assert_int_equal(snapmap_open(fixture->name, O_RDONLY, &map), 0);
	assert_int_equal(fill(fixture->fd, &batch), 0);
	first = map_version(fixture->fd);
	assert_true(entered_leaves(fixture->fd) > 0);
	end = is_slow() ? 700 : 2 * PASSING + 700;
	for (version = first + 1; version <= end; version++) {
		assert_int_equal(commit_version(fixture->fd, &batch, version), 0);
		if (version % 350 == 0) {
			assert_all(map, version, first);
			assert_sound(fixture->name);
			assert_true(entered_leaves(fixture->fd) > 0);
		}
	}
	batch_free(&batch);
	snapmap_close(map);
	assert_no_leak(fixture->fd);
}

/* A commit of more leaves than there are notes for makes a new one; a rollback is a commit. */
static void test_large_commits_and_rollback_C(void **state)
{
	struct fixture *fixture = *state;
	struct batch batch = { .data = NULL };
	u64 first, key, value;
	struct snapmap_found found;
	struct snapmap *map;

	assert_int_equal(snapmap_open(fixture->name, O_RDONLY, &map), 0);
	assert_int_equal(fill(fixture->fd, &batch), 0);
	first = map_version(fixture->fd);
	batch_clear(&batch);
	for (key = KEYS; key < 20 * KEYS; key++)
		put_number(&batch, key, key);
	assert_int_equal(batch_commit(fixture->fd, &batch, 0, NULL), 0);
	assert_true(entered_leaves(fixture->fd) > 0);
	assert_sound(fixture->name);
	for (key = 0; key < 20 * KEYS; key++) {
		assert_int_equal(get_number(map, key, &value, &found), 0);
		assert_int_equal(value, key < KEYS ? 0 : key);
	}
	assert_int_equal(rollback(fixture->fd, first, 0, NULL), 0);
	assert_true(entered_leaves(fixture->fd) > 0);
	assert_sound(fixture->name);
	for (key = 0; key < 20 * KEYS; key++)
		assert_int_equal(get_number(map, key, &value, &found), key < KEYS ? 0 : -ENOENT);
	/* A failed commit changes nothing of it (promise F). */
	batch_clear(&batch);
	put_number(&batch, 1, 77);
	put_number(&batch, 2, 77);
	key = KEYS;
	batch_delete(&batch, &key, sizeof(key));
	batch.data[0] ^= 0xff;
	assert_true(batch_commit(fixture->fd, &batch, 0, NULL) < 0);
	assert_all(map, map_version(fixture->fd), map_version(fixture->fd));
	assert_sound(fixture->name);
	batch_free(&batch);
	snapmap_close(map);
}

/* ------------------------------------------------------------- beside a writer */

/**
 * struct stage - what the writer and its readers share
 * @stop: readers are to end
 * @first: the version that the table was filled in
 * @gets: look-ups that have been made
 * @changed: of those, that have found another version than the one before
 */
struct stage {
	_Atomic int stop;
	_Atomic u64 first;
	_Atomic u64 gets;
	_Atomic u64 changed;
};

#define AT_ONCE 24

/* Returns how many of some keys, in one call, had not the value of the version that it gives. */
static int read_at_once(const struct snapmap *map, struct stage *stage, u64 *rng, uint64_t *version)
{
	struct snapmap_query queries[AT_ONCE];
	u64 keys[AT_ONCE], values[AT_ONCE];
	int i, wrong = 0;

	for (i = 0; i < AT_ONCE; i++) {
		keys[i] = i % 2 ? random_below(rng, KEYS) : (*version + (u64)i) % KEYS;
		queries[i] = (struct snapmap_query){ .key = &keys[i],
						     .key_len = sizeof(keys[i]),
						     .buf = &values[i],
						     .cap = sizeof(values[i]) };
	}
	wrong += snapmap_get_many(map, queries, AT_ONCE, version) != AT_ONCE;
	for (i = 0; i < AT_ONCE; i++)
		wrong += values[i] != value_in(keys[i], *version, stage->first);
	return wrong;
}

/* Returns how often a value was not that of the version, or a version went back. */
static int read_on(const char *name, struct stage *stage, u64 rng)
{
	u64 gets = 0, changed = 0, last = 0;
	uint64_t version;
	struct snapmap_found found;
	struct snapmap *map;
	u64 key, value;
	int wrong = 0;

	if (snapmap_open(name, O_RDONLY, &map))
		return 1;
	for (; !stage->stop; gets++) {
		/* Now and then one of those that are changed just now. */
		key = gets % 2 ? random_below(&rng, KEYS) : (last + random_below(&rng, 4)) % KEYS;
		wrong += get_number(map, key, &value, &found) ||
			 value != value_in(key, found.version, stage->first) ||
			 found.version < last;
		changed += found.version != last;
		last = found.version;
		if (gets % AT_ONCE)
			continue;
		version = last;
		wrong += read_at_once(map, stage, &rng, &version) || version < last;
		changed += version != last;
		last = version;
	}
	stage->gets += gets;
	stage->changed += changed;
	snapmap_close(map);
	return wrong;
}

static void test_readers_beside_commits_A_B_C(void **state)
{
	struct fixture *fixture = *state;
	struct stage *stage = shared_page();
	u64 rng = seed_of_test();
	struct batch batch = { .data = NULL };
	u64 version, commits = commits_to_make();
	pid_t pids[READERS];
	int i, status, err = 0;

	assert_int_equal(fill(fixture->fd, &batch), 0);
	stage->first = map_version(fixture->fd);
	for (i = 0; i < READERS; i++) {
		u64 seed = random_next(&rng);

		pids[i] = child_start();
		if (!pids[i])
			_exit(!!read_on(fixture->name, stage, seed));
	}
	for (version = stage->first + 1; commits-- && !err; version++)
		err = commit_version(fixture->fd, &batch, version);
	stage->stop = 1;
	for (i = 0; i < READERS; i++) {
		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_int_equal(status, 0);
	}
	assert_int_equal(err, 0);
	note("%llu look-ups, %llu in another version than the one before", (u64)stage->gets,
	     (u64)stage->changed);
	assert_true(stage->changed);
	assert_sound(fixture->name);
	batch_free(&batch);
	munmap(stage, PAGE);
	assert_no_leak(fixture->fd);
}

/* Promise H: the parameter takes any number. */
static void test_no_directories(void **state)
{
	struct fixture *fixture = *state;
	struct batch batch = { .data = NULL };
	u64 one, most;

	assert_int_equal(parameter_set("directory_entries", UINT32_MAX, &one), 0);
	assert_int_equal(fill(fixture->fd, &batch), 0);
	assert_int_equal(entered_leaves(fixture->fd), -1);
	assert_int_equal(parameter_set("directory_entries", 0, &most), 0);
	batch_clear(&batch);
	assert_int_equal(batch_commit(fixture->fd, &batch, SNAPMAP_COMMIT_REPLACE, NULL), 0);
	assert_int_equal(entered_leaves(fixture->fd), -1);
	batch_free(&batch);
	assert_int_equal(parameter_set("directory_entries", one, &most), 0);
}

static int kept_setup(void **state)
{
	return fixture_new_kept(state, FIXTURE_LIMIT, 8, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		map_test(test_leaves_are_split_and_joined_C),
		cmocka_unit_test_setup_teardown(test_large_commits_and_rollback_C, kept_setup,
						fixture_teardown),
		map_test(test_readers_beside_commits_A_B_C),
		map_test(test_no_directories),
		cmocka_unit_test(test_nothing_is_left_G),
	};

	return cmocka_run_group_tests_name("directory", tests, directories_for_all,
					   directories_as_usual);
}

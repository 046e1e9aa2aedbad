// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * version_test.c - what a map keeps: its history, and pins of any version in it
 *
 * SNAPMAP_COMMITS: how many commits one pin outlives, by default 100,000 on
 * stock kernels and 2,000 on test builds, which are slow.
 */
#include <stdatomic.h>
#include <sys/wait.h>

#include "versions.h"

static int put_number(int fd, u64 number)
{
	char text[24];

	snprintf(text, sizeof(text), "%llu", number);
	return put_string(fd, "number", text);
}

static bool number_is(int fd, u64 number)
{
	char text[24];

	snprintf(text, sizeof(text), "%llu", number);
	return key_is(fd, "number", text);
}

/* ------------------------------------------------------------- what is kept */

static void test_create_says_what_is_kept(void **state)
{
	struct snapmap_create args;
	int control = control_open(O_RDWR), fd;
	struct snapmap_info info;

	(void)state;
	create_args(&args, "version_test.kept");
	args.history = 7;
	args.lease_ms = 1234;
	args.flags = SNAPMAP_MAP_REVOKE;
	assert_int_equal(ioc(control, SNAPMAP_IOC_CREATE, &args), 0);
	fd = map_open("version_test.kept", O_RDWR);
	assert_info(fd, &info);
	assert_int_equal(info.history, 7);
	assert_int_equal(info.lease_ms, 1234);
	assert_int_equal(info.policy, SNAPMAP_MAP_REVOKE);
	assert_int_equal(info.oldest_kept, 1);
	assert_int_equal(info.revoked, 0);
	assert_int_equal(info.writer, 0);
	close(fd);
	close(control);
	assert_int_equal(map_destroy("version_test.kept"), 0);
}

static void test_defaults_and_bounds(void **state)
{
	struct fixture *map = *state;
	struct snapmap_info info;

	assert_info(map->fd, &info);
	assert_int_equal(info.history, 1);
	assert_int_equal(info.lease_ms, SNAPMAP_LEASE_DEFAULT);
	assert_int_equal(info.policy, 0);
	assert_int_equal(map_set_history(map->name, SNAPMAP_HISTORY_MAX + 1), -EINVAL);
	assert_int_equal(map_set_lease(map->name, SNAPMAP_LEASE_MAX + 1), -EINVAL);
	assert_int_equal(map_set(map->name, SNAPMAP_SET_FLAGS, 2, 0, 0), -EINVAL);
	assert_int_equal(map_set("version_test.none", SNAPMAP_SET_HISTORY, 0, 2, 0), -ENOENT);
	assert_int_equal(map_set_history(map->name, SNAPMAP_HISTORY_MAX), 0);
	assert_int_equal(map_set_lease(map->name, SNAPMAP_LEASE_MAX), 0);
	assert_info(map->fd, &info);
	assert_int_equal(info.history, SNAPMAP_HISTORY_MAX);
	assert_int_equal(info.lease_ms, SNAPMAP_LEASE_MAX);
	/* 0 is what it is for CREATE, and what the mask leaves out stays. */
	assert_int_equal(map_set_history(map->name, 0), 0);
	assert_info(map->fd, &info);
	assert_int_equal(info.history, 1);
	assert_int_equal(info.lease_ms, SNAPMAP_LEASE_MAX);
	assert_int_equal(map_set_lease(map->name, 0), 0);
	assert_info(map->fd, &info);
	assert_int_equal(info.lease_ms, SNAPMAP_LEASE_DEFAULT);
}

/* Every version up to the current one: kept, or gone for good. */
static void check_versions(int fd, u64 oldest, u64 current)
{
	struct snapmap_info info;
	u64 version;
	int pin;

	for (version = 1; version <= current; version++) {
		pin = pin_at(fd, version);
		if (version < oldest) {
			assert_int_equal(pin, -ESTALE);
			continue;
		}
		assert_true(pin >= 0);
		assert_info(pin, &info);
		assert_int_equal(info.header.version, version);
		assert_true(version == 1 || number_is(pin, version));
		close(pin);
	}
	assert_int_equal(pin_at(fd, current + 1), -EINVAL);
	assert_int_equal(pin_at(fd, ~0ULL), -EINVAL);
}

static void test_history_keeps_the_latest_B(void **state)
{
	struct fixture *map = *state;
	struct snapmap_pin args = { .version = 0 };
	struct snapmap_info info;
	u64 version, oldest;

	assert_int_equal(map_set_history(map->name, 5), 0);
	for (version = 2; version < 20; version++) {
		assert_int_equal(put_number(map->fd, version), 0);
		oldest = version < 6 ? 1 : version - 4;
		check_versions(map->fd, oldest, version);
		assert_info(map->fd, &info);
		assert_int_equal(info.oldest_kept, oldest);
		assert_int_equal(info.pins, 0);
	}
	/* The call says which version it has pinned. */
	close(ioc(map->fd, SNAPMAP_IOC_PIN, &args));
	assert_int_equal(args.version, 19);
	assert_no_leak(map->fd);
}

static void test_history_is_shortened_at_once_F_G(void **state)
{
	struct fixture *map = *state;
	struct snapmap_info info;
	u64 version;
	int pin;

	assert_int_equal(map_set_history(map->name, 100), 0);
	for (version = 2; version <= 50; version++)
		assert_int_equal(put_number(map->fd, version), 0);
	pin = pin_at(map->fd, 20);
	assert_int_equal(map_set_history(map->name, 3), 0);
	check_versions(map->fd, 48, 50);
	/* A pin stays, but no second one can be had by its number. */
	assert_true(number_is(pin, 20));
	assert_int_equal(pin_at(map->fd, 20), -ESTALE);
	/* A longer history begins with what is left. */
	assert_int_equal(map_set_history(map->name, 100), 0);
	check_versions(map->fd, 48, 50);
	assert_int_equal(put_number(map->fd, 51), 0);
	check_versions(map->fd, 48, 51);
	close(pin);
	assert_int_equal(map_set_history(map->name, 1), 0);
	settle(map->fd);
	assert_info(map->fd, &info);
	assert_int_equal(info.pinned_blocks, 0);
	assert_int_equal(info.used_blocks, reachable_blocks(map->fd));
}

static bool nothing_retired(void *data)
{
	struct fixture *map = data;

	return sysfs_value(map->name, "retired_blocks") == 0;
}

/* Without any commit to do the work. */
static void test_shortened_history_is_given_back_G(void **state)
{
	struct fixture *map = *state;
	u64 version;

	assert_int_equal(map_set_history(map->name, 50), 0);
	for (version = 2; version <= 100; version++)
		assert_int_equal(put_number(map->fd, version), 0);
	settle(map->fd);
	assert_true(sysfs_value(map->name, "pinned_blocks") > 0);
	assert_int_equal(map_set_history(map->name, 1), 0);
	assert_true(wait_until(nothing_retired, map, PATIENCE));
}

/* What a history holds back goes before a commit fails, and no further than it must. */
static void test_history_gives_way_to_commits_E_F_G(void **state)
{
	static u8 value[300000];
	struct snapmap_info info;
	struct fixture *map;
	void *fixture;
	u64 version;
	int pin;

	(void)state;
	assert_int_equal(fixture_new_kept(&fixture, 4 * MIB, 1000, 0), 0);
	map = fixture;
	for (version = 2; version < 60; version++) {
		memset(value, version, sizeof(value));
		assert_int_equal(put_bytes(map->fd, "large", value, sizeof(value)), 0);
		assert_info(map->fd, &info);
		assert_true(info.resident_bytes <= info.limit);
		assert_true(version < 5 || info.oldest_kept + 2 < version);
	}
	note("of 4 MiB, the history keeps %llu versions of 300,000 bytes",
	     version - info.oldest_kept);
	assert_int_equal(info.history, 1000);
	pin = pin_at(map->fd, info.oldest_kept);
	assert_true(pin >= 0);
	assert_int_equal(key_get(pin, "large", value, sizeof(value), NULL), 0);
	assert_int_equal(value[0], info.oldest_kept);
	assert_int_equal(value[sizeof(value) - 1], info.oldest_kept);
	close(pin);
	assert_no_leak(map->fd);
	fixture_teardown(&fixture);
}

/* ------------------------------------------------------------- what a pin costs */

#define TABLE 2000
#define HOT   10

static void add_hot(struct batch *batch, u64 round, u64 count)
{
	u64 key, value[4] = { round };

	for (key = 0; key < count; key++)
		batch_put(batch, &key, sizeof(key), value, sizeof(value));
}

static u64 commits_to_make(void)
{
	const char *given = getenv("SNAPMAP_COMMITS");

	return given ? strtoull(given, NULL, 0) : is_slow() ? 2000 : 100000;
}

/* However long it is held: the blocks that only it reaches, and no other. */
static void test_pin_costs_what_differs_E_I(void **state)
{
	u64 i, commits = commits_to_make(), content;
	struct fixture *map = *state;
	struct batch batch = { .data = NULL };
	struct snapmap_info info;
	int pin;

	assert_int_equal(map_set_history(map->name, 20), 0);
	add_hot(&batch, 0, TABLE);
	assert_int_equal(batch_commit(map->fd, &batch, 0, NULL), 0);
	pin = pin_at(map->fd, 2);
	content = content_of(pin);
	for (i = 1; i <= commits; i++) {
		batch_clear(&batch);
		add_hot(&batch, i, HOT);
		assert_int_equal(batch_commit(map->fd, &batch, 0, NULL), 0);
	}
	assert_int_equal(map_set_history(map->name, 1), 0);
	settle(map->fd);
	assert_info(map->fd, &info);
	note("after %llu commits of %d keys of %d, a pin holds back %llu blocks of %llu", commits,
	     HOT, TABLE, info.pinned_blocks, reachable_blocks(pin));
	assert_int_equal(info.pinned_blocks, blocks_of_pin_alone(pin, map->fd));
	assert_true(info.pinned_blocks < reachable_blocks(pin) / 2);
	assert_int_equal(content_of(pin), content);
	close(pin);
	batch_free(&batch);
}

/* ------------------------------------------------------------- at random */

#define KEPT	 40
#define HELD	 12
#define ROUNDS	 1500
#define VERSIONS (ROUNDS + 2)

/* What each version's content must be. */
struct past {
	u64 content[VERSIONS];
	u64 oldest;
	u64 current;
	u64 rng;
	int pin[HELD];
	u64 version[HELD];
};

static void commit_random(struct past *past, int fd)
{
	static u8 value[3000];
	struct batch batch = { .data = NULL };
	u32 i, key;

	for (i = random_below(&past->rng, 6); i; i--) {
		key = random_below(&past->rng, 150);
		memset(value, random_below(&past->rng, 256), sizeof(value));
		if (random_below(&past->rng, 3))
			batch_put(&batch, &key, sizeof(key), value,
				  random_below(&past->rng, sizeof(value)));
		else
			batch_delete(&batch, &key, sizeof(key));
	}
	assert_int_equal(batch_commit(fd, &batch, 0, NULL), 0);
	past->content[++past->current] = content_of(fd);
	batch_free(&batch);
}

/* The pin at a random place is looked at, and gives way to one of any version. */
static void pin_random(struct past *past, int fd)
{
	u32 i = random_below(&past->rng, HELD);

	if (past->pin[i] > 0) {
		assert_int_equal(content_of(past->pin[i]), past->content[past->version[i]]);
		close(past->pin[i]);
	}
	past->version[i] = 1 + random_below(&past->rng, past->current + 1);
	past->pin[i] = pin_at(fd, past->version[i]);
	if (past->version[i] > past->current)
		assert_int_equal(past->pin[i], -EINVAL);
	else if (past->version[i] < past->oldest)
		assert_int_equal(past->pin[i], -ESTALE);
	else
		assert_true(past->pin[i] > 0);
}

static void test_random_pins_of_versions_B_G(void **state)
{
	struct fixture *map = *state;
	static struct past past;
	struct snapmap_info info;
	u32 round, i;

	past = (struct past){ .rng = seed_of_test(), .current = 1 };
	for (round = 0; round < (is_slow() ? ROUNDS / 4 : ROUNDS); round++) {
		if (!random_below(&past.rng, 25))
			assert_int_equal(
				map_set_history(map->name, 1 + random_below(&past.rng, KEPT)), 0);
		commit_random(&past, map->fd);
		assert_info(map->fd, &info);
		past.oldest = info.oldest_kept;
		assert_true(past.oldest + info.history > past.current);
		pin_random(&past, map->fd);
	}
	assert_no_leak(map->fd);
	for (i = 0; i < HELD; i++)
		if (past.pin[i] > 0)
			close(past.pin[i]);
	assert_int_equal(map_set_history(map->name, 1), 0);
	assert_true(wait_until(nothing_retired, map, PATIENCE));
	assert_int_equal(sysfs_value(map->name, "used_blocks"), reachable_blocks(map->fd));
}

/* ------------------------------------------------------------- beside a writer */

#define CELLS 30

/* Writes its version to all cells, and changes how long the history is, until it is told to stop. */
static int write_cells(const struct fixture *map, u64 seed, _Atomic u32 *stop)
{
	struct batch batch = { .data = NULL };
	u64 version = 1, key;

	while (!atomic_load(stop)) {
		version++;
		batch_clear(&batch);
		for (key = 0; key < CELLS; key++)
			batch_put(&batch, &key, sizeof(key), &version, sizeof(version));
		if (batch_commit(map->fd, &batch, 0, NULL))
			return 1;
		if (version % 20 == 0 && map_set_history(map->name, 1 + random_below(&seed, 30)))
			return 2;
	}
	return 0;
}

static bool cells_are_of(int pin, u64 version)
{
	u64 key, value;
	struct snapmap_get get;

	for (key = 0; key < CELLS; key++) {
		get = (struct snapmap_get){ .key = (uintptr_t)&key,
					    .key_len = sizeof(key),
					    .value = (uintptr_t)&value,
					    .value_len = sizeof(value) };
		if (ioc(pin, SNAPMAP_IOC_GET, &get) || value != version)
			return false;
	}
	return true;
}

/* A version that is pinned while it leaves the history is whole, or refused. */
static void test_versions_are_pinned_beside_a_writer_A_B(void **state)
{
	u64 rng = seed_of_test(), current, version, got = 0, gone = 0;
	_Atomic u32 *stop = shared_page();
	struct fixture *map = *state;
	int pin, status;
	pid_t pid;

	pid = child_start();
	if (!pid)
		_exit(write_cells(map, rng, stop));
	while (got < (is_slow() ? 300 : 3000)) {
		current = map_version(map->fd);
		version = current - random_below(&rng, current < 35 ? current : 35);
		if (version < 2)
			continue;
		pin = pin_at(map->fd, version);
		if (pin == -ESTALE) {
			gone++;
			continue;
		}
		assert_true(pin >= 0);
		if (!cells_are_of(pin, version))
			fail_msg("a pin of version %llu shows another", version);
		close(pin);
		got++;
	}
	atomic_store(stop, 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	note("%llu pins of old versions, %llu versions were gone", got, gone);
	assert_true(gone > 0);
	assert_no_leak(map->fd);
}

static const struct CMUnitTest tests[] = {
	plain_test(test_create_says_what_is_kept),
	map_test(test_defaults_and_bounds),
	map_test(test_history_keeps_the_latest_B),
	map_test(test_history_is_shortened_at_once_F_G),
	map_test(test_shortened_history_is_given_back_G),
	plain_test(test_history_gives_way_to_commits_E_F_G),
	map_test(test_pin_costs_what_differs_E_I),
	map_test(test_random_pins_of_versions_B_G),
	map_test(test_versions_are_pinned_beside_a_writer_A_B),
	caught_test("history", test_history_keeps_the_latest_B),
	cmocka_unit_test(test_nothing_is_left_G),
};

int main(void)
{
	return cmocka_run_group_tests_name("version", tests, NULL, NULL);
}

// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * killed_test.c - processes that are killed at any moment (promises E and F)
 *
 * Each commit writes a whole state: all keys, each with the commit's token, and
 * the token as the snapshot's stamp. So whatever is found later must be all of
 * one commit.
 *
 * SNAPMAP_KILLS scales the number of kills, by default 2000 on stock kernels
 * and 100 on test builds, which are slow.
 */
#include <libsnapmap_history.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "versions.h"

static u64 kills_to_make(unsigned int share)
{
	const char *given = getenv("SNAPMAP_KILLS");

	return (given ? strtoull(given, NULL, 0) : is_slow() ? 100 : 2000) / share;
}

/* ------------------------------------------------------------- whole states */

/* What each key's entry holds. */
struct cell {
	u64 token;
	u64 key;
};

/* A batch that writes all of @keys keys; the tokens are still to be set. */
static struct batch state_new(u64 keys)
{
	struct batch batch = { .data = NULL };
	struct cell cell = { .token = 0 };

	for (cell.key = 0; cell.key < keys; cell.key++)
		batch_put(&batch, &cell.key, sizeof(cell.key), &cell, sizeof(cell));
	return batch;
}

static void state_set_token(struct batch *batch, u64 token)
{
	size_t record = batch->bytes / batch->count, at;

	for (at = 0; at < batch->bytes; at += record)
		memcpy(batch->data + at + sizeof(struct snapmap_op) + sizeof(u64), &token,
		       sizeof(token));
}

static int state_commit(int fd, struct batch *batch, u64 token, u32 flags)
{
	struct snapmap_commit args = batch_args(batch, flags | SNAPMAP_COMMIT_STAMP);

	state_set_token(batch, token);
	args.stamp = token;
	return ioc(fd, SNAPMAP_IOC_COMMIT, &args);
}

static bool item_is_of(const struct snapmap_item *item, u64 token, u64 version)
{
	struct cell cell;
	u64 key;

	if (item->key_len != sizeof(key) || item->value_len != sizeof(cell))
		return false;
	memcpy(&key, item->key, sizeof(key));
	memcpy(&cell, item->value, sizeof(cell));
	/* What a rollback has brought back, and was the same before, is older. */
	return cell.key == key && cell.token == token && item->version <= version;
}

/* Whether a snapshot holds what one commit wrote, and nothing else. */
static bool snapshot_is_whole(struct snapmap_snapshot *pin, u64 keys)
{
	const struct snapmap_header *header = snapmap_pin_header(pin);
	struct snapmap_item item;
	struct snapmap_iter *iter;
	u64 found = 0;

	if (snapmap_iter_new(pin, &iter))
		return false;
	while (snapmap_iter_next(iter, &item) > 0)
		found += item_is_of(&item, header->stamp, header->version);
	snapmap_iter_free(iter);
	if (found != keys || header->entries != keys)
		note("version %llu holds %llu entries, %llu of them its own, of %llu",
		     header->version, header->entries, found, keys);
	return found == keys && header->entries == keys;
}

static bool map_is_whole(struct snapmap *map, u64 keys)
{
	struct snapmap_snapshot *pin;
	bool whole;

	if (snapmap_pin(map, &pin))
		return false;
	whole = snapshot_is_whole(pin, keys);
	snapmap_unpin(pin);
	return whole;
}

#define HISTORY 8

/* Every version that is kept: what one writer leaves, another one soon writes over. */
static bool history_is_whole(struct snapmap *map, u64 keys)
{
	u64 last = snapmap_version(map), version;
	struct snapmap_snapshot *pin;
	bool whole = true;
	int err;

	for (version = last > HISTORY ? last - HISTORY : 1; whole && version <= last; version++) {
		err = snapmap_pin_at(map, version, &pin);
		if (err == -ESTALE)
			continue;
		whole = !err && snapshot_is_whole(pin, keys);
		if (!err)
			snapmap_unpin(pin);
	}
	return whole;
}

/* ------------------------------------------------------------- the victims; none of them returns */

/**
 * struct victim - a process that is killed
 * @name: the map's
 * @keys: of a state
 * @rng: its chance
 * @rounds: how often it has done its work; shared
 */
struct victim {
	const char *name;
	u64 keys;
	u64 rng;
	_Atomic u64 *rounds;
};

static void commit_states(struct victim *victim)
{
	struct batch batch = state_new(victim->keys);
	int fd = map_open(victim->name, O_RDWR);
	u32 flags;

	for (;;) {
		flags = random_below(&victim->rng, 2) ? SNAPMAP_COMMIT_REPLACE : 0;
		atomic_fetch_add(victim->rounds, 1);
		state_commit(fd, &batch, random_next(&victim->rng), flags);
	}
}

/* In steps, of which any may be the last. */
static void commit_transactions(struct victim *victim)
{
	struct snapmap_txn args = { .flags = SNAPMAP_COMMIT_STAMP };
	struct batch batch = state_new(victim->keys);
	int fd = map_open(victim->name, O_RDWR), txn;

	for (;;) {
		args.stamp = random_next(&victim->rng);
		state_set_token(&batch, args.stamp);
		txn = ioc(fd, SNAPMAP_IOC_TXN, &args);
		atomic_fetch_add(victim->rounds, 1);
		txn_write(txn, &batch);
		if (random_below(&victim->rng, 2))
			txn_prepare(txn, NULL);
		if (random_below(&victim->rng, 3))
			txn_commit(txn, NULL);
		close(txn);
	}
}

/* To any version that is kept, with its stamp. */
static void roll_back(struct victim *victim)
{
	struct snapmap_rollback args = { .flags = SNAPMAP_COMMIT_STAMP };
	int fd = map_open(victim->name, O_RDWR);
	struct snapmap_record records[HISTORY];
	int count;

	for (;;) {
		args.to = 0;
		count = map_log(fd, (u64 *)&args.to, records, HISTORY);
		if (count <= 0)
			continue;
		count = random_below(&victim->rng, count);
		args.to = records[count].header.version;
		args.stamp = records[count].header.stamp;
		atomic_fetch_add(victim->rounds, 1);
		ioc(fd, SNAPMAP_IOC_ROLLBACK, &args);
	}
}

static void hold_pins(struct victim *victim)
{
	int fd = map_open(victim->name, O_RDONLY), pins[8], i;

	for (i = 0; i < 8; i++)
		pins[i] = map_pin(fd);
	for (i = 0;; i = (i + 1) % 8) {
		close(pins[i]);
		pins[i] = map_pin(fd);
		atomic_fetch_add(victim->rounds, 1);
	}
}

/* By mapping, by ioctl, and with a mapping that comes and goes. */
static void read_all_ways(struct victim *victim)
{
	int fd = map_open(victim->name, O_RDONLY);
	struct snapmap_found found;
	struct cell cell;
	struct snapmap *map;
	u64 key;

	for (;;) {
		if (snapmap_open(victim->name, O_RDONLY, &map))
			continue;
		for (key = 0; key < 100; key++)
			snapmap_get(map, &key, sizeof(key), &cell, sizeof(cell), &found);
		key_get(fd, "12345678", &cell, sizeof(cell), NULL);
		snapmap_close(map);
		atomic_fetch_add(victim->rounds, 1);
	}
}

typedef void (*victim_fn)(struct victim *victim);

static pid_t victim_start(struct victim victim, victim_fn run)
{
	pid_t pid = child_start();

	if (!pid) {
		nice(5); /* who kills comes first */
		run(&victim);
		_exit(0);
	}
	assert_true(pid > 0);
	return pid;
}

static void victim_kill(pid_t pid)
{
	int status;

	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGKILL);
}

/* ------------------------------------------------------------- small commits, many kills */

#define KEYS 600 /* a commit looks for signals more than once */

static const victim_fn kinds[] = { commit_states, commit_transactions, roll_back, hold_pins,
				   read_all_ways };

#define VICTIMS ARRAY_SIZE(kinds)

/**
 * struct hunt - a map, who works on it, and who looks after it
 * @map: the map
 * @reader: the same, as the library has it
 * @batch: a state of this process's own
 * @rng: all chance
 * @rounds: one counter for each victim; shared
 * @pids: the victims
 */
struct hunt {
	struct fixture *map;
	struct snapmap *reader;
	struct batch batch;
	u64 rng;
	_Atomic u64 *rounds;
	pid_t pids[VICTIMS];
};

static void hunt_restart(struct hunt *hunt, unsigned int i)
{
	struct victim victim = { hunt->map->name, KEYS, random_next(&hunt->rng), &hunt->rounds[i] };

	hunt->pids[i] = victim_start(victim, kinds[i]);
}

static void hunt_begin(struct hunt *hunt, struct fixture *map)
{
	unsigned int i;

	*hunt = (struct hunt){ .map = map, .rng = seed_of_test(), .rounds = shared_page() };
	hunt->batch = state_new(KEYS);
	assert_int_equal(state_commit(map->fd, &hunt->batch, 1, 0), 0);
	assert_int_equal(map_set_history(map->name, HISTORY), 0);
	assert_int_equal(snapmap_open(map->name, O_RDONLY, &hunt->reader), 0);
	for (i = 0; i < VICTIMS; i++)
		hunt_restart(hunt, i);
}

static bool all_have_worked(void *data)
{
	struct hunt *hunt = data;
	unsigned int i;

	for (i = 0; i < VICTIMS; i++)
		if (!atomic_load(&hunt->rounds[i]))
			return false;
	return true;
}

/* Nothing is left of the dead, and the map goes on. */
static void hunt_end(struct hunt *hunt)
{
	struct snapmap_info info;
	unsigned int i;

	assert_true(wait_until(all_have_worked, hunt, PATIENCE));
	for (i = 0; i < VICTIMS; i++)
		victim_kill(hunt->pids[i]);
	assert_true(history_is_whole(hunt->reader, KEYS));
	snapmap_close(hunt->reader);
	assert_int_equal(state_commit(hunt->map->fd, &hunt->batch, 2, 0), 0);
	assert_info(hunt->map->fd, &info);
	assert_int_equal(info.pins, 0);
	assert_no_leak(hunt->map->fd);
	note("version %llu, %llu commits failed", info.header.version, info.failures);
	batch_free(&hunt->batch);
}

static void test_killed_at_any_moment_E_F(void **state)
{
	u64 i, kills = kills_to_make(1), begun = now_ns();
	struct hunt hunt;
	unsigned int prey;

	hunt_begin(&hunt, *state);
	for (i = 0; i < kills; i++) {
		prey = random_below(&hunt.rng, VICTIMS);
		nap(random_below(&hunt.rng, 3000));
		victim_kill(hunt.pids[prey]);
		if (kinds[prey] != hold_pins && kinds[prey] != read_all_ways)
			assert_true(history_is_whole(hunt.reader, KEYS));
		if (!random_below(&hunt.rng, 10))
			assert_int_equal(state_commit(hunt.map->fd, &hunt.batch,
						      random_next(&hunt.rng), 0),
					 0);
		hunt_restart(&hunt, prey);
	}
	note("%llu kills in %llu ms", kills, (now_ns() - begun) / 1000000);
	hunt_end(&hunt);
}

/* ------------------------------------------------------------- large commits */

static u64 time_of_commit(int fd, struct batch *batch)
{
	u64 begun = now_ns();

	assert_int_equal(state_commit(fd, batch, 3, SNAPMAP_COMMIT_REPLACE), 0);
	return (now_ns() - begun) / 1000;
}

/* Commits as large as can be made in about a second, killed anywhere in them. */
static void test_large_commits_are_killed_F(void **state)
{
	u64 kills = kills_to_make(50), keys = kills_to_make(1) * 50, begun = 0, i, us, rng;
	struct fixture *map = *state;
	struct batch batch = state_new(keys);
	struct snapmap *reader;
	struct victim victim = { map->name, keys, 0, shared_page() };
	pid_t pid;

	rng = seed_of_test();
	assert_int_equal(snapmap_open(map->name, O_RDONLY, &reader), 0);
	us = time_of_commit(map->fd, &batch);
	note("a commit of %llu keys takes %llu ms", keys, us / 1000);
	for (i = 0; i < kills; i++) {
		victim.rng = random_next(&rng);
		begun = atomic_load(victim.rounds);
		pid = victim_start(victim, commit_states);
		while (atomic_load(victim.rounds) == begun)
			nap(1000);
		nap(random_below(&rng, us));
		victim_kill(pid);
		assert_true(map_is_whole(reader, keys));
	}
	snapmap_close(reader);
	assert_int_equal(state_commit(map->fd, &batch, 4, 0), 0);
	assert_no_leak(map->fd);
	batch_free(&batch);
}

static int setup_large(void **state)
{
	return fixture_new(state, 200 * MIB);
}

#define large_test(f) cmocka_unit_test_setup_teardown(f, setup_large, fixture_teardown)

static const struct CMUnitTest tests[] = {
	map_test(test_killed_at_any_moment_E_F),
	large_test(test_large_commits_are_killed_F),
	caught_test("half", test_killed_at_any_moment_E_F),
	plain_test(test_nothing_is_left_G),
};

int main(void)
{
	return cmocka_run_group_tests_name("killed", tests, NULL, NULL);
}

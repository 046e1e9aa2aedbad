// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * revoke_test.c - pins that go so that commits can go on (promises B, E and G)
 *
 * What is read through a pin that has been revoked is ESTALE, for good, and never
 * something else than the pinned snapshot.
 */
#include <libsnapmap.h>
#include <libsnapmap_history.h>
#include <stdatomic.h>
#include <sys/mman.h>

#include "versions.h"

#define LIMIT  (4 * MIB)
#define LARGE  400000
#define FILLED 40 /* more commits of a large value than the limit holds */

static int setup_revoking(void **state)
{
	return fixture_new_kept(state, LIMIT, 1, SNAPMAP_MAP_REVOKE);
}

static int setup_refusing(void **state)
{
	return fixture_new(state, LIMIT);
}

#define revoke_test(f) cmocka_unit_test_setup_teardown(f, setup_revoking, fixture_teardown)
#define refuse_test(f) cmocka_unit_test_setup_teardown(f, setup_refusing, fixture_teardown)

/* A value that tells its version in every byte. */
static int put_large(int fd, u64 version)
{
	static u8 value[LARGE];

	memset(value, version, sizeof(value));
	return put_bytes(fd, "large", value, sizeof(value));
}

static bool large_is(int fd, u64 version)
{
	static u8 value[LARGE];
	u32 i;

	if (key_get(fd, "large", value, sizeof(value), NULL))
		return false;
	for (i = 0; i < sizeof(value); i++)
		if (value[i] != (u8)version)
			return false;
	return true;
}

/* Commits large values, and pins each version; @pin[v] is of version v. */
static void pin_each(int fd, int *pin, u64 last)
{
	u64 version;

	for (version = map_version(fd) + 1; version <= last; version++) {
		assert_int_equal(put_large(fd, version), 0);
		pin[version] = map_pin(fd);
		assert_true(pin[version] >= 0);
	}
}

static u64 revoked_below(int fd)
{
	struct snapmap_info info;

	assert_info(fd, &info);
	return info.revoked;
}

static void assert_stale(int pin)
{
	struct snapmap_info info = { .flags = 0 };
	char buf[8] = "as it is";

	assert_int_equal(ioc(pin, SNAPMAP_IOC_INFO, &info), -ESTALE);
	assert_int_equal(key_get(pin, "large", buf, sizeof(buf), NULL), -ESTALE);
	assert_int_equal(key_get(pin, "none", buf, sizeof(buf), NULL), -ESTALE);
	assert_memory_equal(buf, "as it is", 8);
}

/* The oldest go, as many as must; those that are left are whole. */
static void test_oldest_pins_are_revoked_B_E_G(void **state)
{
	struct fixture *map = *state;
	int pin[FILLED + 1];
	u64 version, revoked;

	pin_each(map->fd, pin, FILLED);
	revoked = revoked_below(map->fd);
	note("of %d pins of a large value, those below %llu are revoked", FILLED, revoked);
	assert_in_range(revoked, FILLED / 2, FILLED - 1);
	for (version = 2; version <= FILLED; version++) {
		if (version < revoked)
			assert_stale(pin[version]);
		else
			assert_true(large_is(pin[version], version));
		close(pin[version]);
	}
	assert_no_leak(map->fd);
	assert_int_equal(sysfs_value(map->name, "pinned_blocks"), 0);
	assert_int_equal(sysfs_value(map->name, "pins"), 0);
}

static void test_pins_stay_revoked_B(void **state)
{
	struct fixture *map = *state;
	int pin[FILLED + 1];
	u64 version, revoked;

	pin_each(map->fd, pin, FILLED);
	revoked = revoked_below(map->fd);
	/* When all others are gone there would be room. */
	for (version = 3; version <= FILLED; version++)
		close(pin[version]);
	settle(map->fd);
	assert_stale(pin[2]);
	assert_int_equal(revoked_below(map->fd), revoked);
	assert_int_equal(map_set(map->name, SNAPMAP_SET_FLAGS, 0, 0, 0), 0);
	assert_stale(pin[2]);
	assert_int_equal(map_destroy(map->name), 0);
	assert_stale(pin[2]);
	close(pin[2]);
}

/* What a reader of the mapping sees of it, and what the list says. */
static void test_revocation_is_told_everywhere(void **state)
{
	struct fixture *map = *state;
	struct snapmap_pin_record records[FILLED + 1];
	const struct snapmap_control *control;
	int pin[FILLED + 1], count, i;
	size_t bytes;
	u64 revoked;

	control = map_mapping(map->fd, &bytes);
	assert_int_equal(control->revoked, 0);
	pin_each(map->fd, pin, FILLED);
	revoked = revoked_below(map->fd);
	assert_int_equal(control->revoked, revoked);
	count = map_pins(map->fd, 0, records, FILLED + 1);
	assert_int_equal(count, FILLED - 1);
	for (i = 0; i < count; i++) {
		assert_int_equal(records[i].flags,
				 records[i].version < revoked ? SNAPMAP_PIN_REVOKED : 0);
		if (records[i].version < revoked)
			assert_int_equal(records[i].held_bytes, 0);
		close(pin[i + 2]);
	}
	munmap((void *)control, bytes);
}

/* Many pins of one version are one for this too. */
static void test_copies_and_mappings_are_revoked_B(void **state)
{
	struct fixture *map = *state;
	int pin[FILLED + 1], again, copy;
	struct snapmap_snapshot *snapshot;
	struct snapmap_item item;
	u64 version;

	assert_int_equal(put_large(map->fd, 2), 0);
	again = map_pin(map->fd);
	copy = dup(again);
	assert_int_equal(snapmap_pin_open_fd(map_pin(map->fd), &snapshot), 0);
	assert_int_equal(snapmap_pin_get(snapshot, "large", 5, &item), 0);
	assert_int_equal(snapmap_pin_check(snapshot), 0);
	pin_each(map->fd, pin, FILLED);
	assert_stale(again);
	assert_stale(copy);
	assert_int_equal(snapmap_pin_check(snapshot), -ESTALE);
	assert_int_equal(snapmap_pin_get(snapshot, "large", 5, &item), -ESTALE);
	/* The mapping may show anything by now, but it is there. */
	assert_true(((volatile const u8 *)item.value)[0] <= 0xff);
	snapmap_unpin(snapshot);
	close(again);
	close(copy);
	for (version = 3; version <= FILLED; version++)
		close(pin[version]);
	assert_no_leak(map->fd);
}

/* A history is worth less than a pin: it goes first. */
static void test_history_goes_before_pins_E(void **state)
{
	struct fixture *map = *state;
	struct snapmap_info info;
	u64 version;
	int pin;

	assert_int_equal(map_set_history(map->name, 100), 0);
	assert_int_equal(put_large(map->fd, 2), 0);
	pin = map_pin(map->fd);
	for (version = 3; version <= FILLED; version++)
		assert_int_equal(put_large(map->fd, version), 0);
	assert_info(map->fd, &info);
	assert_int_equal(info.revoked, 0);
	assert_true(info.oldest_kept > 2);
	assert_true(large_is(pin, 2));
	close(pin);
}

/* Where the policy does not say so nothing is revoked; and it may come to say so. */
static void test_commits_are_refused_or_pins_revoked_E_F(void **state)
{
	struct fixture *map = *state;
	struct snapmap_info before;
	int pin[FILLED + 1], err = 0;
	u64 version, i;

	for (version = 2; !err && version <= FILLED; version++) {
		err = put_large(map->fd, version);
		pin[version] = map_pin(map->fd);
	}
	assert_int_equal(err, -ENOSPC);
	assert_info(map->fd, &before);
	assert_int_equal(put_large(map->fd, version), -ENOSPC);
	assert_unchanged(map->fd, &before);
	assert_int_equal(before.revoked, 0);
	assert_true(large_is(pin[2], 2));
	assert_int_equal(map_set(map->name, SNAPMAP_SET_FLAGS, SNAPMAP_MAP_REVOKE, 0, 0), 0);
	assert_int_equal(put_large(map->fd, version), 0);
	assert_stale(pin[2]);
	for (i = 2; i < version; i++)
		close(pin[i]);
}

/* The current snapshot is nobody's to revoke: what fits beside it in no way is refused. */
static void test_current_snapshot_is_never_revoked_B_F(void **state)
{
	static u8 half[900000];
	struct fixture *map = *state;
	struct batch batch = { .data = NULL };
	struct snapmap_info before;
	int pin;

	batch_put(&batch, "a", 1, half, sizeof(half));
	batch_put(&batch, "b", 1, half, sizeof(half));
	batch_put(&batch, "c", 1, half, sizeof(half));
	assert_int_equal(batch_commit(map->fd, &batch, 0, NULL), 0);
	pin = map_pin(map->fd);
	assert_info(map->fd, &before);
	assert_int_equal(batch_commit(map->fd, &batch, 0, NULL), -ENOSPC);
	assert_unchanged(map->fd, &before);
	assert_int_equal(revoked_below(map->fd), 0);
	assert_int_equal(key_get(pin, "a", half, sizeof(half), NULL), 0);
	close(pin);
	batch_free(&batch);
}

/* ------------------------------------------------------------- beside a writer */

#define BLOBS 40
#define BYTES 20000

static int write_blobs(const struct fixture *map, const _Atomic u32 *stop, u64 most)
{
	struct batch batch = { .data = NULL };
	static u8 value[BYTES];
	u64 version = map_version(map->fd), key;
	int err = 0;

	while (!err && !atomic_load(stop) && version < most) {
		version++;
		batch_clear(&batch);
		memset(value, version, sizeof(value));
		for (key = 0; key < BLOBS; key++)
			batch_put(&batch, &key, sizeof(key), value, sizeof(value));
		err = batch_commit(map->fd, &batch, 0, NULL);
	}
	return -err;
}

static bool bytes_are(const volatile u8 *bytes, u8 expected)
{
	u32 i;

	for (i = 0; i < BYTES; i += 61)
		if (bytes[i] != expected)
			return false;
	return true;
}

/**
 * struct holder - one who holds pins for too long
 * @pins: pinned snapshots, newest last
 * @held: how many
 * @whole: values that were right
 * @stale: answers of ESTALE
 */
struct holder {
	struct snapmap_snapshot *pins[8];
	u32 held;
	u64 whole;
	u64 stale;
};

/* Through the mapping: what is wrong must turn out to be stale. */
static void read_by_mapping(struct holder *holder, struct snapmap_snapshot *pin, u64 key)
{
	u8 expected = snapmap_pin_version(pin);
	struct snapmap_item item;
	int err = snapmap_pin_get(pin, &key, sizeof(key), &item);
	bool right = !err && item.value_len == BYTES && bytes_are(item.value, expected);

	if (!err)
		err = snapmap_pin_check(pin);
	if (!err && !right)
		fail_msg("a pin of version %llu shows something else",
			 (u64)snapmap_pin_version(pin));
	assert_true(!err || err == -ESTALE);
	holder->whole += !err;
	holder->stale += !!err;
}

static void read_by_ioctl(struct holder *holder, struct snapmap_snapshot *pin, u64 key)
{
	static u8 value[BYTES];
	struct snapmap_get get = { .key = (uintptr_t)&key,
				   .key_len = sizeof(key),
				   .value = (uintptr_t)value,
				   .value_len = sizeof(value) };
	int err = ioc(snapmap_pin_fd(pin), SNAPMAP_IOC_GET, &get);

	if (!err && (get.value_len != BYTES || !bytes_are(value, snapmap_pin_version(pin))))
		fail_msg("GET on a pin of version %llu gives something else",
			 (u64)snapmap_pin_version(pin));
	assert_true(!err || err == -ESTALE);
	holder->whole += !err;
	holder->stale += !!err;
}

static void hold_another(struct holder *holder, struct snapmap *lib)
{
	if (holder->held == ARRAY_SIZE(holder->pins)) {
		snapmap_unpin(holder->pins[0]);
		memmove(holder->pins, holder->pins + 1, sizeof(holder->pins) - sizeof(void *));
		holder->held--;
	}
	assert_int_equal(snapmap_pin(lib, &holder->pins[holder->held++]), 0);
}

static void test_revoked_pins_show_no_wrong_data_B(void **state)
{
	struct fixture *map = *state;
	struct holder holder = { .held = 0 };
	_Atomic u32 *stop = shared_page();
	u64 rng = seed_of_test(), least = is_slow() ? 40 : 300;
	struct snapmap_snapshot *pin;
	struct snapmap *lib;
	struct child child = { .status = 0 };
	int i;

	assert_int_equal(snapmap_open(map->name, O_RDONLY, &lib), 0);
	child.pid = child_start();
	if (!child.pid)
		_exit(write_blobs(map, stop, ~0ULL));
	while (map_version(map->fd) < 3)
		nap(1000);
	while (holder.whole < least || holder.stale < least) {
		assert_false(child_has_ended(&child));
		hold_another(&holder, lib);
		for (i = 0; i < 40; i++) {
			pin = holder.pins[random_below(&rng, holder.held)];
			if (i % 2)
				read_by_mapping(&holder, pin, random_below(&rng, BLOBS));
			else
				read_by_ioctl(&holder, pin, random_below(&rng, BLOBS));
		}
	}
	note("%llu values were whole, %llu stale; revoked below %llu of %llu", holder.whole,
	     holder.stale, revoked_below(map->fd), map_version(map->fd));
	while (holder.held)
		snapmap_unpin(holder.pins[--holder.held]);
	snapmap_close(lib);
	atomic_store(stop, 1);
	assert_true(wait_until(child_has_ended, &child, PATIENCE));
	assert_int_equal(child.status, 0);
	assert_no_leak(map->fd);
}

/* A pin that is closed while a commit looks for room is none that it must fail for. */
static void test_pins_closed_meanwhile_fail_no_commit_E(void **state)
{
	struct fixture *map = *state;
	_Atomic u32 *stop = shared_page();
	u64 rng = seed_of_test(), pins = 0;
	struct child child = { .status = 0 };
	int pin[4] = { -1, -1, -1, -1 }, i;

	child.pid = child_start();
	if (!child.pid)
		_exit(write_blobs(map, stop, is_slow() ? 100 : 600));
	while (!child_has_ended(&child)) {
		i = random_below(&rng, 4);
		close(pin[i]);
		pin[i] = map_pin(map->fd);
		pins++;
		if (!random_below(&rng, 8))
			nap(random_below(&rng, 3000));
	}
	for (i = 0; i < 4; i++)
		close(pin[i]);
	note("%llu pins beside %llu commits", pins, map_version(map->fd) - 1);
	assert_int_equal(child.status, 0);
}

/* ------------------------------------------------------------- with rollback */

/* What a rollback reads is not taken from it, whatever room it needs itself. */
static void test_rollback_at_the_limit_F(void **state)
{
	struct fixture *map = *state;
	struct snapmap_info before;
	u64 version;
	int err, pin;

	assert_int_equal(map_set_history(map->name, 100), 0);
	for (version = 2; version <= FILLED; version++)
		assert_int_equal(put_large(map->fd, version), 0);
	assert_info(map->fd, &before);
	pin = pin_at(map->fd, before.oldest_kept);
	err = rollback(map->fd, before.oldest_kept, 0, NULL);
	if (err) {
		assert_int_equal(err, -ENOSPC);
		assert_true(large_is(map->fd, FILLED));
	} else {
		assert_true(large_is(map->fd, before.oldest_kept));
	}
	close(pin);
	assert_int_equal(put_large(map->fd, 1), 0);
	assert_no_leak(map->fd);
}

static const struct CMUnitTest tests[] = {
	revoke_test(test_oldest_pins_are_revoked_B_E_G),
	revoke_test(test_pins_stay_revoked_B),
	revoke_test(test_revocation_is_told_everywhere),
	revoke_test(test_copies_and_mappings_are_revoked_B),
	revoke_test(test_history_goes_before_pins_E),
	refuse_test(test_commits_are_refused_or_pins_revoked_E_F),
	revoke_test(test_current_snapshot_is_never_revoked_B_F),
	revoke_test(test_revoked_pins_show_no_wrong_data_B),
	revoke_test(test_pins_closed_meanwhile_fail_no_commit_E),
	revoke_test(test_rollback_at_the_limit_F),
	caught_test("revoke", test_revoked_pins_show_no_wrong_data_B),
	cmocka_unit_test(test_nothing_is_left_G),
};

int main(void)
{
	return cmocka_run_group_tests_name("revoke", tests, NULL, NULL);
}

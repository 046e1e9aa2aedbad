// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * rollback_test.c - an older version's content becomes a new version (promises A,
 * F and I), and stamps that must grow
 */
#include <libsnapmap.h>

#include "versions.h"

static int setup_kept(void **state)
{
	return fixture_new_kept(state, FIXTURE_LIMIT, 50, 0);
}

#define kept_test(f) cmocka_unit_test_setup_teardown(f, setup_kept, fixture_teardown)

/* ------------------------------------------------------------- what it does */

static u64 entry_version(int fd, const char *key)
{
	struct snapmap_get get;
	char buf[64];

	return key_get(fd, key, buf, sizeof(buf), &get) ? 0 : get.entry_version;
}

static void test_content_comes_back_A(void **state)
{
	struct fixture *map = *state;
	struct snapmap_rollback out;
	struct snapmap_record record;
	struct snapmap_info old, now;
	int pin;

	assert_int_equal(put_string(map->fd, "same", "1"), 0);	  /* version 2 */
	assert_int_equal(put_string(map->fd, "changed", "1"), 0); /* 3 */
	assert_int_equal(put_string(map->fd, "gone", "1"), 0);	  /* 4 */
	assert_int_equal(put_string(map->fd, "changed", "2"), 0);
	assert_int_equal(put_string(map->fd, "new", "1"), 0);
	pin = map_pin(map->fd);
	assert_int_equal(rollback(map->fd, 4, 0, &out), 0);
	assert_int_equal(out.version, 7);
	assert_int_equal(out.puts, 1);
	assert_int_equal(out.deletes, 1);
	assert_true(out.blocks_copied > 0);
	assert_true(key_is(map->fd, "same", "1"));
	assert_true(key_is(map->fd, "changed", "1"));
	assert_true(key_is(map->fd, "gone", "1"));
	assert_true(key_is(map->fd, "new", NULL));
	/* What is the same keeps its version, what is not has this one. */
	assert_int_equal(entry_version(map->fd, "same"), 2);
	assert_int_equal(entry_version(map->fd, "gone"), 4);
	assert_int_equal(entry_version(map->fd, "changed"), 7);
	assert_true(key_is(pin, "changed", "2"));
	close(pin);
	pin = pin_at(map->fd, 4);
	assert_info(pin, &old);
	close(pin);
	assert_info(map->fd, &now);
	assert_int_equal(now.header.entries, old.header.entries);
	assert_int_equal(now.header.key_bytes, old.header.key_bytes);
	assert_int_equal(now.header.value_bytes, old.header.value_bytes);
	assert_record(map->fd, 7, &record);
	assert_int_equal(record.rolled_back_to, 4);
	assert_int_equal(record.puts, 1);
	assert_int_equal(record.deletes, 1);
	assert_int_equal(record.blocks_copied, out.blocks_copied);
	assert_int_equal(record.pid, getpid());
	assert_no_leak(map->fd);
}

static void test_to_empty_and_to_the_same(void **state)
{
	struct fixture *map = *state;
	struct snapmap_rollback out;

	assert_int_equal(put_string(map->fd, "key", "value"), 0);
	assert_int_equal(rollback(map->fd, 2, 0, &out), 0);
	assert_int_equal(out.version, 3);
	assert_int_equal(out.puts + out.deletes, 0);
	assert_int_equal(out.blocks_copied, 0);
	assert_true(key_is(map->fd, "key", "value"));
	assert_int_equal(rollback(map->fd, 1, 0, &out), 0);
	assert_int_equal(out.deletes, 1);
	assert_true(key_is(map->fd, "key", NULL));
	assert_int_equal(rollback(map->fd, 3, 0, &out), 0);
	assert_true(key_is(map->fd, "key", "value"));
	assert_int_equal(out.version, 5);
	assert_no_leak(map->fd);
}

static void refuse(int fd, struct snapmap_rollback args, int err, u64 version)
{
	struct snapmap_info before;

	assert_info(fd, &before);
	args.version = args.puts = args.deletes = args.blocks_copied = 0xa5;
	assert_int_equal(ioc(fd, SNAPMAP_IOC_ROLLBACK, &args), err);
	assert_int_equal(args.version, version);
	assert_int_equal(args.puts, 0);
	assert_int_equal(args.deletes, 0);
	assert_int_equal(args.blocks_copied, 0);
	assert_unchanged(fd, &before);
}

static void test_what_is_refused_F_H(void **state)
{
	struct fixture *map = *state;
	int reader = map_open(map->name, O_RDONLY);

	assert_int_equal(map_set_history(map->name, 3), 0);
	assert_int_equal(put_string(map->fd, "key", "2"), 0);
	assert_int_equal(put_string(map->fd, "key", "3"), 0);
	assert_int_equal(put_string(map->fd, "key", "4"), 0);
	refuse(map->fd, (struct snapmap_rollback){ .to = 0 }, -EINVAL, 0);
	refuse(map->fd, (struct snapmap_rollback){ .to = 5 }, -EINVAL, 0);
	refuse(map->fd, (struct snapmap_rollback){ .to = ~0ULL }, -EINVAL, 0);
	refuse(map->fd, (struct snapmap_rollback){ .to = 1 }, -ESTALE, 0);
	refuse(map->fd, (struct snapmap_rollback){ .to = 3, .flags = SNAPMAP_COMMIT_REPLACE },
	       -EINVAL, 0);
	refuse(map->fd,
	       (struct snapmap_rollback){
		       .to = 3, .flags = SNAPMAP_COMMIT_IF_VERSION, .if_version = 3 },
	       -ECANCELED, 4);
	assert_int_equal(rollback(reader, 3, 0, NULL), -EBADF);
	close(reader);
	assert_int_equal(map_destroy(map->name), 0);
	refuse(map->fd, (struct snapmap_rollback){ .to = 3 }, -ENODEV, 0);
}

/* ------------------------------------------------------------- what it costs */

#define TABLE 20000

static void add_numbers(struct batch *batch, u64 first, u64 count, u64 value)
{
	u64 key, words[4] = { value };

	for (key = first; key < first + count; key++)
		batch_put(batch, &key, sizeof(key), words, sizeof(words));
}

/* What differs, and not the table. */
static void test_cost_follows_the_difference_I(void **state)
{
	struct fixture *map = *state;
	struct batch batch = { .data = NULL };
	struct snapmap_commit commit;
	struct snapmap_rollback out;
	u64 content;

	add_numbers(&batch, 0, TABLE, 1);
	assert_int_equal(batch_commit(map->fd, &batch, 0, NULL), 0);
	content = content_of(map->fd);
	batch_clear(&batch);
	add_numbers(&batch, 500, 10, 2);
	assert_int_equal(batch_commit(map->fd, &batch, 0, &commit), 0);
	assert_int_equal(rollback(map->fd, 2, 0, &out), 0);
	note("10 keys of %d: %llu blocks for the commit, %llu to roll it back", TABLE,
	     commit.blocks_copied, out.blocks_copied);
	assert_int_equal(out.puts, 10);
	assert_int_equal(out.deletes, 0);
	assert_in_range(out.blocks_copied, 1, commit.blocks_copied + 8);
	assert_int_equal(content_of(map->fd), content);
	assert_no_leak(map->fd);
	batch_free(&batch);
}

/* ------------------------------------------------------------- at random */

#define ROUNDS 1000

/* Small steps and large ones, with growth, emptying and values of all sizes. */
static void commit_random(int fd, u64 *rng)
{
	static u8 value[30000];
	struct batch batch = { .data = NULL };
	u32 i, key, keys = random_below(rng, 4) ? 200 : 3000;
	bool whole = !random_below(rng, 40); /* only puts then */

	for (i = random_below(rng, random_below(rng, 10) ? 8 : 800); i; i--) {
		key = random_below(rng, keys);
		memset(value, random_below(rng, 256), 64);
		if (whole || random_below(rng, 3))
			batch_put(&batch, &key, sizeof(key), value,
				  random_below(rng, random_below(rng, 30) ? 200 : sizeof(value)));
		else
			batch_delete(&batch, &key, sizeof(key));
	}
	assert_int_equal(batch_commit(fd, &batch, whole ? SNAPMAP_COMMIT_REPLACE : 0, NULL), 0);
	batch_free(&batch);
}

static void check_soundness(int fd)
{
	static const struct snapmap_verify_ops ops = { .fault = NULL };
	struct snapmap_snapshot *pin;

	assert_int_equal(snapmap_pin_open_fd(map_pin(fd), &pin), 0);
	assert_int_equal(snapmap_verify(pin, &ops, NULL), 0);
	snapmap_unpin(pin);
}

static void test_random_rollbacks_A_B(void **state)
{
	static u64 content[2 * ROUNDS + 10];
	struct fixture *map = *state;
	u64 rng = seed_of_test(), to, version;
	u32 round;

	for (round = 0; round < (is_slow() ? ROUNDS / 5 : ROUNDS); round++) {
		commit_random(map->fd, &rng);
		version = map_version(map->fd);
		content[version] = content_of(map->fd);
		if (random_below(&rng, 3))
			continue;
		to = version - random_below(&rng, version < 49 ? version - 1 : 49);
		if (!content[to])
			continue;
		assert_int_equal(rollback(map->fd, to, 0, NULL), 0);
		content[version + 1] = content_of(map->fd);
		if (content[version + 1] != content[to])
			fail_msg("version %llu does not come back", to);
	}
	check_soundness(map->fd);
	assert_no_leak(map->fd);
}

/* ------------------------------------------------------------- stamps */

static int put_stamped(int fd, u32 flags, u64 stamp, u64 *version)
{
	struct batch batch = { .data = NULL };
	struct snapmap_commit args;
	int err;

	batch_puts(&batch, "key", "value");
	args = batch_args(&batch, flags);
	args.stamp = stamp;
	err = ioc(fd, SNAPMAP_IOC_COMMIT, &args);
	*version = args.version;
	batch_free(&batch);
	return err;
}

#define STAMPED (SNAPMAP_COMMIT_STAMP)
#define GROWS	(SNAPMAP_COMMIT_STAMP | SNAPMAP_COMMIT_STAMP_GROWS)

static u64 stamp_of(int fd)
{
	struct snapmap_info info;

	assert_info(fd, &info);
	return info.header.stamp;
}

static void test_stamps_grow_if_they_must_F(void **state)
{
	struct fixture *map = *state;
	struct snapmap_info before;
	u64 version;

	assert_int_equal(put_stamped(map->fd, GROWS, 0, &version), -EALREADY);
	assert_int_equal(version, 1);
	assert_int_equal(put_stamped(map->fd, GROWS, 10, &version), 0);
	assert_info(map->fd, &before);
	assert_int_equal(put_stamped(map->fd, GROWS, 10, &version), -EALREADY);
	assert_int_equal(version, 2);
	assert_int_equal(put_stamped(map->fd, GROWS, 9, &version), -EALREADY);
	assert_unchanged(map->fd, &before);
	/* Who does not ask for it may go back, and who sets none carries it on. */
	assert_int_equal(put_stamped(map->fd, STAMPED, 5, &version), 0);
	assert_int_equal(put_string(map->fd, "key", "other"), 0);
	assert_int_equal(stamp_of(map->fd), 5);
	assert_int_equal(put_stamped(map->fd, GROWS, 6, &version), 0);
	assert_int_equal(put_stamped(map->fd, GROWS, ~0ULL, &version), 0);
	assert_int_equal(stamp_of(map->fd), ~0ULL);
	assert_int_equal(put_stamped(map->fd, SNAPMAP_COMMIT_STAMP_GROWS, 0, &version), -EINVAL);
	assert_info(map->fd, &before);
	assert_int_equal(before.conflicts, 3);
	assert_int_equal(before.failures, 0);
}

static void test_stamps_of_rollbacks(void **state)
{
	struct fixture *map = *state;
	struct snapmap_record record;
	struct snapmap_rollback args = { .to = 2, .flags = GROWS, .stamp = 20 };
	u64 version;

	assert_int_equal(put_stamped(map->fd, STAMPED, 10, &version), 0);
	assert_int_equal(put_stamped(map->fd, STAMPED, 20, &version), 0);
	assert_int_equal(rollback(map->fd, 2, 0, NULL), 0);
	assert_int_equal(stamp_of(map->fd), 20);
	assert_int_equal(ioc(map->fd, SNAPMAP_IOC_ROLLBACK, &args), -EALREADY);
	assert_int_equal(args.version, 4);
	args.stamp = 21;
	assert_int_equal(ioc(map->fd, SNAPMAP_IOC_ROLLBACK, &args), 0);
	assert_int_equal(stamp_of(map->fd), 21);
	assert_record(map->fd, 5, &record);
	assert_int_equal(record.header.stamp, 21);
}

static const struct CMUnitTest tests[] = {
	kept_test(test_content_comes_back_A),
	kept_test(test_to_empty_and_to_the_same),
	kept_test(test_what_is_refused_F_H),
	kept_test(test_cost_follows_the_difference_I),
	kept_test(test_random_rollbacks_A_B),
	kept_test(test_stamps_grow_if_they_must_F),
	kept_test(test_stamps_of_rollbacks),
	caught_test("history", test_random_rollbacks_A_B),
	caught_test("stamp", test_stamps_grow_if_they_must_F),
	plain_test(test_nothing_is_left_G),
};

int main(void)
{
	return cmocka_run_group_tests_name("rollback", tests, NULL, NULL);
}

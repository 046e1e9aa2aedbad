// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * commit_test.c - what a batch means
 *
 * The letters at the end of a test's name are the promises that it proves.
 */
#include "device.h"

/* Commits @batch and empties it. */
static int commit_and_clear(int fd, struct batch *batch, u32 flags, struct snapmap_commit *out)
{
	int err = batch_commit(fd, batch, flags, out);

	batch_clear(batch);
	return err;
}

static void test_operations_apply_in_order_A(void **state)
{
	struct fixture *map = *state;
	struct batch batch = { .data = NULL };
	struct snapmap_commit out;
	struct snapmap_info info;

	batch_puts(&batch, "a", "1");
	batch_puts(&batch, "b", "2");
	batch_puts(&batch, "a", "three");
	batch_dels(&batch, "b");
	batch_puts(&batch, "c", "4");
	batch_dels(&batch, "c");
	batch_puts(&batch, "c", "5");
	assert_int_equal(batch_commit(map->fd, &batch, 0, &out), 0);
	assert_int_equal(out.version, 2);
	assert_int_equal(out.failed_op, SNAPMAP_NO_OP);
	assert_int_equal(out.missing, 0);
	assert_true(key_is(map->fd, "a", "three"));
	assert_true(key_is(map->fd, "b", NULL));
	assert_true(key_is(map->fd, "c", "5"));
	assert_info(map->fd, &info);
	assert_int_equal(info.header.entries, 2);
	assert_int_equal(info.header.key_bytes, 2);
	assert_int_equal(info.header.value_bytes, 6);
	assert_int_equal(info.blocks_copied, out.blocks_copied);
	assert_no_leak(map->fd);
	batch_free(&batch);
}

static void test_each_commit_is_one_version_C(void **state)
{
	struct fixture *map = *state;
	struct snapmap_get get;
	char value[8];
	u64 version;

	for (version = 2; version < 40; version++) {
		assert_int_equal(put_string(map->fd, "key", "value"), 0);
		assert_int_equal(key_get(map->fd, "key", value, sizeof(value), &get), 0);
		assert_int_equal(get.version, version);
		assert_int_equal(get.entry_version, version);
	}
	assert_int_equal(put_string(map->fd, "other", "value"), 0);
	assert_int_equal(key_get(map->fd, "key", value, sizeof(value), &get), 0);
	assert_int_equal(get.version, version);
	assert_int_equal(get.entry_version, version - 1);
}

static void test_empty_batch_is_a_version(void **state)
{
	struct fixture *map = *state;
	struct snapmap_commit args = { .flags = 0 };
	struct snapmap_info info;

	assert_int_equal(put_string(map->fd, "key", "value"), 0);
	assert_int_equal(ioc(map->fd, SNAPMAP_IOC_COMMIT, &args), 0);
	assert_int_equal(args.version, 3);
	assert_int_equal(args.blocks_copied, 0);
	assert_info(map->fd, &info);
	assert_int_equal(info.header.version, 3);
	assert_int_equal(info.header.entries, 1);
	assert_true(key_is(map->fd, "key", "value"));
}

/* ------------------------------------------------------------- conditions */

/* Short for one operation on the key "key"; each put writes "v". */
struct step {
	u8 opcode;
	u8 condition;
	int age; /* SNAPMAP_COND_VERSION: current version less this */
};

#define PUT(...)                            \
	{                                   \
		SNAPMAP_OP_PUT, __VA_ARGS__ \
	}
#define DELETE(...)                            \
	{                                      \
		SNAPMAP_OP_DELETE, __VA_ARGS__ \
	}
#define NONE	   SNAPMAP_COND_NONE, 0
#define ABSENT	   SNAPMAP_COND_ABSENT, 0
#define PRESENT	   SNAPMAP_COND_PRESENT, 0
#define WRITTEN(n) SNAPMAP_COND_VERSION, n

/* @failed: index of the operation that is refused, or -1. */
static const struct {
	const char *what;
	bool present; /* the key is there before; it was last written by the commit before */
	struct step steps[4];
	int failed;
} cases[] = {
	{ "absent holds", false, { PUT(ABSENT) }, -1 },
	{ "absent fails", true, { PUT(ABSENT) }, 0 },
	{ "present holds", true, { PUT(PRESENT) }, -1 },
	{ "present fails", false, { PUT(PRESENT) }, 0 },
	{ "version holds", true, { PUT(WRITTEN(0)) }, -1 },
	{ "older version", true, { PUT(WRITTEN(1)) }, 0 },
	{ "version to come", true, { PUT(WRITTEN(-1)) }, 0 },
	{ "version of no key", false, { PUT(WRITTEN(0)) }, 0 },
	{ "delete if absent", false, { DELETE(ABSENT) }, -1 },
	{ "delete if present", true, { DELETE(PRESENT) }, -1 },
	{ "delete if version", true, { DELETE(WRITTEN(0)) }, -1 },
	{ "delete if present fails", false, { DELETE(PRESENT) }, 0 },
	{ "delete if absent fails", true, { DELETE(ABSENT) }, 0 },
	{ "sees put", false, { PUT(ABSENT), PUT(PRESENT), DELETE(PRESENT), PUT(ABSENT) }, -1 },
	{ "sees put, fails", false, { PUT(ABSENT), PUT(ABSENT) }, 1 },
	{ "sees delete", true, { DELETE(NONE), PUT(ABSENT), PUT(PRESENT) }, -1 },
	{ "sees delete, fails", true, { DELETE(NONE), PUT(PRESENT) }, 1 },
	{ "own write has no version", true, { PUT(WRITTEN(0)), PUT(WRITTEN(0)) }, 1 },
	{ "own write is not the next", true, { PUT(NONE), PUT(WRITTEN(-1)) }, 1 },
	{ "deleted has no version", true, { DELETE(NONE), PUT(WRITTEN(0)) }, 1 },
	{ "fails late", true, { PUT(NONE), DELETE(NONE), PUT(NONE), DELETE(ABSENT) }, 3 },
};

static void add_step(struct batch *batch, const struct step *step, u64 version)
{
	struct snapmap_op op = {
		.opcode = step->opcode,
		.condition = step->condition,
		.key_len = 3,
		.value_len = step->opcode == SNAPMAP_OP_PUT,
	};

	if (op.condition == SNAPMAP_COND_VERSION)
		op.if_version = version - step->age;
	batch_add(batch, op, "key", "v");
}

static void prepare_key(int fd, bool present)
{
	struct batch batch = { .data = NULL };

	if (present)
		batch_puts(&batch, "key", "old");
	else
		batch_dels(&batch, "key");
	assert_int_equal(batch_commit(fd, &batch, 0, NULL), 0);
	batch_free(&batch);
}

static void run_case(int fd, size_t i)
{
	struct batch batch = { .data = NULL };
	struct snapmap_commit out;
	struct snapmap_info before;
	const struct step *step;

	prepare_key(fd, cases[i].present);
	assert_info(fd, &before);
	batch_puts(&batch, "side effect", "");
	for (step = cases[i].steps; step < cases[i].steps + 4 && step->opcode; step++)
		add_step(&batch, step, before.header.version);
	assert_int_equal(batch_commit(fd, &batch, 0, &out), cases[i].failed < 0 ? 0 : -ECANCELED);
	if (cases[i].failed < 0) {
		assert_int_equal(out.version, before.header.version + 1);
		assert_int_equal(out.failed_op, SNAPMAP_NO_OP);
	} else {
		assert_int_equal(out.version, before.header.version);
		assert_int_equal(out.failed_op, cases[i].failed + 1);
		assert_int_equal(out.blocks_copied, 0);
		assert_unchanged(fd, &before);
		assert_true(key_is(fd, "key", cases[i].present ? "old" : NULL));
		assert_int_equal(sysfs_value((char *)before.name, "conflicts"),
				 before.conflicts + 1);
	}
	batch_free(&batch);
}

static void test_conditions_A_F(void **state)
{
	struct fixture *map = *state;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		note("condition: %s", cases[i].what);
		run_case(map->fd, i);
	}
	assert_no_leak(map->fd);
}

static void test_if_version_C_F(void **state)
{
	struct fixture *map = *state;
	static const int off[] = { -1, 1, -2, 100 };
	struct batch batch = { .data = NULL };
	struct snapmap_commit args;
	struct snapmap_info before;
	size_t i;

	batch_puts(&batch, "key", "value");
	assert_int_equal(batch_commit(map->fd, &batch, 0, NULL), 0);
	assert_info(map->fd, &before);
	for (i = 0; i < ARRAY_SIZE(off); i++) {
		args = batch_args(&batch, SNAPMAP_COMMIT_IF_VERSION);
		args.if_version = before.header.version + off[i];
		assert_int_equal(ioc(map->fd, SNAPMAP_IOC_COMMIT, &args), -ECANCELED);
		assert_int_equal(args.version, before.header.version);
		assert_int_equal(args.failed_op, SNAPMAP_NO_OP);
		assert_unchanged(map->fd, &before);
	}
	args = batch_args(&batch, SNAPMAP_COMMIT_IF_VERSION);
	args.if_version = before.header.version;
	assert_int_equal(ioc(map->fd, SNAPMAP_IOC_COMMIT, &args), 0);
	assert_int_equal(args.version, before.header.version + 1);
	assert_int_equal(sysfs_value(map->name, "conflicts"), before.conflicts + ARRAY_SIZE(off));
	batch_free(&batch);
}

/* ------------------------------------------------------------- replace, stamp, missing */

static void test_replace_A(void **state)
{
	struct fixture *map = *state;
	struct batch batch = { .data = NULL };
	struct snapmap_commit out;
	struct snapmap_info info;
	char key[16];
	int i;

	for (i = 0; i < 2000; i++) {
		snprintf(key, sizeof(key), "old %d", i);
		batch_puts(&batch, key, "old");
	}
	assert_int_equal(commit_and_clear(map->fd, &batch, 0, NULL), 0);
	batch_puts(&batch, "new", "first");
	batch_puts(&batch, "old 7", "kept");
	batch_puts(&batch, "new", "last");
	assert_int_equal(commit_and_clear(map->fd, &batch, SNAPMAP_COMMIT_REPLACE, &out), 0);
	assert_true(key_is(map->fd, "new", "last"));
	assert_true(key_is(map->fd, "old 7", "kept"));
	assert_true(key_is(map->fd, "old 8", NULL));
	assert_info(map->fd, &info);
	assert_int_equal(info.header.entries, 2);
	assert_int_equal(info.header.key_bytes, 8);
	assert_no_leak(map->fd);

	assert_int_equal(commit_and_clear(map->fd, &batch, SNAPMAP_COMMIT_REPLACE, NULL), 0);
	assert_true(key_is(map->fd, "new", NULL));
	settle(map->fd);
	assert_info(map->fd, &info);
	assert_int_equal(info.header.entries, 0);
	assert_int_equal(info.used_blocks, 0);
	batch_free(&batch);
}

static void test_replace_takes_only_plain_puts_F(void **state)
{
	struct fixture *map = *state;
	static const struct snapmap_op bad[] = {
		{ .opcode = SNAPMAP_OP_DELETE, .key_len = 1 },
		{ .opcode = SNAPMAP_OP_PUT, .condition = SNAPMAP_COND_ABSENT, .key_len = 1 },
		{ .opcode = SNAPMAP_OP_PUT, .condition = SNAPMAP_COND_PRESENT, .key_len = 1 },
		{ .opcode = SNAPMAP_OP_PUT,
		  .condition = SNAPMAP_COND_VERSION,
		  .key_len = 1,
		  .if_version = 2 },
	};
	struct batch batch = { .data = NULL };
	struct snapmap_commit out;
	struct snapmap_info before;
	size_t i;

	assert_int_equal(put_string(map->fd, "a", "1"), 0);
	assert_info(map->fd, &before);
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		batch_puts(&batch, "b", "1");
		batch_puts(&batch, "c", "1");
		batch_add(&batch, bad[i], "a", NULL);
		assert_int_equal(commit_and_clear(map->fd, &batch, SNAPMAP_COMMIT_REPLACE, &out),
				 -EINVAL);
		assert_int_equal(out.failed_op, 2);
		assert_int_equal(out.version, 0);
		assert_unchanged(map->fd, &before);
	}
	assert_no_leak(map->fd);
	batch_free(&batch);
}

static u64 stamp_of(int fd)
{
	struct snapmap_info info;

	assert_info(fd, &info);
	return info.header.stamp;
}

static void test_stamp(void **state)
{
	struct fixture *map = *state;
	struct snapmap_commit args = { .flags = SNAPMAP_COMMIT_STAMP, .stamp = ~0ULL };

	assert_int_equal(stamp_of(map->fd), 0);
	assert_int_equal(ioc(map->fd, SNAPMAP_IOC_COMMIT, &args), 0);
	assert_int_equal(stamp_of(map->fd), ~0ULL);
	assert_int_equal(sysfs_value(map->name, "stamp"), ~0ULL);
	assert_int_equal(put_string(map->fd, "a", "1"), 0);
	assert_int_equal(stamp_of(map->fd), ~0ULL); /* carried on */
	args = (struct snapmap_commit){ .flags = SNAPMAP_COMMIT_STAMP };
	assert_int_equal(ioc(map->fd, SNAPMAP_IOC_COMMIT, &args), 0);
	assert_int_equal(stamp_of(map->fd), 0);
}

static void test_refused_commit_keeps_stamp_F(void **state)
{
	struct fixture *map = *state;
	struct snapmap_commit args = { .flags = SNAPMAP_COMMIT_STAMP, .stamp = 7 };
	struct batch batch = { .data = NULL };
	struct snapmap_op op = { .opcode = SNAPMAP_OP_PUT,
				 .condition = SNAPMAP_COND_PRESENT,
				 .key_len = 1 };

	assert_int_equal(ioc(map->fd, SNAPMAP_IOC_COMMIT, &args), 0);
	batch_add(&batch, op, "x", NULL);
	args = batch_args(&batch, SNAPMAP_COMMIT_STAMP);
	args.stamp = 8;
	assert_int_equal(ioc(map->fd, SNAPMAP_IOC_COMMIT, &args), -ECANCELED);
	assert_int_equal(stamp_of(map->fd), 7);
	batch_free(&batch);
}

static void test_missing_counts_deletes_without_key(void **state)
{
	struct fixture *map = *state;
	struct batch batch = { .data = NULL };
	struct snapmap_commit out;

	batch_puts(&batch, "a", "1");
	batch_dels(&batch, "a");
	batch_dels(&batch, "a");
	batch_dels(&batch, "b");
	batch_dels(&batch, "b");
	assert_int_equal(batch_commit(map->fd, &batch, 0, &out), 0);
	assert_int_equal(out.missing, 3);
	assert_int_equal(out.failed_op, SNAPMAP_NO_OP);
	batch_free(&batch);
}

/* ------------------------------------------------------------- limits */

static u8 *bytes_of(size_t bytes, u64 seed)
{
	u8 *data = malloc(bytes + 8);
	size_t i;

	assert_non_null(data);
	for (i = 0; i < bytes; i++)
		data[i] = (u8)random_next(&seed);
	return data;
}

static void assert_stored(int fd, const void *key, u32 key_len, const void *value, u32 value_len)
{
	u8 *buf = malloc(value_len + 1);
	struct snapmap_get get = {
		.key = (uintptr_t)key,
		.key_len = key_len,
		.value = (uintptr_t)buf,
		.value_len = value_len,
	};

	assert_int_equal(ioc(fd, SNAPMAP_IOC_GET, &get), 0);
	assert_int_equal(get.value_len, value_len);
	assert_memory_equal(buf, value, value_len);
	free(buf);
}

/* Every length near one where the format changes. */
static void test_lengths_that_are_allowed_A(void **state)
{
	struct fixture *map = *state;
	static const u32 key_lens[] = { 1, 7, 8, 9, 15, 16, 17, 1023, SNAPMAP_KEY_MAX };
	static const u32 value_lens[] = { 0,
					  1,
					  15,
					  16,
					  17,
					  511,
					  512,
					  513,
					  1023,
					  1024,
					  1032,
					  1033,
					  1040,
					  1041,
					  4096,
					  65536,
					  SNAPMAP_VALUE_MAX - 1,
					  SNAPMAP_VALUE_MAX };
	u8 *value = bytes_of(SNAPMAP_VALUE_MAX + 32, 1), *key = bytes_of(SNAPMAP_KEY_MAX, 2);
	struct batch batch = { .data = NULL };
	size_t i, j;

	for (i = 0; i < ARRAY_SIZE(key_lens); i++) {
		for (j = 0; j < ARRAY_SIZE(value_lens); j++) {
			key[0] = j;
			batch_put(&batch, key, key_lens[i], value + j, value_lens[j]);
			assert_int_equal(commit_and_clear(map->fd, &batch, 0, NULL), 0);
			assert_stored(map->fd, key, key_lens[i], value + j, value_lens[j]);
		}
		batch_delete(&batch, key, key_lens[i]);
		assert_int_equal(commit_and_clear(map->fd, &batch, 0, NULL), 0);
	}
	assert_no_leak(map->fd);
	batch_free(&batch);
	free(value);
	free(key);
}

static void test_lengths_that_are_not_F_H(void **state)
{
	struct fixture *map = *state;
	static const struct snapmap_op bad[] = {
		{ .opcode = SNAPMAP_OP_PUT, .key_len = 0 },
		{ .opcode = SNAPMAP_OP_PUT, .key_len = SNAPMAP_KEY_MAX + 1 },
		{ .opcode = SNAPMAP_OP_PUT, .key_len = 0xffff },
		{ .opcode = SNAPMAP_OP_DELETE, .key_len = 0 },
		{ .opcode = SNAPMAP_OP_DELETE, .key_len = SNAPMAP_KEY_MAX + 1 },
		{ .opcode = SNAPMAP_OP_PUT, .key_len = 1, .value_len = SNAPMAP_VALUE_MAX + 1 },
	};
	u8 *bytes = bytes_of(SNAPMAP_VALUE_MAX + 16, 3);
	struct batch batch = { .data = NULL };
	struct snapmap_commit out;
	struct snapmap_info before;
	size_t i;

	assert_int_equal(put_string(map->fd, "a", "1"), 0);
	assert_info(map->fd, &before);
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		batch_puts(&batch, "good", "one");
		batch_add(&batch, bad[i], bytes, bytes);
		assert_int_equal(commit_and_clear(map->fd, &batch, 0, &out), -EMSGSIZE);
		assert_int_equal(out.failed_op, 1);
		assert_int_equal(out.version, 0);
		assert_unchanged(map->fd, &before);
	}
	batch_puts(&batch, "good", "one");
	batch_add(&batch, (struct snapmap_op){ .opcode = SNAPMAP_OP_PUT, .key_len = 1 }, "k", NULL)
		->value_len = 0xffffffff;
	assert_int_equal(commit_and_clear(map->fd, &batch, 0, &out), -EMSGSIZE);
	assert_unchanged(map->fd, &before);
	assert_no_leak(map->fd);
	batch_free(&batch);
	free(bytes);
}

static const struct CMUnitTest tests[] = {
	map_test(test_operations_apply_in_order_A),
	map_test(test_each_commit_is_one_version_C),
	map_test(test_empty_batch_is_a_version),
	map_test(test_conditions_A_F),
	map_test(test_if_version_C_F),
	map_test(test_replace_A),
	map_test(test_replace_takes_only_plain_puts_F),
	map_test(test_stamp),
	map_test(test_refused_commit_keeps_stamp_F),
	map_test(test_missing_counts_deletes_without_key),
	map_test(test_lengths_that_are_allowed_A),
	map_test(test_lengths_that_are_not_F_H),
	cmocka_unit_test(test_nothing_is_left_G),
};

int main(void)
{
	return cmocka_run_group_tests_name("commit", tests, NULL, NULL);
}

// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * fail_version_test.c - every allocation fails once: histories, pins of versions,
 * rollback and transactions (promise F)
 */
#include "trial.h"

#define KEPT 8

static u8 large[100000];

/* ------------------------------------------------------------- what is kept */

static void set_history(struct scene *scene, u32 history)
{
	assert_int_equal(map_set_history(scene->map->name, history), 0);
}

/* Three versions of many entries; the current one has 300. */
static void setup_kept(struct scene *scene)
{
	struct batch batch = { .data = NULL };
	u64 key;

	set_history(scene, KEPT);
	for (key = 0; key < 300; key++)
		batch_put(&batch, &key, sizeof(key), large, 300);
	assert_int_equal(batch_commit(scene->map->fd, &batch, 0, NULL), 0);
	batch_clear(&batch);
	for (key = 0; key < 300; key += 3)
		batch_put(&batch, &key, sizeof(key), large, 900);
	batch_put(&batch, "large", 5, large, sizeof(large));
	assert_int_equal(batch_commit(scene->map->fd, &batch, 0, NULL), 0);
	batch_free(&batch);
}

static int run_set(struct scene *scene)
{
	struct snapmap_set args = { .mask = SNAPMAP_SET_HISTORY, .history = 100 };

	memcpy(args.name, scene->map->name, sizeof(args.name));
	return ioc(scene->control, SNAPMAP_IOC_SET, &args);
}

static void done_set(struct scene *scene)
{
	struct snapmap_info info;

	assert_info(scene->map->fd, &info);
	assert_int_equal(info.history, 100);
	assert_int_equal(pin_at(scene->map->fd, 1), -ESTALE);
	set_history(scene, KEPT);
}

static void setup_short(struct scene *scene)
{
	assert_int_equal(put_string(scene->map->fd, "other", "value"), 0);
}

static void test_set_history_F(void **state)
{
	static const struct trial trial = { .setup = setup_short,
					    .run = run_set,
					    .done = done_set };

	(void)state;
	trial_run(&trial);
}

static int run_log(struct scene *scene)
{
	struct snapmap_record records[KEPT];
	u64 first = 0;
	int count = map_log(scene->map->fd, &first, records, KEPT);

	return count == 3 ? 0 : count < 0 ? count : -EBADMSG;
}

static int run_pins(struct scene *scene)
{
	struct snapmap_pin_record record;

	return map_pins(scene->map->fd, 0, &record, 1);
}

static void done_nothing(struct scene *scene)
{
	assert_true(map_version(scene->map->fd) > 0);
}

static void test_lists_need_no_memory(void **state)
{
	static const struct trial log = {
		.setup = setup_kept, .run = run_log, .done = done_nothing, .never_fails = true
	};
	static const struct trial pins = { .run = run_pins,
					   .done = done_nothing,
					   .never_fails = true };

	(void)state;
	trial_run(&log);
	trial_run(&pins);
}

static int run_pin_at(struct scene *scene)
{
	int fd = pin_at(scene->map->fd, 3);

	if (fd < 0)
		return fd;
	scene->fd = fd;
	return 0;
}

static void done_pin_at(struct scene *scene)
{
	assert_true(key_is(scene->fd, "large", NULL));
	close(scene->fd);
	scene->fd = -1;
}

static void test_pin_of_a_version_F(void **state)
{
	static const struct trial trial = { .setup = setup_kept,
					    .run = run_pin_at,
					    .done = done_pin_at };

	(void)state;
	trial_run(&trial);
}

static int run_pin_set(struct scene *scene)
{
	return pin_both(scene->map->fd, scene->map->fd, scene->pins);
}

static void done_pin_set(struct scene *scene)
{
	assert_true(key_is(scene->pins[0], "key", "value"));
	assert_true(key_is(scene->pins[1], "key", "value"));
	close(scene->pins[0]);
	close(scene->pins[1]);
}

static void test_pin_set_F(void **state)
{
	static const struct trial trial = { .run = run_pin_set, .done = done_pin_set };

	(void)state;
	trial_run(&trial);
}

static int run_rollback(struct scene *scene)
{
	struct snapmap_rollback out;
	int err = rollback(scene->map->fd, 3, 0, &out);

	if (err && (out.version || out.puts || out.deletes || out.blocks_copied))
		return -EBADMSG;
	return err;
}

static void done_rollback(struct scene *scene)
{
	assert_true(key_is(scene->map->fd, "large", NULL));
	assert_true(key_is(scene->map->fd, "key", "value"));
}

static void test_rollback_F(void **state)
{
	static const struct trial trial = {
		.setup = setup_kept, .run = run_rollback, .done = done_rollback, .renew = true
	};

	(void)state;
	trial_run(&trial);
}

/* ------------------------------------------------------------- transactions */

static int run_txn(struct scene *scene)
{
	int fd = txn_open(scene->map->fd, 0, 0);

	if (fd < 0)
		return fd;
	scene->fd = fd;
	return 0;
}

static void done_txn(struct scene *scene)
{
	assert_int_equal(txn_put(scene->fd, "other", "value"), 0);
	assert_int_equal(txn_commit(scene->fd, NULL), 0);
	close(scene->fd);
	scene->fd = -1;
}

static void test_txn_F(void **state)
{
	static const struct trial trial = { .run = run_txn, .done = done_txn };

	(void)state;
	trial_run(&trial);
}

/* A transaction that is filled, with values of all sizes. */
static void setup_filled(struct scene *scene)
{
	u64 key;

	assert_int_equal(map_set_lease(scene->map->name, SNAPMAP_LEASE_MAX), 0);
	scene->txn = txn_open(scene->map->fd, 0, SNAPMAP_LEASE_MAX);
	for (key = 0; key < 300; key++)
		batch_put(&scene->batch, &key, sizeof(key), large, 300);
	batch_put(&scene->batch, "large", 5, large, sizeof(large));
	assert_int_equal(txn_write(scene->txn, &scene->batch), 0);
}

static void setup_open(struct scene *scene)
{
	scene->txn = txn_open(scene->map->fd, 0, 0);
	batch_put(&scene->batch, "large", 5, large, sizeof(large));
}

/* In part or whole, or not; what has been written is what counts. */
static int run_write(struct scene *scene)
{
	ssize_t ret = write(scene->txn, scene->batch.data, scene->batch.bytes);
	struct snapmap_txn_info info;

	if (ret < 0)
		return -errno;
	assert_txn_info(scene->txn, 0, &info);
	assert_int_equal(info.bytes, ret);
	return 0;
}

static void test_write_F(void **state)
{
	static const struct trial trial = {
		.setup = setup_open, .run = run_write, .done = done_nothing, .renew = true
	};

	(void)state;
	trial_run(&trial);
}

static void setup_add(struct scene *scene)
{
	assert_int_equal(ioc(scene->control, SNAPMAP_IOC_CREATE, &scene->victim), 0);
	scene->txn = txn_open(scene->map->fd, 0, 0);
}

static int run_add(struct scene *scene)
{
	int fd = map_open((const char *)scene->victim.name, O_RDWR), err;

	if (fd < 0)
		return fd;
	err = txn_add(scene->txn, fd, 0);
	close(fd);
	return err;
}

static void done_add(struct scene *scene)
{
	struct snapmap_txn_info info;

	assert_txn_info(scene->txn, 0, &info);
	assert_int_equal(info.maps, 2);
	close(scene->txn);
	scene->txn = txn_open(scene->map->fd, 0, 0);
}

static void test_add_F(void **state)
{
	static const struct trial trial = { .setup = setup_add, .run = run_add, .done = done_add };

	(void)state;
	trial_run(&trial);
	plain_teardown(state); /* the victim */
}

/* What a failed call leaves is an open transaction, and nobody's lease. */
static int check_open(struct scene *scene, const struct snapmap_txn_run *run, int err)
{
	struct snapmap_info info = { .flags = 0 };

	if (err && (run->version || run->failed_op != SNAPMAP_NO_OP || run->map ||
		    txn_state(scene->txn) != SNAPMAP_TXN_OPEN ||
		    ioc(scene->map->fd, SNAPMAP_IOC_INFO, &info) || info.writer))
		return -EBADMSG;
	return err;
}

static int run_prepare(struct scene *scene)
{
	struct snapmap_txn_run run;
	int err = txn_prepare(scene->txn, &run);

	return check_open(scene, &run, err);
}

static int run_commit(struct scene *scene)
{
	struct snapmap_txn_run run;
	int err = txn_commit(scene->txn, &run);

	return check_open(scene, &run, err);
}

static void done_prepare(struct scene *scene)
{
	assert_int_equal(txn_state(scene->txn), SNAPMAP_TXN_PREPARED);
	assert_true(key_is(scene->map->fd, "large", NULL));
	assert_int_equal(txn_commit(scene->txn, NULL), 0);
	assert_int_equal(key_get(scene->map->fd, "large", large, sizeof(large), NULL), 0);
}

static void done_commit(struct scene *scene)
{
	assert_int_equal(txn_state(scene->txn), SNAPMAP_TXN_COMMITTED);
	assert_int_equal(key_get(scene->map->fd, "large", large, sizeof(large), NULL), 0);
}

static void test_prepare_F(void **state)
{
	static const struct trial trial = {
		.setup = setup_filled, .run = run_prepare, .done = done_prepare, .renew = true
	};

	(void)state;
	trial_run(&trial);
}

static void test_commit_of_an_open_one_F(void **state)
{
	static const struct trial trial = {
		.setup = setup_filled, .run = run_commit, .done = done_commit, .renew = true
	};

	(void)state;
	trial_run(&trial);
}

static void setup_prepared(struct scene *scene)
{
	setup_filled(scene);
	assert_int_equal(txn_prepare(scene->txn, NULL), 0);
}

/* Once it has been prepared, no lack of memory can stop it. */
static void test_commit_of_a_prepared_one_needs_no_memory_F(void **state)
{
	static const struct trial trial = { .setup = setup_prepared,
					    .run = run_commit,
					    .done = done_commit,
					    .never_fails = true,
					    .renew = true };

	(void)state;
	trial_run(&trial);
}

static int run_abort(struct scene *scene)
{
	return txn_abort(scene->txn);
}

static void done_abort(struct scene *scene)
{
	assert_int_equal(put_nowait(scene->map->fd, "other", "value"), 0);
}

static void test_abort_needs_no_memory_F(void **state)
{
	static const struct trial trial = { .setup = setup_prepared,
					    .run = run_abort,
					    .done = done_abort,
					    .never_fails = true,
					    .renew = true };

	(void)state;
	trial_run(&trial);
}

static const struct CMUnitTest tests[] = {
	plain_test(test_set_history_F),
	plain_test(test_lists_need_no_memory),
	plain_test(test_pin_of_a_version_F),
	plain_test(test_pin_set_F),
	plain_test(test_rollback_F),
	plain_test(test_txn_F),
	plain_test(test_write_F),
	plain_test(test_add_F),
	plain_test(test_prepare_F),
	plain_test(test_commit_of_an_open_one_F),
	plain_test(test_commit_of_a_prepared_one_needs_no_memory_F),
	plain_test(test_abort_needs_no_memory_F),
	caught_test("abort", test_prepare_F),
	cmocka_unit_test(test_nothing_is_left_G),
};

int main(void)
{
	return cmocka_run_group_tests_name("fail_version", tests, NULL, NULL);
}

// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * fail_alloc_test.c - every allocation fails once (promise F)
 *
 * What a trial is, trial.h says. Transactions, rollback and what is kept are in
 * fail_version_test.c.
 */
#include <sys/mman.h>

#include "trial.h"
#include "versions.h"

/* ------------------------------------------------------------- maps come and go */

static int run_create(struct scene *scene)
{
	return ioc(scene->control, SNAPMAP_IOC_CREATE, &scene->victim);
}

static int run_destroy(struct scene *scene)
{
	struct snapmap_destroy args = { .flags = 0 };

	memcpy(args.name, scene->victim.name, sizeof(args.name));
	return ioc(scene->control, SNAPMAP_IOC_DESTROY, &args);
}

/* A map that was made is whole: it has its node, at its place, and takes commits. */
static void done_create(struct scene *scene)
{
	int fd = map_open((const char *)scene->victim.name, O_RDWR);

	assert_true(fd >= 0);
	assert_int_equal(put_string(fd, "key", "value"), 0);
	close(fd);
	assert_int_equal(run_destroy(scene), 0);
}

static void test_create_F(void **state)
{
	static const struct trial trial = { .run = run_create, .done = done_create };

	(void)state;
	trial_run(&trial);
}

static void setup_victim(struct scene *scene)
{
	assert_int_equal(run_create(scene), 0);
}

/* Neither name nor node is left, so the next can be made. */
static void done_destroy(struct scene *scene)
{
	assert_int_equal(map_open((const char *)scene->victim.name, O_RDWR), -ENOENT);
	assert_int_equal(run_destroy(scene), -ENOENT);
	assert_int_equal(run_create(scene), 0);
}

static void test_destroy_G(void **state)
{
	static const struct trial trial = {
		.setup = setup_victim, .run = run_destroy, .done = done_destroy, .never_fails = true
	};

	(void)state;
	trial_run(&trial);
	plain_teardown(state); /* the last victim */
}

static int run_open(struct scene *scene)
{
	int fd = map_open(scene->map->name, O_RDWR);

	if (fd < 0)
		return fd;
	scene->fd = fd;
	return 0;
}

static void done_open(struct scene *scene)
{
	assert_true(key_is(scene->fd, "key", "value"));
	close(scene->fd);
	scene->fd = -1;
}

static void test_open_F(void **state)
{
	static const struct trial trial = { .run = run_open, .done = done_open };

	(void)state;
	trial_run(&trial);
}

/* ------------------------------------------------------------- reading */

static int run_info(struct scene *scene)
{
	struct snapmap_info info = { .flags = 0 };

	return ioc(scene->map->fd, SNAPMAP_IOC_INFO, &info);
}

static int run_wait(struct scene *scene)
{
	struct snapmap_wait args = { .version = 1, .timeout_ns = 0 };

	return ioc(scene->map->fd, SNAPMAP_IOC_WAIT, &args);
}

static void done_nothing(struct scene *scene)
{
	assert_int_equal(map_version(scene->map->fd), map_version(scene->map->fd));
}

static void test_info_and_wait_need_no_memory(void **state)
{
	static const struct trial info = { .run = run_info,
					   .done = done_nothing,
					   .never_fails = true };
	static const struct trial wait = { .run = run_wait,
					   .done = done_nothing,
					   .never_fails = true };

	(void)state;
	trial_run(&info);
	trial_run(&wait);
}

static u8 large[SNAPMAP_VALUE_MAX];
static u8 buffer[SNAPMAP_VALUE_MAX];

/* So large a buffer can be had in one way only. */
#define SMALL 1000

static void setup_get(struct scene *scene)
{
	memset(buffer, 1, sizeof(buffer));
	assert_int_equal(put_bytes(scene->map->fd, "small", large, SMALL), 0);
}

static int run_get(struct scene *scene)
{
	struct snapmap_get out;
	int err = key_get(scene->map->fd, "small", buffer, SMALL, &out);

	if (err && (out.value_len || out.entry_version || buffer[0] != 1))
		return -EBADMSG;
	return err;
}

static void done_get(struct scene *scene)
{
	(void)scene;
	assert_memory_equal(buffer, large, SMALL);
}

static void test_get_F(void **state)
{
	static const struct trial trial = { .setup = setup_get, .run = run_get, .done = done_get };

	(void)state;
	trial_run(&trial);
}

static int run_pin(struct scene *scene)
{
	struct snapmap_pin args = { .flags = 0 };
	int fd = ioc(scene->map->fd, SNAPMAP_IOC_PIN, &args);

	if (fd < 0)
		return args.version ? -EBADMSG : fd;
	scene->fd = fd;
	return 0;
}

static void test_pin_F(void **state)
{
	static const struct trial trial = { .run = run_pin, .done = done_open };

	(void)state;
	trial_run(&trial);
}

/* ------------------------------------------------------------- mapping */

static int run_mmap(struct scene *scene)
{
	void *base = mmap(NULL, 64 * PAGE, PROT_READ, MAP_SHARED, scene->map->fd, 0);

	if (base == MAP_FAILED)
		return -errno;
	scene->base = base;
	scene->bytes = 64 * PAGE;
	return 0;
}

static void done_mmap(struct scene *scene)
{
	const struct snapmap_control *control = (const void *)scene->base;

	assert_int_equal(control->magic, SNAPMAP_LAYOUT_MAGIC);
	munmap((void *)scene->base, scene->bytes);
	scene->base = NULL;
}

static void test_mmap_F(void **state)
{
	static const struct trial trial = { .run = run_mmap, .done = done_mmap };

	(void)state;
	trial_run(&trial);
}

static void setup_mapping(struct scene *scene)
{
	scene->base = map_mapping(scene->map->fd, &scene->bytes);
	assert_non_null(scene->base);
}

/* Each in page tables of its own: what is populated, and what reads as zeroes. */
static int run_touch(struct scene *scene)
{
	volatile const u8 *base = scene->base;
	u8 sum = base[0] ^ (u8)SNAPMAP_LAYOUT_MAGIC;
	size_t at;

	for (at = 4 * MIB; at < 16 * MIB; at += 2 * MIB)
		sum |= base[at];
	return sum ? -EBADMSG : 0;
}

static void done_touch(struct scene *scene)
{
	done_mmap(scene);
	setup_mapping(scene);
}

/* A fault without memory is taken again, and nobody but the kernel's log hears of it. */
static void test_touch_D(void **state)
{
	static const struct trial trial = {
		.setup = setup_mapping, .run = run_touch, .done = done_touch, .never_fails = true
	};

	(void)state;
	trial_run(&trial);
}

/* ------------------------------------------------------------- commits */

/* What is given out says that nothing has been done. */
static int run_commit(struct scene *scene)
{
	struct snapmap_commit out;
	int err = batch_commit(scene->map->fd, &scene->batch, scene->flags, &out);

	if (err &&
	    (out.version || out.failed_op != SNAPMAP_NO_OP || out.missing || out.blocks_copied))
		return -EBADMSG;
	return err;
}

/* Every key that the batch puts, and deletes not again, has its value. */
static void done_commit(struct scene *scene)
{
	static u8 value[SNAPMAP_VALUE_MAX];
	const struct snapmap_op *op;
	struct snapmap_get get;
	size_t at;

	for (at = 0; at < scene->batch.bytes;) {
		op = (const void *)(scene->batch.data + at);
		get = (struct snapmap_get){ .key = (uintptr_t)(op + 1),
					    .key_len = op->key_len,
					    .value = (uintptr_t)value,
					    .value_len = op->value_len };
		assert_int_equal(ioc(scene->map->fd, SNAPMAP_IOC_GET, &get),
				 op->opcode == SNAPMAP_OP_PUT ? 0 : -ENOENT);
		assert_int_equal(get.value_len, op->value_len);
		assert_memory_equal(value, (const u8 *)(op + 1) + op->key_len, op->value_len);
		at += (sizeof(*op) + op->key_len + op->value_len + 7) & ~7UL;
	}
}

static void add_many(struct batch *batch, u64 count, u32 value_len)
{
	u64 key;

	for (key = 0; key < count; key++)
		batch_put(batch, &key, sizeof(key), large, value_len);
}

/* Versions that are all kept leave no record for the next one to use again. */
static void setup_small_put(struct scene *scene)
{
	u32 i;

	assert_int_equal(map_set_history(scene->map->name, 10), 0);
	for (i = 0; i < 4; i++)
		assert_int_equal(put_string(scene->map->fd, "key", "value"), 0);
	batch_puts(&scene->batch, "other", "value");
}

/* It does not fit into what the map has. */
static void setup_growth(struct scene *scene)
{
	batch_put(&scene->batch, "large", 5, large, 70000);
}

static void setup_large_value(struct scene *scene)
{
	batch_put(&scene->batch, "large", 5, large, SNAPMAP_VALUE_MAX);
	batch_put(&scene->batch, "larger", 6, large, SNAPMAP_VALUE_MAX);
}

static void setup_replacement(struct scene *scene)
{
	add_many(&scene->batch, 300, 400);
	batch_puts(&scene->batch, "key", "value");
	assert_int_equal(batch_commit(scene->map->fd, &scene->batch, 0, NULL), 0);
	scene->flags = SNAPMAP_COMMIT_REPLACE;
}

/* More than one leaf holds, and more inner nodes, with growth at some splits. */
static void setup_splits(struct scene *scene)
{
	add_many(&scene->batch, 700, 200);
}

/* Of every second key, which makes leaves shrink and join. */
static void setup_deletes(struct scene *scene)
{
	u64 key;

	add_many(&scene->batch, 700, 200);
	assert_int_equal(batch_commit(scene->map->fd, &scene->batch, 0, NULL), 0);
	batch_clear(&scene->batch);
	for (key = 0; key < 700; key += 2)
		batch_delete(&scene->batch, &key, sizeof(key));
}

static void try_commit(void (*setup)(struct scene *scene))
{
	struct trial trial = {
		.setup = setup, .run = run_commit, .done = done_commit, .renew = true
	};

	trial_run(&trial);
}

static void test_small_put_F(void **state)
{
	(void)state;
	try_commit(setup_small_put);
}

static void test_put_with_growth_F(void **state)
{
	(void)state;
	try_commit(setup_growth);
}

static void test_large_values_F(void **state)
{
	(void)state;
	try_commit(setup_large_value);
}

static void test_replacement_F(void **state)
{
	(void)state;
	try_commit(setup_replacement);
}

static void test_leaf_splits_F(void **state)
{
	(void)state;
	try_commit(setup_splits);
}

static void test_deletes_F(void **state)
{
	(void)state;
	try_commit(setup_deletes);
}

static const struct CMUnitTest tests[] = {
	plain_test(test_create_F),
	plain_test(test_destroy_G),
	plain_test(test_open_F),
	plain_test(test_info_and_wait_need_no_memory),
	plain_test(test_get_F),
	plain_test(test_pin_F),
	plain_test(test_mmap_F),
	plain_test(test_touch_D),
	plain_test(test_small_put_F),
	plain_test(test_put_with_growth_F),
	plain_test(test_large_values_F),
	plain_test(test_replacement_F),
	plain_test(test_leaf_splits_F),
	plain_test(test_deletes_F),
	caught_test("abort", test_leaf_splits_F),
	cmocka_unit_test(test_nothing_is_left_G),
};

int main(void)
{
	return cmocka_run_group_tests_name("fail_alloc", tests, NULL, NULL);
}

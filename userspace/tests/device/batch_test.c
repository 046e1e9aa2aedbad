// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * batch_test.c - batches that are malformed, lie in odd memory, are random, or
 * compete
 */
#include <libsnapmap.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>

#include "device.h"

/* ------------------------------------------------------------- malformed */

/* Commits @bytes of @batch, which must be refused at operation @failed. */
static void assert_refused(int fd, const struct batch *batch, size_t bytes, u64 failed)
{
	struct snapmap_commit args = batch_args(batch, 0);
	struct snapmap_info before;

	assert_info(fd, &before);
	args.ops_bytes = bytes;
	assert_int_equal(ioc(fd, SNAPMAP_IOC_COMMIT, &args), -EINVAL);
	assert_int_equal(args.failed_op, failed);
	assert_int_equal(args.version, 0);
	assert_int_equal(args.blocks_copied, 0);
	assert_unchanged(fd, &before);
}

static void test_truncated_records_F_H(void **state)
{
	struct fixture *map = *state;
	struct batch batch = { .data = NULL };
	u8 value[100] = { 1 };
	size_t first, cut;

	batch_puts(&batch, "key", "value");
	first = batch.bytes;
	batch_put(&batch, "long key", 8, value, sizeof(value));
	for (cut = first + 8; cut < batch.bytes; cut += 8)
		assert_refused(map->fd, &batch, cut, 1);
	for (cut = 8; cut < first; cut += 8)
		assert_refused(map->fd, &batch, cut, 0);
	assert_int_equal(batch_commit(map->fd, &batch, 0, NULL), 0);
	assert_no_leak(map->fd);
	batch_free(&batch);
}

/* The longest record there is, short of its last 8 bytes. */
static void test_truncated_large_record_F_H(void **state)
{
	struct fixture *map = *state;
	struct batch batch = { .data = NULL };
	u8 *bytes = calloc(1, SNAPMAP_VALUE_MAX);

	batch_puts(&batch, "key", "value");
	batch_put(&batch, bytes, SNAPMAP_KEY_MAX, bytes, SNAPMAP_VALUE_MAX);
	assert_refused(map->fd, &batch, batch.bytes - 8, 1);
	assert_no_leak(map->fd);
	batch_free(&batch);
	free(bytes);
}

static void test_bad_operations_F_H(void **state)
{
	struct fixture *map = *state;
	static const struct snapmap_op bad[] = {
		{ .opcode = 0, .key_len = 1 },
		{ .opcode = 3, .key_len = 1 },
		{ .opcode = 0xff, .key_len = 1 },
		{ .opcode = SNAPMAP_OP_PUT, .condition = 4, .key_len = 1 },
		{ .opcode = SNAPMAP_OP_PUT, .condition = 0xff, .key_len = 1 },
		{ .opcode = SNAPMAP_OP_PUT, .key_len = 1, .if_version = 1 },
		{ .opcode = SNAPMAP_OP_PUT, .condition = 1, .key_len = 1, .if_version = 1 },
		{ .opcode = SNAPMAP_OP_PUT, .condition = 2, .key_len = 1, .if_version = 1 },
		{ .opcode = SNAPMAP_OP_DELETE, .key_len = 1, .value_len = 1 },
	};
	struct batch batch = { .data = NULL };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		batch_clear(&batch);
		batch_puts(&batch, "good", "one");
		batch_puts(&batch, "good", "two");
		batch_add(&batch, bad[i], "k", "v");
		batch_puts(&batch, "good", "three");
		assert_refused(map->fd, &batch, batch.bytes, 2);
	}
	assert_no_leak(map->fd);
	batch_free(&batch);
}

static void test_alignment_F_H(void **state)
{
	struct fixture *map = *state;
	struct batch batch = { .data = NULL };
	struct snapmap_commit args;
	unsigned int off;

	batch_puts(&batch, "key", "value");
	batch_puts(&batch, "key", "value");
	for (off = 1; off < 8; off++) {
		assert_refused(map->fd, &batch, batch.bytes - off, SNAPMAP_NO_OP);
		args = batch_args(&batch, 0);
		args.ops += off;
		assert_int_equal(ioc(map->fd, SNAPMAP_IOC_COMMIT, &args), -EINVAL);
		assert_int_equal(args.failed_op, SNAPMAP_NO_OP);
	}
	batch_free(&batch);
}

/* ------------------------------------------------------------- odd memory */

static u8 *guarded_pages(size_t pages)
{
	u8 *at = mmap(NULL, (pages + 1) * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		      -1, 0);

	assert_ptr_not_equal(at, MAP_FAILED);
	assert_int_equal(mprotect(at + pages * PAGE, PAGE, PROT_NONE), 0);
	return at;
}

/* A batch may end with its page and may be read-only; nothing behind it is read. */
static void test_read_only_batch_at_the_end_of_memory_H(void **state)
{
	struct fixture *map = *state;
	struct batch batch = { .data = NULL };
	u8 *page = guarded_pages(1);
	struct snapmap_commit args;
	struct snapmap_info before;

	batch_puts(&batch, "a", "1");
	batch_puts(&batch, "b", "2");
	memcpy(page + PAGE - batch.bytes, batch.data, batch.bytes);
	assert_int_equal(mprotect(page, PAGE, PROT_READ), 0);
	args = batch_args(&batch, 0);
	args.ops = (uintptr_t)(page + PAGE - batch.bytes);
	assert_int_equal(ioc(map->fd, SNAPMAP_IOC_COMMIT, &args), 0);
	assert_true(key_is(map->fd, "b", "2"));

	assert_info(map->fd, &before);
	args = batch_args(&batch, 0);
	args.ops = (uintptr_t)(page + PAGE - batch.bytes + 8);
	assert_int_equal(ioc(map->fd, SNAPMAP_IOC_COMMIT, &args), -EFAULT);
	assert_unchanged(map->fd, &before);
	assert_no_leak(map->fd);
	batch_free(&batch);
	munmap(page, 2 * PAGE);
}

/* The fault comes after many operations have been applied. */
static void test_fault_late_in_a_batch_F(void **state)
{
	struct fixture *map = *state;
	struct batch batch = { .data = NULL };
	u8 *pages = guarded_pages(100);
	struct snapmap_commit args;
	struct snapmap_info before;
	u32 i;

	for (i = 0; batch.bytes <= 100 * PAGE; i++)
		batch_put(&batch, &i, sizeof(i), pages, i % 1500);
	memcpy(pages, batch.data, 100 * PAGE);
	assert_info(map->fd, &before);
	args = batch_args(&batch, 0);
	args.ops = (uintptr_t)pages;
	assert_int_equal(ioc(map->fd, SNAPMAP_IOC_COMMIT, &args), -EFAULT);
	assert_unchanged(map->fd, &before);
	assert_no_leak(map->fd);
	batch_free(&batch);
	munmap(pages, 101 * PAGE);
}

/* A batch whose bytes are a value of the map itself, in a mapping not yet touched. */
static void commit_from_own_mapping(const char *name, int fd, u64 count)
{
	struct snapmap_commit args = { .flags = 0 };
	struct snapmap_snapshot *pin;
	struct snapmap_info before, after;
	struct snapmap_item item;
	struct snapmap *own;

	assert_int_equal(snapmap_open(name, O_RDWR, &own), 0);
	assert_int_equal(snapmap_pin(own, &pin), 0);
	assert_int_equal(snapmap_pin_get(pin, "batch", 5, &item), 0);
	assert_info(fd, &before);
	args.ops = (uintptr_t)item.value;
	args.ops_bytes = item.value_len;
	assert_int_equal(ioc(snapmap_fd(own), SNAPMAP_IOC_COMMIT, &args), 0);
	assert_info(fd, &after);
	assert_int_equal(after.header.entries, before.header.entries + count);
	assert_true(after.resident_bytes > before.resident_bytes);
	snapmap_unpin(pin);
	snapmap_close(own);
}

static void test_batch_in_the_maps_own_mapping_E_H(void **state)
{
	struct fixture *map = *state;
	struct batch batch = { .data = NULL };
	static u8 value[3000];
	u32 i;

	for (i = 0; i < 300; i++)
		batch_put(&batch, &i, sizeof(i), value, sizeof(value));
	assert_int_equal(put_bytes(map->fd, "batch", batch.data, batch.bytes), 0);
	commit_from_own_mapping(map->name, map->fd, 300);
	assert_no_leak(map->fd);
	batch_free(&batch);
}

static volatile sig_atomic_t alarms;

static void on_alarm(int signal)
{
	(void)signal;
	alarms++;
}

/* Signals with handlers do not end a commit. */
static void test_signals_do_not_disturb(void **state)
{
	struct fixture *map = *state;
	struct sigaction action = { .sa_handler = on_alarm }, old;
	struct itimerval often = { { 0, 2000 }, { 0, 2000 } }, never = { { 0, 0 }, { 0, 0 } };
	struct batch batch = { .data = NULL };
	int err = 0, i;
	u64 key = 0;

	for (; key < 20000; key++)
		batch_put(&batch, &key, sizeof(key), "value", 5);
	alarms = 0;
	sigaction(SIGALRM, &action, &old);
	setitimer(ITIMER_REAL, &often, NULL);
	for (i = 0; i < 50 && !err && (alarms < 10 || i < 3); i++)
		err = batch_commit(map->fd, &batch, SNAPMAP_COMMIT_REPLACE, NULL);
	setitimer(ITIMER_REAL, &never, NULL);
	sigaction(SIGALRM, &old, NULL);
	assert_int_equal(err, 0);
	assert_true(alarms >= 10);
	assert_no_leak(map->fd);
	batch_free(&batch);
}

/* ------------------------------------------------------------- random */

#define KEYS 300

/* What must be in the map; a value is @len bytes that follow from @seed. */
struct entry {
	bool present;
	u32 len;
	u64 seed;
	u64 version;
};

struct model {
	struct entry entry[KEYS];
	u64 version;
};

static u8 value_bytes[8192];

static const u8 *value_of(const struct entry *entry)
{
	u64 seed = entry->seed;
	u32 i;

	for (i = 0; i < entry->len; i += 8)
		memcpy(value_bytes + i, &(u64){ random_next(&seed) }, 8);
	return value_bytes;
}

/* Keys of 1 to 900 bytes. */
static u16 key_of(u32 number, u8 key[1024])
{
	u16 len = 2 + (number % 10 ? number % 40 : number * 3);

	memset(key, 'k', len);
	key[0] = number;
	key[1] = number >> 8;
	return len;
}

static u32 random_len(u64 *rng)
{
	static const u32 bound[] = { 1, 40, 40, 40, 300, 1500, 8000 };

	return random_below(rng, bound[random_below(rng, ARRAY_SIZE(bound))]);
}

static bool condition_holds(const struct model *model, const struct snapmap_op *op,
			    const struct entry *entry)
{
	switch (op->condition) {
	case SNAPMAP_COND_ABSENT:
		return !entry->present;
	case SNAPMAP_COND_PRESENT:
		return entry->present;
	case SNAPMAP_COND_VERSION:
		return entry->present && entry->version == op->if_version &&
		       entry->version != model->version + 1;
	default:
		return true;
	}
}

/* Mostly conditions that hold. */
static void random_condition(u64 *rng, const struct entry *entry, struct snapmap_op *op)
{
	if (random_below(rng, 3))
		return;
	op->condition = entry->present ? 2 + random_below(rng, 2) : SNAPMAP_COND_ABSENT;
	if (!random_below(rng, 60))
		op->condition = 1 + random_below(rng, 3);
	if (op->condition == SNAPMAP_COND_VERSION)
		op->if_version = entry->version + !random_below(rng, 60);
}

/* Adds a random operation and applies it to the model; false when it is refused. */
static bool random_op(u64 *rng, struct model *model, struct batch *batch)
{
	u32 number = random_below(rng, KEYS);
	struct entry *entry = &model->entry[number];
	struct snapmap_op op = { .opcode = random_below(rng, 3) ? 1 : 2 };
	struct entry next = { .present = op.opcode == SNAPMAP_OP_PUT,
			      .version = model->version + 1 };
	u8 key[1024];

	op.key_len = key_of(number, key);
	random_condition(rng, entry, &op);
	if (next.present) {
		next.len = random_len(rng);
		next.seed = random_next(rng);
	}
	op.value_len = next.len;
	batch_add(batch, op, key, value_of(&next));
	if (!condition_holds(model, &op, entry))
		return false;
	*entry = next;
	return true;
}

static void assert_entry(int fd, const struct model *model, u32 number)
{
	const struct entry *entry = &model->entry[number];
	static u8 buf[8192];
	u8 key[1024];
	struct snapmap_get get = { .key = (uintptr_t)key,
				   .value = (uintptr_t)buf,
				   .value_len = sizeof(buf) };

	get.key_len = key_of(number, key);
	assert_int_equal(ioc(fd, SNAPMAP_IOC_GET, &get), entry->present ? 0 : -ENOENT);
	assert_int_equal(get.version, model->version);
	if (!entry->present)
		return;
	assert_int_equal(get.entry_version, entry->version);
	assert_int_equal(get.value_len, entry->len);
	assert_memory_equal(buf, value_of(entry), entry->len);
}

static void random_commit(u64 *rng, int fd, struct model *model, struct batch *batch)
{
	u32 ops = random_below(rng, random_below(rng, 8) ? 10 : 400);
	struct model next = *model;
	struct snapmap_commit out;
	bool fine = true;
	u64 at = 0;

	batch_clear(batch);
	for (; fine && at < ops; at++)
		fine = random_op(rng, &next, batch);
	if (!fine)
		batch_puts(batch, "never applied", "");
	assert_int_equal(batch_commit(fd, batch, 0, &out), fine ? 0 : -ECANCELED);
	assert_int_equal(out.failed_op, fine ? SNAPMAP_NO_OP : at - 1);
	next.version++;
	if (fine)
		*model = next;
	assert_int_equal(out.version, model->version);
}

static void test_random_batches_A_F(void **state)
{
	struct fixture *map = *state;
	static struct model model;
	struct batch batch = { .data = NULL };
	u64 rng = seed_of_test();
	u32 i, j;

	model = (struct model){ .version = 1 };
	for (i = 0; i < 1200; i++) {
		random_commit(&rng, map->fd, &model, &batch);
		for (j = 0; j < 3; j++)
			assert_entry(map->fd, &model, random_below(&rng, KEYS));
		for (j = 0; i % 200 == 199 && j < KEYS; j++)
			assert_entry(map->fd, &model, j);
	}
	note("%llu commits published, %llu conflicts", sysfs_value(map->name, "commits"),
	     sysfs_value(map->name, "conflicts"));
	assert_no_leak(map->fd);
	batch_free(&batch);
}

/* ------------------------------------------------------------- competing */

#define WRITERS	   3
#define INCREMENTS 300

/* One increment of "counter", by a conditional write. Returns a commit's result. */
static int try_increment(int fd, bool whole_map)
{
	struct snapmap_op op = { .opcode = SNAPMAP_OP_PUT, .key_len = 7, .value_len = 8 };
	struct snapmap_commit args;
	struct batch batch = { .data = NULL };
	struct snapmap_get get;
	u64 value = 0;
	int err;

	err = key_get(fd, "counter", &value, sizeof(value), &get);
	if (err)
		return err;
	value++;
	if (!whole_map) {
		op.condition = SNAPMAP_COND_VERSION;
		op.if_version = get.entry_version;
	}
	batch_add(&batch, op, "counter", &value);
	args = batch_args(&batch, whole_map ? SNAPMAP_COMMIT_IF_VERSION : 0);
	args.if_version = whole_map ? get.version : 0;
	err = ioc(fd, SNAPMAP_IOC_COMMIT, &args);
	batch_free(&batch);
	return err;
}

static int writer_process(const char *name, bool whole_map)
{
	int fd = map_open(name, O_RDWR);
	int done = 0, err;

	while (done < INCREMENTS) {
		err = try_increment(fd, whole_map);
		if (err && err != -ECANCELED)
			return 1;
		done += !err;
	}
	return 0;
}

/* No increment is lost: commits have one order. */
static void test_competing_writers_C(void **state)
{
	struct fixture *map = *state;
	u64 total = 0;
	int i, status;

	assert_int_equal(put_bytes(map->fd, "counter", &total, sizeof(total)), 0);
	for (i = 0; i < WRITERS; i++)
		if (!child_start())
			_exit(writer_process(map->name, i & 1));
	for (i = 0; i < WRITERS; i++) {
		assert_true(wait(&status) > 0);
		assert_int_equal(status, 0);
	}
	assert_int_equal(key_get(map->fd, "counter", &total, sizeof(total), NULL), 0);
	assert_int_equal(total, WRITERS * INCREMENTS);
	note("%d increments by %d writers, %llu conflicts", WRITERS * INCREMENTS, WRITERS,
	     sysfs_value(map->name, "conflicts"));
	assert_no_leak(map->fd);
}

static const struct CMUnitTest tests[] = {
	map_test(test_truncated_records_F_H),
	map_test(test_truncated_large_record_F_H),
	map_test(test_bad_operations_F_H),
	map_test(test_alignment_F_H),
	map_test(test_read_only_batch_at_the_end_of_memory_H),
	map_test(test_fault_late_in_a_batch_F),
	map_test(test_batch_in_the_maps_own_mapping_E_H),
	map_test(test_signals_do_not_disturb),
	map_test(test_random_batches_A_F),
	map_test(test_competing_writers_C),
	cmocka_unit_test(test_nothing_is_left_G),
};

int main(void)
{
	return cmocka_run_group_tests_name("batch", tests, NULL, NULL);
}

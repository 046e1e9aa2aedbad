// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * watch_test.c - what a watch tells leads from snapshot to snapshot, whatever
 * the map keeps and whenever it is asked
 *
 * ioctl() and read() are this file's: a kernel whose map is a file in memory.
 * Every version is one leaf of its own, so that versions can be made at will,
 * and a model says what each holds. No module is needed. Prints its seed and
 * takes one from SNAPMAP_SEED.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/* Needs what is above. */
#include <cmocka.h>

#include "../../lib/map.h"
#include "../unit/random.h"

#define VERSIONS 2000
#define KEYS	 12 /* of one granule each */
#define LEAF	 2U /* blocks of the leaf that has them */
#define LEAVES	 ((SNAPMAP_REGION_SMALL - SNAPMAP_CONTROL_BLOCKS) / LEAF) /* of a region */
#define BLOCKS	 ((VERSIONS / LEAVES + 2) * SNAPMAP_REGION_SMALL)
#define SPAN	 ((size_t)BLOCKS << SNAPMAP_BLOCK_SHIFT)
#define PINS_MAX 8

static struct {
	int fd;
	u8 *bytes;
	u64 oldest; /* that the map keeps */
	u64 given;  /* by read() */
	int pins[PINS_MAX];
	u64 pinned[PINS_MAX];
	int fail_pin;		       /* the next PIN fails so */
	u32 value[VERSIONS + 1][KEYS]; /* of each key in each version; 0 for none */
} kernel;

int __wrap_ioctl(int fd, unsigned long request, ...);
ssize_t __wrap_read(int fd, void *to, size_t bytes);
int __wrap_close(int fd);
int __real_close(int fd);

static struct snapmap_control *control(void)
{
	return (void *)kernel.bytes;
}

static u64 current(void)
{
	return control()->version;
}

static u32 leaf_of(u64 version)
{
	u32 region = (u32)version / LEAVES;

	/* Behind the control page, or as many blocks, half of which are tags. */
	return region * SNAPMAP_REGION_SMALL + SNAPMAP_CONTROL_BLOCKS +
	       LEAF * ((u32)version % LEAVES);
}

static u64 root_of(u64 version)
{
	return SNAPMAP_ROOT(SNAPMAP_REF(leaf_of(version), LEAF - 1), 0, 0);
}

static int key_name(u32 key, char name[8])
{
	return snprintf(name, 8, "%s%u", key % 2 ? "odd" : "even", key);
}

/* An entry takes a granule: 16 bytes, a key of at most 8, a value of 4. */
static void put_entry(u64 version, u32 granule, u32 key, u32 value)
{
	struct snapmap_entry entry = { .version = 1, .value_len = sizeof(value) };
	u8 *leaf = kernel.bytes + ((size_t)leaf_of(version) << SNAPMAP_BLOCK_SHIFT);
	u8 *tags = kernel.bytes + snapmap_tags_at(leaf_of(version));
	u8 *to = leaf + granule * SNAPMAP_GRANULE_SIZE;
	char name[8] = "";
	u64 hash;

	entry.key_len = (u16)key_name(key, name);
	entry.version = value; /* any number that says whether it was written again */
	hash = snapmap_hash(control()->hash_seed, name, entry.key_len);
	entry.check = snapmap_hash_check(hash);
	tags[granule] = snapmap_hash_tag(hash);
	memcpy(to, &entry, sizeof(entry));
	memcpy(to + sizeof(entry), name, sizeof(name));
	memcpy(to + sizeof(entry) + 8, &value, sizeof(value));
}

static void publish(u64 version)
{
	u32 key;

	for (key = 0; key < KEYS; key++)
		if (kernel.value[version][key])
			put_entry(version, key, key, kernel.value[version][key]);
	control()->root[version & 1] = root_of(version);
	control()->version = version;
}

static void make_map(void)
{
	memset(&kernel, 0, sizeof(kernel));
	kernel.fd = memfd_create("map", MFD_CLOEXEC);
	assert_int_equal(ftruncate(kernel.fd, SPAN), 0);
	kernel.bytes = mmap(NULL, SPAN, PROT_READ | PROT_WRITE, MAP_SHARED, kernel.fd, 0);
	assert_ptr_not_equal(kernel.bytes, MAP_FAILED);
	control()->magic = SNAPMAP_LAYOUT_MAGIC;
	control()->layout_version = SNAPMAP_LAYOUT_VERSION;
	control()->hash_kind = SNAPMAP_HASH_FOLD;
	control()->span = SPAN;
	control()->hash_seed = random_next();
	kernel.oldest = 1;
	publish(1);
}

static void end_map(void)
{
	int i;

	for (i = 0; i < PINS_MAX; i++)
		assert_int_equal(kernel.pins[i], 0); /* all given back */
	munmap(kernel.bytes, SPAN);
	__real_close(kernel.fd);
}

/* A commit that changes so many keys, by chance. */
static void commit(u32 changes)
{
	u64 version = current() + 1;
	u32 key;

	memcpy(kernel.value[version], kernel.value[version - 1], sizeof(kernel.value[0]));
	while (changes--) {
		key = random_below(KEYS);
		kernel.value[version][key] = random_below(3) ? (u32)(version * 100 + changes) : 0;
	}
	publish(version);
}

/* ------------------------------------------------------------- the kernel's side */

static u64 version_of(int fd)
{
	int i;

	for (i = 0; i < PINS_MAX; i++)
		if (kernel.pins[i] == fd)
			return kernel.pinned[i];
	return current();
}

static int ioctl_info(int fd, struct snapmap_info *info)
{
	info->header.version = version_of(fd);
	info->root = root_of(info->header.version);
	info->span = SPAN;
	return 0;
}

static int ioctl_pin(struct snapmap_pin *pin)
{
	u64 version = pin->version ? pin->version : current();
	int i = 0;

	if (kernel.fail_pin || version < kernel.oldest || version > current()) {
		errno = kernel.fail_pin ? kernel.fail_pin : version > current() ? EINVAL : ESTALE;
		kernel.fail_pin = 0;
		return -1;
	}
	while (kernel.pins[i])
		i++;
	assert_true(i < PINS_MAX);
	kernel.pins[i] = dup(kernel.fd);
	kernel.pinned[i] = version;
	return kernel.pins[i];
}

static int ioctl_log(struct snapmap_log *log)
{
	struct snapmap_record *record = (void *)(uintptr_t)log->records;
	u64 room = log->count;

	if (log->version < kernel.oldest)
		log->version = kernel.oldest;
	for (log->count = 0; log->count < room && log->version + log->count <= current();
	     log->count++) {
		memset(record, 0, sizeof(*record));
		record->header.version = log->version + log->count;
		record++->header.realtime_ns = (log->version + log->count) * 1000;
	}
	return 0;
}

int __wrap_ioctl(int fd, unsigned long request, ...)
{
	va_list args;
	void *arg;

	va_start(args, request);
	arg = va_arg(args, void *);
	va_end(args);
	switch (request) {
	case SNAPMAP_IOC_INFO:
		return ioctl_info(fd, arg);
	case SNAPMAP_IOC_PIN:
		return ioctl_pin(arg);
	case SNAPMAP_IOC_LOG:
		return ioctl_log(arg);
	}
	fail_msg("a request that nobody expects: %#lx", request);
	return -1;
}

ssize_t __wrap_read(int fd, void *to, size_t bytes)
{
	(void)fd;
	assert_int_equal(bytes, sizeof(kernel.given));
	if (control()->state & SNAPMAP_STATE_DESTROYED)
		return 0;
	if (kernel.given == current()) {
		errno = EAGAIN;
		return -1;
	}
	kernel.given = current();
	memcpy(to, &kernel.given, bytes);
	return (ssize_t)bytes;
}

int __wrap_close(int fd)
{
	int i;

	for (i = 0; i < PINS_MAX; i++)
		if (kernel.pins[i] == fd)
			kernel.pins[i] = 0;
	return __real_close(fd);
}

/* ------------------------------------------------------------- the tests */

static struct snapmap_watch *watch_map(const struct snapmap_watch_opts *opts)
{
	struct snapmap_watch *watch;
	char path[40];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", kernel.fd);
	assert_int_equal(snapmap_watch_new(path, opts, &watch), 0);
	return watch;
}

static u32 number_of(const struct snapmap_item *item)
{
	u32 value = 0;

	if (!item->key)
		return 0;
	assert_int_equal(item->value_len, sizeof(value));
	memcpy(&value, item->value, sizeof(value));
	return value;
}

static u32 key_number(const struct snapmap_change *change)
{
	const char *digits = change->key;
	size_t skip = digits[0] == 'o' ? 3 : 4;
	char text[8] = "";

	memcpy(text, digits + skip, change->key_len - skip);
	return (u32)atoi(text);
}

/* Does the step's changes to @held, which must have been as they say. Returns how many. */
static u32 replay(struct snapmap_watch *watch, u32 held[KEYS])
{
	struct snapmap_change change;
	u32 changes = 0;
	int ret;

	while ((ret = snapmap_watch_change(watch, &change)) > 0) {
		u32 key = key_number(&change);

		assert_int_equal(held[key], number_of(&change.before));
		held[key] = number_of(&change.after);
		changes++;
	}
	assert_int_equal(ret, 0);
	return changes;
}

static void assert_holds(u32 held[KEYS], u64 version)
{
	assert_memory_equal(held, kernel.value[version], sizeof(kernel.value[version]));
}

static void assert_step(struct snapmap_watch *watch, u32 held[KEYS], u64 from, u64 to)
{
	struct snapmap_event event;

	assert_int_equal(snapmap_watch_next(watch, &event), 1);
	assert_int_equal(event.from, from);
	assert_int_equal(event.to, to);
	assert_int_equal(event.header.version, to);
	assert_int_equal(snapmap_pin_version(snapmap_watch_snapshot(watch)), from);
	replay(watch, held);
	assert_holds(held, to);
}

static void assert_nothing(struct snapmap_watch *watch, int ret)
{
	struct snapmap_event event;
	struct snapmap_change change;

	assert_int_equal(snapmap_watch_next(watch, &event), ret);
	if (!ret)
		assert_int_equal(kernel.given, current()); /* not readable any more */
	assert_int_equal(snapmap_watch_change(watch, &change), 0);
}

static void test_version_by_version(void **state)
{
	struct snapmap_watch *watch;
	u32 held[KEYS] = { 0 };

	(void)state;
	make_map();
	watch = watch_map(NULL);
	assert_nothing(watch, 0);
	commit(3);
	commit(1);
	commit(0);
	assert_step(watch, held, 1, 2);
	assert_step(watch, held, 2, 3);
	commit(5);
	assert_step(watch, held, 3, 4);
	assert_step(watch, held, 4, 5);
	assert_nothing(watch, 0);
	assert_nothing(watch, 0);
	snapmap_watch_free(watch);
	end_map();
}

static void test_from_an_older_version(void **state)
{
	struct snapmap_watch_opts opts = { .from = 3 };
	struct snapmap_watch *watch;
	u32 held[KEYS];
	char path[40];

	(void)state;
	make_map();
	while (current() < 6)
		commit(4);
	kernel.oldest = 3;
	watch = watch_map(&opts);
	memcpy(held, kernel.value[3], sizeof(held));
	assert_step(watch, held, 3, 4);
	snapmap_watch_free(watch);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", kernel.fd);
	opts.from = 2;
	assert_int_equal(snapmap_watch_new(path, &opts, &watch), -ESTALE);
	opts.from = 7;
	assert_int_equal(snapmap_watch_new(path, &opts, &watch), -EINVAL);
	end_map();
}

static void test_what_is_gone_is_merged(void **state)
{
	struct snapmap_watch *watch;
	u32 held[KEYS] = { 0 };

	(void)state;
	make_map();
	watch = watch_map(NULL);
	while (current() < 10)
		commit(4);
	kernel.oldest = 7;
	assert_step(watch, held, 1, 7);
	assert_step(watch, held, 7, 8);
	kernel.oldest = 10;
	assert_step(watch, held, 8, 10);
	assert_nothing(watch, 0);
	snapmap_watch_free(watch);
	end_map();
}

static void test_destroyed(void **state)
{
	struct snapmap_watch *watch;
	u32 held[KEYS] = { 0 };

	(void)state;
	make_map();
	watch = watch_map(NULL);
	commit(3);
	commit(3);
	control()->state = SNAPMAP_STATE_DESTROYED;
	assert_step(watch, held, 1, 2);
	assert_step(watch, held, 2, 3);
	assert_nothing(watch, -ENODEV);
	assert_nothing(watch, -ENODEV);
	snapmap_watch_free(watch);
	end_map();
}

/* An error that passes loses nothing. */
static void test_no_descriptor_left(void **state)
{
	struct snapmap_watch *watch;
	u32 held[KEYS] = { 0 };

	(void)state;
	make_map();
	watch = watch_map(NULL);
	commit(3);
	commit(3);
	assert_step(watch, held, 1, 2);
	kernel.fail_pin = EMFILE;
	assert_nothing(watch, -EMFILE);
	assert_step(watch, held, 2, 3);
	snapmap_watch_free(watch);
	end_map();
}

/* One that does not pass stays, rather than to go on behind what was lost. */
static void test_revoked(void **state)
{
	struct snapmap_watch *watch;
	struct snapmap_change change;
	struct snapmap_event event;
	u32 held[KEYS] = { 0 };
	int i;

	(void)state;
	make_map();
	watch = watch_map(NULL);
	while (current() < 5)
		commit(3);
	assert_step(watch, held, 1, 2);
	control()->revoked = 3;
	for (i = 0; i < 2; i++)
		assert_int_equal(snapmap_watch_next(watch, &event), -ESTALE);
	snapmap_watch_free(watch);

	watch = watch_map(&(struct snapmap_watch_opts){ .from = 4 });
	assert_int_equal(snapmap_watch_next(watch, &event), 1);
	control()->revoked = 5;
	assert_int_equal(snapmap_watch_change(watch, &change), -ESTALE);
	assert_int_equal(snapmap_watch_next(watch, &event), -ESTALE);
	snapmap_watch_free(watch);
	end_map();
}

static void test_prefixes(void **state)
{
	struct snapmap_key_prefix prefixes[] = { { "odd", 3 }, { "even10", 6 } };
	struct snapmap_watch_opts opts = { .prefixes = prefixes, .prefix_count = 2 };
	struct snapmap_watch *watch;
	struct snapmap_change change;
	struct snapmap_event event;

	(void)state;
	make_map();
	watch = watch_map(&opts);
	prefixes[0].bytes = "gone"; /* they have been copied */
	publish(2);
	kernel.value[3][4] = 7;
	publish(3); /* nothing that is wanted */
	assert_nothing(watch, 0);
	kernel.value[4][4] = 8;
	kernel.value[4][5] = 1;
	kernel.value[4][10] = 2;
	publish(4);
	assert_int_equal(snapmap_watch_next(watch, &event), 1);
	assert_int_equal(event.from, 3);
	assert_int_equal(event.to, 4);
	assert_int_equal(snapmap_watch_change(watch, &change), 1);
	assert_int_equal(key_number(&change), 5);
	assert_int_equal(snapmap_watch_change(watch, &change), 1);
	assert_int_equal(key_number(&change), 10);
	assert_int_equal(snapmap_watch_change(watch, &change), 0);
	snapmap_watch_free(watch);
	end_map();
}

/* A watcher as slow as it likes, on a map that keeps as much as it likes. */
static void test_no_event_is_lost(void **state)
{
	struct snapmap_watch *watch;
	struct snapmap_event event;
	u32 held[KEYS] = { 0 };
	u32 steps = 0, merged = 0;
	u64 told = 1;

	(void)state;
	make_map();
	watch = watch_map(NULL);
	while (current() < VERSIONS) {
		u32 commits = random_below(random_below(8) ? 3 : 20);

		while (commits-- && current() < VERSIONS)
			commit(random_below(4));
		kernel.oldest = current() - random_below(10);
		if (kernel.oldest < 1)
			kernel.oldest = 1;
		if (!random_below(20))
			kernel.fail_pin = ENOMEM;
		if (snapmap_watch_next(watch, &event) <= 0)
			continue;
		assert_int_equal(event.from, told);
		assert_true(event.to > told);
		if (random_below(4)) /* else it is told by the next step's "before", or never */
			replay(watch, held);
		else
			memcpy(held, kernel.value[event.to], sizeof(held));
		assert_holds(held, event.to);
		merged += event.to > told + 1;
		steps++;
		told = event.to;
	}
	print_message("# %u steps, %u of them of several versions\n", steps, merged);
	assert_true(merged > 50 && steps > 2 * merged);
	snapmap_watch_free(watch);
	end_map();
}

static void test_version_at(void **state)
{
	struct snapmap *map;
	uint64_t version;
	char path[40];

	(void)state;
	make_map();
	while (current() < 300)
		commit(1);
	kernel.oldest = 20; /* the log is told in several pieces */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", kernel.fd);
	assert_int_equal(snapmap_open(path, 0, &map), 0);
	assert_int_equal(snapmap_version_at(map, 20000, &version), 0);
	assert_int_equal(version, 20);
	assert_int_equal(snapmap_version_at(map, 148999, &version), 0);
	assert_int_equal(version, 148);
	assert_int_equal(snapmap_version_at(map, 149000, &version), 0);
	assert_int_equal(version, 149);
	assert_int_equal(snapmap_version_at(map, UINT64_MAX, &version), 0);
	assert_int_equal(version, 300);
	assert_int_equal(snapmap_version_at(map, 19999, &version), -ESTALE);
	snapmap_close(map);
	end_map();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_version_by_version),
		cmocka_unit_test(test_from_an_older_version),
		cmocka_unit_test(test_what_is_gone_is_merged),
		cmocka_unit_test(test_destroyed),
		cmocka_unit_test(test_no_descriptor_left),
		cmocka_unit_test(test_revoked),
		cmocka_unit_test(test_prefixes),
		cmocka_unit_test(test_no_event_is_lost),
		cmocka_unit_test(test_version_at),
	};

	random_init();
	return cmocka_run_group_tests_name("watch", tests, NULL, NULL);
}

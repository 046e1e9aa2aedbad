/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * device.h - what all device tests share
 *
 * Calls return 0 or more, or a negative errno. Nothing here but the functions
 * that begin with "assert_" and the fixture may fail a test, so the rest may be
 * called in children, which must not.
 */
#ifndef DEVICE_H
#define DEVICE_H

#include <errno.h>
#include <fcntl.h>
#include <linux/snapmap.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#include <cmocka.h>

typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;
typedef __s32 s32;
typedef __s64 s64;

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define MIB	      (1ULL << 20)
#define PAGE	      ((size_t)4096)

/* ------------------------------------------------------------- output */

/* A TAP diagnostic. */
void note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Ends the test as skipped, saying which requirement is missing. */
#define skip_for(...)                      \
	do {                               \
		note("SKIP " __VA_ARGS__); \
		skip();                    \
	} while (0)

/* ------------------------------------------------------------- maps */

int ioc(int fd, unsigned long request, void *arg);
int control_open(int flags);
void create_args(struct snapmap_create *args, const char *name);
int map_create(const char *name, u64 limit);
int map_create_mode(const char *name, u64 limit, u32 mode);
int map_destroy(const char *name);
int map_open(const char *name, int flags);
int map_pin(int fd);
const void *map_mapping(int fd, size_t *bytes);
u64 sysfs_value(const char *name, const char *attribute);
int parameter_set(const char *name, u64 value, u64 *old);
int maps_in_sysfs(void);

/* Whether this is a test build of the module: those run on kernels that are slow. */
bool is_slow(void);

void assert_info(int fd, struct snapmap_info *info);
u64 map_version(int fd);
int wait_version(int fd, u64 known, s64 timeout_ns, struct snapmap_wait *out);
ssize_t read_version(int fd, u64 *version);
int key_get(int fd, const char *key, void *buf, u32 cap, struct snapmap_get *out);
bool key_is(int fd, const char *key, const char *value);

/* What a failed call must leave as it was (promise F), its own counter apart. */
void assert_unchanged(int fd, const struct snapmap_info *before);

/* ------------------------------------------------------------- batches */

/**
 * struct batch - a row of operations
 * @data: the records
 * @bytes: their length
 * @room: bytes allocated
 * @count: number of operations
 */
struct batch {
	u8 *data;
	size_t bytes;
	size_t room;
	u64 count;
};

struct snapmap_op *batch_add(struct batch *batch, struct snapmap_op op, const void *key,
			     const void *value);
void batch_put(struct batch *batch, const void *key, u16 key_len, const void *value, u32 value_len);
void batch_delete(struct batch *batch, const void *key, u16 key_len);
/* The same for keys and values that are strings. */
void batch_puts(struct batch *batch, const char *key, const char *value);
void batch_dels(struct batch *batch, const char *key);
void batch_clear(struct batch *batch);
void batch_free(struct batch *batch);
struct snapmap_commit batch_args(const struct batch *batch, u32 flags);
int batch_commit(int fd, const struct batch *batch, u32 flags, struct snapmap_commit *out);
int put_string(int fd, const char *key, const char *value);
int put_bytes(int fd, const char *key, const void *value, u32 value_len);

/* ------------------------------------------------------------- reclaim */

/* Blocks that the snapshot of a map or a pin reaches; walks it through a mapping. */
u64 reachable_blocks(int fd);

/* Those of a pin that the current snapshot does not share. */
u64 blocks_of_pin_alone(int pin, int fd);

/* Every rule of the format holds for the current snapshot. */
void assert_sound(const char *name);

/* Publishes empty batches until nothing awaits reclaim but what pins hold. */
void settle(int fd);

/* Settles, and checks that the map takes the blocks of its snapshot and no other (F, G). */
void assert_no_leak(int fd);

/* ------------------------------------------------------------- waiting, chance */

/* Seconds: longer than anything takes on a slow machine, so that only a failure waits for so long. */
#define PATIENCE 120

/* Polls until @holds is true, for at most so many seconds. */
bool wait_until(bool (*holds)(void *data), void *data, int seconds);
void nap(unsigned int us);
u64 now_ns(void);

/* A zeroed page that children share. */
void *shared_page(void);

/* fork(); the child does not outlive this process. */
pid_t child_start(void);

/**
 * struct child - a process that should end
 * @pid: it
 * @status: how it has ended
 */
struct child {
	pid_t pid;
	int status;
};

/* For wait_until(): whether the struct child has ended, which is noted in it. */
bool child_has_ended(void *data);

u64 seed_of_test(void);
u64 random_next(u64 *state);
u64 random_below(u64 *state, u64 bound);

/* ------------------------------------------------------------- the fixture */

/**
 * struct fixture - a map of one test
 * @name: its name, used by no other test
 * @fd: the map, open for reading and writing
 */
struct fixture {
	char name[SNAPMAP_NAME_MAX + 1];
	int fd;
};

#define FIXTURE_LIMIT (64 * MIB)

int fixture_new(void **state, u64 limit);
int open_reader(const struct fixture *map, int flags);
int fixture_setup(void **state);
int fixture_teardown(void **state);

/* Fails when a test without a fixture has left a map, and destroys it. */
int destroy_others(const char *name);
int plain_teardown(void **state);

#define map_test(f) cmocka_unit_test_setup_teardown(f, fixture_setup, fixture_teardown)

#define plain_test(f) cmocka_unit_test_teardown(f, plain_teardown)

/* To be the last test of each executable. */
void test_nothing_is_left_G(void **state);

/* ------------------------------------------------------------- tests of the tests */

/**
 * struct caught - a rule of the module that is switched off
 * @broken: its name in kmod/broken.h
 * @test: the test of this program that must fail then
 */
struct caught {
	const char *broken;
	const char *test;
};

void test_break_is_caught(void **state);

#define caught_test(which, by)                                                               \
	{                                                                                    \
		.name = "test_break_" which "_is_caught", .test_func = test_break_is_caught, \
		.initial_state = (void *)&(struct caught){ which, #by },                     \
	}

#endif /* DEVICE_H */

// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * fuzz_test.c - random use of every call, and what must hold whatever is done
 * (promises B, E, F, G and H)
 *
 * For SNAPMAP_FUZZ_SECONDS (15; on test builds 30) two processes at a time
 * fuzz the module. Between them every map that is there must be sound, take the
 * blocks of its snapshot and no other, and commit. A machine that gets through
 * little in that time goes on for some rounds more.
 */
#include <dirent.h>
#include <libsnapmap.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "fuzzer.h"

#define PROCESSES     2
#define STEPS	      400
#define ROUNDS_LEAST  20
#define ROUNDS_MOST   1000 /* each call has long succeeded by then */
#define HANGS_AFTER_S 300
#define NS_PER_SECOND 1000000000ULL

#define DEFAULT_LIMIT (64ULL << 20) /* all maps together fit into a guest of 1 GiB */

static struct fuzz_shared *shared;
static u64 old_limit;

static int setup(void **state)
{
	(void)state;
	if (parameter_set("default_limit", DEFAULT_LIMIT, &old_limit))
		return -1;
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	return shared == MAP_FAILED;
}

/* Calls @each with the name of every map that there is. */
static void for_each_map(void (*each)(const char *name))
{
	DIR *dir = opendir("/sys/class/snapmap");
	struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			each(entry->d_name);
	if (dir)
		closedir(dir);
}

static void destroy_map(const char *name)
{
	map_destroy(name);
}

static int teardown(void **state)
{
	(void)state;
	for_each_map(destroy_map);
	if (parameter_set("default_limit", old_limit, &(u64){ 0 }))
		return -1;
	return munmap(shared, sizeof(*shared));
}

static u64 seconds(void)
{
	const char *given = getenv("SNAPMAP_FUZZ_SECONDS");

	return given ? strtoull(given, NULL, 0) : is_slow() ? 30 : 15;
}

static void fuzz_together(u64 *rng)
{
	pid_t pid[PROCESSES];
	int status, i;
	u64 seed;

	for (i = 0; i < PROCESSES; i++) {
		seed = random_next(rng);
		pid[i] = child_start();
		assert_true(pid[i] >= 0);
		if (!pid[i]) {
			signal(SIGSEGV, SIG_DFL); /* cmocka's is not for children */
			signal(SIGBUS, SIG_DFL);
			alarm(HANGS_AFTER_S);
			_exit(fuzz_session(shared, seed, STEPS));
		}
	}
	for (i = 0; i < PROCESSES; i++) {
		assert_int_equal(waitpid(pid[i], &status, 0), pid[i]);
		if (status && !shared->why[0])
			snprintf(shared->why, sizeof(shared->why), "a process ended with %#x",
				 status);
	}
	if (shared->why[0])
		fail_msg("%s", shared->why);
}

static void say_fault(void *data, uint32_t block, const char *what)
{
	note("%s: block %u: %s", (const char *)data, block, what);
}

static void check_map(const char *name)
{
	static const struct snapmap_verify_ops ops = { .fault = say_fault };
	struct snapmap_snapshot *snapshot;
	struct snapmap *map;

	assert_int_equal(snapmap_open(name, O_RDWR, &map), 0);
	assert_int_equal(snapmap_pin(map, &snapshot), 0);
	assert_int_equal(snapmap_verify(snapshot, &ops, (void *)name), 0);
	snapmap_unpin(snapshot);
	assert_no_leak(snapmap_fd(map));
	snapmap_close(map);
}

static bool all_have_succeeded(void)
{
	u32 i;

	for (i = 0; i < CALLS; i++)
		if (!shared->good[i])
			return false;
	return true;
}

/* How much is done in a time depends on the machine; there is a least of it that must be done. */
static bool is_enough(u32 rounds)
{
	return rounds >= ROUNDS_MOST || (rounds >= ROUNDS_LEAST && all_have_succeeded());
}

static void test_random_use_BEFGH(void **state)
{
	u64 rng = seed_of_test();
	u64 until = now_ns() + seconds() * NS_PER_SECOND;
	u32 i, rounds = 0;

	(void)state;
	do {
		fuzz_together(&rng);
		for_each_map(check_map);
		rounds++;
	} while (now_ns() < until || !is_enough(rounds));
	note("%u rounds, %llu ioctls, %llu mappings", rounds, shared->calls, shared->mapped);
	for (i = 0; i < CALLS; i++) {
		note("%s succeeded %llu times", calls[i].name, shared->good[i]);
		assert_true(shared->good[i]);
	}
}

#define fuzz_case(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		fuzz_case(test_random_use_BEFGH),
		caught_test("abort", test_random_use_BEFGH),
		caught_test("flags", test_random_use_BEFGH),
		caught_test("write", test_random_use_BEFGH),
		plain_test(test_nothing_is_left_G),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

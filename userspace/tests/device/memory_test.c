// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * memory_test.c - the limit, what is given back, and which cgroup pays
 */
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "versions.h"

/* ------------------------------------------------------------- the limit */

static const u8 *big_value(void)
{
	static u8 value[SNAPMAP_VALUE_MAX];

	return value;
}

static int put_numbered(int fd, u32 number, u32 value_len)
{
	char key[16];

	snprintf(key, sizeof(key), "%u", number);
	return put_bytes(fd, key, big_value(), value_len);
}

/* Puts until the map is full; returns how many fitted. */
static u32 fill_up(int fd, u32 value_len)
{
	struct snapmap_info info;
	u32 count = 0;
	int err;

	while (!(err = put_numbered(fd, count, value_len))) {
		count++;
		assert_info(fd, &info);
		assert_true(info.resident_bytes <= info.limit);
	}
	assert_int_equal(err, -ENOSPC);
	return count;
}

static void fill_and_check(u64 limit, u32 value_len)
{
	struct snapmap_info full, after;
	void *state;
	struct fixture *map;
	u32 count;

	assert_int_equal(fixture_new(&state, limit), 0);
	map = state;
	count = fill_up(map->fd, value_len);
	assert_info(map->fd, &full);
	assert_int_equal(full.header.entries, count);
	note("limit %llu: %u values of %u bytes, %llu resident, %llu blocks used", limit, count,
	     value_len, full.resident_bytes, full.used_blocks);
	assert_int_equal(put_numbered(map->fd, count, value_len), -ENOSPC);
	assert_unchanged(map->fd, &full);
	assert_info(map->fd, &after);
	assert_int_equal(after.failures, full.failures + 1);
	assert_int_equal(key_get(map->fd, "0", NULL, 0, NULL), value_len ? -ERANGE : 0);
	assert_no_leak(map->fd);
	assert_int_equal(fixture_teardown(&state), 0);
}

static void test_full_map_is_as_before_F_G(void **state)
{
	static const u64 limits[] = { SNAPMAP_LIMIT_MIN, 300 << 10, MIB, 5 * MIB, 16 * MIB };
	static const u32 lengths[] = { 100, 2000, 50000 };
	u64 most = is_slow() ? 1000 : 2500; /* commits, one for each value */
	size_t i, j;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(limits); i++)
		for (j = 0; j < ARRAY_SIZE(lengths); j++)
			if (limits[i] / (lengths[j] + 100) < most)
				fill_and_check(limits[i], lengths[j]);
}

/* A full map of which a reader sees nothing missing can be emptied and filled again. */
static void test_full_map_can_be_emptied_F_G(void **state)
{
	struct fixture *map = *state;
	struct batch empty = { .data = NULL };
	u32 first, second;

	first = fill_up(map->fd, SNAPMAP_VALUE_MAX / 2);
	assert_int_equal(batch_commit(map->fd, &empty, SNAPMAP_COMMIT_REPLACE, NULL), 0);
	second = fill_up(map->fd, SNAPMAP_VALUE_MAX / 2);
	note("%u values of 512 KiB, then %u", first, second);
	assert_true(second >= first - first / 10);
	assert_no_leak(map->fd);
}

/* One too large for the limit is refused however often, and costs nothing. */
static void test_batch_beyond_the_limit_F_G(void **state)
{
	struct fixture *map = *state;
	struct batch batch = { .data = NULL };
	struct snapmap_info before;
	u32 i;

	for (i = 0; i < 80; i++)
		batch_put(&batch, &i, sizeof(i), big_value(), SNAPMAP_VALUE_MAX);
	assert_int_equal(put_string(map->fd, "key", "value"), 0);
	assert_info(map->fd, &before);
	for (i = 0; i < 3; i++) {
		assert_int_equal(batch_commit(map->fd, &batch, 0, NULL), -ENOSPC);
		assert_unchanged(map->fd, &before);
		assert_true(sysfs_value(map->name, "resident_bytes") <= FIXTURE_LIMIT);
	}
	assert_true(key_is(map->fd, "key", "value"));
	assert_no_leak(map->fd);
	batch_free(&batch);
}

/* ------------------------------------------------------------- given back */

struct size {
	const char *name;
	u64 bytes;
};

static bool is_down_to(void *data)
{
	struct size *size = data;

	return sysfs_value(size->name, "resident_bytes") <= size->bytes;
}

static void test_deleted_memory_is_given_back_G(void **state)
{
	struct fixture *map = *state;
	struct size size = { map->name, sysfs_value(map->name, "resident_bytes") };
	struct batch batch = { .data = NULL };
	char key[16];
	u32 i;

	for (i = 0; i < 40; i++)
		assert_int_equal(put_numbered(map->fd, i, SNAPMAP_VALUE_MAX / 2), 0);
	assert_true(sysfs_value(map->name, "resident_bytes") > 20 * MIB);
	for (i = 0; i < 40; i++) {
		snprintf(key, sizeof(key), "%u", i);
		batch_dels(&batch, key);
	}
	assert_int_equal(batch_commit(map->fd, &batch, 0, NULL), 0);
	assert_true(wait_until(is_down_to, &size, PATIENCE));
	assert_int_equal(sysfs_value(map->name, "used_blocks"), 0);
	batch_free(&batch);
}

/* What a refused batch has made the map grow by is given back, too. */
static void test_memory_of_a_refused_batch_is_given_back_F_G(void **state)
{
	struct fixture *map = *state;
	struct size size = { map->name, sysfs_value(map->name, "resident_bytes") };
	struct batch batch = { .data = NULL };
	u32 i;

	for (i = 0; i < 40; i++)
		batch_put(&batch, &i, sizeof(i), big_value(), SNAPMAP_VALUE_MAX / 2);
	batch_put(&batch, "", 0, "", 0);
	assert_int_equal(batch_commit(map->fd, &batch, 0, NULL), -EMSGSIZE);
	assert_true(wait_until(is_down_to, &size, PATIENCE));
	batch_free(&batch);
}

static int setup_narrow(void **state)
{
	return fixture_new(state, 8 * MIB);
}

/*
 * A stream of updates, 60 or 24 MB in all, goes through a map that holds 8: how soon
 * memory comes back depends on the machine, that it does in time does not.
 */
static void test_steady_updates_stay_in_place_G(void **state)
{
	struct fixture *map = *state;
	u32 puts = is_slow() ? 1200 : 3000, i;
	u64 now, most = 0;

	for (i = 0; i < puts; i++) {
		assert_int_equal(put_numbered(map->fd, i % 50, 20000), 0);
		now = sysfs_value(map->name, "resident_bytes");
		most = now > most ? now : most;
	}
	note("50 values of 20000 bytes: at most %llu bytes resident", most);
	assert_true(most <= 8 * MIB);
	assert_no_leak(map->fd);
}

/* ------------------------------------------------------------- cgroups */

#define CGROUP "/sys/fs/cgroup"
#define PAYER  CGROUP "/snapmap-payer"
#define OTHER  CGROUP "/snapmap-other"

static int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t ret = write(fd, text, strlen(text));

	if (fd >= 0)
		close(fd);
	return ret < 0 ? -1 : 0;
}

static int enter_cgroup(const char *group)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/cgroup.procs", group);
	return write_file(path, "0");
}

static u64 cgroup_value(const char *group, const char *file)
{
	u64 value = ~0ULL;
	char path[128];
	FILE *from;

	snprintf(path, sizeof(path), "%s/%s", group, file);
	from = fopen(path, "re");
	if (!from)
		return ~0ULL;
	if (fscanf(from, "%llu", &value) != 1)
		value = ~0ULL;
	fclose(from);
	return value;
}

/* A line of memory.events. */
static u64 cgroup_event(const char *group, const char *event)
{
	char path[128], name[32];
	u64 value, found = 0;
	FILE *from;

	snprintf(path, sizeof(path), "%s/memory.events", group);
	from = fopen(path, "re");
	assert_non_null(from);
	while (fscanf(from, "%31s %llu", name, &value) == 2)
		if (!strcmp(name, event))
			found = value;
	fclose(from);
	return found;
}

static bool cgroups_begin(void)
{
	if (write_file(CGROUP "/cgroup.subtree_control", "+memory"))
		return false;
	mkdir(PAYER, 0755);
	mkdir(OTHER, 0755);
	return !access(PAYER "/memory.max", W_OK) && !access(OTHER "/memory.max", W_OK);
}

static bool cgroups_are_gone(void *data)
{
	(void)data;
	rmdir(PAYER);
	rmdir(OTHER);
	return access(PAYER, F_OK) && access(OTHER, F_OK);
}

static int create_in_cgroup(const char *group, const char *name)
{
	int status;
	pid_t pid = child_start();

	if (!pid)
		_exit(enter_cgroup(group) || map_create(name, FIXTURE_LIMIT));
	waitpid(pid, &status, 0);
	return status ? -1 : 0;
}

/* Commits values of 1 MiB in @group, from @first to @end; returns the first error. */
static int commit_in_cgroup(const char *group, const char *name, u32 first, u32 end)
{
	int status, fd, err = 0;
	pid_t pid = child_start();

	if (pid) {
		waitpid(pid, &status, 0);
		return WIFEXITED(status) ? -WEXITSTATUS(status) : -EOWNERDEAD;
	}
	if (enter_cgroup(group))
		_exit(EXDEV);
	fd = map_open(name, O_RDWR);
	for (; first < end && !err; first++)
		err = put_numbered(fd, first, SNAPMAP_VALUE_MAX);
	_exit(-err);
}

static bool payer_is_down_to(void *data)
{
	return cgroup_value(PAYER, "memory.current") <= *(u64 *)data;
}

#define MAP_OF_CGROUP "memory.cgroup"

/* The creator's cgroup pays, whoever commits. */
static void test_creating_cgroup_is_charged_G(void **state)
{
	u64 before, after, other, resident;

	(void)state;
	if (!cgroups_begin())
		skip_for("needs the memory controller of cgroup v2 at " CGROUP);
	assert_int_equal(create_in_cgroup(PAYER, MAP_OF_CGROUP), 0);
	before = cgroup_value(PAYER, "memory.current");
	other = cgroup_value(OTHER, "memory.current");
	assert_int_equal(commit_in_cgroup(OTHER, MAP_OF_CGROUP, 0, 32), 0);
	after = cgroup_value(PAYER, "memory.current");
	resident = sysfs_value(MAP_OF_CGROUP, "resident_bytes");
	note("payer %llu -> %llu bytes, other %llu -> %llu, map %llu", before, after, other,
	     cgroup_value(OTHER, "memory.current"), resident);
	assert_true(resident > 32 * MIB);
	assert_true(after >= before + resident - 2 * MIB);
	assert_true(after <= before + resident + 4 * MIB);
	assert_int_equal(map_destroy(MAP_OF_CGROUP), 0);
	before += MIB; /* what the kernel keeps in stock */
	assert_true(wait_until(payer_is_down_to, &before, PATIENCE));
	assert_true(wait_until(cgroups_are_gone, NULL, PATIENCE));
}

#define LITTLE "4194304"

/* Reads all of the span; returns how many pages are not zero. */
static int count_pages(const char *name)
{
	int fd = map_open(name, O_RDONLY), count = 0;
	size_t bytes, at;
	const u8 *base = map_mapping(fd, &bytes);

	for (at = PAGE; base && at < bytes; at += PAGE)
		count += base[at] != 0;
	return count;
}

/* Who reads pays for nothing but page tables: the memory is the map's. */
static void test_readers_pay_nothing_G(void **state)
{
	struct fixture *map = *state;
	static u8 value[MIB];
	int *pages = shared_page(), status;
	pid_t pid;

	if (!cgroups_begin())
		skip_for("needs the memory controller of cgroup v2 at " CGROUP);
	memset(value, 1, sizeof(value));
	for (status = 0; status < 32; status++)
		assert_int_equal(put_bytes(map->fd, (char[]){ 'A' + status, 0 }, value, MIB), 0);
	assert_int_equal(write_file(OTHER "/memory.max", LITTLE), 0);
	pid = child_start();
	if (!pid) {
		if (!enter_cgroup(OTHER))
			*pages = count_pages(map->name);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_true(*pages >= 32 * 256);
	assert_int_equal(cgroup_event(OTHER, "oom_kill"), 0);
	assert_true(wait_until(cgroups_are_gone, NULL, PATIENCE));
	munmap(pages, PAGE);
}

static pid_t start_canary(const char *group)
{
	pid_t pid = child_start();

	if (pid)
		return pid;
	if (enter_cgroup(group))
		_exit(1);
	pause();
	_exit(0);
}

/* Lets the cgroup take @bytes more. What its CPUs have in stock is given back first. */
static void set_headroom(u64 bytes)
{
	char text[32];

	assert_int_equal(write_file(PAYER "/memory.high", "0"), 0);
	assert_int_equal(write_file(PAYER "/memory.high", "max"), 0);
	snprintf(text, sizeof(text), "%llu", cgroup_value(PAYER, "memory.current") + bytes);
	assert_int_equal(write_file(PAYER "/memory.max", text), 0);
}

/*
 * Gives the cgroup ever more headroom, in steps smaller than what a growing map
 * allocates, so that each allocation is the one that fails in turn. Returns how
 * many commits have failed.
 */
static unsigned int creep_up(int fd)
{
	struct snapmap_info before;
	unsigned int failed = 0;
	u64 room = 0;
	int err;

	while (room < 3 * MIB) {
		set_headroom(room);
		assert_info(fd, &before);
		err = commit_in_cgroup(OTHER, MAP_OF_CGROUP, before.header.entries,
				       before.header.entries + 1);
		assert_true(!err || err == -ENOMEM);
		if (err) {
			assert_unchanged(fd, &before);
			failed++;
		}
		room += room < 192 << 10 ? 12 << 10 : 384 << 10;
	}
	assert_int_equal(write_file(PAYER "/memory.max", "max"), 0);
	return failed;
}

/* A full cgroup makes commits fail, and never kills who lives in it. */
static void test_full_cgroup_fails_commits_and_kills_nobody_F_G(void **state)
{
	unsigned int failed = 0, times;
	pid_t canary;
	u64 kills;
	int dead, fd;

	(void)state;
	if (!cgroups_begin())
		skip_for("needs the memory controller of cgroup v2 at " CGROUP);
	canary = start_canary(PAYER);
	assert_int_equal(create_in_cgroup(PAYER, MAP_OF_CGROUP), 0);
	fd = map_open(MAP_OF_CGROUP, O_RDWR);
	for (times = is_slow() ? 1 : 3; times; times--)
		failed += creep_up(fd);
	assert_int_equal(put_numbered(fd, 5, SNAPMAP_VALUE_MAX), 0);
	assert_no_leak(fd);
	close(fd);
	assert_int_equal(map_destroy(MAP_OF_CGROUP), 0);
	kills = cgroup_event(PAYER, "oom_kill");
	dead = waitpid(canary, NULL, WNOHANG);
	kill(canary, SIGKILL);
	waitpid(canary, NULL, 0);
	note("%u commits failed, %llu OOM kills", failed, kills);
	assert_true(wait_until(cgroups_are_gone, NULL, PATIENCE));
	assert_true(failed > 4);
	assert_int_equal(kills, 0);
	assert_int_equal(dead, 0);
}

/* Fills a transaction until that ends; returns what has ended it. */
static int fill_in_cgroup(const char *group, const char *name, u64 most)
{
	struct batch batch = { .data = NULL };
	int fd, txn, err = enter_cgroup(group);
	static u8 value[MIB / 4];

	fd = map_open(name, O_RDWR);
	txn = txn_open(fd, 0, 0);
	batch_put(&batch, "key", 3, value, sizeof(value));
	while (!err && most--)
		err = txn_write(txn, &batch);
	return err;
}

#define QUARTERS_IN_LITTLE 16

/*
 * What is written to a transaction is the writer's: its cgroup pays, fails or kills
 * it, and nobody else notices.
 */
static void test_writer_of_a_transaction_pays_E_G(void **state)
{
	struct fixture *map = *state;
	struct snapmap_info before;
	u64 payer, quarters;
	int status;
	pid_t pid;

	if (!cgroups_begin())
		skip_for("needs the memory controller of cgroup v2 at " CGROUP);
	assert_info(map->fd, &before);
	payer = cgroup_value(PAYER, "memory.current");
	assert_int_equal(write_file(OTHER "/memory.max", LITTLE), 0);
	write_file(OTHER "/memory.swap.max", "0"); /* where there is swap */
	for (quarters = 4; quarters <= 256; quarters *= 64) {
		pid = child_start();
		if (!pid)
			_exit(-fill_in_cgroup(OTHER, map->name, quarters));
		assert_int_equal(waitpid(pid, &status, 0), pid);
		note("%llu KiB: status %#x", quarters * 256, status);
		if (quarters < QUARTERS_IN_LITTLE)
			assert_int_equal(status, 0);
		else
			assert_true(WIFSIGNALED(status) ? WTERMSIG(status) == SIGKILL :
							  WEXITSTATUS(status) == ENOMEM);
	}
	assert_true(cgroup_value(PAYER, "memory.current") <= payer + MIB);
	assert_unchanged(map->fd, &before);
	assert_int_equal(put_nowait(map->fd, "key", "value"), 0);
	assert_true(wait_until(cgroups_are_gone, NULL, PATIENCE));
}

static const struct CMUnitTest tests[] = {
	plain_test(test_full_map_is_as_before_F_G),
	map_test(test_full_map_can_be_emptied_F_G),
	map_test(test_batch_beyond_the_limit_F_G),
	map_test(test_deleted_memory_is_given_back_G),
	map_test(test_memory_of_a_refused_batch_is_given_back_F_G),
	cmocka_unit_test_setup_teardown(test_steady_updates_stay_in_place_G, setup_narrow,
					fixture_teardown),
	plain_test(test_creating_cgroup_is_charged_G),
	map_test(test_readers_pay_nothing_G),
	map_test(test_writer_of_a_transaction_pays_E_G),
	plain_test(test_full_cgroup_fails_commits_and_kills_nobody_F_G),
	plain_test(test_nothing_is_left_G),
};

int main(void)
{
	return cmocka_run_group_tests_name("memory", tests, NULL, NULL);
}

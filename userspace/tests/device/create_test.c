// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * create_test.c - how maps come and go, and how they are seen
 */
#include <dirent.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>

#include "device.h"

static int create_full(const char *name, u32 mode, u32 uid, u32 gid)
{
	struct snapmap_create args;
	int fd = control_open(O_RDWR), err;

	create_args(&args, name);
	args.mode = mode;
	args.uid = uid;
	args.gid = gid;
	args.limit = SNAPMAP_LIMIT_MIN;
	err = ioc(fd, SNAPMAP_IOC_CREATE, &args);
	close(fd);
	return err;
}

static int stat_map(const char *name, struct stat *st)
{
	char path[128];

	snprintf(path, sizeof(path), "/dev/snapmap/%s", name);
	return stat(path, st) ? -errno : 0;
}

/* ------------------------------------------------------------- nodes */

static void test_node_is_as_asked(void **state)
{
	static const struct {
		u32 mode, uid, gid;
	} nodes[] = { { 0600, 0, 0 },
		      { 0640, 0, 65534 },
		      { 0444, 65534, 0 },
		      { 0001, 1000, 1000 },
		      { 0777, 12345, 54321 } };
	struct stat st;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(nodes); i++) {
		assert_int_equal(create_full("node", nodes[i].mode, nodes[i].uid, nodes[i].gid), 0);
		assert_int_equal(stat_map("node", &st), 0);
		assert_int_equal(st.st_mode, S_IFCHR | nodes[i].mode);
		assert_int_equal(st.st_uid, nodes[i].uid);
		assert_int_equal(st.st_gid, nodes[i].gid);
		assert_int_equal(map_destroy("node"), 0);
		assert_int_equal(stat_map("node", &st), -ENOENT);
	}
}

/* devtmpfs takes 0 for "as usual", so that takes some care. */
static void test_node_without_any_permission(void **state)
{
	struct stat st;

	(void)state;
	assert_int_equal(create_full("node", 0, 0, 0), 0);
	assert_int_equal(stat_map("node", &st), 0);
	assert_int_equal(map_destroy("node"), 0);
	assert_int_equal(st.st_mode, S_IFCHR);
}

static void test_control_is_for_root(void **state)
{
	struct stat st;

	(void)state;
	assert_int_equal(stat_map("control", &st), 0);
	assert_int_equal(st.st_mode, S_IFCHR | 0600);
	assert_int_equal(st.st_uid, 0);
}

/* Opens the map as user 65534; @flags of open(). */
static int open_as_nobody(const char *name, int flags)
{
	int status;
	pid_t pid = child_start();

	if (!pid) {
		if (setresgid(65534, 65534, 65534) || setresuid(65534, 65534, 65534))
			_exit(255);
		status = map_open(name, flags);
		_exit(status < 0 ? -status : 0);
	}
	waitpid(pid, &status, 0);
	return -WEXITSTATUS(status);
}

static void test_mode_decides_who_reads_and_who_commits(void **state)
{
	static const struct {
		u32 mode;
		int read, write;
	} modes[] = { { 0600, -EACCES, -EACCES },
		      { 0644, 0, -EACCES },
		      { 0666, 0, 0 },
		      { 0602, -EACCES, 0 } };
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(modes); i++) {
		assert_int_equal(create_full("mode", modes[i].mode, 0, 0), 0);
		assert_int_equal(open_as_nobody("mode", O_RDONLY), modes[i].read);
		assert_int_equal(open_as_nobody("mode", O_WRONLY), modes[i].write);
		assert_int_equal(map_destroy("mode"), 0);
	}
}

static void test_names_up_to_63_bytes(void **state)
{
	static const char *const names[] = {
		"a",	    "Z",
		"0",	    "_",
		"a.b-c_D9", "x..",
		"a-",	    "control2",
		"Control",  "123456789012345678901234567890123456789012345678901234567890123",
	};
	struct snapmap_info info;
	size_t i;
	int fd;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(names); i++) {
		assert_int_equal(map_create(names[i], 0), 0);
		fd = map_open(names[i], O_RDONLY);
		assert_true(fd >= 0);
		assert_info(fd, &info);
		assert_string_equal((char *)info.name, names[i]);
		close(fd);
		assert_int_equal(map_destroy(names[i]), 0);
	}
}

/* ------------------------------------------------------------- what a new map is */

static void test_new_map_is_empty_at_version_1(void **state)
{
	struct fixture *map = *state;
	struct snapmap_info info;
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	assert_info(map->fd, &info);
	assert_int_equal(info.header.version, 1);
	assert_int_equal(info.header.entries, 0);
	assert_int_equal(info.header.stamp, 0);
	assert_int_equal(info.header.reserved, 0);
	assert_in_range(info.header.realtime_ns / 1000000000, now.tv_sec - 60, now.tv_sec);
	assert_true(info.header.monotonic_ns <= now_ns());
	assert_int_equal(info.root, 0);
	assert_int_equal(info.state, 0);
	assert_int_equal(info.limit, FIXTURE_LIMIT);
	assert_true(info.span >= info.limit);
	assert_int_equal(info.used_blocks, 0);
	assert_int_equal(info.commits + info.conflicts + info.failures + info.pins, 0);
	assert_true(info.map_id > 0);
}

static void test_default_limit_is_the_modules(void **state)
{
	FILE *file = fopen("/sys/module/snapmap/parameters/default_limit", "re");
	u64 limit;

	(void)state;
	assert_non_null(file);
	assert_int_equal(fscanf(file, "%llu", &limit), 1);
	fclose(file);
	assert_int_equal(map_create("default", 0), 0);
	assert_int_equal(sysfs_value("default", "limit_bytes"), limit);
	assert_int_equal(map_destroy("default"), 0);
}

/* ------------------------------------------------------------- sysfs */

static void test_sysfs_has_one_value_a_file(void **state)
{
	struct fixture *map = *state;
	struct snapmap_info info;

	assert_int_equal(put_string(map->fd, "key", "value"), 0);
	assert_int_equal(put_string(map->fd, "", "bad"), -EMSGSIZE);
	assert_info(map->fd, &info);
	assert_int_equal(sysfs_value(map->name, "version"), 2);
	assert_int_equal(sysfs_value(map->name, "entries"), 1);
	assert_int_equal(sysfs_value(map->name, "key_bytes"), 3);
	assert_int_equal(sysfs_value(map->name, "value_bytes"), 5);
	assert_int_equal(sysfs_value(map->name, "limit_bytes"), info.limit);
	assert_int_equal(sysfs_value(map->name, "resident_bytes"), info.resident_bytes);
	assert_int_equal(sysfs_value(map->name, "commits"), 1);
	assert_int_equal(sysfs_value(map->name, "failures"), 1);
	assert_int_equal(sysfs_value(map->name, "conflicts"), 0);
	assert_int_equal(sysfs_value(map->name, "pins"), 0);
	assert_int_equal(sysfs_value(map->name, "blocks_copied"), info.blocks_copied);
}

/* Each file of ours holds a number and a line feed, and cannot be written to. */
static void assert_attribute(const char *dir, const char *name)
{
	char path[512], text[64], *end;
	struct stat st;
	ssize_t bytes;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	if (stat(path, &st) || !S_ISREG(st.st_mode) || !strcmp(name, "uevent") ||
	    !strcmp(name, "dev"))
		return;
	assert_int_equal(st.st_mode & 0777, 0444);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	bytes = read(fd, text, sizeof(text) - 1);
	assert_in_range(bytes, 2, 21);
	text[bytes] = 0;
	strtoull(text, &end, 10);
	assert_string_equal(end, "\n");
	close(fd);
}

static void test_sysfs_files_are_numbers(void **state)
{
	struct fixture *map = *state;
	char path[128];
	struct dirent *entry;
	int count = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/sys/class/snapmap/%s", map->name);
	dir = opendir(path);
	assert_non_null(dir);
	for (; (entry = readdir(dir)); count++)
		assert_attribute(path, entry->d_name);
	closedir(dir);
	assert_true(count >= 16);
}

static void test_maps_are_listed(void **state)
{
	char name[32];
	int i;

	(void)state;
	for (i = 0; i < 20; i++) {
		snprintf(name, sizeof(name), "listed.%d", i);
		assert_int_equal(map_create(name, SNAPMAP_LIMIT_MIN), 0);
		assert_int_equal(maps_in_sysfs(), i + 1);
		assert_int_equal(sysfs_value(name, "version"), 1);
	}
	while (i--) {
		snprintf(name, sizeof(name), "listed.%d", i);
		assert_int_equal(map_destroy(name), 0);
		assert_int_equal(maps_in_sysfs(), i);
	}
}

/* ------------------------------------------------------------- names that are taken or free */

static void test_name_is_taken_or_unknown(void **state)
{
	struct fixture *map = *state;

	assert_int_equal(map_create(map->name, 0), -EEXIST);
	assert_int_equal(map_destroy("unknown"), -ENOENT);
	assert_int_equal(map_destroy(map->name), 0);
	assert_int_equal(map_destroy(map->name), -ENOENT);
	assert_int_equal(map_open(map->name, O_RDONLY), -ENOENT);
}

/* The old map stays for its readers, and has nothing to do with the new one. */
static void test_recreated_name_is_another_map_B_G(void **state)
{
	struct fixture *map = *state;
	struct snapmap_info old, new;
	int fd;

	assert_int_equal(put_string(map->fd, "key", "old"), 0);
	assert_int_equal(map_destroy(map->name), 0);
	assert_int_equal(map_create(map->name, 0), 0);
	fd = map_open(map->name, O_RDWR);
	assert_int_equal(put_string(fd, "key", "new"), 0);
	assert_int_equal(put_string(map->fd, "key", "none"), -ENODEV);
	assert_true(key_is(map->fd, "key", "old"));
	assert_true(key_is(fd, "key", "new"));
	assert_info(map->fd, &old);
	assert_info(fd, &new);
	assert_int_equal(old.state, SNAPMAP_STATE_DESTROYED);
	assert_int_equal(new.state, 0);
	assert_true(old.map_id != new.map_id);
	assert_int_equal(map_destroy(map->name), 0);
	assert_true(key_is(map->fd, "key", "old"));
	close(fd);
}

/* A device number that is used again does not lead to another map's node. */
static void test_old_node_does_not_open_a_new_map_H(void **state)
{
	struct stat st;
	char path[64];
	int node, fd;

	(void)state;
	assert_int_equal(create_full("open.to.all", 0666, 0, 0), 0);
	node = open("/dev/snapmap/open.to.all", O_PATH | O_CLOEXEC);
	assert_true(node >= 0);
	assert_int_equal(map_destroy("open.to.all"), 0);
	assert_int_equal(create_full("secret", 0600, 0, 0), 0);
	assert_int_equal(fstat(node, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", node);
	fd = child_start();
	if (!fd) {
		if (setresuid(65534, 65534, 65534))
			_exit(255);
		_exit(open(path, O_RDONLY) < 0 ? errno : 0);
	}
	assert_int_equal(waitpid(fd, &fd, 0) > 0, 1);
	assert_int_equal(WEXITSTATUS(fd), EACCES);
	assert_int_equal(map_destroy("secret"), 0);
	close(node);
}

/* ------------------------------------------------------------- races */

#define RACERS 3

/* Creates and destroys the same name as others; returns how often both worked, or -1. */
static int race(void)
{
	int rounds = is_slow() ? 50 : 150, i, err, done = 0, fd;

	for (i = 0; i < rounds; i++) {
		err = map_create("race", SNAPMAP_LIMIT_MIN);
		if (err && err != -EEXIST)
			return -1;
		fd = map_open("race", O_RDWR);
		if (fd >= 0) {
			put_string(fd, "key", "value");
			close(map_pin(fd));
			close(fd);
		}
		err = map_destroy("race");
		if (err && err != -ENOENT)
			return -1;
		done += !err;
	}
	return done ? 0 : -1;
}

static void test_names_are_raced_for_G_H(void **state)
{
	int i, status;

	(void)state;
	for (i = 0; i < RACERS; i++)
		if (!child_start())
			_exit(race() < 0);
	for (i = 0; i < RACERS; i++) {
		assert_true(wait(&status) > 0);
		assert_int_equal(status, 0);
	}
	map_destroy("race");
	assert_int_equal(maps_in_sysfs(), 0);
}

/* ------------------------------------------------------------- nothing is left */

/* Lines of /proc/vmallocinfo that name the module. */
static int vmalloc_areas(void)
{
	FILE *file = fopen("/proc/vmallocinfo", "re");
	char line[512];
	int count = 0;

	assert_non_null(file);
	while (fgets(line, sizeof(line), file))
		count += strstr(line, "[snapmap]") != NULL;
	fclose(file);
	return count;
}

#define CACHES 128

/* Objects in use in each cache that kmalloc and friends take from. */
struct slabs {
	char name[CACHES][32];
	long objects[CACHES];
	int count;
};

static bool read_slabs(struct slabs *slabs)
{
	FILE *file = fopen("/proc/slabinfo", "re");
	char line[512];

	slabs->count = 0;
	if (!file)
		return false;
	while (slabs->count < CACHES && fgets(line, sizeof(line), file))
		if (sscanf(line, "%31s %ld", slabs->name[slabs->count],
			   &slabs->objects[slabs->count]) == 2 &&
		    (!strncmp(line, "kmalloc", 7) || !strncmp(line, "inode_cache", 11)))
			slabs->count++;
	fclose(file);
	return slabs->count > 0;
}

static int come_and_go(int maps)
{
	char name[32];
	int i, fd, err;

	for (i = 0; i < maps; i++) {
		snprintf(name, sizeof(name), "come.and.go.%d", i);
		err = map_create(name, SNAPMAP_LIMIT_MIN);
		fd = map_open(name, O_RDWR);
		if (!err)
			err = put_string(fd, "key", "value");
		close(map_pin(fd));
		close(fd);
		if (!err)
			err = map_destroy(name);
		if (err)
			return err;
	}
	return 0;
}

struct growth {
	struct slabs before;
	struct slabs after;
};

/* Each leaked object would be there a thousand times. */
static bool slabs_are_back(void *data)
{
	struct growth *growth = data;
	int i, j;

	if (!read_slabs(&growth->after))
		return false;
	for (i = 0; i < growth->before.count; i++)
		for (j = 0; j < growth->after.count; j++)
			if (!strcmp(growth->before.name[i], growth->after.name[j]) &&
			    growth->after.objects[j] > growth->before.objects[i] + 900)
				return false;
	return true;
}

static void test_thousand_maps_leave_nothing_G(void **state)
{
	static struct growth growth;
	int areas;

	(void)state;
	assert_int_equal(come_and_go(100), 0); /* what is cached for good */
	areas = vmalloc_areas();
	assert_int_equal(map_create("visible", 0), 0);
	assert_true(vmalloc_areas() > areas);
	assert_int_equal(map_destroy("visible"), 0);
	if (!read_slabs(&growth.before))
		skip_for("needs /proc/slabinfo");
	assert_int_equal(come_and_go(1000), 0);
	assert_int_equal(maps_in_sysfs(), 0);
	assert_int_equal(vmalloc_areas(), areas);
	assert_true(wait_until(slabs_are_back, &growth, PATIENCE));
}

/* As many maps as the module can number, and one more. */
static void test_most_maps_G(void **state)
{
	const char *kernel = getenv("SNAPMAP_VM");
	char name[32];
	int count, err = 0;

	(void)state;
	if (kernel && strcmp(kernel, "debian-6.12"))
		skip_for("needs debian-6.12, for it takes minutes, and is the same on all kernels");
	for (count = 0; !err && count < 10000; count++) {
		snprintf(name, sizeof(name), "many.%d", count);
		err = map_create(name, SNAPMAP_LIMIT_MIN);
	}
	note("%d maps at once", --count);
	while (count--) {
		snprintf(name, sizeof(name), "many.%d", count);
		assert_int_equal(map_destroy(name), 0);
	}
	assert_int_equal(err, -ENFILE);
}

static const struct CMUnitTest tests[] = {
	plain_test(test_node_is_as_asked),
	plain_test(test_node_without_any_permission),
	plain_test(test_control_is_for_root),
	plain_test(test_mode_decides_who_reads_and_who_commits),
	plain_test(test_names_up_to_63_bytes),
	map_test(test_new_map_is_empty_at_version_1),
	plain_test(test_default_limit_is_the_modules),
	map_test(test_sysfs_has_one_value_a_file),
	map_test(test_sysfs_files_are_numbers),
	plain_test(test_maps_are_listed),
	map_test(test_name_is_taken_or_unknown),
	map_test(test_recreated_name_is_another_map_B_G),
	plain_test(test_old_node_does_not_open_a_new_map_H),
	plain_test(test_names_are_raced_for_G_H),
	plain_test(test_thousand_maps_leave_nothing_G),
	plain_test(test_most_maps_G),
	plain_test(test_nothing_is_left_G),
};

int main(void)
{
	return cmocka_run_group_tests_name("create", tests, NULL, NULL);
}

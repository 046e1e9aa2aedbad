// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * device.c - maps, their state, and the fixture
 */
#include <dirent.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>

#include "device.h"

void note(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	printf("# ");
	vprintf(format, args);
	printf("\n");
	va_end(args);
	fflush(stdout);
}

/**
 * ioc() - ioctl() with a negative errno
 * @fd: descriptor
 * @request: number
 * @arg: its struct
 */
int ioc(int fd, unsigned long request, void *arg)
{
	int ret = ioctl(fd, request, arg);

	return ret < 0 ? -errno : ret;
}

/* ------------------------------------------------------------- maps */

int control_open(int flags)
{
	int fd = open("/dev/snapmap/control", flags | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

void create_args(struct snapmap_create *args, const char *name)
{
	memset(args, 0, sizeof(*args));
	args->mode = 0600;
	args->limit = FIXTURE_LIMIT;
	memcpy(args->name, name, strnlen(name, SNAPMAP_NAME_MAX));
}

static int control_call(unsigned long request, void *args)
{
	int fd = control_open(O_RDWR);
	int ret;

	if (fd < 0)
		return fd;
	ret = ioc(fd, request, args);
	close(fd);
	return ret;
}

int map_create_mode(const char *name, u64 limit, u32 mode)
{
	struct snapmap_create args;

	create_args(&args, name);
	args.mode = mode;
	args.limit = limit;
	return control_call(SNAPMAP_IOC_CREATE, &args);
}

int map_create(const char *name, u64 limit)
{
	return map_create_mode(name, limit, 0600);
}

int map_destroy(const char *name)
{
	struct snapmap_destroy args = { .flags = 0 };

	memcpy(args.name, name, strnlen(name, SNAPMAP_NAME_MAX));
	return control_call(SNAPMAP_IOC_DESTROY, &args);
}

int map_open(const char *name, int flags)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "/dev/snapmap/%s", name);
	fd = open(path, flags | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* A descriptor that pins the current version, or a negative errno. */
int map_pin(int fd)
{
	struct snapmap_pin args = { .flags = 0 };

	return ioc(fd, SNAPMAP_IOC_PIN, &args);
}

/* The whole span of a map or a pin; NULL on failure. */
const void *map_mapping(int fd, size_t *bytes)
{
	struct snapmap_info info = { .flags = 0 };
	void *base;

	if (ioc(fd, SNAPMAP_IOC_INFO, &info))
		return NULL;
	*bytes = info.span;
	base = mmap(NULL, info.span, PROT_READ, MAP_SHARED | MAP_NORESERVE, fd, 0);
	return base == MAP_FAILED ? NULL : base;
}

/* A number from /sys/class/snapmap, or all ones when it cannot be read. */
u64 sysfs_value(const char *name, const char *attribute)
{
	char path[192];
	u64 value = ~0ULL;
	FILE *file;

	snprintf(path, sizeof(path), "/sys/class/snapmap/%s/%s", name, attribute);
	file = fopen(path, "re");
	if (!file)
		return ~0ULL;
	if (fscanf(file, "%llu", &value) != 1)
		value = ~0ULL;
	fclose(file);
	return value;
}

/* Number of maps that there are. */
int maps_in_sysfs(void)
{
	DIR *dir = opendir("/sys/class/snapmap");
	struct dirent *entry;
	int count = 0;

	if (!dir)
		return -1;
	while ((entry = readdir(dir)))
		count += entry->d_name[0] != '.';
	closedir(dir);
	return count;
}

bool is_slow(void)
{
	static int slow = -1;

	if (slow < 0)
		slow = !access("/sys/module/snapmap/parameters/broken", F_OK);
	return slow;
}

/* The counters are not read at one moment: again, until reclaim lets two readings agree. */
void assert_info(int fd, struct snapmap_info *info)
{
	struct snapmap_info first = { .flags = 0 };

	memset(info, 0, sizeof(*info));
	do {
		assert_int_equal(ioc(fd, SNAPMAP_IOC_INFO, &first), 0);
		assert_int_equal(ioc(fd, SNAPMAP_IOC_INFO, info), 0);
	} while (info->used_blocks != first.used_blocks ||
		 info->retired_blocks != first.retired_blocks);
}

u64 map_version(int fd)
{
	struct snapmap_info info = { .flags = 0 };

	return ioc(fd, SNAPMAP_IOC_INFO, &info) ? 0 : info.header.version;
}

/* What SNAPMAP_IOC_WAIT says; @out may be NULL. */
int wait_version(int fd, u64 known, s64 timeout_ns, struct snapmap_wait *out)
{
	struct snapmap_wait args = { .version = known, .timeout_ns = timeout_ns };
	int err = ioc(fd, SNAPMAP_IOC_WAIT, &args);

	if (out)
		*out = args;
	return err;
}

/* What read(2) gives: 8 for a version, 0 at the end, or -errno. */
ssize_t read_version(int fd, u64 *version)
{
	ssize_t ret = read(fd, version, sizeof(*version));

	return ret < 0 ? -errno : ret;
}

/* SNAPMAP_IOC_GET of a key that is a string; @out may be NULL. */
int key_get(int fd, const char *key, void *buf, u32 cap, struct snapmap_get *out)
{
	struct snapmap_get args = {
		.key = (uintptr_t)key,
		.key_len = strlen(key),
		.value = (uintptr_t)buf,
		.value_len = cap,
	};
	int err = ioc(fd, SNAPMAP_IOC_GET, &args);

	if (out)
		*out = args;
	return err;
}

/* Whether a key has a value; @value NULL: whether it is absent. */
bool key_is(int fd, const char *key, const char *value)
{
	char buf[256];
	struct snapmap_get get;
	int err = key_get(fd, key, buf, sizeof(buf), &get);

	if (!value)
		return err == -ENOENT;
	return !err && get.value_len == strlen(value) && !memcmp(buf, value, get.value_len);
}

void assert_unchanged(int fd, const struct snapmap_info *before)
{
	struct snapmap_info now;

	assert_info(fd, &now);
	assert_memory_equal(&now.header, &before->header, sizeof(now.header));
	assert_int_equal(now.root, before->root);
	assert_int_equal(now.state, before->state);
	assert_int_equal(now.pins, before->pins);
	assert_int_equal(now.commits, before->commits);
	assert_int_equal(now.blocks_copied, before->blocks_copied);
	/* Reclaim may run at any time, but only to free what is retired. */
	assert_int_equal(now.used_blocks - now.retired_blocks,
			 before->used_blocks - before->retired_blocks);
}

/* ------------------------------------------------------------- waiting, chance */

void nap(unsigned int us)
{
	struct timespec time = { us / 1000000, us % 1000000 * 1000L };

	nanosleep(&time, NULL);
}

u64 now_ns(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000000000ULL + time.tv_nsec;
}

bool wait_until(bool (*holds)(void *data), void *data, int seconds)
{
	u64 end = now_ns() + seconds * 1000000000ULL;

	while (!holds(data)) {
		if (now_ns() > end)
			return false;
		nap(5000);
	}
	return true;
}

void *shared_page(void)
{
	void *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return page == MAP_FAILED ? NULL : page;
}

pid_t child_start(void)
{
	pid_t pid = fork();

	if (!pid)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	return pid;
}

bool child_has_ended(void *data)
{
	struct child *child = data;

	return waitpid(child->pid, &child->status, WNOHANG) == child->pid;
}

/* The seed of a random test: SNAPMAP_SEED, or a new one; printed either way. */
u64 seed_of_test(void)
{
	const char *given = getenv("SNAPMAP_SEED");
	u64 seed = given ? strtoull(given, NULL, 0) : now_ns() ^ (u64)getpid() << 40;

	note("SNAPMAP_SEED=%llu", seed);
	return seed;
}

/* Source: splitmix64, Sebastiano Vigna. */
u64 random_next(u64 *state)
{
	u64 z = *state += 0x9e3779b97f4a7c15ULL;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return z ^ z >> 31;
}

u64 random_below(u64 *state, u64 bound)
{
	return random_next(state) % bound;
}

/* ------------------------------------------------------------- the fixture */

int open_reader(const struct fixture *map, int flags)
{
	int fd = map_open(map->name, O_RDONLY | flags);

	assert_true(fd >= 0);
	return fd;
}

int fixture_new(void **state, u64 limit)
{
	static unsigned int number;
	struct fixture *map = calloc(1, sizeof(*map));

	snprintf(map->name, sizeof(map->name), "%s.%u", program_invocation_short_name, ++number);
	if (map_create(map->name, limit))
		return -1;
	map->fd = map_open(map->name, O_RDWR);
	*state = map;
	return map->fd < 0 ? -1 : 0;
}

int fixture_setup(void **state)
{
	return fixture_new(state, FIXTURE_LIMIT);
}

int fixture_teardown(void **state)
{
	struct fixture *map = *state;
	int err = map_destroy(map->name);

	if (map->fd >= 0)
		close(map->fd);
	free(map);
	return err && err != -ENOENT ? -1 : 0;
}

/**
 * parameter_set() - give a parameter of the module another value
 * @name: the parameter
 * @value: the value
 * @old: out: the one that it had
 *
 * Return: 0 or -1.
 */
int parameter_set(const char *name, u64 value, u64 *old)
{
	char path[128];
	FILE *file;
	int fields;

	snprintf(path, sizeof(path), "/sys/module/snapmap/parameters/%s", name);
	file = fopen(path, "r+e");
	if (!file)
		return -1;
	fields = fscanf(file, "%llu", old);
	rewind(file);
	fprintf(file, "%llu", value);
	return fclose(file) || fields != 1 ? -1 : 0;
}

/* Destroys all maps but @name and says how many; directory entries may vanish meanwhile. */
int destroy_others(const char *name)
{
	DIR *dir = opendir("/sys/class/snapmap");
	struct dirent *entry;
	int count = 0;

	while (dir && (entry = readdir(dir)))
		if (entry->d_name[0] != '.' && strcmp(entry->d_name, name))
			count += !map_destroy(entry->d_name);
	if (dir)
		closedir(dir);
	return count;
}

int plain_teardown(void **state)
{
	(void)state;
	return destroy_others("") ? -1 : 0;
}

void test_nothing_is_left_G(void **state)
{
	(void)state;
	assert_int_equal(maps_in_sysfs(), 0);
}

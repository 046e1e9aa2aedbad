// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * output_test.c - what others get to see of a mapping: debuggers, files, pipes,
 * core dumps
 */
#include <elf.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "device.h"

static const u8 *mapping_of(int fd, size_t *bytes)
{
	const u8 *base = map_mapping(fd, bytes);

	assert_non_null(base);
	return base;
}

/* Within the run of blocks that fill() makes in an empty map. */
#define VALUE_AT (600 * 1024)

static void fill(int fd)
{
	static u8 value[300000];

	memset(value, 5, sizeof(value));
	assert_int_equal(put_bytes(fd, "key", value, sizeof(value)), 0);
}

/* ------------------------------------------------------------- debuggers */

static ssize_t read_mem(const void *at, void *to, size_t bytes)
{
	int fd = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
	ssize_t ret = pread(fd, to, bytes, (off_t)(uintptr_t)at);

	close(fd);
	return ret;
}

/* As page protection lets them; writing_test.c has the other direction. */
static void test_debuggers_read_A(void **state)
{
	struct fixture *map = *state;
	u8 copy[PAGE];
	size_t bytes;
	const u8 *base = mapping_of(map->fd, &bytes);
	struct iovec own = { copy, PAGE }, theirs = { (void *)base, PAGE };

	assert_int_equal(process_vm_readv(getpid(), &own, 1, &theirs, 1, 0), PAGE);
	assert_memory_equal(copy, base, PAGE);
	memset(copy, 0xff, PAGE);
	assert_int_equal(read_mem(base, copy, PAGE), PAGE);
	assert_memory_equal(copy, base, PAGE);
	munmap((void *)base, bytes);
}

/* ------------------------------------------------------------- core dumps */

#define CORE_PATTERN "/proc/sys/kernel/core_pattern"
#define CORE	     "/tmp/snapmap-core"

static void text_swap(const char *path, const char *value, char *old, size_t room)
{
	FILE *file = fopen(path, "r+e");

	assert_non_null(file);
	if (old)
		assert_non_null(fgets(old, room, file));
	rewind(file);
	fprintf(file, "%s\n", value);
	assert_int_equal(fclose(file), 0);
}

/* Bytes of the segment that begins at @base, as the core has them; -1 when it tells of none. */
static s64 dumped_bytes(const u8 *base)
{
	FILE *file = fopen(CORE, "re");
	s64 found = -1;
	Elf64_Ehdr head;
	Elf64_Phdr part;
	int i;

	assert_non_null(file);
	assert_int_equal(fread(&head, sizeof(head), 1, file), 1);
	for (i = 0; i < head.e_phnum; i++) {
		assert_int_equal(fseek(file, head.e_phoff + i * head.e_phentsize, SEEK_SET), 0);
		assert_int_equal(fread(&part, sizeof(part), 1, file), 1);
		if (part.p_type == PT_LOAD && part.p_vaddr == (uintptr_t)base)
			found = part.p_filesz;
	}
	fclose(file);
	return found;
}

/* Dies with a core of all that may be dumped. */
static void die(void)
{
	struct rlimit limit = { RLIM_INFINITY, RLIM_INFINITY };
	int fd = open("/proc/self/coredump_filter", O_WRONLY | O_CLOEXEC);

	if (write(fd, "0x7f", 4) != 4)
		_exit(1);
	setrlimit(RLIMIT_CORE, &limit);
	signal(SIGABRT, SIG_DFL);
	abort();
}

/* A process that dies leaves nothing of the map in its core, however large the span. */
static void test_core_dumps_leave_it_out_H(void **state)
{
	struct fixture *map = *state;
	char old[256];
	size_t bytes;
	const u8 *base = mapping_of(map->fd, &bytes);
	pid_t pid;
	int status;

	fill(map->fd);
	if (access(CORE_PATTERN, W_OK))
		skip_for("needs CONFIG_COREDUMP");
	text_swap(CORE_PATTERN, CORE, old, sizeof(old));
	pid = child_start();
	if (!pid)
		die();
	assert_int_equal(waitpid(pid, &status, 0), pid);
	text_swap(CORE_PATTERN, strtok(old, "\n"), NULL, 0);
	assert_true(WCOREDUMP(status));
	assert_int_equal(dumped_bytes(base), 0);
	unlink(CORE);
	munmap((void *)base, bytes);
}

/* ------------------------------------------------------------- output from a mapping */

/* Writes two pages of a value in a mapping to a file and reads it back. */
static void assert_file_gets(const u8 *base, const char *path, int flags)
{
	u8 *copy = aligned_alloc(PAGE, 2 * PAGE);
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | flags, 0600);

	assert_true(fd >= 0);
	assert_int_equal(*base, 5);
	assert_int_equal(write(fd, base, 2 * PAGE), 2 * PAGE);
	assert_int_equal(pread(fd, copy, 2 * PAGE, 0), 2 * PAGE);
	assert_memory_equal(copy, base, 2 * PAGE);
	close(fd);
	unlink(path);
	free(copy);
}

static void test_write_from_a_mapping_A(void **state)
{
	struct fixture *map = *state;
	char path[] = "/tmp/snapmap-mapping";
	size_t bytes;
	const u8 *base = mapping_of(map->fd, &bytes);

	fill(map->fd);
	assert_file_gets(base + VALUE_AT, path, 0);
	munmap((void *)base, bytes);
}

/* The first of some directories whose file system knows O_DIRECT, or NULL. */
static const char *direct_directory(void)
{
	const char *dirs[] = { "/tmp", "/dev/shm", getenv("SNAPMAP_OUT"), "/var/tmp" };
	char path[256];
	size_t i;
	int fd;

	for (i = 0; i < ARRAY_SIZE(dirs); i++) {
		if (!dirs[i])
			continue;
		snprintf(path, sizeof(path), "%s/snapmap-direct", dirs[i]);
		fd = open(path, O_RDWR | O_CREAT | O_DIRECT | O_CLOEXEC, 0600);
		unlink(path);
		if (fd < 0)
			continue;
		close(fd);
		return dirs[i];
	}
	return NULL;
}

static void test_direct_write_from_a_mapping_A(void **state)
{
	struct fixture *map = *state;
	const char *dir = direct_directory();
	char path[256];
	size_t bytes;
	const u8 *base;

	if (!dir)
		skip_for("needs a file system with O_DIRECT");
	note("O_DIRECT in %s", dir);
	base = mapping_of(map->fd, &bytes);
	fill(map->fd);
	snprintf(path, sizeof(path), "%s/snapmap-direct", dir);
	assert_file_gets(base + VALUE_AT, path, O_DIRECT);
	munmap((void *)base, bytes);
}

/* Pages that a pipe holds without a copy may outlive the map's use of them. */
static void test_pages_in_a_pipe_outlive_the_map_G_H(void **state)
{
	struct fixture *map = *state;
	size_t bytes;
	const u8 *base = mapping_of(map->fd, &bytes);
	struct iovec pages = { (void *)base, 4 * PAGE };
	u8 copy[PAGE];
	int ends[2];

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_int_equal(vmsplice(ends[1], &pages, 1, 0), 4 * PAGE);
	munmap((void *)base, bytes);
	close(map->fd);
	map->fd = -1;
	assert_int_equal(map_destroy(map->name), 0);
	assert_int_equal(read(ends[0], copy, PAGE), PAGE);
	assert_int_equal(((const struct snapmap_control *)copy)->magic, SNAPMAP_LAYOUT_MAGIC);
	close(ends[0]);
	close(ends[1]);
}

static const struct CMUnitTest tests[] = {
	map_test(test_debuggers_read_A),
	map_test(test_core_dumps_leave_it_out_H),
	map_test(test_write_from_a_mapping_A),
	map_test(test_direct_write_from_a_mapping_A),
	map_test(test_pages_in_a_pipe_outlive_the_map_G_H),
	cmocka_unit_test(test_nothing_is_left_G),
};

int main(void)
{
	return cmocka_run_group_tests_name("output", tests, NULL, NULL);
}

// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * tracing.c - counts what the kernel does for this thread, by its trace events
 *
 * In a trace buffer of its own. Other threads do not count, nor do interrupts
 * that this one is in the way of: they are not its work.
 */
#include <sys/mount.h>
#include <sys/stat.h>

#include "tracing.h"

#define TRACEFS	 "/sys/kernel/tracing"
#define INSTANCE TRACEFS "/instances/snapmap-test"
#define SHOWN	 8

/* Bits of common_flags that say "in an interrupt": hard and soft. */
#define IN_INTERRUPT 24

static int switch_fd = -1;

static bool write_path(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
	ssize_t written = write(fd, text, strlen(text));

	if (fd >= 0)
		close(fd);
	return written == (ssize_t)strlen(text);
}

static bool write_file(const char *file, const char *text)
{
	char path[160];

	snprintf(path, sizeof(path), INSTANCE "/%s", file);
	return write_path(path, text);
}

static bool enable(const char *event)
{
	char file[64], filter[64];

	snprintf(file, sizeof(file), "events/%s/filter", event);
	snprintf(filter, sizeof(filter), "common_pid == %d && !(common_flags & %d)", gettid(),
		 IN_INTERRUPT);
	if (!write_file(file, filter))
		return false;
	snprintf(file, sizeof(file), "events/%s/enable", event);
	return write_file(file, "1");
}

bool tracing_begin(enum traced what)
{
	if (access(TRACEFS "/instances", F_OK))
		mount("tracefs", TRACEFS, "tracefs", 0, NULL);
	/*
	 * Nobody wants the names of tasks. To know them the kernel patches its
	 * scheduler at every begin and end, and emulated CPUs may trip over that.
	 */
	if (!write_path(TRACEFS "/options/record-cmd", "0"))
		return false;
	if (mkdir(INSTANCE, 0700))
		return false;
	if (!write_file("tracing_on", "0"))
		return false;
	switch_fd = open(INSTANCE "/tracing_on", O_WRONLY | O_CLOEXEC);
	if (what == TRACED_CALLS)
		return enable("raw_syscalls/sys_enter");
	return enable("kmem/kmalloc") && enable("kmem/kmem_cache_alloc") &&
	       enable("kmem/mm_page_alloc");
}

void tracing_end(void)
{
	if (switch_fd >= 0)
		close(switch_fd);
	switch_fd = -1;
	rmdir(INSTANCE);
}

void tracing_on(bool on)
{
	assert_int_equal(write(switch_fd, on ? "1" : "0", 1), 1);
}

u64 tracing_count(void)
{
	FILE *file = fopen(INSTANCE "/trace", "re");
	u64 kept, written = ~0ULL;
	char line[256];
	int shown = 0;

	assert_non_null(file);
	while (fgets(line, sizeof(line), file)) {
		if (line[0] == '#')
			sscanf(line, "# entries-in-buffer/entries-written: %llu/%llu", &kept,
			       &written);
		else if (shown++ < SHOWN)
			note("%.*s", (int)strcspn(line, "\n"), line);
	}
	fclose(file);
	assert_true(written != ~0ULL);
	return written;
}

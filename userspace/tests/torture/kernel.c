// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * kernel.c - what snapmap-torture asks of the module and of the kernel
 */
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>

#include "torture.h"

#define PARAMETERS "/sys/module/snapmap/parameters/"
#define DEBUGFS	   "/sys/kernel/debug/snapmap/"

static bool __attribute__((format(printf, 2, 3))) tell(const char *path, const char *format, ...)
{
	FILE *file = fopen(path, "we");
	va_list args;

	if (!file)
		return false;
	va_start(args, format);
	vfprintf(file, format, args);
	va_end(args);
	return !fclose(file);
}

/* Switches off a rule of a test module; "" switches all on again. */
bool kernel_break(const char *name)
{
	return tell(PARAMETERS "broken", "%s\n", name);
}

bool kernel_read(const char *map, unsigned int threads)
{
	return tell(DEBUGFS "readers", "%s %u\n", map, threads);
}

bool kernel_read_end(u64 *lookups, u64 *faults, char fault[64])
{
	FILE *file = fopen(DEBUGFS "readers", "re");
	int fields;

	if (!file)
		return false;
	fields = fscanf(file, "%llu %llu %63[^\n]", lookups, faults, fault);
	fclose(file);
	return tell(DEBUGFS "readers", "\n") && fields == 3;
}

bool kernel_read_faults(void)
{
	FILE *file = fopen(DEBUGFS "readers", "re");
	u64 lookups, faults = 0;

	if (!file)
		return false;
	if (fscanf(file, "%llu %llu", &lookups, &faults) != 2)
		faults = 0;
	fclose(file);
	return faults;
}

/* Reads on from where it was the last time. */
bool kernel_has_complained(void)
{
	static int log = -1;
	char record[8192];
	ssize_t length;

	if (log < 0)
		log = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	/* EPIPE: what comes next has been written over. */
	while ((length = read(log, record, sizeof(record) - 1)) > 0 || errno == EPIPE) {
		record[length < 0 ? 0 : length] = 0;
		if (strstr(record, "KCSAN: data-race") && strstr(record, "[snapmap]"))
			return true;
		errno = 0;
	}
	return false;
}

void kernel_print_ages(void)
{
	FILE *file = fopen(DEBUGFS "ages", "re");
	u64 below, from = 0, by_commits, by_us;

	if (!file)
		return;
	printf("how old retired blocks were when they could be used again\n");
	printf("  %21s  %14s  %14s\n", "age", "in commits", "in us");
	while (fscanf(file, "%llu %llu %llu", &below, &by_commits, &by_us) == 3) {
		if (by_commits || by_us)
			printf("  %10llu-%-10llu  %14llu  %14llu\n", from, below - 1, by_commits,
			       by_us);
		from = below;
	}
	fclose(file);
}

void kernel_filter(unsigned int entries)
{
	tell(PARAMETERS "filter_entries", "%u", entries);
}

void kernel_quarantine(unsigned int us, unsigned int commits)
{
	tell(PARAMETERS "quarantine_us", "%u", us);
	tell(PARAMETERS "quarantine_commits", "%u", commits);
}

/* Of those who ask for it in /proc/self/make-it-fail; 0 ends it. */
bool kernel_fail_allocations(unsigned int percent)
{
	static const char *const kinds[] = { "failslab", "fail_page_alloc" };
	char path[128];
	bool done = true;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		snprintf(path, sizeof(path), "/sys/kernel/debug/%s/task-filter", kinds[i]);
		done &= tell(path, "Y");
		snprintf(path, sizeof(path), "/sys/kernel/debug/%s/times", kinds[i]);
		done &= tell(path, "-1");
		snprintf(path, sizeof(path), "/sys/kernel/debug/%s/probability", kinds[i]);
		done &= tell(path, "%u", percent);
	}
	return done;
}

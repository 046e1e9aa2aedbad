// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * counters.c - what this thread has made the kernel do, counted by its trace events
 *
 * Not what an interrupt does that this thread is in the way of.
 */
#include <errno.h>
#include <linux/perf_event.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "vm.h"

#define TRACEFS	     "/sys/kernel/tracing"
#define NO_INTERRUPT "!(common_flags & 24)"

static const char *const events[] = {
	"kmem/kmalloc", "kmem/kmem_cache_alloc", "kmem/mm_page_alloc",
	"raw_syscalls/sys_enter", /* the last one */
};

#define EVENTS (sizeof(events) / sizeof(events[0]))

static int fds[EVENTS];
static struct counters before;

static int event_open(const char *event)
{
	struct perf_event_attr attr = { .type = PERF_TYPE_TRACEPOINT, .size = sizeof(attr) };
	unsigned long long id = 0;
	char path[128];
	FILE *file;
	int fd;

	snprintf(path, sizeof(path), TRACEFS "/events/%s/id", event);
	file = fopen(path, "re");
	if (!file || fscanf(file, "%llu", &id) != 1)
		id = 0;
	if (file)
		fclose(file);
	attr.config = id;
	fd = id ? (int)syscall(SYS_perf_event_open, &attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC) : -1;
	if (fd >= 0 && ioctl(fd, PERF_EVENT_IOC_SET_FILTER, NO_INTERRUPT))
		die("no filter for %s: %s", event, strerror(errno));
	return fd;
}

bool counters_open(void)
{
	size_t i;

	if (access(TRACEFS "/events", F_OK))
		mount("tracefs", TRACEFS, "tracefs", 0, NULL);
	for (i = 0; i < EVENTS; i++) {
		fds[i] = event_open(events[i]);
		if (fds[i] < 0)
			return false;
	}
	return true;
}

static struct counters read_all(void)
{
	uint64_t count[EVENTS];
	size_t i;

	for (i = 0; i < EVENTS; i++)
		if (read(fds[i], &count[i], sizeof(count[i])) != sizeof(count[i]))
			die("cannot read a counter");
	return (struct counters){ .allocations = count[0] + count[1] + count[2],
				  .calls = count[EVENTS - 1] };
}

void counters_begin(void)
{
	before = read_all();
}

void counters_end(struct counters *total)
{
	const struct counters after = read_all();

	total->allocations += after.allocations - before.allocations;
	total->calls += after.calls - before.calls - EVENTS; /* reading takes as many */
}

void counters_close(void)
{
	size_t i;

	for (i = 0; i < EVENTS; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * inject.c - make the n-th allocation of the next system calls fail
 *
 * /proc/thread-self/fail-nth counts every place where the kernel may inject a
 * failure: slab objects, pages (those of vmalloc and of page tables included),
 * and copies from and to user space. The last are kept out, for a copy that
 * fails on good memory is no case of ours: by a filter that asks for a function
 * in a stack trace of no entries.
 */
#include "inject.h"

#define DEBUGFS "/sys/kernel/debug/"

static int fail_nth = -1;

static bool set(const char *file, const char *value)
{
	int fd = open(file, O_WRONLY | O_CLOEXEC);
	ssize_t length = strlen(value);
	bool done = write(fd, value, length) == length;

	close(fd);
	return done;
}

bool inject_begin(void)
{
	static const char *const settings[][2] = {
		{ DEBUGFS "failslab/ignore-gfp-wait", "N" },
		{ DEBUGFS "failslab/verbose", "0" },
		{ DEBUGFS "fail_page_alloc/ignore-gfp-wait", "N" },
		{ DEBUGFS "fail_page_alloc/ignore-gfp-highmem", "N" },
		{ DEBUGFS "fail_page_alloc/min-order", "0" },
		{ DEBUGFS "fail_page_alloc/verbose", "0" },
		{ DEBUGFS "fail_usercopy/require-start", "1" },
		{ DEBUGFS "fail_usercopy/stacktrace-depth", "0" },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(settings); i++)
		if (!set(settings[i][0], settings[i][1]))
			return false;
	fail_nth = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	return fail_nth >= 0;
}

void inject_end(void)
{
	if (fail_nth >= 0)
		close(fail_nth);
	fail_nth = -1;
	set(DEBUGFS "fail_usercopy/require-start", "0");
	set(DEBUGFS "fail_usercopy/stacktrace-depth", "32");
}

void inject_arm(unsigned int nth)
{
	char text[16];
	int length = snprintf(text, sizeof(text), "%u", nth);

	assert_int_equal(pwrite(fail_nth, text, length, 0), length);
}

bool inject_disarm(void)
{
	char left[16] = "";
	ssize_t length = pread(fail_nth, left, sizeof(left) - 1, 0);

	assert_int_equal(pwrite(fail_nth, "0", 1, 0), 1);
	assert_true(length > 0);
	return atoi(left) == 0;
}

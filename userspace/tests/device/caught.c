// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * caught.c - tests of the tests: the module breaks a rule, and the test that
 * guards it must fail (kmod/broken.h)
 */
#include "device.h"

#define BROKEN "/sys/module/snapmap/parameters/broken"

/* Switches that rule off and all others on; "": all on. */
static int module_break(const char *name)
{
	FILE *file = fopen(BROKEN, "we");
	int err;

	if (!file)
		return -errno;
	err = fprintf(file, "%s\n", name) < 0 ? -EIO : 0;
	return fclose(file) ? -errno : err;
}

/* Runs one test of this program, alone, and says whether it has failed. */
static bool test_fails(const char *test)
{
	char command[512], line[512];
	bool failed = false;
	FILE *output;

	snprintf(command, sizeof(command),
		 "SNAPMAP_ONLY='%s' CMOCKA_MESSAGE_OUTPUT=TAP exec '%s' 2>&1", test,
		 program_invocation_name);
	output = popen(command, "re");
	assert_non_null(output);
	while (fgets(line, sizeof(line), output)) {
		failed |= !strncmp(line, "not ok ", 7) && strstr(line, test);
		line[strcspn(line, "\n")] = 0;
		note("| %s", line);
	}
	pclose(output);
	return failed;
}

void test_break_is_caught(void **state)
{
	const struct caught *caught = *state;
	bool fails;

	if (access(BROKEN, F_OK))
		skip_for("needs a test module (SNAPMAP_TEST=y), as self-built kernels get");
	assert_int_equal(module_break(caught->broken), 0);
	fails = test_fails(caught->test);
	assert_int_equal(module_break(""), 0);
	assert_true(fails);
}

/* For test_fails(). */
static void __attribute__((constructor)) choose_test(void)
{
	const char *only = getenv("SNAPMAP_ONLY");

	if (only)
		cmocka_set_test_filter(only);
}

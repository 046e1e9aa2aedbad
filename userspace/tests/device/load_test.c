// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * load_test.c - loading the module, with every allocation failing in turn, and unloading it
 */
#include <sys/stat.h>
#include <sys/syscall.h>

#include "inject.h"

#define MODULE	 "/run/snapmap-vm/snapmap.ko"
#define SECTIONS "/sys/module/snapmap/sections/.text"
#define DEBUGFS	 "/sys/kernel/debug/"

/* How many loads in a row must have had fewer steps than the one that is to fail. */
#define CALM 4

static bool write_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");
	bool done = file && fputs(text, file) >= 0;

	return (!file || !fclose(file)) && done;
}

/* The module, read once: reading it is not what is tested. */
static void *image;
static size_t image_bytes;

static bool read_image(void)
{
	FILE *file = fopen(MODULE, "r");
	struct stat stat_of;

	if (!file)
		return false;
	if (!fstat(fileno(file), &stat_of))
		image = malloc(stat_of.st_size);
	if (image)
		image_bytes = fread(image, 1, stat_of.st_size, file);
	fclose(file);
	return image && image_bytes == (size_t)stat_of.st_size;
}

static int load(void)
{
	return syscall(SYS_init_module, image, image_bytes, "") ? -errno : 0;
}

static bool unloaded(void *unused)
{
	(void)unused;
	return !syscall(SYS_delete_module, "snapmap", O_NONBLOCK);
}

static bool is_there(const char *path)
{
	struct stat stat_of;

	return !stat(path, &stat_of);
}

/* Of all that fails, let only what the module's own functions asked for fail. */
static bool only_from_module(unsigned long from, unsigned long to)
{
	static const char *const faults[] = { "failslab", "fail_page_alloc" };
	char path[128], text[32];
	bool done = true;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(faults); i++) {
		snprintf(path, sizeof(path), DEBUGFS "%s/require-start", faults[i]);
		snprintf(text, sizeof(text), "%lu", from);
		done = done && write_file(path, text);
		snprintf(path, sizeof(path), DEBUGFS "%s/require-end", faults[i]);
		snprintf(text, sizeof(text), "%lu", to);
		done = done && write_file(path, text);
	}
	return done;
}

/* Modules lie close together, and nothing else lies there. */
static bool narrow(void)
{
	FILE *file = fopen(SECTIONS, "r");
	unsigned long text = 0;

	if (file && fscanf(file, "%lx", &text) != 1)
		text = 0;
	if (file)
		fclose(file);
	text &= ~0xffffffUL;
	return text && only_from_module(text, text + (64UL << 20));
}

static void test_every_step_of_loading_fails_F(void **state)
{
	unsigned int nth, calm = 0, failures = 0;
	int err;

	(void)state;
	if (!read_image() || !inject_begin() || !narrow())
		skip_for("needs " MODULE " and CONFIG_FAULT_INJECTION_STACKTRACE_FILTER");
	assert_true(wait_until(unloaded, NULL, PATIENCE));
	for (nth = 1; calm < CALM; nth++) {
		inject_arm(nth);
		err = load();
		calm = inject_disarm() ? 0 : calm + 1;
		if (!err) {
			assert_true(wait_until(unloaded, NULL, PATIENCE));
			continue;
		}
		assert_int_equal(err, -ENOMEM);
		assert_false(is_there("/sys/module/snapmap"));
		assert_false(is_there("/sys/class/snapmap"));
		assert_false(is_there("/dev/snapmap/control"));
		failures++;
	}
	only_from_module(0, ~0UL);
	inject_end();
	note("%u of %u failing steps failed the load", failures, nth - CALM - 1);
	assert_in_range(failures, 3, nth);
	assert_int_equal(load(), 0);
	assert_int_equal(map_create("loaded", MIB), 0);
	assert_int_equal(map_destroy("loaded"), 0);
}

/* Maps go with the module; nothing of them is there when it comes again. */
static void test_maps_go_with_the_module_G(void **state)
{
	char name[16];
	int i;

	(void)state;
	if (!image && !read_image())
		skip_for("needs " MODULE);
	for (i = 0; i < 5; i++) {
		snprintf(name, sizeof(name), "gone%d", i);
		assert_int_equal(map_create(name, MIB), 0);
	}
	assert_true(wait_until(unloaded, NULL, PATIENCE));
	assert_false(is_there("/sys/class/snapmap"));
	assert_false(is_there("/dev/snapmap/gone0"));
	assert_int_equal(load(), 0);
	assert_int_equal(maps_in_sysfs(), 0);
}

/* Who comes after needs the module, whatever has become of the test. */
static int load_again(void **state)
{
	(void)state;
	only_from_module(0, ~0UL);
	inject_end();
	if (image && !is_there("/sys/module/snapmap"))
		load();
	free(image);
	image = NULL;
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_every_step_of_loading_fails_F, load_again),
		cmocka_unit_test_teardown(test_maps_go_with_the_module_G, load_again),
		cmocka_unit_test(test_nothing_is_left_G),
	};

	return cmocka_run_group_tests_name("load", tests, NULL, NULL);
}

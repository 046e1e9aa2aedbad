// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * batch_test.c - what needs no map: names, batches, bad calls
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Needs what is above. */
#include <cmocka.h>

#include <libsnapmap.h>

static void test_names(void **state)
{
	char longest[SNAPMAP_NAME_MAX + 2];

	(void)state;
	memset(longest, 'n', sizeof(longest));
	longest[SNAPMAP_NAME_MAX + 1] = 0;
	assert_false(snapmap_name_valid(longest));
	assert_true(snapmap_name_valid(longest + 1));
	assert_true(snapmap_name_valid("A.z_0-9"));
	assert_true(snapmap_name_valid("controls"));
	assert_false(snapmap_name_valid("control"));
	assert_false(snapmap_name_valid(""));
	assert_false(snapmap_name_valid(".a"));
	assert_false(snapmap_name_valid("-a"));
	assert_false(snapmap_name_valid("a b"));
	assert_false(snapmap_name_valid("a/b"));
}

static void test_sizes(void **state)
{
	struct snapmap_batch *batch = snapmap_batch_new();
	char *big = calloc(1, SNAPMAP_VALUE_MAX + 1);

	(void)state;
	assert_int_equal(snapmap_batch_put(batch, "k", 0, "", 0), -EMSGSIZE);
	assert_int_equal(snapmap_batch_put(batch, big, SNAPMAP_KEY_MAX + 1, "", 0), -EMSGSIZE);
	assert_int_equal(snapmap_batch_put(batch, "k", 1, big, SNAPMAP_VALUE_MAX + 1), -EMSGSIZE);
	assert_int_equal(snapmap_batch_put(batch, big, (size_t)1 << 40, "", 0), -EMSGSIZE);
	assert_int_equal(snapmap_batch_delete(batch, "k", 0), -EMSGSIZE);
	assert_int_equal(snapmap_batch_put_if(batch, "k", 1, "", 0, 4, 0), -EINVAL);
	assert_int_equal(snapmap_batch_delete_if(batch, "k", 1, 256, 0), -EINVAL);
	assert_int_equal(snapmap_batch_count(batch), 0);
	assert_int_equal(snapmap_batch_bytes(batch), 0);
	assert_int_equal(snapmap_batch_put(batch, big, SNAPMAP_KEY_MAX, big, SNAPMAP_VALUE_MAX), 0);
	assert_int_equal(snapmap_batch_count(batch), 1);
	assert_int_equal(snapmap_batch_bytes(batch), 16 + SNAPMAP_KEY_MAX + SNAPMAP_VALUE_MAX);
	snapmap_batch_clear(batch);
	assert_int_equal(snapmap_batch_count(batch), 0);
	assert_int_equal(snapmap_batch_put(batch, "key", 3, NULL, 0), 0);
	assert_int_equal(snapmap_batch_bytes(batch), 24);
	snapmap_batch_free(batch);
	snapmap_batch_free(NULL);
	free(big);
}

static void test_not_a_map(void **state)
{
	struct snapmap_snapshot *snapshot;
	struct snapmap *map;
	int fd = open("/dev/null", O_RDONLY);

	(void)state;
	assert_int_equal(snapmap_open("/dev/null", O_RDONLY, &map), -ENOTTY);
	assert_int_equal(snapmap_open("/nonexistent/map", O_RDONLY, &map), -ENOENT);
	assert_int_equal(snapmap_open("/dev/null", O_WRONLY, &map), -EINVAL);
	assert_int_equal(snapmap_open("/dev/null", O_RDONLY | O_CREAT, &map), -EINVAL);
	assert_int_equal(snapmap_open("control", O_RDONLY, &map), -EINVAL);
	assert_int_equal(snapmap_create("a b", NULL), -EINVAL);
	assert_int_equal(snapmap_destroy(""), -EINVAL);
	assert_int_equal(snapmap_pin_open_fd(fd, &snapshot), -ENOTTY);
	assert_int_equal(close(fd), 0);
	snapmap_close(NULL);
	snapmap_unpin(NULL);
	snapmap_iter_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_not_a_map),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

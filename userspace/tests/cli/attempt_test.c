// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * attempt_test.c - look-ups that are overtaken again and again, in a hand-made image
 *
 * ioctl() and close() are this file's: a kernel that says that whatever is read has
 * been reused, for as long as a test likes. It publishes in the middle of a look-up, too:
 * when the blocks are touched, which are protected before. No module is needed.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/mman.h>

/* Needs what is above. */
#include <cmocka.h>

#include "../../lib/attempt.h"
#include "image.h"

#define MAP_FD 1000 /* none that is open */
#define PIN_FD 1001

static struct image image __attribute__((aligned(SNAPMAP_CONTROL_SIZE)));

static struct {
	struct snapmap map;
	int pins;	 /* that have been asked for */
	int open;	 /* at the moment */
	int refuse;	 /* so many of them */
	int refuse_info; /* so many times */
	int revoke;	 /* so many of them, when they have been opened */
	bool overtakes;	 /* whoever reads */
	bool keeps;	 /* the blocks of the version before */
} kernel;

int __wrap_ioctl(int fd, unsigned long request, ...);
int __wrap_close(int fd);

static struct snapmap_control *control(void)
{
	return (void *)image.bytes;
}

/* Of the current version, so that all that is read has been overtaken. */
static void overtake(bool always)
{
	kernel.overtakes = always;
	control()->oldest = control()->version + always;
}

static void protect_blocks(int how)
{
	assert_int_equal(mprotect(image.bytes + SNAPMAP_CONTROL_SIZE,
				  sizeof(image.bytes) - SNAPMAP_CONTROL_SIZE, how),
			 0);
}

/* The same content in another version, without a filter and a directory; the slot of the one before is reused. */
static void publish(int number)
{
	u64 version = control()->version + 1;

	(void)number;
	protect_blocks(PROT_READ | PROT_WRITE);
	control()->root[version & 1] = image.snapshot.root;
	control()->filter[version & 1] = 0;
	control()->directory[version & 1] = 0;
	control()->version = version;
	control()->root[!(version & 1)] = 0;
	if (!kernel.keeps)
		overtake(kernel.overtakes);
}

/* The next look-up is overtaken by a publication. */
static void publish_meanwhile(void)
{
	struct sigaction on_touch = { .sa_handler = publish };

	sigaction(SIGSEGV, &on_touch, NULL);
	protect_blocks(PROT_NONE);
}

static int setup(void **state)
{
	(void)state;
	protect_blocks(PROT_READ | PROT_WRITE);
	image_make(&image);
	control()->version = IMAGE_VERSION;
	control()->root[IMAGE_VERSION & 1] = image.snapshot.root;
	memset(&kernel, 0, sizeof(kernel));
	kernel.map = (struct snapmap){ .fd = MAP_FD, .mapping = &image.mapping };
	overtake(true);
	return 0;
}

/* ------------------------------------------------------------- the kernel's side */

static int failed(int err)
{
	errno = err;
	return -1;
}

/* When all have been refused, whoever reads is overtaken no more. */
static int ioctl_pin(const struct snapmap_pin *pin)
{
	assert_int_equal(pin->version, 0);
	kernel.pins++;
	if (kernel.refuse) {
		overtake(--kernel.refuse);
		return failed(EMFILE);
	}
	assert_int_equal(kernel.open, 0);
	kernel.open = 1;
	return PIN_FD;
}

static int ioctl_info(struct snapmap_info *info)
{
	if (kernel.refuse_info) {
		kernel.refuse_info--;
		return failed(ESTALE);
	}
	info->header.version = control()->version;
	info->root = image.snapshot.root;
	control()->revoked = kernel.revoke ? control()->version + 1 : 0;
	kernel.revoke -= kernel.revoke > 0;
	return 0;
}

int __wrap_ioctl(int fd, unsigned long request, ...)
{
	va_list args;
	void *arg;

	va_start(args, request);
	arg = va_arg(args, void *);
	va_end(args);
	if (request == SNAPMAP_IOC_PIN) {
		assert_int_equal(fd, MAP_FD);
		return ioctl_pin(arg);
	}
	assert_int_equal(request, SNAPMAP_IOC_INFO);
	assert_int_equal(fd, PIN_FD);
	return ioctl_info(arg);
}

int __wrap_close(int fd)
{
	assert_int_equal(fd, PIN_FD);
	assert_int_equal(kernel.open, 1);
	kernel.open = 0;
	return 0;
}

/* ------------------------------------------------------------- the tests */

static void assert_value(u32 n, const char *value, size_t len)
{
	assert_int_equal(len, image_value_len(n));
	for (size_t i = 0; i < len; i++)
		assert_int_equal(value[i], 'a' + n % 26);
}

/* One by one, each overtaken by a publication or not; returns how many there are. */
static int get_all(bool meanwhile)
{
	struct snapmap_found found;
	static char value[2048];
	char key[32];
	u32 n, len;

	for (n = 0; n < IMAGE_ENTRIES; n++) {
		len = image_key(n, key);
		if (meanwhile)
			publish_meanwhile();
		assert_int_equal(snapmap_get(&kernel.map, key, len, value, sizeof(value), &found),
				 0);
		assert_value(n, value, found.value_len);
		assert_int_equal(found.version, control()->version);
		assert_int_equal(found.version, IMAGE_VERSION + (meanwhile ? n + 1 : 0));
	}
	if (meanwhile)
		publish_meanwhile();
	assert_int_equal(snapmap_get(&kernel.map, "none", 4, value, sizeof(value), NULL), -ENOENT);
	assert_int_equal(kernel.open, 0);
	return (int)n + 1;
}

/* All in one call; returns how many were found, with the right values. */
static size_t get_many(uint64_t *version)
{
	static char keys[IMAGE_ENTRIES][32], values[IMAGE_ENTRIES][2048];
	static struct snapmap_query queries[IMAGE_ENTRIES];
	size_t found;
	u32 n;

	for (n = 0; n < IMAGE_ENTRIES; n++) {
		queries[n] = (struct snapmap_query){ .key = keys[n],
						     .key_len = image_key(n, keys[n]),
						     .buf = values[n],
						     .cap = sizeof(values[n]) };
	}
	found = snapmap_get_many(&kernel.map, queries, n, version);
	for (n = 0; n < IMAGE_ENTRIES; n++)
		if (!queries[n].err)
			assert_value(n, values[n], queries[n].value_len);
	assert_int_equal(kernel.open, 0);
	return found;
}

static void assert_get_many(void)
{
	uint64_t version = 0;

	assert_int_equal(get_many(&version), IMAGE_ENTRIES);
	assert_int_equal(version, control()->version);
}

/* Promise D: while each attempt is overtaken, a pin gives what there is. */
static void test_always_overtaken_D(void **state)
{
	int lookups = get_all(true);

	(void)state;
	assert_int_equal(kernel.pins, lookups);
	assert_get_many();
	assert_int_equal(kernel.pins, lookups + 1);
}

static void test_never_overtaken_takes_no_pin(void **state)
{
	(void)state;
	overtake(false);
	get_all(false);
	assert_get_many();
	assert_int_equal(kernel.pins, 0);
}

/* Promises A and C: what another version's blocks say does not count, nor what its filter denies. */
static void test_published_meanwhile_A_C(void **state)
{
	struct snapmap_found found;
	char key[32], value[2048];
	u32 len = image_key(1, key);

	(void)state;
	overtake(false);
	get_all(true);
	assert_int_equal(kernel.pins, 0);
	control()->filter[control()->version & 1] = SNAPMAP_FILTER(IMAGE_BLOCKS / 2, 1);
	/* The filter is asked by who has not found the last key. */
	assert_int_equal(snapmap_get(&kernel.map, "missing", 7, value, sizeof(value), NULL),
			 -ENOENT);
	assert_int_equal(snapmap_get(&kernel.map, key, len, value, sizeof(value), &found), -ENOENT);
	publish_meanwhile();
	assert_int_equal(snapmap_get(&kernel.map, key, len, value, sizeof(value), &found), 0);
	assert_int_equal(found.version, control()->version);
	assert_int_equal(kernel.pins, 0);
}

/* Likewise for a leaf that the directory names for the next version already. */
static void test_directory_is_of_the_version_behind_it_A_C(void **state)
{
	u32 *slots = image_at(&image, IMAGE_DIRECTORY);
	struct snapmap_found found;
	char key[32], value[2048];
	u32 len = image_key(1, key);
	uint64_t version, directory;
	struct snapmap map;

	(void)state;
	image_add_directory(&image, &map);
	directory = control()->directory[IMAGE_VERSION & 1];
	overtake(false);
	get_all(false);
	assert_get_many();
	for (u32 i = 0; i < 16; i++)
		slots[i] = SNAPMAP_REF(IMAGE_BLOCKS / 2, 7);
	assert_int_equal(snapmap_get(&kernel.map, key, len, value, sizeof(value), &found), -ENOENT);
	publish_meanwhile();
	assert_int_equal(snapmap_get(&kernel.map, key, len, value, sizeof(value), &found), 0);
	assert_int_equal(found.version, control()->version);
	/* And of many, which go on in the version that they began with. */
	kernel.keeps = true;
	version = control()->version;
	control()->directory[version & 1] = directory;
	assert_int_equal(get_many(NULL), 0);
	publish_meanwhile();
	assert_int_equal(get_many(&version), IMAGE_ENTRIES);
	assert_int_equal(version, control()->version - 1);
	assert_int_equal(kernel.pins, 0);
}

/* What has been read of a pin that was revoked meanwhile does not count. */
static void test_revoked(void **state)
{
	int lookups;

	(void)state;
	kernel.revoke = 3;
	assert_get_many();
	assert_int_equal(kernel.pins, 3 + 1);
	kernel.revoke = 3;
	lookups = get_all(true);
	assert_int_equal(kernel.pins, 3 + 1 + 3 + lookups);
}

/* Without a pin it tries again as before. */
static void test_no_pin(void **state)
{
	(void)state;
	kernel.refuse = 5;
	assert_get_many();
	assert_int_equal(kernel.pins, 5);
	overtake(true);
	kernel.refuse = 5;
	get_all(true);
	assert_int_equal(kernel.pins, 10);
}

/* A pin that does not say what it shows is none, and is given back. */
static void test_no_info(void **state)
{
	(void)state;
	kernel.refuse_info = 2;
	assert_get_many();
	assert_int_equal(kernel.pins, 3);
	assert_int_equal(kernel.refuse_info, 0);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup(test_always_overtaken_D, setup),
	cmocka_unit_test_setup(test_never_overtaken_takes_no_pin, setup),
	cmocka_unit_test_setup(test_published_meanwhile_A_C, setup),
	cmocka_unit_test_setup(test_directory_is_of_the_version_behind_it_A_C, setup),
	cmocka_unit_test_setup(test_revoked, setup),
	cmocka_unit_test_setup(test_no_pin, setup),
	cmocka_unit_test_setup(test_no_info, setup),
};

int main(void)
{
	return cmocka_run_group_tests_name("attempt", tests, NULL, NULL);
}

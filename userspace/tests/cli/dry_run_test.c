// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * dry_run_test.c - what a file would change, against a model, on a hand-made image
 *
 * Prints its seed and takes one from SNAPMAP_SEED.
 */
#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* Needs what is above. */
#include <cmocka.h>

#include "../../cmd/dry_run.h"
#include "image.h"

#define KEYS   (IMAGE_ENTRIES + 40) /* those behind the image's are new */
#define ROUNDS 300
#define OPS    400

static struct image image;

/* What a value may be: that of the image, or another one of the same or of another length. */
enum value {
	NONE,
	OLD,
	SAME_LENGTH,
	LONGER
};

static u64 random_next(u64 *random)
{
	*random ^= *random >> 12;
	*random ^= *random << 25;
	*random ^= *random >> 27;
	return *random * 0x2545f4914f6cdd1dULL >> 32;
}

/* Returns the value that the key then has; some that were to be another are the old one. */
static enum value take(struct dry_run *run, u32 n, enum value value)
{
	u32 len = image_value_len(n);
	char key[32], bytes[2000];
	struct record record = { .key = key, .value = bytes };

	record.key_len = image_key(n, key);
	record.is_delete = value == NONE;
	memset(bytes, 'a' + n % 26, sizeof(bytes));
	if (value == SAME_LENGTH && !len)
		value = OLD;
	if (value == SAME_LENGTH)
		bytes[len - 1] = '#';
	record.value_len = value == LONGER ? len + 1 : len;
	assert_int_equal(dry_run_take(run, &record), 0);
	return value;
}

/* @values: what the file makes of each key; -1 for those that it does not name. */
static void expect(const struct dry_run *run, const int *values, bool replace)
{
	struct dry_run_sum sum, want = { .added = 0 };
	u32 n;

	for (n = 0; n < KEYS; n++) {
		bool is_old = n < IMAGE_ENTRIES;

		if (values[n] < 0)
			want.removed += replace && is_old;
		else if (values[n] == NONE)
			want.removed += is_old;
		else if (!is_old)
			want.added++;
		else if (values[n] == OLD)
			want.unchanged++;
		else
			want.changed++;
	}
	assert_int_equal(dry_run_add_up(run, replace, &sum), 0);
	assert_memory_equal(&sum, &want, sizeof(sum));
}

static void test_against_a_model(void **state)
{
	const char *seed = getenv("SNAPMAP_SEED");
	u64 random = seed ? strtoull(seed, NULL, 0) : (u64)time(NULL) * 2654435761u | 1;
	struct dry_run run;
	int values[KEYS];
	u32 round, i, n;

	(void)state;
	print_message("# SNAPMAP_SEED=%#" PRIx64 "\n", (uint64_t)random);
	image_make(&image);
	for (round = 0; round < ROUNDS; round++) {
		memset(values, 0xff, sizeof(values));
		dry_run_begin(&run, &image.snapshot);
		for (i = random_next(&random) % OPS; i; i--) {
			n = random_next(&random) % KEYS;
			values[n] = take(&run, n, random_next(&random) % 4);
		}
		expect(&run, values, false);
		expect(&run, values, true);
		dry_run_end(&run);
	}
}

static void test_nothing(void **state)
{
	struct dry_run_sum sum;
	struct dry_run run;

	(void)state;
	image_make(&image);
	dry_run_begin(&run, &image.snapshot);
	dry_run_add_up(&run, false, &sum);
	assert_int_equal(sum.added + sum.changed + sum.unchanged + sum.removed, 0);
	dry_run_add_up(&run, true, &sum);
	assert_int_equal(sum.removed, IMAGE_ENTRIES);
	dry_run_end(&run);
}

/* A snapshot whose pin is revoked in between has told nothing that counts. */
static void test_revoked(void **state)
{
	const struct record record = { .key = "key 0", .key_len = 5, .value = "" };
	struct snapmap_control *control = (void *)image.bytes;
	struct dry_run_sum sum;
	struct dry_run run;

	(void)state;
	image_make(&image);
	dry_run_begin(&run, &image.snapshot);
	assert_int_equal(dry_run_take(&run, &record), 0);
	control->revoked = image.snapshot.header.version + 1;
	assert_int_equal(dry_run_take(&run, &record), 0);
	assert_int_equal(dry_run_add_up(&run, true, &sum), -ESTALE);
	dry_run_end(&run);
}

/* A key of the length that no key may have is refused, and not counted. */
static void test_bad_key(void **state)
{
	const struct record record = { .key = "", .value = "" };
	struct dry_run_sum sum;
	struct dry_run run;

	(void)state;
	image_make(&image);
	dry_run_begin(&run, &image.snapshot);
	assert_int_not_equal(dry_run_take(&run, &record), 0);
	dry_run_add_up(&run, false, &sum);
	assert_int_equal(sum.added, 0);
	dry_run_end(&run);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_against_a_model),
		cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_revoked),
		cmocka_unit_test(test_bad_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

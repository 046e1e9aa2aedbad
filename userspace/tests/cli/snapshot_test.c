// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * snapshot_test.c - looking up, iterating and verifying, on a hand-made image
 *
 * A sound image has no faults; each kind of damage has its own; and damage of
 * any kind neither crashes the library nor keeps it from ending (promise H).
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

#include "../../lib/map.h"
#include "image.h"

#define FUZZ_ROUNDS 30000

static struct image image;

struct faults {
	u32 count;
	char all[8192];
};

static void on_fault(void *data, uint32_t block, const char *what)
{
	struct faults *faults = data;
	size_t used = strlen(faults->all);

	faults->count++;
	snprintf(faults->all + used, sizeof(faults->all) - used, "%u: %s\n", block, what);
}

static int verify(struct faults *faults)
{
	static const struct snapmap_verify_ops ops = { .fault = on_fault };

	faults->count = 0;
	faults->all[0] = 0;
	return snapmap_verify(&image.snapshot, &ops, faults);
}

static void assert_sound(void)
{
	struct faults faults;

	if (verify(&faults))
		fail_msg("faults in a sound image:\n%s", faults.all);
}

static void assert_fault(const char *what)
{
	struct faults faults;

	assert_int_equal(verify(&faults), -EUCLEAN);
	if (!strstr(faults.all, what))
		fail_msg("no fault '%s' among:\n%s", what, faults.all);
}

/* Entries given, or -EUCLEAN. */
static int count_entries(void)
{
	struct snapmap_iter *iter;
	struct snapmap_item item;
	int ret = snapmap_iter_new(&image.snapshot, &iter);
	int count = 0;

	if (ret)
		return ret;
	while ((ret = snapmap_iter_next(iter, &item)) > 0)
		count++;
	snapmap_iter_free(iter);
	return ret ? ret : count;
}

static void test_sound(void **state)
{
	(void)state;
	image_make(&image);
	assert_sound();
}

static void test_empty(void **state)
{
	(void)state;
	image_make(&image);
	image.snapshot.root = 0;
	memset(&image.snapshot.header, 0, sizeof(image.snapshot.header));
	image.snapshot.header.version = 1;
	assert_sound();
	assert_int_equal(count_entries(), 0);
}

static void test_get(void **state)
{
	struct snapmap_item item;
	char key[32];
	u32 n, len;

	(void)state;
	image_make(&image);
	for (n = 0; n < IMAGE_ENTRIES; n++) {
		len = image_key(n, key);
		assert_int_equal(snapmap_pin_get(&image.snapshot, key, len, &item), 0);
		assert_int_equal(item.value_len, image_value_len(n));
		if (item.value_len)
			assert_int_equal(((const char *)item.value)[item.value_len - 1],
					 'a' + n % 26);
		assert_int_equal(item.version, image_entry(&image, n)->version);
		key[0] = 'K';
		assert_int_equal(snapmap_pin_get(&image.snapshot, key, len, &item), -ENOENT);
	}
	assert_int_equal(snapmap_pin_get(&image.snapshot, key, 0, &item), -EMSGSIZE);
	assert_int_equal(snapmap_pin_get(&image.snapshot, key, 1025, &item), -EMSGSIZE);
}

static void test_bad_filter(void **state)
{
	struct snapmap_control *control = (void *)image.bytes;
	u64 *filter = &control->filter[IMAGE_VERSION & 1];
	u32 *runs = image_at(&image, IMAGE_FILTER);
	struct snapmap map;

	(void)state;
	image_add_filter(&image, &map);
	assert_sound();
	*(u64 *)image_at(&image, IMAGE_FILTER_RUN(0)) = ~0ULL;
	assert_sound();
	memset(image_at(&image, IMAGE_FILTER_RUN(0)), 0, 64 << SNAPMAP_BLOCK_SHIFT);
	assert_fault("the filter denies the key");
	control->version++;
	assert_sound(); /* the filter is another snapshot's by now */

	image_add_filter(&image, &map);
	*filter = IMAGE_FILTER;
	assert_fault("the filter's word 0x200 is malformed");
	*filter = IMAGE_FILTER | 13ULL << 32;
	assert_fault("the filter's word 0xd00000200 is malformed");
	*filter = IMAGE_BLOCKS | 1ULL << 32;
	assert_fault("the filter of 1 blocks lies outside the arena");

	image_add_filter(&image, &map);
	runs[1] = IMAGE_BLOCKS - 63;
	assert_fault("a run of the filter of 64 blocks lies outside the arena");
	runs[1] = runs[0] + 1;
	assert_fault("a run of the filter uses a block that is in use already");
}

static void test_bad_directory(void **state)
{
	struct snapmap_control *control = (void *)image.bytes;
	u64 *directory = &control->directory[IMAGE_VERSION & 1];
	u32 *slots = image_at(&image, IMAGE_DIRECTORY);
	struct snapmap map;

	(void)state;
	image_add_directory(&image, &map);
	assert_sound();
	slots[3] = 0;
	slots[4] = SNAPMAP_DIRECTORY_CLOSED;
	assert_sound();
	slots[5] = slots[6] ^ 1;
	assert_fault("slot 5 of the directory is wrong");
	slots[5] = slots[15];
	assert_fault("slot 5 of the directory is wrong");
	control->version++;
	assert_sound(); /* the directory is another snapshot's by now */

	image_add_directory(&image, &map);
	*directory = IMAGE_DIRECTORY << 8 | 64;
	assert_fault("the directory's word 0x30040 is malformed");
	*directory = IMAGE_DIRECTORY << 8 | 44;
	assert_fault("the directory's word 0x3002c is malformed");
	*directory = 1ULL << 40 | IMAGE_DIRECTORY << 8 | 60;
	assert_fault("the directory's word 0x1000003003c is malformed");
	*directory = IMAGE_BLOCKS << 8 | 60;
	assert_fault("the directory of 1 blocks lies outside the arena");
	*directory = IMAGE_NODE(1) << 8 | 60;
	assert_fault("the directory uses a block that is in use already");
	/* One that tells bits apart that a leaf does not: a slot is wrong where its hashes part. */
	image_add_directory(&image, &map);
	*directory = IMAGE_DIRECTORY << 8 | 61;
	assert_fault("slot 4 of the directory is wrong");
}

static void test_iterate(void **state)
{
	bool seen[IMAGE_ENTRIES] = { false };
	struct snapmap_iter *iter;
	struct snapmap_item item;
	u64 hash, last = 0;
	char text[32] = "";
	u32 number;

	(void)state;
	image_make(&image);
	assert_int_equal(snapmap_iter_new(&image.snapshot, &iter), 0);
	while (snapmap_iter_next(iter, &item) > 0) {
		memcpy(text, item.key, item.key_len);
		text[item.key_len] = 0;
		assert_int_equal(sscanf(text, "key %" SCNu32, &number), 1);
		assert_int_equal(item.value_len, image_value_len(number / 31));
		assert_false(seen[number / 31]);
		seen[number / 31] = true;
		hash = snapmap_view_hash(&image.mapping.view, item.key, item.key_len);
		/* Every leaf stands for three bits or more. */
		assert_true(hash >> 61 >= last);
		last = hash >> 61;
	}
	snapmap_iter_free(iter);
	for (number = 0; number < IMAGE_ENTRIES; number++)
		assert_true(seen[number]);
}

static void test_bad_root(void **state)
{
	static const u64 roots[] = {
		SNAPMAP_ROOT(IMAGE_TOP, 2, 2) | 1ULL << 48,
		SNAPMAP_ROOT(IMAGE_TOP, 11, 2),
		SNAPMAP_ROOT(IMAGE_TOP, 2, 8),
		SNAPMAP_ROOT(IMAGE_TOP, 2, 0),
		SNAPMAP_ROOT(IMAGE_TOP, 0, 2),
		SNAPMAP_ROOT(0, 2, 2),
	};
	u32 i;

	(void)state;
	image_make(&image);
	for (i = 0; i < sizeof(roots) / sizeof(roots[0]); i++) {
		image.snapshot.root = roots[i];
		assert_fault("root word");
	}
	image.snapshot.root = SNAPMAP_ROOT(IMAGE_BLOCKS, 2, 2);
	assert_fault("outside the arena");
	assert_int_equal(count_entries(), -EUCLEAN);
	image.snapshot.root = SNAPMAP_ROOT(7, 2, 2);
	assert_fault("outside the arena");
}

static void test_bad_nodes(void **state)
{
	u32 *top = image_at(&image, IMAGE_TOP);
	u32 *slots = image_at(&image, IMAGE_NODE(1));

	(void)state;
	image_make(&image);
	top[3] = 0;
	assert_fault("slot 3: no inner node below");

	image_make(&image);
	top[0] = top[1] = SNAPMAP_REF(IMAGE_NODE(0), 0);
	assert_fault("slot 0: lag 0, but a group of 2^1 slots");

	image_make(&image);
	top[2] = top[1];
	assert_fault("slots 0 to 2 hold one child but are no aligned group");

	image_make(&image);
	top[3] = SNAPMAP_REF(IMAGE_NODE(0), 0);
	assert_fault("an inner node uses a block that is in use already");

	image_make(&image);
	slots[IMAGE_GROUP] = slots[0];
	assert_fault("slots 0 to 32 hold one child but are no aligned group");

	image_make(&image);
	slots[0] = SNAPMAP_REF(IMAGE_BLOCKS - 7, 7);
	assert_fault("a leaf of 8 blocks lies outside the arena");

	image_make(&image);
	slots[0] = SNAPMAP_REF(IMAGE_BLOCKS - 16, 7);
	assert_fault("a leaf in the last blocks of the arena");

	image_make(&image);
	slots[0] = SNAPMAP_REF(2 * 256 + 15, 0); /* of the third region, its last tags */
	assert_fault("tags use a block that is in use already");

	image_make(&image);
	slots[0] = SNAPMAP_REF(2 * 256 + 16, 0);
	slots[1] = SNAPMAP_REF(2 * 256 + 8, 0);
	assert_fault("a leaf uses a block that is in use already");

	image_make(&image);
	slots[0] = SNAPMAP_REF(IMAGE_LEAF(4), 8);
	assert_fault("a leaf of 9 blocks");

	image_make(&image);
	slots[IMAGE_SLOTS - 1] = slots[0];
	assert_fault("a leaf uses a block that is in use already");
}

static void test_bad_tags(void **state)
{
	u32 leaf = 0;
	u32 granule;
	u8 *tags;

	(void)state;
	image_make(&image);
	while (image.place[1] >= (IMAGE_LEAF(leaf + 1) << SNAPMAP_BLOCK_SHIFT))
		leaf++;
	tags = image_tags(&image, IMAGE_LEAF(leaf));
	granule = (image.place[1] - (IMAGE_LEAF(leaf) << SNAPMAP_BLOCK_SHIFT)) >>
		  SNAPMAP_GRANULE_SHIFT;

	tags[granule] ^= 0x40;
	assert_fault("the tag is");
	tags[granule] ^= 0x40;
	tags[image.used[leaf]] = SNAPMAP_TAG_CONT;
	assert_fault("a continuation of no entry");
	tags[image.used[leaf]] = 200;
	assert_fault("a key of 0 bytes");
	tags[image.used[leaf]] = 0;
	assert_sound();
}

/* Entry 6 has 54 bytes of value, and so three granules or more. */
static void test_bad_entries(void **state)
{
	struct snapmap_entry *entry = image_entry(&image, 6);
	char key[32];
	u32 len;

	(void)state;
	image_make(&image);
	entry = image_entry(&image, 6);
	len = image_key(6, key);
	assert_int_not_equal(len % 8, 0);

	entry->version = 0;
	assert_fault("version 0 in a snapshot of version 7");
	entry->version = 8;
	assert_fault("version 8 in a snapshot of version 7");
	entry->version = 7;
	entry->check ^= 1;
	assert_fault("the check bits");
	entry->check ^= 1;
	((u8 *)(entry + 1))[len] = 1;
	assert_fault("the padding of the key is not zero");
	((u8 *)(entry + 1))[len] = 0;
	entry->value_len += SNAPMAP_GRANULE_SIZE;
	assert_fault("granules, its tags");
	entry->value_len -= SNAPMAP_GRANULE_SIZE;
	entry->value_len |= SNAPMAP_ENTRY_EXTERNAL;
	assert_fault("lies outside the leaf");
	entry->value_len = SNAPMAP_VALUE_MAX + 1;
	assert_fault("a value of 1048577 bytes");
	entry->value_len = 1500;
	assert_fault("a value of 1500 bytes lies in the leaf");
	entry->value_len = image_value_len(6);
	entry->key_len = 1025;
	assert_fault("a key of 1025 bytes");
	entry->key_len = (u16)len;
	((char *)(entry + 1))[0] = 'x';
	assert_fault("the tag is");
	((char *)(entry + 1))[0] = 'k';
	assert_sound();
}

static void test_wrong_leaf(void **state)
{
	u32 *slots = image_at(&image, IMAGE_NODE(1));
	u32 i;

	(void)state;
	image_make(&image);
	for (i = 0; i < IMAGE_GROUP; i++) {
		slots[i] = SNAPMAP_REF(IMAGE_LEAF(5), 7);
		slots[IMAGE_GROUP + i] = SNAPMAP_REF(IMAGE_LEAF(4), 7);
	}
	assert_fault("belongs to another leaf");
}

static void test_twice(void **state)
{
	struct snapmap_entry *first, *second = NULL;
	u32 leaf_bytes = SNAPMAP_LEAF_BLOCKS_MAX << SNAPMAP_BLOCK_SHIFT;
	u32 n, len;

	(void)state;
	image_make(&image);
	first = image_entry(&image, 7);
	len = 2 * SNAPMAP_GRANULE_SIZE;
	for (n = 8; n < IMAGE_ENTRIES && !second; n++)
		if (image.place[n] / leaf_bytes == image.place[7] / leaf_bytes &&
		    image_value_len(n) == image_value_len(7))
			second = image_entry(&image, n);
	assert_non_null(second);
	memcpy(second, first, len);
	assert_fault("the key stands in the leaf twice");
}

static void test_bad_values(void **state)
{
	struct snapmap_extern *external[2];
	static const u32 numbers[] = { 5, 50 };
	struct snapmap_entry *entry;
	u32 i;

	(void)state;
	image_make(&image);
	for (i = 0; i < 2; i++) {
		entry = image_entry(&image, numbers[i]);
		external[i] = (void *)((u8 *)(entry + 1) + ((entry->key_len + 7u) & ~7u));
	}
	external[0]->reserved = 1;
	assert_fault("a reserved member is not zero");
	external[0]->reserved = 0;
	external[0]->block = external[1]->block + 2;
	assert_fault("a value uses a block that is in use already");
	external[0]->block = IMAGE_BLOCKS - 2;
	assert_fault("a value of 6 blocks lies outside the arena");
	assert_int_equal(count_entries(), -EUCLEAN);
}

static void test_bad_header(void **state)
{
	struct snapmap_header *header = &image.snapshot.header;

	(void)state;
	image_make(&image);
	header->entries++;
	assert_fault("the header tells of 121 entries, there are 120");
	header->entries--;
	header->key_bytes++;
	assert_fault("bytes of keys");
	header->key_bytes--;
	header->value_bytes--;
	assert_fault("bytes of values");
	header->value_bytes++;
	header->reserved = 1;
	assert_fault("reserved member");
}

static u64 random_next(u64 *random)
{
	/* xorshift64*, Vigna 2016 */
	*random ^= *random >> 12;
	*random ^= *random << 25;
	*random ^= *random >> 27;
	return *random * 0x2545f4914f6cdd1dULL;
}

/* Damage where it matters: in the inner nodes and leaves. */
static void damage(u64 *random)
{
	u32 first = IMAGE_TOP << SNAPMAP_BLOCK_SHIFT;
	u32 bytes = (IMAGE_VALUES << SNAPMAP_BLOCK_SHIFT) - first;
	u32 times = 1 + (random_next(random) >> 60);
	u64 word;

	while (times--) {
		word = random_next(random);
		image.bytes[first + (u32)(word >> 32) % bytes] = (u8)(word >> 8);
	}
}

static void test_fuzz(void **state)
{
	const char *seed = getenv("SNAPMAP_SEED");
	u64 random = seed ? strtoull(seed, NULL, 0) : (u64)time(NULL) * 2654435761u | 1;
	struct snapmap_item item;
	struct faults faults;
	u32 round, len;
	char key[32];

	(void)state;
	print_message("# SNAPMAP_SEED=%#" PRIx64 "\n", (uint64_t)random);
	for (round = 0; round < FUZZ_ROUNDS; round++) {
		if (round % 16 == 0)
			image_make(&image);
		damage(&random);
		if (round % 64 == 63)
			image.snapshot.root ^= 1ULL << (random_next(&random) >> 58);
		verify(&faults);
		count_entries();
		len = image_key(round % IMAGE_ENTRIES, key);
		snapmap_pin_get(&image.snapshot, key, len, &item);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sound),	      cmocka_unit_test(test_empty),
		cmocka_unit_test(test_get),	      cmocka_unit_test(test_bad_filter),
		cmocka_unit_test(test_bad_directory), cmocka_unit_test(test_iterate),
		cmocka_unit_test(test_bad_root),      cmocka_unit_test(test_bad_nodes),
		cmocka_unit_test(test_bad_tags),      cmocka_unit_test(test_bad_entries),
		cmocka_unit_test(test_wrong_leaf),    cmocka_unit_test(test_twice),
		cmocka_unit_test(test_bad_values),    cmocka_unit_test(test_bad_header),
		cmocka_unit_test(test_fuzz),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * diff_test.c - comparing two snapshots, and pins that are revoked, on a
 * hand-made image
 *
 * The second snapshot is the image's own but for the path to one leaf.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* Needs what is above. */
#include <cmocka.h>

#include "image.h"

#define SECOND_TOP  120u /* block numbers, behind all values */
#define SECOND_NODE 122u
#define SECOND_LEAF 124u

static struct image image;
static struct snapmap_snapshot second;

static struct snapmap_control *control(void)
{
	return (void *)image.bytes;
}

static u32 leaf_of(u32 n)
{
	return ((image.place[n] >> SNAPMAP_BLOCK_SHIFT) - IMAGE_LEAF(0)) / SNAPMAP_LEAF_BLOCKS_MAX;
}

static void copy_blocks(u32 to, u32 from, u32 blocks)
{
	memcpy(image_at(&image, to), image_at(&image, from), blocks << SNAPMAP_BLOCK_SHIFT);
}

static void replace(u32 *slots, u32 count, u32 old, u32 new)
{
	u32 i;

	for (i = 0; i < count; i++)
		if (SNAPMAP_REF_BLOCK(slots[i]) == old)
			slots[i] = SNAPMAP_REF(new, SNAPMAP_REF_ARG(slots[i]));
}

/* The leaf's entry in the second snapshot. */
static u8 *second_entry(u32 n)
{
	return image.bytes + image.place[n] +
	       ((SECOND_LEAF - IMAGE_LEAF(leaf_of(n))) << SNAPMAP_BLOCK_SHIFT);
}

/* In the second snapshot entry @changed has another value and @removed is gone. */
static void make_second(u32 changed, u32 removed)
{
	u32 leaf = leaf_of(changed);
	u32 node = leaf / 4;
	struct snapmap_entry *entry;
	u8 *tags;

	copy_blocks(SECOND_TOP, IMAGE_TOP, 1);
	copy_blocks(SECOND_NODE, IMAGE_NODE(node), 2);
	copy_blocks(SECOND_LEAF, IMAGE_LEAF(leaf), SNAPMAP_LEAF_BLOCKS_MAX);
	replace(image_at(&image, SECOND_TOP), 4, IMAGE_NODE(node), SECOND_NODE);
	replace(image_at(&image, SECOND_NODE), 256, IMAGE_LEAF(leaf), SECOND_LEAF);
	entry = (void *)second_entry(changed);
	entry->version = 8;
	((u8 *)(entry + 1))[snapmap_pad8(entry->key_len)] ^= 1;
	tags = image_at(&image, SECOND_LEAF);
	tags += (second_entry(removed) - tags) >> SNAPMAP_GRANULE_SHIFT;
	do
		*tags++ = SNAPMAP_TAG_FREE;
	while (*tags == SNAPMAP_TAG_CONT);
	second = image.snapshot;
	second.root = SNAPMAP_ROOT(SECOND_TOP, 2, 2);
	second.header.version = 8;
}

/* Two entries of one leaf, the first with a value. */
static void make_both(u32 *changed, u32 *removed)
{
	image_make(&image);
	*changed = 1;
	*removed = 2;
	while (leaf_of(*removed) != leaf_of(*changed))
		++*removed;
	make_second(*changed, *removed);
}

static void assert_item(const struct snapmap_item *item, u32 n, const void *entry, u64 version)
{
	char key[32];

	assert_int_equal(item->key_len, image_key(n, key));
	assert_memory_equal(item->key, key, item->key_len);
	assert_int_equal(item->value_len, image_value_len(n));
	if (entry)
		assert_ptr_equal(item->value, (const u8 *)entry + sizeof(struct snapmap_entry) +
						      snapmap_pad8((u32)item->key_len));
	assert_int_equal(item->version, version);
}

static void test_changed_and_removed(void **state)
{
	struct snapmap_change change;
	struct snapmap_diff *diff;
	u32 changed, removed;
	int count = 0;
	int ret;

	(void)state;
	make_both(&changed, &removed);
	assert_int_equal(snapmap_diff_new(&image.snapshot, &second, &diff), 0);
	while ((ret = snapmap_diff_next(diff, &change)) > 0) {
		count++;
		if (change.after.key) {
			assert_item(&change.before, changed, image_entry(&image, changed),
				    2 + changed % 6);
			assert_item(&change.after, changed, second_entry(changed), 8);
		} else {
			assert_item(&change.before, removed, image_entry(&image, removed),
				    2 + removed % 6);
		}
	}
	assert_int_equal(ret, 0);
	assert_int_equal(count, 2);
	assert_int_equal(snapmap_diff_nodes(diff), 6); /* the two paths */
	assert_int_equal(snapmap_diff_next(diff, &change), 0);
	snapmap_diff_free(diff);
}

static void test_added(void **state)
{
	struct snapmap_change change;
	struct snapmap_diff *diff;
	u32 changed, removed;
	int added = 0;

	(void)state;
	make_both(&changed, &removed);
	assert_int_equal(snapmap_diff_new(&second, &image.snapshot, &diff), 0);
	while (snapmap_diff_next(diff, &change) > 0) {
		if (change.before.key)
			continue;
		assert_item(&change.after, removed, image_entry(&image, removed), 2 + removed % 6);
		added++;
	}
	assert_int_equal(added, 1);
	snapmap_diff_free(diff);
}

static void test_other_map(void **state)
{
	static struct image other;
	struct snapmap_diff *diff;

	(void)state;
	image_make(&image);
	image_make(&other);
	((struct snapmap_control *)other.bytes)->map_id = 1;
	assert_int_equal(snapmap_diff_new(&image.snapshot, &other.snapshot, &diff), -EINVAL);
	snapmap_diff_free(NULL);
}

static void on_fault(void *data, uint32_t block, const char *what)
{
	(void)block;
	(void)what;
	++*(int *)data;
}

/* Every function says so, of the revoked version and not of the next one. */
static void test_revoked(void **state)
{
	static const struct snapmap_verify_ops ops = { .fault = on_fault };
	struct snapmap_change change;
	struct snapmap_iter *iter;
	struct snapmap_item item;
	struct snapmap_diff *diff;
	u32 changed, removed, len;
	int faults = 0;
	char key[32];

	(void)state;
	make_both(&changed, &removed);
	len = image_key(changed, key);
	assert_int_equal(snapmap_diff_new(&image.snapshot, &second, &diff), 0);
	assert_int_equal(snapmap_diff_next(diff, &change), 1);
	assert_int_equal(snapmap_iter_new(&image.snapshot, &iter), 0);
	assert_int_equal(snapmap_iter_next(iter, &item), 1);
	assert_int_equal(snapmap_pin_check(&image.snapshot), 0);

	control()->revoked = 8;
	memset(image_at(&image, IMAGE_LEAF(leaf_of(changed))), 0xff, SNAPMAP_BLOCK_SIZE);
	assert_int_equal(snapmap_pin_check(&image.snapshot), -ESTALE);
	assert_int_equal(snapmap_pin_get(&image.snapshot, key, len, &item), -ESTALE);
	assert_int_equal(snapmap_iter_next(iter, &item), -ESTALE);
	assert_int_equal(snapmap_diff_next(diff, &change), -ESTALE);
	assert_int_equal(snapmap_verify(&image.snapshot, &ops, &faults), -ESTALE);
	assert_int_equal(faults, 0);
	assert_int_equal(snapmap_pin_check(&second), 0);
	assert_int_equal(snapmap_pin_get(&second, key, len, &item), 0);
	snapmap_iter_free(iter);
	snapmap_diff_free(diff);
	image.snapshot.root = SNAPMAP_ROOT(IMAGE_BLOCKS, 2, 2);
	assert_int_equal(snapmap_iter_new(&image.snapshot, &iter), -ESTALE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_changed_and_removed),
		cmocka_unit_test(test_added),
		cmocka_unit_test(test_other_map),
		cmocka_unit_test(test_revoked),
	};

	return cmocka_run_group_tests_name("diff", tests, NULL, NULL);
}

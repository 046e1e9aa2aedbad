// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * diff_test.c - comparing two snapshots, and pins that are revoked, on a
 * hand-made image
 *
 * The second snapshot is the image's own but for the path to one leaf.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

/* Needs what is above. */
#include <cmocka.h>

#include "image.h"

#define SECOND_TOP  144u /* block numbers, behind all values */
#define SECOND_NODE 148u
#define SECOND_LEAF 152u

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
	copy_blocks(SECOND_NODE, IMAGE_NODE(node), 4);
	copy_blocks(SECOND_LEAF, IMAGE_LEAF(leaf), SNAPMAP_LEAF_BLOCKS_MAX);
	tags = image_tags(&image, SECOND_LEAF);
	memcpy(tags, image_tags(&image, IMAGE_LEAF(leaf)), SNAPMAP_LEAF_GRANULES_MAX);
	replace(image_at(&image, SECOND_TOP), 4, IMAGE_NODE(node), SECOND_NODE);
	replace(image_at(&image, SECOND_NODE), 256, IMAGE_LEAF(leaf), SECOND_LEAF);
	entry = (void *)second_entry(changed);
	entry->version = 8;
	((u8 *)(entry + 1))[snapmap_pad8(entry->key_len)] ^= 1;
	tags += (second_entry(removed) - (u8 *)image_at(&image, SECOND_LEAF)) >>
		SNAPMAP_GRANULE_SHIFT;
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

/* ------------------------------------------------------------- blocks that change meanwhile */

#define CHANGING_BLOCKS (SECOND_LEAF + 1 + SNAPMAP_LAST_BLOCKS)
#define CHANGING_BYTES	((size_t)CHANGING_BLOCKS << SNAPMAP_BLOCK_SHIFT)
#define FAULTS_SEEN	300000

static volatile u8 touched;

/* Both snapshots, in a mapping whose last byte is the last before memory that faults. */
static u8 *make_changing(struct snapmap_mapping *mapping)
{
	size_t room = (CHANGING_BYTES + 4095) & ~(size_t)4095;
	u8 *base =
		mmap(NULL, room + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	u32 changed, removed;

	assert_ptr_not_equal(base, MAP_FAILED);
	assert_int_equal(mprotect(base + room, 4096, PROT_NONE), 0);
	make_both(&changed, &removed);
	base += room - CHANGING_BYTES;
	memcpy(base, image.bytes, CHANGING_BYTES);
	*mapping = (struct snapmap_mapping){ .view = snapmap_view_of(base, CHANGING_BLOCKS),
					     .refs = 1 };
	image.snapshot.mapping = mapping;
	second.mapping = mapping;
	return base;
}

struct changer {
	u8 *base;
	int stop;
};

/* Any word of nodes and leaves, or, more often, one that holds an entry's lengths. */
static volatile u32 *choose_word(const struct changer *changer, u64 random)
{
	u32 first = IMAGE_TOP << SNAPMAP_BLOCK_SHIFT;
	u32 place = image.place[(random >> 32) % IMAGE_ENTRIES];

	if (random % 4 == 0)
		place = first + (u32)(random >> 32) % (u32)(CHANGING_BYTES - first);
	else
		place += offsetof(struct snapmap_entry, value_len) + (random & 4);
	return (volatile u32 *)(changer->base + (place & ~3U));
}

/* Words go to and fro between what they are and anything, until told to stop. */
static void *change_blocks(void *data)
{
	struct changer *changer = data;
	u64 random = 88172645463325252ULL;
	volatile u32 *word;
	u32 was;
	int i;

	while (!__atomic_load_n(&changer->stop, __ATOMIC_RELAXED)) {
		random = random * 6364136223846793005ULL + 1442695040888963407ULL;
		word = choose_word(changer, random >> 8);
		was = *word;
		for (i = 0; i < 1000; i++) {
			*word = (u32)(random >> 7);
			*word = was;
		}
	}
	return NULL;
}

static void touch(const void *bytes, size_t len)
{
	const u8 *at = bytes;
	size_t i;

	for (i = 0; i < len; i += 61)
		touched = at[i];
	if (len)
		touched = at[len - 1];
}

/* Returns how many faults a verification has found. */
static int read_everything(const struct snapmap_snapshot *snapshot)
{
	static const struct snapmap_verify_ops ops = { .fault = on_fault };
	struct snapmap_change change;
	struct snapmap_iter *iter;
	struct snapmap_item item;
	struct snapmap_diff *diff;
	int faults = 0;

	if (!snapmap_iter_new(snapshot, &iter)) {
		while (snapmap_iter_next(iter, &item) > 0)
			touch(item.value, item.value_len);
		snapmap_iter_free(iter);
	}
	assert_int_equal(snapmap_diff_new(snapshot, &second, &diff), 0);
	while (snapmap_diff_next(diff, &change) > 0) {
		touch(change.key, change.key_len);
		touch(change.before.value, change.before.value_len);
		touch(change.after.value, change.after.value_len);
	}
	snapmap_diff_free(diff);
	snapmap_verify(snapshot, &ops, &faults);
	return faults;
}

/* Promise H: as a revoked pin's blocks do. */
static void test_blocks_change_meanwhile(void **state)
{
	struct snapmap_mapping mapping;
	struct changer changer = { .base = make_changing(&mapping) };
	pthread_t thread;
	int faults = 0;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, change_blocks, &changer), 0);
	while (faults < FAULTS_SEEN)
		faults += read_everything(&image.snapshot);
	__atomic_store_n(&changer.stop, 1, __ATOMIC_RELAXED);
	assert_int_equal(pthread_join(thread, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_changed_and_removed),
		cmocka_unit_test(test_added),
		cmocka_unit_test(test_other_map),
		cmocka_unit_test(test_revoked),
		cmocka_unit_test(test_blocks_change_meanwhile),
	};

	return cmocka_run_group_tests_name("diff", tests, NULL, NULL);
}

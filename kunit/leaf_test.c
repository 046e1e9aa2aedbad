// SPDX-License-Identifier: GPL-2.0-only
/*
 * leaf_test.c - KUnit suite of kmod/leaf.c
 */
#include <kunit/test.h>

#include "../kmod/arena.h"
#include "../kmod/leaf.h"

#define TEST_SEED	42
#define LEAF_BYTES	(SNAPMAP_LEAF_BLOCKS_MAX << SNAPMAP_BLOCK_SHIFT)

static struct snapmap_item item_of(const u64 *key, const void *value, u32 value_len)
{
	return (struct snapmap_item){
		.hash = snapmap_hash(TEST_SEED, key, sizeof(*key)),
		.key = key,
		.key_len = sizeof(*key),
		.value = value,
		.value_len = value_len,
		.version = 2,
	};
}

static u32 find(const u8 *leaf, u32 blocks, u64 key, struct snapmap_hit *hit)
{
	const struct snapmap_view view = {};

	return snapmap_leaf_find(&view, leaf, blocks, snapmap_hash(TEST_SEED, &key, sizeof(key)),
				 &key, sizeof(key), hit);
}

/* A leaf of every size takes entries until it is full, and finds each. */
static void test_fill(struct kunit *test)
{
	u8 *leaf = kunit_kmalloc(test, LEAF_BYTES, GFP_KERNEL);
	struct snapmap_item item;
	struct snapmap_hit hit;
	u64 key, entries;
	u32 blocks;

	KUNIT_ASSERT_NOT_NULL(test, leaf);
	for (blocks = 1; blocks <= SNAPMAP_LEAF_BLOCKS_MAX; blocks++) {
		memset(leaf, 0, blocks * SNAPMAP_BLOCK_GRANULES);
		for (entries = 0; ; entries++) {
			item = item_of(&entries, &entries, sizeof(entries));
			if (!snapmap_leaf_add(leaf, blocks, &item))
				break;
		}
		KUNIT_EXPECT_EQ(test, snapmap_leaf_used(leaf, blocks),
				blocks * SNAPMAP_BLOCK_GRANULES - snapmap_tag_granules(blocks));
		for (key = 0; key < entries; key++) {
			KUNIT_ASSERT_NE(test, find(leaf, blocks, key, &hit), 0U);
			KUNIT_EXPECT_EQ(test, *(u64 *)hit.value, key);
		}
		KUNIT_EXPECT_EQ(test, find(leaf, blocks, entries, &hit), 0U);
	}
}

/* Removing frees exactly the entry's granules. */
static void test_remove(struct kunit *test)
{
	u8 *leaf = kunit_kzalloc(test, LEAF_BYTES, GFP_KERNEL);
	u8 value[300] = {};
	struct snapmap_item item;
	struct snapmap_hit hit;
	u64 key;
	u32 used;

	KUNIT_ASSERT_NOT_NULL(test, leaf);
	for (key = 0; key < 8; key++) {
		item = item_of(&key, value, key * 40);
		KUNIT_ASSERT_TRUE(test, snapmap_leaf_add(leaf, SNAPMAP_LEAF_BLOCKS_MAX, &item));
	}
	for (key = 0; key < 8; key++) {
		item = item_of(&key, value, key * 40);
		used = snapmap_leaf_used(leaf, SNAPMAP_LEAF_BLOCKS_MAX);
		snapmap_leaf_remove(leaf, find(leaf, SNAPMAP_LEAF_BLOCKS_MAX, key, &hit));
		KUNIT_EXPECT_EQ(test, snapmap_leaf_used(leaf, SNAPMAP_LEAF_BLOCKS_MAX),
				used - snapmap_item_granules(&item));
		KUNIT_EXPECT_EQ(test, find(leaf, SNAPMAP_LEAF_BLOCKS_MAX, key, &hit), 0U);
	}
	KUNIT_EXPECT_EQ(test, snapmap_leaf_used(leaf, SNAPMAP_LEAF_BLOCKS_MAX), 0U);
}

/* A split by a hash bit puts every entry into exactly one half. */
static void test_split(struct kunit *test)
{
	u8 *leaf = kunit_kzalloc(test, LEAF_BYTES, GFP_KERNEL);
	u8 *half[2] = { kunit_kzalloc(test, LEAF_BYTES, GFP_KERNEL),
			kunit_kzalloc(test, LEAF_BYTES, GFP_KERNEL) };
	struct snapmap_leaf_filter filter = { .seed = TEST_SEED, .bit = 5 };
	struct snapmap_item item;
	struct snapmap_hit hit;
	u64 key;
	int bit;

	KUNIT_ASSERT_TRUE(test, leaf && half[0] && half[1]);
	for (key = 0; key < 50; key++) {
		item = item_of(&key, &key, sizeof(key));
		KUNIT_ASSERT_TRUE(test, snapmap_leaf_add(leaf, SNAPMAP_LEAF_BLOCKS_MAX, &item));
	}
	for (filter.want = 0; filter.want < 2; filter.want++)
		KUNIT_EXPECT_TRUE(test, snapmap_leaf_copy(half[filter.want],
							  SNAPMAP_LEAF_BLOCKS_MAX, leaf,
							  SNAPMAP_LEAF_BLOCKS_MAX, &filter, true));
	for (key = 0; key < 50; key++) {
		bit = snapmap_hash(TEST_SEED, &key, sizeof(key)) >> 58 & 1;
		KUNIT_EXPECT_NE(test, find(half[bit], SNAPMAP_LEAF_BLOCKS_MAX, key, &hit), 0U);
		KUNIT_EXPECT_EQ(test, find(half[!bit], SNAPMAP_LEAF_BLOCKS_MAX, key, &hit), 0U);
	}
}

/* Promise H: a look-up in a leaf of any bytes stays inside of it. */
static void test_garbage(struct kunit *test)
{
	struct snapmap_arena arena = { .blocks = 0 };
	const struct snapmap_view view = { .arena = &arena };
	struct snapmap_hit hit;
	u32 blocks, round;
	u8 *leaf;
	u64 key = 7;
	u64 hash = snapmap_hash(TEST_SEED, &key, sizeof(key));

	for (round = 0; round < 2000; round++) {
		blocks = 1 + round % SNAPMAP_LEAF_BLOCKS_MAX;
		leaf = kmalloc(blocks << SNAPMAP_BLOCK_SHIFT, GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, leaf);
		get_random_bytes(leaf, blocks << SNAPMAP_BLOCK_SHIFT);
		memset(leaf, snapmap_hash_tag(hash), blocks * SNAPMAP_BLOCK_GRANULES);
		if (snapmap_leaf_find(&view, leaf, blocks, hash, &key, sizeof(key), &hit))
			KUNIT_EXPECT_LE(test, (const u8 *)hit.value + hit.value_len - leaf,
					(long)(blocks << SNAPMAP_BLOCK_SHIFT));
		kfree(leaf);
	}
}

static struct kunit_case leaf_cases[] = {
	KUNIT_CASE(test_fill),
	KUNIT_CASE(test_remove),
	KUNIT_CASE(test_split),
	KUNIT_CASE(test_garbage),
	{}
};

static struct kunit_suite leaf_suite = {
	.name = "snapmap_leaf",
	.test_cases = leaf_cases,
};

kunit_test_suite(leaf_suite);

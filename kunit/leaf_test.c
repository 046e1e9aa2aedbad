// SPDX-License-Identifier: GPL-2.0-only
/*
 * leaf_test.c - KUnit suite of kmod/leaf.c
 */
#include <kunit/test.h>
#include <linux/prandom.h>
#include <linux/slab.h>

#include "../kmod/arena.h"
#include "../kmod/leaf.h"

#define TEST_SEED	42
#define LEAF_BYTES	(SNAPMAP_LEAF_BLOCKS_MAX << SNAPMAP_BLOCK_SHIFT)
#define NONE		((u32)SNAPMAP_NO_GRANULE)

/* A leaf with no entries; the allocations are as long as it is, and KASAN minds their ends. */
static struct snapmap_leaf leaf_of(struct kunit *test, u32 blocks)
{
	struct snapmap_leaf leaf = {
		.tags = kunit_kzalloc(test, blocks * SNAPMAP_BLOCK_GRANULES, GFP_KERNEL),
		.bytes = kunit_kzalloc(test, blocks << SNAPMAP_BLOCK_SHIFT, GFP_KERNEL),
		.blocks = blocks,
	};

	KUNIT_ASSERT_NOT_NULL(test, leaf.tags);
	KUNIT_ASSERT_NOT_NULL(test, leaf.bytes);
	return leaf;
}

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

static u32 find_hash(const struct snapmap_leaf *leaf, u64 hash, const void *key, u32 key_len,
		     struct snapmap_hit *hit)
{
	struct snapmap_arena arena = { .blocks = 0 };
	const struct snapmap_view view = { .arena = &arena };
	u32 granule = snapmap_leaf_find(leaf, hash, key, key_len);

	if (granule != NONE && !snapmap_hit_fill(&view, leaf, granule, key_len, hit))
		return NONE;
	return granule;
}

static u32 find(const struct snapmap_leaf *leaf, u64 key, struct snapmap_hit *hit)
{
	return find_hash(leaf, snapmap_hash(TEST_SEED, &key, sizeof(key)), &key, sizeof(key), hit);
}

/* A leaf of every size takes entries until it is full, and finds each. */
static void test_fill(struct kunit *test)
{
	struct snapmap_leaf leaf;
	struct snapmap_item item;
	struct snapmap_hit hit;
	u64 key, entries;
	u32 blocks;

	for (blocks = 1; blocks <= SNAPMAP_LEAF_BLOCKS_MAX; blocks++) {
		leaf = leaf_of(test, blocks);
		for (entries = 0; ; entries++) {
			item = item_of(&entries, &entries, sizeof(entries));
			if (!snapmap_leaf_add(&leaf, &item))
				break;
		}
		KUNIT_EXPECT_EQ(test, snapmap_leaf_used(&leaf), blocks * SNAPMAP_BLOCK_GRANULES);
		for (key = 0; key < entries; key++) {
			KUNIT_ASSERT_NE(test, find(&leaf, key, &hit), NONE);
			KUNIT_EXPECT_EQ(test, *(u64 *)hit.value, key);
		}
		KUNIT_EXPECT_EQ(test, find(&leaf, entries, &hit), NONE);
	}
}

/* Removing frees exactly the entry's granules. */
static void test_remove(struct kunit *test)
{
	struct snapmap_leaf leaf = leaf_of(test, SNAPMAP_LEAF_BLOCKS_MAX);
	u8 value[300] = {};
	struct snapmap_item item;
	struct snapmap_hit hit;
	u64 key;
	u32 used;

	for (key = 0; key < 8; key++) {
		item = item_of(&key, value, key * 20);
		KUNIT_ASSERT_TRUE(test, snapmap_leaf_add(&leaf, &item));
	}
	for (key = 0; key < 8; key++) {
		item = item_of(&key, value, key * 20);
		used = snapmap_leaf_used(&leaf);
		snapmap_leaf_remove(&leaf, find(&leaf, key, &hit));
		KUNIT_EXPECT_EQ(test, snapmap_leaf_used(&leaf),
				used - snapmap_item_granules(&item));
		KUNIT_EXPECT_EQ(test, find(&leaf, key, &hit), NONE);
	}
	KUNIT_EXPECT_EQ(test, snapmap_leaf_used(&leaf), 0U);
}

/* Copies what @filter means. */
static bool copy_meant(const struct snapmap_leaf *to, const struct snapmap_leaf *from,
		       const struct snapmap_leaf_filter *filter, bool home)
{
	u64 set;

	snapmap_leaf_select(from, filter, &set);
	return snapmap_leaf_copy(to, from, set, home);
}

/* A split by a hash bit puts every entry into exactly one half. */
static void test_split(struct kunit *test)
{
	struct snapmap_leaf leaf = leaf_of(test, SNAPMAP_LEAF_BLOCKS_MAX);
	struct snapmap_leaf half[2] = { leaf_of(test, SNAPMAP_LEAF_BLOCKS_MAX),
					leaf_of(test, SNAPMAP_LEAF_BLOCKS_MAX) };
	struct snapmap_leaf_filter filter = { .seed = TEST_SEED, .bit = 5 };
	struct snapmap_item item;
	struct snapmap_hit hit;
	u64 key;
	int bit;

	for (key = 0; key < 50; key++) {
		item = item_of(&key, &key, sizeof(key));
		KUNIT_ASSERT_TRUE(test, snapmap_leaf_add(&leaf, &item));
	}
	for (filter.want = 0; filter.want < 2; filter.want++)
		KUNIT_EXPECT_TRUE(test, copy_meant(&half[filter.want], &leaf, &filter, true));
	for (key = 0; key < 50; key++) {
		bit = snapmap_hash(TEST_SEED, &key, sizeof(key)) >> 58 & 1;
		KUNIT_EXPECT_NE(test, find(&half[bit], key, &hit), NONE);
		KUNIT_EXPECT_EQ(test, find(&half[!bit], key, &hit), NONE);
	}
}

/* The smallest leaf for so many granules has the room, a smaller one not. */
static void test_leaf_sizes(struct kunit *test)
{
	u32 granules, blocks;

	for (granules = 1; granules <= SNAPMAP_LEAF_GRANULES_MAX; granules++) {
		blocks = snapmap_leaf_size_for(granules);
		KUNIT_EXPECT_LE(test, blocks, (u32)SNAPMAP_LEAF_BLOCKS_MAX);
		KUNIT_EXPECT_GE(test, blocks * SNAPMAP_BLOCK_GRANULES, granules);
		KUNIT_EXPECT_LT(test, (blocks - 1) * SNAPMAP_BLOCK_GRANULES, granules);
	}
	KUNIT_EXPECT_GT(test, snapmap_leaf_size_for(granules), (u32)SNAPMAP_LEAF_BLOCKS_MAX);
}

/* Up to which length a value lies in the leaf, for the shortest and the longest key. */
static void test_inline_limit(struct kunit *test)
{
	static const u32 keys[] = { 1, 8, 9, SNAPMAP_KEY_MAX - 1, SNAPMAP_KEY_MAX };
	struct snapmap_item item = {};
	u32 i, most;

	for (i = 0; i < ARRAY_SIZE(keys); i++) {
		most = SNAPMAP_ENTRY_INLINE_MAX - sizeof(struct snapmap_entry) - ALIGN(keys[i], 8);
		KUNIT_EXPECT_TRUE(test, snapmap_value_is_inline(keys[i], 0));
		KUNIT_EXPECT_TRUE(test, snapmap_value_is_inline(keys[i], most));
		KUNIT_EXPECT_FALSE(test, snapmap_value_is_inline(keys[i], most + 1));
		KUNIT_EXPECT_FALSE(test, snapmap_value_is_inline(keys[i], SNAPMAP_VALUE_MAX));
		item.key_len = keys[i];
		item.value_len = most;
		KUNIT_EXPECT_EQ(test, snapmap_item_granules(&item),
				(u32)SNAPMAP_ENTRY_GRANULES_MAX);
	}
}

/* Every length of key, with a value inside and, by reference, outside of the leaf. */
static void test_key_lengths(struct kunit *test)
{
	static const u32 lengths[] = { 1, 7, 8, 9, 15, 16, 17, SNAPMAP_KEY_MAX - 1,
				       SNAPMAP_KEY_MAX };
	struct snapmap_leaf leaf = leaf_of(test, SNAPMAP_LEAF_BLOCKS_MAX);
	u8 *key = kunit_kzalloc(test, SNAPMAP_KEY_MAX, GFP_KERNEL);
	const struct snapmap_entry *entry;
	struct snapmap_item item;
	struct snapmap_hit hit;
	u32 i, granule;

	KUNIT_ASSERT_NOT_NULL(test, key);
	memset(key, 'k', SNAPMAP_KEY_MAX);
	for (i = 0; i < 2 * ARRAY_SIZE(lengths); i++) {
		snapmap_leaf_empty(&leaf);
		item = (struct snapmap_item){ .key = key, .key_len = lengths[i / 2], .version = 3,
					      .value = "value", .value_len = 5 };
		item.hash = snapmap_hash(TEST_SEED, key, item.key_len);
		if (i % 2) {
			item.block = 77;
			item.value_len = SNAPMAP_VALUE_MAX;
		}
		KUNIT_ASSERT_TRUE(test, snapmap_leaf_add(&leaf, &item));
		granule = snapmap_leaf_next(&leaf, 0);
		entry = snapmap_leaf_entry(&leaf, granule);
		KUNIT_EXPECT_EQ(test, snapmap_entry_granules(entry), snapmap_item_granules(&item));
		KUNIT_EXPECT_EQ(test, snapmap_entry_value_len(entry), item.value_len);
		KUNIT_EXPECT_EQ(test, snapmap_entry_block(entry), item.block);
		KUNIT_EXPECT_EQ(test, snapmap_leaf_used(&leaf), snapmap_item_granules(&item));
		KUNIT_EXPECT_EQ(test, snapmap_leaf_next(&leaf, granule + 1), NONE);
		if (i % 2)
			continue;
		KUNIT_EXPECT_EQ(test, find_hash(&leaf, item.hash, key, item.key_len, &hit),
				granule);
		KUNIT_EXPECT_EQ(test, memcmp(hit.value, "value", 5), 0);
		KUNIT_EXPECT_EQ(test, hit.version, 3ULL);
	}
}

/* Keys whose hashes are equal in all bits are told apart by their bytes. */
static void test_equal_hashes(struct kunit *test)
{
	struct snapmap_leaf leaf = leaf_of(test, SNAPMAP_LEAF_BLOCKS_MAX);
	const u64 hash = 0x123456789abcdef0ULL;
	struct snapmap_item item;
	struct snapmap_hit hit;
	u64 key, entries;

	for (entries = 0; ; entries++) {
		item = item_of(&entries, &entries, sizeof(entries));
		item.hash = hash;
		if (!snapmap_leaf_add(&leaf, &item))
			break;
	}
	KUNIT_EXPECT_EQ(test, entries, (u64)SNAPMAP_LEAF_GRANULES_MAX);
	for (key = 0; key < entries; key++) {
		KUNIT_ASSERT_NE(test, find_hash(&leaf, hash, &key, sizeof(key), &hit), NONE);
		KUNIT_EXPECT_EQ(test, *(u64 *)hit.value, key);
	}
	KUNIT_EXPECT_EQ(test, find_hash(&leaf, hash, &entries, sizeof(entries), &hit), NONE);
}

/* Writing over an entry leaves its neighbours and all tags alone. */
static void test_overwrite(struct kunit *test)
{
	struct snapmap_leaf leaf = leaf_of(test, SNAPMAP_LEAF_BLOCKS_MAX);
	u8 *before = kunit_kzalloc(test, LEAF_BYTES, GFP_KERNEL);
	u8 tags[SNAPMAP_LEAF_GRANULES_MAX];
	struct snapmap_item item;
	struct snapmap_hit hit;
	u32 granule, at;
	u64 key;

	KUNIT_ASSERT_NOT_NULL(test, before);
	for (key = 0; key < 30; key++) {
		item = item_of(&key, before, 20);
		KUNIT_ASSERT_TRUE(test, snapmap_leaf_add(&leaf, &item));
	}
	memcpy(before, leaf.bytes, LEAF_BYTES);
	memcpy(tags, leaf.tags, sizeof(tags));
	key = 17;
	granule = find(&leaf, key, &hit);
	at = granule << SNAPMAP_GRANULE_SHIFT;
	item = item_of(&key, "the value is new", 17);
	item.version = 3;
	snapmap_leaf_overwrite(&leaf, granule, &item);
	KUNIT_EXPECT_EQ(test, find(&leaf, key, &hit), granule);
	KUNIT_EXPECT_STREQ(test, (char *)hit.value, "the value is new");
	KUNIT_EXPECT_EQ(test, hit.version, 3ULL);
	KUNIT_EXPECT_EQ(test, memcmp(leaf.tags, tags, sizeof(tags)), 0);
	KUNIT_EXPECT_EQ(test, memcmp(leaf.bytes, before, at), 0);
	at += 2 << SNAPMAP_GRANULE_SHIFT;
	KUNIT_EXPECT_EQ(test, memcmp(leaf.bytes + at, before + at, LEAF_BYTES - at), 0);
}

/* Room in total but in no row: an entry of two granules is refused, and a copy mends that. */
static void test_scattered_room(struct kunit *test)
{
	const struct snapmap_leaf_filter all = { .seed = TEST_SEED, .want = -1 };
	struct snapmap_leaf leaf = leaf_of(test, SNAPMAP_LEAF_BLOCKS_MAX);
	struct snapmap_leaf copy = leaf_of(test, 5);
	struct snapmap_item item;
	u64 key, set;
	u32 granule;

	for (key = 0; ; key++) {
		item = item_of(&key, NULL, 0);
		if (!snapmap_leaf_add(&leaf, &item))
			break;
	}
	for (granule = 1; granule < SNAPMAP_LEAF_GRANULES_MAX; granule += 2)
		snapmap_leaf_remove(&leaf, granule);
	KUNIT_EXPECT_EQ(test, snapmap_leaf_used(&leaf), 32U);
	item = item_of(&key, "twenty bytes of value", 20);
	KUNIT_EXPECT_FALSE(test, snapmap_leaf_add(&leaf, &item));
	KUNIT_EXPECT_TRUE(test, copy_meant(&copy, &leaf, &all, false));
	KUNIT_EXPECT_EQ(test, snapmap_leaf_used(&copy), 32U);
	KUNIT_EXPECT_TRUE(test, snapmap_leaf_add(&copy, &item));
	KUNIT_EXPECT_EQ(test, snapmap_leaf_select(&copy, &all, &set), 34U);
}

/* Every bit of the hash tells entries apart; the halves add up. */
static void test_every_bit(struct kunit *test)
{
	struct snapmap_leaf leaf = leaf_of(test, SNAPMAP_LEAF_BLOCKS_MAX);
	struct snapmap_leaf_filter filter = { .seed = TEST_SEED };
	const struct snapmap_entry *entry;
	struct snapmap_item item;
	u32 granule, half[2], bit;
	u64 key, hash, set;

	for (key = 0; key < 60; key++) {
		item = item_of(&key, &key, sizeof(key));
		KUNIT_ASSERT_TRUE(test, snapmap_leaf_add(&leaf, &item));
	}
	for (filter.bit = 0; filter.bit < 64; filter.bit++) {
		for (filter.want = 0; filter.want < 2; filter.want++)
			half[filter.want] = snapmap_leaf_select(&leaf, &filter, &set);
		KUNIT_EXPECT_EQ(test, half[0] + half[1], 60U);
		for (granule = snapmap_leaf_next(&leaf, 0); granule != NONE;
		     granule = snapmap_leaf_next(&leaf, granule + 1)) {
			entry = snapmap_leaf_entry(&leaf, granule);
			hash = snapmap_hash(TEST_SEED, entry + 1, entry->key_len);
			bit = hash << filter.bit >> 63;
			KUNIT_EXPECT_EQ(test, set >> granule & 1, (u64)bit);
		}
	}
}

/* A leaf that is too small for what is copied into it says so, and is not overrun. */
static void test_copy_into_too_small(struct kunit *test)
{
	const struct snapmap_leaf_filter all = { .seed = TEST_SEED, .want = -1 };
	struct snapmap_leaf leaf = leaf_of(test, SNAPMAP_LEAF_BLOCKS_MAX);
	struct snapmap_leaf copy = leaf_of(test, 1);
	struct snapmap_item item;
	u64 key;

	for (key = 0; key < 16; key++) {
		item = item_of(&key, &key, sizeof(key));
		KUNIT_ASSERT_TRUE(test, snapmap_leaf_add(&leaf, &item));
	}
	KUNIT_EXPECT_FALSE(test, copy_meant(&copy, &leaf, &all, false));
	KUNIT_EXPECT_EQ(test, snapmap_leaf_used(&copy), 8U);
}

/* Promise H: a look-up in a leaf of any bytes and any tags stays inside of it. */
static void test_garbage(struct kunit *test)
{
	struct snapmap_leaf leaf;
	struct snapmap_hit hit;
	struct rnd_state random;
	u32 round, bytes;
	u64 key = 7;
	u64 hash = snapmap_hash(TEST_SEED, &key, sizeof(key));

	prandom_seed_state(&random, TEST_SEED);
	for (round = 0; round < 2000; round++) {
		leaf = leaf_of(test, 1 + round % SNAPMAP_LEAF_BLOCKS_MAX);
		bytes = leaf.blocks << SNAPMAP_BLOCK_SHIFT;
		prandom_bytes_state(&random, leaf.bytes, bytes);
		memset(leaf.tags, snapmap_hash_tag(hash), leaf.blocks * SNAPMAP_BLOCK_GRANULES);
		if (find_hash(&leaf, hash, &key, sizeof(key), &hit) != NONE)
			KUNIT_EXPECT_LE(test, (const u8 *)hit.value + hit.value_len - leaf.bytes,
					(long)bytes);
		kunit_kfree(test, leaf.tags);
		kunit_kfree(test, leaf.bytes);
	}
}

static struct kunit_case leaf_cases[] = {
	KUNIT_CASE(test_fill),
	KUNIT_CASE(test_remove),
	KUNIT_CASE(test_split),
	KUNIT_CASE(test_leaf_sizes),
	KUNIT_CASE(test_inline_limit),
	KUNIT_CASE(test_key_lengths),
	KUNIT_CASE(test_equal_hashes),
	KUNIT_CASE(test_overwrite),
	KUNIT_CASE(test_scattered_room),
	KUNIT_CASE(test_every_bit),
	KUNIT_CASE(test_copy_into_too_small),
	KUNIT_CASE(test_garbage),
	{}
};

static struct kunit_suite leaf_suite = {
	.name = "snapmap_leaf",
	.test_cases = leaf_cases,
};

kunit_test_suite(leaf_suite);

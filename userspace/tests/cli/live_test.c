// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * live_test.c - looking up in the current snapshot, on a hand-made image
 *
 * One key, many at once, and compiled in, as snapmap_inline.h has it, give the same. Compiled for
 * CPUs with AVX2, it tests the library's look-ups for these, and else those for any CPU.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* Needs what is above. */
#include <cmocka.h>

#include "../../lib/get.h"
#include "image.h"

/* Beside what the library has of the same. */
#include <snapmap_inline.h>

static struct image image;

#define MANY (IMAGE_ENTRIES + 50)

/* What a look-up of entry @n has given, but for the value where that is too long. */
static void assert_value(u32 n, size_t len, const char *value, int err)
{
	assert_int_equal(len, image_value_len(n));
	for (size_t i = 0; !err && i < len; i++)
		assert_int_equal(value[i], 'a' + n % 26);
}

/*
 * Every entry, keys that there are not, and bad queries, in calls of all sizes: some of keys of
 * one length, others not.
 */
static void test_get_many(void **state)
{
	static char keys[MANY][32], one[2048], other[2048], many[MANY][2048];
	static struct snapmap_query queries[MANY];
	static struct snapmap_inline reader;
	struct snapmap_found found, within;
	size_t from, count, i, hits;
	struct snapmap map;
	uint64_t version;

	(void)state;
	image_map(&image, &map);
	assert_int_equal(snapmap_inline_open(&map, &reader), 0);
	for (i = 0; i < MANY; i++) {
		queries[i].key = keys[i];
		queries[i].key_len = image_key((u32)i, keys[i]);
		queries[i].buf = many[i];
		queries[i].cap = i % 11 ? sizeof(many[i]) : 5;
	}
	queries[3].key_len = 0;
	queries[20].key_len = SNAPMAP_KEY_MAX + 1;
	for (from = 0, count = 0; from + count <= MANY; from += count, count++) {
		hits = 0;
		version = 0;
		for (i = from; i < from + count; i++)
			queries[i].err = 1;
		assert_in_range(snapmap_get_many(&map, queries + from, count, &version), 0, count);
		assert_int_equal(version, IMAGE_VERSION);
		for (i = from; i < from + count; i++) {
			int err = snapmap_get(&map, keys[i], queries[i].key_len, one,
					      queries[i].cap, &found);

			assert_int_equal(queries[i].err, err);
			assert_int_equal(snapmap_inline_get(&reader, keys[i], queries[i].key_len,
							    other, queries[i].cap, &within),
					 err);
			hits += !err;
			if (err && err != -ERANGE)
				continue;
			assert_value((u32)i, queries[i].value_len, many[i], err);
			assert_value((u32)i, found.value_len, one, err);
			assert_value((u32)i, within.value_len, other, err);
			assert_int_equal(within.entry_version, found.entry_version);
			assert_int_equal(within.version, IMAGE_VERSION);
		}
		assert_int_equal(snapmap_get_many(&map, queries + from, count, NULL), hits);
	}
	assert_int_equal(queries[3].err, -EMSGSIZE);
	assert_int_equal(queries[20].err, -EMSGSIZE);
	assert_int_equal(queries[11].err, -ERANGE);
	assert_int_equal(queries[1].err, 0);
	assert_int_equal(queries[IMAGE_ENTRIES + 1].err, -ENOENT);
}

#define LEN_MAX	  130
#define UNTOUCHED 0x5a

/* A value of @len bytes at @value is copied as it is to a buffer of @cap, and nothing else is written. */
static void assert_copied(const struct snapmap_inline *reader, const char *key, size_t key_len,
			  const u8 *value, size_t len, size_t cap)
{
	u8 expected[LEN_MAX + 70], whole[sizeof(expected)], within[sizeof(expected)];

	memset(expected, UNTOUCHED, sizeof(expected));
	memcpy(expected, value, len);
	memset(whole, UNTOUCHED, sizeof(whole));
	memset(within, UNTOUCHED, sizeof(within));
	assert_int_equal(snapmap_get(reader->map, key, key_len, whole, cap, NULL), 0);
	assert_memory_equal(whole, expected, sizeof(expected));
	assert_int_equal(snapmap_inline_get(reader, key, key_len, within, cap, NULL), 0);
	assert_memory_equal(within, expected, sizeof(expected));
}

static void assert_value_lengths(const struct snapmap *map)
{
	static struct snapmap_inline reader;
	struct snapmap_entry *entry;
	u32 n, len, key_len;
	char key[32];
	u8 *value;

	assert_int_equal(snapmap_inline_open(map, &reader), 0);
	for (n = 0; n < IMAGE_ENTRIES; n++) {
		key_len = image_key(n, key);
		entry = image_entry(&image, n);
		value = (u8 *)(entry + 1) + ((key_len + 7) & ~7u);
		for (len = 0; len <= LEN_MAX && image_has_room(&image, n, len); len++) {
			entry->value_len = len;
			assert_copied(&reader, key, key_len, value, len, len);
			assert_copied(&reader, key, key_len, value, len, len + 1);
			assert_copied(&reader, key, key_len, value, len, LEN_MAX + 64);
			if (len)
				assert_int_equal(snapmap_get(map, key, key_len, value, len - 1,
							     NULL),
						 -ERANGE);
		}
	}
}

/* Values of all lengths, for buffers that they fill and for others. */
static void test_value_lengths(void **state)
{
	struct snapmap map;

	(void)state;
	image_map(&image, &map);
	assert_value_lengths(&map);
	image_add_directory(&image, &map);
	assert_value_lengths(&map);
}

/* Looks for a key that is not there, in both ways. */
static void miss(const struct snapmap_inline *reader)
{
	u8 value[16];

	assert_int_equal(snapmap_get(reader->map, "missing", 7, value, sizeof(value), NULL),
			 -ENOENT);
	assert_int_equal(snapmap_inline_get(reader, "missing", 7, value, sizeof(value), NULL),
			 -ENOENT);
}

/* @missing: whether a key that is not there is looked for before each of them */
static u32 count_found_after(const struct snapmap *map, u32 from, bool missing)
{
	static struct snapmap_inline reader;
	u32 n, len, found = 0;
	char key[32], value[2048];

	assert_int_equal(snapmap_inline_open(map, &reader), 0);
	for (n = from; n < from + IMAGE_ENTRIES; n++) {
		int err;

		if (missing)
			miss(&reader);
		len = image_key(n, key);
		err = snapmap_get(map, key, len, value, sizeof(value), NULL);
		assert_true(!err || err == -ENOENT);
		assert_int_equal(snapmap_inline_get(&reader, key, len, value, sizeof(value), NULL),
				 err);
		found += !err;
	}
	return found;
}

static u32 count_found(const struct snapmap *map, u32 from)
{
	return count_found_after(map, from, false);
}

/* All in one call. */
static size_t count_found_at_once(const struct snapmap *map)
{
	static struct snapmap_query queries[IMAGE_ENTRIES];
	static char keys[IMAGE_ENTRIES][32], value[2048];
	u32 n;

	for (n = 0; n < IMAGE_ENTRIES; n++)
		queries[n] = (struct snapmap_query){ .key = keys[n],
						     .key_len = image_key(n, keys[n]),
						     .buf = value,
						     .cap = sizeof(value) };
	return snapmap_get_many(map, queries, IMAGE_ENTRIES, NULL);
}

/*
 * What the filter denies is not looked for, and that is all that it is asked. Nor is it
 * asked by who has found the last keys.
 */
static void test_get_by_filter(void **state)
{
	struct snapmap_control *control = (void *)image.bytes;
	struct snapmap map;

	(void)state;
	image_add_filter(&image, &map);
	assert_int_equal(count_found_after(&map, 0, true), IMAGE_ENTRIES);
	assert_int_equal(count_found(&map, IMAGE_ENTRIES), 0);
	assert_int_equal(count_found(&map, 0), IMAGE_ENTRIES);
	memset(image_at(&image, IMAGE_FILTER_RUN(0)), 0, 64 << SNAPMAP_BLOCK_SHIFT);
	assert_in_range(count_found_after(&map, 0, true), 1, IMAGE_ENTRIES - 1);
	image_add_filter(&image, &map);
	assert_int_equal(count_found(&map, 0), IMAGE_ENTRIES);
	memset(image_at(&image, IMAGE_FILTER_RUN(0)), 0, 128 << SNAPMAP_BLOCK_SHIFT);
	assert_int_equal(count_found(&map, 0), IMAGE_ENTRIES);
	assert_int_equal(count_found_after(&map, 0, true), 0);
	/* The other version's is not this one's. */
	control->filter[!(IMAGE_VERSION & 1)] = control->filter[IMAGE_VERSION & 1];
	control->filter[IMAGE_VERSION & 1] = 0;
	assert_int_equal(count_found(&map, 0), IMAGE_ENTRIES);
}

/* What the directory names is not walked to, and all else is. */
static void test_get_by_directory(void **state)
{
	struct snapmap_control *control = (void *)image.bytes;
	u32 *slots = image_at(&image, IMAGE_DIRECTORY);
	struct snapmap map;
	u32 all, i;

	(void)state;
	image_add_directory(&image, &map);
	assert_int_equal(count_found(&map, 0), IMAGE_ENTRIES);
	assert_int_equal(count_found(&map, IMAGE_ENTRIES), 0);
	control->root[IMAGE_VERSION & 1] = 0;
	all = count_found(&map, 0);
	assert_in_range(all, IMAGE_ENTRIES * 9 / 10,
			IMAGE_ENTRIES); /* but for the less likely cases */
	assert_int_equal(count_found_at_once(&map), all);
	for (i = 0; i < 16; i += 2)
		slots[i] = i % 4 ? SNAPMAP_DIRECTORY_CLOSED : 0;
	assert_in_range(count_found(&map, 0), 1, all - 1);
	assert_int_equal(count_found_at_once(&map), count_found(&map, 0));
	control->root[IMAGE_VERSION & 1] = image.snapshot.root;
	assert_int_equal(count_found(&map, 0), IMAGE_ENTRIES);
	assert_int_equal(count_found_at_once(&map), IMAGE_ENTRIES);
	/* Whatever it says, nobody leaves the mapping (promise H). */
	for (i = 0; i < 16; i++)
		slots[i] = (IMAGE_BLOCKS - 17 + i) | (i % 16) << 28;
	count_found(&map, 0);
	count_found_at_once(&map);
	control->directory[IMAGE_VERSION & 1] = IMAGE_BLOCKS << 8 | 60;
	assert_int_equal(count_found(&map, 0), IMAGE_ENTRIES);
	assert_int_equal(count_found_at_once(&map), IMAGE_ENTRIES);
	control->directory[IMAGE_VERSION & 1] = IMAGE_DIRECTORY << 8 | 40;
	count_found(&map, 0);
	/* The other version's is not this one's. */
	control->directory[!(IMAGE_VERSION & 1)] = control->directory[IMAGE_VERSION & 1];
	control->directory[IMAGE_VERSION & 1] = 0;
	assert_int_equal(count_found(&map, 0), IMAGE_ENTRIES);
}

/* Tables of one level, and of one leaf, which need no directory. */
static void test_short_walks(void **state)
{
	struct snapmap_control *control = (void *)image.bytes;
	const u32 *slots = image_at(&image, IMAGE_DIRECTORY);
	struct snapmap map;
	u32 i, found = 0;

	(void)state;
	image_add_directory(&image, &map);
	control->directory[IMAGE_VERSION & 1] = 0;
	control->root[IMAGE_VERSION & 1] = SNAPMAP_ROOT(IMAGE_DIRECTORY, 1, 4);
	assert_int_equal(count_found(&map, 0), IMAGE_ENTRIES);
	assert_int_equal(count_found_at_once(&map), IMAGE_ENTRIES);
	assert_int_equal(count_found(&map, IMAGE_ENTRIES), 0);
	for (i = 0; i < 16; i++) {
		if (i && slots[i] == slots[i - 1])
			continue;
		control->root[IMAGE_VERSION & 1] = SNAPMAP_ROOT(slots[i], 0, 0);
		found += count_found(&map, 0);
	}
	assert_int_equal(found, IMAGE_ENTRIES);
	control->root[IMAGE_VERSION & 1] = 0;
	assert_int_equal(count_found(&map, 0), 0);
	control->root[IMAGE_VERSION & 1] = SNAPMAP_ROOT(IMAGE_BLOCKS - 1, 1, 8);
	assert_int_equal(count_found(&map, 0), 0);
}

/* Puts what looks like an entry with a key at each granule of a leaf at which none begins. */
static void put_forgeries(u32 block, const char *key, u32 len)
{
	struct snapmap_entry entry = { .value_len = 4, .key_len = (u16)len };
	const u8 *tags = image_tags(&image, block);
	u8 *bytes = image_at(&image, block);
	u32 granule;

	for (granule = 0; granule + 1 < SNAPMAP_LEAF_GRANULES_MAX; granule++) {
		u8 *at = bytes + (granule << SNAPMAP_GRANULE_SHIFT);

		if (tags[granule] >= SNAPMAP_TAG_FIRST || tags[granule + 1] >= SNAPMAP_TAG_FIRST)
			continue;
		memset(at, 0, 2 * SNAPMAP_GRANULE_SIZE);
		memcpy(at, &entry, sizeof(entry));
		memcpy(at + sizeof(entry), key, len);
	}
}

/*
 * Promise H: nobody's value passes for an entry, nor does what an entry has left behind, even where
 * a hash ends in what is the tag of their granules.
 */
static void test_forged_entries_H(void **state)
{
	struct snapmap_control *control = (void *)image.bytes;
	const u32 *slots = image_at(&image, IMAGE_DIRECTORY);
	u32 n, len, forged = 0;
	struct snapmap map;
	u64 hash;

	(void)state;
	for (n = IMAGE_ENTRIES; n < IMAGE_ENTRIES + 2000; n++) {
		char key[32], value[16];
		struct snapmap_query query = { .key = key, .buf = value, .cap = sizeof(value) };

		len = image_key(n, key);
		image_add_directory(&image, &map);
		hash = snapmap_hash(control->hash_seed, key, len);
		if ((u8)hash >= SNAPMAP_TAG_FIRST)
			continue;
		forged++;
		put_forgeries(SNAPMAP_REF_BLOCK(slots[hash >> 60]), key, len);
		query.key_len = len;
		assert_int_equal(snapmap_get(&map, key, len, value, sizeof(value), NULL), -ENOENT);
		assert_int_equal(snapmap_get_many(&map, &query, 1, NULL), 0);
		control->directory[IMAGE_VERSION & 1] = 0;
		assert_int_equal(snapmap_get(&map, key, len, value, sizeof(value), NULL), -ENOENT);
		assert_int_equal(snapmap_get_many(&map, &query, 1, NULL), 0);
	}
	assert_in_range(forged, 1, 100);
}

/* A program that knows another layout than the map has is told. */
static void test_layout(void **state)
{
	struct snapmap_inline reader;
	struct snapmap map;
	const void *base;
	uint64_t bytes;

	(void)state;
	image_map(&image, &map);
	assert_int_equal(snapmap_mapped(&map, SNAPMAP_LAYOUT_VERSION, &base, &bytes), 0);
	assert_ptr_equal(base, image.bytes);
	assert_int_equal(snapmap_mapped(&map, SNAPMAP_LAYOUT_VERSION + 1, &base, &bytes),
			 -EPROTONOSUPPORT);
	((struct snapmap_control *)image.bytes)->layout_version++;
	assert_int_equal(snapmap_inline_open(&map, &reader), -EPROTONOSUPPORT);
}

/* Those are taken that the CPU is fit for; the tests take those that they are for. */
static void test_lookups_of_the_cpu(void **state)
{
	const struct snapmap_lookups *best = &snapmap_lookups_any;

	(void)state;
#ifdef SNAPMAP_LOOKUPS_AVX2
	if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") &&
	    __builtin_cpu_supports("bmi2"))
		best = &snapmap_lookups_avx2;
#endif
	assert_ptr_equal(snapmap_lookups, best);
#if defined(__AVX2__) && defined(SNAPMAP_LOOKUPS_AVX2)
	snapmap_lookups = &snapmap_lookups_avx2;
#else
	snapmap_lookups = &snapmap_lookups_any;
#endif
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lookups_of_the_cpu), cmocka_unit_test(test_get_many),
		cmocka_unit_test(test_value_lengths),	   cmocka_unit_test(test_get_by_filter),
		cmocka_unit_test(test_get_by_directory),   cmocka_unit_test(test_layout),
		cmocka_unit_test(test_forged_entries_H),   cmocka_unit_test(test_short_walks),
	};

#ifdef __AVX2__
	if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("bmi2")) {
		puts("1..0 # SKIP needs a CPU with AVX2 and BMI2");
		return 0;
	}
#endif
	return cmocka_run_group_tests(tests, NULL, NULL);
}

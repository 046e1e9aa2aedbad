// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * hash_test.c - the hash is the one that snapmap_layout.h describes, and spreads keys
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <shim.h>

#include "../../../kmod/hash.h"
#include "../../../kunit/forge.h"
#include "random.h"

#define SEED 0x79690975fbde15b0ULL

/* ------------------------------------------------------- as the description has it */

/* By halves of 32 bits, as at school. */
static u64 fold(u64 a, u64 b)
{
	u64 low = (a & U32_MAX) * (b & U32_MAX);
	u64 one = (a >> 32) * (b & U32_MAX) + (low >> 32);
	u64 two = (a & U32_MAX) * (b >> 32) + (one & U32_MAX);

	return ((two << 32) | (low & U32_MAX)) ^
	       ((a >> 32) * (b >> 32) + (one >> 32) + (two >> 32));
}

static u64 word(const u8 *from, u32 bytes)
{
	u64 word = 0;

	while (bytes--)
		word = word << 8 | from[bytes];
	return word;
}

static u64 described(u64 seed, const u8 *key, u32 n)
{
	u64 secret = seed ^ SNAPMAP_HASH_MIX;
	u64 state = seed * SNAPMAP_HASH_SPREAD + n;
	u32 left = n;
	u64 a, b, h;

	for (; left > 16; left -= 16)
		state = fold(word(key + n - left, 8) ^ secret, word(key + n - left + 8, 8) ^ state);
	a = word(n < 16 ? key : key + n - 16, min(n, 8));
	b = n < 8 ? 0 : word(key + n - 8, 8);
	h = fold(a ^ secret, b ^ state);
	h *= SNAPMAP_HASH_MIX;
	return h ^ h >> 32;
}

static void test_is_as_described(void **state)
{
	u8 key[SNAPMAP_KEY_MAX];

	(void)state;
	for (u32 i = 0; i < sizeof(key); i++)
		key[i] = (u8)random_next();
	for (u32 len = 1; len <= sizeof(key); len++)
		assert_int_equal(snapmap_hash(SEED + len, key, len),
				 described(SEED + len, key, len));
}

/* Computed by a program in another language, from the description. */
static void test_known_answers(void **state)
{
	static const struct {
		const char *key;
		u64 hash;
	} known[] = {
		{ "a", 0x43e407faf45d2000ULL },
		{ "key", 0xcc8e6c0de94f4a76ULL },
		{ "flags", 0x0903e11f22a9f2adULL },
		{ "feature", 0xa8bcb55a595730bbULL },
		{ "12345678", 0x26fd1274cf6a2b8bULL },
		{ "feature/on", 0xb97c5c17e7225ce7ULL },
		{ "0123456789abcdef", 0x61f7b4259e6c4825ULL },
		{ "0123456789abcdef0", 0x620c5ced0cf4bca7ULL },
		{ "service/eu/address", 0x7be4bf37adb86103ULL },
		{ "a string that takes more than two steps of the loop", 0x96fffa6304008a9aULL },
	};

	(void)state;
	for (u32 i = 0; i < ARRAY_SIZE(known); i++)
		assert_int_equal(snapmap_hash(SEED, known[i].key, strlen(known[i].key)),
				 known[i].hash);
}

/* Of what is not the key, nothing is read. */
static void test_reads_the_key_alone(void **state)
{
	(void)state;
	for (u32 len = 1; len <= 50; len++) {
		u8 *key = malloc(len); /* AddressSanitizer watches what is beside it */

		memset(key, 'k', len);
		assert_int_equal(snapmap_hash(SEED, key, len), described(SEED, key, len));
		free(key);
	}
}

/* ---------------------------------------------------------------------- how it spreads */

/* A bit of the key, or of the seed, changes each bit of the hash in half of the cases. */
static void test_each_bit_changes_half_of_the_bits(void **state)
{
	const u32 rounds = 1000;

	(void)state;
	random_state = SEED; /* no chance in it */
	for (u32 len = 1; len <= 40; len += 3)
		for (u32 bit = 0; bit < len * 8 + 64; bit++) {
			u32 changed[64] = { 0 };

			for (u32 round = 0; round < rounds; round++) {
				u64 seed = random_next(), key[5], hash;

				for (u32 i = 0; i < 5; i++)
					key[i] = random_next();
				hash = snapmap_hash(seed, key, len);
				if (bit < len * 8)
					key[bit / 64] ^= 1ULL << bit % 64;
				else
					seed ^= 1ULL << (bit - len * 8);
				hash ^= snapmap_hash(seed, key, len);
				for (u32 i = 0; i < 64; i++)
					changed[i] += hash >> i & 1;
			}
			/* Seven standard deviations. */
			for (u32 i = 0; i < 64; i++)
				if (changed[i] < rounds / 2 - 110 || changed[i] > rounds / 2 + 110)
					fail_msg("%u bytes: bit %u changes bit %u in %u of %u", len,
						 bit, i, changed[i], rounds);
		}
}

#define KEYS (1U << 18)

/* As many keys as one expects fall into each of 2^@bits parts, by the bits from @shift on. */
static void assert_even(const char *what, const u64 *hashes, u32 shift, u32 bits)
{
	static u32 count[1 << 14];
	double expected = (double)KEYS / (1 << bits), sum = 0;

	memset(count, 0, sizeof(count));
	for (u32 i = 0; i < KEYS; i++)
		count[hashes[i] >> shift & ((1U << bits) - 1)]++;
	for (u32 i = 0; i < 1U << bits; i++)
		sum += (count[i] - expected) * (count[i] - expected) / expected;
	/* Chi squared, about 2^bits, with a variance of twice that. */
	if (sum > (1 << bits) + 6 * 1.42 * (1 << bits / 2))
		fail_msg("%s: bits from %u on: chi squared %.0f of %u", what, shift, sum,
			 1U << bits);
}

static int by_number(const void *a, const void *b)
{
	u64 x = *(const u64 *)a, y = *(const u64 *)b;

	return x < y ? -1 : x > y;
}

typedef u32 (*make_fn)(u32 i, void *key);

static u32 make_u32(u32 i, void *key)
{
	memcpy(key, &i, sizeof(i));
	return sizeof(i);
}

static u32 make_u64(u32 i, void *key)
{
	memcpy(key, &(u64){ i }, sizeof(u64));
	return sizeof(u64);
}

static u32 make_u64_of_the_other_end(u32 i, void *key)
{
	memcpy(key, &(u64){ __builtin_bswap64(i) }, sizeof(u64));
	return sizeof(u64);
}

static u32 make_grid(u32 i, void *key)
{
	memcpy(key, (u64[]){ i % 512, i / 512 }, 2 * sizeof(u64));
	return 2 * sizeof(u64);
}

static u32 make_grid_of_high_bits(u32 i, void *key)
{
	memcpy(key, (u64[]){ (u64)(i % 512) << 55, (u64)(i / 512) << 55 }, 2 * sizeof(u64));
	return 2 * sizeof(u64);
}

static u32 make_twice_the_same(u32 i, void *key)
{
	memcpy(key, (u64[]){ i, i }, 2 * sizeof(u64));
	return 2 * sizeof(u64);
}

static u32 make_name(u32 i, void *key)
{
	return sprintf(key, "key%u", i);
}

static u32 make_path(u32 i, void *key)
{
	return sprintf(key, "service/region-%u/host-%u/address", i % 16, i / 16);
}

static void test_spreads_keys_that_are_alike(void **state)
{
	static const struct {
		const char *name;
		make_fn make;
	} kinds[] = {
		{ "u32", make_u32 },
		{ "u64", make_u64 },
		{ "u64 of the other end", make_u64_of_the_other_end },
		{ "grid", make_grid },
		{ "grid of high bits", make_grid_of_high_bits },
		{ "twice the same", make_twice_the_same },
		{ "name", make_name },
		{ "path", make_path },
	};
	static u64 hashes[KEYS];
	u8 key[64];

	(void)state;
	for (u32 kind = 0; kind < ARRAY_SIZE(kinds); kind++) {
		for (u32 i = 0; i < KEYS; i++)
			hashes[i] = snapmap_hash(SEED, key, kinds[kind].make(i, key));
		assert_even(kinds[kind].name, hashes, 50, 14); /* where in the trie */
		assert_even(kinds[kind].name, hashes, 0, 8);   /* the tag */
		assert_even(kinds[kind].name, hashes, 16, 8);  /* the line in the leaf */
		qsort(hashes, KEYS, sizeof(u64), by_number);
		for (u32 i = 1; i < KEYS; i++)
			assert_int_not_equal(hashes[i], hashes[i - 1]);
	}
}

/* The inverse of what XXH64 makes of a word of the key, whatever the seed. */
static u64 before_xxh64_round(u64 after)
{
	after *= forge_inverse(0x9e3779b185ebca87ULL);
	return (after >> 31 | after << 33) * forge_inverse(0xc2b2ae3d27d4eb4fULL);
}

/* Two keys that XXH64 does not tell apart, because the changes of both words cancel. */
static void test_no_pair_for_every_seed(void **state)
{
	u64 one[2], other[2], seed;

	(void)state;
	for (u32 i = 0; i < 2000; i++) {
		one[0] = before_xxh64_round(i);
		other[0] = before_xxh64_round(i ^ 1ULL << 36);
		one[1] = before_xxh64_round(i);
		other[1] = before_xxh64_round(i ^ 1ULL << 63);
		seed = random_next();
		assert_int_not_equal(snapmap_hash(seed, one, sizeof(one)),
				     snapmap_hash(seed, other, sizeof(other)));
	}
}

/* What other tests rely on. */
static void test_forged(void **state)
{
	u64 key[FORGE_WORDS], hash, seed;

	(void)state;
	for (u32 i = 0; i < 1000; i++) {
		hash = random_next();
		seed = random_next();
		forge_key(seed, hash, i, key);
		assert_int_equal(snapmap_hash(seed, key, sizeof(key)), hash);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_is_as_described),
		cmocka_unit_test(test_known_answers),
		cmocka_unit_test(test_reads_the_key_alone),
		cmocka_unit_test(test_each_bit_changes_half_of_the_bits),
		cmocka_unit_test(test_spreads_keys_that_are_alike),
		cmocka_unit_test(test_no_pair_for_every_seed),
		cmocka_unit_test(test_forged),
	};

	random_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * forge.h - makes keys of a chosen hash
 *
 * With a known seed the last word of a key can be computed from the words before
 * it and the hash wanted: the third word makes one factor of the last product 1,
 * so that the product is the other one, and what follows can be undone.
 */
#ifndef SNAPMAP_KUNIT_FORGE_H
#define SNAPMAP_KUNIT_FORGE_H

#include <linux/snapmap_layout.h>
#include <linux/types.h>	/* in user space, the shim defines u64 */

#define FORGE_WORDS 4

/* The multiplicative inverse modulo 2^64, by Newton's method. */
static inline u64 forge_inverse(u64 odd)
{
	u64 x = odd;

	for (int i = 0; i < 6; i++)
		x *= 2 - odd * x;
	return x;
}

static inline void forge_key(u64 seed, u64 hash, u64 first, u64 key[FORGE_WORDS])
{
	u64 secret = seed ^ SNAPMAP_HASH_MIX;
	u64 state = seed * SNAPMAP_HASH_SPREAD + FORGE_WORDS * sizeof(u64);

	state = snapmap_fold(first ^ secret, state);
	hash ^= hash >> 32;
	hash *= forge_inverse(SNAPMAP_HASH_MIX);
	key[0] = first;
	key[1] = 0;
	key[2] = secret ^ 1;
	key[3] = hash ^ state;
}

#endif /* SNAPMAP_KUNIT_FORGE_H */

/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * forge.h - makes keys of a chosen hash
 *
 * With a known seed every step of XXH64 on a 16-byte input can be undone, so
 * the second half of the key is computed from the first and the hash wanted.
 */
#ifndef SNAPMAP_KUNIT_FORGE_H
#define SNAPMAP_KUNIT_FORGE_H

#include <linux/types.h>	/* in user space, the shim defines u64 */

#define FORGE_P1 0x9E3779B185EBCA87ULL
#define FORGE_P2 0xC2B2AE3D27D4EB4FULL
#define FORGE_P3 0x165667B19E3779F9ULL
#define FORGE_P4 0x85EBCA77C2B2AE63ULL
#define FORGE_P5 0x27D4EB2F165667C5ULL

static inline u64 forge_rotl(u64 x, int bits)
{
	return x << bits | x >> (64 - bits);
}

/* The multiplicative inverse modulo 2^64, by Newton's method. */
static inline u64 forge_inverse(u64 odd)
{
	u64 x = odd;

	for (int i = 0; i < 6; i++)
		x *= 2 - odd * x;
	return x;
}

static inline u64 forge_round(u64 lane)
{
	return forge_rotl(lane * FORGE_P2, 31) * FORGE_P1;
}

static inline void forge_key(u64 seed, u64 hash, u64 first, u64 key[2])
{
	u64 state = seed + FORGE_P5 + 16;

	state ^= forge_round(first);
	state = forge_rotl(state, 27) * FORGE_P1 + FORGE_P4;

	hash ^= hash >> 32;
	hash *= forge_inverse(FORGE_P3);
	hash ^= hash >> 29 ^ hash >> 58;
	hash *= forge_inverse(FORGE_P2);
	hash ^= hash >> 33;
	hash = forge_rotl((hash - FORGE_P4) * forge_inverse(FORGE_P1), 64 - 27) ^ state;
	hash = forge_rotl(hash * forge_inverse(FORGE_P1), 64 - 31) * forge_inverse(FORGE_P2);
	key[0] = first;
	key[1] = hash;
}

#endif /* SNAPMAP_KUNIT_FORGE_H */

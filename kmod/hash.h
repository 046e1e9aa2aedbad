/* SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-or-later OR MIT */
/*
 * hash.h - the hash of a key
 *
 * SNAPMAP_HASH_FOLD of snapmap_layout.h. The module and the library both compile
 * it, hence its licence. Who includes it has u8, u32, u64, memcpy() and likely().
 *
 * Source: the folded multiplication is that of wyhash (Wang Yi) and of XXH3
 * (Yann Collet), from whose last step the multiplication and the shift behind it
 * are. Both factors are mixed with the seed first, so that no key makes one of them
 * 0 for every seed.
 */
#ifndef SNAPMAP_HASH_H
#define SNAPMAP_HASH_H

#include <linux/snapmap_layout.h>

static inline u64 snapmap_load_word(const void *from)
{
	u64 word;

	memcpy(&word, from, sizeof(word));
	return word;
}

static inline u64 snapmap_load_half(const void *from)
{
	u32 half;

	memcpy(&half, from, sizeof(half));
	return half;
}

/* 1 to 7 bytes, the others of the word being 0. */
static inline u64 snapmap_load_short(const u8 *from, u32 len)
{
	if (len >= sizeof(u32))
		return snapmap_load_half(from) |
		       snapmap_load_half(from + len - sizeof(u32)) << (len - sizeof(u32)) * 8;
	return from[0] | (u64)from[len >> 1] << (len >> 1) * 8 |
	       (u64)from[len - 1] << (len - 1) * 8;
}

/* The halves of the product of two words, one on the other. */
static inline u64 snapmap_fold(u64 a, u64 b)
{
	unsigned __int128 product = (unsigned __int128)a * b;

	return (u64)product ^ (u64)(product >> 64);
}

/**
 * struct snapmap_hash_seed - what the hashes of a map's keys have in common
 * @secret: SNAPMAP_HASH_FOLD's secret
 * @state: its first state, but for the length
 */
struct snapmap_hash_seed {
	u64 secret;
	u64 state;
};

static inline struct snapmap_hash_seed snapmap_hash_seed(u64 seed)
{
	return (struct snapmap_hash_seed){
		.secret = seed ^ SNAPMAP_HASH_MIX,
		.state = seed * SNAPMAP_HASH_SPREAD,
	};
}

/**
 * snapmap_hash_seeded() - the hash of a key
 * @seed: of the map's seed
 * @key: the key
 * @len: its length, at least 1
 *
 * Context: any.
 * Return: the hash.
 */
static inline u64 snapmap_hash_seeded(const struct snapmap_hash_seed *seed, const void *key,
				      u32 len)
{
	u64 state = seed->state + len;
	u64 secret = seed->secret;
	const u8 *at = (const u8 *)key;
	const u8 *end = at + len;
	u64 hash;

	for (; end - at > 16; at += 16)
		state = snapmap_fold(snapmap_load_word(at) ^ secret,
				     snapmap_load_word(at + 8) ^ state);
	if (likely(len >= 16))
		at = end - 16;
	if (likely(len >= 8))
		hash = snapmap_fold(snapmap_load_word(at) ^ secret,
				    snapmap_load_word(end - 8) ^ state);
	else
		hash = snapmap_fold(snapmap_load_short(at, len) ^ secret, state);
	hash *= SNAPMAP_HASH_MIX;
	return hash ^ hash >> 32;
}

/**
 * snapmap_hash() - the hash of a key
 * @seed: the map's seed
 * @key: the key
 * @len: its length, at least 1
 *
 * Context: any.
 * Return: the hash.
 */
static inline u64 snapmap_hash(u64 seed, const void *key, u32 len)
{
	const struct snapmap_hash_seed seeded = snapmap_hash_seed(seed);

	return snapmap_hash_seeded(&seeded, key, len);
}

#endif /* SNAPMAP_HASH_H */

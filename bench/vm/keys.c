// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * keys.c - random keys of 16 bytes, values of 32, and the order of look-ups
 */
#include <stdlib.h>
#include <string.h>

#include "vm.h"

static struct key *keys;
static uint32_t *order;
static size_t count;

/* Source: splitmix64, Sebastiano Vigna. */
static uint64_t mix(uint64_t z)
{
	z += 0x9e3779b97f4a7c15ULL;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return z ^ z >> 31;
}

const struct key *key_at(size_t i)
{
	return &keys[i];
}

size_t key_order(size_t i)
{
	return order[i % count];
}

static void shuffle(void)
{
	size_t i, other;
	uint32_t was;

	for (i = 0; i < count; i++)
		order[i] = i;
	for (i = count - 1; i; i--) {
		other = mix(i) % (i + 1);
		was = order[i];
		order[i] = order[other];
		order[other] = was;
	}
}

void keys_init(size_t entries)
{
	size_t i;

	count = entries;
	keys = malloc(2 * entries * sizeof(*keys));
	order = malloc(entries * sizeof(*order));
	if (!keys || !order)
		die("no memory");
	for (i = 0; i < 2 * entries; i++)
		keys[i] = (struct key){ { mix(2 * i), mix(2 * i + 1) } };
	shuffle();
}

void value_of(size_t key, uint64_t version, uint8_t value[VALUE_BYTES])
{
	const uint64_t words[4] = { key, version, ~key, ~version };

	memcpy(value, words, sizeof(words));
}

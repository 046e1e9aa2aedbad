/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * random.h - random numbers whose seed is printed, or taken from SNAPMAP_SEED
 */
#ifndef SNAPMAP_TESTS_RANDOM_H
#define SNAPMAP_TESTS_RANDOM_H

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static uint64_t random_state;

static inline void random_init(void)
{
	const char *seed = getenv("SNAPMAP_SEED");
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	random_state = seed ? strtoull(seed, NULL, 0) : (uint64_t)now.tv_nsec * 2654435761 | 1;
	printf("# SNAPMAP_SEED=%#" PRIx64 "\n", random_state);
}

/* Source: xorshift64*, Vigna 2016. */
static inline uint64_t random_next(void)
{
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return random_state * 0x2545f4914f6cdd1dULL;
}

static inline uint32_t random_below(uint32_t bound)
{
	return (random_next() >> 32) * bound >> 32;
}

#endif /* SNAPMAP_TESTS_RANDOM_H */

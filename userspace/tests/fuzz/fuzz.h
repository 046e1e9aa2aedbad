/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * fuzz.h - what the fuzzers have in common
 *
 * A fuzzer reads its input as a program: small numbers that say what to do. An
 * input that ends early is as good as any other; what is missing counts as 0.
 */
#ifndef SNAPMAP_TESTS_FUZZ_H
#define SNAPMAP_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What must always hold. libFuzzer keeps the input that it does not hold for. */
#define CHECK(cond)                                                                        \
	do {                                                                               \
		if (!(cond)) {                                                             \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #cond); \
			abort();                                                           \
		}                                                                          \
	} while (0)

struct fuzz_input {
	const uint8_t *data;
	size_t left;
};

static inline uint8_t fuzz_u8(struct fuzz_input *input)
{
	if (!input->left)
		return 0;
	input->left--;
	return *input->data++;
}

static inline uint16_t fuzz_u16(struct fuzz_input *input)
{
	uint16_t high = fuzz_u8(input);

	return (uint16_t)(high << 8 | fuzz_u8(input));
}

static inline uint32_t fuzz_u32(struct fuzz_input *input)
{
	uint32_t high = fuzz_u16(input);

	return high << 16 | fuzz_u16(input);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif /* SNAPMAP_TESTS_FUZZ_H */

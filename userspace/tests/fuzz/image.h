/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * image.h - the arena of a map as one piece of memory
 *
 * The module's code makes it (make.c), the library's code reads it (check.c). No
 * file can include both, so this header includes neither.
 */
#ifndef SNAPMAP_TESTS_FUZZ_IMAGE_H
#define SNAPMAP_TESTS_FUZZ_IMAGE_H

#include <linux/snapmap_layout.h>
#include <stddef.h>
#include <stdint.h>

#define IMAGE_SEED 0x1234567887654321ULL

/**
 * struct image - an arena and one snapshot in it
 * @bytes: control page first; an allocation of its own, of exactly @size
 * @size: up to the last block that is populated
 * @root: the snapshot's root word
 * @header: its header
 */
struct image {
	uint8_t *bytes;
	size_t size;
	uint64_t root;
	struct snapmap_header header;
};

struct snapmap_store;

/* make.c */
uint32_t image_key(uint8_t id, uint8_t key[SNAPMAP_KEY_MAX]);
void image_of_store(struct image *image, const struct snapmap_store *store);
void image_make(struct image *image, unsigned int kind);
#define IMAGE_KINDS 4

/* check.c */
void image_verify(const struct image *image);

#endif /* SNAPMAP_TESTS_FUZZ_IMAGE_H */

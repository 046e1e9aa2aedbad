/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * huge.h - maps whose chunks of 2 MiB are one page each, and how they are mapped
 *
 * How a range is mapped is told by counting page faults, which all kernels do
 * alike.
 */
#ifndef HUGE_H
#define HUGE_H

#include "device.h"

#define CHUNK	     (2 * MIB)
#define AROUND	     (64 * 1024ULL) /* what a fault on a small page maps */
#define FAULTS_SLACK 16		    /* faults that are the test's own */
#define HUGE_BYTE    0x7f	    /* what fill_range() fills a map with */

/* Writes a file of the kernel's; false when that cannot be done. */
bool write_text(const char *path, const char *text);

/* Whether new chunks are huge: the module's parameter. */
bool set_huge(bool huge);

/* Brings memory into one piece. */
void make_room(void);

/* Values of 100,000 bytes, 40 MB in all, or half of that where the kernel is slow. */
void fill_map(int fd, u8 byte);
void empty_map(int fd);

u64 huge_bytes(const struct fixture *map);

/* Chunks of full size. */
u64 full_chunks(const struct fixture *map);

/* Of a map that has been emptied: for wait_until(). */
bool has_shrunk(void *map);

/**
 * struct range - the chunks of full size, in a mapping
 * @at: where they begin
 * @bytes: their length
 * @base: the whole mapping
 * @span: its length
 */
struct range {
	const u8 *at;
	size_t bytes;
	u8 *base;
	size_t span;
};

/* A new mapping; of small pages, whatever the chunks are; of a map that is filled first. */
struct range range_of(const struct fixture *map);
struct range small_range_of(const struct fixture *map);
struct range fill_range(const struct fixture *map);
u8 *copy_of(const struct range *range);
void assert_same(const struct range *range, const u8 *copy);
void range_end(const struct range *range);

u64 faults_so_far(void);

/* How many faults it takes to touch each page, and may take, by how the chunks are backed. */
u64 faults_of(const struct range *range);
u64 faults_allowed(const struct fixture *map);

int setup_small(void **state);
int setup_huge(void **state);
int huge_teardown(void **state);

#define huge_test(f)  cmocka_unit_test_setup_teardown(f, setup_huge, huge_teardown)
#define small_test(f) cmocka_unit_test_setup_teardown(f, setup_small, huge_teardown)

#endif /* HUGE_H */

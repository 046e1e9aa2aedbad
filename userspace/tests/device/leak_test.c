// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * leak_test.c - what a mapping shows that is not in the current snapshot, and what it never shows
 */
#include <sys/mman.h>

#include "device.h"

#define SEEN  (2 * MIB) /* of the arena: all chunks but those of full size */
#define BYTES 3000	/* of a marked value */

/* A value that occurs nowhere by chance. */
static void mark(u8 value[BYTES], u8 number)
{
	u32 i;

	for (i = 0; i < BYTES; i++)
		value[i] = 0x40 | (i * 7 + number * 13) % 63;
}

static bool is_shown(const u8 *arena, const u8 value[BYTES])
{
	return memmem(arena, SEEN, value, 256);
}

static const u8 *show(int fd)
{
	size_t bytes;
	const u8 *arena = map_mapping(fd, &bytes);

	assert_non_null(arena);
	assert_true(bytes >= SEEN);
	return arena;
}

static void hide(const u8 *arena, int fd)
{
	struct snapmap_info info;

	assert_info(fd, &info);
	munmap((void *)arena, info.span);
}

/* Blocks of one map are reused for that map alone; the system gets and gives zeroes. */
static void test_no_memory_of_another_map_is_shown_H(void **state)
{
	struct fixture *map = *state;
	static u8 value[BYTES];
	const u8 *arena;
	char key[16];
	int fd, i;

	mark(value, 1);
	assert_int_equal(map_create("leak-before", FIXTURE_LIMIT), 0);
	fd = map_open("leak-before", O_RDWR);
	for (i = 0; i < 500; i++) {
		snprintf(key, sizeof(key), "key%d", i);
		assert_int_equal(put_bytes(fd, key, value, BYTES), 0);
	}
	arena = show(fd);
	assert_true(is_shown(arena, value));
	hide(arena, fd);
	close(fd);
	assert_int_equal(map_destroy("leak-before"), 0);

	assert_int_equal(put_string(map->fd, "a", "1"), 0);
	for (i = 0; i < 500; i++) {
		snprintf(key, sizeof(key), "key%d", i);
		assert_int_equal(put_string(map->fd, key, "short"), 0);
	}
	arena = show(map->fd);
	assert_false(is_shown(arena, value));
	hide(arena, map->fd);
}

/* What has never been handed out reads as zeroes, populated or not. */
static void test_fresh_memory_is_zero_H(void **state)
{
	struct fixture *map = *state;
	const u8 *arena = show(map->fd);
	size_t at;

	for (at = SNAPMAP_CONTROL_SIZE; at < SEEN; at++)
		if (arena[at])
			fail_msg("byte %zu is %u", at, arena[at]);
	hide(arena, map->fd);
}

/* So long that a value takes more than one granule: no two tags stand side by side then. */
#define NO_TAGS "a value that takes more than one granule"

/* The range of x86-64's kernel space that has anything in it to point to. */
static bool is_kernel_address(u64 word)
{
	return word >= 0xffff800000000000ULL && word < 0xfffffffffffff000ULL;
}

/* The one word that may be any number. */
#define SEED (offsetof(struct snapmap_control, hash_seed) / sizeof(u64))

static void test_no_kernel_address_is_shown_H(void **state)
{
	struct fixture *map = *state;
	const u64 *words;
	char key[16];
	size_t i;

	for (i = 0; i < 300; i++) {
		snprintf(key, sizeof(key), "key%zu", i);
		assert_int_equal(put_string(map->fd, key, NO_TAGS), 0);
		close(map_pin(map->fd));
	}
	words = (const u64 *)show(map->fd);
	for (i = 0; i < SEEN / sizeof(*words); i++)
		if (i != SEED && is_kernel_address(words[i]))
			fail_msg("word %zu is %llx", i, words[i]);
	hide((const u8 *)words, map->fd);
}

/*
 * To delete is not to erase: who may read the map may read what was in it,
 * until the block is used again, and what a refused commit wrote before it was.
 * Documented in security.rst; it would have to change there too.
 */
static bool both_are_shown(int fd)
{
	struct batch batch = { .data = NULL };
	static u8 deleted[BYTES], refused[BYTES];
	const u8 *arena;
	bool shown;

	mark(deleted, 2);
	mark(refused, 3);
	assert_int_equal(put_bytes(fd, "a", deleted, BYTES), 0);
	batch_dels(&batch, "a");
	assert_int_equal(batch_commit(fd, &batch, 0, NULL), 0);
	batch_clear(&batch);
	batch_put(&batch, "b", 1, refused, BYTES);
	batch_add(&batch, (struct snapmap_op){ .opcode = 99, .key_len = 1 }, "c", NULL);
	assert_int_equal(batch_commit(fd, &batch, 0, NULL), -EINVAL);
	batch_free(&batch);
	arena = show(fd);
	shown = is_shown(arena, deleted) && is_shown(arena, refused);
	hide(arena, fd);
	return shown;
}

static void test_deleted_and_refused_bytes_stay_for_a_while(void **state)
{
	struct fixture *map;
	bool shown = false;
	void *fixture;
	int tries;

	(void)state;
	/* The while is over when the system has held us up for that long: again, on a new map. */
	for (tries = 0; !shown && tries < 20; tries++) {
		assert_int_equal(fixture_setup(&fixture), 0);
		map = fixture;
		shown = both_are_shown(map->fd);
		assert_int_equal(fixture_teardown(&fixture), 0);
	}
	assert_true(shown);
}

static const struct CMUnitTest tests[] = {
	map_test(test_no_memory_of_another_map_is_shown_H),
	map_test(test_fresh_memory_is_zero_H),
	map_test(test_no_kernel_address_is_shown_H),
	plain_test(test_deleted_and_refused_bytes_stay_for_a_while),
	cmocka_unit_test(test_nothing_is_left_G),
};

int main(void)
{
	return cmocka_run_group_tests_name("leak", tests, NULL, NULL);
}

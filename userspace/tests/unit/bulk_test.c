// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * bulk_test.c - tables that are built in one go hold what puts would have put
 *
 * Keys are forged, so that hashes may be as alike as a test wants them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "../../../kmod/bulk.h"
#include "../../../kmod/filter.h"
#include "../../../kunit/forge.h"
#include "../../shim/heap.h"
#include "broken.h"
#include "random.h"

long shim_fail_alloc = -1;
unsigned long shim_grace_periods;
u64 shim_now_ns;

#define SEED_OF_MAP 0x1234567887654321ULL
#define ENTRIES	    20000

/* One put: the key follows from @hash and @id, the value from @number. */
struct entry {
	u64 hash;
	u64 id;
	u32 number;
	u32 value_len;
};

struct fixture {
	struct snapmap_arena arena;
	struct snapmap_build build;
	struct entry entry[ENTRIES];
	u32 count;
	u64 key[FORGE_WORDS]; /* the one that was read last */
	u32 fail_at;
};

static const u8 *value_of(u32 number)
{
	static u8 value[5000];

	memset(value, (int)number, sizeof(value));
	memcpy(value, &number, sizeof(number));
	return value;
}

static int read_entry(void *data, const struct snapmap_bulk_op *op, struct snapmap_key *key,
		      const void **value, u32 *value_len)
{
	struct fixture *fixture = data;
	const struct entry *entry = &fixture->entry[op->at];

	if (op->at == fixture->fail_at)
		return -EFAULT;
	forge_key(SEED_OF_MAP, entry->hash, entry->id, fixture->key);
	*key = (struct snapmap_key){ fixture->key, sizeof(fixture->key), entry->hash };
	*value = value_of(entry->number);
	*value_len = entry->value_len;
	return 0;
}

static struct snapmap_bulk_op note_of(const struct fixture *fixture, u32 i)
{
	const struct entry *entry = &fixture->entry[i];
	const struct snapmap_item item = {
		.key_len = sizeof(fixture->key),
		.value_len = entry->value_len,
		.block = !snapmap_value_is_inline(sizeof(fixture->key), entry->value_len),
	};

	return (struct snapmap_bulk_op){
		.hash = entry->hash,
		.at = i,
		.granules = snapmap_item_granules(&item),
	};
}

static int build(struct fixture *fixture)
{
	struct snapmap_bulk bulk = {
		.build = &fixture->build,
		.count = fixture->count,
		.read = read_entry,
		.data = fixture,
	};
	int err;

	bulk.notes = malloc(struct_size(bulk.notes, ops, fixture->count));
	for (u32 i = 0; i < fixture->count; i++)
		bulk.notes->ops[i] = note_of(fixture, i);
	err = snapmap_bulk_build(&bulk);
	free(bulk.notes);
	return err;
}

static void begin(struct fixture *fixture, u64 limit)
{
	memset(fixture, 0, sizeof(*fixture));
	fixture->fail_at = ENTRIES;
	assert_int_equal(snapmap_arena_init(&fixture->arena, &heap_backing, limit), 0);
	fixture->build = (struct snapmap_build){
		.arena = &fixture->arena,
		.seed = SEED_OF_MAP,
		.version = 2,
	};
}

static void end(struct fixture *fixture)
{
	snapmap_build_abort(&fixture->build);
	assert_int_equal(fixture->arena.used, SNAPMAP_CONTROL_BLOCKS);
	snapmap_arena_destroy(&fixture->arena);
}

static void add(struct fixture *fixture, u64 hash, u64 id, u32 value_len)
{
	fixture->entry[fixture->count] = (struct entry){ hash, id, fixture->count, value_len };
	fixture->count++;
}

static u32 random_len(void)
{
	u32 kind = random_below(20);

	if (kind < 16)
		return random_below(64);
	return kind < 19 ? random_below(1056) : random_below(5000);
}

/* Whether a later put has the same key. */
static bool is_overwritten(const struct fixture *fixture, u32 i)
{
	for (u32 j = i + 1; j < fixture->count; j++)
		if (fixture->entry[j].hash == fixture->entry[i].hash &&
		    fixture->entry[j].id == fixture->entry[i].id)
			return true;
	return false;
}

static void check_entry(struct fixture *fixture, const struct entry *entry)
{
	const struct snapmap_view view = { .arena = &fixture->arena };
	struct snapmap_hit hit;
	u64 key[FORGE_WORDS];

	forge_key(SEED_OF_MAP, entry->hash, entry->id, key);
	assert_true(snapmap_lookup(&view, fixture->build.table.root, entry->hash, key, sizeof(key),
				   &hit));
	assert_int_equal(hit.value_len, entry->value_len);
	assert_memory_equal(hit.value, value_of(entry->number), entry->value_len);
	assert_int_equal(hit.version, 2);
}

static void check(struct fixture *fixture)
{
	u64 entries = 0, value_bytes = 0;

	for (u32 i = 0; i < fixture->count; i++) {
		if (is_overwritten(fixture, i))
			continue;
		check_entry(fixture, &fixture->entry[i]);
		entries++;
		value_bytes += fixture->entry[i].value_len;
	}
	assert_int_equal(fixture->build.table.entries, entries);
	assert_int_equal(fixture->build.table.value_bytes, value_bytes);
}

/* The table that has been built takes puts and deletes like any other. */
static void change(struct fixture *fixture)
{
	struct snapmap_key key = { .data = fixture->key, .len = sizeof(fixture->key) };
	u32 i;

	for (i = 0; i < fixture->count; i += 3) {
		struct entry *entry = &fixture->entry[i];

		if (is_overwritten(fixture, i))
			continue;
		forge_key(SEED_OF_MAP, entry->hash, entry->id, fixture->key);
		key.hash = entry->hash;
		assert_int_equal(snapmap_build_delete(&fixture->build, &key), 0);
		entry->number += 7;
		entry->value_len = random_len();
		assert_int_equal(snapmap_build_put(&fixture->build, &key, value_of(entry->number),
						   entry->value_len),
				 0);
	}
}

static void build_and_check(struct fixture *fixture)
{
	assert_int_equal(build(fixture), 0);
	check(fixture);
	change(fixture);
	check(fixture);
	end(fixture);
}

static struct fixture fixture;

static void test_sizes(void **state)
{
	static const u32 counts[] = { 0, 1, 2, 20, 32, 33, 62, 63, 64, 100, 1000, 3000 };

	(void)state;
	random_init();
	for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
		begin(&fixture, 64 << 20);
		for (u32 n = 0; n < counts[i]; n++)
			add(&fixture, random_next(), n, random_len());
		build_and_check(&fixture);
	}
}

/* Hashes that share long prefixes, and keys that come more than once. */
static void test_alike(void **state)
{
	(void)state;
	random_init();
	for (u32 round = 0; round < 60; round++) {
		u32 shift = random_below(64), count = 1 + random_below(1500);
		u64 prefix = random_next();

		begin(&fixture, 64 << 20);
		while (fixture.count < count) {
			u64 hash = random_below(4) ? prefix ^ random_next() >> shift :
						     random_next();

			/* No more of one hash than a leaf holds. */
			if (shift > 54)
				hash ^= (u64)fixture.count << 20;
			add(&fixture, hash, fixture.count, random_below(40));
			if (!random_below(10))
				add(&fixture, hash, fixture.count - 1, random_below(40));
		}
		build_and_check(&fixture);
	}
}

/* Entries of two granules: a leaf holds 31, behind its tags. */
static void test_equal_hashes(void **state)
{
	int err;

	(void)state;
	for (u32 count = 11; count <= 111; count += 10) {
		begin(&fixture, 64 << 20);
		for (u32 n = 0; n < count; n++)
			add(&fixture, 0x0123456789abcdefULL, n, 8);
		for (u32 n = 0; n < 500; n++)
			add(&fixture, (u64)n << 50 | n, n, 8);
		err = build(&fixture);
		assert_int_equal(err, count <= 31 ? 0 : -EOVERFLOW);
		if (!err)
			check(&fixture);
		end(&fixture);
	}
}

/* Promise F: whatever fails, aborting frees all. */
static void test_failures(void **state)
{
	int err = -ENOMEM;

	(void)state;
	random_init();
	for (long n = 0; err == -ENOMEM; n++) {
		begin(&fixture, 64 << 20);
		for (u32 i = 0; i < 3000; i++)
			add(&fixture, (u64)i * 0x9e3779b97f4a7c15ULL, i, i % 100);
		shim_fail_alloc = n;
		err = build(&fixture);
		shim_fail_alloc = -1;
		assert_true(!err || err == -ENOMEM);
		assert_true(n > 5 || err);
		end(&fixture);
	}
	for (u32 i = 0; i < 1000; i += 37) {
		begin(&fixture, i % 2 ? 64 << 20 : 300 << 10);
		for (u32 n = 0; n < 8000; n++)
			add(&fixture, random_next(), n, 50);
		fixture.fail_at = i;
		err = build(&fixture);
		assert_true(err == -EFAULT || (err == -ENOSPC && i % 2 == 0));
		end(&fixture);
	}
}

/*
 * Promise I: with entries of one size, the home of each is taken by itself, or by one that
 * is at home there.
 */
static void test_entries_at_home(void **state)
{
	u32 at_home = 0;

	(void)state;
	random_init();
	begin(&fixture, 64 << 20);
	for (u32 n = 0; n < ENTRIES; n++)
		add(&fixture, random_next(), n, 8);
	assert_int_equal(build(&fixture), 0);
	for (u32 n = 0; n < fixture.count; n++) {
		const struct snapmap_view view = { .arena = &fixture.arena };
		const struct snapmap_entry *other;
		struct snapmap_leaf leaf;
		u64 hash = fixture.entry[n].hash;
		u32 home;

		assert_true(snapmap_leaf_at(
			&view, snapmap_walk(&view, fixture.build.table.root, hash), &leaf));
		home = snapmap_leaf_home(&leaf, hash);
		other = snapmap_leaf_entry(&leaf, home);
		assert_in_range(leaf.tags[home], SNAPMAP_TAG_FIRST, UINT8_MAX);
		assert_int_equal(snapmap_home_granule(other->check, leaf.blocks), home);
		forge_key(SEED_OF_MAP, hash, n, fixture.key);
		at_home += snapmap_leaf_find(&leaf, hash, fixture.key, sizeof(fixture.key)) == home;
	}
	print_message("# %u of %u entries at home\n", at_home, fixture.count);
	end(&fixture);
}

/* ------------------------------------------------------------ the filter */

static bool is_denied(struct fixture *fixture, u64 hash)
{
	const struct snapmap_view view = { .arena = &fixture->arena };
	u64 filter = fixture->build.table.filter;
	u32 width = SNAPMAP_FILTER_WIDTH(filter);
	const u64 *words;

	words = snapmap_arena_at(&fixture->arena, snapmap_child(&view, SNAPMAP_FILTER_BLOCK(filter),
								width, 0, hash));
	return snapmap_filter_mask(hash) & ~words[snapmap_filter_word(hash, width)];
}

static void build_with_filter(struct fixture *fixture, u32 count)
{
	random_init();
	begin(fixture, 64 << 20);
	for (u32 n = 0; n < count; n++)
		add(fixture, random_next(), n, 8);
	snapmap_filter_entries = count;
	assert_int_equal(build(fixture), 0);
}

static void put_new(struct fixture *fixture, u64 hash, u64 id)
{
	struct snapmap_key key = { fixture->key, sizeof(fixture->key), hash };

	forge_key(SEED_OF_MAP, hash, id, fixture->key);
	assert_int_equal(snapmap_build_put(&fixture->build, &key, value_of(1), 8), 0);
}

/* No key that is there, or comes, is denied, and most others are. */
static void test_filter(void **state)
{
	u32 denied = 0;

	(void)state;
	build_with_filter(&fixture, ENTRIES);
	assert_int_equal(SNAPMAP_FILTER_WIDTH(fixture.build.table.filter), 1);
	for (u32 n = 0; n < ENTRIES; n++)
		assert_false(is_denied(&fixture, fixture.entry[n].hash));
	for (u32 n = 0; n < 1000; n++)
		denied += is_denied(&fixture, random_next());
	assert_in_range(denied, 900, 1000);
	for (u32 n = 0; n < 1000; n++) {
		u64 hash = random_next();

		put_new(&fixture, hash, n);
		assert_false(is_denied(&fixture, hash));
	}
	end(&fixture);
}

/* It is told of twice as many keys as there were, and then given up; updates do not count. */
static void test_filter_is_given_up(void **state)
{
	(void)state;
	build_with_filter(&fixture, 100);
	for (u32 n = 0; n < 200; n++) {
		assert_int_not_equal(fixture.build.table.filter, 0);
		put_new(&fixture, n * 0x9e3779b97f4a7c15ULL, n);
		for (u32 again = 0; again < 3; again++)
			put_new(&fixture, n * 0x9e3779b97f4a7c15ULL, n);
	}
	assert_int_not_equal(fixture.build.table.filter, 0);
	put_new(&fixture, 1, 1);
	assert_int_equal(fixture.build.table.filter, 0);
	put_new(&fixture, 2, 1);
	end(&fixture);
}

/* A table goes with its filter. */
static void test_filter_is_freed(void **state)
{
	(void)state;
	build_with_filter(&fixture, 1000);
	snapmap_build_clear(&fixture.build);
	assert_int_equal(fixture.build.table.filter, 0);
	end(&fixture);
}

/* Promise F: without memory for all of a filter there is none, and nothing of it is left. */
static void test_filter_needs_memory(void **state)
{
	struct snapmap_arena *arena = &fixture.arena;
	u64 limit, used;

	(void)state;
	build_with_filter(&fixture, 10);
	snapmap_build_clear(&fixture.build);
	used = arena->used;
	limit = arena->limit;
	arena->limit = arena->resident;
	snapmap_filter_new(&fixture.build, 200000);
	assert_int_equal(fixture.build.table.filter, 0);
	assert_int_equal(arena->used, used);
	arena->limit = limit;
	snapmap_filter_new(&fixture.build, 200000);
	assert_int_equal(SNAPMAP_FILTER_WIDTH(fixture.build.table.filter), 4);
	assert_int_equal(arena->used, used + 1 + 16 * SNAPMAP_FILTER_BLOCKS);
	end(&fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_alike),
		cmocka_unit_test(test_equal_hashes),
		cmocka_unit_test(test_failures),
		cmocka_unit_test(test_entries_at_home),
		cmocka_unit_test(test_filter),
		cmocka_unit_test(test_filter_is_given_up),
		cmocka_unit_test(test_filter_is_freed),
		cmocka_unit_test(test_filter_needs_memory),
	};

	return cmocka_run_group_tests_name("bulk", tests, NULL, NULL);
}

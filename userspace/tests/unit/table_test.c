// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * table_test.c - the table against a trivial model
 *
 * A store is the current table and two hash tables of GLib's that say what must
 * be in it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <glib.h>

#include "../../../kmod/directory.h"
#include "../../../kmod/table.h"
#include "../../../kunit/forge.h"
#include "../../shim/heap.h"
#include "broken.h"
#include "random.h"

long shim_fail_alloc = -1;
unsigned long shim_grace_periods;
u64 shim_now_ns;

#define SEED_OF_MAP 0x1234567887654321ULL

struct store {
	struct snapmap_arena arena;
	struct snapmap_table current;
	struct snapmap_runlist retired; /* runs that only older snapshots reach */
	u64 version;
	u64 blocks_copied;   /* by the last commit */
	GHashTable *model;   /* key GBytes -> value GBytes */
	GHashTable *written; /* key GBytes -> version */
};

static void store_init(struct store *store, u64 limit)
{
	memset(store, 0, sizeof(*store));
	random_init();
	store->version = 1;
	assert_int_equal(snapmap_arena_init(&store->arena, &heap_backing, limit), 0);
	store->model = g_hash_table_new_full(g_bytes_hash, g_bytes_equal,
					     (GDestroyNotify)g_bytes_unref,
					     (GDestroyNotify)g_bytes_unref);
	store->written = g_hash_table_new_full(g_bytes_hash, g_bytes_equal,
					       (GDestroyNotify)g_bytes_unref, g_free);
}

static void free_list(struct snapmap_arena *arena, struct snapmap_runlist *list)
{
	u32 block;

	while ((block = snapmap_runlist_pop(arena, list)))
		snapmap_arena_free(arena, block);
}

static struct snapmap_build build_begin(struct store *store)
{
	static struct snapmap_notes notes;

	notes.count = 0;
	return (struct snapmap_build){
		.arena = &store->arena,
		.seed = SEED_OF_MAP,
		.version = store->version + 1,
		.table = store->current,
		.notes = &notes,
	};
}

/* The leaf of all hashes that a slot of the directory is for; 0 when there is no such leaf. */
static u32 leaf_of_slot(const struct snapmap_arena *arena, const struct snapmap_table *table,
			u32 slot)
{
	const u32 shift = SNAPMAP_DIRECTORY_SHIFT(table->directory);
	const struct snapmap_view view = { .arena = arena };
	u32 first = snapmap_walk(&view, table->root, (u64)slot << shift);
	u32 last = snapmap_walk(&view, table->root, ((u64)slot << shift) + ((1ULL << shift) - 1));

	return first == last ? first : 0;
}

/* In larger tables it takes too long to look at each slot after each commit. */
#define LOOKED_AT_MAX 20000

/* The directory names the table's own leaves, and no others; all of them, or some at least. */
static void check_directory(const struct snapmap_arena *arena, const struct snapmap_table *table,
			    bool all)
{
	const u32 *slots;
	u32 slot, leaf;

	assert_int_equal(!table->directory, !SNAPMAP_ROOT_LEVELS(table->root));
	if (!table->directory || table->entries > LOOKED_AT_MAX)
		return;
	slots = snapmap_arena_at(arena, SNAPMAP_DIRECTORY_BLOCK(table->directory));
	for (slot = 0; slot < 1U << SNAPMAP_DIRECTORY_WIDTH(table->directory); slot++) {
		leaf = leaf_of_slot(arena, table, slot);
		if (all || (slots[slot] && slots[slot] != SNAPMAP_DIRECTORY_CLOSED))
			assert_int_equal(slots[slot], leaf);
	}
}

/* Publishes at once, and frees what the snapshot before no longer shares. */
static void build_publish(struct store *store, struct snapmap_build *build)
{
	snapmap_build_finish(build);
	snapmap_directory_close(build);
	check_directory(&store->arena, &build->table, false);
	snapmap_directory_open(build);
	check_directory(&store->arena, &build->table, true);
	store->version = build->version;
	store->current = build->table;
	store->blocks_copied = build->blocks_copied;
	snapmap_runlist_splice(&store->arena, &store->retired, &build->retired);
	free_list(&store->arena, &store->retired);
}

static void store_destroy(struct store *store)
{
	struct snapmap_build build = build_begin(store);

	snapmap_build_clear(&build);
	build_publish(store, &build);
	assert_int_equal(store->arena.used, SNAPMAP_CONTROL_BLOCKS);
	snapmap_arena_trim(&store->arena);
	for (u32 i = 1; i < store->arena.slots; i++)
		assert_null(store->arena.chunks[i]);
	snapmap_arena_destroy(&store->arena);
	g_hash_table_destroy(store->model);
	g_hash_table_destroy(store->written);
}

static struct snapmap_key key_of(const void *data, u32 len)
{
	return (struct snapmap_key){ data, len, snapmap_hash(SEED_OF_MAP, data, len) };
}

static int put(struct snapmap_build *build, const void *key, u32 key_len, const void *value,
	       u32 value_len)
{
	struct snapmap_key k = key_of(key, key_len);

	return snapmap_build_put(build, &k, value, value_len);
}

static void model_put(struct store *store, const void *key, u32 key_len, const void *value,
		      u32 value_len, u64 version)
{
	GBytes *k = g_bytes_new(key, key_len);

	g_hash_table_replace(store->written, g_bytes_ref(k), g_memdup2(&version, sizeof(version)));
	g_hash_table_replace(store->model, k, g_bytes_new(value, value_len));
}

static bool model_delete(struct store *store, const void *key, u32 key_len)
{
	GBytes *k = g_bytes_new(key, key_len);
	bool had = g_hash_table_remove(store->model, k);

	g_hash_table_remove(store->written, k);
	g_bytes_unref(k);
	return had;
}

/* Everything in the model is in the table, and the counts say that nothing else is. */
static void check(struct store *store, const struct snapmap_table *table)
{
	const struct snapmap_view view = { .arena = &store->arena };
	u64 key_bytes = 0, value_bytes = 0;
	GHashTableIter iter;
	gpointer k, v;

	g_hash_table_iter_init(&iter, store->model);
	while (g_hash_table_iter_next(&iter, &k, &v)) {
		gsize key_len, value_len;
		const void *key = g_bytes_get_data(k, &key_len);
		const void *value = g_bytes_get_data(v, &value_len);
		struct snapmap_hit hit;

		assert_true(snapmap_lookup(&view, table->root,
					   snapmap_hash(SEED_OF_MAP, key, key_len), key, key_len,
					   &hit));
		assert_int_equal(hit.value_len, value_len);
		assert_memory_equal(hit.value, value ? value : "", value_len);
		assert_int_equal(hit.version, *(u64 *)g_hash_table_lookup(store->written, k));
		key_bytes += key_len;
		value_bytes += value_len;
	}
	assert_int_equal(table->entries, g_hash_table_size(store->model));
	assert_int_equal(table->key_bytes, key_bytes);
	assert_int_equal(table->value_bytes, value_bytes);
}

/* A key of a small population, so that puts replace and deletes hit. */
static u32 random_key(u8 *key, u32 population)
{
	u32 id = random_below(population);
	u32 len = 1 + (id * 2654435761U >> 24) % 40;

	if (id % 97 == 0)
		len = SNAPMAP_KEY_MAX - id % 5;
	memset(key, 'k', len);
	memcpy(key, &id, min(len, (u32)sizeof(id)));
	return len;
}

static u32 random_value(u8 *value)
{
	static const u32 lengths[] = { 0, 1, 31, 32, 33, 200, 900, 1000, 1040, 1041, 3000, 70000 };
	u32 pick = random_below(64);
	u32 len = pick < ARRAY_SIZE(lengths) ? lengths[pick] : random_below(100);

	memset(value, (int)random_next(), len);
	return len;
}

static void random_commit(struct store *store, u32 ops, u32 population, u32 deletes)
{
	struct snapmap_build build = build_begin(store);
	static u8 key[SNAPMAP_KEY_MAX], value[70000];
	u32 key_len, value_len;

	while (ops--) {
		key_len = random_key(key, population);
		if (random_below(100) < deletes) {
			struct snapmap_key k = key_of(key, key_len);

			assert_int_equal(snapmap_build_delete(&build, &k),
					 model_delete(store, key, key_len) ? 0 : -ENOENT);
			continue;
		}
		value_len = random_value(value);
		assert_int_equal(put(&build, key, key_len, value, value_len), 0);
		model_put(store, key, key_len, value, value_len, build.version);
	}
	build_publish(store, &build);
}

static void test_random_against_model(void **state)
{
	struct store store;

	(void)state;
	store_init(&store, 1ULL << 30);
	for (int round = 0; round < 60; round++) {
		u32 deletes = (u32[]){ 10, 50, 90 }[round % 3];

		random_commit(&store, 1 + random_below(2000), 5000, deletes);
		check(&store, &store.current);
	}
	store_destroy(&store);
}

static void test_limits(void **state)
{
	static u8 key[SNAPMAP_KEY_MAX], value[SNAPMAP_VALUE_MAX];
	static const u32 key_lens[] = { 1, 7, 8, 9, 16, 1023, 1024 };
	static const u32 value_lens[] = { 0,	1,    15,   16,	  17,
					  1024, 1032, 1040, 1041, SNAPMAP_VALUE_MAX };
	struct snapmap_build build;
	struct store store;

	(void)state;
	store_init(&store, 1ULL << 30);
	for (u32 i = 0; i < ARRAY_SIZE(key_lens); i++) {
		for (u32 j = 0; j < ARRAY_SIZE(value_lens); j++) {
			build = build_begin(&store);
			memset(key, (int)('A' + i), sizeof(key));
			memset(value, (int)(i * 16 + j), value_lens[j]);
			assert_int_equal(put(&build, key, key_lens[i], value, value_lens[j]), 0);
			model_put(&store, key, key_lens[i], value, value_lens[j], build.version);
			build_publish(&store, &build);
			check(&store, &store.current);
		}
	}
	store_destroy(&store);
}

/*
 * Promise B: what the snapshot before reaches does not change, byte by byte, while another is
 * built; F: giving that up changes nothing and keeps nothing.
 */
static void check_while_building(struct store *store)
{
	struct snapmap_table before = store->current;
	struct snapmap_build build = build_begin(store);

	for (u32 id = 0; id < 3000; id++)
		assert_int_equal(put(&build, &id, sizeof(id), "other", 5), 0);
	snapmap_build_finish(&build);
	check(store, &before);
	snapmap_build_abort(&build);
	check(store, &store->current);
}

static void test_old_snapshot_stays(void **state)
{
	struct store store;

	(void)state;
	store_init(&store, 1ULL << 30);
	random_commit(&store, 3000, 3000, 0);
	check_while_building(&store);
	store_destroy(&store);
}

/* The same where versions are so far apart that 32 bits do not tell them apart. */
static void test_versions_far_apart_B(void **state)
{
	struct store store;

	(void)state;
	store_init(&store, 1ULL << 30);
	random_commit(&store, 3000, 3000, 0);
	for (int round = 0; round < 20; round++) {
		store.version += round % 2 ? U32_MAX : random_below(1U << 31);
		check_while_building(&store);
		random_commit(&store, 100, 3000, 50);
		check(&store, &store.current);
	}
	store_destroy(&store);
}

/* Promise F: every allocation of a commit fails once, none leaves a trace. */
static void test_every_allocation_fails(void **state)
{
	static u8 value[20000];
	struct snapmap_build build;
	struct store store;
	u64 used;
	long n;
	int err;

	(void)state;
	store_init(&store, 1ULL << 30);
	random_commit(&store, 500, 500, 0);
	used = store.arena.used;
	for (n = 0;; n++) {
		snapmap_arena_trim(&store.arena);
		shim_fail_alloc = n;
		build = build_begin(&store);
		err = 0;
		for (u32 id = 0; id < 20000 && !err; id++)
			err = put(&build, &id, sizeof(id), value, id % 100 ? 100 : sizeof(value));
		shim_fail_alloc = -1;
		if (!err)
			break;
		assert_int_equal(err, -ENOMEM);
		snapmap_build_abort(&build);
		assert_int_equal(store.arena.used, used);
		check(&store, &store.current);
	}
	assert_true(n > 10);
	snapmap_build_abort(&build);
	assert_int_equal(store.arena.used, used);
	store_destroy(&store);
}

/* Leaves so many free blocks, anywhere, and lets the arena grow no more. */
static void use_up(struct store *store, u64 left, struct snapmap_runlist *filler)
{
	int err;

	while (store->arena.free > left)
		snapmap_runlist_add(&store->arena, filler,
				    snapmap_arena_alloc(&store->arena, 1, 0, &err));
	store->arena.limit = 0;
}

static const u8 tight_value[3000];

/* One value of fifty has blocks of its own. */
static u32 tight_len(u32 id)
{
	return id % 50 ? 900 : sizeof(tight_value);
}

/* Changes one key in a build that is given up again, with so many free blocks. */
static int try_with(struct store *store, u32 id, bool delete, u64 left, struct snapmap_build *build)
{
	struct snapmap_key key = key_of(&id, sizeof(id));
	struct snapmap_runlist filler = {};
	u64 limit = store->arena.limit;
	u64 used = store->arena.used;
	int err;

	*build = build_begin(store);
	use_up(store, left, &filler);
	if (delete)
		err = snapmap_build_delete(build, &key);
	else
		err = snapmap_build_put(build, &key, tight_value, tight_len(id));
	snapmap_build_abort(build);
	free_list(&store->arena, &filler);
	store->arena.limit = limit;
	assert_true(!err || err == -ENOSPC);
	assert_int_equal(store->arena.used, used);
	return err;
}

/*
 * Lets memory end at each step of a change that is more than a leaf or of one in
 * ten others, else at one step. Returns how often it did end.
 */
static u32 fail_steps(struct store *store, u32 id, bool delete)
{
	struct snapmap_build build;
	u32 refused = 0;
	u64 left, cost;

	try_with(store, id, delete, 64, &build);
	cost = build.blocks_copied;
	if (cost < 14 && id % 10)
		return !!try_with(store, id, delete, random_below(cost + 1), &build);
	for (left = 0; left < cost; left++)
		refused += !!try_with(store, id, delete, left, &build);
	return refused;
}

#define TIGHT_KEYS 3000 /* of four a leaf: nodes of each kind are doubled, split and raised */

/*
 * Promise F: wherever memory ends while a table grows and shrinks, in leaves or
 * in inner nodes, giving up leaves no trace.
 */
static void test_memory_ends_anywhere(void **state)
{
	u32 id, refused = 0;
	struct snapmap_build build;
	struct store store;

	(void)state;
	store_init(&store, 16U << 20);
	for (id = 0; id < TIGHT_KEYS; id++) {
		refused += fail_steps(&store, id, false);
		build = build_begin(&store);
		assert_int_equal(put(&build, &id, sizeof(id), tight_value, tight_len(id)), 0);
		build_publish(&store, &build);
		model_put(&store, &id, sizeof(id), tight_value, tight_len(id), store.version);
	}
	check(&store, &store.current);
	for (id = 0; id < TIGHT_KEYS; id++) {
		struct snapmap_key key = key_of(&id, sizeof(id));

		refused += fail_steps(&store, id, true);
		build = build_begin(&store);
		assert_int_equal(snapmap_build_delete(&build, &key), 0);
		build_publish(&store, &build);
		model_delete(&store, &id, sizeof(id));
		if (id % 500 == 0)
			check(&store, &store.current);
	}
	assert_true(refused > TIGHT_KEYS / 4);
	store_destroy(&store);
}

/* Promise G: the limit holds, all of it is used, and a commit that meets it leaves no trace. */
static void test_limit_is_kept(void **state)
{
	struct snapmap_build build;
	struct store store;
	int err = 0;
	u64 used;

	(void)state;
	store_init(&store, 1 << 20);
	random_commit(&store, 100, 100, 0);
	used = store.arena.used;
	build = build_begin(&store);
	for (u32 id = 0; !err; id++)
		err = put(&build, &id, sizeof(id), "value", 5);
	assert_int_equal(err, -ENOSPC);
	assert_in_range(store.arena.resident, (1 << 20) - 4400, 1 << 20); /* a group is 4236 */
	snapmap_build_abort(&build);
	assert_int_equal(store.arena.used, used);
	check(&store, &store.current);
	store_destroy(&store);
}

/*
 * Promise I: with entries of one size, no home is taken by an entry of another one. So as
 * many are at home as there are homes.
 */
static void test_entries_at_home(void **state)
{
	u8 bytes[2][SNAPMAP_LEAF_BLOCKS_MAX * SNAPMAP_BLOCK_SIZE];
	u8 tags[2][SNAPMAP_LEAF_GRANULES_MAX] = { 0 };
	const struct snapmap_leaf full = { tags[0], bytes[0], SNAPMAP_LEAF_BLOCKS_MAX };
	const struct snapmap_leaf copy = { tags[1], bytes[1], SNAPMAP_LEAF_BLOCKS_MAX };
	struct snapmap_item item = { .key_len = 16, .value_len = 32, .version = 2 };
	u64 set, homes = 0, key[2] = { 0, 0 };
	u32 at_home = 0, entries = 0, home;
	u8 value[32] = { 0 };

	(void)state;
	item.key = key;
	item.value = value;
	do {
		key[0]++;
		item.hash = snapmap_hash(SEED_OF_MAP, key, sizeof(key));
	} while (snapmap_leaf_add(&full, &item));
	snapmap_leaf_select(&full, &(struct snapmap_leaf_filter){ .want = -1 }, &set);
	assert_true(snapmap_leaf_copy(&copy, &full, set, true));
	for (; entries + 1 < key[0]; entries++) {
		u64 k[2] = { entries + 1, 0 };
		u64 hash = snapmap_hash(SEED_OF_MAP, k, sizeof(k));

		home = snapmap_leaf_home(&copy, hash);
		homes |= 1ULL << home;
		at_home += snapmap_leaf_find(&copy, hash, k, sizeof(k)) == home;
	}
	print_message("# %u of %u entries at home\n", at_home, entries);
	assert_int_equal(entries, 32);
	assert_int_equal(at_home, hweight64(homes));
}

/* Blocks that one put copies into a table of @entries. */
static u64 blocks_of_one_put(u32 entries, u64 *largest)
{
	struct snapmap_build build;
	u64 sum = 0;
	struct store store;

	store_init(&store, 4ULL << 30);
	build = build_begin(&store);
	for (u64 id = 0; id < entries; id++) {
		u64 key[2] = { id, ~id };
		u8 value[32] = { (u8)id };

		assert_int_equal(put(&build, key, sizeof(key), value, sizeof(value)), 0);
	}
	build_publish(&store, &build);
	*largest = 0;
	for (int i = 0; i < 1000; i++) {
		u64 id = random_below(entries);
		u64 key[2] = { id, ~id };
		u8 value[32] = { 0xff };

		build = build_begin(&store);
		assert_int_equal(put(&build, key, sizeof(key), value, sizeof(value)), 0);
		build_publish(&store, &build);
		sum += store.blocks_copied;
		*largest = max(*largest, store.blocks_copied);
	}
	print_message("# %u entries: %.2f bytes an entry, %.2f blocks a put, at most %" PRIu64 "\n",
		      entries, (double)store.arena.used * SNAPMAP_BLOCK_SIZE / entries,
		      sum / 1000.0, *largest);
	store_destroy(&store);
	return sum;
}

/* Promise I: the cost of a commit does not grow with the table, but for its depth. */
static void test_commit_cost(void **state)
{
	const u64 inner = sizeof(u32) << SNAPMAP_NODE_BITS >> SNAPMAP_BLOCK_SHIFT;
	u64 small_max, large_max;

	(void)state;
	blocks_of_one_put(1000, &small_max);
	blocks_of_one_put(1000000, &large_max);
	assert_true(small_max <= SNAPMAP_LEAF_BLOCKS_MAX + inner);
	assert_true(large_max <= SNAPMAP_LEAF_BLOCKS_MAX + 2 * inner + 1);
}

static int put_forged(struct store *store, struct snapmap_build *build, u64 hash, u64 id)
{
	u64 key[FORGE_WORDS];
	int err;

	forge_key(SEED_OF_MAP, hash, id, key);
	assert_int_equal(snapmap_hash(SEED_OF_MAP, key, sizeof(key)), hash);
	err = put(build, key, sizeof(key), &id, sizeof(id));
	if (!err)
		model_put(store, key, sizeof(key), &id, sizeof(id), build->version);
	return err;
}

/* One leaf's worth of keys may share all 64 bits; more is one clear error. */
static void test_equal_hashes(void **state)
{
	struct snapmap_build build;
	struct store store;
	int err = 0;
	u64 id;

	(void)state;
	store_init(&store, 1ULL << 30);
	random_commit(&store, 2000, 2000, 0);
	build = build_begin(&store);
	for (id = 0; id < 30; id++)
		assert_int_equal(put_forged(&store, &build, 0x0123456789abcdefULL, id), 0);
	build_publish(&store, &build);
	check(&store, &store.current);

	build = build_begin(&store);
	for (; id < 1000 && !err; id++)
		err = put_forged(&store, &build, 0x0123456789abcdefULL, id);
	assert_int_equal(err, -EOVERFLOW);
	assert_in_range(id, 31, 65);
	snapmap_build_abort(&build);
	g_hash_table_remove_all(store.model);
	store_destroy(&store);
}

/* Hashes that differ in their last bits only drive the trie to its full depth. */
static void test_deepest_trie(void **state)
{
	struct snapmap_build build;
	struct store store;

	(void)state;
	store_init(&store, 1ULL << 30);
	random_commit(&store, 2000, 2000, 0);
	build = build_begin(&store);
	for (u64 id = 0; id < 2000; id++)
		assert_int_equal(put_forged(&store, &build, 0xfedcba9876543000ULL + id, id), 0);
	for (u64 id = 2000; id < 2048; id++) /* more than a leaf has room for */
		assert_int_equal(put_forged(&store, &build, 0xfedcba9876543000ULL + id % 2, id), 0);
	build_publish(&store, &build);
	assert_int_equal(SNAPMAP_ROOT_LEVELS(store.current.root), SNAPMAP_LEVELS_MAX);
	check(&store, &store.current);
	for (int round = 0; round < 10; round++) {
		random_commit(&store, 1000, 2000, 50);
		check(&store, &store.current);
	}
	store_destroy(&store);
}

/*
 * A key is compared whole, and no byte beside it: hashes and lengths are the same here, which
 * leaves the bytes to tell keys apart.
 */
static void test_each_byte_of_a_key_counts(void **state)
{
	struct store store;

	(void)state;
	store_init(&store, 1 << 20);
	for (u32 len = 1; len <= 100; len++) {
		struct snapmap_build build = build_begin(&store);
		u8 *data = malloc(len); /* AddressSanitizer watches what is beside it */
		struct snapmap_key key = { .data = data, .len = len, .hash = len };
		u64 version;

		for (u32 at = 0; at < len; at++)
			data[at] = (u8)random_next();
		assert_int_equal(snapmap_build_put(&build, &key, NULL, 0), 0);
		assert_int_equal(snapmap_build_find(&build, &key, &version), 0);
		for (u32 bit = 0; bit < len * 8; bit++) {
			data[bit / 8] ^= 1U << bit % 8;
			assert_int_equal(snapmap_build_find(&build, &key, &version), -ENOENT);
			data[bit / 8] ^= 1U << bit % 8;
		}
		snapmap_build_abort(&build);
		free(data);
	}
	store_destroy(&store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_against_model),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_old_snapshot_stays),
		cmocka_unit_test(test_versions_far_apart_B),
		cmocka_unit_test(test_every_allocation_fails),
		cmocka_unit_test(test_memory_ends_anywhere),
		cmocka_unit_test(test_limit_is_kept),
		cmocka_unit_test(test_entries_at_home),
		cmocka_unit_test(test_commit_cost),
		cmocka_unit_test(test_each_byte_of_a_key_counts),
		cmocka_unit_test(test_equal_hashes),
		cmocka_unit_test(test_deepest_trie),
	};

	snapmap_directory_entries = 1;

	return cmocka_run_group_tests_name("table", tests, NULL, NULL);
}

// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * diff_test.c - comparing snapshots, against trivial models
 *
 * A history is a row of snapshots in one arena, nothing of which is ever reused.
 * Each has a model, a hash table of GLib's that maps its keys to values and to
 * the versions that last wrote them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <glib.h>

#include "../../../kmod/table.h"
#include "../../../kunit/forge.h"
#include "../../shim/heap.h"
#include "broken.h"
#include "random.h"

/* Wants broken.h. */
#include "../../../kmod/diff.h"

long shim_fail_alloc = -1;
unsigned long shim_grace_periods;
u64 shim_now_ns;

#define SEED_OF_MAP   0x1234567887654321ULL
#define SNAPSHOTS_MAX 64
#define VALUE_MAX     70000
#define EVERY_KEY     UINT32_MAX

struct cell {
	GBytes *value;
	u64 version;
};

struct history {
	struct snapmap_arena arena;
	struct snapmap_runlist retired;
	u32 count;
	struct snapmap_table tables[SNAPSHOTS_MAX];
	GHashTable *models[SNAPSHOTS_MAX]; /* key GBytes -> struct cell; NULL where not kept */
};

static void cell_free(void *data)
{
	struct cell *cell = data;

	g_bytes_unref(cell->value);
	g_free(cell);
}

static GHashTable *model_new(void)
{
	return g_hash_table_new_full(g_bytes_hash, g_bytes_equal, (GDestroyNotify)g_bytes_unref,
				     cell_free);
}

static void model_set(GHashTable *model, GBytes *key, GBytes *value, u64 version)
{
	struct cell *cell = g_new(struct cell, 1);

	*cell = (struct cell){ g_bytes_ref(value), version };
	g_hash_table_replace(model, g_bytes_ref(key), cell);
}

static GHashTable *model_copy(GHashTable *from)
{
	GHashTable *to = model_new();
	GHashTableIter iter;
	gpointer key, data;

	g_hash_table_iter_init(&iter, from);
	while (g_hash_table_iter_next(&iter, &key, &data)) {
		const struct cell *cell = data;

		model_set(to, key, cell->value, cell->version);
	}
	return to;
}

static void history_init(struct history *history)
{
	memset(history, 0, sizeof(*history));
	assert_int_equal(snapmap_arena_init(&history->arena, &heap_backing, 4ULL << 30), 0);
	history->models[0] = model_new();
	history->count = 1;
}

/* The next snapshot while it is being built, and the model of it. */
struct edit {
	struct history *history;
	struct snapmap_build build;
	GHashTable *model;
};

static struct edit edit_begin(struct history *history)
{
	u32 last = history->count - 1;

	assert_true(history->count < SNAPSHOTS_MAX);
	return (struct edit){
		.history = history,
		.build = {
			.arena = &history->arena,
			.seed = SEED_OF_MAP,
			.version = history->count + 1,
			.table = history->tables[last],
		},
		.model = history->models[last] ? model_copy(history->models[last]) : NULL,
	};
}

static void edit_end(struct edit *edit)
{
	struct history *history = edit->history;

	snapmap_build_finish(&edit->build);
	snapmap_runlist_splice(&history->arena, &history->retired, &edit->build.retired);
	history->tables[history->count] = edit->build.table;
	history->models[history->count++] = edit->model;
}

static void edit_put(struct edit *edit, const void *data, u32 len, const void *value, u32 value_len)
{
	struct snapmap_key key = { data, len, snapmap_hash(SEED_OF_MAP, data, len) };
	GBytes *k, *v;

	assert_int_equal(snapmap_build_put(&edit->build, &key, value, value_len), 0);
	if (!edit->model)
		return;
	k = g_bytes_new(data, len);
	v = g_bytes_new(value, value_len);
	model_set(edit->model, k, v, edit->build.version);
	g_bytes_unref(k);
	g_bytes_unref(v);
}

static void edit_delete(struct edit *edit, const void *data, u32 len)
{
	struct snapmap_key key = { data, len, snapmap_hash(SEED_OF_MAP, data, len) };
	GBytes *k = g_bytes_new(data, len);
	bool had = g_hash_table_remove(edit->model, k);

	g_bytes_unref(k);
	assert_int_equal(snapmap_build_delete(&edit->build, &key), had ? 0 : -ENOENT);
}

static void edit_clear(struct edit *edit)
{
	snapmap_build_clear(&edit->build);
	g_hash_table_remove_all(edit->model);
}

static void history_exit(struct history *history)
{
	struct snapmap_build build = {
		.arena = &history->arena,
		.seed = SEED_OF_MAP,
		.version = history->count + 1,
		.table = history->tables[history->count - 1],
	};
	u32 block;

	snapmap_build_clear(&build);
	snapmap_runlist_splice(&history->arena, &history->retired, &build.retired);
	while ((block = snapmap_runlist_pop(&history->arena, &history->retired)))
		snapmap_arena_free(&history->arena, block);
	assert_int_equal(history->arena.used, SNAPMAP_CONTROL_BLOCKS);
	snapmap_arena_trim(&history->arena);
	snapmap_arena_destroy(&history->arena);
	while (history->count--)
		if (history->models[history->count])
			g_hash_table_destroy(history->models[history->count]);
}

/* ------------------------------------------------------------- what must come out */

static bool cells_differ(const struct cell *a, const struct cell *b)
{
	return !a || !b || !g_bytes_equal(a->value, b->value);
}

static u32 count_differences(GHashTable *old, GHashTable *new)
{
	u32 count = 0;
	GHashTableIter iter;
	gpointer key, cell;

	g_hash_table_iter_init(&iter, old);
	while (g_hash_table_iter_next(&iter, &key, &cell))
		count += cells_differ(cell, g_hash_table_lookup(new, key));
	g_hash_table_iter_init(&iter, new);
	while (g_hash_table_iter_next(&iter, &key, &cell))
		count += !g_hash_table_contains(old, key);
	return count;
}

static void assert_hit(bool has, const struct snapmap_hit *hit, const struct cell *cell)
{
	const void *value;
	gsize len;

	assert_int_equal(has, cell != NULL);
	if (!has)
		return;
	value = g_bytes_get_data(cell->value, &len);
	assert_int_equal(hit->value_len, len);
	assert_memory_equal(hit->value, value ? value : "", len);
	assert_int_equal(hit->version, cell->version);
}

/* A change must be one, told as it is, and not have come before. */
static void check_change(const struct snapmap_change *change, GHashTable *old, GHashTable *new,
			 GHashTable *seen)
{
	GBytes *key = g_bytes_new(change->key, change->key_len);
	const struct cell *was = g_hash_table_lookup(old, key);
	const struct cell *is = g_hash_table_lookup(new, key);

	assert_int_equal(change->hash, snapmap_hash(SEED_OF_MAP, change->key, change->key_len));
	assert_hit(change->has_old, &change->old, was);
	assert_hit(change->has_new, &change->new, is);
	assert_true((was || is) && cells_differ(was, is));
	assert_true(g_hash_table_add(seen, key));
}

/* Compares two snapshots. Returns how many nodes that took. */
static u64 check_pair(struct history *history, u32 a, u32 b)
{
	const struct snapmap_view view = { .arena = &history->arena };
	GHashTable *old = history->models[a], *new = history->models[b];
	GHashTable *seen = g_hash_table_new_full(g_bytes_hash, g_bytes_equal,
						 (GDestroyNotify)g_bytes_unref, NULL);
	struct snapmap_change change;
	struct snapmap_diff diff;
	int ret;

	snapmap_diff_begin(&diff, &view, SEED_OF_MAP, history->tables[a].root,
			   history->tables[b].root);
	while ((ret = snapmap_diff_next(&diff, &change)) > 0)
		check_change(&change, old, new, seen);
	assert_int_equal(ret, 0);
	assert_int_equal(g_hash_table_size(seen), count_differences(old, new));
	g_hash_table_destroy(seen);
	return diff.nodes;
}

static void check_all_pairs(struct history *history)
{
	for (u32 a = 0; a < history->count; a++)
		for (u32 b = 0; b < history->count; b++)
			check_pair(history, a, b);
}

/* ------------------------------------------------------------- edits by chance */

static u32 random_key(u8 *key, u32 population)
{
	u32 id = random_below(population);
	u32 len = 4 + (id * 2654435761U >> 24) % 40;

	if (id % 97 == 0)
		len = SNAPMAP_KEY_MAX - id % 5;
	memset(key, 'k', len);
	memcpy(key, &id, sizeof(id));
	return len;
}

/* Few different ones, so that a key is often given the value that it has. */
static u32 random_value(u8 *value)
{
	static const u32 lengths[] = { 0, 1, 31, 200, 900, 1040, 1041, 3000, VALUE_MAX };
	u32 pick = random_below(96);
	u32 len = pick < ARRAY_SIZE(lengths) ? lengths[pick] : random_below(3) * 20;

	memset(value, (int)random_below(2), len);
	return len;
}

static void random_ops(struct edit *edit, u32 ops, u32 population, u32 deletes)
{
	static u8 key[SNAPMAP_KEY_MAX], value[VALUE_MAX];
	u32 key_len;

	while (ops--) {
		key_len = random_key(key, population);
		if (random_below(100) < deletes)
			edit_delete(edit, key, key_len);
		else
			edit_put(edit, key, key_len, value, random_value(value));
	}
}

/* Deletes the keys that begin with less than @bound, or writes them as they are. */
static void sweep(struct edit *edit, u32 bound, bool deletes)
{
	GHashTable *before = model_copy(edit->model);
	GHashTableIter iter;
	gpointer k, cell;
	gsize len, value_len;
	u32 id;

	g_hash_table_iter_init(&iter, before);
	while (g_hash_table_iter_next(&iter, &k, &cell)) {
		const void *key = g_bytes_get_data(k, &len);
		const void *value = g_bytes_get_data(((struct cell *)cell)->value, &value_len);

		memcpy(&id, key, sizeof(id));
		if (id >= bound)
			continue;
		if (deletes)
			edit_delete(edit, key, len);
		else
			edit_put(edit, key, len, value, value_len);
	}
	g_hash_table_destroy(before);
}

static void random_edit(struct history *history, u32 population)
{
	static const u32 sizes[] = { 0, 1, 3, 20, 300, 3000 };
	static const u32 deletes[] = { 0, 10, 50, 95 };
	struct edit edit = edit_begin(history);
	u32 kind = random_below(16);

	if (kind == 0)
		edit_clear(&edit); /* and filled again, most often */
	else if (kind == 1)
		sweep(&edit, EVERY_KEY, random_below(2));
	else if (kind < 5)
		sweep(&edit, random_below(population), random_below(2));
	random_ops(&edit, random_below(1 + sizes[random_below(ARRAY_SIZE(sizes))]), population,
		   deletes[random_below(ARRAY_SIZE(deletes))]);
	edit_end(&edit);
}

static void test_random_snapshots(void **state)
{
	static const u32 populations[] = { 3, 40, 300, 3000, 20000 };
	struct history history;

	(void)state;
	for (int round = 0; round < 10; round++) {
		u32 population = populations[round % ARRAY_SIZE(populations)];

		history_init(&history);
		for (int i = 0; i < 12; i++)
			random_edit(&history, population);
		check_all_pairs(&history);
		history_exit(&history);
	}
}

/* ------------------------------------------------------------- shapes of the trie */

static void put_number(struct edit *edit, u64 id, const void *value, u32 value_len)
{
	u64 key[2] = { id, ~id };

	edit_put(edit, key, sizeof(key), value, value_len);
}

static void test_nothing_differs(void **state)
{
	struct history history;
	struct edit edit;

	(void)state;
	history_init(&history);
	assert_int_equal(check_pair(&history, 0, 0), 0);
	edit = edit_begin(&history);
	random_ops(&edit, 3000, 3000, 0);
	edit_end(&edit);
	edit = edit_begin(&history);
	edit_end(&edit);
	assert_int_equal(check_pair(&history, 1, 1), 0);
	assert_int_equal(check_pair(&history, 1, 2), 0);
	edit = edit_begin(&history);
	sweep(&edit, EVERY_KEY, false);
	edit_end(&edit);
	assert_true(check_pair(&history, 2, 3) > 0); /* all anew, and the same */
	history_exit(&history);
}

/* A table grows key by key: a key costs its path, also where the trie grows above it. */
static void test_growth_costs_a_path(void **state)
{
	struct history history;
	const struct snapmap_view view = { .arena = &history.arena };
	u64 worst = 0;
	u32 changes = 0;

	(void)state;
	history_init(&history);
	g_hash_table_destroy(history.models[0]);
	history.models[0] = NULL;
	for (u64 id = 0; id < 20000; id++) {
		u64 before = history.tables[0].root, after;
		struct snapmap_change change;
		struct snapmap_diff diff;
		struct edit edit = edit_begin(&history);

		edit.build.version = id + 2;
		put_number(&edit, id, "some value of 29 bytes, so so", 29);
		edit_end(&edit);
		history.tables[0] = history.tables[--history.count];
		after = history.tables[0].root;
		changes += before >> 32 != after >> 32;
		snapmap_diff_begin(&diff, &view, SEED_OF_MAP, before, after);
		assert_int_equal(snapmap_diff_next(&diff, &change), 1);
		assert_true(!change.has_old && change.has_new);
		assert_memory_equal(change.key, &id, sizeof(id));
		assert_int_equal(snapmap_diff_next(&diff, &change), 0);
		worst = max(worst, diff.nodes);
	}
	print_message("# the trie's top grew %u times; a key cost %" PRIu64 " nodes at most\n",
		      changes, worst);
	assert_true(changes > 8);
	assert_true(worst <= 16);
	history_exit(&history);
}

static void put_forged(struct edit *edit, u64 hash, u64 id, u32 value)
{
	u64 key[FORGE_WORDS];

	forge_key(SEED_OF_MAP, hash, id, key);
	edit_put(edit, key, sizeof(key), &value, sizeof(value));
}

/* Equal hashes, and hashes that differ in their last bits only: all levels. */
static void test_deepest_trie(void **state)
{
	struct history history;
	struct edit edit;

	(void)state;
	history_init(&history);
	edit = edit_begin(&history);
	random_ops(&edit, 2000, 2000, 0);
	edit_end(&edit);
	for (u32 round = 0; round < 8; round++) {
		edit = edit_begin(&history);
		for (u64 id = 0; id < 31; id++)
			if (random_below(3))
				put_forged(&edit, 0x0123456789abcdefULL, id, round);
		for (u64 id = 0; id < 2000; id++)
			if (!random_below(4))
				put_forged(&edit, 0xfedcba9876543000ULL + id, id, round);
		for (u64 id = 2000; id < 2048; id++) /* more than a leaf has room for */
			put_forged(&edit, 0xfedcba9876543000ULL + id % 2, id, round);
		edit_end(&edit);
	}
	assert_int_equal(SNAPMAP_ROOT_LEVELS(history.tables[8].root), SNAPMAP_LEVELS_MAX);
	edit = edit_begin(&history);
	random_ops(&edit, 500, 2000, 90);
	edit_end(&edit);
	check_all_pairs(&history);
	history_exit(&history);
}

#define MANY 1000000

/* Promise I: what a comparison costs follows the difference, not the table. */
static void test_ten_of_a_million(void **state)
{
	struct snapmap_change change;
	struct history history;
	const struct snapmap_view view = { .arena = &history.arena };
	struct snapmap_diff diff;
	struct edit edit;
	u32 changes = 0;

	(void)state;
	history_init(&history);
	g_hash_table_destroy(history.models[0]);
	history.models[0] = NULL;
	edit = edit_begin(&history);
	for (u64 id = 0; id < MANY; id++)
		put_number(&edit, id, &id, sizeof(id));
	edit_end(&edit);
	edit = edit_begin(&history);
	for (u64 i = 0; i < 10; i++)
		put_number(&edit, i * (MANY / 10) + random_below(MANY / 10), "other", 5);
	edit_end(&edit);
	snapmap_diff_begin(&diff, &view, SEED_OF_MAP, history.tables[1].root,
			   history.tables[2].root);
	while (snapmap_diff_next(&diff, &change) > 0) {
		assert_true(change.has_old && change.has_new && change.new.version == 3);
		changes++;
	}
	assert_int_equal(changes, 10);
	print_message("# 10 keys of %u changed: %" PRIu64 " nodes visited; %zu bytes of stack\n",
		      MANY, diff.nodes, sizeof(diff));
	assert_true(diff.nodes <= 2 * (1 + 10 * SNAPMAP_ROOT_LEVELS(history.tables[2].root)));
	assert_true(diff.nodes < 60);
	assert_true(sizeof(diff) < 768);
	history_exit(&history);
}

/* ------------------------------------------------------------- damage */

/* The last answer when @root is compared with an empty table. */
static int compare_with_nothing(struct history *history, u64 root)
{
	const struct snapmap_view view = { .arena = &history->arena };
	struct snapmap_change change;
	struct snapmap_diff diff;
	int ret;

	snapmap_diff_begin(&diff, &view, SEED_OF_MAP, 0, root);
	do
		ret = snapmap_diff_next(&diff, &change);
	while (ret > 0);
	return ret;
}

static void assert_unclean(struct history *history, u64 root)
{
	assert_int_equal(compare_with_nothing(history, root), -EUCLEAN);
}

/* Puts @bad in the place of *@word for one comparison. */
static void assert_unclean_with(struct history *history, u32 *word, u32 bad)
{
	u64 root = history->tables[1].root;
	u32 was = *word;

	*word = bad;
	assert_unclean(history, root);
	*word = was;
	assert_int_equal(compare_with_nothing(history, root), 0);
}

static u8 *block_at(struct history *history, u32 ref)
{
	return snapmap_arena_at(&history->arena, SNAPMAP_REF_BLOCK(ref));
}

static void check_bad_roots(struct history *history)
{
	u64 root = history->tables[1].root;
	u32 top = SNAPMAP_ROOT_REF(root);

	assert_unclean(history, SNAPMAP_ROOT(top, SNAPMAP_LEVELS_MAX + 1, SNAPMAP_NODE_BITS));
	assert_unclean(history, SNAPMAP_ROOT(top, 2, 0));
	assert_unclean(history, SNAPMAP_ROOT(top, 2, SNAPMAP_NODE_BITS + 1));
	assert_unclean(history, SNAPMAP_ROOT(SNAPMAP_REF_BLOCK_MASK, 2, 1));
	assert_unclean(history, SNAPMAP_ROOT(SNAPMAP_REF_BLOCK_MASK, 0, 0));
	assert_unclean(history, SNAPMAP_ROOT(SNAPMAP_REF(top, SNAPMAP_LEAF_BLOCKS_MAX), 0, 0));
	assert_unclean(history, SNAPMAP_ROOT(0, 1, 1));
}

/* Promise H: every field that the walk goes by is checked. */
static void test_damaged(void **state)
{
	struct snapmap_entry *entry;
	struct history history;
	u32 *top, *slots;
	struct snapmap_view view;
	struct snapmap_leaf leaf;
	struct edit edit;

	(void)state;
	history_init(&history);
	edit = edit_begin(&history);
	for (u64 id = 0; id < 30000; id++)
		put_number(&edit, id, "value", 5);
	edit_end(&edit);
	assert_int_equal(SNAPMAP_ROOT_LEVELS(history.tables[1].root), 2);
	check_bad_roots(&history);

	top = (u32 *)block_at(&history, SNAPMAP_ROOT_REF(history.tables[1].root));
	assert_unclean_with(&history, &top[0], 0);
	assert_unclean_with(&history, &top[0], SNAPMAP_REF(SNAPMAP_REF_BLOCK_MASK, 0));
	assert_unclean_with(&history, &top[0], top[0] | SNAPMAP_REF(0, 15));
	top[1] ^= SNAPMAP_REF(0, 1); /* its group would begin before it */
	assert_unclean(&history, history.tables[1].root);
	top[1] ^= SNAPMAP_REF(0, 1);
	slots = (u32 *)block_at(&history, top[0]);
	assert_unclean_with(&history, &slots[0], SNAPMAP_REF(SNAPMAP_REF_BLOCK_MASK, 0));
	assert_unclean_with(&history, &slots[0], slots[0] | SNAPMAP_REF(0, 15));

	view.arena = &history.arena;
	assert_true(snapmap_leaf_at(&view, slots[0], &leaf));
	entry = snapmap_leaf_entry(&leaf, snapmap_leaf_next(&leaf, 0));
	assert_unclean_with(&history, &entry->value_len, SNAPMAP_VALUE_MAX);
	assert_unclean_with(&history, &entry->value_len, 5 | SNAPMAP_ENTRY_EXTERNAL);
	entry->key_len ^= 16;
	assert_unclean(&history, history.tables[1].root);
	entry->key_len ^= 16 | 4096;
	assert_unclean(&history, history.tables[1].root);
	entry->key_len ^= 4096;
	assert_int_equal(compare_with_nothing(&history, history.tables[1].root), 0);
	history_exit(&history);
}

/* A clean run of blocks, all of whose slots or bytes are @fill or, by turns, @other. */
static u32 make_run(struct history *history, u32 blocks, u32 fill, u32 other)
{
	u32 words = blocks << (SNAPMAP_BLOCK_SHIFT - 2);
	u32 block, i;
	u32 *to;
	int err;

	block = snapmap_arena_alloc(&history->arena, blocks, 1, &err);
	assert_true(block);
	to = snapmap_arena_at(&history->arena, block);
	for (i = 0; i < words; i++)
		to[i] = i % 2 ? other : fill;
	return block;
}

/* Each node is the child of all slots of the one above: 256^8 leaves to look through. */
static void test_more_ways_than_blocks(void **state)
{
	struct history history = { .count = 0 };
	u32 leaf, child, level;

	(void)state;
	assert_int_equal(snapmap_arena_init(&history.arena, &heap_backing, 1 << 20), 0);
	leaf = make_run(&history, 1, 0, 0);
	child = make_run(&history, 2, leaf, make_run(&history, 1, 0, 0));
	for (level = 1; level < SNAPMAP_LEVELS_MAX; level++)
		child = make_run(&history, 2, child, child);
	assert_unclean(&history, SNAPMAP_ROOT(child, SNAPMAP_LEVELS_MAX, SNAPMAP_NODE_BITS));
	snapmap_arena_destroy(&history.arena);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_snapshots),
		cmocka_unit_test(test_nothing_differs),
		cmocka_unit_test(test_growth_costs_a_path),
		cmocka_unit_test(test_deepest_trie),
		cmocka_unit_test(test_ten_of_a_million),
		cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_more_ways_than_blocks),
	};

	random_init();
	return cmocka_run_group_tests_name("diff", tests, NULL, NULL);
}

// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * cost_test.c - what a commit costs, in blocks written, allocations and system
 * calls (promise I)
 *
 * The counts are the module's own and the kernel's trace events, and depend on
 * no clock. Keys have 16 bytes, values 32.
 */
#include "tracing.h"

#define SAMPLES	    200
#define NODE_BLOCKS (sizeof(u32) << SNAPMAP_NODE_BITS >> SNAPMAP_BLOCK_SHIFT)
#define LEAF_BLOCKS SNAPMAP_LEAF_BLOCKS_MAX

/* Blocks that single commits of one kind wrote. */
struct cost {
	double mean;
	u64 least;
	u64 most;
};

/* What one table costs. */
struct costs {
	u32 levels;
	struct cost update;
	struct cost insert;
	struct cost remove;
};

static void key_of(u64 number, u64 key[2])
{
	key[0] = number;
	key[1] = ~number;
}

static void add_put(struct batch *batch, u64 number, u8 fill)
{
	u8 value[32];
	u64 key[2];

	key_of(number, key);
	memset(value, fill, sizeof(value));
	batch_put(batch, key, sizeof(key), value, sizeof(value));
}

static void load(int fd, u64 from, u64 to)
{
	struct batch batch = { .data = NULL };
	struct snapmap_commit out;
	u64 start = now_ns();

	for (; from < to; from++)
		add_put(&batch, from, 0);
	assert_int_equal(batch_commit(fd, &batch, 0, &out), 0);
	note("%llu entries in one commit: %llu blocks, %llu ms", batch.count, out.blocks_copied,
	     (now_ns() - start) / 1000000);
	batch_free(&batch);
}

enum kind {
	UPDATE,
	INSERT,
	REMOVE
};

static u64 commit_one(int fd, enum kind kind, u64 number)
{
	struct batch batch = { .data = NULL };
	struct snapmap_commit out;
	u64 key[2];

	key_of(number, key);
	if (kind == REMOVE)
		batch_delete(&batch, key, sizeof(key));
	else
		add_put(&batch, number, 1);
	assert_int_equal(batch_commit(fd, &batch, 0, &out), 0);
	assert_int_equal(out.missing, 0);
	batch_free(&batch);
	return out.blocks_copied;
}

/* @SAMPLES commits of keys @first, @first + @step, ... */
static struct cost measure(int fd, enum kind kind, u64 first, u64 step)
{
	struct cost cost = { .least = ~0ULL };
	u64 blocks, i;

	for (i = 0; i < SAMPLES; i++) {
		blocks = commit_one(fd, kind, first + i * step);
		cost.mean += (double)blocks / SAMPLES;
		cost.least = blocks < cost.least ? blocks : cost.least;
		cost.most = blocks > cost.most ? blocks : cost.most;
	}
	return cost;
}

static void print_cost(const char *what, const struct cost *cost)
{
	note("  %s: mean %.2f, least %llu, most %llu blocks", what, cost->mean, cost->least,
	     cost->most);
}

static struct costs measure_table(int fd, u64 entries)
{
	struct snapmap_info info;
	struct costs costs;

	assert_info(fd, &info);
	assert_int_equal(info.header.entries, entries);
	costs.levels = SNAPMAP_ROOT_LEVELS(info.root);
	costs.update = measure(fd, UPDATE, 0, entries / SAMPLES);
	costs.insert = measure(fd, INSERT, 1ULL << 40, 1);
	costs.remove = measure(fd, REMOVE, 1ULL << 40, 1);
	note("%llu entries, %u levels, top of %u bits, %llu blocks in use", entries, costs.levels,
	     SNAPMAP_ROOT_BITS(info.root), info.used_blocks);
	print_cost("update", &costs.update);
	print_cost("insert", &costs.insert);
	print_cost("delete", &costs.remove);
	return costs;
}

/* The inner nodes above a leaf, and the leaf: an update writes nothing else. */
static void assert_update_is_a_path(const struct costs *costs)
{
	assert_true(costs->update.most <= costs->levels * NODE_BLOCKS + LEAF_BLOCKS);
}

static void assert_grows_by_a_node(const struct cost *small, const struct cost *large)
{
	assert_true(large->mean <= small->mean + NODE_BLOCKS + LEAF_BLOCKS / 2);
}

static void test_one_key_costs_its_path_I(void **state)
{
	struct fixture *map = *state;
	struct costs small, large;

	load(map->fd, 0, 10000);
	small = measure_table(map->fd, 10000);
	load(map->fd, 10000, 1000000);
	large = measure_table(map->fd, 1000000);
	assert_update_is_a_path(&small);
	assert_update_is_a_path(&large);
	assert_true(large.levels <= small.levels + 1);
	assert_grows_by_a_node(&small.update, &large.update);
	assert_grows_by_a_node(&small.insert, &large.insert);
	assert_grows_by_a_node(&small.remove, &large.remove);
}

/* A batch costs at most what its keys cost one by one. */
static void test_batch_costs_at_most_its_keys_I(void **state)
{
	struct fixture *map = *state;
	struct batch batch = { .data = NULL };
	struct snapmap_commit out;
	u64 single = 0;
	u64 i;

	load(map->fd, 0, 10000);
	for (i = 0; i < 100; i++) {
		single += commit_one(map->fd, UPDATE, i * 97);
		add_put(&batch, i * 97, 2);
	}
	assert_int_equal(batch_commit(map->fd, &batch, 0, &out), 0);
	note("100 keys: %llu blocks in one commit, %llu in 100", out.blocks_copied, single);
	assert_true(out.blocks_copied <= single);
	batch_free(&batch);
}

/* A pin does not make updates dearer. */
static void test_pins_do_not_raise_the_cost_E_I(void **state)
{
	struct fixture *map = *state;
	struct cost free, pinned;
	int pin;

	load(map->fd, 0, 10000);
	free = measure(map->fd, UPDATE, 0, 10);
	pin = map_pin(map->fd);
	assert_true(pin >= 0);
	pinned = measure(map->fd, UPDATE, 0, 10);
	print_cost("no pin", &free);
	print_cost("a pin", &pinned);
	assert_true(pinned.mean == free.mean);
	close(pin);
}

#define STREAM_ENTRIES 100000
#define BURST	       100
#define TRIES	       20

/**
 * struct stream - commits one after another, of random keys
 * @fd: the map
 * @keys: keys of a commit
 * @bound: retired blocks beyond which it waits for reclaim
 * @rng: state of the random generator
 * @blocks: what its commits have copied
 * @batch: the batch, its memory used again
 */
struct stream {
	int fd;
	u32 keys;
	u64 bound;
	u64 rng;
	u64 blocks;
	struct batch batch;
};

/*
 * Not faster than reclaim: blocks are held back for a time, and who makes more commits
 * in it than before needs more memory. Empty commits retire nothing.
 */
static void wait_for_reclaim(struct stream *stream)
{
	const struct batch empty = { .data = NULL };
	struct snapmap_info info = { .flags = 0 };

	while (!ioc(stream->fd, SNAPMAP_IOC_INFO, &info) && info.retired_blocks > stream->bound) {
		nap(2000);
		assert_int_equal(batch_commit(stream->fd, &empty, 0, NULL), 0);
	}
}

static void stream_commit(struct stream *stream)
{
	struct snapmap_commit out;
	u32 i;

	batch_clear(&stream->batch);
	for (i = 0; i < stream->keys; i++)
		add_put(&stream->batch, random_below(&stream->rng, STREAM_ENTRIES), i);
	assert_int_equal(batch_commit(stream->fd, &stream->batch, 0, &out), 0);
	stream->blocks += out.blocks_copied;
}

static void stream_run(struct stream *stream, u32 commits)
{
	for (stream->blocks = 0; commits; commits--) {
		stream_commit(stream);
		wait_for_reclaim(stream);
	}
}

/* A row of commits that wait for nothing, so that what follows needs less than there has been. */
static void warm_up(struct stream *stream, u32 commits)
{
	u32 i;

	for (i = 0; i < BURST; i++)
		stream_commit(stream);
	stream_run(stream, commits);
}

/* Of so many commits, once it is warm. */
static u64 traced_allocations(struct stream *stream, u32 commits)
{
	u64 count;

	assert_true(tracing_begin(TRACED_ALLOCATIONS));
	warm_up(stream, commits / 5);
	tracing_on(true);
	stream_run(stream, commits);
	tracing_on(false);
	count = tracing_count();
	tracing_end();
	return count;
}

/* Of one commit. */
static u64 traced_calls(struct stream *stream)
{
	u64 count;

	assert_true(tracing_begin(TRACED_CALLS));
	tracing_on(true);
	stream_commit(stream);
	tracing_on(false);
	count = tracing_count() - 1; /* the end of tracing is a call */
	tracing_end();
	return count;
}

/*
 * A stream that comes to a halt is none, and its memory is given back. Where the
 * system has held it up for seconds, it may try again. Who keeps nothing allocates
 * in each commit, more than once, and is told at once.
 */
static void check_stream(int fd, u32 keys, u32 commits, u64 bound)
{
	struct stream stream = { fd, keys, bound, .rng = seed_of_test() };
	u64 allocations = 1;
	int tries;

	for (tries = 0; allocations && allocations < 2 * commits && tries < TRIES; tries++)
		allocations = traced_allocations(&stream, commits);
	note("%u keys a commit: %.2f blocks copied, %.4f allocations, %llu system calls", keys,
	     (double)stream.blocks / commits, (double)allocations / commits, traced_calls(&stream));
	assert_int_equal(allocations, 0);
	batch_free(&stream.batch);
}

static void test_steady_stream_allocates_nothing_I(void **state)
{
	struct fixture *map = *state;

	if (!tracing_begin(TRACED_ALLOCATIONS)) {
		tracing_end();
		skip_for("needs trace events of the kernel's, in tracefs");
	}
	tracing_end();
	load(map->fd, 0, STREAM_ENTRIES);
	check_stream(map->fd, 1, is_slow() ? 1000 : 10000, 2000);
	check_stream(map->fd, 100, is_slow() ? 300 : 2000, 60000);
}

static int setup_large(void **state)
{
	return fixture_new(state, 400 * MIB);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup_teardown(test_one_key_costs_its_path_I, setup_large,
					fixture_teardown),
	map_test(test_batch_costs_at_most_its_keys_I),
	map_test(test_pins_do_not_raise_the_cost_E_I),
	cmocka_unit_test_setup_teardown(test_steady_stream_allocates_nothing_I, setup_large,
					fixture_teardown),
	caught_test("spare", test_steady_stream_allocates_nothing_I),
	cmocka_unit_test(test_nothing_is_left_G),
};

int main(void)
{
	return cmocka_run_group_tests_name("cost", tests, NULL, NULL);
}

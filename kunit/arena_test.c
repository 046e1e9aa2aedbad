// SPDX-License-Identifier: GPL-2.0-only
/*
 * arena_test.c - KUnit suite of kmod/arena.c and groups.c
 */
#include <kunit/test.h>
#include <linux/prandom.h>
#include <linux/slab.h>
#include <linux/snapmap.h>

#include "backing.h"
#include "fault.h"

#define TEST_LIMIT	(16U << 20)

static int arena_test_init(struct kunit *test)
{
	struct snapmap_arena *arena = kunit_kzalloc(test, sizeof(*arena), GFP_KERNEL);

	test->priv = arena;
	return arena ? snapmap_arena_init(arena, &test_backing, TEST_LIMIT) : -ENOMEM;
}

static void arena_test_exit(struct kunit *test)
{
	snapmap_arena_destroy(test->priv);
}

static u64 birth_of(const struct snapmap_arena *arena, u32 block)
{
	return snapmap_run_birth(arena, snapmap_arena_run(arena, block));
}

static void *tags_of(const struct snapmap_arena *arena, u32 block)
{
	return snapmap_chunk_tags(snapmap_arena_chunk(arena, block), block);
}

/* Every slot begins where the one before it ends, and blocks find their slot. */
static void test_slots_cover_the_span(struct kunit *test)
{
	struct snapmap_arena *arena = test->priv;
	u32 block;

	for (block = 1; block < arena->blocks; block++)
		KUNIT_ASSERT_LE(test, snapmap_arena_slot(block) - snapmap_arena_slot(block - 1),
				1U);
	KUNIT_EXPECT_EQ(test, snapmap_arena_slot(0), 0U);
	KUNIT_EXPECT_EQ(test, snapmap_arena_slot(arena->blocks - 1), arena->slots - 1);
}

/* Runs do not overlap, lie in one group when small, and hold what is written. */
static void test_runs_are_disjoint(struct kunit *test)
{
	static const u32 sizes[] = { 1, 2, 3, 5, 7, 8, 9, 20, 2048 };
	struct snapmap_arena *arena = test->priv;
	u32 runs[200];
	u32 i, size;
	int err;

	for (i = 0; i < ARRAY_SIZE(runs); i++) {
		size = sizes[i % ARRAY_SIZE(sizes)];
		if (size == 2048 && i > 50)
			size = 1;
		runs[i] = snapmap_arena_alloc(arena, size, i, &err);
		KUNIT_ASSERT_NE(test, runs[i], 0U);
		memset(snapmap_arena_at(arena, runs[i]), i, size << SNAPMAP_BLOCK_SHIFT);
		if (size <= SNAPMAP_GROUP_BLOCKS)
			KUNIT_EXPECT_EQ(test, runs[i] >> SNAPMAP_GROUP_SHIFT,
					(runs[i] + size - 1) >> SNAPMAP_GROUP_SHIFT);
	}
	for (i = 0; i < ARRAY_SIZE(runs); i++) {
		size = snapmap_run_blocks(snapmap_arena_run(arena, runs[i])) << SNAPMAP_BLOCK_SHIFT;
		KUNIT_EXPECT_NULL(test, memchr_inv(snapmap_arena_at(arena, runs[i]), i, size));
		KUNIT_EXPECT_EQ(test, birth_of(arena, runs[i]), (u64)i);
		snapmap_arena_free(arena, runs[i]);
	}
	KUNIT_EXPECT_EQ(test, arena->used, (u64)SNAPMAP_CONTROL_BLOCKS);
}

#define TAGGED_RUNS	1500	/* in all of the small regions and a large one */

/* The tags of runs that may be leaves lie in no run, nor where those of others do. */
static void test_tags_are_disjoint(struct kunit *test)
{
	u32 *runs = kunit_kcalloc(test, TAGGED_RUNS, sizeof(*runs), GFP_KERNEL);
	const u32 blocks = SNAPMAP_LEAF_BLOCKS_MAX;
	struct snapmap_arena *arena = test->priv;
	u32 i;
	int err;

	KUNIT_ASSERT_NOT_NULL(test, runs);
	for (i = 0; i < TAGGED_RUNS; i++) {
		runs[i] = snapmap_arena_alloc(arena, blocks, 2, &err);
		KUNIT_ASSERT_NE(test, runs[i], 0U);
		memset(snapmap_arena_at(arena, runs[i]), i, blocks << SNAPMAP_BLOCK_SHIFT);
		memset(tags_of(arena, runs[i]), i / 2, blocks * SNAPMAP_BLOCK_GRANULES);
	}
	KUNIT_EXPECT_GT(test, runs[TAGGED_RUNS - 1], SNAPMAP_REGION_BLOCKS);
	for (i = 0; i < TAGGED_RUNS; i++) {
		KUNIT_EXPECT_NULL(test, memchr_inv(snapmap_arena_at(arena, runs[i]), i,
						   blocks << SNAPMAP_BLOCK_SHIFT));
		KUNIT_EXPECT_NULL(test, memchr_inv(tags_of(arena, runs[i]), i / 2,
						   blocks * SNAPMAP_BLOCK_GRANULES));
		snapmap_arena_free(arena, runs[i]);
	}
	KUNIT_EXPECT_EQ(test, arena->used, (u64)SNAPMAP_CONTROL_BLOCKS);
}

/* Two values of 1 MiB share a chunk, which has no tags then, and so no short runs. */
static void test_chunk_without_tags(struct kunit *test)
{
	const u32 half = SNAPMAP_CHUNK_BLOCKS / 2;
	struct snapmap_arena *arena = test->priv;
	u32 other, first, run;
	u64 resident;
	int err;

	other = snapmap_arena_alloc(arena, half, 2, &err);	/* takes the one chunk of 1 MiB */
	first = snapmap_arena_alloc(arena, half, 2, &err);
	resident = arena->resident;
	KUNIT_ASSERT_EQ(test, first % SNAPMAP_CHUNK_BLOCKS, 0U);
	snapmap_arena_free(arena, first);
	run = snapmap_arena_alloc(arena, 1, 2, &err);
	KUNIT_EXPECT_NE(test, snapmap_arena_slot(run), snapmap_arena_slot(first));
	KUNIT_EXPECT_EQ(test, snapmap_arena_alloc(arena, half, 2, &err), first);
	KUNIT_EXPECT_EQ(test, snapmap_arena_alloc(arena, half, 2, &err), first + half);
	KUNIT_EXPECT_EQ(test, arena->resident, resident);
	snapmap_arena_free(arena, first);
	snapmap_arena_free(arena, first + half);
	snapmap_arena_free(arena, other);
	snapmap_arena_free(arena, run);
}

/* What a group of blocks takes of the limit, at most. */
#define GROUP_BYTES	4400U

/* Promise G: the limit is kept, and reached but for a group. */
static void test_limit(struct kunit *test)
{
	struct snapmap_arena *arena = test->priv;
	int err = 0;

	while (snapmap_arena_alloc(arena, 8, 2, &err))
		KUNIT_ASSERT_LE(test, arena->resident, (u64)TEST_LIMIT);
	KUNIT_EXPECT_EQ(test, err, -ENOSPC);
	KUNIT_EXPECT_GT(test, arena->resident, (u64)TEST_LIMIT - GROUP_BYTES);
	KUNIT_EXPECT_EQ(test, arena->free, 0ULL);
}

/* Promise G: at the limit, empty chunks make way for one that they are too small for. */
static void test_limit_makes_way(struct kunit *test)
{
	const u32 count = TEST_LIMIT >> SNAPMAP_BLOCK_SHIFT;
	struct snapmap_arena *arena = test->priv;
	u32 i, run = 0;
	u32 *runs;
	int err;

	runs = kvcalloc(count, sizeof(*runs), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, runs);
	for (i = 0; i < count; i++)
		runs[i] = snapmap_arena_alloc(arena, 1, 2, &err);
	for (i = 0; i < count && runs[i]; i++)
		snapmap_arena_free(arena, runs[i]);
	for (i = 0; i < 7; i++) {
		run = snapmap_arena_alloc(arena, SNAPMAP_CHUNK_BLOCKS, 2, &err);
		KUNIT_EXPECT_NE(test, run, 0U);
	}
	KUNIT_EXPECT_EQ(test, snapmap_arena_alloc(arena, SNAPMAP_CHUNK_BLOCKS, 2, &err), 0U);
	KUNIT_EXPECT_NE(test, snapmap_arena_alloc(arena, SNAPMAP_CHUNK_BLOCKS / 4, 2, &err), 0U);
	KUNIT_EXPECT_LE(test, arena->resident, (u64)TEST_LIMIT);
	kvfree(runs);
}

/* Promise G: empty chunks are given back, and come again. */
static void test_trim(struct kunit *test)
{
	struct snapmap_arena *arena = test->priv;
	u64 resident = arena->resident;
	u32 round, run;
	int err;

	for (round = 0; round < 3; round++) {
		run = snapmap_arena_alloc(arena, SNAPMAP_CHUNK_BLOCKS, 2, &err);
		KUNIT_ASSERT_NE(test, run, 0U);
		snapmap_arena_trim(arena);
		KUNIT_EXPECT_NOT_NULL(test, arena->chunks[snapmap_arena_slot(run)]);
		snapmap_arena_free(arena, run);
		snapmap_arena_trim(arena);
		KUNIT_EXPECT_NULL(test, arena->chunks[snapmap_arena_slot(run)]);
		KUNIT_EXPECT_EQ(test, arena->resident, resident);
	}
}

/* As a pool for the next commits, an eighth of what is in use is kept. */
static void test_trim_keeps_a_pool(struct kunit *test)
{
	struct snapmap_arena *arena = test->priv;
	u32 runs[3];
	int err, i;

	for (i = 0; i < ARRAY_SIZE(runs); i++)
		runs[i] = snapmap_arena_alloc(arena, SNAPMAP_CHUNK_BLOCKS, 2, &err);
	snapmap_arena_free(arena, runs[1]);
	snapmap_arena_free(arena, runs[2]);
	snapmap_arena_trim(arena);
	KUNIT_EXPECT_GE(test, arena->free, arena->used / 8);
	KUNIT_EXPECT_LT(test, arena->free, SNAPMAP_CHUNK_BLOCKS + arena->used / 8);
	KUNIT_EXPECT_NOT_NULL(test, arena->chunks[snapmap_arena_slot(runs[0])]);
}

static unsigned int references;	/* to all that held_backing has given */

static bool is_held(struct snapmap_arena *arena, const void *data)
{
	return references;
}

static const struct snapmap_backing held_backing = {
	.alloc = test_alloc,
	.shown = test_shown,
	.held = is_held,
	.free = test_free,
};

/* Promise G: what others have references to stays, is counted, and can be used. */
static void test_trim_keeps_what_is_held(struct kunit *test)
{
	struct snapmap_arena *arena = test->priv;
	u64 resident = arena->resident;
	struct snapmap_chunk *chunk;
	u32 run, again;
	int err;

	arena->backing = &held_backing;
	references = 1;
	run = snapmap_arena_alloc(arena, SNAPMAP_CHUNK_BLOCKS, 2, &err);
	KUNIT_ASSERT_NE(test, run, 0U);
	chunk = arena->chunks[snapmap_arena_slot(run)];
	snapmap_arena_free(arena, run);
	KUNIT_EXPECT_TRUE(test, snapmap_arena_trim(arena));
	KUNIT_EXPECT_PTR_EQ(test, arena->chunks[snapmap_arena_slot(run)], chunk);
	KUNIT_EXPECT_GT(test, arena->resident, resident);
	again = snapmap_arena_alloc(arena, SNAPMAP_CHUNK_BLOCKS, 3, &err);
	KUNIT_EXPECT_EQ(test, again, run);
	snapmap_arena_free(arena, again);
	references = 0;
	KUNIT_EXPECT_FALSE(test, snapmap_arena_trim(arena));
	KUNIT_EXPECT_NULL(test, arena->chunks[snapmap_arena_slot(run)]);
	KUNIT_EXPECT_EQ(test, arena->resident, resident);
}

/* A view answers for what is populated and for nothing else. */
static void test_view_bounds(struct kunit *test)
{
	struct snapmap_arena *arena = test->priv;
	const struct snapmap_view view = { .arena = arena };

	KUNIT_EXPECT_NULL(test, snapmap_view_at(&view, 0, 1));
	KUNIT_EXPECT_NOT_NULL(test, snapmap_view_at(&view, 8, 1));
	KUNIT_EXPECT_NOT_NULL(test, snapmap_view_at(&view, SNAPMAP_CHUNK_SMALL - 1, 1));
	KUNIT_EXPECT_NULL(test, snapmap_view_at(&view, SNAPMAP_CHUNK_SMALL - 1, 2));
	KUNIT_EXPECT_NULL(test, snapmap_view_at(&view, SNAPMAP_CHUNK_SMALL, 1));
	KUNIT_EXPECT_NULL(test, snapmap_view_at(&view, arena->blocks, 1));
	KUNIT_EXPECT_NULL(test, snapmap_view_at(&view, U32_MAX, 1));
	KUNIT_EXPECT_NULL(test, snapmap_view_at(&view, 8, U32_MAX));
}

/* Promise G: what each limit holds is used, and no more; a chunk must fit. */
static void test_least_and_greatest_limit(struct kunit *test)
{
	struct snapmap_arena *arena = kunit_kzalloc(test, sizeof(*arena), GFP_KERNEL);
	int err = 0;

	KUNIT_ASSERT_NOT_NULL(test, arena);
	KUNIT_ASSERT_EQ(test, snapmap_arena_init(arena, &test_backing, SNAPMAP_LIMIT_MIN), 0);
	while (snapmap_arena_alloc(arena, 1, 2, &err))
		;
	KUNIT_EXPECT_EQ(test, err, -ENOSPC);
	KUNIT_EXPECT_EQ(test, arena->free, 0ULL);
	KUNIT_EXPECT_LE(test, arena->resident, SNAPMAP_LIMIT_MIN);
	KUNIT_EXPECT_GT(test, arena->resident, SNAPMAP_LIMIT_MIN - GROUP_BYTES);
	snapmap_arena_destroy(arena);

	memset(arena, 0, sizeof(*arena));
	KUNIT_ASSERT_EQ(test, snapmap_arena_init(arena, &test_backing, SNAPMAP_LIMIT_MAX), 0);
	KUNIT_EXPECT_LT(test, arena->blocks, SNAPMAP_BLOCKS_MAX);
	KUNIT_EXPECT_EQ(test, snapmap_arena_slot(arena->blocks - 1), arena->slots - 1);
	snapmap_arena_destroy(arena);

	memset(arena, 0, sizeof(*arena));
	err = snapmap_arena_init(arena, &test_backing, 32U << 10);
	KUNIT_EXPECT_EQ(test, err, -ENOSPC);
	if (!err)
		snapmap_arena_destroy(arena);
}

/* A run of every length there is, small ones in one group, long ones at a group's begin. */
static void test_run_lengths(struct kunit *test)
{
	struct snapmap_arena *arena = test->priv;
	u32 blocks, run;
	int err;

	for (blocks = 1; blocks <= SNAPMAP_CHUNK_BLOCKS; blocks += 1 + blocks / 16) {
		run = snapmap_arena_alloc(arena, blocks, blocks, &err);
		KUNIT_ASSERT_NE(test, run, 0U);
		KUNIT_EXPECT_EQ(test, snapmap_run_blocks(snapmap_arena_run(arena, run)), blocks);
		KUNIT_EXPECT_EQ(test, snapmap_arena_slot(run),
				snapmap_arena_slot(run + blocks - 1));
		if (blocks > SNAPMAP_GROUP_BLOCKS)
			KUNIT_EXPECT_EQ(test, run % SNAPMAP_GROUP_BLOCKS, 0U);
		snapmap_arena_free(arena, run);
	}
	run = snapmap_arena_alloc(arena, SNAPMAP_CHUNK_BLOCKS, 2, &err);
	KUNIT_EXPECT_EQ(test, run % SNAPMAP_CHUNK_BLOCKS, 0U);
	KUNIT_EXPECT_NE(test, run, 0U);
	snapmap_arena_free(arena, run);
}

/* Takes as many runs of @blocks as the arena has without growing; returns their number. */
static u32 take_all(struct snapmap_arena *arena, u32 blocks)
{
	u64 resident = arena->resident;
	u32 runs = 0;
	u32 run;
	int err;

	while ((run = snapmap_arena_alloc(arena, blocks, 2, &err)) && arena->resident == resident)
		runs++;
	if (run)
		snapmap_arena_free(arena, run);
	return runs;
}

/* Small runs fill the gaps that others have left, to the last block. */
static void test_gaps_are_filled(struct kunit *test)
{
	struct snapmap_arena *arena = test->priv;
	u32 group;
	int err;

	/* Of each of the four groups of the first chunk, all but three blocks. */
	KUNIT_ASSERT_EQ(test, snapmap_arena_alloc(arena, 45, 2, &err), SNAPMAP_CONTROL_BLOCKS + 0U);
	for (group = 1; group < 4; group++)
		KUNIT_ASSERT_EQ(test, snapmap_arena_alloc(arena, 61, 2, &err),
				group * SNAPMAP_GROUP_BLOCKS);
	KUNIT_EXPECT_EQ(test, take_all(arena, 3), 4U);
	KUNIT_EXPECT_EQ(test, arena->chunks[0]->used, SNAPMAP_CHUNK_SMALL);
}

/* Leaves of odd sizes are packed one behind the other, across pages. */
static void test_odd_sizes_are_packed(struct kunit *test)
{
	struct snapmap_arena *arena = test->priv;

	KUNIT_EXPECT_EQ(test, take_all(arena, 5), 9U + 3 * 12U);
	take_all(arena, 1);
	KUNIT_EXPECT_EQ(test, arena->chunks[0]->used, SNAPMAP_CHUNK_SMALL);
}

/* Best fit: a gap that is just large enough is taken before a larger one. */
static void test_best_fit(struct kunit *test)
{
	struct snapmap_arena *arena = test->priv;
	u32 end = SNAPMAP_GROUP_BLOCKS;
	u32 run;
	int err;

	run = snapmap_arena_alloc(arena, 46, 2, &err);		/* leaves 2 */
	KUNIT_EXPECT_EQ(test, snapmap_arena_alloc(arena, 60, 2, &err), end);	/* leaves 4 */
	KUNIT_EXPECT_EQ(test, snapmap_arena_alloc(arena, 1, 2, &err), end - 2);
	KUNIT_EXPECT_EQ(test, snapmap_arena_alloc(arena, 3, 2, &err), 2 * end - 4);
	snapmap_arena_free(arena, run);
	KUNIT_EXPECT_EQ(test, snapmap_arena_alloc(arena, 1, 2, &err), 2 * end - 1);
	KUNIT_EXPECT_EQ(test, snapmap_arena_alloc(arena, 46, 2, &err), run);
}

/* Each length of a free run, at each place of a group, is found by its bucket. */
static void test_every_free_run_is_found(struct kunit *test)
{
	struct snapmap_arena *arena = test->priv;
	u32 fill, length, before, after, run;
	int err;

	fill = snapmap_arena_alloc(arena, SNAPMAP_GROUP_BLOCKS - SNAPMAP_CONTROL_BLOCKS, 2, &err);
	KUNIT_ASSERT_NE(test, fill, 0U);
	for (length = 1; length <= SNAPMAP_GROUP_BLOCKS; length++) {
		for (before = 0; before + length <= SNAPMAP_GROUP_BLOCKS; before++) {
			after = SNAPMAP_GROUP_BLOCKS - before - length;
			run = before ? snapmap_arena_alloc(arena, before, 2, &err) : 0;
			fill = snapmap_arena_alloc(arena, length, 2, &err);
			after = after ? snapmap_arena_alloc(arena, after, 2, &err) : 0;
			snapmap_arena_free(arena, fill);
			snapmap_arena_trim(arena);	/* groups have it, no run is ready */
			KUNIT_EXPECT_EQ(test, snapmap_arena_alloc(arena, length, 2, &err), fill);
			snapmap_arena_free(arena, fill);
			if (run)
				snapmap_arena_free(arena, run);
			if (after)
				snapmap_arena_free(arena, after);
			snapmap_arena_trim(arena);
		}
	}
}

/* Births that are 2^32 versions apart differ; the oldest are known to be old, and no more. */
static void test_births_far_apart(struct kunit *test)
{
	static const u64 births[] = { 1, 2, U32_MAX, U32_MAX + 1ULL, U32_MAX + 2ULL, 1ULL << 40 };
	static const u32 sizes[] = { 1, SNAPMAP_RUN_SHORT, SNAPMAP_RUN_SHORT + 1, 600 };
	struct snapmap_arena *arena = test->priv;
	u32 runs[ARRAY_SIZE(births)][ARRAY_SIZE(sizes)];
	u32 i, j, k;
	u64 birth;
	bool told;
	int err;

	for (i = 0; i < ARRAY_SIZE(births); i++) {
		for (j = 0; j < ARRAY_SIZE(sizes); j++) {
			runs[i][j] = snapmap_arena_alloc(arena, sizes[j], births[i], &err);
			KUNIT_ASSERT_NE(test, runs[i][j], 0U);
		}
		for (k = 0; k <= i; k++) {
			told = births[i] <= U32_MAX || births[i] - births[k] < U32_MAX / 2;
			KUNIT_EXPECT_EQ(test, birth_of(arena, runs[k][0]), told ? births[k] : 0);
		}
	}
	for (i = 0; i < ARRAY_SIZE(births); i++)
		for (j = 0; j < ARRAY_SIZE(sizes); j++) {
			birth = i + 1 < ARRAY_SIZE(births) ? 0 : births[i];
			KUNIT_EXPECT_EQ(test, birth_of(arena, runs[i][j]), birth);
			KUNIT_EXPECT_EQ(test, snapmap_run_blocks(snapmap_arena_run(arena, runs[i][j])),
					sizes[j]);
		}
}

#define RUNS	256

/* What is in use and what is free is counted right, whatever comes and goes. */
static void test_random_runs(struct kunit *test)
{
	struct snapmap_arena *arena = test->priv;
	u64 used = SNAPMAP_CONTROL_BLOCKS;
	u32 *runs = kunit_kcalloc(test, RUNS, sizeof(*runs), GFP_KERNEL);
	struct rnd_state random;
	u32 round, i, blocks;
	int err;

	KUNIT_ASSERT_NOT_NULL(test, runs);
	prandom_seed_state(&random, 1);
	for (round = 0; round < 20000; round++) {
		i = prandom_u32_state(&random) % RUNS;
		blocks = prandom_u32_state(&random) % 16 ? 1 + round % 8 : 1 + round % 600;
		if (runs[i]) {
			used -= snapmap_run_blocks(snapmap_arena_run(arena, runs[i]));
			snapmap_arena_free(arena, runs[i]);
			runs[i] = 0;
		} else {
			runs[i] = snapmap_arena_alloc(arena, blocks, round, &err);
			used += runs[i] ? blocks : 0;
		}
		if (round % 512 == 0)
			snapmap_arena_trim(arena);
		KUNIT_ASSERT_EQ(test, arena->used, used);
	}
	for (i = 0; i < RUNS; i++)
		if (runs[i])
			snapmap_arena_free(arena, runs[i]);
	KUNIT_EXPECT_EQ(test, arena->used, (u64)SNAPMAP_CONTROL_BLOCKS);
	snapmap_arena_trim(arena);
	KUNIT_EXPECT_EQ(test, arena->used + arena->free, (u64)SNAPMAP_CHUNK_SMALL);
}

/* Freed runs are handed out first, the last one freed before others, whatever fits better. */
static void test_ready_runs(struct kunit *test)
{
	struct snapmap_arena *arena = test->priv;
	u32 runs[SNAPMAP_READY_MAX + 3];
	int err, i;

	for (i = 0; i < ARRAY_SIZE(runs); i++)
		runs[i] = snapmap_arena_alloc(arena, 2, 2, &err);
	for (i = 0; i < ARRAY_SIZE(runs); i++)
		snapmap_arena_free(arena, runs[i]);
	for (i = SNAPMAP_READY_MAX; i--; )
		KUNIT_EXPECT_EQ(test, snapmap_arena_alloc(arena, 2, 3, &err), runs[i]);
	KUNIT_EXPECT_EQ(test, arena->used, SNAPMAP_CONTROL_BLOCKS + 2ULL * SNAPMAP_READY_MAX);
}

#define FIRST_RUNS	((SNAPMAP_CHUNK_SMALL - SNAPMAP_CONTROL_BLOCKS) / SNAPMAP_READY_BLOCKS)

/* Promise G: what is ready is as free as the rest, for longer runs and for trimming. */
static void test_ready_runs_are_free(struct kunit *test)
{
	const u32 rest = SNAPMAP_CHUNK_SMALL - SNAPMAP_GROUP_BLOCKS;
	struct snapmap_arena *arena = test->priv;
	u64 resident = arena->resident;
	u32 runs[FIRST_RUNS + 1];
	int err;
	u32 i;

	for (i = 0; i < FIRST_RUNS; i++)
		runs[i] = snapmap_arena_alloc(arena, SNAPMAP_READY_BLOCKS, 2, &err);
	for (i = 0; i < FIRST_RUNS; i++)
		snapmap_arena_free(arena, runs[i]);
	runs[0] = snapmap_arena_alloc(arena, rest, 2, &err);
	KUNIT_EXPECT_EQ(test, runs[0], SNAPMAP_GROUP_BLOCKS);
	KUNIT_EXPECT_EQ(test, arena->resident, resident);
	snapmap_arena_free(arena, runs[0]);
	for (i = 0; i <= FIRST_RUNS; i++)
		runs[i] = snapmap_arena_alloc(arena, SNAPMAP_READY_BLOCKS, 2, &err);
	KUNIT_EXPECT_GT(test, arena->resident, resident);
	for (i = 0; i <= FIRST_RUNS; i++)
		snapmap_arena_free(arena, runs[i]);
	snapmap_arena_trim(arena);
	KUNIT_EXPECT_EQ(test, arena->resident, resident);
}

/* Promise F: a chunk that cannot be had leaves the arena as it was. */
static void test_growth_faults(struct kunit *test)
{
	struct snapmap_arena *arena = test->priv;
	u64 resident = arena->resident, free = arena->free;
	struct faults faults = {};
	u32 run;
	int err;

	fault_require(test);
	while (faults_next(&faults)) {
		faults_begin(&faults);
		run = snapmap_arena_alloc(arena, SNAPMAP_CHUNK_SMALL, 2, &err);
		faults_end(&faults);
		if (run) {
			snapmap_arena_free(arena, run);
			snapmap_arena_trim(arena);
		} else {
			KUNIT_EXPECT_EQ(test, err, -ENOMEM);
			faults.failures++;
		}
		KUNIT_ASSERT_EQ(test, arena->used, (u64)SNAPMAP_CONTROL_BLOCKS);
		KUNIT_ASSERT_EQ(test, arena->resident, resident);
		KUNIT_ASSERT_EQ(test, arena->free, free);
	}
	faults_expect(test, &faults, 3);	/* of the chunk, its runs, groups, data */
}

static struct kunit_case arena_cases[] = {
	KUNIT_CASE(test_slots_cover_the_span),
	KUNIT_CASE(test_runs_are_disjoint),
	KUNIT_CASE(test_tags_are_disjoint),
	KUNIT_CASE(test_chunk_without_tags),
	KUNIT_CASE(test_limit),
	KUNIT_CASE(test_limit_makes_way),
	KUNIT_CASE(test_trim),
	KUNIT_CASE(test_trim_keeps_a_pool),
	KUNIT_CASE(test_trim_keeps_what_is_held),
	KUNIT_CASE(test_view_bounds),
	KUNIT_CASE(test_least_and_greatest_limit),
	KUNIT_CASE(test_run_lengths),
	KUNIT_CASE(test_gaps_are_filled),
	KUNIT_CASE(test_odd_sizes_are_packed),
	KUNIT_CASE(test_every_free_run_is_found),
	KUNIT_CASE(test_best_fit),
	KUNIT_CASE(test_births_far_apart),
	KUNIT_CASE(test_random_runs),
	KUNIT_CASE(test_ready_runs),
	KUNIT_CASE(test_ready_runs_are_free),
	KUNIT_CASE(test_growth_faults),
	{}
};

static struct kunit_suite arena_suite = {
	.name = "snapmap_arena",
	.init = arena_test_init,
	.exit = arena_test_exit,
	.test_cases = arena_cases,
};

kunit_test_suite(arena_suite);

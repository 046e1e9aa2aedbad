// SPDX-License-Identifier: GPL-2.0-only
/*
 * spare_test.c - KUnit suite of kmod/spare.c
 */
#include <kunit/test.h>
#include <linux/slab.h>

#include "fault.h"
#include "store.h"

#define MANY	200U

static int spare_test_init(struct kunit *test)
{
	test->priv = test_store_new(test, NULL, 1U << 20);
	return 0;
}

static void spare_test_exit(struct kunit *test)
{
	test_store_end(test->priv);
}

/* Takes as many records as there are to be, and gives them back. */
static void stock(struct kunit *test, struct snapmap_store *store, u32 count)
{
	static struct snapmap_retired *records[MANY];
	u32 i;

	for (i = 0; i < count; i++) {
		records[i] = snapmap_spare_take(store, &store->spare.retired);
		KUNIT_ASSERT_NOT_NULL(test, records[i]);
	}
	for (i = 0; i < count; i++)
		snapmap_spare_give(&store->spare.retired, records[i]);
}

/* What comes back is used again, and nothing of its last use is left in it. */
static void test_records_come_back(struct kunit *test)
{
	struct snapmap_store *store = test->priv;
	struct snapmap_retired *first, *again;

	mutex_lock(&store->lock);
	first = snapmap_spare_take(store, &store->spare.retired);
	KUNIT_ASSERT_NOT_NULL(test, first);
	memset(first, 0xa5, sizeof(*first));
	snapmap_spare_give(&store->spare.retired, first);
	again = snapmap_spare_take(store, &store->spare.retired);
	KUNIT_EXPECT_PTR_EQ(test, again, first);
	KUNIT_EXPECT_NULL(test, memchr_inv(again, 0, sizeof(*again)));
	snapmap_spare_give(&store->spare.retired, again);
	mutex_unlock(&store->lock);
}

static void *take_without_memory(struct snapmap_store *store, bool window)
{
	void *got;
	u32 bytes;

	fault_begin(1);
	got = window ? (void *)snapmap_spare_take_window(store, 1, &bytes) :
		       snapmap_spare_take(store, &store->spare.snapshots);
	fault_end();
	return got;
}

/* Promise F: without memory there is none, and later there is. */
static void test_no_memory(struct kunit *test)
{
	struct snapmap_store *store = test->priv;
	u8 *window, *again;
	u32 bytes;

	fault_require(test);
	mutex_lock(&store->lock);
	KUNIT_EXPECT_NULL(test, take_without_memory(store, false));
	KUNIT_EXPECT_EQ(test, store->spare.snapshots.count, 0U);
	KUNIT_EXPECT_NULL(test, take_without_memory(store, true));
	KUNIT_EXPECT_NULL(test, store->spare.window);
	window = snapmap_spare_take_window(store, 1, &bytes);
	KUNIT_EXPECT_NOT_NULL(test, window);
	snapmap_spare_give_window(store, window, bytes);
	again = take_without_memory(store, true);
	KUNIT_EXPECT_PTR_EQ(test, again, window);
	kvfree(again);
	mutex_unlock(&store->lock);
}

/* As large as a batch, in steps, and never larger than is worth keeping. */
static void test_window_grows(struct kunit *test)
{
	static const struct {
		u64 batch;
		u32 bytes;
	} rows[] = {
		{ 0, 4096 }, { 1, 4096 }, { 4097, 8192 }, { 100, 8192 }, { 60000, 61440 },
		{ U64_MAX, 65536 }, { 1, 65536 },
	};
	struct snapmap_store *store = test->priv;
	u32 i, bytes;
	u8 *window;

	mutex_lock(&store->lock);
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		window = snapmap_spare_take_window(store, rows[i].batch, &bytes);
		KUNIT_ASSERT_NOT_NULL(test, window);
		KUNIT_EXPECT_EQ(test, bytes, rows[i].bytes);
		KUNIT_EXPECT_NULL(test, store->spare.window);
		memset(window, 0xa5, bytes);
		snapmap_spare_give_window(store, window, bytes);
	}
	window = kvmalloc(70000, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, window);
	snapmap_spare_give_window(store, window, 70000);
	KUNIT_EXPECT_PTR_NE(test, store->spare.window, window);
	mutex_unlock(&store->lock);
}

/* What is not needed goes by halves while there are commits, and all of it when there are none. */
static void test_trim(struct kunit *test)
{
	struct snapmap_store *store = test->priv;
	struct snapmap_spares *spares = &store->spare.retired;
	u32 before;
	int i;

	mutex_lock(&store->lock);
	stock(test, store, MANY);
	for (i = 0; i < 10; i++) {
		before = spares->count;
		store->version++;
		KUNIT_EXPECT_TRUE(test, snapmap_spare_trim(store));
		KUNIT_EXPECT_GE(test, spares->count, before / 2);
		KUNIT_EXPECT_TRUE(test, i == 0 || before == 64 || spares->count < before);
	}
	KUNIT_EXPECT_EQ(test, spares->count, 64U);
	store->version -= 10;
	store->spare.version = store->version;
	KUNIT_EXPECT_FALSE(test, snapmap_spare_trim(store));
	KUNIT_EXPECT_EQ(test, spares->count, 0U);
	mutex_unlock(&store->lock);
}

/* What has been needed since the last time stays. */
static void test_trim_keeps_what_is_used(struct kunit *test)
{
	struct snapmap_store *store = test->priv;
	u32 i;

	mutex_lock(&store->lock);
	stock(test, store, MANY);
	for (i = 0; i < 10; i++) {
		store->version++;
		KUNIT_EXPECT_TRUE(test, snapmap_spare_trim(store));
		stock(test, store, MANY);
		KUNIT_EXPECT_EQ(test, store->spare.retired.count, MANY);
	}
	store->version -= 10;
	mutex_unlock(&store->lock);
}

static struct kunit_case spare_cases[] = {
	KUNIT_CASE(test_records_come_back),
	KUNIT_CASE(test_no_memory),
	KUNIT_CASE(test_window_grows),
	KUNIT_CASE(test_trim),
	KUNIT_CASE(test_trim_keeps_what_is_used),
	{}
};

static struct kunit_suite spare_suite = {
	.name = "snapmap_spare",
	.init = spare_test_init,
	.exit = spare_test_exit,
	.test_cases = spare_cases,
};

kunit_test_suite(spare_suite);

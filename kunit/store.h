/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * store.h - what the suites of snapshot.c, reclaim.c and commit.c share
 */
#ifndef SNAPMAP_KUNIT_STORE_H
#define SNAPMAP_KUNIT_STORE_H

#include <kunit/test.h>

#include "../kmod/reclaim.h"

#define TEST_KEYS	32

/* For quarantine_us and quarantine_commits: nothing leaves the quarantine. */
#define TEST_FOR_EVER	UINT_MAX

struct snapmap_store *test_store_new(struct kunit *test, const struct snapmap_backing *backing,
				     u64 limit);
void test_store_end(struct snapmap_store *store);
int test_store_put(struct snapmap_store *store, u64 first, u64 count, u32 value_len, u64 stamp);
int test_store_commit(struct snapmap_store *store, enum snapmap_urgency urgency);
void test_store_reclaim(struct snapmap_store *store, enum snapmap_urgency urgency);
bool test_store_pending(struct snapmap_store *store);
u64 test_store_version_of(struct snapmap_store *store, u64 root, u64 key);
u64 test_store_version_of_all(struct snapmap_store *store, u64 root);
struct snapmap_snapshot *test_store_pin(struct kunit *test, struct snapmap_store *store);
u64 test_store_digest(struct snapmap_store *store);

#endif /* SNAPMAP_KUNIT_STORE_H */

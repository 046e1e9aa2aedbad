// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * history_test.c - the checker of histories accepts what is linearizable, and
 * rejects each kind of what is not
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "../device/history.c"
#include "random.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* ------------------------------------------------------------- histories by hand */

/* Calls of client @who from @from to @to. */
#define PUT(who, from, to, v, k, val)                                               \
	{                                                                           \
		.call = (from), .ret = (to), .kind = EVENT_COMMIT, .client = (who), \
		.version = (v), .failed_op = ~0ULL, .ops = 1,                       \
		.op = { { .key = (k), .value = (val) } }                            \
	}
#define PUT_IF(who, from, to, v, k, val, expected)                                      \
	{                                                                               \
		.call = (from), .ret = (to), .kind = EVENT_COMMIT, .client = (who),     \
		.version = (v), .if_version = (expected), .failed_op = ~0ULL, .ops = 1, \
		.op = { { .key = (k), .value = (val) } }                                \
	}
#define REFUSED(who, from, to, v, k, expected)                                                   \
	{                                                                                        \
		.call = (from), .ret = (to), .kind = EVENT_COMMIT, .client = (who),              \
		.err = -ECANCELED, .version = (v), .if_version = (expected), .failed_op = ~0ULL, \
		.ops = 1,                                                                        \
		.op = { { .key = (k), .value = 99 } }                                            \
	}
#define COND(who, from, to, error, v, k, cond, written, failed)                                   \
	{                                                                                         \
		.call = (from), .ret = (to), .kind = EVENT_COMMIT, .client = (who),               \
		.err = (error), .version = (v), .failed_op = (failed), .ops = 1,                  \
		.op = { { .key = (k), .value = 99, .condition = (cond), .if_version = (written) } \
		}                                                                                 \
	}
#define GET(who, from, to, v, k, val, written)                                                   \
	{                                                                                        \
		.call = (from), .ret = (to), .kind = EVENT_GET, .client = (who), .version = (v), \
		.key = (k), .value = (val), .entry_version = (written)                           \
	}
#define MISS(who, from, to, v, k)                                                                \
	{                                                                                        \
		.call = (from), .ret = (to), .kind = EVENT_GET, .client = (who), .err = -ENOENT, \
		.version = (v), .key = (k)                                                       \
	}

static const char *check(const struct event *events, size_t count)
{
	struct event *copy = calloc(count, sizeof(*copy));
	const struct event *culprit;
	const char *why;

	memcpy(copy, events, count * sizeof(*copy));
	why = history_check(copy, count, &culprit);
	assert_true(!why == !culprit);
	free(copy);
	return why;
}

#define assert_accepted(...)                                          \
	do {                                                          \
		static const struct event events[] = { __VA_ARGS__ }; \
		assert_null(check(events, ARRAY_SIZE(events)));       \
	} while (0)

#define assert_rejected(why, ...)                                      \
	do {                                                           \
		static const struct event events[] = { __VA_ARGS__ };  \
		const char *found = check(events, ARRAY_SIZE(events)); \
		assert_non_null(found);                                \
		assert_string_equal(found, why);                       \
	} while (0)

static void test_sequences_are_accepted(void **state)
{
	assert_accepted(MISS(0, 1, 2, 1, 7));
	assert_accepted(PUT(0, 1, 2, 2, 7, 50), GET(0, 3, 4, 2, 7, 50, 2), MISS(0, 5, 6, 2, 8));
	assert_accepted(PUT(0, 1, 2, 2, 7, 50), PUT_IF(0, 3, 4, 3, 8, 51, 2),
			REFUSED(0, 5, 6, 3, 7, 2), GET(0, 7, 8, 3, 7, 50, 2));
	assert_accepted(PUT(0, 1, 2, 2, 7, 50), COND(0, 3, 4, -ECANCELED, 2, 7, 1, 0, 0),
			COND(0, 5, 6, 0, 3, 7, 3, 2, ~0ULL), GET(0, 7, 8, 3, 7, 99, 3));
}

/* A get beside a commit may see it or not; and one after the other, in this order. */
static void test_overlapping_calls_are_accepted(void **state)
{
	assert_accepted(PUT(0, 1, 9, 2, 7, 50), MISS(1, 2, 3, 1, 7), GET(1, 4, 5, 2, 7, 50, 2));
	assert_accepted(PUT(0, 1, 9, 3, 7, 50), PUT(1, 2, 8, 2, 7, 51), GET(2, 3, 4, 3, 7, 50, 3));
	assert_accepted(PUT(0, 1, 9, 2, 7, 50), REFUSED(1, 2, 8, 2, 7, 1));
	/* Two gets that overlap see two versions, whichever was called first. */
	assert_accepted(PUT(0, 1, 9, 2, 7, 50), GET(1, 2, 5, 2, 7, 50, 2), MISS(2, 3, 4, 1, 7));
}

static void test_stale_reads_are_rejected(void **state)
{
	const char *why = "older than what had been seen before";

	/* The commit had returned. */
	assert_rejected(why, PUT(0, 1, 2, 2, 7, 50), MISS(1, 3, 4, 1, 7));
	/* Another reader had seen it. */
	assert_rejected(why, PUT(0, 1, 9, 2, 7, 50), GET(1, 2, 3, 2, 7, 50, 2),
			MISS(2, 4, 5, 1, 7));
	/* A commit that was refused had told of it. */
	assert_rejected(why, PUT(0, 1, 9, 2, 7, 50), REFUSED(1, 2, 3, 2, 7, 1),
			MISS(2, 4, 5, 1, 7));
	/* The very same reader: its versions go back. */
	assert_rejected(why, PUT(0, 1, 2, 2, 7, 50), PUT(0, 3, 9, 3, 7, 51),
			GET(1, 4, 5, 3, 7, 51, 3), GET(1, 6, 7, 2, 7, 50, 2));
	/* The version is new, but not the content. */
	assert_rejected("a value that the version does not hold", PUT(0, 1, 2, 2, 7, 50),
			PUT(0, 3, 4, 3, 7, 51), GET(1, 5, 6, 3, 7, 50, 2));
}

static void test_lost_updates_are_rejected(void **state)
{
	assert_rejected("two commits gave one version", PUT(0, 1, 2, 2, 7, 50),
			PUT(1, 3, 4, 2, 7, 51));
	assert_rejected("a commit went through against a condition", PUT_IF(0, 1, 8, 2, 7, 50, 1),
			PUT_IF(1, 2, 9, 3, 7, 51, 1));
	assert_rejected("a commit went through against a condition", PUT(0, 1, 2, 2, 7, 50),
			COND(1, 3, 4, 0, 3, 7, SNAPMAP_COND_ABSENT, 0, ~0ULL));
	assert_rejected("a commit went through against a condition", PUT(0, 1, 2, 2, 7, 50),
			PUT(0, 3, 4, 3, 7, 51),
			COND(1, 5, 6, 0, 4, 7, SNAPMAP_COND_VERSION, 2, ~0ULL));
	assert_rejected("no commit gave the version before", PUT(0, 1, 2, 3, 7, 50));
	assert_rejected("a key that is there was not found", PUT(0, 1, 2, 2, 7, 50),
			PUT(0, 3, 4, 3, 8, 51), MISS(1, 5, 6, 3, 7));
}

static void test_failures_without_reason_are_rejected(void **state)
{
	assert_rejected("a commit failed without a reason", PUT(0, 1, 2, 2, 7, 50),
			REFUSED(1, 3, 4, 2, 7, 2));
	assert_rejected("a commit failed without a reason", PUT(0, 1, 2, 2, 7, 50),
			COND(1, 3, 4, -ECANCELED, 2, 7, SNAPMAP_COND_PRESENT, 0, 0));
	assert_rejected("a commit failed for another reason than it says", PUT(0, 1, 2, 2, 7, 50),
			COND(1, 3, 4, -ECANCELED, 2, 7, SNAPMAP_COND_ABSENT, 0, ~0ULL));
	/* There was a reason, but no longer when it was called. */
	assert_rejected("older than what had been seen before", PUT(0, 1, 2, 2, 7, 50),
			REFUSED(1, 3, 4, 1, 7, 2));
	assert_rejected("a call failed",
			{ .call = 1, .ret = 2, .kind = EVENT_GET, .err = -EIO, .version = 1 });
}

static void test_answers_from_the_future_are_rejected(void **state)
{
	assert_rejected("a version that had been seen before its commit", GET(1, 1, 2, 2, 7, 50, 2),
			PUT(0, 3, 4, 2, 7, 50));
	assert_rejected("a version that no commit gave", MISS(1, 1, 2, 2, 7));
	assert_rejected("older than what had been seen before", PUT(0, 1, 2, 3, 7, 50),
			PUT(1, 3, 4, 2, 7, 51));
	assert_rejected("a key was found that is not there", PUT(0, 1, 2, 2, 7, 50),
			GET(1, 3, 4, 2, 8, 50, 2));
	assert_rejected("an entry of another version", PUT(0, 1, 2, 2, 7, 50),
			PUT(0, 3, 4, 3, 8, 51), GET(1, 5, 6, 3, 7, 50, 3));
}

/* ------------------------------------------------------------- histories by chance */

#define EVENTS 300
#define KEYS   5

/* The map as it goes, for calls that take effect one after the other. */
struct model {
	uint64_t version;
	uint64_t value[KEYS];
	uint64_t written[KEYS];
};

static void model_get(struct model *model, struct event *event)
{
	event->key = random_below(KEYS);
	event->version = model->version;
	event->err = model->value[event->key] ? 0 : -ENOENT;
	event->value = model->value[event->key];
	event->entry_version = model->written[event->key];
}

static void model_commit(struct model *model, struct event *event)
{
	struct event_op *op = &event->op[0];

	event->kind = EVENT_COMMIT;
	event->ops = 1;
	event->failed_op = ~0ULL;
	event->if_version = random_below(2) ? model->version - random_below(2) : 0;
	event->version = model->version;
	*op = (struct event_op){ .key = random_below(KEYS), .value = random_next() | 1 };
	op->deletes = !random_below(4);
	if (event->if_version && event->if_version != model->version) {
		event->err = -ECANCELED;
		return;
	}
	if (!random_below(4)) {
		op->condition = SNAPMAP_COND_ABSENT;
		if (model->value[op->key]) {
			event->err = -ECANCELED;
			event->failed_op = 0;
			return;
		}
	}
	event->version = ++model->version;
	model->value[op->key] = op->deletes ? 0 : op->value;
	model->written[op->key] = model->version;
}

/* Each call takes effect at 1000 times its number, somewhere between its two times. */
static void make_history(struct event *events)
{
	struct model model = { .version = 1 };
	size_t i;

	memset(events, 0, EVENTS * sizeof(*events));
	for (i = 0; i < EVENTS; i++) {
		if (random_below(3))
			model_get(&model, &events[i]);
		else
			model_commit(&model, &events[i]);
		events[i].call = 1000000 + 1000 * i - 2 * random_below(3000) - 2;
		events[i].ret = 1000000 + 1000 * i + 2 * random_below(3000) + 1;
	}
}

static void test_random_histories_are_accepted(void **state)
{
	static struct event events[EVENTS];
	int round;

	for (round = 0; round < 300; round++) {
		make_history(events);
		assert_null(check(events, EVENTS));
	}
}

/* Moves the answer of a get to a time when it was no longer, or not yet, right. */
static bool spoil(struct event *events)
{
	struct event *event = &events[random_below(EVENTS)];
	uint64_t version = event->version;
	int64_t away = random_below(2) ? 40000 : -40000;
	size_t i;

	event->call += away;
	event->ret += away;
	for (i = 0; i < EVENTS; i++) { /* of another version on the way there? */
		const struct event *other = &events[i];

		if (other->kind == EVENT_COMMIT && !other->err && other != event &&
		    (away > 0 ? other->version > version && other->ret < event->call :
				other->version <= version && other->call > event->ret))
			return true;
	}
	return false;
}

static void test_random_histories_spoilt_are_rejected(void **state)
{
	static struct event events[EVENTS];
	int round, spoilt = 0;

	for (round = 0; round < 300; round++) {
		make_history(events);
		if (!spoil(events))
			continue;
		assert_non_null(check(events, EVENTS));
		spoilt++;
	}
	assert_true(spoilt > 100);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sequences_are_accepted),
		cmocka_unit_test(test_overlapping_calls_are_accepted),
		cmocka_unit_test(test_stale_reads_are_rejected),
		cmocka_unit_test(test_lost_updates_are_rejected),
		cmocka_unit_test(test_failures_without_reason_are_rejected),
		cmocka_unit_test(test_answers_from_the_future_are_rejected),
		cmocka_unit_test(test_random_histories_are_accepted),
		cmocka_unit_test(test_random_histories_spoilt_are_rejected),
	};

	random_init();
	return cmocka_run_group_tests_name("history", tests, NULL, NULL);
}

// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * history.c - whether a history is linearizable
 */
#include <errno.h>
#include <linux/snapmap.h>
#include <stdbool.h>
#include <stdlib.h>

#include "history.h"

/* What a version left under a key. */
struct write {
	uint64_t version;
	uint64_t value;
	bool present;
};

/* All writes to one key, oldest first. */
struct timeline {
	struct write *writes;
	size_t count;
};

/**
 * struct history - a history that is being checked
 * @events: sorted by call
 * @count: how many
 * @commits: those that succeeded, by version: that of version v is at v - 2
 * @last: the last version
 * @keys: what each key has held
 * @culprit: what does not fit
 */
struct history {
	struct event *events;
	size_t count;
	struct event **commits;
	uint64_t last;
	struct timeline keys[HISTORY_KEYS];
	const struct event *culprit;
};

static const char *blame(struct history *history, const struct event *event, const char *why)
{
	history->culprit = event;
	return why;
}

/* ------------------------------------------------------------- content by version */

/* What a key holds in a version. */
static struct write state_at(const struct history *history, uint32_t key, uint64_t version)
{
	const struct timeline *line = &history->keys[key];
	struct write absent = { .present = false };
	size_t low = 0, high = line->count, middle;

	while (low < high) {
		middle = (low + high) / 2;
		if (line->writes[middle].version <= version)
			low = middle + 1;
		else
			high = middle;
	}
	return low ? line->writes[low - 1] : absent;
}

static bool holds(const struct history *history, const struct event_op *op, uint64_t version)
{
	struct write state = state_at(history, op->key, version);

	switch (op->condition) {
	case SNAPMAP_COND_ABSENT:
		return !state.present;
	case SNAPMAP_COND_PRESENT:
		return state.present;
	case SNAPMAP_COND_VERSION:
		return state.present && state.version == op->if_version;
	}
	return true;
}

/**
 * enum verdict - what a commit meets in a version; else the number of an operation
 * @GOES_THROUGH: nothing against it
 * @NOT_EXPECTED: it is not the version that the commit expects
 */
enum verdict {
	GOES_THROUGH = -1,
	NOT_EXPECTED = -2,
};

static int judge(const struct history *history, const struct event *commit, uint64_t version)
{
	uint32_t i;

	if (commit->if_version && commit->if_version != version)
		return NOT_EXPECTED;
	for (i = 0; i < commit->ops; i++)
		if (!holds(history, &commit->op[i], version))
			return i;
	return GOES_THROUGH;
}

static void apply(struct history *history, const struct event *commit)
{
	const struct event_op *op;
	struct timeline *line;

	for (op = commit->op; op < commit->op + commit->ops; op++) {
		line = &history->keys[op->key];
		line->writes[line->count++] = (struct write){
			.version = commit->version,
			.value = op->value,
			.present = !op->deletes,
		};
	}
}

/* ------------------------------------------------------------- commits */

static int by_version(const void *left, const void *right)
{
	const struct event *a = *(struct event *const *)left, *b = *(struct event *const *)right;

	return (a->version > b->version) - (a->version < b->version);
}

static void gather_commits(struct history *history)
{
	size_t writes[HISTORY_KEYS] = { 0 }, i;
	struct event *event;
	uint32_t op;

	history->last = 1;
	history->commits = calloc(history->count + 1, sizeof(*history->commits));
	for (event = history->events; event < history->events + history->count; event++) {
		if (event->kind != EVENT_COMMIT || event->err)
			continue;
		history->commits[history->last++ - 1] = event;
		for (op = 0; op < event->ops; op++)
			writes[event->op[op].key]++;
	}
	for (i = 0; i < HISTORY_KEYS; i++)
		history->keys[i].writes = calloc(writes[i] + 1, sizeof(struct write));
	qsort(history->commits, history->last - 1, sizeof(*history->commits), by_version);
}

/* Each version is that of one commit, which could be made in the version before. */
static const char *replay_commits(struct history *history)
{
	struct event *commit;
	uint64_t version;

	for (version = 2; version <= history->last; version++) {
		commit = history->commits[version - 2];
		if (commit->version < version)
			return blame(history, commit, "two commits gave one version");
		if (commit->version > version)
			return blame(history, commit, "no commit gave the version before");
		if (judge(history, commit, version - 1) != GOES_THROUGH)
			return blame(history, commit, "a commit went through against a condition");
		apply(history, commit);
	}
	return NULL;
}

static const char *check_refusal(struct history *history, const struct event *commit)
{
	int verdict = judge(history, commit, commit->version);

	if (verdict == GOES_THROUGH)
		return blame(history, commit, "a commit failed without a reason");
	if (commit->failed_op != (verdict == NOT_EXPECTED ? ~0ULL : (uint64_t)verdict))
		return blame(history, commit, "a commit failed for another reason than it says");
	return NULL;
}

/* ------------------------------------------------------------- gets, and all answers */

static const char *check_get(struct history *history, const struct event *get)
{
	struct write state = state_at(history, get->key, get->version);

	if (state.present != !get->err)
		return blame(history, get,
			     get->err ? "a key that is there was not found" :
					"a key was found that is not there");
	if (state.present && state.value != get->value)
		return blame(history, get, "a value that the version does not hold");
	if (state.present && state.version != get->entry_version)
		return blame(history, get, "an entry of another version");
	return NULL;
}

static const char *check_answer(struct history *history, const struct event *event)
{
	int expected = event->kind == EVENT_GET ? -ENOENT : -ECANCELED;

	if (event->err && event->err != expected)
		return blame(history, event, "a call failed");
	if (!event->version || event->version > history->last)
		return blame(history, event, "a version that no commit gave");
	if (event->kind == EVENT_GET)
		return check_get(history, event);
	return event->err ? check_refusal(history, event) : NULL;
}

static const char *check_answers(struct history *history)
{
	const char *why = NULL;
	size_t i;

	for (i = 0; i < history->count && !why; i++)
		why = check_answer(history, &history->events[i]);
	return why;
}

/* ------------------------------------------------------------- time */

static int by_call(const void *left, const void *right)
{
	const struct event *a = left, *b = right;

	return (a->call > b->call) - (a->call < b->call);
}

static int by_return(const void *left, const void *right)
{
	const struct event *a = *(struct event *const *)left, *b = *(struct event *const *)right;

	return (a->ret > b->ret) - (a->ret < b->ret);
}

/* No call is of an older version than one that had returned before; a commit, of a newer one. */
static const char *check_order(struct history *history, struct event **returned)
{
	const struct event *event;
	uint64_t newest = 1;
	size_t i, done = 0;

	for (i = 0; i < history->count; i++) {
		event = &history->events[i];
		for (; returned[done]->ret < event->call; done++)
			if (returned[done]->version > newest)
				newest = returned[done]->version;
		if (event->version < newest)
			return blame(history, event, "older than what had been seen before");
		if (event->kind == EVENT_COMMIT && !event->err && event->version == newest)
			return blame(history, event,
				     "a version that had been seen before its commit");
	}
	return NULL;
}

static const char *check_time(struct history *history)
{
	struct event **returned = calloc(history->count + 1, sizeof(*returned));
	const char *why;
	size_t i;

	for (i = 0; i < history->count; i++)
		returned[i] = &history->events[i];
	qsort(returned, history->count, sizeof(*returned), by_return);
	why = check_order(history, returned);
	free(returned);
	return why;
}

const char *history_check(struct event *events, size_t count, const struct event **culprit)
{
	struct history history = { .events = events, .count = count };
	const char *why;
	size_t i;

	qsort(events, count, sizeof(*events), by_call);
	gather_commits(&history);
	why = replay_commits(&history);
	if (!why)
		why = check_answers(&history);
	if (!why)
		why = check_time(&history);
	for (i = 0; i < HISTORY_KEYS; i++)
		free(history.keys[i].writes);
	free(history.commits);
	*culprit = history.culprit;
	return why;
}

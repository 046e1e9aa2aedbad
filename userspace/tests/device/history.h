/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * history.h - what several clients did with a map, and whether it is linearizable
 *
 * A history is linearizable (promise C) when its calls can be put into one
 * order such that each does what a map would do alone, and none stands before
 * one that had returned before it was called. For most objects that order must
 * be searched for; here each answer names the version that it belongs to, and
 * the order is known but for calls of one version that change nothing. What is
 * left to check is each answer against its version, and versions against time.
 */
#ifndef HISTORY_H
#define HISTORY_H

#include <stddef.h>
#include <stdint.h>

#define HISTORY_KEYS 64 /* keys are numbers below */
#define HISTORY_OPS  2

enum event_kind {
	EVENT_GET,
	EVENT_COMMIT,
};

/**
 * struct event_op - an operation of a commit
 * @key: the key, a different one in each operation of a commit
 * @condition: SNAPMAP_COND_*
 * @deletes: it deletes, else it puts @value
 * @value: the value
 * @if_version: for SNAPMAP_COND_VERSION
 */
struct event_op {
	uint32_t key;
	uint8_t condition;
	uint8_t deletes;
	uint64_t value;
	uint64_t if_version;
};

/**
 * struct event - a call that has returned
 * @call: when it was called; all times come from one clock, and no two are equal
 * @ret: when it had returned
 * @kind: what it was
 * @client: who called
 * @err: 0; -ENOENT of a get; -ECANCELED of a commit
 * @version: what it gave as its version
 * @key: get: the key
 * @value: get: the value
 * @entry_version: get: which version last wrote the entry
 * @if_version: commit: the expected version, or 0
 * @failed_op: commit: which operation's condition did not hold, or ~0
 * @ops: commit: how many operations
 * @op: commit: them
 */
struct event {
	uint64_t call;
	uint64_t ret;
	enum event_kind kind;
	uint32_t client;
	int err;
	uint64_t version;
	uint32_t key;
	uint64_t value;
	uint64_t entry_version;
	uint64_t if_version;
	uint64_t failed_op;
	uint32_t ops;
	struct event_op op[HISTORY_OPS];
};

/**
 * history_check() - look for what is not linearizable
 * @events: all calls since the map was empty, at version 1; left sorted by @call
 * @count: how many
 * @culprit: out: a call that does not fit
 *
 * Return: NULL when the history is linearizable, else what is wrong with @culprit.
 */
const char *history_check(struct event *events, size_t count, const struct event **culprit);

#endif /* HISTORY_H */

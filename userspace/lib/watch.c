// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * watch.c - every change of a map, in steps from version to version
 *
 * A watch pins what it has told last. A step pins a later version, compares the
 * two, and then lets the older one go. So no change can be lost: at worst, where
 * the map does not keep the versions between, a step tells the changes of several
 * commits as one. An error after which a step cannot be told whole stays.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "map.h"
#include "pin.h"

#define PIN_TRIES 4 /* versions may go while we ask for them */

/**
 * struct snapmap_watch - what is watched, and how far it has been told
 * @map: the map
 * @prefixes: what keys are to begin with
 * @prefix_count: how many; 0 for all keys
 * @told: what has been told last
 * @next: what the step under way leads to, or NULL
 * @diff: the comparison of the two, or NULL
 * @ahead: the first change of the step when @has_ahead
 * @has_ahead: whether it has been looked for already
 * @err: an error that stays, or 0
 */
struct snapmap_watch {
	struct snapmap *map;
	struct snapmap_key_prefix *prefixes;
	size_t prefix_count;
	struct snapmap_snapshot *told;
	struct snapmap_snapshot *next;
	struct snapmap_diff *diff;
	struct snapmap_change ahead;
	bool has_ahead;
	int err;
};

/* One allocation: the prefixes, and behind them their bytes. */
static int copy_prefixes(struct snapmap_watch *watch, const struct snapmap_watch_opts *opts)
{
	size_t bytes = opts->prefix_count * sizeof(*opts->prefixes);
	u8 *to;
	size_t i;

	if (!opts->prefix_count)
		return 0;
	for (i = 0; i < opts->prefix_count; i++)
		bytes += opts->prefixes[i].len;
	watch->prefixes = malloc(bytes);
	if (!watch->prefixes)
		return -ENOMEM;
	to = (u8 *)(watch->prefixes + opts->prefix_count);
	for (i = 0; i < opts->prefix_count; i++) {
		watch->prefixes[i].bytes = to;
		watch->prefixes[i].len = opts->prefixes[i].len;
		if (opts->prefixes[i].len)
			memcpy(to, opts->prefixes[i].bytes, opts->prefixes[i].len);
		to += opts->prefixes[i].len;
	}
	watch->prefix_count = opts->prefix_count;
	return 0;
}

int snapmap_watch_new(const char *name_or_path, const struct snapmap_watch_opts *opts,
		      struct snapmap_watch **out)
{
	static const struct snapmap_watch_opts none;
	struct snapmap_watch *watch = calloc(1, sizeof(*watch));
	int err;

	if (!watch)
		return -ENOMEM;
	if (!opts)
		opts = &none;
	err = copy_prefixes(watch, opts);
	if (!err)
		err = snapmap_open(name_or_path, O_RDONLY | O_NONBLOCK, &watch->map);
	if (!err)
		err = snapmap_pin_at(watch->map, opts->from, &watch->told);
	if (err)
		snapmap_watch_free(watch);
	else
		*out = watch;
	return err;
}

int snapmap_watch_fd(const struct snapmap_watch *watch)
{
	return snapmap_fd(watch->map);
}

const struct snapmap_snapshot *snapmap_watch_snapshot(const struct snapmap_watch *watch)
{
	return watch->told;
}

static void end_step(struct snapmap_watch *watch)
{
	if (!watch->next)
		return;
	snapmap_diff_free(watch->diff);
	snapmap_unpin(watch->told);
	watch->told = watch->next;
	watch->next = NULL;
	watch->diff = NULL;
	watch->has_ahead = false;
}

/*
 * Whether there is a later version than what has been told: 1, 0, or -ENODEV
 * when there never will be. Reads the descriptor before it says no, so that it is
 * not readable again until there is one.
 */
static int look(const struct snapmap_watch *watch)
{
	uint64_t told = snapmap_pin_version(watch->told);
	uint64_t given;
	uint32_t state;

	if (snapmap_version(watch->map) != told)
		return 1;
	if (read(snapmap_fd(watch->map), &given, sizeof(given)) < 0 && errno != EAGAIN &&
	    errno != EINTR)
		return -errno;
	state = snapmap_state(watch->map); /* ahead of the version, which then is the last */
	if (snapmap_version(watch->map) != told)
		return 1;
	return state & SNAPMAP_STATE_DESTROYED ? -ENODEV : 0;
}

/* Pins the version behind the one told, or the first later one that the map keeps. */
static int pin_next(struct snapmap_watch *watch)
{
	uint64_t version = snapmap_pin_version(watch->told) + 1;
	int err = snapmap_pin_at(watch->map, version, &watch->next);
	struct snapmap_record record;
	ssize_t count;
	int tries;

	for (tries = 0; err == -ESTALE && tries < PIN_TRIES; tries++) {
		count = snapmap_log(watch->map, &version, &record, 1);
		if (count < 0)
			return (int)count;
		err = snapmap_pin_at(watch->map, version, &watch->next);
	}
	return err == -ESTALE ? snapmap_pin(watch->map, &watch->next) : err;
}

static bool is_wanted(const struct snapmap_watch *watch, const struct snapmap_change *change)
{
	const struct snapmap_key_prefix *prefix = watch->prefixes;
	size_t i;

	for (i = 0; i < watch->prefix_count; i++, prefix++)
		if (prefix->len <= change->key_len &&
		    (!prefix->len || !memcmp(change->key, prefix->bytes, prefix->len)))
			return true;
	return !watch->prefix_count;
}

static int next_wanted(struct snapmap_watch *watch, struct snapmap_change *change)
{
	int ret;

	do
		ret = snapmap_diff_next(watch->diff, change);
	while (ret > 0 && !is_wanted(watch, change));
#ifndef SNAPMAP_BREAK_GO_ON /* a deliberate break, for the tests' own test */
	if (ret < 0)
		watch->err = ret;
#endif
	return ret;
}

/* Begins a step. Returns 1, or 0 when nothing has changed in it that is wanted. */
static int begin_step(struct snapmap_watch *watch)
{
	int err = pin_next(watch);

	if (err)
		return err;
	err = snapmap_diff_new(watch->told, watch->next, &watch->diff);
	if (err) {
		snapmap_unpin(watch->next);
		watch->next = NULL;
		return err;
	}
	watch->err = snapmap_pin_check(watch->told);
	if (watch->err)
		return watch->err;
	if (!watch->prefix_count)
		return 1;
	err = next_wanted(watch, &watch->ahead);
	watch->has_ahead = err > 0;
	return err;
}

int snapmap_watch_next(struct snapmap_watch *watch, struct snapmap_event *event)
{
	int ret;

	do {
		if (watch->err)
			return watch->err;
		end_step(watch);
		ret = look(watch);
		if (ret <= 0)
			return ret;
		ret = begin_step(watch);
	} while (!ret);
	if (ret < 0)
		return ret;
	event->header = *snapmap_pin_header(watch->next);
	event->from = snapmap_pin_version(watch->told);
	event->to = event->header.version;
	return 1;
}

int snapmap_watch_change(struct snapmap_watch *watch, struct snapmap_change *change)
{
	if (watch->err)
		return watch->err;
	if (!watch->next)
		return 0;
	if (!watch->has_ahead)
		return next_wanted(watch, change);
	watch->has_ahead = false;
	*change = watch->ahead;
	watch->err = snapmap_pin_check(watch->told);
	return watch->err ? watch->err : 1;
}

void snapmap_watch_free(struct snapmap_watch *watch)
{
	if (!watch)
		return;
	snapmap_diff_free(watch->diff);
	snapmap_unpin(watch->next);
	snapmap_unpin(watch->told);
	snapmap_close(watch->map);
	free(watch->prefixes);
	free(watch);
}

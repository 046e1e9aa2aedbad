/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * attempt.h - a look-up in the current snapshot, until it has not been overtaken
 *
 * A look-up that takes longer than blocks are kept from reuse, of a long value or of
 * thousands of keys, could be overtaken each time while commits never pause. So after
 * a few times it pins the version that it reads.
 */
#ifndef SNAPMAP_ATTEMPT_H
#define SNAPMAP_ATTEMPT_H

#include "barrier.h"
#include "map.h"

/* So often in a row a look-up may be overtaken before it pins what it reads. */
#define SNAPMAP_LAPS_MAX 8

/**
 * struct snapmap_attempt - one attempt after another at one look-up; zeroed at first
 * @version: the version to read
 * @root: its root word
 * @laps: attempts that have been overtaken
 * @pinned: whether @pin keeps the version
 * @pin: a descriptor
 */
struct snapmap_attempt {
	u64 version;
	u64 root;
	unsigned int laps;
	bool pinned;
	int pin;
};

bool snapmap_attempt_pin(const struct snapmap *map, struct snapmap_attempt *attempt);
bool snapmap_attempt_end(const struct snapmap *map, struct snapmap_attempt *attempt);

/**
 * snapmap_attempt_begin() - choose the version to read
 * @map: the map
 * @attempt: of the look-up
 */
static inline void snapmap_attempt_begin(const struct snapmap *map, struct snapmap_attempt *attempt)
{
	if (likely(attempt->laps < SNAPMAP_LAPS_MAX) || !snapmap_attempt_pin(map, attempt))
		attempt->version = snapmap_live_begin(snapmap_map_control(map), &attempt->root);
}

/**
 * snapmap_attempt_counts() - whether all that was read belonged to the version
 * @map: the map
 * @attempt: of the look-up
 *
 * Return: false when it takes another attempt.
 */
static inline bool snapmap_attempt_counts(const struct snapmap *map,
					  struct snapmap_attempt *attempt)
{
	return likely(!attempt->pinned &&
		      snapmap_live_intact(snapmap_map_control(map), attempt->version)) ||
	       snapmap_attempt_end(map, attempt);
}

#endif /* SNAPMAP_ATTEMPT_H */

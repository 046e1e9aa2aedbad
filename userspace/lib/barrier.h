/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * barrier.h - all ordering between this library and the kernel's side
 *
 * A live reader writes nothing, so it cannot hold blocks back. It finds out
 * afterwards instead: it reads the version first and the oldest intact version
 * last, and the kernel writes them in the opposite order around the reuse of a
 * block. The two functions below are the two ends of that; snapmap_layout.h
 * numbers the steps.
 */
#ifndef SNAPMAP_BARRIER_H
#define SNAPMAP_BARRIER_H

#include <linux/snapmap_layout.h>

#include "view.h"

/* Loads before the barrier are done before loads behind it. */
static inline void snapmap_read_barrier(void)
{
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
}

static inline u64 snapmap_load_acquire(const __u64 *from)
{
	return __atomic_load_n(from, __ATOMIC_ACQUIRE);
}

static inline u64 snapmap_load(const __u64 *from)
{
	return __atomic_load_n(from, __ATOMIC_RELAXED);
}

/**
 * snapmap_live_version() - the current version
 * @control: the control page
 *
 * The acquire pairs with the store-release of version in kmod/snapshot.c
 * (publish): who sees a version sees its root, its header and its blocks.
 */
static inline u64 snapmap_live_version(const struct snapmap_control *control)
{
	return snapmap_load_acquire(&control->version);
}

/**
 * snapmap_live_recheck() - whether a slot of the control page was still @version's
 * @control: the control page
 * @version: version whose slot has been read
 *
 * The barrier pairs with the one in kmod/snapshot.c (publish, write_slot) between the
 * store of version + 1 and the next commit's stores to the slot of @version: who has
 * read any of the latter sees a newer version here. It pairs with the one in
 * kmod/reclaim.c (oldest) too: who has read from a block that has been reused sees a
 * newer version, for that was stored before oldest was. And with the one in
 * kmod/directory.c (snapmap_directory_open): who has found a leaf there that is newer than
 * @version sees a newer version.
 */
static inline bool snapmap_live_recheck(const struct snapmap_control *control, u64 version)
{
	snapmap_read_barrier();
	return snapmap_load(&control->version) == version;
}

/**
 * snapmap_live_root() - the root word of a version, as far as its slot is still its own
 * @control: the control page
 * @version: the version
 *
 * The acquire pairs with the store-release of root in kmod/snapshot.c (publish), ahead
 * of any load from the blocks that it leads to.
 */
static inline u64 snapmap_live_root(const struct snapmap_control *control, u64 version)
{
	return snapmap_load_acquire(&control->root[version & 1]);
}

/* Its filter, likewise. Who sees the version sees all bits that its keys have set there. */
static inline u64 snapmap_live_filter(const struct snapmap_control *control, u64 version)
{
	return snapmap_load(&control->filter[version & 1]);
}

/* Its directory, likewise. What it tells is of the version that is found behind it. */
static inline u64 snapmap_live_directory(const struct snapmap_control *control, u64 version)
{
	return snapmap_load(&control->directory[version & 1]);
}

/**
 * snapmap_live_begin() - steps 1 to 3: choose the version to read
 * @control: the control page
 * @root: out: its root word
 *
 * Return: the version.
 */
static inline u64 snapmap_live_begin(const struct snapmap_control *control, u64 *root)
{
	u64 version;

	do {
		version = snapmap_live_version(control);
		*root = snapmap_live_root(control, version);
	} while (!snapmap_live_recheck(control, version));
	return version;
}

/**
 * snapmap_live_intact() - step 5: whether all that was read belonged to @version
 * @control: the control page
 * @version: what snapmap_live_begin() gave
 *
 * The barrier pairs with the write barrier in kmod/reclaim.c (oldest) between
 * the store of oldest and the first store to a block that is reused: who has
 * read any of the latter sees the former here.
 */
static inline bool snapmap_live_intact(const struct snapmap_control *control, u64 version)
{
	snapmap_read_barrier();
	return snapmap_load(&control->oldest) <= version;
}

/**
 * snapmap_pin_is_revoked() - whether what was read of a pinned version may be anything
 * @control: the control page
 * @version: the version
 *
 * The barrier pairs with the write barrier in the kernel between the store of
 * revoked and the first store to a block that the pin held back: who has read
 * any of the latter sees the former here.
 */
static inline bool snapmap_pin_is_revoked(const struct snapmap_control *control, u64 version)
{
	snapmap_read_barrier();
	return snapmap_load(&control->revoked) > version;
}

/**
 * snapmap_live_state() - the map's state
 * @control: the control page
 *
 * The acquire pairs with the store-release of state in kmod/snapshot.c
 * (snapmap_store_seal): who sees SNAPMAP_STATE_DESTROYED sees the last version.
 */
static inline u32 snapmap_live_state(const struct snapmap_control *control)
{
	return __atomic_load_n(&control->state, __ATOMIC_ACQUIRE);
}

#endif /* SNAPMAP_BARRIER_H */

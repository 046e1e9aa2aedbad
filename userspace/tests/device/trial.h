/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * trial.h - a system call of which every allocation fails once
 *
 * A trial is one system call in one situation. It is run with its first
 * allocation failing, then with its second, and so on, until it ends without a
 * failure. A call that fails gives ENOMEM and leaves all as it was; one that
 * goes through in spite of a failure has done its whole work. scripts/vm looks
 * for leaks when all is over.
 */
#ifndef TRIAL_H
#define TRIAL_H

#include "versions.h"

/**
 * struct scene - what a trial works on
 * @map: the map
 * @control: descriptor
 * @victim: arguments for a second map
 * @batch: what is to be committed
 * @flags: SNAPMAP_COMMIT_*
 * @fd: what the call has opened, or -1
 * @txn: a transaction on the map, or -1
 * @pins: what the call has pinned
 * @base: a mapping of the map
 * @bytes: its length
 */
struct scene {
	struct fixture *map;
	int control;
	struct snapmap_create victim;
	struct batch batch;
	u32 flags;
	int fd;
	int txn;
	s32 pins[2];
	const u8 *base;
	size_t bytes;
};

/**
 * struct trial - a call in a situation
 * @setup: brings the situation about, on a new map
 * @run: makes the call; returns 0 or a negative errno
 * @done: checks that a call that succeeded has done its work, and undoes it
 * @never_fails: it does without the allocation that fails
 * @renew: @done cannot undo it, the next attempt needs a new map
 */
struct trial {
	void (*setup)(struct scene *scene);
	int (*run)(struct scene *scene);
	void (*done)(struct scene *scene);
	bool never_fails;
	bool renew;
};

/* Fails each allocation in turn, or skips the test where the kernel cannot do that. */
void trial_run(const struct trial *trial);

#endif /* TRIAL_H */

/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * torture.h - what the processes of snapmap-torture share
 */
#ifndef TORTURE_H
#define TORTURE_H

#include "readers.h"

#define MAP_NAME   "snapmap-torture"
#define CHURN_NAME "snapmap-torture-churn"
#define LIMIT	   (24 * MIB)
#define ACTORS_MAX 8

/**
 * struct options - the command line
 * @seconds: how long
 * @readers: user processes that read, at most READERS_MAX
 * @kernel_readers: threads of a test module that read
 * @writers: processes that write
 * @broken: a rule of kmod/broken.h to switch off, NULL for none
 * @seed: of all chance
 */
struct options {
	unsigned int seconds;
	unsigned int readers;
	unsigned int kernel_readers;
	unsigned int writers;
	const char *broken;
	u64 seed;
};

/**
 * struct deeds - what all processes but the readers have done; in shared memory
 * @commits: that were made
 * @conflicts: that another writer was faster than
 * @refused: for lack of memory or for the limit
 * @churned: maps that were created, used and destroyed
 * @squeezed: MiB that were taken from the system for a while
 * @error: first errno that nobody expects, 0 for none
 * @where: what it came from
 */
struct deeds {
	_Atomic u64 commits;
	_Atomic u64 conflicts;
	_Atomic u64 refused;
	_Atomic u64 churned;
	_Atomic u64 squeezed;
	_Atomic int error;
	char where[64];
};

/**
 * struct actor - a process that is seen from within
 * @stage: shared with the readers
 * @deeds: shared
 * @rng: its chance
 */
struct actor {
	struct stage *stage;
	struct deeds *deeds;
	u64 rng;
};

typedef void (*actor_fn)(struct actor *actor);

/* actors.c */
void actor_write(struct actor *actor);	 /* commits of all sizes, some with failing allocations */
void actor_churn(struct actor *actor);	 /* creates and destroys a map under a pin */
void actor_squeeze(struct actor *actor); /* takes the system's memory away */
pid_t actor_start(const struct actor *like, actor_fn run);

/* kernel.c: the test module's part; all return false when there is none */
bool kernel_break(const char *name);
bool kernel_read(const char *map, unsigned int threads);
bool kernel_read_end(u64 *lookups, u64 *faults, char fault[64]);
void kernel_print_ages(void);
void kernel_quarantine(unsigned int ms, unsigned int commits);
bool kernel_fail_allocations(unsigned int percent);

#endif /* TORTURE_H */

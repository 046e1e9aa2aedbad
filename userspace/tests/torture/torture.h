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
#define KEPT_NAME  "snapmap-torture-kept"
#define PAIR_NAME  "snapmap-torture-pair"
#define KEPT_LIMIT (256ULL << 10)
#define ACTORS_MAX 16

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
 * @kept_commits: commits to the map with a history
 * @lost_turns: leases that ended, and waits for them that did; versions that were gone
 * @pins_read: pins that showed what they must
 * @pins_stale: pins that had been revoked
 * @pairs: sets of pins that showed one transaction on both maps
 * @replayed: steps of a watcher whose changes led exactly to the next snapshot
 * @error: first errno that nobody expects, 0 for none
 * @where: what it came from
 */
struct deeds {
	_Atomic u64 commits;
	_Atomic u64 conflicts;
	_Atomic u64 refused;
	_Atomic u64 churned;
	_Atomic u64 squeezed;
	_Atomic u64 kept_commits;
	_Atomic u64 lost_turns;
	_Atomic u64 pins_read;
	_Atomic u64 pins_stale;
	_Atomic u64 pairs;
	_Atomic u64 replayed;
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
void actor_error(struct actor *actor, const char *where, int err);
bool actor_goes_on(const struct actor *actor);
bool actor_is_refusal(int err);

/* torture.c: all but what the current snapshot takes, and nobody has a pin or the lease */
bool map_is_given_back(int fd);

/* kept.c */
int kept_set_up(void);
void kept_tear_down(void);
bool kept_is_given_back(void);
void actor_transact(struct actor *actor);  /* all that can become of a transaction */
void actor_roll_back(struct actor *actor); /* to any version that is kept */
void actor_hold(struct actor *actor);	   /* reads old versions and pins that are revoked */
void actor_pin_sets(struct actor *actor);  /* looks at both maps at one moment */
void actor_watch(struct actor *actor);	   /* replays what differs */

/* kernel.c: the test module's part; all return false when there is none */
bool kernel_break(const char *name);
bool kernel_read(const char *map, unsigned int threads);
bool kernel_read_end(u64 *lookups, u64 *faults, char fault[64]);
bool kernel_read_faults(void);	  /* whether its readers have found anything yet */
bool kernel_has_complained(void); /* whether its log tells of a data race of the module's */
void kernel_print_ages(void);
void kernel_quarantine(unsigned int us, unsigned int commits);
void kernel_filter(unsigned int entries);
bool kernel_fail_allocations(unsigned int percent);

#endif /* TORTURE_H */

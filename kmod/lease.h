/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SNAPMAP_LEASE_H
#define SNAPMAP_LEASE_H

#include <linux/types.h>
#include <linux/wait.h>

struct pid;

/**
 * struct snapmap_lease - the right to write to a map, which one writer has at a time
 * @held: bit 0: somebody has it
 * @wait: those who want it
 * @max_ms: the longest time for which a transaction may have it
 * @holder: process whose prepared transaction has it, or NULL; the store's
 *	@pin_lock
 * @expired: transactions that ended because their time was over; written by
 *	who has the lease
 *
 * A mutex will not do: a transaction has it from one system call to another,
 * and it may be taken from it by a timer.
 */
struct snapmap_lease {
	unsigned long held;
	struct wait_queue_head wait;
	u32 max_ms;
	struct pid *holder;
	u64 expired;
};

/**
 * struct snapmap_patience - for how long a writer waits
 * @nowait: not at all
 * @timed: until @until, else for as long as it takes
 * @until: CLOCK_MONOTONIC time, ns
 */
struct snapmap_patience {
	bool nowait;
	bool timed;
	u64 until;
};

struct snapmap_store;

void snapmap_lease_init(struct snapmap_lease *lease);
struct snapmap_patience snapmap_patience_of(u32 flags, u32 wait_ms);
int snapmap_lease_take(struct snapmap_store *store, const struct snapmap_patience *patience);
void snapmap_lease_give(struct snapmap_store *store);
void snapmap_lease_show(struct snapmap_store *store, struct pid *holder);

#endif /* SNAPMAP_LEASE_H */

/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SNAPMAP_RECLAIM_H
#define SNAPMAP_RECLAIM_H

#include "snapshot.h"

/**
 * struct snapmap_retired - the runs that one publication retired
 * @link: in @retired of the store
 * @version: snapshots from this version on do not reach the runs
 * @published_ns: CLOCK_MONOTONIC time of its publication
 * @cookie: the first RCU grace period that begins afterwards
 * @runs: the runs
 */
struct snapmap_retired {
	struct list_head link;
	u64 version;
	u64 published_ns;
	unsigned long cookie;
	struct snapmap_runlist runs;
};

/**
 * enum snapmap_urgency - how long retired runs are kept from reuse
 * @SNAPMAP_RECLAIM_QUARANTINE: until no reader in the kernel is inside, and their
 *	quarantine is over
 * @SNAPMAP_RECLAIM_NOW: wait for readers in the kernel, cut the quarantine short
 */
enum snapmap_urgency {
	SNAPMAP_RECLAIM_QUARANTINE,
	SNAPMAP_RECLAIM_NOW,
};

extern unsigned int snapmap_quarantine_us;
extern unsigned int snapmap_quarantine_commits;

void snapmap_reclaim_queue(struct snapmap_store *store, struct snapmap_retired *retired,
			   struct snapmap_runlist *runs);
bool snapmap_reclaim(struct snapmap_store *store, enum snapmap_urgency urgency);
bool snapmap_reclaim_for(struct snapmap_store *store, int err);
bool snapmap_reclaim_pending(struct snapmap_store *store);
void snapmap_reclaim_discard(struct snapmap_store *store);

#endif /* SNAPMAP_RECLAIM_H */

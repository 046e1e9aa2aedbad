/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * broken.h - deliberate breaks, for tests of the tests
 *
 * A check counts when it has been seen to fail. In a test build a rule of the
 * module can be switched off at run time, and the test that guards the rule
 * must then fail. Everywhere else snapmap_broken() is constant and leaves
 * nothing behind.
 *
 * A test module (SNAPMAP_TEST=y) takes names, separated by commas, in its
 * parameter "broken", native test builds (-DSNAPMAP_TEST) in the environment
 * variable SNAPMAP_BROKEN.
 */
#ifndef SNAPMAP_BROKEN_H
#define SNAPMAP_BROKEN_H

#include <linux/compiler.h>
#include <linux/kernel.h>
#include <linux/types.h>

/**
 * enum snapmap_break - what is broken
 * @SNAPMAP_BREAK_REUSE: retired blocks are reused at once, and nobody is told
 * @SNAPMAP_BREAK_PINS: blocks are reused in spite of pins
 * @SNAPMAP_BREAK_ABORT: an aborted build keeps its blocks
 * @SNAPMAP_BREAK_HALF: a commit that is killed publishes what it has got
 * @SNAPMAP_BREAK_WRITE: a mapping may be made writable
 * @SNAPMAP_BREAK_FLAGS: COMMIT takes flags that it does not know
 * @SNAPMAP_BREAK_STALE: GET answers from the snapshot before the current one
 * @SNAPMAP_BREAK_VERSION: COMMIT does not compare the expected version
 * @SNAPMAP_BREAK_RACE: GET writes without any synchronization
 * @SNAPMAP_BREAK_LIMIT: an arena grows past its limit
 * @SNAPMAP_BREAK_SPLIT: the halves of a split leaf change places
 * @SNAPMAP_BREAK_SEAL: a map that has been destroyed takes commits
 * @SNAPMAP_BREAK_DIFF: a changed leaf that is as large as before is not looked at
 * @SNAPMAP_BREAK_REVOKE: pins are revoked, and their holders are not told
 * @SNAPMAP_BREAK_HISTORY: for any version of the history, the oldest one is found
 * @SNAPMAP_BREAK_LEASE: leases do not end
 * @SNAPMAP_BREAK_SET: maps of a set are published one by one
 * @SNAPMAP_BREAK_STAMP: a stamp need not grow
 * @SNAPMAP_BREAK_SPARE: nothing is kept for the next commit
 * @SNAPMAP_BREAK_UNMAP: mappings keep what has come or gone beneath them
 * @SNAPMAP_BREAK_HELD: memory to which others have references is given back
 * @SNAPMAP_BREAK_INSIDE: readers in the kernel are not waited for
 */
enum snapmap_break {
	SNAPMAP_BREAK_REUSE,
	SNAPMAP_BREAK_PINS,
	SNAPMAP_BREAK_ABORT,
	SNAPMAP_BREAK_HALF,
	SNAPMAP_BREAK_WRITE,
	SNAPMAP_BREAK_FLAGS,
	SNAPMAP_BREAK_STALE,
	SNAPMAP_BREAK_VERSION,
	SNAPMAP_BREAK_RACE,
	SNAPMAP_BREAK_LIMIT,
	SNAPMAP_BREAK_SPLIT,
	SNAPMAP_BREAK_SEAL,
	SNAPMAP_BREAK_DIFF,
	SNAPMAP_BREAK_REVOKE,
	SNAPMAP_BREAK_HISTORY,
	SNAPMAP_BREAK_LEASE,
	SNAPMAP_BREAK_SET,
	SNAPMAP_BREAK_STAMP,
	SNAPMAP_BREAK_SPARE,
	SNAPMAP_BREAK_UNMAP,
	SNAPMAP_BREAK_HELD,
	SNAPMAP_BREAK_INSIDE,
};

extern unsigned long snapmap_raced;	/* what SNAPMAP_BREAK_RACE writes */

#ifdef SNAPMAP_TEST
/* The name by which a break is chosen, NULL behind the last. */
static inline const char *snapmap_break_name(unsigned int which)
{
	static const char *const names[] = {
		[SNAPMAP_BREAK_REUSE] = "reuse",
		[SNAPMAP_BREAK_PINS] = "pins",
		[SNAPMAP_BREAK_ABORT] = "abort",
		[SNAPMAP_BREAK_HALF] = "half",
		[SNAPMAP_BREAK_WRITE] = "write",
		[SNAPMAP_BREAK_FLAGS] = "flags",
		[SNAPMAP_BREAK_STALE] = "stale",
		[SNAPMAP_BREAK_VERSION] = "version",
		[SNAPMAP_BREAK_RACE] = "race",
		[SNAPMAP_BREAK_LIMIT] = "limit",
		[SNAPMAP_BREAK_SPLIT] = "split",
		[SNAPMAP_BREAK_SEAL] = "seal",
		[SNAPMAP_BREAK_DIFF] = "diff",
		[SNAPMAP_BREAK_REVOKE] = "revoke",
		[SNAPMAP_BREAK_HISTORY] = "history",
		[SNAPMAP_BREAK_LEASE] = "lease",
		[SNAPMAP_BREAK_SET] = "set",
		[SNAPMAP_BREAK_STAMP] = "stamp",
		[SNAPMAP_BREAK_SPARE] = "spare",
		[SNAPMAP_BREAK_UNMAP] = "unmap",
		[SNAPMAP_BREAK_HELD] = "held",
		[SNAPMAP_BREAK_INSIDE] = "inside",
	};

	return which < ARRAY_SIZE(names) ? names[which] : NULL;
}

extern unsigned int snapmap_breaks;	/* a bit for each; changed by tests alone */

static inline bool snapmap_broken(enum snapmap_break which)
{
	return READ_ONCE(snapmap_breaks) & (1U << which);
}
#else
static inline bool snapmap_broken(enum snapmap_break which)
{
	return false;
}
#endif

#endif /* SNAPMAP_BROKEN_H */

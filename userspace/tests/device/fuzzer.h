/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * fuzzer.h - a process that does anything that a program can do to maps
 *
 * It draws steps from a seed: ioctls that are right, nearly right or garbage, on
 * descriptors of all kinds; mappings and what can be done to them; threads that
 * change a struct while the kernel reads it. It knows which errno each ioctl
 * may fail with, and what must never succeed.
 */
#ifndef FUZZER_H
#define FUZZER_H

#include "calls.h"

/**
 * struct fuzz_shared - what fuzzing processes tell their parent, in shared memory
 * @why: what has gone wrong, or empty
 * @calls: ioctls made
 * @good: those that succeeded, by their place in calls[]
 * @mapped: mappings made
 */
struct fuzz_shared {
	char why[256];
	u64 calls;
	u64 good[CALLS];
	u64 mapped;
};

#define FDS	 16
#define MAPPINGS 6
#define AREA	 (64 * PAGE) /* memory of a thread: batches, keys, values */

/* An open descriptor. */
struct target {
	int fd;
	u32 kind; /* ON_* */
	int mode; /* O_ACCMODE of it */
};

/* A mapping of a map or a pin. */
struct area {
	u8 *at;
	size_t bytes;
};

/* One process. */
struct session {
	struct fuzz_shared *shared;
	u64 seed;
	struct target target[FDS];
	struct area mapping[MAPPINGS];
	u8 *writable; /* two pages, a third that cannot be reached */
	u8 *readable; /* the first of them once more, but read-only */
	bool threaded;
};

/* One thread of a session. */
struct fuzzer {
	struct session *session;
	u64 rng;
	u8 *area;
};

/* Where a struct lies. */
enum place {
	PLACE_GOOD,
	PLACE_SHARED,	/* other threads write to it meanwhile */
	PLACE_READONLY, /* good for what is not written back */
	PLACE_CUT,	/* its last bytes cannot be reached */
	PLACE_BAD,
};

/* A call under way. */
struct attempt {
	const struct call *call;
	const struct target *target;
	unsigned long request;
	union any_args args;
	enum place place;
};

static inline u64 below(struct fuzzer *fuzzer, u64 bound)
{
	return random_below(&fuzzer->rng, bound);
}

static inline bool one_in(struct fuzzer *fuzzer, u32 n)
{
	return !below(fuzzer, n);
}

/* Ends the process, and says why. */
void give_up(struct session *session, const char *format, ...)
	__attribute__((noreturn, format(printf, 2, 3)));

/* A batch at the beginning of the area; returns its bytes. */
u64 random_batch(struct fuzzer *fuzzer);

/* The name of a map that there may be. */
void random_name(struct fuzzer *fuzzer, u8 *name);

/* Makes a call up for attempt->target; returns where its struct is. */
void *attempt_prepare(struct fuzzer *fuzzer, struct attempt *attempt);

/* Whether it is attempt->call still, if with a struct of another size. */
bool attempt_is_call(const struct attempt *attempt);

/* Gives up when that is no answer to it. */
void attempt_check(struct session *session, const struct attempt *attempt, int ret);

/* Runs in a child; returns its exit status: 0 when nothing has gone wrong. */
int fuzz_session(struct fuzz_shared *shared, u64 seed, u32 steps);

#endif /* FUZZER_H */

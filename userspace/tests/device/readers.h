/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * readers.h - a writer and reader processes that check all they see
 *
 * The writer gives each hot key a new value in each commit. A value consists of
 * the version that it is written by, repeated, and ends in a check sum over
 * version, key and length; so a reader tells torn values, values of different
 * snapshots, and old ones by what it has read alone.
 */
#ifndef READERS_H
#define READERS_H

#include <libsnapmap.h>
#include <stdatomic.h>

#include "device.h"

#define HOT_KEYS    8
#define COLD_KEYS   3000
#define VALUE_WORDS 2600 /* longest value, in 8-byte words */

/* What went wrong, first come. */
enum fault {
	FAULT_NONE,
	FAULT_CALL,	/* a call failed */
	FAULT_MISSING,	/* a key that is always there was not found */
	FAULT_TORN,	/* a value is not of one version */
	FAULT_MIXED,	/* an entry is not of the snapshot that it was found in */
	FAULT_BACKWARD, /* older than what this reader has seen */
	FAULT_STALE,	/* older than a commit that had returned before */
	FAULTS,
};

/**
 * struct tally - what one reader process has done; in shared memory
 * @lookups: look-ups that were checked
 * @pins: snapshots that were pinned
 * @lapped: look-ups discarded for having been overtaken by reclaim
 * @fault: enum fault, the first
 * @detail: two numbers that belong to it
 */
struct tally {
	u64 lookups;
	u64 pins;
	u64 lapped;
	u32 fault;
	u64 detail[2];
};

#define READERS_MAX 8

/**
 * struct stage - shared by all processes of a test
 * @committed: version that the last finished commit returned
 * @stop: readers shall end
 * @tally: one for each reader
 */
struct stage {
	_Atomic u64 committed;
	_Atomic u32 stop;
	struct tally tally[READERS_MAX];
};

/**
 * struct reader - one reader process, seen from within
 * @stage: shared
 * @tally: its own
 * @name: the map's
 * @seen: newest version seen so far
 * @rng: its chance
 */
struct reader {
	struct stage *stage;
	struct tally *tally;
	const char *name;
	u64 seen;
	u64 rng;
};

typedef void (*reader_fn)(struct reader *reader);

struct stage *stage_new(void);
void stage_free(struct stage *stage);

/* readers.c: the kinds of readers; each runs until the stage's stop */
void reader_live(struct reader *reader);   /* snapmap_get() */
void reader_ioctl(struct reader *reader);  /* SNAPMAP_IOC_GET */
void reader_pinned(struct reader *reader); /* pins, by both ways */
void reader_lapped(struct reader *reader); /* lets itself be overtaken in the middle */

pid_t reader_start(struct stage *stage, const char *name, unsigned int number, reader_fn run,
		   u64 seed);
bool stage_is_clean(const struct stage *stage);
void stage_print(const struct stage *stage);

/* writer.c */
struct writer {
	int fd;
	u64 version;
	u64 rng;
	struct batch batch;
};

int writer_init(struct writer *writer, int fd, u64 seed);
int writer_fill(struct writer *writer, u32 flags);
int writer_commit(struct writer *writer);
void writer_exit(struct writer *writer);

/* The value of a key in a version. */
u32 value_make(u64 *words, u32 key, u64 version, u32 count);
bool value_is_whole(const void *value, size_t bytes, u32 key, u64 *version);

#endif /* READERS_H */

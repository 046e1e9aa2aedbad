/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * vm.h - the benchmark of the real device, in a virtual machine
 *
 * Everything here ends the program when it cannot go on: die().
 */
#ifndef BENCH_VM_H
#define BENCH_VM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define VALUE_BYTES  32
#define ROUNDS_MOST  15
#define RUNNERS_MOST 4

struct key {
	uint64_t word[2];
};

void die(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

/**
 * struct scale - how much is measured
 * @emulated: times mean nothing, only ratios are shown
 * @entries: keys of the table
 * @rounds: how often each thing is measured; the median counts
 * @gets: look-ups of a round
 * @keys_committed: keys of a round of commits, in commits of whatever size
 * @stream: commits that are counted
 * @tsv: file to append results to, or NULL
 */
struct scale {
	bool emulated;
	size_t entries;
	unsigned int rounds;
	size_t gets;
	size_t keys_committed;
	size_t stream;
	FILE *tsv;
};

/* ------------------------------------------------------------- keys */

/* Key number @i; those of the table come first, the same number of others follows. */
const struct key *key_at(size_t i);

/* The number of the key that is the @i-th to be asked for: all are, in a random order. */
size_t key_order(size_t i);

void keys_init(size_t entries);
void value_of(size_t key, uint64_t version, uint8_t value[VALUE_BYTES]);

/* ------------------------------------------------------------- figures */

/**
 * struct runner - what measures one thing in one way
 * @name: the way
 * @run: measures once; returns ns for one operation
 * @data: its argument
 */
struct runner {
	const char *name;
	double (*run)(const struct scale *scale, void *data);
	void *data;
};

/**
 * struct task - a thing that is measured in several ways
 * @section: read, commit or load
 * @op: what is done
 * @runners: the ways; the first one is what the others are compared with
 * @count: how many
 */
struct task {
	const char *section;
	const char *op;
	struct runner runners[RUNNERS_MOST];
	size_t count;
};

/* Measures all ways in turns, and that @scale->rounds times; prints the medians. */
void task_run(const struct task *task, const struct scale *scale);

/* A count, which means the same on any machine. */
void print_count(const struct scale *scale, const char *op, const char *what, double count);

double now_ns(void);

/* ------------------------------------------------------------- snapmap */

void device_open_table(size_t entries);
void device_close(void);
double device_get_mapped(const struct scale *scale, void *first_key);
double device_get_ioctl(const struct scale *scale, void *first_key);
double device_commit(const struct scale *scale, void *keys);
double device_load(const struct scale *scale, void *unused);

/* Makes a steady stream of commits of @keys keys and counts what each one takes. */
void device_count(const struct scale *scale, size_t keys);

/* ------------------------------------------------------------- bpf(2) */

/* Returns false, and says why, where it is not allowed. */
bool bpf_open_table(size_t entries);
void bpf_close(void);
double bpf_get(const struct scale *scale, void *first_key);
double bpf_commit(const struct scale *scale, void *keys);
double bpf_load(const struct scale *scale, void *unused);

/* ------------------------------------------------------------- what the kernel does */

/**
 * struct counters - what this thread has made the kernel do
 * @allocations: of objects and of pages
 * @calls: system calls
 */
struct counters {
	uint64_t allocations;
	uint64_t calls;
};

/* Returns false where the kernel has no such events. */
bool counters_open(void);
void counters_close(void);

/* What happens in between is added to @total. */
void counters_begin(void);
void counters_end(struct counters *total);

#endif /* BENCH_VM_H */

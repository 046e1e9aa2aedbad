/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * calls.h - a table of all ioctls, for what is the same for each of them
 *
 * A bench is a map with one key, a descriptor of each kind, another map, and the
 * name of a third one, the victim, for CREATE to make and DESTROY to end.
 */
#ifndef CALLS_H
#define CALLS_H

#include "versions.h"

/* Kinds of descriptors. */
#define ON_CONTROL (1U << 0)
#define ON_MAP	   (1U << 1)
#define ON_PIN	   (1U << 2)
#define ON_TXN	   (1U << 3)

/* Bits of a struct that must be 0: from @first of the member at @offset, up to @end. */
struct zero_bits {
	size_t offset;
	int first;
	int end;
};

/**
 * struct call - an ioctl
 * @name: what to print
 * @request: its number
 * @bytes: size of its struct; 0 when it has none
 * @least: the shortest that says enough
 * @flags: those that its first member knows
 * @on: ON_*: the descriptors that have it
 * @writes: it needs a descriptor that is open for writing, else for reading
 * @zero: members that must be 0
 */
struct call {
	const char *name;
	unsigned long request;
	size_t bytes;
	size_t least;
	u32 flags;
	u32 on;
	bool writes;
	struct zero_bits zero[6];
};

enum {
	CALL_CREATE,
	CALL_DESTROY,
	CALL_INFO,
	CALL_COMMIT,
	CALL_GET,
	CALL_PIN,
	CALL_WAIT,
	CALL_SET,
	CALL_LOG,
	CALL_PINS,
	CALL_PIN_SET,
	CALL_ROLLBACK,
	CALL_TXN,
	CALL_TXN_ADD,
	CALL_TXN_PREPARE,
	CALL_TXN_COMMIT,
	CALL_TXN_INFO,
	CALL_TXN_ABORT,
	CALLS
};

extern const struct call calls[CALLS];

#define for_each_call(call) for ((call) = calls; (call) < calls + CALLS; (call)++)

/* The same without those that take none; TXN_ABORT stands last. */
#define for_each_struct(call) for ((call) = calls; (call)->bytes; (call)++)

union any_args {
	u8 bytes[512];
	u32 flags;
	struct snapmap_create create;
	struct snapmap_destroy destroy;
	struct snapmap_info info;
	struct snapmap_commit commit;
	struct snapmap_get get;
	struct snapmap_pin pin;
	struct snapmap_wait wait;
	struct snapmap_set set;
	struct snapmap_log log;
	struct snapmap_pins pins;
	struct snapmap_pin_set pin_set;
	struct snapmap_rollback rollback;
	struct snapmap_txn txn;
	struct snapmap_txn_add txn_add;
	struct snapmap_txn_run txn_run;
	struct snapmap_txn_info txn_info;
};

/**
 * struct bench - what calls are tried on
 * @map: holds "key", with the value "value", at version 2
 * @control: open for reading and writing
 * @pin: of version 2
 * @txn: a transaction on the map, empty
 * @other: another map
 * @victim: name of the third map
 */
struct bench {
	struct fixture *map;
	int control;
	int pin;
	int txn;
	struct fixture *other;
	char victim[SNAPMAP_NAME_MAX + 1];
};

int bench_setup(void **state);
int bench_teardown(void **state);

#define bench_test(f) cmocka_unit_test_setup_teardown(f, bench_setup, bench_teardown)

/* The descriptor that a call is for. */
int bench_fd(const struct bench *bench, const struct call *call);

/* Arguments with which the call succeeds, in a bench that it makes ready for that. */
void call_prepare(const struct bench *bench, const struct call *call, union any_args *args);

/* Runs a call, and closes what it may have opened. */
int call_run(int fd, unsigned long request, void *args);

/* The number of an ioctl for a struct of another size. */
unsigned long resized(unsigned long request, size_t bytes);

/**
 * struct witness - what a call that is refused leaves as it was
 * @info: of the map
 * @txn: of the transaction
 * @victim: whether the third map exists
 * @next_fd: the lowest descriptor that is free
 */
struct witness {
	struct snapmap_info info;
	struct snapmap_txn_info txn;
	bool victim;
	int next_fd;
};

struct witness bench_look(const struct bench *bench);
void assert_untouched(const struct bench *bench, const struct witness *before);

/* Two pages, and a third that cannot be reached. */
u8 *pages_at_the_edge(void);
void pages_free(u8 *pages);

#define KERNEL_ADDRESS 0xffff888000000000ULL
#define NO_ADDRESS     0x0008000000000000ULL /* not canonical */
#define LAST_ADDRESS   0x00007ffffffff000ULL /* where user space ends */

#endif /* CALLS_H */

/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * snapmap.h - the ioctls of /dev/snapmap/control, /dev/snapmap/NAME and pins
 *
 * The size of an ioctl's struct is part of its number. A caller may pass a
 * shorter struct than the kernel knows (what is missing counts as 0) or a
 * longer one, as long as what the kernel does not know is 0. Members marked
 * "out" are written back, also when the call fails, unless with EFAULT; their
 * values at the call are ignored.
 *
 * What each errno means, whichever call returns it:
 *
 *	EACCES		mmap: a writable or executable mapping was asked for
 *	E2BIG		the struct is longer than the kernel knows and not 0 there
 *	EALREADY	the commit requires that the stamp grows, and it does not: the
 *			source has delivered this or something later before; nothing
 *			has changed; @version says the current version
 *	EBADF		the descriptor is not open for reading (GET, PIN, WAIT, INFO, LOG,
 *			PINS, read) or for writing (COMMIT, ROLLBACK, TXN; CREATE, SET
 *			and DESTROY); so too for the descriptors that PIN_SET and
 *			TXN_ADD are given
 *	EBADFD		a transaction has been prepared and takes no more (write,
 *			TXN_ADD), or has been committed or aborted
 *	EBUSY		a commit: another writer is at work, or has prepared a
 *			transaction, and the caller does not want to wait; nothing has
 *			changed
 *	ECANCELED	a condition of a commit did not hold; nothing has changed;
 *			@version and @failed_op say where
 *	EEXIST		CREATE: a map of that name exists; TXN_ADD: the transaction has
 *			the map already
 *	EFAULT		a pointer leads outside the caller's memory, or to a struct with
 *			"out" members that cannot be written to; nothing has changed,
 *			the struct included (unless another thread has unmapped
 *			the struct during the call)
 *	EFBIG		write to a transaction: no file can be as large
 *	EINTR		a signal ended the call (WAIT, read; while it waited for another
 *			transaction: COMMIT, ROLLBACK, TXN_PREPARE, TXN_COMMIT; once
 *			such a call builds, only a fatal signal); nothing has changed
 *	EINVAL		an unknown flag, a reserved member that is not 0, a malformed
 *			name, mode, limit, operation, size or time; a version that has not been
 *			published yet; a descriptor that is no map; mmap: private, or
 *			past the span
 *	EMFILE		PIN, PIN_SET, TXN: the process has as many descriptors as it may
 *	EMSGSIZE	a key that is empty or longer than SNAPMAP_KEY_MAX, or a value
 *			longer than SNAPMAP_VALUE_MAX
 *	ENFILE		CREATE: there are as many maps as the module can number; PIN,
 *			PIN_SET, TXN: as many open files as the system allows
 *	ENODEV		the map has been destroyed (CREATE, a commit, opening), or is
 *			being destroyed
 *	ENOENT		GET: no such key; DESTROY, SET: no such map
 *	ENOMEM		the system, or the cgroup that is charged, has no memory
 *	ENOSPC		a commit: the map's memory limit does not hold the new snapshot
 *			and those that are pinned together; CREATE: nor the empty map
 *	ENOTTY		the descriptor has no such ioctl
 *	EOVERFLOW	a commit: too many keys share one 64-bit hash value
 *	ERANGE		GET: the value is larger than the buffer; @value_len says how
 *			large; nothing is copied
 *	ESTALE		PIN, ROLLBACK: the map does not keep that version any more; on
 *			a pin: it has been revoked
 *	ETIME		a transaction (write, TXN_ADD, TXN_PREPARE, TXN_COMMIT, TXN_ABORT):
 *			the lease has ended, and with it the transaction; nothing has changed
 *	ETIMEDOUT	WAIT: the time is over; a commit: another transaction was
 *			prepared for so long; nothing has changed
 *
 * "A commit" is any of COMMIT, ROLLBACK, TXN_PREPARE and TXN_COMMIT.
 */
#ifndef _UAPI_LINUX_SNAPMAP_H
#define _UAPI_LINUX_SNAPMAP_H

#include <linux/ioctl.h>
#include <linux/types.h>
#include <linux/snapmap_layout.h>

/* Bounds of a map's memory limit, in bytes. */
#define SNAPMAP_LIMIT_MIN	(128ULL << 10)
#define SNAPMAP_LIMIT_MAX	(63ULL << 30)

/* Bounds of the number of snapshots that a map keeps, the current one included. */
#define SNAPMAP_HISTORY_MAX	16384U

/* Bounds of the time for which a prepared transaction keeps other writers out, in ms. */
#define SNAPMAP_LEASE_DEFAULT	10000U
#define SNAPMAP_LEASE_MAX	3600000U

/*
 * struct snapmap_create.flags, struct snapmap_set.flags, struct snapmap_info.policy:
 * when a commit does not fit into the limit beside what pins hold back, the
 * oldest pins are revoked. Without the flag the commit fails with ENOSPC.
 */
#define SNAPMAP_MAP_REVOKE	(1U << 0)

/**
 * struct snapmap_create - SNAPMAP_IOC_CREATE, on the control device
 * @flags: SNAPMAP_MAP_*
 * @mode: permission bits of /dev/snapmap/NAME, at most 0777. Reading allows to
 *	read and pin, writing to commit
 * @uid: owner of the node, in the caller's user namespace
 * @gid: group of the node, in the caller's user namespace
 * @limit: the most memory that the map may take, in bytes; 0 for the module's
 *	default_limit. It covers every snapshot that is still needed, but not the
 *	few hundred bytes for each snapshot and each pin that say what it is
 * @history: how many snapshots it keeps for PIN, LOG and ROLLBACK, the current
 *	one included, at most SNAPMAP_HISTORY_MAX; 0 for 1. When a commit would
 *	not fit into the limit otherwise, the oldest go
 * @lease_ms: the longest time for which a prepared transaction may keep other
 *	writers out, at most SNAPMAP_LEASE_MAX; 0 for SNAPMAP_LEASE_DEFAULT
 * @name: 1 to SNAPMAP_NAME_MAX of A-Z a-z 0-9 . _ -, not beginning with a dot
 *	or a dash and not "control"; zero-terminated, zero-filled
 *
 * The cgroup of the caller is charged for all memory of the map.
 */
struct snapmap_create {
	__u32 flags;
	__u32 mode;
	__u32 uid;
	__u32 gid;
	__u64 limit;
	__u32 history;
	__u32 lease_ms;
	__u8 name[SNAPMAP_NAME_MAX + 1];
};

/* struct snapmap_set.mask */
#define SNAPMAP_SET_FLAGS	(1U << 0)
#define SNAPMAP_SET_HISTORY	(1U << 1)
#define SNAPMAP_SET_LEASE	(1U << 2)

/**
 * struct snapmap_set - SNAPMAP_IOC_SET, on the control device
 * @mask: SNAPMAP_SET_*: which members count; the others are 0
 * @flags: SNAPMAP_MAP_*
 * @history: as for CREATE; snapshots that are too many go at once
 * @lease_ms: as for CREATE; transactions that exist keep theirs
 * @name: the map
 */
struct snapmap_set {
	__u32 mask;
	__u32 flags;
	__u32 history;
	__u32 lease_ms;
	__u8 name[SNAPMAP_NAME_MAX + 1];
};

/**
 * struct snapmap_destroy - SNAPMAP_IOC_DESTROY, on the control device
 * @flags: 0
 * @reserved: 0
 * @name: the map
 *
 * The name is free at once. Who has the map open, mapped or pinned keeps its
 * last snapshot, sees SNAPMAP_STATE_DESTROYED and gets POLLHUP.
 */
struct snapmap_destroy {
	__u32 flags;
	__u32 reserved;
	__u8 name[SNAPMAP_NAME_MAX + 1];
};

/**
 * struct snapmap_info - SNAPMAP_IOC_INFO, on a map or a pin
 * @flags: 0
 * @state: out: SNAPMAP_STATE_*
 * @header: out: the map's current snapshot; on a pin, the pinned one
 * @root: out: root word of that snapshot
 * @span: out: bytes that the mapping can ever have
 * @limit: out: memory limit, bytes
 * @resident_bytes: out: memory that the map takes now, bookkeeping included
 * @used_blocks: out: blocks of the current snapshot and of those held back
 * @free_blocks: out: blocks pooled for the next commits
 * @retired_blocks: out: those of @used_blocks that only await reclaim
 * @pinned_blocks: out: those of @retired_blocks that only pins and the history
 *	hold back
 * @pins: out: number of pins
 * @commits: out: commits published
 * @conflicts: out: commits refused with ECANCELED or EALREADY
 * @failures: out: commits that failed with any other errno; not those of which
 *	the struct was refused, or that were killed while they waited their turn
 * @blocks_copied: out: blocks written by all commits published
 * @map_id: out: see struct snapmap_control
 * @name: out: the map's name
 * @policy: out: SNAPMAP_MAP_*
 * @history: out: how many snapshots the map keeps
 * @oldest_kept: out: version of the oldest of them
 * @revoked: out: pins of versions below this one have been revoked; 0 for none
 * @lease_ms: out: the longest lease
 * @writer: out: process whose prepared transaction keeps other writers out; 0
 *	for none, or for one that the caller's pid namespace does not show
 * @expired: out: leases that ended before their transaction did
 */
struct snapmap_info {
	__u32 flags;
	__u32 state;
	struct snapmap_header header;
	__u64 root;
	__u64 span;
	__u64 limit;
	__u64 resident_bytes;
	__u64 used_blocks;
	__u64 free_blocks;
	__u64 retired_blocks;
	__u64 pinned_blocks;
	__u64 pins;
	__u64 commits;
	__u64 conflicts;
	__u64 failures;
	__u64 blocks_copied;
	__u64 map_id;
	__u8 name[SNAPMAP_NAME_MAX + 1];
	__u32 policy;
	__u32 history;
	__u64 oldest_kept;
	__u64 revoked;
	__u32 lease_ms;
	__u32 writer;
	__u64 expired;
};

/* struct snapmap_op.opcode */
#define SNAPMAP_OP_PUT		1
#define SNAPMAP_OP_DELETE	2	/* value_len is 0; an absent key is no error */

/* struct snapmap_op.condition: what must hold just before the operation */
#define SNAPMAP_COND_NONE	0
#define SNAPMAP_COND_ABSENT	1	/* the key is absent */
#define SNAPMAP_COND_PRESENT	2	/* the key is present */
#define SNAPMAP_COND_VERSION	3	/* the key was last written at if_version */

/**
 * struct snapmap_op - one operation of a batch
 * @opcode: SNAPMAP_OP_*
 * @condition: SNAPMAP_COND_*
 * @key_len: bytes of the key, 1 to SNAPMAP_KEY_MAX
 * @value_len: bytes of the value, 0 to SNAPMAP_VALUE_MAX
 * @if_version: for SNAPMAP_COND_VERSION, else 0
 *
 * The key follows, then the value, then padding of any content up to a
 * multiple of 8. A batch is a row of such records, at a multiple of 8.
 * A version that this very commit writes is that of the snapshot to come, so
 * SNAPMAP_COND_VERSION never matches a key that the batch itself has written.
 */
struct snapmap_op {
	__u8 opcode;
	__u8 condition;
	__u16 key_len;
	__u32 value_len;
	__u64 if_version;
};

/* struct snapmap_commit.flags */
/* The batch is the whole new content: only unconditional puts; the last put of a key counts. */
#define SNAPMAP_COMMIT_REPLACE		(1U << 0)
#define SNAPMAP_COMMIT_IF_VERSION	(1U << 1)	/* only if if_version is current */
#define SNAPMAP_COMMIT_STAMP		(1U << 2)	/* set the snapshot's stamp */
/* With SNAPMAP_COMMIT_STAMP: only if the stamp is larger than the current snapshot's. */
#define SNAPMAP_COMMIT_STAMP_GROWS	(1U << 3)
#define SNAPMAP_COMMIT_NOWAIT		(1U << 4)	/* do not wait for another writer */

#define SNAPMAP_NO_OP	(~0ULL)

/**
 * struct snapmap_commit - SNAPMAP_IOC_COMMIT, on a map open for writing
 * @flags: SNAPMAP_COMMIT_*
 * @wait_ms: wait at most so long for transactions that are prepared; 0 for as
 *	long as their leases last
 * @ops: address of the batch, a multiple of 8
 * @ops_bytes: its length, a multiple of 8
 * @if_version: the version that the batch was computed from, with
 *	SNAPMAP_COMMIT_IF_VERSION; else 0
 * @stamp: with SNAPMAP_COMMIT_STAMP; else 0
 * @version: out: the new version; on ECANCELED and EALREADY the current one;
 *	else 0
 * @failed_op: out: index of the first operation that was refused, on ECANCELED,
 *	EINVAL, EMSGSIZE; SNAPMAP_NO_OP when no single operation was at fault
 * @missing: out: deletes that found no key; 0 when the commit failed
 * @blocks_copied: out: blocks that the commit wrote; 0 when it failed
 *
 * Operations apply in order and are seen all at once. A batch without
 * operations publishes a version too.
 */
struct snapmap_commit {
	__u32 flags;
	__u32 wait_ms;
	__u64 ops;
	__u64 ops_bytes;
	__u64 if_version;
	__u64 stamp;
	__u64 version;
	__u64 failed_op;
	__u64 missing;
	__u64 blocks_copied;
};

/**
 * struct snapmap_get - SNAPMAP_IOC_GET, on a map or a pin
 * @flags: 0
 * @key_len: bytes of the key
 * @key: address of the key
 * @value: address of the buffer for the value; may be 0 when @value_len is
 * @value_len: in: bytes of the buffer; out: bytes of the value
 * @reserved: 0
 * @entry_version: out: version that last wrote the entry
 * @version: out: version of the snapshot that was read
 */
struct snapmap_get {
	__u32 flags;
	__u32 key_len;
	__u64 key;
	__u64 value;
	__u32 value_len;
	__u32 reserved;
	__u64 entry_version;
	__u64 version;
};

/**
 * struct snapmap_pin - SNAPMAP_IOC_PIN, on a map
 * @flags: 0
 * @reserved: 0
 * @version: in: a version that the map keeps, or 0 for the current one; out:
 *	what is pinned
 *
 * Return: a descriptor with O_CLOEXEC that keeps the snapshot whole until its
 * last copy is closed, or, under SNAPMAP_MAP_REVOKE, until it is revoked. It can
 * be mapped as the map can.
 */
struct snapmap_pin {
	__u32 flags;
	__u32 reserved;
	__u64 version;
};

/* The most maps that PIN_SET pins, or that a transaction has. */
#define SNAPMAP_SET_MAX	64U

/**
 * struct snapmap_pin_set - SNAPMAP_IOC_PIN_SET, on a map
 * @flags: 0
 * @count: number of maps, 1 to SNAPMAP_SET_MAX
 * @maps: address of @count descriptors (__s32) of maps that are open for reading
 * @pins: address of room for @count descriptors (__s32): out: a pin of the
 *	current snapshot of each map, as PIN returns
 *
 * All are pinned at one moment: of a transaction on several maps the set has
 * all or nothing. When the call fails there are no new descriptors.
 */
struct snapmap_pin_set {
	__u32 flags;
	__u32 count;
	__u64 maps;
	__u64 pins;
};

/**
 * struct snapmap_record - how a snapshot came to be; see LOG
 * @header: its header
 * @puts: operations that wrote an entry
 * @deletes: operations that removed one
 * @blocks_copied: blocks that the commit wrote
 * @rolled_back_to: the version whose content it was given by ROLLBACK; else 0
 * @pid: the process that committed; 0 when the caller's pid namespace does not
 *	show it
 * @uid: its effective user, in the caller's user namespace
 * @reserved: 0
 */
struct snapmap_record {
	struct snapmap_header header;
	__u64 puts;
	__u64 deletes;
	__u64 blocks_copied;
	__u64 rolled_back_to;
	__u32 pid;
	__u32 uid;
	__u64 reserved;
};

/**
 * struct snapmap_log - SNAPMAP_IOC_LOG, on a map
 * @flags: 0
 * @record_size: bytes of the caller's struct snapmap_record: what the kernel
 *	does not know of it is 0, what the caller does not know is left out
 * @count: in: room, in records; out: how many have been filled
 * @reserved: 0
 * @records: address of the room
 * @version: in: the first version wanted; out: that of the first record, which
 *	is later when the map does not keep the first one any more; when there
 *	is none, the version to come
 *
 * One record for each snapshot that the map keeps, in order.
 */
struct snapmap_log {
	__u32 flags;
	__u32 record_size;
	__u32 count;
	__u32 reserved;
	__u64 records;
	__u64 version;
};

/* struct snapmap_pin_record.flags */
#define SNAPMAP_PIN_REVOKED	(1U << 0)

/**
 * struct snapmap_pin_record - an open pin; see PINS
 * @id: a number that no other pin of the map has now
 * @flags: SNAPMAP_PIN_*
 * @version: the version that it pins
 * @age_ns: for how long it has been open
 * @held_bytes: bytes that the map keeps for that version and for no later one;
 *	other pins of the version hold back the same bytes
 * @pid: the process that opened it; 0 when the caller's pid namespace does not
 *	show it
 * @uid: its effective user, in the caller's user namespace
 * @comm: its name, zero-filled
 */
struct snapmap_pin_record {
	__u32 id;
	__u32 flags;
	__u64 version;
	__u64 age_ns;
	__u64 held_bytes;
	__u32 pid;
	__u32 uid;
	__u8 comm[16];
};

/**
 * struct snapmap_pins - SNAPMAP_IOC_PINS, on a map
 * @flags: 0
 * @record_size: bytes of the caller's struct snapmap_pin_record, as for LOG
 * @count: in: room, in records; out: how many have been filled
 * @first: in: the smallest id wanted
 * @records: address of the room
 *
 * One record for each open pin, by growing id. Fewer than there is room for are
 * the last ones; else go on with the last @id and 1.
 */
struct snapmap_pins {
	__u32 flags;
	__u32 record_size;
	__u32 count;
	__u32 first;
	__u64 records;
};

/**
 * struct snapmap_rollback - SNAPMAP_IOC_ROLLBACK, on a map open for writing
 * @flags: SNAPMAP_COMMIT_*, but not SNAPMAP_COMMIT_REPLACE
 * @wait_ms: as for COMMIT
 * @to: a version that the map keeps
 * @if_version: as for COMMIT
 * @stamp: as for COMMIT; without SNAPMAP_COMMIT_STAMP the current one stays
 * @version: out: as for COMMIT
 * @puts: out: entries that were written
 * @deletes: out: entries that were removed
 * @blocks_copied: out: as for COMMIT
 *
 * Publishes a new version whose entries are those of version @to. What is the
 * same in both is shared and not looked at. An entry that differs counts as
 * written by the new version.
 */
struct snapmap_rollback {
	__u32 flags;
	__u32 wait_ms;
	__u64 to;
	__u64 if_version;
	__u64 stamp;
	__u64 version;
	__u64 puts;
	__u64 deletes;
	__u64 blocks_copied;
};

/**
 * struct snapmap_txn - SNAPMAP_IOC_TXN, on a map open for writing
 * @flags: SNAPMAP_COMMIT_*, but not SNAPMAP_COMMIT_NOWAIT; for this map
 * @lease_ms: how long it may keep other writers out once it has begun to
 *	prepare, at most as the map allows; 0 for that
 * @if_version: as for COMMIT
 * @stamp: as for COMMIT
 *
 * Return: a descriptor, with O_CLOEXEC, of a transaction on the map. It is open
 * until it is prepared: write(2) appends to its batch, in pieces of any length.
 * Closing its last copy, or dying, aborts it.
 */
struct snapmap_txn {
	__u32 flags;
	__u32 lease_ms;
	__u64 if_version;
	__u64 stamp;
};

/**
 * struct snapmap_txn_add - SNAPMAP_IOC_TXN_ADD, on an open transaction
 * @flags: as for TXN, for the map that is added
 * @map: descriptor of a map that is open for writing
 * @if_version: likewise
 * @stamp: likewise
 *
 * What is written to the transaction from now on is for this map. The lease
 * must not be longer than the map allows (EINVAL).
 */
struct snapmap_txn_add {
	__u32 flags;
	__s32 map;
	__u64 if_version;
	__u64 stamp;
};

/**
 * struct snapmap_txn_run - SNAPMAP_IOC_TXN_PREPARE and SNAPMAP_IOC_TXN_COMMIT
 * @flags: 0 or SNAPMAP_COMMIT_NOWAIT
 * @wait_ms: as for COMMIT, for all maps together
 * @map: out: index of the map at fault, in the order of TXN and TXN_ADD; 0
 *	when none was
 * @reserved: 0
 * @failed_op: out: as for COMMIT, in the batch of that map
 * @version: out: of TXN_COMMIT the new version of the first map; on ECANCELED
 *	and EALREADY the current one of the map at fault; else 0
 *
 * PREPARE checks everything, takes all memory that is needed and builds the next
 * snapshot of each map, which nobody sees. From then on until the end of the
 * lease, no other commit to these maps is made. When it fails, the transaction
 * is open as before, or, with ETIME, has ended.
 *
 * COMMIT publishes what has been prepared, on all maps at one moment; it fails
 * with ETIME when the lease has ended, with ENODEV when one of the maps has been
 * destroyed, and else not. It prepares what has not been prepared; then nobody
 * can keep the lease from one call to another, and it has no end but one that
 * @lease_ms of TXN has asked for.
 */
struct snapmap_txn_run {
	__u32 flags;
	__u32 wait_ms;
	__u32 map;
	__u32 reserved;
	__u64 failed_op;
	__u64 version;
};

/* struct snapmap_txn_info.state */
#define SNAPMAP_TXN_OPEN	0
#define SNAPMAP_TXN_PREPARED	1
#define SNAPMAP_TXN_COMMITTED	2
#define SNAPMAP_TXN_ABORTED	3
#define SNAPMAP_TXN_EXPIRED	4

/**
 * struct snapmap_txn_info - SNAPMAP_IOC_TXN_INFO, on a transaction
 * @flags: 0
 * @map: in: index of a map
 * @maps: out: number of maps
 * @state: out: SNAPMAP_TXN_*
 * @map_id: out: see struct snapmap_control
 * @bytes: out: length of the batch
 * @version: out: the version that is prepared or has been committed; else 0
 * @puts: out: as in struct snapmap_record; 0 unless @version is set
 * @deletes: out: likewise
 * @missing: out: as for COMMIT; likewise
 * @blocks_copied: out: as for COMMIT; likewise
 * @lease_left_ns: out: while prepared, what is left of the lease; else 0
 */
struct snapmap_txn_info {
	__u32 flags;
	__u32 map;
	__u32 maps;
	__u32 state;
	__u64 map_id;
	__u64 bytes;
	__u64 version;
	__u64 puts;
	__u64 deletes;
	__u64 missing;
	__u64 blocks_copied;
	__u64 lease_left_ns;
};

/**
 * struct snapmap_wait - SNAPMAP_IOC_WAIT, on a map
 * @flags: 0
 * @state: out: SNAPMAP_STATE_*
 * @version: in: return as soon as the map's version differs from this, or the
 *	map is destroyed; out: the current version
 * @timeout_ns: in: wait at most so long; negative: for ever; out: after a signal,
 *	what is left of it
 */
struct snapmap_wait {
	__u32 flags;
	__u32 state;
	__u64 version;
	__s64 timeout_ns;
};

/*
 * read(2) on a map takes 8 bytes or more and gives the current version as a
 * __u64, once for each version that the descriptor has not given yet; it waits
 * for one, or fails with EAGAIN under O_NONBLOCK, and gives 0 bytes when the
 * map is destroyed. poll(2) reports POLLIN when read would not wait, and
 * POLLHUP when the map is destroyed.
 *
 * mmap(2) of a map or a pin takes PROT_READ, MAP_SHARED, and an offset and a
 * length within the span. No page of it gives SIGBUS: what is not populated
 * reads as zeroes, and a fault for which there is no memory is taken again.
 */
#define SNAPMAP_IOC_TYPE	0xB9

#define SNAPMAP_IOC_CREATE	_IOW(SNAPMAP_IOC_TYPE, 0x00, struct snapmap_create)
#define SNAPMAP_IOC_DESTROY	_IOW(SNAPMAP_IOC_TYPE, 0x01, struct snapmap_destroy)
#define SNAPMAP_IOC_SET		_IOW(SNAPMAP_IOC_TYPE, 0x02, struct snapmap_set)

#define SNAPMAP_IOC_INFO	_IOWR(SNAPMAP_IOC_TYPE, 0x10, struct snapmap_info)
#define SNAPMAP_IOC_COMMIT	_IOWR(SNAPMAP_IOC_TYPE, 0x11, struct snapmap_commit)
#define SNAPMAP_IOC_GET		_IOWR(SNAPMAP_IOC_TYPE, 0x12, struct snapmap_get)
#define SNAPMAP_IOC_PIN		_IOWR(SNAPMAP_IOC_TYPE, 0x13, struct snapmap_pin)
#define SNAPMAP_IOC_WAIT	_IOWR(SNAPMAP_IOC_TYPE, 0x14, struct snapmap_wait)
#define SNAPMAP_IOC_LOG		_IOWR(SNAPMAP_IOC_TYPE, 0x15, struct snapmap_log)
#define SNAPMAP_IOC_PINS	_IOWR(SNAPMAP_IOC_TYPE, 0x16, struct snapmap_pins)
#define SNAPMAP_IOC_PIN_SET	_IOW(SNAPMAP_IOC_TYPE, 0x17, struct snapmap_pin_set)
#define SNAPMAP_IOC_ROLLBACK	_IOWR(SNAPMAP_IOC_TYPE, 0x18, struct snapmap_rollback)
#define SNAPMAP_IOC_TXN		_IOW(SNAPMAP_IOC_TYPE, 0x19, struct snapmap_txn)

#define SNAPMAP_IOC_TXN_ADD	_IOW(SNAPMAP_IOC_TYPE, 0x20, struct snapmap_txn_add)
#define SNAPMAP_IOC_TXN_PREPARE	_IOWR(SNAPMAP_IOC_TYPE, 0x21, struct snapmap_txn_run)
#define SNAPMAP_IOC_TXN_COMMIT	_IOWR(SNAPMAP_IOC_TYPE, 0x22, struct snapmap_txn_run)
#define SNAPMAP_IOC_TXN_ABORT	_IO(SNAPMAP_IOC_TYPE, 0x23)
#define SNAPMAP_IOC_TXN_INFO	_IOWR(SNAPMAP_IOC_TYPE, 0x24, struct snapmap_txn_info)

#endif /* _UAPI_LINUX_SNAPMAP_H */

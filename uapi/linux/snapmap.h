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
 *	EBADF		the descriptor is not open for reading (GET, PIN, WAIT, INFO,
 *			read) or for writing (COMMIT; CREATE and DESTROY)
 *	ECANCELED	COMMIT: a condition did not hold; nothing has changed;
 *			@version and @failed_op say where
 *	EEXIST		CREATE: a map of that name exists
 *	EFAULT		a pointer leads outside the caller's memory, or to a struct with
 *			"out" members that cannot be written to; nothing has changed,
 *			the struct included (unless another thread has unmapped
 *			the struct during the call)
 *	EINTR		a signal ended the call (WAIT, read; COMMIT: only a fatal one);
 *			nothing has changed
 *	EINVAL		an unknown flag, a reserved member that is not 0, a malformed
 *			name, mode, limit or operation; mmap: private, or past the span
 *	EMFILE		PIN: the process has as many descriptors as it may have
 *	EMSGSIZE	a key that is empty or longer than SNAPMAP_KEY_MAX, or a value
 *			longer than SNAPMAP_VALUE_MAX
 *	ENFILE		CREATE: there are as many maps as the module can number; PIN:
 *			there are as many open files as the system allows
 *	ENODEV		the map has been destroyed (CREATE, COMMIT, opening), or is
 *			being destroyed
 *	ENOENT		GET: no such key; DESTROY: no such map
 *	ENOMEM		the system, or the cgroup that is charged, has no memory
 *	ENOSPC		COMMIT: the map's memory limit does not hold the old and the
 *			new snapshot together; CREATE: nor the empty map
 *	ENOTTY		the descriptor has no such ioctl
 *	EOVERFLOW	COMMIT: too many keys share one 64-bit hash value
 *	ERANGE		GET: the value is larger than the buffer; @value_len says how
 *			large; nothing is copied
 *	ETIMEDOUT	WAIT: the time is over
 */
#ifndef _UAPI_LINUX_SNAPMAP_H
#define _UAPI_LINUX_SNAPMAP_H

#include <linux/ioctl.h>
#include <linux/types.h>
#include <linux/snapmap_layout.h>

/* Bounds of a map's memory limit, in bytes. */
#define SNAPMAP_LIMIT_MIN	(128ULL << 10)
#define SNAPMAP_LIMIT_MAX	(127ULL << 30)

/**
 * struct snapmap_create - SNAPMAP_IOC_CREATE, on the control device
 * @flags: 0
 * @mode: permission bits of /dev/snapmap/NAME, at most 0777. Reading allows to
 *	read and pin, writing to commit
 * @uid: owner of the node, in the caller's user namespace
 * @gid: group of the node, in the caller's user namespace
 * @limit: the most memory that the map may take, in bytes; 0 for the module's
 *	default_limit. It covers every snapshot that is still needed
 * @reserved: 0
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
	__u64 reserved;
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
 * @pinned_blocks: out: those of @retired_blocks that only pins hold back
 * @pins: out: number of pins
 * @commits: out: commits published
 * @conflicts: out: commits refused with ECANCELED
 * @failures: out: commits that failed with any other errno; not those of which
 *	the struct was refused, or that were killed while they waited their turn
 * @blocks_copied: out: blocks written by all commits published
 * @map_id: out: see struct snapmap_control
 * @name: out: the map's name
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

#define SNAPMAP_NO_OP	(~0ULL)

/**
 * struct snapmap_commit - SNAPMAP_IOC_COMMIT, on a map open for writing
 * @flags: SNAPMAP_COMMIT_*
 * @reserved: 0
 * @ops: address of the batch, a multiple of 8
 * @ops_bytes: its length, a multiple of 8
 * @if_version: the version that the batch was computed from, with
 *	SNAPMAP_COMMIT_IF_VERSION; else 0
 * @stamp: with SNAPMAP_COMMIT_STAMP; else 0
 * @version: out: the new version; on ECANCELED the current one; else 0
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
	__u32 reserved;
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
 * @version: in: 0 for the current version, no other yet; out: what is pinned
 *
 * Return: a descriptor with O_CLOEXEC that keeps the snapshot whole until its
 * last copy is closed. It can be mapped as the map can.
 */
struct snapmap_pin {
	__u32 flags;
	__u32 reserved;
	__u64 version;
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

#define SNAPMAP_IOC_INFO	_IOWR(SNAPMAP_IOC_TYPE, 0x10, struct snapmap_info)
#define SNAPMAP_IOC_COMMIT	_IOWR(SNAPMAP_IOC_TYPE, 0x11, struct snapmap_commit)
#define SNAPMAP_IOC_GET		_IOWR(SNAPMAP_IOC_TYPE, 0x12, struct snapmap_get)
#define SNAPMAP_IOC_PIN		_IOWR(SNAPMAP_IOC_TYPE, 0x13, struct snapmap_pin)
#define SNAPMAP_IOC_WAIT	_IOWR(SNAPMAP_IOC_TYPE, 0x14, struct snapmap_wait)

#endif /* _UAPI_LINUX_SNAPMAP_H */

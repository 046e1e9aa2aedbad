/* SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-or-later OR MIT */
/*
 * snapshot.pml - reading, publishing, retiring, revoking and reusing, for Spin
 *
 * One writer commits, reclaims and reuses blocks. It is kmod/commit.c,
 * snapshot.c, history.c and reclaim.c without the table: a version has one leaf,
 * of one block and two words, and a commit either writes a new leaf or leaves it
 * as it is, as a commit to another leaf would. Readers are of three kinds: live
 * (userspace/lib/barrier.h and get.c), in the kernel under RCU, and pinned, of
 * any version that the HISTORY keeps. Only those are compiled in that the
 * switches LIVE, KERNEL and PINS=n ask for: a reader writes nothing that another
 * reader reads. Under REVOKE, pins go when there is no room; they are read
 * through a mapping, or by GET if GETS is set.
 *
 * Quarantine is a choice: the writer may wait, or not. What is proved holds
 * however short it is.
 *
 * SWITCHES take one protection out each, with the same names in models/check.
 */
#ifndef BUILDS
#define BUILDS		3	/* builds that the writer begins; some are aborted */
#endif
#ifndef BLOCKS
#define BLOCKS		2
#endif
#ifndef ROUNDS
#define ROUNDS		2	/* look-ups of a reader */
#endif
#ifndef PINS
#define PINS		0
#endif

#ifndef HISTORY
#define HISTORY		1	/* snapshots that the history keeps */
#endif

#define VERSIONS	(BUILDS + 2)
#ifdef REVOKE
#define WORDS		7
#define GRACES		(2 * VERSIONS)
#define STORES		(LOCATIONS + 7 * BUILDS)
#elif defined(DIRECTORY)
#define WORDS		7
#define GRACES		VERSIONS
#define grace_done	grace_over_for
#define STORES		(LOCATIONS + 8 * BUILDS)
#else
#define WORDS		6
#define GRACES		VERSIONS
#define grace_done	grace_over_for
#define STORES		(LOCATIONS + 6 * BUILDS)
#endif
#define LOCATIONS	(WORDS + 2 * BLOCKS)

/* Locations. */
#define VERSION		0
#define OLDEST		1
#define ROOT0		2	/* and the root in the other slot */
#define HEADER0		4
#define REVOKED		6
#define ENTERED		6	/* the leaf's slot in the directory */
#define CLOSED		BLOCKS	/* what it holds when it tells nothing */
#define WORD(b, i)	(WORDS + 2 * (b) + (i))

#ifdef ONE_SLOT
#define SLOT(v)		0
#else
#define SLOT(v)		((v) & 1)
#endif

#include "memory.pml"

/* What the kernel knows. A version's root is the number of its leaf's block. */
byte store_version = 1;
byte store_block;
byte unlocked;		/* stores before pin_lock was last released by the writer */

/* What a reader must get: the leaf of each version is the number of its build. */
byte content[VERSIONS];

/* Commits that have returned, as somebody may tell a reader. */
byte returned = 1;
byte returned_known;

#if HISTORY > 1 || defined(REVOKE)
#define ROOM
#endif

#include "reclaim.pml"

/* ------------------------------------------------------------ the writer: commit */

inline write_slot(v, b)
{
#ifndef NO_SLOT_WMB
	smp_wmb();
#endif
	store(HEADER0 + SLOT(v), v);
#ifdef NO_ROOT_RELEASE
	store(ROOT0 + SLOT(v), b);
#else
	store_release(ROOT0 + SLOT(v), b);
#endif
#ifdef NO_VERSION_RELEASE
	store(VERSION, v)
#else
	store_release(VERSION, v)
#endif
}

inline tell(v)
{
	d_step {
		returned = v;
		returned_known = stored
	}
}

/* The commit of what the build has written: a new leaf in block b, or none. */
inline publish()
{
#ifdef RETURN_EARLY
	tell(store_version + 1);
#endif
#ifdef GRACE_EARLY
	begin_grace();
#endif
	atomic {	/* under pin_lock */
		old = store_block;
		store_version++;
		content[store_version] = content[store_version - 1];
		if
		:: b < BLOCKS ->
			content[store_version] = build;
			birth[b] = store_version;
			store_block = b
		:: else
		fi;
#if defined(DIRECTORY) && !defined(NO_CLOSE)
		if
		:: b < BLOCKS -> store(ENTERED, CLOSED)
		:: else
		fi;
#endif
		write_slot(store_version, store_block);
#ifdef DIRECTORY
		if
		:: b < BLOCKS ->
#ifndef NO_OPEN_WMB
			smp_wmb();
#endif
			store(ENTERED, b)
		:: else
		fi;
#endif
#if PINS
		history_push();
#endif
		unlocked = stored
	}
	d_step {	/* snapmap_reclaim_queue() */
		if
		:: b < BLOCKS ->
			state[old] = RETIRED;
			retired_by[old] = store_version
		:: else
		fi;
		old = 0
	}
#ifndef GRACE_EARLY
	begin_grace();
#endif
#ifdef REVOKE
	grace_of[store_version] = grace_begun;
#endif
#ifndef RETURN_EARLY
	tell(store_version)
#endif
}

/* A new leaf in any free block b, or none: b = BLOCKS. */
inline write_leaf()
{
	atomic {
		b = 0;
		do
		:: b < BLOCKS && state[b] == FREE ->
			break
		:: b < BLOCKS ->
			b++
		:: b == BLOCKS ->
			break
		od;
		if
		:: b < BLOCKS ->
			state[b] = USED;
			store(WORD(b, 0), build);
			store(WORD(b, 1), build)
		:: else
		fi;
#ifdef OLDEST_LATE
		store(OLDEST, grace_over_for);
#endif
		skip
	}
}

proctype writer()
{
	byte build = 1;
	byte b, old, i, p, q;

	do
	:: build <= BUILDS ->
		build++;
		reclaim();
#ifdef ROOM
		make_room();
#endif
		write_leaf();
		if
		:: publish()
#ifndef NO_ABORT	/* no protection; it saves states where more builds are wanted */
		:: b < BLOCKS ->	/* snapmap_build_abort() */
			state[b] = FREE
#endif
		fi;
		b = 0
	:: build > BUILDS ->
		break
	od
}

/* ------------------------------------------------------------ readers */

/* Steps 1 to 3, with the root of the version or, for what = HEADER0, its header. */
inline begin(what)
{
	do
	:: true ->
#ifdef NO_VERSION_ACQUIRE
		load(VERSION, v);
#else
		load_acquire(VERSION, v);
#endif
#ifdef NO_ROOT_ACQUIRE
		load(what + SLOT(v), got);
#else
		if
		:: what == ROOT0 ->
			load_acquire(what + SLOT(v), got)
		:: else ->
			load(what + SLOT(v), got)
		fi;
#endif
#ifdef NO_RECHECK
		break
#else
#ifndef NO_RECHECK_BARRIER
		read_barrier();
#endif
		load(VERSION, again);
		if
		:: again == v -> break
		:: else
		fi
#endif
	od
}

/*
 * In any order, for neither load limits the other; and in one step, for what a load
 * can give now it can still give later, when the reader has learnt nothing meanwhile.
 */
inline load_words()
{
	atomic {
		load(WORD(got, 0), w0);
		load(WORD(got, 1), w1)
	}
}

/* Promises A and B: both words are there, and are those of the version. */
#define check_value()	assert(w0 == w1 && w0 == content[v])

/* Somebody may have told the reader that a commit has returned. */
inline hear()
{
	if
	:: true ->
		d_step {
			floor = MAX(floor, returned);
			know(returned_known)
		}
	:: true
	fi
}

/* Promise C. */
inline check_version()
{
	assert(v >= floor);
	floor = v
}

#ifdef LIVE
proctype live()
{
	READER;
	byte round, v, again, got, w0, w1, oldest, floor;

	do
#ifdef LIKELY	/* snapmap_get_live(): version is compared once, behind everything */
	:: round < ROUNDS ->
		round++;
		hear();
		load_acquire(VERSION, v);
#ifdef DIRECTORY
		load(ENTERED, got);
		if
		:: got == CLOSED -> load_acquire(ROOT0 + SLOT(v), got)
		:: else
		fi;
#else
		load_acquire(ROOT0 + SLOT(v), got);
#endif
		load_words();
#ifndef NO_READER_BARRIER
		read_barrier();
#endif
		load(VERSION, again);
		if
#ifdef NO_RECHECK
		:: true ->
#else
		:: again == v ->
#endif
			check_value();
			check_version()
		:: else ->	/* overtaken */
#ifdef REACH_OVERTAKEN
			assert(w0 == w1 && w0 == content[v]);
#endif
			skip
		fi;
		d_step { v = 0; again = 0; got = 0; w0 = 0; w1 = 0 }
#else
	:: round < ROUNDS ->
		round++;
		hear();
		do
		:: begin(ROOT0);
			load_words();
#ifndef NO_READER_BARRIER
			read_barrier();
#endif
			load(OLDEST, oldest);
			if
#ifdef NO_OLDEST_CHECK
			:: true ->
#else
			:: oldest <= v ->
#endif
				break
			:: else ->	/* overtaken */
#ifdef REACH_OVERTAKEN
				assert(w0 == w1 && w0 == content[v]);
#endif
				skip
			fi
		od;
		check_value();
		check_version();
		d_step { v = 0; again = 0; got = 0; w0 = 0; w1 = 0; oldest = 0 }
#endif
	:: round < ROUNDS ->	/* snapmap_header() */
		round++;
		hear();
		begin(HEADER0);
		assert(got == v);
		check_version();
		d_step { v = 0; again = 0; got = 0 }
	:: round == ROUNDS ->
		break
	od
}
#endif

#ifdef KERNEL
proctype kernel()
{
	READER;
	byte round, v, again, got, w0, w1, floor;

	do
	:: round < ROUNDS ->
		round++;
		hear();
		enter_section();
		begin(ROOT0);
		load_words();
		check_value();
		check_version();
#ifdef REACH_GRACE
		assert(state[got] != RETIRED);
#endif
		leave_section();
		d_step { v = 0; again = 0; got = 0; w0 = 0; w1 = 0 }
	:: round == ROUNDS ->
		break
	od
}
#endif

#if PINS
/* What is read of a pin counts when it has not been revoked, before or behind. */
inline read_pin()
{
#ifdef GETS	/* ioctl_get() of a pin */
#ifdef REVOKED_BEFORE
	load(REVOKED, revoked);
	enter_section();
#else
	enter_section();
#ifdef REVOKE
	load(REVOKED, revoked);
#endif
#endif
	if
	:: revoked <= v ->
		load_words();
		check_value()
	:: else
	fi;
	leave_section()
#else
#ifdef REVOKE	/* snapmap_pin_check() */
	load_words();
#ifndef NO_PIN_BARRIER
	read_barrier();
#endif
	load(REVOKED, revoked);
	if
#ifdef NO_REVOKED_CHECK
	:: true ->
#else
	:: revoked <= v ->
#endif
		check_value()
	:: else ->
#ifdef REACH_REVOKED
		check_value();
#endif
		skip
	fi
#else
	atomic {
		load_words();
		check_value()
	}
#endif
#endif
}

/* A version that the history keeps, and its root. */
inline find_version()
{
	v = store_version;
	do
	:: v > kept ->
		v--
	:: true ->
		break
	od;
	got = root_of[v];
	know(unlocked)
}

proctype pinned()
{
	READER;
	byte v, got, w0, w1, revoked;

#ifdef PIN_UNLOCKED
	atomic { find_version() }
#endif
	atomic {	/* snapmap_snapshot_pin() */
#ifndef PIN_UNLOCKED
		find_version();
#endif
		users[v]++
	}
	read_pin();
#ifdef REACH_HELD
	assert(state[got] != HELD + v);
#endif
	atomic {
		users[v]--;	/* snapmap_snapshot_unpin() */
		d_step {	/* the end: nothing of it matters any more */
			v = 0; got = 0; w0 = 0; w1 = 0; revoked = 0; known = 0; pending = 0;
			do
			:: at < LOCATIONS ->
				seen[at] = 0;
				at++
			:: else ->
				break
			od;
			at = 0
		}
	}
}
#endif

/* ------------------------------------------------------------ the beginning */

init
{
	byte i;

	atomic {
		d_step {	/* version 1: block 0, of build 1 */
			do
			:: i < LOCATIONS ->
				log_loc[i] = i;
				i++
			:: else ->
				break
			od;
			log_val[VERSION] = 1;
			log_val[OLDEST] = 1;
			log_val[ROOT0 + SLOT(1)] = 0;
			log_val[HEADER0 + SLOT(1)] = 1;
			log_val[WORD(0, 0)] = 1;
			log_val[WORD(0, 1)] = 1;
			stored = LOCATIONS;
			fenced = LOCATIONS;
			unlocked = LOCATIONS;
			returned_known = LOCATIONS;
			grace_known[1] = LOCATIONS;
			content[1] = 1;
			state[0] = USED;
			birth[0] = 1;
#if PINS
			listed[1] = true;
			users[1] = HISTORY_USER
#endif
		}
		run writer();
#ifdef LIVE
		run live();
#endif
#ifdef KERNEL
		run kernel();
#endif
#if PINS
		i = 0;
		do
		:: i < PINS ->
			run pinned();
			i++
		:: else ->
			break
		od
#endif
	}
}

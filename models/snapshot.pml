/* SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-or-later OR MIT */
/*
 * snapshot.pml - reading, publishing, retiring and reusing, for Spin
 *
 * One writer commits, reclaims and reuses blocks. It is kmod/commit.c,
 * snapshot.c and reclaim.c without the table: a version has one leaf, of one
 * block and two words, and a commit either writes a new leaf or leaves it as it
 * is, as a commit to another leaf would. Readers are of three kinds: live
 * (userspace/lib/barrier.h and get.c), in the kernel under RCU, and pinned. Only
 * those are compiled in that the switches LIVE, KERNEL and PINS=n ask for: a
 * reader writes nothing that another reader reads.
 *
 * MEMORY is weak, and every reordering is explicit. All stores stand in one log,
 * in the order in which the writer executes them, for it is the only one that
 * stores. A load takes any store to its location, however old, unless the reader
 * must know of a newer one. It must know of
 *
 *	- all stores before known, which only acquires, read barriers, locks and
 *	  RCU move on;
 *	- for each location the store that it has read itself (seen).
 *
 * A store carries, as log_rel, how much of the log one must know of who has read
 * it and then executes a barrier: all before it when it is a store-release, all
 * before the last smp_wmb() when it is plain. That is how C11 defines fences,
 * and no weaker than what the kernel's model asks of the hardware. So a reader
 * without a barrier may load oldest before, or the words of a block after, they
 * have changed; a writer without one may have the stores seen in any order.
 *
 * So a store that is made takes no choice from a reader, and a row of them may be
 * one step: nothing is lost by not loading between them.
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

#define VERSIONS	(BUILDS + 2)
#define LOCATIONS	(6 + 2 * BLOCKS)
#define STORES		(LOCATIONS + 6 * BUILDS)

/* Locations. */
#define VERSION		0
#define OLDEST		1
#define ROOT0		2	/* and the root in the other slot */
#define HEADER0		4
#define WORD(b, i)	(6 + 2 * (b) + (i))

#ifdef ONE_SLOT
#define SLOT(v)		0
#else
#define SLOT(v)		((v) & 1)
#endif

#define MAX(a, b)	((a) > (b) -> (a) : (b))

/* Memory. */
byte log_loc[STORES];
byte log_val[STORES];
byte log_rel[STORES];
byte stored;		/* stores made */
byte fenced;		/* those before the writer's last smp_wmb() */

/* What the kernel knows. A version's root is the number of its leaf's block. */
byte store_version = 1;
byte store_block;
byte settled = 1;	/* retired up to this version: reusable, or held by pins */
byte grace_over_for = 1; /* retired up to this version: no reader in the kernel is there */
byte unlocked;		/* stores before pin_lock was last released by the writer */

/* Blocks. */
#define FREE		0
#define USED		1	/* by the current snapshot or the build */
#define RETIRED		2
#define HELD		3	/* and by which pin: HELD + its number */
byte state[BLOCKS];
byte birth[BLOCKS];
byte retired_by[BLOCKS];

/* What a reader must get: the leaf of each version is the number of its build. */
byte content[VERSIONS];

/* Commits that have returned, as somebody may tell a reader. */
byte returned = 1;
byte returned_known;

/* RCU: grace period n is the one that began when version n had been published. */
byte grace_begun = 1;
byte grace_known[VERSIONS];	/* stores before it began */
bool in_section;		/* of the reader in the kernel */
byte section_since;		/* this and earlier grace periods need not wait for it */

/* Pinned snapshots: all pins of a version share one. */
#if PINS
byte pin_list[PINS];		/* oldest first */
byte pin_version[PINS];
byte pin_users[PINS];
#endif
byte pin_count;			/* in the list */

/* ------------------------------------------------------------ memory */

inline store_as(loc, val, rel)
{
	d_step {
		log_rel[stored] = rel;
		log_loc[stored] = loc;
		log_val[stored] = val;
		stored++
	}
}

#define store(loc, val)		store_as(loc, val, fenced)
#define store_release(loc, val)	store_as(loc, val, stored + 1)
#define smp_wmb()		fenced = stored

/* What each reader knows of memory. */
#define READER \
	byte known = LOCATIONS; \
	byte pending = 0; \
	byte seen[LOCATIONS] = 0; \
	byte at = 0

inline load(loc, out)
{
	atomic {
		at = stored - 1;
		do
		:: log_loc[at] == loc ->
			break
		:: log_loc[at] != loc || (at >= known && at > seen[loc]) ->
			at--
		od;
		out = log_val[at];
		seen[loc] = (at >= known -> at : 0);
		pending = MAX(pending, log_rel[at]);
		at = 0
	}
}

/* What is known is not worth remembering: it makes states differ that do not. */
inline know(stores)
{
	d_step {
		known = MAX(known, stores);
		pending = (pending > known -> pending : 0);
		at = 0;
		do
		:: at < LOCATIONS ->
			seen[at] = (seen[at] >= known -> seen[at] : 0);
			at++
		:: else ->
			break
		od;
		at = 0
	}
}

#define read_barrier()	know(pending)

inline load_acquire(loc, out)
{
	atomic {
		load(loc, out);
		if
		:: seen[loc] -> know(log_rel[seen[loc]])
		:: else		/* a store that is known, with all before it */
		fi
	}
}

/* ------------------------------------------------------------ the writer: reclaim */

/* settle_runs(): block i goes to the pin at place p - 1 of the list, or is free. */
inline settle_block(i, p)
{
#if PINS && !defined(NO_PIN_CHECK)
	if
	:: p > 0 && pin_version[pin_list[p - 1]] >= birth[i] ->
		state[i] = HELD + pin_list[p - 1]
	:: else ->
		state[i] = FREE
	fi
#else
	state[i] = FREE
#endif
}

#if PINS
/* What the pin at place p has held goes to the next older pin. */
inline hand_over()
{
	d_step {
		i = 0;
		do
		:: i < BLOCKS && state[i] == HELD + pin_list[p] ->
#ifdef NO_HANDOVER
			state[i] = FREE;
#else
			settle_block(i, p);
#endif
			i++
		:: i < BLOCKS && state[i] != HELD + pin_list[p] ->
			i++
		:: i == BLOCKS ->
			break
		od;
		i = 0
	}
}

/* forget_pin(): the pin at place p may have got users again. */
inline forget_pin()
{
	d_step {
		i = p;
#ifndef NO_USERS_CHECK
		if
		:: pin_users[pin_list[p]] > 0 ->
			i = pin_count
		:: else
		fi;
#endif
		if
		:: i < pin_count ->
			do
			:: i + 1 < pin_count ->
				pin_list[i] = pin_list[i + 1];
				i++
			:: else ->
				break
			od;
			pin_count--
		:: else
		fi;
		i = 0;
		p = 0
	}
}
#endif

/* reap_pins(): as many as the budget lets it. */
inline reap_pins()
{
#if PINS
	do
	:: d_step { pin_count > 0 && pin_users[pin_list[0]] == 0 -> p = 0 };
		hand_over();
		forget_pin()
#if PINS > 1
	:: d_step { pin_count > 1 && pin_users[pin_list[1]] == 0 -> p = 1 };
		hand_over();
		forget_pin()
#endif
	:: true ->
		break
	od
#else
	skip
#endif
}

/* newest_pin_below() and settle_runs() for the runs that version n has retired. */
inline settle_runs(n)
{
	d_step {
		p = pin_count;
#if PINS
		do
		:: p > 0 && pin_version[pin_list[p - 1]] >= n ->
			p--
		:: else ->
			break
		od;
#endif
		i = 0;
		do
		:: i < BLOCKS && state[i] == RETIRED && retired_by[i] == n ->
			settle_block(i, p);
			i++
		:: i < BLOCKS && !(state[i] == RETIRED && retired_by[i] == n) ->
			i++
		:: i == BLOCKS ->
			break
		od;
		i = 0;
		p = 0
	}
}

#ifdef NO_GRACE
#define grace_over(n)	true
#else
#define grace_over(n)	(!in_section || section_since >= n)
#endif

/* A batch that the budget has not lasted for stays, and is looked at again later. */
inline reclaim()
{
	reap_pins();
	do
	:: atomic {
		settled < store_version && (settled < grace_over_for || grace_over(settled + 1)) ->
		if
		:: settled == grace_over_for ->
			grace_over_for++;
#ifndef OLDEST_LATE
			store(OLDEST, grace_over_for);
#endif
#ifndef NO_OLDEST_WMB
			smp_wmb();
#endif
			skip
		:: else
		fi
		}
		if
		:: settle_runs(settled + 1);
			settled++
		:: PINS > 0 ->	/* the budget is used up */
			break
		fi
	:: true ->	/* not ready, or still in quarantine */
		break
	od
}

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

inline begin_grace(v)
{
	d_step {
		grace_begun = v;
		grace_known[v] = stored
	}
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
	begin_grace(store_version + 1);
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
		write_slot(store_version, store_block);
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
	begin_grace(store_version);
#endif
#ifndef RETURN_EARLY
	tell(store_version)
#endif
}

/* A new leaf in a free block b, or none: b = BLOCKS. */
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
	byte b, old, i, p;

	do
	:: build <= BUILDS ->
		build++;
		reclaim();
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
/* rcu_read_lock(): a grace period that has begun and not ended may wait for it. */
inline enter_section()
{
	atomic {
		section_since = grace_over_for;
		do
		:: section_since < grace_begun -> section_since++
		:: break
		od;
		know(grace_known[section_since]);
		in_section = true
	}
}

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
		d_step {
			in_section = false;
			section_since = 0;
			v = 0; again = 0; got = 0; w0 = 0; w1 = 0
		}
	:: round == ROUNDS ->
		break
	od
}
#endif

#if PINS
proctype pinned(byte fresh)
{
	READER;
	byte v, got, w0, w1;

#ifdef PIN_UNLOCKED
	d_step {
		v = store_version;
		got = store_block;
		know(unlocked)
	}
#endif
	atomic {	/* snapmap_snapshot_pin() */
#ifndef PIN_UNLOCKED
		v = store_version;
		got = store_block;
		know(unlocked);
#endif
		if
		:: pin_count > 0 ->
			if
			:: pin_version[pin_list[pin_count - 1]] == v ->
				fresh = pin_list[pin_count - 1]
			:: else
			fi
		:: else
		fi;
		if
		:: pin_count == 0 || pin_list[pin_count - 1] != fresh ->
			pin_version[fresh] = v;
			pin_list[pin_count] = fresh;
			pin_count++
		:: else
		fi;
		pin_users[fresh]++
	}
	atomic {
		load_words();
		check_value();
#ifdef REACH_HELD
		assert(state[got] != HELD + fresh);
#endif
		pin_users[fresh]--;	/* snapmap_snapshot_unpin() */
		d_step {	/* the end: nothing of it matters any more */
			v = 0; got = 0; w0 = 0; w1 = 0; known = 0; pending = 0; fresh = 0;
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
			birth[0] = 1
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
			run pinned(i);
			i++
		:: else ->
			break
		od
#endif
	}
}

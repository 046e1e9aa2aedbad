/* SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-or-later OR MIT */
/*
 * lease.pml - who may write to a map, for Spin
 *
 * A transaction has the lease from PREPARE until it ends: by COMMIT, by ABORT
 * (or its descriptor's end) in another thread, or because its time is over,
 * whatever comes first. WRITERS callers of COMMIT want the lease too, wait for
 * it, and may be interrupted. It is kmod/lease.c and txn.c, over memory that is
 * sequentially consistent but where the comment of a switch says so.
 *
 * What holds: there is one build at a time; what is published was built from the
 * current version; the lease is given back once for each time that it was taken;
 * a caller is told what has happened; and nobody waits for ever.
 *
 * SWITCHES take one protection out each, with the same names in models/check.
 */
#ifndef WRITERS
#define WRITERS		2
#endif

/* The lease, and its queue: a bit for each process. */
bool held;
byte queue;
byte woken;

/* The map. */
byte version = 1;
bool building;		/* a build exists, finished or not */

/* The transaction; its mutex. */
#define OPEN		0
#define PREPARED	1
#define COMMITTED	2
#define ABORTED		3
#define EXPIRED		4
bool locked;
byte state = OPEN;
byte base;		/* of its build */
bool running;		/* the lease's time has begun */
bool due;		/* and is over */
bool published;

inline lock()
{
#ifdef NO_TXN_LOCK
	skip
#else
	atomic { !locked -> locked = true }
#endif
}

#define unlock()	locked = false

/* ------------------------------------------------------------ the lease */

inline try_take(ok)
{
	d_step {
		ok = !held;
		held = true
	}
}

inline leave_queue()
{
	queue = queue & ~me
}

/* snapmap_lease_take(): ok tells whether it was given; a signal may come once. */
inline take(ok)
{
	try_take(ok);
	do
	:: ok ->
		break
	:: !ok ->
		d_step {	/* prepare_to_wait_event() */
			queue = queue | me;
			woken = woken & ~me
		}
		try_take(ok);
		if
		:: ok ->
			leave_queue()
		:: else ->
			if
			:: woken & me
			:: interruptible ->
				leave_queue();
#ifndef SIGNAL_EATS	/* who was woken and then leaves takes the wake-up along */
				try_take(ok);
#endif
				break
			fi
		fi
	od
}

/* wake_up(): the first in the queue, which may be any. */
inline wake()
{
	atomic {
		n = 1;
		do
		:: n <= queue && !(queue & n) -> n = n << 1
		:: n <= queue && (queue & n) -> break
		:: n <= queue / 2 -> n = n << 1
		:: n > queue -> break
		od;
		queue = queue & ~n;
		woken = woken | n;
		n = 0
	}
}

inline give()
{
	assert(held);
#ifdef NO_GIVE_BARRIER	/* the queue may be looked at before the lease is seen as free */
	n = queue;
	held = false;
	if
	:: n -> wake()
	:: else
	fi
#else
	held = false;
	if
	:: queue -> wake()
	:: else
	fi
#endif
}

/* ------------------------------------------------------------ builds */

inline begin_build(from)
{
	d_step {
		assert(!building);
		building = true;
		from = version
	}
}

inline discard()
{
	d_step {
		assert(building);
		building = false
	}
}

inline publish(from)
{
	d_step {
		assert(building && from == version);
		version++;
		building = false
	}
}

/* ------------------------------------------------------------ who commits */

proctype writer(byte me)
{
	bool ok, interruptible = true;
	byte from, n;

	take(ok);
	if
	:: ok ->
		begin_build(from);
		if
		:: publish(from)
		:: discard()	/* it has failed */
		fi;
		give()
	:: else		/* EINTR */
	fi
}

/* ------------------------------------------------------------ the transaction */

/* Under its mutex; the state says that the lease is its own. */
inline end_with(outcome)
{
#ifdef EXPIRY_KEEPS
	discard();
	if
	:: outcome != EXPIRED -> give()
	:: else
	fi;
	state = outcome
#else
#ifdef EXPIRY_FORGETS	/* the lease goes, and the transaction does not know */
	discard();
	give();
	if
	:: outcome != EXPIRED -> state = outcome
	:: else
	fi
#else
#ifdef GIVE_EARLY
	give();
	discard();
	state = outcome
#else
	discard();
	state = outcome;
	give()
#endif
#endif
#endif
}

inline prepare()
{
	take(ok);
	running = true;
	begin_build(base);
	if
	:: due -> end_with(EXPIRED)	/* noticed while it was built */
	:: true -> state = PREPARED
	fi
}

proctype owner(byte me)
{
	bool ok, interruptible = false;
	byte n, result;

	lock();
	if
	:: state == OPEN -> prepare()
	:: else
	fi;
	unlock();
	lock();
	if
#ifdef COMMIT_BLIND
	:: true ->
#else
	:: state == PREPARED ->
#endif
		publish(base);
		published = true;
		state = COMMITTED;
		give()
	:: else
	fi;
	result = state;
	unlock();
	assert(published == (result == COMMITTED))
}

/* Another thread, or the last close. */
proctype aborter()
{
	byte n;

	lock();
	if
	:: state == PREPARED -> end_with(ABORTED)
	:: state == OPEN -> state = ABORTED
	:: else
	fi;
	unlock()
}

proctype timer()
{
	byte n;

	if
	:: running ->
		due = true;
		lock();
		if
		:: state == PREPARED -> end_with(EXPIRED)
		:: else
		fi;
		unlock()
	:: state == ABORTED	/* it has never begun */
	fi
}

init
{
	byte i;

	atomic {
		run owner(1);
		run aborter();
		run timer();
		do
		:: i < WRITERS ->
			i++;
			run writer(1 << i)
		:: else ->
			break
		od
	}
	_nr_pr == 1;
	assert(!held && !building);
#ifdef REACH_COMMITTED
	assert(state != COMMITTED);
#endif
#ifdef REACH_EXPIRED
	assert(state != EXPIRED || version < WRITERS + 1);
#endif
	assert(state == COMMITTED || state == ABORTED || state == EXPIRED)
}

/* SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-or-later OR MIT */
/*
 * set.pml - publishing on two maps at once, for Spin
 *
 * TXNS transactions write to both maps, as one. Beside them, a commit writes to
 * one map, PIN_SET pins both, and one map is destroyed at any time. It is
 * snapmap_snapshot_publish(), snapmap_snapshot_pin_set() and snapmap_store_seal() in
 * kmod/snapshot.c, and the order of leases in txn.c.
 *
 * What holds: a set of pins has all of a transaction or nothing; a map that has been
 * destroyed never changes again; of a transaction on a destroyed map nothing is seen;
 * and nobody waits for ever.
 *
 * SWITCHES take one protection out each, with the same names in models/check.
 */
#ifndef TXNS
#define TXNS		2
#endif

bool set_locked;
bool pin_locked[2];
bool leased[2];

/* A map: its version, which transaction it shows, and whether it has been destroyed. */
byte version[2] = 1;
byte shows[2];
bool sealed[2];
byte last;		/* version of the map that has been destroyed, when it was */

#define spin_lock(l)	atomic { !l -> l = true }
#define spin_unlock(l)	l = false

#ifdef NO_SET_LOCK
#define set_lock()	skip
#define set_unlock()	skip
#else
#define set_lock()	spin_lock(set_locked)
#define set_unlock()	spin_unlock(set_locked)
#endif

/* Waits for the lease; ok is false when the map is destroyed meanwhile. */
inline take(m, ok)
{
	if
	:: atomic { !leased[m] -> leased[m] = true }
		ok = true
	:: sealed[m] ->
		ok = false
	fi
}

#define give(m)		leased[m] = false

/* Under the lease: base was current when the build began. */
inline publish_one(m, base)
{
	spin_lock(pin_locked[m]);
	assert(base == version[m]);
	assert(!sealed[m]);
	version[m] = base + 1;
	shows[m] = me;
	spin_unlock(pin_locked[m])
}

inline publish_both()
{
	set_lock();
	if
	:: sealed[first] || sealed[1 - first]	/* ENODEV */
	:: else ->
		publish_one(first, base_first);
		publish_one(1 - first, base_second)
	fi;
	set_unlock()
}

/* TXN_PREPARE and TXN_COMMIT; given is the order of the maps in the transaction. */
proctype txn(byte me, given)
{
	bool ok;
	byte first, base_first, base_second;

#ifdef ORDER_AS_GIVEN
	first = given;
#endif
	take(first, ok);
	if
	:: ok ->
		base_first = version[first];
		take(1 - first, ok);
		if
		:: ok ->
			base_second = version[1 - first];
#ifdef ONE_BY_ONE
			publish_one(first, base_first);
			publish_one(1 - first, base_second);
#else
			publish_both();
#endif
			give(1 - first)
		:: else
		fi;
		give(first)
	:: else
	fi
}

/* A commit to one map; it leaves what transactions write. */
proctype commit(byte m)
{
	bool ok;
	byte me, base;

	take(m, ok);
	if
	:: ok ->
		base = version[m];
		me = shows[m];
		spin_lock(pin_locked[m]);
		if
		:: !sealed[m] ->
			assert(base == version[m] && me == shows[m]);
			version[m]++
		:: else
		fi;
		spin_unlock(pin_locked[m]);
		give(m)
	:: else
	fi
}

inline pin_one(m, got)
{
	spin_lock(pin_locked[m]);
	got = shows[m];
	spin_unlock(pin_locked[m])
}

/* SNAPMAP_IOC_PIN_SET, with the maps in any order. */
proctype pin_set(byte first)
{
	byte a, b;

#ifndef PIN_ONE_BY_ONE
	set_lock();
#endif
	pin_one(first, a);
	pin_one(1 - first, b);
#ifndef PIN_ONE_BY_ONE
	set_unlock();
#endif
#ifdef REACH_SECOND
	assert(a == 0);
#endif
	assert(a == b)
}

proctype destroy(byte m)
{
#ifndef SEAL_ALONE
	set_lock();
#endif
	spin_lock(pin_locked[m]);
	sealed[m] = true;
	last = version[m];
	spin_unlock(pin_locked[m]);
#ifndef SEAL_ALONE
	set_unlock();
#endif
	skip
}

init
{
	byte i;

	atomic {
		do
		:: i < TXNS ->
			i++;
			run txn(i, i & 1)
		:: else ->
			break
		od;
		run commit(1);
		run pin_set(0);
		run pin_set(1);
		if
		:: run destroy(1)
		:: skip
		fi
	}
	_nr_pr == 1;
	assert(!leased[0] && !leased[1] && !set_locked);
	assert(!sealed[1] || version[1] == last);
	assert(shows[0] == shows[1])
}

/* SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-or-later OR MIT */
/*
 * reclaim.pml - what keeps blocks, and who gets them, for snapshot.pml
 *
 * As in kmod/reclaim.c and history.c. Each version that is in the history or
 * pinned has a node in a list, with a user for the history and one for each pin.
 * A retired block goes to the newest node below the version that retired it,
 * when that reaches it, and is free when not.
 */
#define FREE		0
#define USED		1	/* by the current snapshot or the build */
#define RETIRED		2
#define HELD		3	/* and by whose node: HELD + its version */
byte state[BLOCKS];
byte birth[BLOCKS];
byte retired_by[BLOCKS];

byte settled = 1;	/* retired up to this version: reusable, or held by nodes */
byte grace_over_for = 1; /* retired up to this version: no reader in the kernel is there */

/* The grace period that began when a version had been published. */
#ifdef REVOKE
byte grace_done = 1;
byte grace_of[VERSIONS];
#define GRACE_OF(v)	grace_of[v]
#else
#define GRACE_OF(v)	(v)
#endif

#if PINS
bool listed[VERSIONS];
byte users[VERSIONS];	/* never grows again from 0 */
byte root_of[VERSIONS];
byte kept = 1;		/* the oldest version in the history */

#define dead(v)		(listed[v] && users[v] == 0)

/* The newest node below version n; 0 when there is none. */
inline newest_below(n)
{
	p = n - 1;
	do
	:: p > 0 && !listed[p] ->
		p--
	:: else ->
		break
	od
}
#endif

/* settle_runs(): block i goes to the node of version p, or is free. */
inline settle_block(i)
{
#if PINS && !defined(NO_PIN_CHECK)
	if
	:: p > 0 && p >= birth[i] ->
		state[i] = HELD + p
	:: else ->
		state[i] = FREE
	fi
#else
	state[i] = FREE
#endif
}

#if PINS
/* A node that goes: what it has held goes to the next older one. */
inline drop_node(v)
{
	newest_below(v);
	i = 0;
	do
	:: i < BLOCKS && state[i] == HELD + v ->
#ifdef NO_HANDOVER
		state[i] = FREE;
#else
		settle_block(i);
#endif
		i++
	:: i < BLOCKS && state[i] != HELD + v ->
		i++
	:: i == BLOCKS ->
		break
	od;
	listed[v] = false;
	i = 0;
	p = 0
}
#endif

/* reap(): as many nodes as the budget lets it, in any order. */
inline reap()
{
#if PINS
	do
	:: atomic {
		q = 1;
		do
		:: q < store_version && dead(q) ->
			break
		:: q < store_version ->
			q++
		:: q == store_version ->
			break
		od
	   }
	   d_step {
		if
		:: q < store_version -> drop_node(q)
		:: else
		fi;
		q = 0
	   }
	:: true ->
		break
	od
#else
	skip
#endif
}

/* settle_batch() for the blocks that version n has retired. */
inline settle_batch(n)
{
	d_step {
#if PINS
		newest_below(n);
#endif
		i = 0;
		do
		:: i < BLOCKS && state[i] == RETIRED && retired_by[i] == n ->
			settle_block(i);
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

/* The next batch has outlived its grace period: live readers are told. */
inline pass_grace()
{
	if
	:: settled == grace_over_for ->
		grace_over_for++;
#ifdef REVOKE
		grace_done = MAX(grace_done, GRACE_OF(grace_over_for));
#endif
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

#define next_is_over \
	(settled < grace_over_for || grace_over(GRACE_OF(settled + 1)))

/* A batch that the budget has not lasted for stays, and is looked at again later. */
inline reclaim()
{
	reap();
	do
	:: atomic {
		settled < store_version && next_is_over;
		pass_grace()
		}
		if
		:: settle_batch(settled + 1);
			settled++
		:: PINS > 0 ->	/* the budget is used up */
			break
		fi
	:: true ->	/* not ready, or still in quarantine */
		break
	od
}

/* The first free block, or BLOCKS. */
inline find_free()
{
	b = 0;
	do
	:: b < BLOCKS && state[b] != FREE ->
		b++
	:: else ->
		break
	od
}

#if PINS
/* The oldest node that has users, or is dead as drop says; at most the current one. */
inline oldest_node(drop)
{
	q = 1;
	do
	:: q < store_version && !(listed[q] && (users[q] == 0) == drop) ->
		q++
	:: else ->
		break
	od
}

#ifdef NO_HISTORY_USER
#define HISTORY_USER	0
#else
#define HISTORY_USER	1
#endif

/* Under pin_lock, as are pins of it. */
inline shorten()
{
	d_step {
		users[kept] = users[kept] - HISTORY_USER;
		kept++
	}
}

inline history_push()
{
	if
	:: store_version - kept == HISTORY -> shorten()
	:: else
	fi;
	listed[store_version] = true;
	users[store_version] = HISTORY_USER;
	root_of[store_version] = store_block
}

#ifdef REVOKE
/*
 * snapmap_snapshot_revoke_oldest(): who maps a pin of version q, or is in the
 * kernel with it, is told, before a block of it is written to.
 */
inline revoke()
{
#ifndef REVOKED_LATE
	store(REVOKED, q + 1);
#endif
#ifndef NO_REVOKE_GRACE
	begin_grace();
	atomic {
		grace_over(grace_begun);
		grace_done = grace_begun
	}
#endif
#ifndef NO_REVOKED_WMB
	smp_wmb();
#endif
	d_step {
		drop_node(q)
	}
}
#endif

/* Room for a block: what is retired, then the history, then what is pinned. */
inline make_room()
{
	do
	:: atomic {
		find_free();
		if
		:: b < BLOCKS ->
			b = 0;
			break
		:: else
		fi;
		b = 0;
		if
		:: settled < store_version ->
			next_is_over;
			pass_grace();
			settle_batch(settled + 1);
			settled++
		:: else ->
			oldest_node(true);
			if
			:: q < store_version ->
				d_step { drop_node(q); q = 0 }
			:: q == store_version && kept < store_version ->
				q = 0;
				shorten()
			:: else ->
				oldest_node(false);
				if
				:: q == store_version ->
					q = 0;
					break
				:: else
				fi;
#ifdef REVOKE
				revoke();
				q = 0
#else
				q = 0;
				break
#endif
			fi
		fi
	   }
	od
}
#endif

/* SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-or-later OR MIT */
/*
 * inside.pml - whether a reader in the kernel is inside, for Spin
 *
 * Readers count themselves (snapmap_store_read_lock() in kmod/snapshot.h), and
 * reclaim sums up (anyone_inside() in kmod/reclaim.c). A version has a block of two
 * words; the one before the current version's is written anew by the next commit,
 * at once when the sums are equal, and else behind a grace period of RCU.
 *
 * Here everybody stores, and memory.pml has one who does. So memory is one array
 * that all see alike, as that of x86, ARMv8 and RISC-V is, and what is weak is the
 * order in which each executes its own steps: any that the barriers, the
 * addresses and the conditions leave open. A store that waits in its CPU's buffer
 * is one that is executed behind later loads.
 *
 * A reader may be moved to another CPU between its steps. An increment is one step,
 * for nobody else writes to a CPU's counter.
 *
 * SWITCHES take one protection out each, with the same names in models/check.
 */
#ifndef COMMITS
#define COMMITS		3
#endif
#ifndef ROUNDS
#define ROUNDS		2	/* look-ups of a reader */
#endif
#define READERS		2
#define CPUS		2

/* Memory. */
byte version = 1;
byte word[4] = 1;	/* two of each block: the number of its version */
byte entered[CPUS];
byte left[CPUS];

#define WORD(v, i)	word[2 * ((v) & 1) + (i)]

/* RCU: that it works is not what is asked here. */
byte section[READERS];	/* odd: in a section */

/* ------------------------------------------------------------ readers */

#ifdef NO_ENTER_BARRIER
#define entered_first	true
#else
#define entered_first	counted
#endif

#ifdef NO_LEAVE_BARRIER
#define all_read	true
#else
#define all_read	(counted && loaded && have[0] && have[1])
#endif

proctype reader(byte me)
{
	byte round, v, cpu;
	byte got[2];
	bool counted, loaded, gone;
	bool have[2];

	do
	:: round < ROUNDS ->
		round++;
		section[me]++;
		do
		:: !counted ->
			atomic {
				if
				:: cpu = 0
				:: cpu = 1
				fi;
				entered[cpu]++;
				counted = true;
				cpu = 0
			}
		:: entered_first && !loaded ->
			atomic { v = version; loaded = true }
		:: loaded && !have[0] ->
			atomic { got[0] = WORD(v, 0); have[0] = true }
		:: loaded && !have[1] ->
			atomic { got[1] = WORD(v, 1); have[1] = true }
		:: all_read && !gone ->
			atomic {
				if
				:: cpu = 0
				:: cpu = 1
				fi;
				left[cpu]++;
				gone = true;
				cpu = 0
			}
		:: counted && loaded && have[0] && have[1] && gone ->
			break
		od;
		atomic {
			section[me]++;
			assert(got[0] == v && got[1] == v);	/* promises A and B */
			counted = false; loaded = false; gone = false;
			have[0] = false; have[1] = false;
			got[0] = 0; got[1] = 0; v = 0
		}
	:: round == ROUNDS ->
		break
	od
}

/* ------------------------------------------------------------ the writer */

#ifdef NO_PUBLISH_BARRIER
#define published_first	true
#else
#define published_first	published
#endif

/* One sum behind the other, or both at once. */
#ifdef SUMS_REVERSED
#define may_sum_left	(published_first && summed[2] && summed[3])
#define may_sum_entered	published_first
#else
#define may_sum_left	published_first
#ifdef NO_SUM_BARRIER
#define may_sum_entered	published_first
#else
#define may_sum_entered	(published_first && summed[0] && summed[1])
#endif
#endif

#define all_summed	(summed[0] && summed[1] && summed[2] && summed[3])

/* Publishes next, and learns whether somebody is inside. */
inline publish_and_sum()
{
	do
	:: !published ->
		atomic { version = next; published = true }
	:: may_sum_left && !summed[0] ->
		atomic { gone = gone + left[0]; summed[0] = true }
	:: may_sum_left && !summed[1] ->
		atomic { gone = gone + left[1]; summed[1] = true }
	:: may_sum_entered && !summed[2] ->
		atomic { come = come + entered[0]; summed[2] = true }
	:: may_sum_entered && !summed[3] ->
		atomic { come = come + entered[1]; summed[3] = true }
	:: published && all_summed ->
		break
	od
}

/* Waits for the sections that are under way. */
inline wait_for_grace()
{
	atomic { since[0] = section[0]; since[1] = section[1] };
	atomic {
		!(since[0] & 1) || section[0] != since[0];
		!(since[1] & 1) || section[1] != since[1];
		since[0] = 0;
		since[1] = 0
	}
}

proctype writer()
{
	byte next = 2;
	byte come, gone;
	bool published;
	bool summed[4];
	byte since[READERS];

	do
	:: next <= COMMITS + 1 ->
		/* Of blocks that nobody can reach; published by a store-release. */
		if
		:: WORD(next, 0) = next; WORD(next, 1) = next
		:: WORD(next, 1) = next; WORD(next, 0) = next
		fi;
		publish_and_sum();
		if
		:: come == gone ->
#ifdef REACH_NOBODY
			assert(!(section[0] & 1) && !(section[1] & 1));
#endif
			skip
		:: else ->
#ifdef REACH_SOMEBODY
			assert(false);
#endif
#ifndef NO_FALLBACK
			wait_for_grace()
#else
			skip
#endif
		fi;
		atomic {
			next++;
			come = 0; gone = 0; published = false;
			summed[0] = false; summed[1] = false;
			summed[2] = false; summed[3] = false
		}
	:: next > COMMITS + 1 ->
		break
	od
}

init
{
	atomic {
		run writer();
		run reader(0);
		run reader(1)
	}
}

/* SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-or-later OR MIT */
/*
 * memory.pml - weak memory with one writer, and RCU, for Spin
 *
 * Every reordering is explicit. All stores stand in one log, in the order in which
 * the writer executes them, for it is the only one that stores. A load takes any
 * store to its location, however old, unless the reader must know of a newer one.
 * It must know of
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
 * Grace periods are numbered in the order in which they begin. A section of RCU
 * need not be waited for by those that had begun before it.
 *
 * Who includes this defines LOCATIONS, which begin with a store each, STORES, the
 * most that are ever made, and GRACES, more than grace periods ever begin. The
 * writer keeps in grace_done which of them is known to be over.
 */
#define MAX(a, b)	((a) > (b) -> (a) : (b))

/* Memory. */
byte log_loc[STORES];
byte log_val[STORES];
byte log_rel[STORES];
byte stored;		/* stores made */
byte fenced;		/* those before the writer's last smp_wmb() */

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

/* RCU. */
byte grace_begun = 1;
byte grace_known[GRACES];	/* stores before it began */
bool in_section;		/* of the reader in the kernel, of which there is one */
byte section_since;		/* this and earlier grace periods need not wait for it */

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

inline begin_grace()
{
	d_step {
		grace_begun++;
		grace_known[grace_begun] = stored
	}
}

#ifdef NO_GRACE
#define grace_over(n)	true
#else
#define grace_over(n)	(!in_section || section_since >= (n))
#endif

/* rcu_read_lock(): a grace period that has begun and not ended may wait for it. */
inline enter_section()
{
	atomic {
		section_since = grace_done;
		do
		:: section_since < grace_begun -> section_since++
		:: break
		od;
		know(grace_known[section_since]);
		in_section = true
	}
}

inline leave_section()
{
	d_step {
		in_section = false;
		section_since = 0
	}
}

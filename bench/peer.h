/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * peer.h - what every table that takes part can do
 *
 * A peer derives from Reading<itself, K> and has a function
 *
 *	bool get(const K &key, Value &value)
 *
 * which copies the value out. The loops below are instantiated in the peer's own file, so that
 * its get() is inlined there as far as it would be in an application.
 */
#ifndef BENCH_PEER_H
#define BENCH_PEER_H

#include <cstddef>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "clock.h"
#include "keys.h"
#include "workload.h"

struct bench_store;

namespace bench
{

/*
 * Keys to look for, in the order in which they are wanted, so that what is measured is the table
 * and not the fetching of the key. @order has their indexes, for those who know no keys; @id is
 * another for all others.
 */
template <class K> struct Wanted {
	Keys<K> keys;
	std::vector<uint32_t> order;
	uint64_t id = next_id();

	static uint64_t next_id()
	{
		static uint64_t id;

		return ++id;
	}
};

/* One row of look-ups: @count of @wanted from @from on. */
template <class K> struct ReadPlan {
	const Wanted<K> *wanted;
	size_t from;
	size_t count;
	Mode mode;

	const K *keys() const
	{
		return wanted->keys.data() + from;
	}
	const uint32_t *order() const
	{
		return wanted->order.data() + from;
	}
};

struct ReadResult {
	double ns; /* for all, of the thread's CPU time */
	uint64_t hits;
	uint64_t sum; /* of the numbers in the values that were found */
};

struct ReplaceCost {
	double prepare_ns;
	double ns;
};

/* Zero, which the compiler cannot know. */
extern volatile uint64_t run_time_zero;

template <class K> class Peer
{
      public:
	virtual ~Peer() = default;

	/* Once, first of all; @data outlives the peer. */
	virtual void load(const Data<K> &data) = 0;

	virtual ReadResult read(const ReadPlan<K> &plan) = 0;

	/* Whether read() knows that mode. */
	virtual bool reads(Mode mode) const
	{
		return mode != Mode::batched;
	}

	/* False for those that hold no keys, and so cannot miss or be verified. */
	virtual bool is_table() const
	{
		return true;
	}

	/*
	 * Makes one commit of @count changes of as many keys, each the one that its change names;
	 * they do not change which keys there are.
	 */
	virtual void commit(const K *, const Change *, size_t)
	{
		throw std::logic_error("cannot be changed");
	}

	/* Makes @count commits of @size changes each; CPU time in ns. */
	virtual double commits(const K *keys, const Change *changes, size_t size, size_t count)
	{
		double start = cpu_ns();

		for (size_t i = 0; i < count; i++)
			commit(keys + i * size, changes + i * size, size);
		return cpu_ns() - start;
	}

	/* Waits until what commits have left to do later has been done. */
	virtual void settle()
	{
	}

	/* Replaces all entries by new ones; CPU time of getting ready and of doing it. */
	virtual ReplaceCost replace()
	{
		throw std::logic_error("cannot be replaced");
	}

	/* Bytes that the table takes; 0 when it is what malloc() has given. */
	virtual uint64_t bytes()
	{
		return 0;
	}

	/* Whether a key has exactly that value; those who cannot be asked for one key say yes. */
	virtual bool gives(const K &, const Value &)
	{
		return true;
	}

	/* The turn in a key's value. */
	virtual uint64_t turn_of(const K &)
	{
		throw std::logic_error("cannot be read beside a writer");
	}

	/* The module's side of snapmap; nobody else has one. */
	virtual struct bench_store *store()
	{
		return nullptr;
	}

	/* Around a thread's look-ups. */
	virtual void thread_begin()
	{
	}
	virtual void thread_end()
	{
	}
};

template <class Self, class K> class Reading : public Peer<K>
{
      public:
	ReadResult read(const ReadPlan<K> &plan) override
	{
		switch (plan.mode) {
		case Mode::dependent:
			return dependent(plan);
		case Mode::batched:
			return self().batched(plan);
		default:
			return independent(plan);
		}
	}

	bool gives(const K &key, const Value &expected) override
	{
		Value value = {};

		return self().get(key, value) && !memcmp(&value, &expected, sizeof(value));
	}

	uint64_t turn_of(const K &key) override
	{
		Value value = {};
		uint64_t turn;

		self().get(key, value);
		memcpy(&turn, value.rest, sizeof(turn));
		return turn;
	}

	ReadResult batched(const ReadPlan<K> &)
	{
		return {};
	}

      private:
	Self &self()
	{
		return static_cast<Self &>(*this);
	}

	ReadResult independent(const ReadPlan<K> &plan)
	{
		const K *keys = plan.keys();
		Value value = {};
		size_t count = plan.count;
		uint64_t sum = 0, hits = 0;
		double start = cpu_ns();

		for (size_t i = 0; i < count; i++) {
			if (self().get(keys[i], value)) {
				/* All of the copy is wanted, not just the number. */
				asm volatile("" : : "m"(value));
				sum += value.number;
				hits++;
			}
		}
		return { cpu_ns() - start, hits, sum };
	}

	/* The next key is not known before the last value. */
	ReadResult dependent(const ReadPlan<K> &plan)
	{
		uint64_t zero = run_time_zero;
		const K *keys = plan.keys();
		Value value = {};
		size_t count = plan.count;
		uint64_t sum = 0, hits = 0;
		double start = cpu_ns();

		for (size_t i = 0; i < count; i++) {
			if (self().get(keys[i + (value.number & zero)], value)) {
				asm volatile("" : : "m"(value));
				sum += value.number;
				hits++;
			}
		}
		return { cpu_ns() - start, hits, sum };
	}
};

} // namespace bench

#endif /* BENCH_PEER_H */

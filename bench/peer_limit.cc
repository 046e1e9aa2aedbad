// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * peer_limit.cc - what the memory allows: values at known places, fetched by one cache miss, or
 * by two of which the second's place is read by the first
 *
 * There are no keys, and so nothing can be missing. Each entry has a line of 64 bytes.
 */
#include <sys/mman.h>

#include <new>

#include "peers.h"
#include "random.h"

namespace bench
{

namespace
{

constexpr size_t page_lines = 4096 / 64;

struct alignas(64) Line {
	Value value;
	uint64_t line; /* the second miss: where in the same page it is */
};

template <class K, bool two> class Limit : public Peer<K>
{
      public:
	void load(const Data<K> &data) override
	{
		Random random(5);

		lines_.resize((data.size() + page_lines - 1) / page_lines * page_lines);
		for (size_t i = 0; i < lines_.size(); i++) {
			lines_[i].value = data.value(i % data.size());
			lines_[i].line = i / page_lines * page_lines + random.below(page_lines);
		}
	}

	bool is_table() const override
	{
		return false;
	}

	ReadResult read(const ReadPlan<K> &plan) override
	{
		ReadResult result = {};
		uint64_t zero = run_time_zero;
		const uint32_t *order = plan.order();
		Value value = {};
		double start = cpu_ns();

		if (plan.mode == Mode::dependent)
			for (size_t i = 0; i < plan.count; i++)
				fetch(order[i] + (value.number & zero), value, result);
		else
			for (size_t i = 0; i < plan.count; i++)
				fetch(order[i], value, result);
		result.ns = cpu_ns() - start;
		return result;
	}

      private:
	void fetch(uint64_t index, Value &value, ReadResult &result)
	{
		const Line &line = two ? lines_[lines_[index].line] : lines_[index];

		value = line.value;
		asm volatile("" : : "m"(value));
		result.sum += value.number;
		result.hits++;
	}

	std::vector<Line> lines_;
};

} // namespace

template <class K> std::unique_ptr<Peer<K>> make_limit_one()
{
	return std::make_unique<Limit<K, false>>();
}

template <class K> std::unique_ptr<Peer<K>> make_limit_two()
{
	return std::make_unique<Limit<K, true>>();
}

template std::unique_ptr<Peer<Key16>> make_limit_one();
template std::unique_ptr<Peer<KeyText>> make_limit_one();
template std::unique_ptr<Peer<Key16>> make_limit_two();
template std::unique_ptr<Peer<KeyText>> make_limit_two();

} // namespace bench

/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * random.h - a small generator whose numbers are the same everywhere
 */
#ifndef BENCH_RANDOM_H
#define BENCH_RANDOM_H

#include <cstddef>
#include <cstdint>
#include <utility>

namespace bench
{

/* splitmix64 */
class Random
{
      public:
	explicit Random(uint64_t seed) : state_(seed)
	{
	}

	uint64_t next()
	{
		uint64_t x = state_ += 0x9e3779b97f4a7c15;

		x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
		x = (x ^ x >> 27) * 0x94d049bb133111eb;
		return x ^ x >> 31;
	}

	/* Less than @limit. */
	uint64_t below(uint64_t limit)
	{
		return static_cast<uint64_t>((static_cast<unsigned __int128>(next()) * limit) >>
					     64);
	}

	/* From 0 to less than 1. */
	double fraction()
	{
		return static_cast<double>(next() >> 11) * 0x1p-53;
	}

	template <class T> void shuffle(T &items)
	{
		for (size_t i = items.size(); i > 1; i--)
			std::swap(items[i - 1], items[below(i)]);
	}

      private:
	uint64_t state_;
};

} // namespace bench

#endif /* BENCH_RANDOM_H */

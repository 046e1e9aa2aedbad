// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * workload.cc - draws the indexes of the keys that are looked for
 *
 * Zipf with an exponent of 0.99, by rejection from the inverse of a hull of its distribution
 * (Hormann and Derflinger). Rank and place in the table have nothing to do with each other, for
 * the keys are in random order.
 */
#include "workload.h"

#include <algorithm>
#include <cmath>

#include "random.h"

namespace bench
{

namespace
{

constexpr double exponent = 0.99;
constexpr size_t order_min = 1 << 18;
constexpr size_t order_max = 1 << 21;

class Zipf
{
      public:
	explicit Zipf(size_t size) : size_(static_cast<double>(size))
	{
		low_ = integral(1.5) - 1;
		high_ = integral(size_ + 0.5);
	}

	/* From 0 to size - 1. */
	uint32_t draw(Random &random) const
	{
		for (;;) {
			double u = high_ + random.fraction() * (low_ - high_);
			double x = inverse(u);
			double k = std::clamp(std::floor(x + 0.5), 1.0, size_);

			if (u >= integral(k + 0.5) - std::pow(k, -exponent))
				return static_cast<uint32_t>(k) - 1;
		}
	}

      private:
	static double integral(double x)
	{
		return (std::pow(x, 1 - exponent) - 1) / (1 - exponent);
	}

	static double inverse(double y)
	{
		return std::pow(1 + y * (1 - exponent), 1 / (1 - exponent));
	}

	double size_;
	double low_;
	double high_;
};

} // namespace

const char *name_of(Spread spread)
{
	return spread == Spread::uniform ? "uniform" : "zipf";
}

const char *name_of(Op op)
{
	return op == Op::hit ? "hit" : "miss";
}

const char *name_of(Mode mode)
{
	switch (mode) {
	case Mode::independent:
		return "independent";
	case Mode::dependent:
		return "dependent";
	default:
		return "batched";
	}
}

std::vector<uint32_t> make_order(size_t size, Spread spread)
{
	std::vector<uint32_t> order(std::clamp(2 * size, order_min, order_max));
	Random random(size + 7);
	Zipf zipf(size);

	for (uint32_t &index : order)
		index = spread == Spread::zipf ? zipf.draw(random) :
						 static_cast<uint32_t>(random.below(size));
	return order;
}

} // namespace bench

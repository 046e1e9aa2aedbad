/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * rounds.h - measurements of one thing, and all peers measured in turns
 */
#ifndef BENCH_ROUNDS_H
#define BENCH_ROUNDS_H

#include <algorithm>
#include <functional>
#include <string>
#include <vector>

namespace bench
{

/* In the order of the rounds. */
class Spans
{
      public:
	void add(double span)
	{
		all_.push_back(span);
	}
	size_t count() const
	{
		return all_.size();
	}
	double median() const;
	double least() const
	{
		return *std::min_element(all_.begin(), all_.end());
	}
	double most() const
	{
		return *std::max_element(all_.begin(), all_.end());
	}

	/* Round by round. */
	Spans over(const Spans &other) const;

      private:
	std::vector<double> all_;
};

/* A peer's name, and what measures it once. */
struct Runner {
	std::string name;
	std::function<double()> measure;
};

struct Result {
	std::string name;
	Spans spans;
};

/* Each in turn, and that @rounds times, so that whatever disturbs them disturbs all. */
std::vector<Result> take_turns(const std::vector<Runner> &runners, unsigned int rounds);

/* For people: all medians, as multiples of the first one and of Abseil's. */
void print_results(const std::string &title, const std::string &unit,
		   const std::vector<Result> &results);

} // namespace bench

#endif /* BENCH_ROUNDS_H */

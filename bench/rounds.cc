// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#include "rounds.h"

#include <alloca.h>

#include <cstdio>

namespace bench
{

double Spans::median() const
{
	std::vector<double> sorted = all_;
	size_t half = all_.size() / 2;

	std::sort(sorted.begin(), sorted.end());
	return sorted.size() % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

Spans Spans::over(const Spans &other) const
{
	Spans quotients;

	for (size_t i = 0; i < all_.size(); i++)
		quotients.add(all_[i] / other.all_[i]);
	return quotients;
}

/*
 * Where the stack lies decides a little, for its lines may meet others in the first cache and in
 * what the CPU guesses of loads and stores. So it lies elsewhere in each round, for all alike.
 */
static __attribute__((noinline)) double measure_at(const Runner &runner, size_t offset)
{
	volatile char *shift = static_cast<volatile char *>(alloca(offset));

	shift[0] = 0;
	return runner.measure();
}

std::vector<Result> take_turns(const std::vector<Runner> &runners, unsigned int rounds)
{
	std::vector<Result> results;

	for (const Runner &runner : runners)
		results.push_back({ runner.name, {} });
	for (unsigned int round = 0; round < rounds; round++)
		for (size_t i = 0; i < runners.size(); i++)
			results[i].spans.add(measure_at(runners[i], 64 + round * 592 % 4096));
	return results;
}

static const Result *find_peer(const std::vector<Result> &results, const std::string &name)
{
	for (const Result &result : results)
		if (result.name == name)
			return &result;
	return nullptr;
}

void print_results(const std::string &title, const std::string &unit,
		   const std::vector<Result> &results)
{
	const Result *absl = find_peer(results, "absl");

	if (results.empty())
		return;
	printf("%s\n", title.c_str());
	for (const Result &result : results) {
		double median = result.spans.median();

		printf("  %-20s %10.4g %s  %10.4g .. %-10.4g", result.name.c_str(), median,
		       unit.c_str(), result.spans.least(), result.spans.most());
		printf("%8.2fx %s", median / results[0].spans.median(), results[0].name.c_str());
		if (absl)
			printf("%8.2fx absl", median / absl->spans.median());
		putchar('\n');
	}
	fflush(stdout);
}

} // namespace bench

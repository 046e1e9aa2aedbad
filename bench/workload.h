/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * workload.h - which keys are looked for, in which order
 */
#ifndef BENCH_WORKLOAD_H
#define BENCH_WORKLOAD_H

#include <cstddef>
#include <cstdint>
#include <vector>

namespace bench
{

enum class Spread {
	uniform,
	zipf
};
enum class Op {
	hit,
	miss
};
enum class Mode {
	independent,
	dependent,
	batched
};

const char *name_of(Spread spread);
const char *name_of(Op op);
const char *name_of(Mode mode);

/* A point of the benchmark: how keys are looked up. */
struct Point {
	Spread spread;
	Op op;
	Mode mode;
};

/* Indexes into an array of @size keys. */
std::vector<uint32_t> make_order(size_t size, Spread spread);

} // namespace bench

#endif /* BENCH_WORKLOAD_H */

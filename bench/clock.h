/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * clock.h - time, in ns
 */
#ifndef BENCH_CLOCK_H
#define BENCH_CLOCK_H

#include <time.h>

namespace bench
{

inline double clock_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

/* Of this thread: what others do on the machine does not count. */
inline double cpu_ns()
{
	return clock_ns(CLOCK_THREAD_CPUTIME_ID);
}

inline double wall_ns()
{
	return clock_ns(CLOCK_MONOTONIC);
}

} // namespace bench

#endif /* BENCH_CLOCK_H */

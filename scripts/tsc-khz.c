// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * tsc-khz.c - print the frequency of this machine's time-stamp counter
 *
 * An emulated CPU has the host's counter, but on a busy host the guest cannot
 * find out how fast it runs: the timers that it would measure against are late.
 */
#include <stdio.h>
#include <time.h>

struct reading {
	unsigned long long tsc, width;
	double ms;
};

/* Both clocks at one moment: of many readings the one that took the shortest. */
static struct reading read_both(void)
{
	struct reading best = { .width = -1ull };

	for (int i = 0; i < 100; i++) {
		unsigned long long before = __builtin_ia32_rdtsc(), width;
		struct timespec ts;

		clock_gettime(CLOCK_MONOTONIC_RAW, &ts);
		width = __builtin_ia32_rdtsc() - before;
		if (width >= best.width)
			continue;
		best.tsc = before + width / 2;
		best.width = width;
		best.ms = ts.tv_sec * 1e3 + ts.tv_nsec / 1e6;
	}
	return best;
}

int main(void)
{
	const struct timespec pause = { .tv_nsec = 100 * 1000 * 1000 };
	struct reading from = read_both(), to;

	nanosleep(&pause, NULL);
	to = read_both();
	printf("%.0f\n", (to.tsc - from.tsc) / (to.ms - from.ms));
	return 0;
}

// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * figures.c - measuring in turns, medians, and what is printed
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "vm.h"

double now_ns(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* The columns of bench/run. */
static void tsv_line(const struct scale *scale, const char *section, const char *op,
		     const char *unit, const char *peer, const double *sorted, size_t count)
{
	if (!scale->tsv)
		return;
	if (!ftell(scale->tsv))
		fputs("section\tkeys\tentries\tspread\top\tmode\tunit\tpeer\tmedian\tmin\tmax\t"
		      "rounds\tnote\n",
		      scale->tsv);
	fprintf(scale->tsv,
		"%s\tbinary\t%zu\tuniform\t%s\tdevice\t%s\t%s\t%.6g\t%.6g\t%.6g\t%zu\t%s\n",
		section, scale->entries, op, unit, peer, sorted[count / 2], sorted[0],
		sorted[count - 1], count, scale->emulated ? "emulated" : "");
}

/* Where times mean nothing, only what they are of the first runner's in the same round. */
static void print_runner(const struct task *task, const struct scale *scale, size_t which,
			 double spans[RUNNERS_MOST][ROUNDS_MOST])
{
	const char *name = task->runners[which].name;
	double ratio[ROUNDS_MOST], span[ROUNDS_MOST];
	size_t rounds = scale->rounds, i;

	for (i = 0; i < rounds; i++) {
		span[i] = spans[which][i];
		ratio[i] = span[i] / spans[0][i];
	}
	qsort(span, rounds, sizeof(*span), compare);
	qsort(ratio, rounds, sizeof(*ratio), compare);
	if (scale->emulated)
		printf("  %-16s %8.2fx\n", name, ratio[rounds / 2]);
	else
		printf("  %-16s %12.1f ns %8.2fx\n", name, span[rounds / 2], ratio[rounds / 2]);
	if (scale->emulated)
		tsv_line(scale, task->section, task->op, "ratio", name, ratio, rounds);
	else
		tsv_line(scale, task->section, task->op, "ns", name, span, rounds);
}

void task_run(const struct task *task, const struct scale *scale)
{
	double spans[RUNNERS_MOST][ROUNDS_MOST];
	size_t round, i;

	for (round = 0; round < scale->rounds; round++)
		for (i = 0; i < task->count; i++)
			spans[i][round] = task->runners[i].run(scale, task->runners[i].data);
	printf("%s, %zu entries: %s\n", task->section, scale->entries, task->op);
	for (i = 0; i < task->count; i++)
		print_runner(task, scale, i, spans);
	fflush(stdout);
}

void print_count(const struct scale *scale, const char *op, const char *what, double count)
{
	printf("  %-16s %12.4f\n", what, count);
	tsv_line(scale, "steady", op, what, "snapmap", &count, 1);
	fflush(stdout);
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * ages.c - a histogram of how old blocks were when they could be used again
 *
 * Row n of the file counts the blocks that had been retired for 2^(n-1) to
 * 2^n - 1 commits, and for so many microseconds: "BELOW BY-COMMITS BY-US".
 */
#include <linux/atomic.h>
#include <linux/debugfs.h>
#include <linux/ktime.h>
#include <linux/log2.h>
#include <linux/math64.h>
#include <linux/seq_file.h>

#include "../kmod/trace.h"
#include "ages.h"

#define ROWS	32

static atomic64_t by_commits[ROWS];
static atomic64_t by_us[ROWS];

static int row_of(u64 age)
{
	return age ? min(ilog2(age) + 1, ROWS - 1) : 0;
}

static void count_reuse(void *data, u64 map_id, u64 version, u64 age_commits, u64 age_ns,
			u64 blocks)
{
	atomic64_add(blocks, &by_commits[row_of(age_commits)]);
	atomic64_add(blocks, &by_us[row_of(div_u64(age_ns, NSEC_PER_USEC))]);
}

static int ages_show(struct seq_file *file, void *data)
{
	int row;

	for (row = 0; row < ROWS; row++)
		seq_printf(file, "%llu %lld %lld\n", 1ULL << row,
			   (s64)atomic64_read(&by_commits[row]), (s64)atomic64_read(&by_us[row]));
	return 0;
}

DEFINE_SHOW_ATTRIBUTE(ages);

static bool counting;	/* it may have failed, and is worth no failing load */

void ages_init(struct dentry *dir)
{
	debugfs_create_file("ages", 0400, dir, NULL, &ages_fops);
	counting = !register_trace_snapmap_reclaim(count_reuse, NULL);
}

void ages_exit(void)
{
	if (!counting)
		return;
	unregister_trace_snapmap_reclaim(count_reuse, NULL);
	tracepoint_synchronize_unregister();
}

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * trace.h - trace events of the module, in /sys/kernel/tracing/events/snapmap
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM snapmap

#if !defined(SNAPMAP_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define SNAPMAP_TRACE_H

#include <linux/tracepoint.h>
#include <linux/types.h>

#include "snapshot.h"

/*
 * Retired blocks may be used again from now on.
 * map_id: as in INFO. version: of the publication that retired them.
 * age_commits, age_ns: since then. blocks: how many, those that a pin goes on
 * holding back included.
 */
TRACE_EVENT(snapmap_reclaim,
	TP_PROTO(u64 map_id, u64 version, u64 age_commits, u64 age_ns, u64 blocks),
	TP_ARGS(map_id, version, age_commits, age_ns, blocks),
	TP_STRUCT__entry(
		__field(u64, map_id)
		__field(u64, version)
		__field(u64, age_commits)
		__field(u64, age_ns)
		__field(u64, blocks)
	),
	TP_fast_assign(
		__entry->map_id = map_id;
		__entry->version = version;
		__entry->age_commits = age_commits;
		__entry->age_ns = age_ns;
		__entry->blocks = blocks;
	),
	TP_printk("map_id=%llu version=%llu age_commits=%llu age_ns=%llu blocks=%llu",
		  __entry->map_id, __entry->version, __entry->age_commits, __entry->age_ns,
		  __entry->blocks)
);

/*
 * A snapshot has become current.
 * map_id: as in INFO. version, stamp, entries: of its header. blocks_copied: that
 * its commit wrote.
 */
TRACE_EVENT(snapmap_publish,
	TP_PROTO(u64 map_id, const struct snapmap_snapshot *snapshot),
	TP_ARGS(map_id, snapshot),
	TP_STRUCT__entry(
		__field(u64, map_id)
		__field(u64, version)
		__field(u64, stamp)
		__field(u64, entries)
		__field(u64, blocks_copied)
	),
	TP_fast_assign(
		__entry->map_id = map_id;
		__entry->version = snapshot->header.version;
		__entry->stamp = snapshot->header.stamp;
		__entry->entries = snapshot->header.entries;
		__entry->blocks_copied = snapshot->blocks_copied;
	),
	TP_printk("map_id=%llu version=%llu stamp=%llu entries=%llu blocks_copied=%llu",
		  __entry->map_id, __entry->version, __entry->stamp, __entry->entries,
		  __entry->blocks_copied)
);

#endif /* SNAPMAP_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>

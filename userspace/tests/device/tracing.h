/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * tracing.h - counts what the kernel does for this thread, by its trace events
 */
#ifndef TRACING_H
#define TRACING_H

#include "device.h"

/* What is counted: allocations of objects and of pages, or system calls. */
enum traced {
	TRACED_ALLOCATIONS,
	TRACED_CALLS,
};

/* Makes ready; returns false where the kernel has no trace events. */
bool tracing_begin(enum traced what);
void tracing_end(void);

/* Goes on and stops: what happens in between counts. */
void tracing_on(bool on);

/* Returns how many events there have been, and shows some. */
u64 tracing_count(void);

#endif /* TRACING_H */

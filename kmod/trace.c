// SPDX-License-Identifier: GPL-2.0-only
/*
 * trace.c - the code behind the trace events
 */
#include <linux/module.h>

#define CREATE_TRACE_POINTS
#include "trace.h"

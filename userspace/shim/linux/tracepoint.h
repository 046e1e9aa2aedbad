/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* Natively a trace event is a function that does nothing. */
#include "../shim.h"

#undef TP_PROTO
#undef TRACE_EVENT
#define TP_PROTO(...) __VA_ARGS__
#define TRACE_EVENT(name, proto, ...)                   \
	static inline void trace_##name(proto)          \
	{                                               \
	}                                               \
	static inline bool trace_##name##_enabled(void) \
	{                                               \
		return false;                           \
	}                                               \
	_Static_assert(1, "")

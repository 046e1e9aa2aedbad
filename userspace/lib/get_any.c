// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * get_any.c - look-ups for any CPU of the architecture
 */
#define SNAPMAP_LOOKUPS snapmap_lookups_any
#include "lookups.h"

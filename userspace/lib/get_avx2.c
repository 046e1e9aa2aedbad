// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * get_avx2.c - look-ups for CPUs with AVX2, BMI and BMI2, as all of the last ten years have
 */
#if defined(__x86_64__) && !defined(__clang__)
#pragma GCC target("avx2,bmi,bmi2")
#endif

#define SNAPMAP_LOOKUPS snapmap_lookups_avx2
#include "get.h"

#ifdef SNAPMAP_LOOKUPS_AVX2
#include "lookups.h"
#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * torture.h - what a test module (SNAPMAP_TEST=y) has for snapmap-torture; see torture/
 */
#ifndef SNAPMAP_TORTURE_H
#define SNAPMAP_TORTURE_H

#ifdef SNAPMAP_TEST
void snapmap_torture_init(void);
void snapmap_torture_exit(void);
#else
static inline void snapmap_torture_init(void)
{
}

static inline void snapmap_torture_exit(void)
{
}
#endif

#endif /* SNAPMAP_TORTURE_H */

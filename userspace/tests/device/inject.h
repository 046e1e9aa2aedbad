/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * inject.h - make the n-th allocation of the next system calls fail
 */
#ifndef INJECT_H
#define INJECT_H

#include "device.h"

/* Makes ready; returns false where the kernel cannot do it. */
bool inject_begin(void);
void inject_end(void);

/* From here on, the @nth allocation of this thread in the kernel fails. */
void inject_arm(unsigned int nth);

/* Returns whether one has failed, and lets no more fail. */
bool inject_disarm(void);

#endif /* INJECT_H */

/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SNAPMAP_CONTROL_H
#define SNAPMAP_CONTROL_H

int snapmap_control_init(void);
void snapmap_control_exit(void);

#endif /* SNAPMAP_CONTROL_H */

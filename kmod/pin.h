/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SNAPMAP_PIN_H
#define SNAPMAP_PIN_H

#include <linux/types.h>

struct snapmap_map;

int snapmap_pin_open(struct snapmap_map *map, u64 *version);

#endif /* SNAPMAP_PIN_H */

/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SNAPMAP_PIN_H
#define SNAPMAP_PIN_H

#include <linux/types.h>

struct snapmap_map;
struct snapmap_pin_set;
struct snapmap_pins;

int snapmap_pin_open(struct snapmap_map *map, u64 *version);
int snapmap_pin_open_set(const struct snapmap_pin_set *args);
int snapmap_pin_list(struct snapmap_map *map, struct snapmap_pins *args);

#endif /* SNAPMAP_PIN_H */

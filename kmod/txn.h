/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SNAPMAP_TXN_H
#define SNAPMAP_TXN_H

struct snapmap_map;
struct snapmap_txn;

int snapmap_txn_open(struct snapmap_map *map, const struct snapmap_txn *args);

#endif /* SNAPMAP_TXN_H */

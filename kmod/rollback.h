/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SNAPMAP_ROLLBACK_H
#define SNAPMAP_ROLLBACK_H

#include "snapshot.h"

int snapmap_rollback(struct snapmap_store *store, struct snapmap_rollback *args);

#endif /* SNAPMAP_ROLLBACK_H */

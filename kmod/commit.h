/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SNAPMAP_COMMIT_H
#define SNAPMAP_COMMIT_H

#include "snapshot.h"

int snapmap_commit(struct snapmap_store *store, struct snapmap_commit *args);

#endif /* SNAPMAP_COMMIT_H */

/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SNAPMAP_TORTURE_AGES_H
#define SNAPMAP_TORTURE_AGES_H

struct dentry;

void ages_init(struct dentry *dir);
void ages_exit(void);

#endif /* SNAPMAP_TORTURE_AGES_H */

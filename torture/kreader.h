/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SNAPMAP_TORTURE_KREADER_H
#define SNAPMAP_TORTURE_KREADER_H

struct dentry;

void kreader_init(struct dentry *dir);
void kreader_exit(void);

#endif /* SNAPMAP_TORTURE_KREADER_H */

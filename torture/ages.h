/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SNAPMAP_TORTURE_AGES_H
#define SNAPMAP_TORTURE_AGES_H

#include <linux/fs.h>

extern const struct file_operations ages_fops;

void ages_init(void);
void ages_exit(void);

#endif /* SNAPMAP_TORTURE_AGES_H */

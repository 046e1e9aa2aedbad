/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SNAPMAP_TORTURE_KREADER_H
#define SNAPMAP_TORTURE_KREADER_H

#include <linux/fs.h>

extern const struct file_operations kreader_fops;

void kreader_stop(void);

#endif /* SNAPMAP_TORTURE_KREADER_H */

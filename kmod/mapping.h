/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SNAPMAP_MAPPING_H
#define SNAPMAP_MAPPING_H

struct file;
struct inode;
struct snapmap_map;
struct vm_area_struct;

extern const struct snapmap_backing snapmap_mapping_backing;

struct inode *snapmap_mapping_new_inode(void);
int snapmap_mapping_mmap(struct snapmap_map *map, struct vm_area_struct *vma);
int snapmap_mapping_init(void);
void snapmap_mapping_exit(void);

#endif /* SNAPMAP_MAPPING_H */

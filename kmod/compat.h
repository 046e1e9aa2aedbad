/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * compat.h - the differences between the kernels that the module supports
 *
 * Kbuild probes the kernel's headers for features; nothing else in the tree
 * knows one kernel from another.
 */
#ifndef SNAPMAP_COMPAT_H
#define SNAPMAP_COMPAT_H

#include <linux/device.h>
#include <linux/mm.h>

#ifndef SNAPMAP_HAVE_VM_FLAGS_MOD
static inline void vm_flags_mod(struct vm_area_struct *vma, unsigned long set,
				unsigned long clear)
{
	vma->vm_flags = (vma->vm_flags | set) & ~clear;
}
#endif

#ifdef SNAPMAP_HAVE_CONST_DEVNODE
#define snapmap_devnode_device	const struct device
#else
#define snapmap_devnode_device	struct device
#endif

#endif /* SNAPMAP_COMPAT_H */

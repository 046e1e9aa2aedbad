/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * compat.h - the differences between the kernels that the module supports
 *
 * Nothing else in the tree knows a kernel's version or probes for a feature.
 */
#ifndef SNAPMAP_COMPAT_H
#define SNAPMAP_COMPAT_H

#include <linux/device.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/version.h>

/* Before 6.3 a file's owner sets vm_flags directly. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 3, 0)
static inline void vm_flags_mod(struct vm_area_struct *vma, unsigned long set,
				unsigned long clear)
{
	vma->vm_flags = (vma->vm_flags | set) & ~clear;
}
#endif

/* Before 6.2 the callbacks of a device type get a device that is not const. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 2, 0)
#define snapmap_const_device	struct device
#else
#define snapmap_const_device	const struct device
#endif


#endif /* SNAPMAP_COMPAT_H */

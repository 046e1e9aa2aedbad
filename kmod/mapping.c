// SPDX-License-Identifier: GPL-2.0-only
/*
 * mapping.c - the arena in the address space of a reader
 *
 * A mapping covers the whole span of the arena from the beginning, so that the
 * arena grows without a system call of its readers. Pages are inserted when
 * they are touched: the arena's page where a chunk is populated, and else the
 * kernel's page of zeroes, which has no reference count to overflow and is
 * nobody's memory. When a chunk comes or goes, what is mapped of its range is
 * forgotten and faults in anew.
 *
 * Nobody can make a mapping writable: VM_MAYWRITE is dropped, whatever the
 * descriptor was opened for.
 *
 * All mappings of one map, through its node or through a pin, are tied to one
 * inode of a file system that is mounted nowhere, so that one call finds them.
 *
 * Lock order: mmap_lock, then arena->show_lock. A fault on a mapping may come
 * from within a commit that reads its batch from there; so faults never take
 * store->lock.
 */
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mount.h>
#include <linux/pfn_t.h>
#include <linux/pgtable.h>
#include <linux/pseudo_fs.h>
#include <linux/sched/mm.h>
#include <linux/vmalloc.h>

#include "broken.h"
#include "compat.h"
#include "map.h"
#include "mapping.h"

#define SNAPMAP_FS_MAGIC	0x534e4150	/* "SNAP" */

static struct vfsmount *snapmap_mount;

static struct snapmap_map *map_of_arena(struct snapmap_arena *arena)
{
	return container_of(arena, struct snapmap_map, store.arena);
}

static void *backing_alloc(struct snapmap_arena *arena, size_t offset, size_t bytes)
{
	return __vmalloc(bytes, SNAPMAP_GFP | __GFP_ZERO);
}

static void backing_shown(struct snapmap_arena *arena, size_t offset, size_t bytes)
{
	unmap_mapping_range(map_of_arena(arena)->inode->i_mapping, offset, bytes, 1);
}

static void backing_free(struct snapmap_arena *arena, void *data, size_t offset, size_t bytes)
{
	vfree(data);
}

const struct snapmap_backing snapmap_mapping_backing = {
	.alloc = backing_alloc,
	.shown = backing_shown,
	.free = backing_free,
};

/* The page at @offset of the arena, NULL where nothing is populated. */
static struct page *page_at(struct snapmap_arena *arena, u64 offset)
{
	u32 block = offset >> SNAPMAP_BLOCK_SHIFT;
	struct snapmap_chunk *chunk;

	lockdep_assert_held_read(&arena->show_lock);
	chunk = arena->chunks[snapmap_arena_slot(block)];
	if (!chunk || block - chunk->first >= chunk->blocks)
		return NULL;
	return vmalloc_to_page(chunk->data + offset -
			       ((u64)chunk->first << SNAPMAP_BLOCK_SHIFT));
}

static vm_fault_t insert_page(struct vm_fault *vmf, struct page *page)
{
	if (page)
		return vmf_insert_page(vmf->vma, vmf->address, page);
	return vmf_insert_mixed(vmf->vma, vmf->address,
				pfn_to_pfn_t(my_zero_pfn(vmf->address)));
}

static vm_fault_t mapping_fault(struct vm_fault *vmf)
{
	struct snapmap_map *map = vmf->vma->vm_private_data;
	struct snapmap_arena *arena = &map->store.arena;
	u64 offset = (u64)vmf->pgoff << PAGE_SHIFT;
	vm_fault_t ret;

	if (offset >= map->store.control->span)
		return VM_FAULT_SIGBUS;
	/* Inserted under the lock, so that no insertion outlives its chunk. */
	down_read(&arena->show_lock);
	ret = insert_page(vmf, page_at(arena, offset));
	up_read(&arena->show_lock);
	return ret;
}

static const struct vm_operations_struct mapping_vm_ops = {
	.fault = mapping_fault,
};

/**
 * snapmap_mapping_mmap() - map a map's arena
 * @map: the map; the caller's file holds it for as long as the mapping lasts
 * @vma: the area
 *
 * Return: 0; -EACCES when it should be writable or executable; -EINVAL when it
 *	is private or ends behind the span.
 */
int snapmap_mapping_mmap(struct snapmap_map *map, struct vm_area_struct *vma)
{
	u64 pages = map->store.control->span >> PAGE_SHIFT;

	if (vma->vm_flags & (VM_WRITE | VM_EXEC))
		return -EACCES;
	if (!(vma->vm_flags & VM_MAYSHARE))	/* VM_SHARED asks for a writable file */
		return -EINVAL;
	if (vma->vm_pgoff >= pages || vma_pages(vma) > pages - vma->vm_pgoff)
		return -EINVAL;
	vm_flags_mod(vma, VM_MIXEDMAP | VM_DONTEXPAND | VM_DONTDUMP,
		     snapmap_broken(SNAPMAP_BREAK_WRITE) ? 0 : VM_MAYWRITE | VM_MAYEXEC);
	vma->vm_private_data = map;
	vma->vm_ops = &mapping_vm_ops;
	return 0;
}

/**
 * snapmap_mapping_new_inode() - the inode that ties a map's mappings together
 *
 * Return: an inode that the caller owns and ends by iput(), or an ERR_PTR().
 */
struct inode *snapmap_mapping_new_inode(void)
{
	return alloc_anon_inode(snapmap_mount->mnt_sb);
}

static int snapmap_fs_init_context(struct fs_context *fc)
{
	return init_pseudo(fc, SNAPMAP_FS_MAGIC) ? 0 : -ENOMEM;
}

/* No .owner: the module's own mount must not keep the module from leaving. */
static struct file_system_type snapmap_fs = {
	.name = "snapmap",
	.init_fs_context = snapmap_fs_init_context,
	.kill_sb = kill_anon_super,
};

int __init snapmap_mapping_init(void)
{
	snapmap_mount = kern_mount(&snapmap_fs);
	return PTR_ERR_OR_ZERO(snapmap_mount);
}

void snapmap_mapping_exit(void)
{
	kern_unmount(snapmap_mount);
}

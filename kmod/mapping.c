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
 * A chunk of full size is one compound page where memory allows, and one entry
 * of the page middle directory (PMD) maps all of it; where that cannot be, a
 * fault maps the pages around the one that was touched as well. Nobody can tell
 * the difference but by the clock. A PMD is inserted by ->fault, for 6.1 does
 * not call ->huge_fault for what is no DAX file. It holds no reference to its
 * chunk, but get_user_pages() takes some through it; so the last one to let go
 * frees the page, be it the map or a pipe.
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
#define CHUNK_BYTES		((size_t)SNAPMAP_CHUNK_BLOCKS << SNAPMAP_BLOCK_SHIFT)
#define AROUND_BYTES		(64UL << 10)	/* what a fault on a small page maps */

/* A commit does not wait for memory to be moved: there are small pages, too. */
#define HUGE_GFP	((SNAPMAP_GFP & ~(__GFP_DIRECT_RECLAIM | __GFP_RETRY_MAYFAIL)) | \
			 __GFP_COMP | __GFP_ZERO | __GFP_NORETRY | __GFP_NOMEMALLOC)

static bool huge = true;
module_param(huge, bool, 0644);
MODULE_PARM_DESC(huge, "allocate chunks of 2 MiB as one page where memory allows");

static struct vfsmount *snapmap_mount;

static struct snapmap_map *map_of_arena(struct snapmap_arena *arena)
{
	return container_of(arena, struct snapmap_map, store.arena);
}

/* Whether a chunk can be mapped by one PMD; constant without CONFIG_TRANSPARENT_HUGEPAGE. */
static bool huge_is_possible(void)
{
	return CHUNK_BYTES == PMD_SIZE && has_transparent_hugepage();
}

/* Whether a chunk's memory is one compound page. */
static bool is_huge(const void *data)
{
	return !is_vmalloc_addr(data);
}

static void *huge_alloc(struct snapmap_map *map)
{
	struct page *page = alloc_pages(HUGE_GFP, get_order(CHUNK_BYTES));

	if (!page)
		return NULL;
	WRITE_ONCE(map->huge_bytes, map->huge_bytes + CHUNK_BYTES);
	return page_address(page);
}

static void *backing_alloc(struct snapmap_arena *arena, size_t offset, size_t bytes)
{
	void *data = NULL;

	if (bytes == CHUNK_BYTES && huge_is_possible() && data_race(READ_ONCE(huge)))
		data = huge_alloc(map_of_arena(arena));
	return data ?: __vmalloc(bytes, SNAPMAP_GFP | __GFP_ZERO);
}

static void backing_shown(struct snapmap_arena *arena, size_t offset, size_t bytes)
{
	if (!snapmap_broken(SNAPMAP_BREAK_UNMAP))
		unmap_mapping_range(map_of_arena(arena)->inode->i_mapping, offset, bytes, 1);
}

/*
 * What is mapped no longer has one reference, the map's. Whoever takes one more
 * does so through a mapping, before it has been forgotten. To small pages they
 * matter little, since each is freed by itself.
 */
static bool backing_held(struct snapmap_arena *arena, const void *data)
{
	return is_huge(data) && page_count(virt_to_page(data)) > 1 &&
	       !snapmap_broken(SNAPMAP_BREAK_HELD);
}

static void backing_free(struct snapmap_arena *arena, void *data, size_t offset, size_t bytes)
{
	struct snapmap_map *map = map_of_arena(arena);

	if (!is_huge(data)) {
		vfree(data);
		return;
	}
	WRITE_ONCE(map->huge_bytes, map->huge_bytes - bytes);
	put_page(virt_to_page(data));
}

const struct snapmap_backing snapmap_mapping_backing = {
	.alloc = backing_alloc,
	.shown = backing_shown,
	.held = backing_held,
	.free = backing_free,
};

/* The chunk that holds the page at @offset of the arena, NULL where nothing is populated. */
static struct snapmap_chunk *chunk_at(struct snapmap_arena *arena, u64 offset)
{
	u32 block = offset >> SNAPMAP_BLOCK_SHIFT;
	struct snapmap_chunk *chunk;

	lockdep_assert_held_read(&arena->show_lock);
	chunk = arena->chunks[snapmap_arena_slot(block)];
	return chunk && block - chunk->first < chunk->blocks ? chunk : NULL;
}

static struct page *page_of(const struct snapmap_chunk *chunk, u64 offset)
{
	void *at = chunk->data + offset - ((u64)chunk->first << SNAPMAP_BLOCK_SHIFT);

	return is_huge(chunk->data) ? virt_to_page(at) : vmalloc_to_page(at);
}

/* Whether the area holds the whole PMD of a fault, at the address that fits its offset. */
static bool fits_huge(const struct vm_fault *vmf)
{
	const struct vm_area_struct *vma = vmf->vma;
	unsigned long start = vmf->address & PMD_MASK;

	return !(vma->vm_flags & VM_NOHUGEPAGE) &&
	       start >= vma->vm_start && vma->vm_end - start >= PMD_SIZE &&
	       !(((vmf->address >> PAGE_SHIFT) ^ vmf->pgoff) & ((PMD_SIZE >> PAGE_SHIFT) - 1));
}

/* Inserts the page at @address, which need not be the one that was touched. */
static vm_fault_t insert_small(struct vm_fault *vmf, unsigned long address)
{
	struct snapmap_map *map = vmf->vma->vm_private_data;
	u64 offset = ((u64)vmf->pgoff << PAGE_SHIFT) + address - vmf->address;
	struct snapmap_chunk *chunk = chunk_at(&map->store.arena, offset);

	if (chunk)
		return vmf_insert_page(vmf->vma, address, page_of(chunk, offset));
	if (address != vmf->address)
		return 0;	/* zeroes are inserted when they are asked for */
	return vmf_insert_mixed(vmf->vma, address, pfn_to_pfn_t(my_zero_pfn(address)));
}

/* Inserts the page that was touched, and then those around it as long as there is memory. */
static vm_fault_t insert_around(struct vm_fault *vmf)
{
	unsigned long start = vmf->address & -AROUND_BYTES;
	unsigned long end = min(start + AROUND_BYTES, vmf->vma->vm_end);
	vm_fault_t ret = insert_small(vmf, vmf->address);
	unsigned long at;

	if (ret & VM_FAULT_ERROR)
		return ret;
	for (at = max(start, vmf->vma->vm_start); at < end; at += PAGE_SIZE)
		if (insert_small(vmf, at) & VM_FAULT_ERROR)
			break;
	return ret;
}

/*
 * All that insert into a range at a time see the same chunk, and the same area.
 * So they agree on how it is mapped, and a PMD that maps memory is found only
 * where somebody was faster, or where a chunk has just gone and is still to be
 * forgotten. No page may be inserted there.
 */
static vm_fault_t insert(struct vm_fault *vmf, const struct snapmap_chunk *chunk)
{
	pmd_t pmd = READ_ONCE(*vmf->pmd);

	if (pmd_trans_huge(pmd))
		return VM_FAULT_NOPAGE;
	if (huge_is_possible() && chunk && is_huge(chunk->data) && pmd_none(pmd) && fits_huge(vmf))
		return vmf_insert_pfn_pmd(vmf, page_to_pfn_t(virt_to_page(chunk->data)), false);
	return insert_around(vmf);
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
	ret = insert(vmf, chunk_at(arena, offset));
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

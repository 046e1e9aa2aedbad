// SPDX-License-Identifier: GPL-2.0-only
/*
 * spare.c - what a map has ready for its next commits
 *
 * A steady stream of commits allocates nothing from the system: the records
 * that a commit needs, the window through which it reads its batch, and the free
 * blocks of the arena are those that earlier commits are done with.
 *
 * How much is kept follows from use. Trimming comes about once a second: what
 * was not needed since the last time goes, by halves, so that grace periods of
 * uneven length do not make memory go and come. A map without commits in
 * between keeps nothing but an eighth of its arena. So what is kept is never
 * more than what was in use a short while ago (promise G).
 *
 * What is kept is charged to who pays for the arena.
 *
 * Context: everything expects store->lock held, or a store that nobody else
 * knows.
 */
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "broken.h"
#include "directory.h"
#include "reclaim.h"
#include "snapshot.h"

#define WINDOW_MAX	(64U << 10)
#define WINDOW_STEP	(4U << 10)

/* Records that are kept while there are commits, needed or not: some 26 KiB. */
#define KEEP_RECORDS	64

static void init_spares(struct snapmap_spares *spares, u32 bytes)
{
	INIT_LIST_HEAD(&spares->list);
	spares->bytes = bytes;
}

/**
 * snapmap_spare_init() - a map that has nothing ready
 * @store: zeroed
 */
void snapmap_spare_init(struct snapmap_store *store)
{
	BUILD_BUG_ON(offsetof(struct snapmap_retired, link));
	BUILD_BUG_ON(offsetof(struct snapmap_snapshot, link));
	init_spares(&store->spare.retired, sizeof(struct snapmap_retired));
	init_spares(&store->spare.snapshots, sizeof(struct snapmap_snapshot));
}

static void drop_records(struct snapmap_spares *spares, u32 count)
{
	struct list_head *record;

	for (spares->count -= count; count; count--) {
		record = spares->list.next;
		list_del(record);
		kfree(record);
	}
}

static void drop_window(struct snapmap_spare *spare)
{
	kvfree(spare->window);
	spare->window = NULL;
	spare->window_bytes = 0;
}

/**
 * snapmap_spare_exit() - free what is ready
 * @store: the map's snapshots
 */
void snapmap_spare_exit(struct snapmap_store *store)
{
	struct snapmap_spare *spare = &store->spare;

	drop_records(&spare->retired, spare->retired.count);
	drop_records(&spare->snapshots, spare->snapshots.count);
	drop_window(spare);
	kvfree(spare->notes);
}

static void *alloc_charged(struct snapmap_store *store, u32 bytes)
{
	struct mem_cgroup *caller = set_active_memcg(store->arena.memcg);
	void *data = kvmalloc(bytes, SNAPMAP_GFP);

	set_active_memcg(caller);
	return data;
}

/**
 * snapmap_spare_take() - a record for use
 * @store: the map's snapshots
 * @spares: those of its kind
 *
 * Context: may sleep.
 * Return: the record, zeroed; it ends by snapmap_spare_give() or kfree(). NULL
 *	without memory.
 */
void *snapmap_spare_take(struct snapmap_store *store, struct snapmap_spares *spares)
{
	struct list_head *record = spares->list.next;

	if (spares->count) {
		list_del(record);
		spares->count--;
	} else {
		record = alloc_charged(store, spares->bytes);
	}
	spares->least = min(spares->least, spares->count);
	return record ? memset(record, 0, spares->bytes) : NULL;
}

/**
 * snapmap_spare_give() - take a record back
 * @spares: those of its kind
 * @record: what snapmap_spare_take() returned, in no list
 */
void snapmap_spare_give(struct snapmap_spares *spares, void *record)
{
	if (snapmap_broken(SNAPMAP_BREAK_SPARE)) {
		kfree(record);
		return;
	}
	list_add((struct list_head *)record, &spares->list);
	spares->count++;
}

/**
 * snapmap_spare_take_window() - memory to read a batch through
 * @store: the map's snapshots
 * @batch_bytes: length of the batch
 * @bytes: out: size of the window, enough for the batch or for a large part
 *
 * Context: may sleep.
 * Return: the window, which ends by snapmap_spare_give_window(); NULL without
 *	memory.
 */
u8 *snapmap_spare_take_window(struct snapmap_store *store, u64 batch_bytes, u32 *bytes)
{
	u32 want = ALIGN(min_t(u64, batch_bytes, WINDOW_MAX), WINDOW_STEP) ?: WINDOW_STEP;
	struct snapmap_spare *spare = &store->spare;
	u8 *window = spare->window;

	lockdep_assert_held(&store->lock);
	*bytes = spare->window_bytes;
	if (*bytes < want) {
		drop_window(spare);
		*bytes = want;
		window = alloc_charged(store, want);
	}
	spare->window = NULL;
	spare->window_bytes = 0;
	return window;
}

/**
 * snapmap_spare_give_window() - be done with a window
 * @store: the map's snapshots
 * @window: the window, or one that has taken its place
 * @bytes: its size
 */
void snapmap_spare_give_window(struct snapmap_store *store, u8 *window, u32 bytes)
{
	lockdep_assert_held(&store->lock);
	if (bytes > WINDOW_MAX || snapmap_broken(SNAPMAP_BREAK_SPARE)) {
		kvfree(window);
		return;
	}
	store->spare.window = window;
	store->spare.window_bytes = bytes;
}

/**
 * snapmap_spare_notes() - notes for the next build
 * @store: the map's snapshots
 *
 * Context: may sleep; expects @store->lock held.
 * Return: the notes, none of them made; they stay the store's. NULL where the map has no
 *	directory, or without memory.
 */
struct snapmap_notes *snapmap_spare_notes(struct snapmap_store *store)
{
	struct snapmap_spare *spare = &store->spare;

	if (!spare->notes && store->table.directory)
		spare->notes = alloc_charged(store, sizeof(*spare->notes));
	if (spare->notes)
		spare->notes->count = 0;
	return spare->notes;
}

/**
 * snapmap_spare_look() - see how many blocks a commit has left free
 * @store: the map's snapshots; a build is finished, or about to be aborted
 */
void snapmap_spare_look(struct snapmap_store *store)
{
	store->spare.least_free = min(store->spare.least_free, store->arena.free);
}

static void trim_records(struct snapmap_spares *spares, bool idle)
{
	u32 unused = spares->least > KEEP_RECORDS ? spares->least - KEEP_RECORDS : 0;

	drop_records(spares, idle ? spares->count : DIV_ROUND_UP(unused, 2));
	spares->least = spares->count;
}

/*
 * As many free blocks as commits have drawn on since the last trim; slow to
 * shrink. Returns whether something stays because others hold it.
 */
static bool trim_arena(struct snapmap_store *store, bool idle)
{
	struct snapmap_arena *arena = &store->arena;
	u64 drawn = arena->free - min(store->spare.least_free, arena->free);
	bool held;

	arena->keep = idle ? 0 : max(drawn, arena->keep - arena->keep / 4);
	held = snapmap_arena_trim(arena);
	store->spare.least_free = arena->free;
	return held;
}

/**
 * snapmap_spare_trim() - give back what is ready and seems not to be needed
 * @store: the map's snapshots
 *
 * To be called about once a second for as long as it returns true.
 *
 * Context: may sleep; expects @store->lock held, and as snapmap_arena_trim().
 * Return: true when there is more to be given back later.
 */
bool snapmap_spare_trim(struct snapmap_store *store)
{
	struct snapmap_spare *spare = &store->spare;
	u64 version = READ_ONCE(store->version);	/* a writer may be publishing */
	bool idle = version == spare->version;

	lockdep_assert_held(&store->lock);
	spare->version = version;
	trim_records(&spare->retired, idle);
	trim_records(&spare->snapshots, idle);
	if (idle)
		drop_window(spare);
	return trim_arena(store, idle) || !idle;
}

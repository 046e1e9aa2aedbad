/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SNAPMAP_TABLE_H
#define SNAPMAP_TABLE_H

#include "runlist.h"
#include "leaf.h"

struct snapmap_notes;

/**
 * struct snapmap_table - one snapshot's content
 * @root: root word
 * @entries: number of entries
 * @key_bytes: sum of the lengths of all keys
 * @value_bytes: sum of the lengths of all values
 * @filter: the word of its filter; 0 when it has none
 * @filter_room: of how many more keys that may be told
 * @directory: the word of its directory; 0 when it has none
 */
struct snapmap_table {
	u64 root;
	u64 entries;
	u64 key_bytes;
	u64 value_bytes;
	u64 filter;
	u64 filter_room;
	u64 directory;
};

/**
 * struct snapmap_build - the next snapshot while it is being built
 * @arena: where it is built
 * @seed: the map's hash seed
 * @version: the version that it will be; runs born in it are its own
 * @table: its content so far
 * @retired: runs of the snapshot before it that it no longer reaches
 * @blocks_copied: blocks written so far
 * @resched: called every now and then in long work. May be NULL
 * @make_room: called when an allocation has failed with an errno; returns true
 *	when it is worth another try. May be NULL
 * @made_room: whether it has returned true
 * @notes: what the publication changes in the directory. May be NULL: a new one is made
 *
 * Begins with the content of the current snapshot and no @retired; ends by
 * publication, after which @retired awaits its grace period, or by
 * snapmap_build_abort(), after which the arena is as before.
 */
struct snapmap_build {
	struct snapmap_arena *arena;
	u64 seed;
	u64 version;
	struct snapmap_table table;
	struct snapmap_runlist retired;
	u64 blocks_copied;
	void (*resched)(void);
	bool (*make_room)(struct snapmap_build *build, int err);
	bool made_room;
	struct snapmap_notes *notes;
};

int snapmap_build_find(struct snapmap_build *build, const struct snapmap_key *key, u64 *version);
void snapmap_build_fetch(const struct snapmap_build *build, u64 hash);
int snapmap_build_put(struct snapmap_build *build, const struct snapmap_key *key,
		      const void *value, u32 value_len);
int snapmap_build_add_leaf(struct snapmap_build *build, u64 hash, u32 depth, u32 granules,
			   u32 *ref);
int snapmap_build_append(struct snapmap_build *build, u32 ref, const struct snapmap_key *key,
			 const void *value, u32 value_len);
int snapmap_build_delete(struct snapmap_build *build, const struct snapmap_key *key);
void snapmap_build_clear(struct snapmap_build *build);
void snapmap_build_finish(struct snapmap_build *build);
void snapmap_build_abort(struct snapmap_build *build);

#endif /* SNAPMAP_TABLE_H */

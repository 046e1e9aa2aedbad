/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SNAPMAP_TRIE_H
#define SNAPMAP_TRIE_H

#include "table.h"

/**
 * struct snapmap_step - one step of the way down
 * @slots: an inner node of the build
 * @slot: the slot taken
 * @bits: hash bits that the node looks at
 * @pos: hash bits consumed above the node
 */
struct snapmap_step {
	u32 *slots;
	u32 slot;
	u32 bits;
	u32 pos;
};

/**
 * struct snapmap_path - the way from the top to a leaf
 * @hash: the hash that has been followed
 * @step: from the top down
 * @levels: how many; 0 when the root is a leaf
 */
struct snapmap_path {
	u64 hash;
	struct snapmap_step step[SNAPMAP_LEVELS_MAX];
	u32 levels;
};

void snapmap_build_drop(struct snapmap_build *build, u32 block);
u32 snapmap_build_alloc(struct snapmap_build *build, u32 blocks, int *err);
u32 snapmap_build_own(struct snapmap_build *build, u32 block, u32 blocks, int *err);
void snapmap_step_set(struct snapmap_step *step, u32 first, u32 count, u32 ref);
bool snapmap_step_all(const struct snapmap_step *step, u32 first, u32 count, u32 ref);
u32 snapmap_step_group(const struct snapmap_step *step);
u32 snapmap_step_first(const struct snapmap_step *step, u32 size);
void snapmap_path_set(struct snapmap_build *build, const struct snapmap_path *path, u32 first,
		      u32 count, u32 ref);
void snapmap_path_set_leaf(struct snapmap_build *build, const struct snapmap_path *path, u32 ref);
void snapmap_path_add_leaf(struct snapmap_build *build, const struct snapmap_path *path, u32 lag,
			   u32 ref);
void snapmap_trie_fetch(const struct snapmap_build *build, u64 hash);
int snapmap_trie_descend(struct snapmap_build *build, u64 hash, struct snapmap_path *path);
int snapmap_trie_deepen(struct snapmap_build *build, const struct snapmap_path *path);

/**
 * snapmap_build_owns_run() - whether a run was allocated by a build
 * @build: the build
 * @run: what is known of the run
 */
static inline bool snapmap_build_owns_run(const struct snapmap_build *build,
					  const struct snapmap_run *run)
{
	return snapmap_run_birth(build->arena, run) == build->version;
}

/* As snapmap_build_owns_run(), of the run that begins with @block. */
static inline bool snapmap_build_owns(const struct snapmap_build *build, u32 block)
{
	return snapmap_build_owns_run(build, snapmap_arena_run(build->arena, block));
}

/**
 * snapmap_path_leaf() - the leaf that a path leads to
 * @build: the build
 * @path: the path
 *
 * Return: its reference, 0 when it is empty.
 */
static inline u32 snapmap_path_leaf(const struct snapmap_build *build,
				    const struct snapmap_path *path)
{
	const struct snapmap_step *last;

	if (!path->levels)
		return SNAPMAP_ROOT_REF(build->table.root);
	last = &path->step[path->levels - 1];
	return last->slots[last->slot];
}

#endif /* SNAPMAP_TRIE_H */

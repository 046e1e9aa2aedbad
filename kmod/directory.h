/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SNAPMAP_DIRECTORY_H
#define SNAPMAP_DIRECTORY_H

#include "table.h"

#define SNAPMAP_NOTES_MAX	512	/* more than a commit of a hundred keys leaves */

extern unsigned int snapmap_directory_entries;

/**
 * struct snapmap_note - slots of the directory that a build changes
 * @first: the first slot
 * @count: how many
 * @ref: the leaf that they name from the publication on; 0 when they name none
 */
struct snapmap_note {
	u32 first;
	u32 count;
	u32 ref;
};

/**
 * struct snapmap_notes - what a publication changes in the directory
 * @count: how many notes; more than SNAPMAP_NOTES_MAX when there was no room for all
 * @note: in the order of the changes, the later ones of the same slots counting
 */
struct snapmap_notes {
	u32 count;
	struct snapmap_note note[SNAPMAP_NOTES_MAX];
};

void snapmap_directory_note(struct snapmap_build *build, u64 hash, u32 depth, u32 ref);
void snapmap_directory_finish(struct snapmap_build *build);
void snapmap_directory_each(struct snapmap_build *build, bool own,
			    void (*visit)(struct snapmap_build *build, u32 block));
void snapmap_directory_close(const struct snapmap_build *build);
void snapmap_directory_open(const struct snapmap_build *build);

#endif /* SNAPMAP_DIRECTORY_H */

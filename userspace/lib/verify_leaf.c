// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * verify_leaf.c - the rules of leaves: tags, entries, hashes, values
 *
 * A leaf is copied first: the blocks of a pin that is being revoked change, and
 * what has been checked must be what is used.
 */
#include <inttypes.h>

#include "verify.h"

/* Entries between two calls of the progress function. */
#define PROGRESS_STEP 1024

/**
 * struct leaf - a leaf being checked
 * @check: the verification
 * @copy: a copy of it
 * @bytes: the copy's granules
 * @tags: the copy's tags
 * @block: its first block
 * @granules: its size in granules
 * @prefix: the hash bits that all its keys begin with
 * @hash: hashes of the entries seen
 * @entry: those entries
 * @count: their number
 */
struct leaf {
	struct snapmap_check *check;
	struct snapmap_leaf copy;
	u8 bytes[SNAPMAP_LEAF_BLOCKS_MAX * SNAPMAP_BLOCK_SIZE] __attribute__((aligned(8)));
	u8 tags[SNAPMAP_LEAF_GRANULES_MAX];
	u32 block;
	u32 granules;
	struct snapmap_prefix prefix;
	u64 hash[SNAPMAP_LEAF_GRANULES_MAX];
	const struct snapmap_entry *entry[SNAPMAP_LEAF_GRANULES_MAX];
	u32 count;
};

#define leaf_fault(leaf, granule, format, ...)                                            \
	snapmap_check_fault((leaf)->check, (leaf)->block, "granule %u: " format, granule, \
			    ##__VA_ARGS__)

static bool is_external(const struct snapmap_entry *entry)
{
	return entry->value_len & SNAPMAP_ENTRY_EXTERNAL;
}

static u32 value_len(const struct snapmap_entry *entry)
{
	return entry->value_len & ~SNAPMAP_ENTRY_EXTERNAL;
}

static u32 value_offset(const struct snapmap_entry *entry)
{
	return sizeof(*entry) + snapmap_pad8(entry->key_len);
}

static u32 entry_granules(const struct snapmap_entry *entry)
{
	u32 tail = is_external(entry) ? sizeof(struct snapmap_extern) : value_len(entry);

	return (value_offset(entry) + tail + SNAPMAP_GRANULE_SIZE - 1) >> SNAPMAP_GRANULE_SHIFT;
}

/* Lengths first: all other checks rely on the entry ending inside the leaf. */
static bool check_size(struct leaf *leaf, u32 granule, const struct snapmap_entry *entry)
{
	bool fits;

	if (!entry->key_len || entry->key_len > SNAPMAP_KEY_MAX) {
		leaf_fault(leaf, granule, "a key of %u bytes", entry->key_len);
		return false;
	}
	if (value_len(entry) > SNAPMAP_VALUE_MAX) {
		leaf_fault(leaf, granule, "a value of %u bytes", value_len(entry));
		return false;
	}
	fits = value_offset(entry) + value_len(entry) <= SNAPMAP_ENTRY_INLINE_MAX;
	if (fits == is_external(entry)) {
		leaf_fault(leaf, granule, "a value of %u bytes lies %s the leaf", value_len(entry),
			   fits ? "outside" : "in");
		return false;
	}
	if (entry_granules(entry) > leaf->granules - granule) {
		leaf_fault(leaf, granule, "the entry does not end inside the leaf");
		return false;
	}
	return true;
}

/* The entry's tags: one that the hash names, then a continuation for each granule more. */
static void check_tags(struct leaf *leaf, u32 granule, u32 count, u64 hash)
{
	u32 i = 1;

	if (leaf->tags[granule] != snapmap_hash_tag(hash))
		leaf_fault(leaf, granule, "the tag is %u, the key's is %u", leaf->tags[granule],
			   snapmap_hash_tag(hash));
	while (i < count && leaf->tags[granule + i] == SNAPMAP_TAG_CONT)
		i++;
	if (i < count)
		leaf_fault(leaf, granule, "the entry takes %u granules, its tags %u", count, i);
}

static void check_hash(struct leaf *leaf, u32 granule, const struct snapmap_entry *entry, u64 hash)
{
	const struct snapmap_prefix *prefix = &leaf->prefix;

	if (entry->check != snapmap_hash_check(hash))
		leaf_fault(leaf, granule, "the check bits are not those of the key");
	if (prefix->len && (hash ^ prefix->bits) >> (64 - prefix->len))
		leaf_fault(leaf, granule, "the key's hash %#" PRIx64 " belongs to another leaf",
			   (uint64_t)hash);
}

static void check_version(struct leaf *leaf, u32 granule, const struct snapmap_entry *entry)
{
	uint64_t last = leaf->check->snapshot->header.version;

	if (!entry->version || entry->version > last)
		leaf_fault(leaf, granule, "version %" PRIu64 " in a snapshot of version %" PRIu64,
			   (uint64_t)entry->version, last);
}

static void check_padding(struct leaf *leaf, u32 granule, const struct snapmap_entry *entry)
{
	const u8 *key = (const u8 *)(entry + 1);
	u32 i;

	for (i = entry->key_len; i < snapmap_pad8(entry->key_len); i++) {
		if (key[i]) {
			leaf_fault(leaf, granule, "the padding of the key is not zero");
			return;
		}
	}
}

static void check_external(struct leaf *leaf, u32 granule, const struct snapmap_entry *entry)
{
	const struct snapmap_extern *external =
		(const void *)((const u8 *)entry + value_offset(entry));

	if (!is_external(entry))
		return;
	if (external->reserved)
		leaf_fault(leaf, granule, "a reserved member is not zero");
	snapmap_check_claim(leaf->check, external->block, snapmap_value_blocks(value_len(entry)),
			    "a value");
}

static void check_unique(struct leaf *leaf, u32 granule, const struct snapmap_entry *entry,
			 u64 hash)
{
	u32 i;

	for (i = 0; i < leaf->count; i++)
		if (leaf->hash[i] == hash && leaf->entry[i]->key_len == entry->key_len &&
		    !memcmp(leaf->entry[i] + 1, entry + 1, entry->key_len))
			leaf_fault(leaf, granule, "the key stands in the leaf twice");
	leaf->hash[leaf->count] = hash;
	leaf->entry[leaf->count++] = entry;
}

static void count_entry(struct snapmap_check *check, const struct snapmap_entry *entry)
{
	check->entries++;
	check->key_bytes += entry->key_len;
	check->value_bytes += value_len(entry);
	if (check->ops->progress && check->entries % PROGRESS_STEP == 0)
		check->ops->progress(check->data, check->entries);
}

/* Returns how many granules to go on by. */
static u32 check_entry(struct leaf *leaf, u32 granule)
{
	const struct snapmap_entry *entry = snapmap_leaf_entry(&leaf->copy, granule);
	u32 count;
	u64 hash;

	if (!check_size(leaf, granule, entry))
		return 1;
	count = entry_granules(entry);
	hash = snapmap_view_hash(leaf->check->view, entry + 1, entry->key_len);
	check_tags(leaf, granule, count, hash);
	check_hash(leaf, granule, entry, hash);
	if (leaf->check->filter &&
	    snapmap_view_denies(leaf->check->view, leaf->check->filter, hash))
		leaf_fault(leaf, granule, "the filter denies the key");
	check_version(leaf, granule, entry);
	check_padding(leaf, granule, entry);
	check_external(leaf, granule, entry);
	check_unique(leaf, granule, entry, hash);
	count_entry(leaf->check, entry);
	return count;
}

static void check_entries(struct leaf *leaf)
{
	u32 granule = 0;

	while (granule < leaf->granules) {
		if (leaf->tags[granule] >= SNAPMAP_TAG_FIRST) {
			granule += check_entry(leaf, granule);
			continue;
		}
		if (leaf->tags[granule] == SNAPMAP_TAG_CONT)
			leaf_fault(leaf, granule, "a continuation of no entry");
		granule++;
	}
}

/**
 * snapmap_check_leaf() - check a leaf and all its entries
 * @check: the verification
 * @ref: the leaf's reference, not 0
 * @prefix: the hash bits that the way to it has looked at
 */
void snapmap_check_leaf(struct snapmap_check *check, u32 ref, struct snapmap_prefix prefix)
{
	struct snapmap_leaf shown;
	struct leaf leaf;

	leaf.check = check;
	leaf.block = SNAPMAP_REF_BLOCK(ref);
	leaf.prefix = prefix;
	leaf.count = 0;
	if (snapmap_leaf_blocks(ref) > SNAPMAP_LEAF_BLOCKS_MAX) {
		snapmap_check_fault(check, leaf.block, "a leaf of %u blocks",
				    snapmap_leaf_blocks(ref));
		return;
	}
	if (!snapmap_check_claim(check, leaf.block, snapmap_leaf_blocks(ref), "a leaf"))
		return;
	if (!snapmap_leaf_at(check->view, ref, &shown)) {
		snapmap_check_fault(check, leaf.block, "a leaf in the last blocks of the arena");
		return;
	}
	if (!snapmap_check_claim_tags(check, leaf.block))
		return;
	leaf.copy = (struct snapmap_leaf){ leaf.tags, leaf.bytes, shown.blocks };
	leaf.granules = shown.blocks * SNAPMAP_BLOCK_GRANULES;
	memcpy(leaf.bytes, shown.bytes, (size_t)shown.blocks << SNAPMAP_BLOCK_SHIFT);
	memcpy(leaf.tags, shown.tags, leaf.granules);
	check_entries(&leaf);
}

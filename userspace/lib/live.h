/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * live.h - the likely case of a look-up in the current snapshot
 *
 * The filter denies the key, or the first entry with its tag has it, and its value lies
 * in the leaf and fits; and the version is current still. That is one straight line
 * without calls: a look-up in a large table waits for memory once, for the entry, and
 * the fewer instructions it has, the more of the next ones begin meanwhile. All other
 * cases begin anew (get.c).
 *
 * The value is copied out before the snapshot is known to have been intact, and
 * counts only when it proves to have been (promises A and B). Until then every byte
 * may be anything.
 *
 * get.c compiles it, and so do programs that include snapmap_inline.h.
 */
#ifndef SNAPMAP_LIVE_H
#define SNAPMAP_LIVE_H

#include <errno.h>

#include "barrier.h"

static inline bool snapmap_key_len_valid(size_t key_len)
{
	return key_len && key_len <= SNAPMAP_KEY_MAX;
}

/* As memcpy() does, but without a call for what lies in a leaf. */
static __always_inline void snapmap_copy(u8 *to, const u8 *from, size_t len)
{
	size_t at;

	if (likely(len >= 16 && len <= 32)) {
		memcpy(to, from, 16);
		memcpy(to + len - 16, from + len - 16, 16);
	} else if (len >= 16) {
		for (at = 0; at + 16 < len; at += 16)
			memcpy(to + at, from + at, 16);
		memcpy(to + len - 16, from + len - 16, 16);
	} else if (len >= 8) {
		memcpy(to, from, 8);
		memcpy(to + len - 8, from + len - 8, 8);
	} else {
		for (at = 0; at < len; at++)
			to[at] = from[at];
	}
}

/*
 * Copies out a value of @len bytes, which need not be @cap, of which @whole is a copy that
 * the compiler knows nothing of.
 *
 * Where the bytes go must not depend on what memory has yet to bring, and @len is a part
 * of that: loads wait for a store that may go anywhere, and so the next look-ups would
 * wait for this one. In place of computing with @len, the likely lengths are branched on.
 */
static __always_inline void snapmap_copy_value(u8 *to, const u8 *from, size_t len, size_t cap,
					       size_t whole)
{
	if (likely(len == cap)) {
		snapmap_copy(to, from, __builtin_constant_p(cap) ? cap : whole);
		return;
	}
	for (; len >= 16; len -= 16) {
		memcpy(to, from, 16);
		to += 16;
		from += 16;
		__asm__("" : "+r"(to)); /* else it is computed from @len */
	}
	if (len == 8)
		memcpy(to, from, 8);
	else if (len == 4)
		memcpy(to, from, 4);
	else
		snapmap_copy(to, from, len);
}

/*
 * Copies out the value of the entry at @granule, the first of those that @mask tells
 * of. Returns -EAGAIN in the less likely cases: another entry may be the one, the
 * value does not lie in the leaf, or is too long. A key and a value may lie behind the
 * leaf when they are none; so far they are inside the mapping.
 */
static __always_inline int snapmap_get_first(const struct snapmap_leaf *leaf, u64 mask, u32 granule,
					     const void *key, u32 key_len, void *buf, size_t cap,
					     struct snapmap_found *found)
{
	const struct snapmap_entry *entry = snapmap_leaf_entry(leaf, granule);
	const u8 *value = snapmap_value_at(entry, key_len);
	size_t whole = cap;
	u32 value_len;

	__asm__("" : "+r"(whole));
	if (!likely(READ_ONCE(entry->key_len) == key_len) ||
	    !likely(snapmap_key_equal((const u8 *)(entry + 1), (const u8 *)key, key_len)))
		return mask & (mask - 1) ? -EAGAIN : -ENOENT;
	value_len = READ_ONCE(entry->value_len);
	if (!likely(value_len <= SNAPMAP_ENTRY_INLINE_MAX - (u32)(value - (const u8 *)entry)) ||
	    !likely(value_len <= cap))
		return -EAGAIN;
	snapmap_copy_value((u8 *)buf, value, value_len, cap, whole);
	if (found) {
		found->value_len = value_len;
		found->entry_version = READ_ONCE(entry->version);
	}
	return 0;
}

/* The place in a leaf where a key mostly is, and the leaf's tags, are asked for. */
static __always_inline u32 snapmap_get_begin(const struct snapmap_leaf *leaf, u64 hash)
{
	u32 home = snapmap_leaf_home(leaf, hash);

	snapmap_leaf_prefetch(leaf, home);
	__builtin_prefetch(leaf->tags);
	return home;
}

static __always_inline int snapmap_get_in_leaf(const struct snapmap_leaf *leaf, u32 home, u64 hash,
					       const void *key, u32 key_len, void *buf, size_t cap,
					       struct snapmap_found *found)
{
	u64 mask = snapmap_leaf_match(leaf, home, hash);

	if (!mask)
		return -ENOENT;
	return snapmap_get_first(leaf, mask, snapmap_mask_first(mask, home), key, key_len, buf, cap,
				 found);
}

/* The leaf of a hash: by the directory if that tells it, or else by the walk. */
static __always_inline u32 snapmap_live_leaf(const struct snapmap_view *view,
					     const struct snapmap_control *control, u64 version,
					     u64 hash)
{
	u64 directory = snapmap_live_directory(control, version);
	u32 ref = 0;

	if (directory)
		ref = snapmap_view_entered(view, directory, hash);
	if (likely(snapmap_ref_is_leaf(ref)))
		return ref;
	return snapmap_walk(view, snapmap_live_root(control, version), hash);
}

/* What has been found out about @version, if that is the current one still. */
static __always_inline int snapmap_live_result(const struct snapmap_control *control, u64 version,
					       int err, struct snapmap_found *found)
{
	if (!likely(snapmap_live_recheck(control, version)))
		return -EAGAIN;
	if (found)
		found->version = version;
	return err;
}

/**
 * snapmap_get_live() - look a key up in the current snapshot
 * @view: the map's mapping
 * @key: the key
 * @key_len: its length, valid; best one that the compiler knows
 * @buf: where the value goes; holds anything after a failure
 * @cap: bytes that @buf holds
 * @found: out: as of snapmap_get(); may be NULL
 *
 * Return: 0, -ENOENT; -EAGAIN when it is not the likely case.
 */
static __always_inline int snapmap_get_live(const struct snapmap_view *view, const void *key,
					    size_t key_len, void *buf, size_t cap,
					    struct snapmap_found *found)
{
	const struct snapmap_control *control = snapmap_view_control(view);
	u64 hash = snapmap_view_hash(view, key, key_len);
	u64 version = snapmap_live_version(control);
	u64 filter = snapmap_live_filter(control, version);
	u32 ref = snapmap_live_leaf(view, control, version, hash);
	struct snapmap_leaf leaf;
	u32 home;
	int err;

	if (!snapmap_leaf_at(view, ref, &leaf))
		return snapmap_live_result(control, version, -ENOENT, found);
	home = snapmap_get_begin(&leaf, hash);
	/* The filter comes second: what most look-ups want is asked for as early as can be. */
	if (filter && snapmap_view_denies(view, filter, hash))
		return snapmap_live_result(control, version, -ENOENT, found);
	err = snapmap_get_in_leaf(&leaf, home, hash, key, key_len, buf, cap, found);
	return snapmap_live_result(control, version, err, found);
}

#endif /* SNAPMAP_LIVE_H */

/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * live.h - the likely case of a look-up in the current snapshot
 *
 * The first entry with the key's tag has it, and its value lies in the leaf and fits; or
 * there is none; and the version is current still. That is one straight line without
 * calls: a look-up in a large table waits for memory once, for the entry, and the fewer
 * instructions it has, the more of the next ones begin meanwhile. All other cases begin
 * anew (get.c).
 *
 * The value is copied out before the snapshot is known to have been intact, and
 * counts only when it proves to have been (promises A and B). Until then every byte
 * may be anything.
 *
 * The library compiles it (lookups.h, get.c), and so do programs that include snapmap_inline.h.
 */
#ifndef SNAPMAP_LIVE_H
#define SNAPMAP_LIVE_H

#include <errno.h>

#include "barrier.h"

static inline bool snapmap_key_len_valid(size_t key_len)
{
	return key_len && key_len <= SNAPMAP_KEY_MAX;
}

/* Copies @step bytes of @len, which is left as it is, and goes on behind them. */
static __always_inline void snapmap_copy_on(u8 **to, const u8 **from, size_t *len, size_t step)
{
	memcpy(*to, *from, step);
	*to += step;
	*from += step;
	__asm__("" : "+r"(*to), "+r"(*from), "+r"(*len)); /* else they are computed from it */
}

/*
 * Copies out a value of @len bytes, unless they are more than @cap, or than @room in which
 * it lies if it lies in the leaf.
 *
 * Where the bytes go must not depend on what memory has yet to bring, and @len is a part
 * of that: loads wait for a store that may go anywhere, and so the next look-ups would
 * wait for this one. In place of computing with @len, the likely lengths are branched on:
 * first that of a buffer that the value fills, if the compiler knows it or else if it is
 * 32. So much behind any key lies inside the mapping, as @room does.
 */
static __always_inline bool snapmap_copy_value(u8 *to, const u8 *from, size_t len, size_t cap,
					       size_t room)
{
	if (len == cap && (__builtin_constant_p(cap) ? cap <= room && cap <= 64 : cap == 32)) {
		memcpy(to, from, __builtin_constant_p(cap) ? cap : 32);
		return true;
	}
	if (!likely(len <= room) || !likely(len <= cap))
		return false;
	for (; len >= 16; len -= 16)
		snapmap_copy_on(&to, &from, &len, 16);
	if (len & 8)
		snapmap_copy_on(&to, &from, &len, 8);
	if (len & 4)
		snapmap_copy_on(&to, &from, &len, 4);
	if (len & 2)
		snapmap_copy_on(&to, &from, &len, 2);
	if (len & 1)
		*to = *from;
	return true;
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
	u32 value_len;

	if (!likely(READ_ONCE(entry->key_len) == key_len) ||
	    !likely(snapmap_key_equal((const u8 *)(entry + 1), (const u8 *)key, key_len)))
		return mask & (mask - 1) ? -EAGAIN : -ENOENT;
	value_len = READ_ONCE(entry->value_len);
	if (!likely(snapmap_copy_value((u8 *)buf, value, value_len, cap,
				       SNAPMAP_ENTRY_INLINE_MAX - (value - (const u8 *)entry))))
		return -EAGAIN;
	if (found) {
		found->value_len = value_len;
		found->entry_version = READ_ONCE(entry->version);
	}
	return 0;
}

static __always_inline int snapmap_get_in_leaf(const struct snapmap_leaf *leaf, u64 hash,
					       const void *key, u32 key_len, void *buf, size_t cap,
					       struct snapmap_found *found)
{
	u32 home = snapmap_leaf_home(leaf, hash);
	u64 mask;

	snapmap_leaf_prefetch(leaf, home); /* before the tags tell where it is */
	mask = snapmap_leaf_match(leaf, home, hash);
	if (!mask)
		return -ENOENT;
	return snapmap_get_first(leaf, mask, snapmap_mask_first(mask, home), key, key_len, buf, cap,
				 found);
}

/* Behind a key that was not there, the filter is asked first until so many have been. */
#define SNAPMAP_ASK_AGAIN 4

/*
 * How many more times this thread asks the filter first. Of a key that is there it tells
 * nothing, so it is asked while keys that are not there come, too.
 */
#ifdef SNAPMAP_INLINE
static __thread u8 snapmap_ask __attribute__((tls_model("initial-exec")));
#else
extern __thread u8 snapmap_ask __attribute__((tls_model("initial-exec"), visibility("hidden")));
#endif

/* Whether there is a filter that denies the key. */
static __always_inline bool snapmap_live_denies(const struct snapmap_view *view,
						const struct snapmap_control *control, u64 version,
						u64 hash)
{
	u64 filter = snapmap_live_filter(control, version);

	if (filter && snapmap_view_denies(view, filter, hash))
		return true;
	snapmap_ask--;
	return false;
}

/* The leaf of a hash: by the directory if that tells it, or else by the walk. */
static __always_inline u32 snapmap_live_leaf(const struct snapmap_view *view,
					     const struct snapmap_control *control, u64 version,
					     u64 hash)
{
	u64 directory = snapmap_live_directory(control, version);
	u32 ref = snapmap_view_entered(view, directory, hash);

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

/* The leaf of a hash in a table of one level at most, as those without a directory are; or 0. */
static __always_inline u32 snapmap_short_walk(const struct snapmap_view *view, u64 root, u64 hash)
{
	u32 ref = SNAPMAP_ROOT_REF(root);

	if (!SNAPMAP_ROOT_LEVELS(root))
		return ref;
	if (SNAPMAP_ROOT_LEVELS(root) > 1)
		return 0;
	return snapmap_child(view, ref, SNAPMAP_ROOT_BITS(root), 0, hash);
}

/**
 * snapmap_get_entered() - look up a key whose leaf the directory names, or the top node
 * @view: the map's mapping
 * @key: the key
 * @key_len: its length, valid; best one that the compiler knows
 * @buf: where the value goes; holds anything after a failure
 * @cap: bytes that @buf holds
 * @found: out: as of snapmap_get(); may be NULL
 *
 * The likeliest of the likely cases, in as few instructions as may be.
 *
 * Return: whether the key has been found; if not, it may be there all the same.
 */
static __always_inline bool snapmap_get_entered(const struct snapmap_view *view, const void *key,
						size_t key_len, void *buf, size_t cap,
						struct snapmap_found *found)
{
	/* The address is held: behind an acquire the compiler would load it again. */
	const u8 *base = view->base;
	const struct snapmap_control *control = (const struct snapmap_control *)base;
	u64 version = snapmap_live_version(control);
	u64 directory = snapmap_live_directory(control, version);
	u64 hash = snapmap_view_hash(view, key, key_len);
	struct snapmap_leaf leaf;
	u64 at, block;
	u32 ref;

	if (likely(directory)) {
		at = snapmap_directory_slot(directory, hash);
		if (!likely(at < view->bytes))
			return false;
		ref = READ_ONCE(*(const u32 *)(base + at));
	} else {
		ref = snapmap_short_walk(view, snapmap_live_root(control, version), hash);
	}
	leaf.blocks = snapmap_leaf_blocks(ref);
	block = snapmap_leaf_block(ref); /* none in the mapping when it is no leaf's */
	if (!likely(block - SNAPMAP_CONTROL_BLOCKS < view->leaf_blocks))
		return false;
	/* One hash in 128: for all others, the compiler now knows, the last byte is the tag. */
	if (!likely((u8)hash >= SNAPMAP_TAG_FIRST))
		return false;
	snapmap_leaf_place(base, block, &leaf);
	return !snapmap_get_in_leaf(&leaf, hash, key, key_len, buf, cap, found) &&
	       !snapmap_live_result(control, version, 0, found);
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
	struct snapmap_leaf leaf;
	int err;

	if (!likely(!snapmap_ask) && snapmap_live_denies(view, control, version, hash))
		return snapmap_live_result(control, version, -ENOENT, found);
	if (!snapmap_leaf_at(view, snapmap_live_leaf(view, control, version, hash), &leaf))
		return snapmap_live_result(control, version, -ENOENT, found);
	err = snapmap_get_in_leaf(&leaf, hash, key, key_len, buf, cap, found);
	if (err == -ENOENT)
		snapmap_ask = SNAPMAP_ASK_AGAIN;
	return snapmap_live_result(control, version, err, found);
}

#endif /* SNAPMAP_LIVE_H */

// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * dry_run.c - what a file would change
 *
 * Each key of the file is kept once, with what the file makes of it in the end;
 * values are compared with the snapshot as they come and then forgotten.
 */
#include "dry_run.h"

#include <errno.h>
#include <string.h>

/* What the file makes of a key. */
enum outcome {
	GONE,
	SAME,
	OTHER
};

/**
 * struct dry_key - a key of the file
 * @bytes: the key, behind this struct
 * @len: its length
 * @was_there: whether the snapshot has it
 * @outcome: what becomes of it
 */
struct dry_key {
	const char *bytes;
	gsize len;
	bool was_there;
	enum outcome outcome;
};

static guint hash_key(gconstpointer data)
{
	const struct dry_key *key = data;
	guint hash = 5381;
	gsize i;

	for (i = 0; i < key->len; i++)
		hash = hash * 33 + (guchar)key->bytes[i];
	return hash;
}

static gboolean equal_keys(gconstpointer left, gconstpointer right)
{
	const struct dry_key *a = left, *b = right;

#ifdef SNAPMAP_BREAK_SAME_KEY /* a deliberate break, for the test's own test */
	return a == b;
#endif
	return a->len == b->len && !memcmp(a->bytes, b->bytes, a->len);
}

/**
 * dry_run_begin() - begin
 * @run: filled
 * @snapshot: what the file is compared with
 */
void dry_run_begin(struct dry_run *run, const struct snapmap_snapshot *snapshot)
{
	run->snapshot = snapshot;
	run->keys = g_hash_table_new_full(hash_key, equal_keys, g_free, NULL);
}

/**
 * dry_run_end() - free what has been kept
 * @run: the run
 */
void dry_run_end(struct dry_run *run)
{
	g_hash_table_unref(run->keys);
}

static struct dry_key *key_of(struct dry_run *run, const struct record *record)
{
	const struct dry_key probe = { .bytes = record->key, .len = record->key_len };
	struct dry_key *key = g_hash_table_lookup(run->keys, &probe);

	if (key)
		return key;
	key = g_malloc(sizeof(*key) + record->key_len);
	key->bytes = memcpy(key + 1, record->key, record->key_len);
	key->len = record->key_len;
	g_hash_table_add(run->keys, key);
	return key;
}

static enum outcome outcome_of(const struct record *record, const struct snapmap_item *old)
{
	if (record->is_delete)
		return GONE;
	if (!old || old->value_len != record->value_len)
		return OTHER;
	return old->value_len && memcmp(old->value, record->value, old->value_len) ? OTHER : SAME;
}

/**
 * dry_run_take() - an operation of the file
 * @run: the struct dry_run
 * @record: the operation
 *
 * Return: 0 or a negative errno.
 */
int dry_run_take(void *run, const struct record *record)
{
	const struct snapmap_snapshot *snapshot = ((struct dry_run *)run)->snapshot;
	struct snapmap_item old;
	struct dry_key *key;
	int err = snapmap_pin_get(snapshot, record->key, record->key_len, &old);

	if (err == -ESTALE)
		return 0; /* for good; dry_run_add_up() will tell */
	if (err && err != -ENOENT)
		return err;
	key = key_of(run, record);
	key->was_there = !err;
	key->outcome = outcome_of(record, err ? NULL : &old);
	return 0;
}

static void count(struct dry_run_sum *sum, const struct dry_key *key)
{
	if (key->outcome == GONE)
		sum->removed += key->was_there;
	else if (!key->was_there)
		sum->added++;
	else if (key->outcome == SAME)
		sum->unchanged++;
	else
		sum->changed++;
}

/**
 * dry_run_add_up() - what would change
 * @run: the run, which has taken the whole file
 * @replace: whether keys that the file does not name would go
 * @sum: out
 *
 * Return: 0, or -ESTALE when the snapshot's pin has been revoked meanwhile.
 */
int dry_run_add_up(const struct dry_run *run, bool replace, struct dry_run_sum *sum)
{
	GHashTableIter iter;
	gpointer key;

	memset(sum, 0, sizeof(*sum));
	g_hash_table_iter_init(&iter, run->keys);
	while (g_hash_table_iter_next(&iter, &key, NULL))
		count(sum, key);
	if (replace)
		sum->removed += snapmap_pin_header(run->snapshot)->entries - sum->changed -
				sum->unchanged - sum->removed;
	return snapmap_pin_check(run->snapshot);
}

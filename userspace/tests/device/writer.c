// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * writer.c - commits whose values tell their version
 *
 * Each commit writes all hot keys, and writes or deletes some cold ones, with
 * lengths that change, so that memory is freed and reused in all sizes.
 */
#include "readers.h"

static u64 check_sum(u32 key, u64 version, u32 count)
{
	u64 state = version << 24 ^ (u64)count << 8 ^ key;

	return random_next(&state);
}

/* Fills @words; returns the value's bytes. @count is 2 or more. */
u32 value_make(u64 *words, u32 key, u64 version, u32 count)
{
	u32 i;

	for (i = 0; i < count - 1; i++)
		words[i] = version;
	words[i] = check_sum(key, version, count);
	return count * sizeof(*words);
}

bool value_is_whole(const void *value, size_t bytes, u32 key, u64 *version)
{
	const u64 *words = value;
	size_t count = bytes / sizeof(*words);
	size_t i;

	if (count < 2 || bytes % sizeof(*words))
		return false;
	for (i = 1; i < count - 1; i++)
		if (words[i] != words[0])
			return false;
	*version = words[0];
	return words[i] == check_sum(key, words[0], count);
}

static u32 random_count(u64 *rng)
{
	static const u32 bound[] = { 8, 8, 30, 120, 400 };

	if (!random_below(rng, 100))
		return 2 + random_below(rng, VALUE_WORDS - 1);
	return 2 + random_below(rng, bound[random_below(rng, ARRAY_SIZE(bound))]);
}

static void add_value(struct writer *writer, u32 key)
{
	static u64 words[VALUE_WORDS];
	u32 bytes = value_make(words, key, writer->version + 1, random_count(&writer->rng));

	batch_put(&writer->batch, &key, sizeof(key), words, bytes);
}

/* The values say which version they are for; -ECANCELED when it is another writer's. */
static int writer_send(struct writer *writer, u32 flags)
{
	struct snapmap_commit args = batch_args(&writer->batch, flags | SNAPMAP_COMMIT_IF_VERSION);
	int err;

	args.if_version = writer->version;
	err = ioc(writer->fd, SNAPMAP_IOC_COMMIT, &args);
	if (!err || err == -ECANCELED)
		writer->version = args.version;
	batch_clear(&writer->batch);
	return err;
}

/* Writes all keys. */
int writer_fill(struct writer *writer, u32 flags)
{
	u32 key;

	for (key = 0; key < HOT_KEYS + COLD_KEYS; key++)
		add_value(writer, key);
	return writer_send(writer, flags);
}

/* Fills the map; @fd has been opened for reading and writing. */
int writer_init(struct writer *writer, int fd, u64 seed)
{
	*writer = (struct writer){ .fd = fd, .rng = seed, .version = map_version(fd) };
	return writer_fill(writer, 0);
}

/* The next commit. */
int writer_commit(struct writer *writer)
{
	u32 key, i;

	for (key = 0; key < HOT_KEYS; key++)
		add_value(writer, key);
	for (i = random_below(&writer->rng, 6); i; i--) {
		key = HOT_KEYS + random_below(&writer->rng, COLD_KEYS);
		if (random_below(&writer->rng, 3))
			add_value(writer, key);
		else
			batch_delete(&writer->batch, &key, sizeof(key));
	}
	return writer_send(writer, 0);
}

void writer_exit(struct writer *writer)
{
	batch_free(&writer->batch);
}

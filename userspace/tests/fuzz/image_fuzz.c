// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * image_fuzz.c - the library's readers over an arena that has been damaged
 *
 * Promise H: whatever the bytes are, a look-up, an iteration, a comparison and a
 * verification end and stay inside the mapping. AddressSanitizer watches both ends of the
 * image; what is handed out as a pointer is compared with them here.
 *
 * Input: kind of image; number of changes; changes; keys to look for. A change is
 * a kind, a place and a value; a place is in units of what is changed.
 */
#include <errno.h>

#include "../../lib/map.h"
#include "../../lib/verify.h"
#include "fuzz.h"
#include "image.h"

#define CHANGES_MAX 63
#define CHANGE_SIZE 8 /* most bytes that one change writes */

/* How to undo a change: restoring is cheaper than copying the image each time. */
struct undo {
	size_t at;
	uint8_t was[CHANGE_SIZE];
};

static struct image images[IMAGE_KINDS];

static void write_at(struct image *image, size_t at, const void *bytes, size_t len,
		     struct undo *undo)
{
	at = at % (image->size - CHANGE_SIZE);
	undo->at = at;
	memcpy(undo->was, image->bytes + at, CHANGE_SIZE);
	memcpy(image->bytes + at, bytes, len);
}

/* One change: of any byte, of a reference, of a word in the control page, of 8 bytes. */
static void change(struct image *image, struct fuzz_input *input, struct undo *undo)
{
	uint8_t kind = fuzz_u8(input);
	uint32_t place = (uint32_t)fuzz_u8(input) << 16 | fuzz_u16(input);
	uint32_t word;
	uint64_t two;
	uint8_t byte;

	switch (kind % 4) {
	case 0:
		byte = fuzz_u8(input);
		write_at(image, place, &byte, sizeof(byte), undo);
		break;
	case 1:
		word = SNAPMAP_REF(fuzz_u16(input) % (image->size / SNAPMAP_BLOCK_SIZE + 9),
				   kind >> 4);
		write_at(image, (size_t)place * sizeof(word), &word, sizeof(word), undo);
		break;
	case 2:
		two = (uint64_t)fuzz_u32(input) << 32 | fuzz_u32(input);
		write_at(image, place % 40 * sizeof(two), &two, sizeof(two), undo);
		break;
	case 3:
		two = (uint64_t)fuzz_u32(input) << 32 | fuzz_u32(input);
		write_at(image, (size_t)place * sizeof(two), &two, sizeof(two), undo);
		break;
	}
}

static void check_range(const struct image *image, const void *bytes, size_t len)
{
	const uint8_t *at = bytes;

	CHECK(at >= image->bytes && at <= image->bytes + image->size);
	CHECK(len <= (size_t)(image->bytes + image->size - at));
}

/* Whether the filter, damaged maybe, denies a key to single look-ups, which others find. */
static bool is_denied(const struct snapmap *map, const uint8_t *key, uint32_t len)
{
	const struct snapmap_view *view = &map->mapping->view;
	const struct snapmap_control *control = snapmap_view_control(view);
	uint64_t filter = control->filter[control->version & 1];

	return filter && snapmap_view_denies(view, filter, snapmap_view_hash(view, key, len));
}

/* Whether the directory, damaged maybe, leads single look-ups to a leaf that others do not come to. */
static bool is_misled(const struct snapmap *map, const uint8_t *key, uint32_t len)
{
	const struct snapmap_view *view = &map->mapping->view;
	const struct snapmap_control *control = snapmap_view_control(view);
	uint64_t directory = control->directory[control->version & 1];
	uint64_t hash = snapmap_view_hash(view, key, len);
	uint32_t ref = snapmap_view_entered(view, directory, hash);

	return snapmap_ref_is_leaf(ref) &&
	       ref != snapmap_walk(view, control->root[control->version & 1], hash);
}

static void look_up(const struct image *image, const struct snapmap *map,
		    const struct snapmap_snapshot *snapshot, uint8_t id)
{
	uint8_t key[SNAPMAP_KEY_MAX];
	uint32_t len = image_key(id, key);
	struct snapmap_query query;
	struct snapmap_found found;
	struct snapmap_item item;
	static uint8_t large[SNAPMAP_VALUE_MAX];
	size_t cap = id % 2 ? sizeof(large) : id;
	void *small = malloc(id);
	void *value = id % 2 ? large : small;
	int ret;

	ret = snapmap_get(map, key, len, value, cap, &found);
	CHECK(ret == 0 || ret == -ENOENT || ret == -ERANGE);
	if (ret == 0)
		CHECK(found.value_len <= cap);
	query = (struct snapmap_query){ .key = key, .key_len = len, .buf = value, .cap = cap };
	CHECK(snapmap_get_many(map, &query, 1, NULL) == (query.err == 0));
	CHECK(query.err == ret || (ret == -ENOENT && is_denied(map, key, len)) ||
	      is_misled(map, key, len));
	free(small);

	ret = snapmap_pin_get(snapshot, key, len, &item);
	CHECK(ret == 0 || ret == -ENOENT || ret == -ESTALE);
	if (!ret)
		check_range(image, item.value, item.value_len);
}

/* Each granule of the image can hold one entry, and none is given twice. */
static void iterate(const struct image *image, const struct snapmap_snapshot *snapshot)
{
	uint64_t left = image->size >> SNAPMAP_GRANULE_SHIFT;
	struct snapmap_item item;
	struct snapmap_iter *iter;
	int ret = snapmap_iter_new(snapshot, &iter);

	if (ret) {
		CHECK(ret == -EUCLEAN || ret == -ESTALE);
		return;
	}
	while ((ret = snapmap_iter_next(iter, &item)) > 0) {
		CHECK(left--);
		check_range(image, item.key, item.key_len);
		check_range(image, item.value, item.value_len);
	}
	CHECK(ret == 0 || ret == -EUCLEAN || ret == -ESTALE);
	snapmap_iter_free(iter);
}

static void check_item(const struct image *image, const struct snapmap_item *item)
{
	if (!item->key)
		return;
	check_range(image, item->key, item->key_len);
	check_range(image, item->value, item->value_len);
}

/* Each granule can be met once in each of the two. Returns how many changes there are. */
static unsigned int compare(const struct image *image, const struct snapmap_snapshot *before,
			    const struct snapmap_snapshot *after)
{
	uint64_t left = image->size >> SNAPMAP_GRANULE_SHIFT << 1;
	struct snapmap_change change;
	struct snapmap_diff *diff;
	unsigned int changes = 0;
	int ret;

	CHECK(!snapmap_diff_new(before, after, &diff));
	while ((ret = snapmap_diff_next(diff, &change)) > 0) {
		CHECK(left--);
		CHECK(change.before.key || change.after.key);
		check_range(image, change.key, change.key_len);
		check_item(image, &change.before);
		check_item(image, &change.after);
		changes++;
	}
	CHECK(ret == 0 || ret == -EUCLEAN || ret == -ESTALE);
	snapmap_diff_free(diff);
	return changes;
}

static void fault(void *data, uint32_t block, const char *what)
{
	(void)data;
	(void)block;
	CHECK(strlen(what));
}

static void verify(const struct snapmap_snapshot *snapshot)
{
	static const struct snapmap_verify_ops ops = { .fault = fault };
	int ret = snapmap_verify(snapshot, &ops, NULL);

	CHECK(ret == 0 || ret == -EUCLEAN || ret == -ESTALE);
}

/* The current snapshot, or the one before it. */
static struct snapmap_snapshot pin(const struct image *image, struct snapmap_mapping *mapping,
				   uint64_t version)
{
	const struct snapmap_control *control = (void *)image->bytes;

	*mapping = (struct snapmap_mapping){
		.view = snapmap_view_of(image->bytes, image->size >> SNAPMAP_BLOCK_SHIFT),
		.refs = 1,
	};
	return (struct snapmap_snapshot){
		.fd = -1,
		.root = control->root[version & 1],
		.header = control->header[version & 1],
		.mapping = mapping,
	};
}

static void read_all(const struct image *image, struct fuzz_input *input)
{
	struct snapmap_control *control = (void *)image->bytes;
	struct snapmap_mapping mapping;
	struct snapmap_snapshot snapshot = pin(image, &mapping, control->version);
	struct snapmap_snapshot before = pin(image, &mapping, control->version - 1);
	const struct snapmap map = { -1, &mapping };

	/* Overtaken readers retry; here nobody would ever end that. */
	if (control->oldest > control->version)
		control->oldest = control->version;
	snapmap_header(&map, &snapshot.header);
	snapmap_state(&map);
	do
		look_up(image, &map, &snapshot, fuzz_u8(input));
	while (input->left);
	iterate(image, &snapshot);
	compare(image, &before, &snapshot);
	verify(&snapshot);
}

int LLVMFuzzerInitialize(int *argc, char ***argv);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct snapmap_snapshot before, after;
	struct snapmap_mapping mapping;

	(void)argc;
	(void)argv;
	for (unsigned int kind = 0; kind < IMAGE_KINDS; kind++) {
		image_make(&images[kind], kind);
		image_verify(&images[kind]);
		before = pin(&images[kind], &mapping, images[kind].header.version - 1);
		after = pin(&images[kind], &mapping, images[kind].header.version);
		CHECK(compare(&images[kind], &before, &after) == 3);
	}
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input input = { data, size };
	struct image *image = &images[fuzz_u8(&input) % IMAGE_KINDS];
	struct snapmap_control before = *(struct snapmap_control *)image->bytes;
	unsigned int changes = fuzz_u8(&input) % (CHANGES_MAX + 1);
	struct undo undo[CHANGES_MAX];
	unsigned int i;

	for (i = 0; i < changes; i++)
		change(image, &input, &undo[i]);
	read_all(image, &input);
	while (i--)
		memcpy(image->bytes + undo[i].at, undo[i].was, CHANGE_SIZE);
	memcpy(image->bytes, &before, sizeof(before));
	return 0;
}

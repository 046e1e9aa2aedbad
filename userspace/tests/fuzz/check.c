// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * check.c - an image as the library sees it: sound, or not
 */
#include "image.h"

#include "../../lib/verify.h"
#include "fuzz.h"

static void fault(void *data, uint32_t block, const char *what)
{
	(void)data;
	fprintf(stderr, "block %u: %s\n", block, what);
}

static uint64_t count_items(const struct snapmap_snapshot *snapshot)
{
	struct snapmap_item item;
	struct snapmap_iter *iter;
	uint64_t count = 0;
	int ret;

	CHECK(!snapmap_iter_new(snapshot, &iter));
	while ((ret = snapmap_iter_next(iter, &item)) > 0)
		count++;
	CHECK(!ret);
	snapmap_iter_free(iter);
	return count;
}

/**
 * image_verify() - an image must follow every rule of the format
 * @image: the image
 */
void image_verify(const struct image *image)
{
	static const struct snapmap_verify_ops ops = { .fault = fault };
	struct snapmap_mapping mapping = {
		.view = snapmap_view_of(image->bytes, image->size >> SNAPMAP_BLOCK_SHIFT),
		.refs = 1,
	};
	const struct snapmap_snapshot snapshot = {
		.fd = -1,
		.root = image->root,
		.header = image->header,
		.mapping = &mapping,
	};

	CHECK(!snapmap_verify(&snapshot, &ops, NULL));
	CHECK(count_items(&snapshot) == image->header.entries);
}

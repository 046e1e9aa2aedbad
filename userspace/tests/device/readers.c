// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * readers.c - processes that read and check
 *
 * A reader reports through shared memory and never through an exit status, for
 * it may be killed at any time.
 */
#include <signal.h>
#include <sys/mman.h>

#include "../../lib/barrier.h"
#include "readers.h"

static const char *const fault_names[FAULTS] = {
	"none",
	"a call failed",
	"a key is missing",
	"a torn value",
	"mixed",
	"versions went back",
	"older than a finished commit",
};

struct stage *stage_new(void)
{
	struct stage *stage = mmap(NULL, sizeof(*stage), PROT_READ | PROT_WRITE,
				   MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return stage == MAP_FAILED ? NULL : stage;
}

void stage_free(struct stage *stage)
{
	munmap(stage, sizeof(*stage));
}

static void report(struct reader *reader, enum fault fault, u64 first, u64 second)
{
	struct tally *tally = reader->tally;

	if (tally->fault)
		return;
	tally->detail[0] = first;
	tally->detail[1] = second;
	tally->fault = fault;
}

/* A snapshot's version: not older than @floor, a commit that had returned before. */
static void check_version(struct reader *reader, u64 version, u64 floor)
{
	if (version < floor)
		report(reader, FAULT_STALE, version, floor);
	if (version < reader->seen)
		report(reader, FAULT_BACKWARD, version, reader->seen);
	reader->seen = version;
}

/* An entry that was found in the snapshot @version. */
static void check_entry(struct reader *reader, u32 key, const void *value, size_t bytes,
			u64 entry_version, u64 version)
{
	u64 written = 0;

	if (!value_is_whole(value, bytes, key, &written))
		report(reader, FAULT_TORN, key, bytes);
	else if (written != entry_version || written > version ||
		 (key < HOT_KEYS && written != version))
		report(reader, FAULT_MIXED, written, version);
	reader->tally->lookups++;
}

static void check_result(struct reader *reader, u32 key, int err)
{
	if (err == -ENOENT && key >= HOT_KEYS)
		return; /* cold keys come and go */
	report(reader, err == -ENOENT ? FAULT_MISSING : FAULT_CALL, key, -err);
}

/* One key of three is hot. */
static u32 random_key(struct reader *reader)
{
	if (random_below(&reader->rng, 3))
		return random_below(&reader->rng, HOT_KEYS);
	return random_below(&reader->rng, HOT_KEYS + COLD_KEYS);
}

/* ------------------------------------------------------------- live */

static void live_lookup(struct reader *reader, struct snapmap *map, u64 *buf)
{
	u64 floor = atomic_load(&reader->stage->committed);
	u32 key = random_key(reader);
	struct snapmap_found found;
	int err = snapmap_get(map, &key, sizeof(key), buf, VALUE_WORDS * 8, &found);

	if (!err || err == -ENOENT)
		check_version(reader, found.version, floor);
	if (err)
		check_result(reader, key, err);
	else
		check_entry(reader, key, buf, found.value_len, found.entry_version, found.version);
}

#define MANY 37 /* two groups of the library's and a part of one */

static void live_lookups(struct reader *reader, struct snapmap *map)
{
	static u64 buf[MANY][VALUE_WORDS];
	u64 floor = atomic_load(&reader->stage->committed);
	struct snapmap_query queries[MANY];
	uint64_t version;
	u32 key[MANY];
	u32 i;

	for (i = 0; i < MANY; i++) {
		key[i] = random_key(reader);
		queries[i] = (struct snapmap_query){ .key = &key[i],
						     .key_len = sizeof(key[i]),
						     .buf = buf[i],
						     .cap = sizeof(buf[i]) };
	}
	snapmap_get_many(map, queries, MANY, &version);
	check_version(reader, version, floor);
	for (i = 0; i < MANY; i++)
		if (queries[i].err)
			check_result(reader, key[i], queries[i].err);
		else
			check_entry(reader, key[i], buf[i], queries[i].value_len,
				    queries[i].entry_version, version);
}

void reader_live(struct reader *reader)
{
	static u64 buf[VALUE_WORDS];
	struct snapmap *map;
	int err = snapmap_open(reader->name, O_RDONLY, &map);

	if (err) {
		report(reader, FAULT_CALL, -err, 0);
		return;
	}
	while (!atomic_load(&reader->stage->stop)) {
		live_lookup(reader, map, buf);
		live_lookups(reader, map);
	}
	snapmap_close(map);
}

/* ------------------------------------------------------------- by ioctl */

static void ioctl_lookup(struct reader *reader, int fd, u64 *buf)
{
	u64 floor = atomic_load(&reader->stage->committed);
	u32 key = random_key(reader);
	struct snapmap_get get = { .key = (uintptr_t)&key,
				   .key_len = sizeof(key),
				   .value = (uintptr_t)buf,
				   .value_len = VALUE_WORDS * 8 };
	int err = ioc(fd, SNAPMAP_IOC_GET, &get);

	if (!err || err == -ENOENT)
		check_version(reader, get.version, floor);
	if (err)
		check_result(reader, key, err);
	else
		check_entry(reader, key, buf, get.value_len, get.entry_version, get.version);
}

void reader_ioctl(struct reader *reader)
{
	static u64 buf[VALUE_WORDS];
	int fd = map_open(reader->name, O_RDONLY);

	if (fd < 0) {
		report(reader, FAULT_CALL, -fd, 0);
		return;
	}
	while (!atomic_load(&reader->stage->stop))
		ioctl_lookup(reader, fd, buf);
	close(fd);
}

/* ------------------------------------------------------------- pinned */

static void pinned_lookup(struct reader *reader, struct snapmap_snapshot *pin, u32 key)
{
	u64 version = snapmap_pin_version(pin);
	struct snapmap_item item;
	int err = snapmap_pin_get(pin, &key, sizeof(key), &item);

	if (err)
		check_result(reader, key, err);
	else
		check_entry(reader, key, item.value, item.value_len, item.version, version);
}

/* All of the snapshot, by iteration. */
static void pinned_scan(struct reader *reader, struct snapmap_snapshot *pin)
{
	u64 version = snapmap_pin_version(pin), left = snapmap_pin_header(pin)->entries;
	struct snapmap_iter *iter;
	struct snapmap_item item;
	int more = snapmap_iter_new(pin, &iter);
	u32 key;

	if (more < 0) {
		report(reader, FAULT_CALL, -more, 0);
		return;
	}
	while ((more = snapmap_iter_next(iter, &item)) > 0) {
		memcpy(&key, item.key, sizeof(key));
		check_entry(reader, key, item.value, item.value_len, item.version, version);
		left--;
	}
	if (more || left)
		report(reader, more ? FAULT_CALL : FAULT_MISSING, -more, left);
	snapmap_iter_free(iter);
}

static void pinned_round(struct reader *reader, struct snapmap *map)
{
	u64 floor = atomic_load(&reader->stage->committed);
	struct snapmap_snapshot *pin;
	int err = snapmap_pin(map, &pin);
	u32 key;

	if (err) {
		report(reader, FAULT_CALL, -err, 0);
		return;
	}
	check_version(reader, snapmap_pin_version(pin), floor);
	for (key = 0; key < HOT_KEYS; key++)
		pinned_lookup(reader, pin, key);
	if (!random_below(&reader->rng, 20))
		pinned_scan(reader, pin);
	for (key = 0; key < HOT_KEYS; key++) /* the same again (promise B) */
		pinned_lookup(reader, pin, key);
	snapmap_unpin(pin);
	reader->tally->pins++;
}

void reader_pinned(struct reader *reader)
{
	struct snapmap *map;
	int err = snapmap_open(reader->name, O_RDONLY, &map);

	if (err) {
		report(reader, FAULT_CALL, -err, 0);
		return;
	}
	while (!atomic_load(&reader->stage->stop))
		pinned_round(reader, map);
	snapmap_close(map);
}

/* ------------------------------------------------------------- lapped */

/*
 * Lets the writer go on for so many versions, or, once in four times, until blocks
 * have been reused, however long grace periods are; false when it has ended.
 */
static bool let_pass(struct reader *reader, const struct snapmap_control *control, u64 version)
{
	u64 target = version + random_below(&reader->rng, 60);
	bool overtaken = !random_below(&reader->rng, 4);

	while (overtaken ? snapmap_live_intact(control, version) :
			   snapmap_live_version(control) < target) {
		if (atomic_load(&reader->stage->stop))
			return false;
		nap(100);
	}
	return true;
}

/* Reads in the snapshot that was chosen before; what is found may be anything. */
static void lapped_lookup(struct reader *reader, const struct snapmap_view *view, u64 version,
			  u64 root, u64 *buf)
{
	struct snapmap_hit hit = { .value_len = 0 };
	u32 key = random_key(reader);
	bool found, fits;

	found = snapmap_lookup(view, root, snapmap_view_hash(view, &key, sizeof(key)), &key,
			       sizeof(key), &hit);
	fits = found && hit.value_len <= VALUE_WORDS * 8;
	if (fits)
		memcpy(buf, hit.value, hit.value_len);
	if (!snapmap_live_intact(snapmap_view_control(view), version))
		reader->tally->lapped++;
	else if (fits)
		check_entry(reader, key, buf, hit.value_len, hit.version, version);
	else
		check_result(reader, key, found ? -ERANGE : -ENOENT);
}

/*
 * The live protocol, held up between choosing the version and reading: most
 * often the blocks have been reused meanwhile, and the walk meets anything.
 */
static void lapped_round(struct reader *reader, const struct snapmap_view *view, u64 *buf)
{
	const struct snapmap_control *control = snapmap_view_control(view);
	u64 root, version = snapmap_live_begin(control, &root);
	int i;

	if (!let_pass(reader, control, version))
		return;
	for (i = 0; i < 64; i++)
		lapped_lookup(reader, view, version, root, buf);
}

void reader_lapped(struct reader *reader)
{
	static u64 buf[VALUE_WORDS];
	struct snapmap_view view;
	size_t bytes;
	int fd = map_open(reader->name, O_RDONLY);

	view.base = fd < 0 ? NULL : map_mapping(fd, &bytes);
	if (!view.base) {
		report(reader, FAULT_CALL, -fd, 0);
		return;
	}
	view = snapmap_view_of(view.base, bytes / SNAPMAP_BLOCK_SIZE);
	while (!atomic_load(&reader->stage->stop))
		lapped_round(reader, &view, buf);
	munmap((void *)view.base, bytes);
	close(fd);
}

/* ------------------------------------------------------------- processes */

pid_t reader_start(struct stage *stage, const char *name, unsigned int number, reader_fn run,
		   u64 seed)
{
	struct reader reader = {
		.stage = stage, .tally = &stage->tally[number], .name = name, .rng = seed + number
	};
	pid_t pid = child_start();

	if (pid)
		return pid;
	run(&reader);
	_exit(0);
}

bool stage_is_clean(const struct stage *stage)
{
	const struct tally *tally;
	bool clean = true;

	for (tally = stage->tally; tally < stage->tally + READERS_MAX; tally++) {
		if (!tally->fault)
			continue;
		note("reader %d: %s (%llu, %llu)", (int)(tally - stage->tally),
		     fault_names[tally->fault], tally->detail[0], tally->detail[1]);
		clean = false;
	}
	return clean;
}

void stage_print(const struct stage *stage)
{
	const struct tally *tally;

	for (tally = stage->tally; tally < stage->tally + READERS_MAX; tally++)
		if (tally->lookups || tally->lapped)
			note("reader %d: %llu look-ups, %llu pins, %llu discarded",
			     (int)(tally - stage->tally), tally->lookups, tally->pins,
			     tally->lapped);
}

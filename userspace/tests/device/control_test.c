// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * control_test.c - what CREATE and DESTROY refuse, and random arguments for all
 * ioctls (promise H)
 */
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "device.h"

static int create(struct snapmap_create *args)
{
	int fd = control_open(O_RDWR);
	int err = ioc(fd, SNAPMAP_IOC_CREATE, args);

	close(fd);
	return err;
}

static int destroy(struct snapmap_destroy *args)
{
	int fd = control_open(O_RDWR);
	int err = ioc(fd, SNAPMAP_IOC_DESTROY, args);

	close(fd);
	return err;
}

/* ------------------------------------------------------------- names */

static const struct {
	const char *what;
	u8 name[SNAPMAP_NAME_MAX + 1];
} bad_names[] = {
	{ "empty", "" },
	{ "reserved", "control" },
	{ "a leading dot", ".x" },
	{ "a dot", "." },
	{ "two dots", ".." },
	{ "a leading dash", "-x" },
	{ "a slash", "a/b" },
	{ "a leading slash", "/a" },
	{ "a blank", "a b" },
	{ "a line feed", "a\n" },
	{ "a percent sign", "a%s" },
	{ "an exclamation mark", "a!b" },
	{ "Latin-1", "a\xe4" },
	{ "UTF-8", "a\xc3\xa4" },
	{ "a control character", "a\x01" },
	{ "DEL", "a\x7f" },
	{ "garbage behind the end", { 'a', 0, 'b' } },
	{ "garbage at the very end", { [0] = 'a', [SNAPMAP_NAME_MAX] = 1 } },
	{ "no end", { [0 ... SNAPMAP_NAME_MAX] = 'a' } },
};

static void test_bad_names_H(void **state)
{
	struct snapmap_destroy gone = { .flags = 0 };
	struct snapmap_create args;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(bad_names); i++) {
		note("%s", bad_names[i].what);
		create_args(&args, "");
		memcpy(args.name, bad_names[i].name, sizeof(args.name));
		assert_int_equal(create(&args), -EINVAL);
		memcpy(gone.name, bad_names[i].name, sizeof(gone.name));
		assert_int_equal(destroy(&gone), -EINVAL);
		assert_int_equal(maps_in_sysfs(), 0);
	}
}

/* Every byte that is not allowed, in every place but the first. */
static void test_bytes_of_names_H(void **state)
{
	struct snapmap_create args;
	unsigned int byte;

	(void)state;
	for (byte = 1; byte < 256; byte++) {
		bool good = byte < 128 &&
			    (strchr("._-", (int)byte) || (byte >= '0' && byte <= '9') ||
			     (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z'));

		create_args(&args, "a");
		args.limit = SNAPMAP_LIMIT_MIN;
		args.name[1] = byte;
		assert_int_equal(create(&args), good ? 0 : -EINVAL);
		if (good)
			assert_int_equal(map_destroy((char *)args.name), 0);
	}
}

/* ------------------------------------------------------------- the other members */

static void assert_not_created(struct snapmap_create *args, int err)
{
	assert_int_equal(create(args), err);
	assert_int_equal(maps_in_sysfs(), 0);
}

static void test_limits_H(void **state)
{
	static const u64 bad[] = { 1, SNAPMAP_LIMIT_MIN - 1, SNAPMAP_LIMIT_MAX + 1, 1ULL << 63,
				   ~0ULL };
	static const u64 good[] = { 0, SNAPMAP_LIMIT_MIN, SNAPMAP_LIMIT_MIN + 1,
				    SNAPMAP_LIMIT_MAX - 1, SNAPMAP_LIMIT_MAX };
	struct snapmap_create args;
	size_t i;

	(void)state;
	create_args(&args, "limits");
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		args.limit = bad[i];
		assert_not_created(&args, -EINVAL);
	}
	for (i = 0; i < ARRAY_SIZE(good); i++) {
		args.limit = good[i];
		assert_int_equal(create(&args), 0);
		if (good[i])
			assert_int_equal(sysfs_value("limits", "limit_bytes"), good[i]);
		assert_true(sysfs_value("limits", "resident_bytes") <=
			    sysfs_value("limits", "limit_bytes"));
		assert_int_equal(map_destroy("limits"), 0);
	}
}

/* The largest span can be mapped, and the map works. */
static void test_largest_span_H(void **state)
{
	size_t bytes;
	const u8 *base;
	int fd;

	(void)state;
	assert_int_equal(map_create("largest", SNAPMAP_LIMIT_MAX), 0);
	fd = map_open("largest", O_RDWR);
	base = map_mapping(fd, &bytes);
	assert_non_null(base);
	assert_true(bytes >= SNAPMAP_LIMIT_MAX);
	assert_true(bytes <= (u64)SNAPMAP_BLOCKS_MAX * SNAPMAP_BLOCK_SIZE);
	assert_int_equal(base[bytes - 1], 0);
	assert_int_equal(put_string(fd, "key", "value"), 0);
	assert_true(key_is(fd, "key", "value"));
	munmap((void *)base, bytes);
	close(fd);
	assert_int_equal(map_destroy("largest"), 0);
}

static void test_mode_bits_H(void **state)
{
	struct snapmap_create args;
	int bit;

	(void)state;
	create_args(&args, "mode");
	for (bit = 9; bit < 32; bit++) {
		args.mode = 0600 | 1U << bit;
		assert_not_created(&args, -EINVAL);
	}
}

static void test_ids_that_are_none_H(void **state)
{
	struct snapmap_create args;

	(void)state;
	create_args(&args, "ids");
	args.uid = ~0U;
	assert_not_created(&args, -EINVAL);
	args.uid = 0;
	args.gid = ~0U;
	assert_not_created(&args, -EINVAL);
}

static void test_flags_and_reserved_members_H(void **state)
{
	struct snapmap_destroy gone = { .name = "kept" };
	struct snapmap_create args;
	int bit;

	(void)state;
	for (bit = 1; bit < 32; bit++) { /* the first flag there is */
		create_args(&args, "flags");
		args.flags = 1U << bit;
		assert_not_created(&args, -EINVAL);
	}
	create_args(&args, "history");
	args.history = SNAPMAP_HISTORY_MAX + 1;
	assert_not_created(&args, -EINVAL);
	create_args(&args, "lease");
	args.lease_ms = SNAPMAP_LEASE_MAX + 1;
	assert_not_created(&args, -EINVAL);
	assert_int_equal(map_create("kept", 0), 0);
	for (bit = 0; bit < 32; bit++) {
		gone.flags = 1U << bit;
		assert_int_equal(destroy(&gone), -EINVAL);
		gone.flags = 0;
		gone.reserved = 1U << bit;
		assert_int_equal(destroy(&gone), -EINVAL);
		gone.reserved = 0;
	}
	assert_int_equal(maps_in_sysfs(), 1);
	assert_int_equal(destroy(&gone), 0);
}

/* ------------------------------------------------------------- sizes, pointers */

static unsigned long resized(unsigned long request, size_t bytes)
{
	return _IOC(_IOC_DIR(request), _IOC_TYPE(request), _IOC_NR(request), bytes);
}

/* Shorter by part of the name, longer by zeroes, longer by something else. */
static void test_sizes_H(void **state)
{
	int fd = control_open(O_RDWR);
	struct {
		struct snapmap_create args;
		u8 more[32];
	} longer = { .more = { 0 } };
	struct {
		struct snapmap_destroy args;
		u8 more[32];
	} gone = { .args = { .name = "ab" } };

	(void)state;
	create_args(&longer.args, "abcdef");
	assert_int_equal(ioc(fd,
			     resized(SNAPMAP_IOC_CREATE, offsetof(struct snapmap_create, name) + 2),
			     &longer),
			 0);
	assert_int_equal(sysfs_value("ab", "version"), 1);
	assert_int_equal(ioc(fd, resized(SNAPMAP_IOC_DESTROY, sizeof(gone)), &gone), 0);
	assert_int_equal(ioc(fd, resized(SNAPMAP_IOC_CREATE, sizeof(longer)), &longer), 0);
	memcpy(gone.args.name, "abcdef", 6);
	gone.more[31] = 1;
	assert_int_equal(ioc(fd, resized(SNAPMAP_IOC_DESTROY, sizeof(gone)), &gone), -E2BIG);
	assert_int_equal(ioc(fd, SNAPMAP_IOC_DESTROY, &gone), 0);
	longer.more[0] = 1;
	assert_int_equal(ioc(fd, resized(SNAPMAP_IOC_CREATE, sizeof(longer)), &longer), -E2BIG);
	assert_int_equal(ioc(fd, resized(SNAPMAP_IOC_CREATE, 0), &longer), -EINVAL);
	assert_int_equal(maps_in_sysfs(), 0);
	close(fd);
}

static void test_pointers_H(void **state)
{
	u8 *page = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	u8 *at = page + PAGE - sizeof(struct snapmap_create);
	int fd = control_open(O_RDWR);

	(void)state;
	assert_int_equal(mprotect(page + PAGE, PAGE, PROT_NONE), 0);
	create_args((void *)at, "pointers");
	assert_int_equal(mprotect(page, PAGE, PROT_READ), 0);
	assert_int_equal(ioc(fd, SNAPMAP_IOC_CREATE, at), 0);
	assert_int_equal(ioc(fd, SNAPMAP_IOC_CREATE, at + 8), -EFAULT);
	assert_int_equal(ioc(fd, SNAPMAP_IOC_CREATE, NULL), -EFAULT);
	assert_int_equal(ioc(fd, SNAPMAP_IOC_DESTROY, NULL), -EFAULT);
	assert_int_equal(ioc(fd, SNAPMAP_IOC_DESTROY, at + 64), -EFAULT);
	assert_int_equal(map_destroy("pointers"), 0);
	munmap(page, 2 * PAGE);
	close(fd);
}

/* ------------------------------------------------------------- anything at all */

#define FUZZ_ROUNDS 200000

static const int documented[] = { 0,	  EALREADY, EBADF,  EBADFD,   E2BIG,  EBUSY,	ECANCELED,
				  EEXIST, EFAULT,   EINVAL, EMSGSIZE, ENODEV, ENOENT,	ENOMEM,
				  ENOSPC, ENOTTY,   ERANGE, ESTALE,   ETIME,  ETIMEDOUT };

static bool is_documented(int err)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(documented); i++)
		if (documented[i] == -err)
			return true;
	return false;
}

/* Mostly small numbers and addresses that lead somewhere, or nearly. */
static u64 random_word(u64 *rng, u64 page)
{
	switch (random_below(rng, 12)) {
	case 0:
		return random_next(rng);
	case 1:
		return random_next(rng) & 0xffffffff;
	case 2:
		return page + PAGE - random_below(rng, 64);
	case 3:
		return page + 8 * random_below(rng, 512);
	case 4:
		return 0xffff888000000000ULL + random_below(rng, PAGE);
	case 5:
		return 1ULL << random_below(rng, 64);
	case 6:
		return ~random_below(rng, 16);
	case 7:
		return random_below(rng, 2000);
	default:
		return 0;
	}
}

static unsigned long random_request(u64 *rng)
{
	static const unsigned long known[] = {
		SNAPMAP_IOC_CREATE,	SNAPMAP_IOC_DESTROY,   SNAPMAP_IOC_SET,
		SNAPMAP_IOC_INFO,	SNAPMAP_IOC_COMMIT,    SNAPMAP_IOC_GET,
		SNAPMAP_IOC_PIN,	SNAPMAP_IOC_WAIT,      SNAPMAP_IOC_LOG,
		SNAPMAP_IOC_PINS,	SNAPMAP_IOC_PIN_SET,   SNAPMAP_IOC_ROLLBACK,
		SNAPMAP_IOC_TXN,	SNAPMAP_IOC_TXN_ADD,   SNAPMAP_IOC_TXN_PREPARE,
		SNAPMAP_IOC_TXN_COMMIT, SNAPMAP_IOC_TXN_ABORT, SNAPMAP_IOC_TXN_INFO,
	};
	unsigned long request = known[random_below(rng, ARRAY_SIZE(known))];

	if (!random_below(rng, 8))
		request = resized(request, random_below(rng, 300));
	if (!random_below(rng, 100))
		request ^= 1ULL << random_below(rng, 32);
	return request;
}

/* Never waits: the version is none that there has been, or the time is short. */
static void tame_wait(u64 *words)
{
	struct snapmap_wait *wait = (void *)words;

	if (wait->timeout_ns < 0 || wait->timeout_ns > 1000000)
		wait->timeout_ns = 1000;
}

/* Where random calls go: a map, the control device, a pin, a transaction. */
enum {
	FD_MAP,
	FD_CONTROL,
	FD_PIN,
	FD_TXN,
	FDS
};

/* Its lease is over at once, so that nobody waits for it. */
static int txn_open(int fd)
{
	struct snapmap_txn args = { .lease_ms = 1 };

	return ioc(fd, SNAPMAP_IOC_TXN, &args);
}

static bool makes_descriptors(unsigned long request)
{
	return _IOC_NR(request) == _IOC_NR(SNAPMAP_IOC_PIN) ||
	       _IOC_NR(request) == _IOC_NR(SNAPMAP_IOC_PIN_SET) ||
	       _IOC_NR(request) == _IOC_NR(SNAPMAP_IOC_TXN);
}

static void fuzz_once(u64 *rng, const int fds[FDS], u64 *words, u64 page)
{
	unsigned long request = random_request(rng);
	int fd = fds[random_below(rng, FDS)], ret;
	size_t i;

	for (i = 0; i < 64; i++)
		words[i] = random_word(rng, page);
	if (_IOC_NR(request) == _IOC_NR(SNAPMAP_IOC_WAIT))
		tame_wait(words);
	ret = ioc(fd, request, words);
	if (ret >= 0 && fd == fds[FD_MAP] && makes_descriptors(request)) {
		close_range(fds[FD_TXN] + 1, ~0U, 0);
		ret = 0;
	}
	if (!is_documented(ret))
		note("ioctl %lx returned %d", request, ret);
	assert_true(is_documented(ret));
}

/* Nothing crashes, hangs or answers with an errno of its own. */
static void test_random_arguments_H(void **state)
{
	struct fixture *map = *state;
	u8 *page = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fds[FDS] = { map->fd, control_open(O_RDWR), map_pin(map->fd), txn_open(map->fd) };
	u64 rng = seed_of_test();
	u64 words[64];
	u32 i;

	assert_int_equal(mprotect(page + PAGE, PAGE, PROT_NONE), 0);
	for (i = 0; i < PAGE / 8; i++)
		((u64 *)page)[i] = random_word(&rng, (uintptr_t)page) & 0x0000ffff00ff0303ULL;
	assert_int_equal(put_string(map->fd, "key", "value"), 0);
	for (i = 0; i < FUZZ_ROUNDS; i++) {
		fuzz_once(&rng, fds, words, (uintptr_t)page);
		if (i % 1000)
			continue;
		close(fds[FD_TXN]); /* it has probably ended */
		fds[FD_TXN] = txn_open(map->fd);
	}
	note("%llu commits published, %llu failed", sysfs_value(map->name, "commits"),
	     sysfs_value(map->name, "failures"));
	note("%d maps created by chance", destroy_others(map->name));
	close(fds[FD_CONTROL]);
	close(fds[FD_PIN]);
	close(fds[FD_TXN]);
	assert_no_leak(map->fd);
	munmap(page, 2 * PAGE);
}

/* Batches whose bytes are nearly right. */
static void test_random_batches_H(void **state)
{
	struct fixture *map = *state;
	struct batch batch = { .data = NULL };
	static u8 bytes[4096];
	u64 rng = seed_of_test();
	u32 i, n;

	for (i = 0; i < 8000; i++) {
		batch_clear(&batch);
		for (n = 1 + random_below(&rng, 6); n; n--)
			batch_put(&batch, &i, 1 + random_below(&rng, 4), bytes,
				  random_below(&rng, random_below(&rng, 2) ? 50 : 4000));
		for (n = 1 + random_below(&rng, 3); n; n--)
			batch.data[random_below(&rng, batch.bytes)] ^= 1 << random_below(&rng, 8);
		assert_true(is_documented(batch_commit(map->fd, &batch, 0, NULL)));
	}
	note("%llu commits published, %llu failed, %llu conflicts",
	     sysfs_value(map->name, "commits"), sysfs_value(map->name, "failures"),
	     sysfs_value(map->name, "conflicts"));
	assert_no_leak(map->fd);
	batch_free(&batch);
}

static const struct CMUnitTest tests[] = {
	plain_test(test_bad_names_H),
	plain_test(test_bytes_of_names_H),
	plain_test(test_limits_H),
	plain_test(test_largest_span_H),
	plain_test(test_mode_bits_H),
	plain_test(test_ids_that_are_none_H),
	plain_test(test_flags_and_reserved_members_H),
	plain_test(test_sizes_H),
	plain_test(test_pointers_H),
	map_test(test_random_arguments_H),
	map_test(test_random_batches_H),
	plain_test(test_nothing_is_left_G),
};

int main(void)
{
	return cmocka_run_group_tests_name("control", tests, NULL, NULL);
}

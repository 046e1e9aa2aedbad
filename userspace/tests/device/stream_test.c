// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * stream_test.c - what is written to a transaction: in pieces of any length, more
 * than any buffer holds, and what is no batch at all (promises F, G and H)
 */
#include <sys/mman.h>
#include <sys/uio.h>

#include "versions.h"

#define ROOM   (200 * MIB)
#define KERNEL 0xffff888000000000ULL

static int setup_large(void **state)
{
	return fixture_new(state, ROOM);
}

#define large_test(f) cmocka_unit_test_setup_teardown(f, setup_large, fixture_teardown)

/* Some of everything: lengths of all kinds, puts and deletes. */
static void fill_mixed(struct batch *batch, u64 *rng, u32 ops)
{
	static u8 value[70000];
	u32 i, key;

	for (i = 0; i < ops; i++) {
		key = random_below(rng, 400);
		memset(value, random_below(rng, 256), sizeof(value));
		if (random_below(rng, 5))
			batch_put(batch, &key, 1 + random_below(rng, 4), value,
				  random_below(rng, random_below(rng, 20) ? 600 : sizeof(value)));
		else
			batch_delete(batch, &key, 1 + random_below(rng, 4));
	}
}

static void write_in_pieces(int txn, const struct batch *batch, u64 *rng, u32 longest)
{
	size_t done = 0, want;
	struct iovec vec[2];
	ssize_t ret;

	while (done < batch->bytes) {
		want = random_below(rng, longest + 1);
		if (want > batch->bytes - done)
			want = batch->bytes - done;
		vec[0] = (struct iovec){ batch->data + done, want / 2 };
		vec[1] = (struct iovec){ batch->data + done + want / 2, want - want / 2 };
		ret = writev(txn, vec, 2);
		assert_true(ret >= 0 && (size_t)ret <= want);
		done += ret;
	}
}

/* In pieces of any length it is the same as in one COMMIT. */
static void test_batch_comes_in_odd_pieces(void **state)
{
	static const u32 longest[] = { 1, 7, 8, 13, 100, 4095, 4097, 70000, 1 << 20 };
	struct fixture *map = *state;
	struct batch batch = { .data = NULL };
	struct snapmap_txn_info info;
	u64 rng = seed_of_test(), content;
	u32 tiny = is_slow() ? 100 : 8; /* pieces of which a batch takes very many */
	size_t i;
	int txn;

	for (i = 0; i < ARRAY_SIZE(longest); i++) {
		batch_clear(&batch);
		fill_mixed(&batch, &rng, longest[i] < tiny ? 20 : 300);
		assert_int_equal(batch_commit(map->fd, &batch, SNAPMAP_COMMIT_NOWAIT, NULL), 0);
		content = content_of(map->fd);
		txn = txn_open(map->fd, 0, 0);
		write_in_pieces(txn, &batch, &rng, longest[i]);
		assert_txn_info(txn, 0, &info);
		assert_int_equal(info.bytes, batch.bytes);
		assert_int_equal(txn_commit(txn, NULL), 0);
		assert_int_equal(content_of(map->fd), content);
		close(txn);
	}
	assert_no_leak(map->fd);
	batch_free(&batch);
}

/* Shmem of the guest, in bytes. */
static u64 shmem_bytes(void)
{
	FILE *file = fopen("/proc/meminfo", "re");
	u64 kib = ~0ULL;
	char line[100];

	while (file && fgets(line, sizeof(line), file))
		sscanf(line, "Shmem: %llu kB", &kib);
	if (file)
		fclose(file);
	return kib << 10;
}

static u64 huge_values(void)
{
	return is_slow() ? 25 : 60;
}

static bool memory_is_back(void *data)
{
	return shmem_bytes() < *(u64 *)data + 4 * MIB;
}

/* Larger than any buffer of the kernel's; its memory comes back. */
static void test_batch_is_huge_G(void **state)
{
	static u8 value[SNAPMAP_VALUE_MAX];
	struct fixture *map = *state;
	struct batch batch = { .data = NULL };
	u64 before = shmem_bytes(), rng = seed_of_test(), key;
	struct snapmap_txn_info info;
	int txn;

	assert_int_equal(map_set_lease(map->name, SNAPMAP_LEASE_MAX), 0);
	txn = txn_open(map->fd, 0, SNAPMAP_LEASE_MAX);
	for (key = 0; key < huge_values(); key++) {
		memset(value, key, sizeof(value));
		batch_clear(&batch);
		batch_put(&batch, &key, sizeof(key), value, sizeof(value));
		write_in_pieces(txn, &batch, &rng, 300000);
	}
	assert_txn_info(txn, 0, &info);
	assert_true(info.bytes > huge_values() * MIB);
	assert_true(shmem_bytes() >= before + huge_values() * MIB / 2);
	assert_int_equal(txn_commit(txn, NULL), 0);
	close(txn);
	assert_info(map->fd, &(struct snapmap_info){ .flags = 0 });
	assert_int_equal(map_version(map->fd), 2);
	assert_true(wait_until(memory_is_back, &before, PATIENCE));
	/* The same when it is given up. */
	txn = txn_open(map->fd, 0, 0);
	for (key = 0; key < huge_values(); key++)
		assert_int_equal(txn_write(txn, &batch), 0);
	close(txn);
	assert_true(wait_until(memory_is_back, &before, PATIENCE));
	batch_free(&batch);
}

/* What is no batch is told at PREPARE, with the errno that COMMIT has for it. */
static void test_malformed_batches_F_H(void **state)
{
	struct fixture *map = *state;
	struct batch batch = { .data = NULL };
	struct snapmap_txn_run run;
	struct snapmap_info before;
	int txn = txn_open(map->fd, 0, 0);

	assert_info(map->fd, &before);
	batch_puts(&batch, "key", "value");
	batch_puts(&batch, "other", "value");
	assert_int_equal(write(txn, batch.data, batch.bytes - 8), (ssize_t)batch.bytes - 8);
	assert_int_equal(txn_prepare(txn, &run), -EINVAL);
	assert_int_equal(run.failed_op, 1);
	assert_int_equal(run.version, 0);
	assert_unchanged(map->fd, &before);
	/* The rest may still come. */
	assert_int_equal(write(txn, batch.data + batch.bytes - 8, 8), 8);
	assert_int_equal(txn_prepare(txn, &run), 0);
	assert_int_equal(txn_commit(txn, NULL), 0);
	close(txn);
	txn = txn_open(map->fd, 0, 0);
	assert_int_equal(write(txn, batch.data, 3), 3);
	assert_int_equal(txn_commit(txn, &run), -EINVAL);
	assert_int_equal(run.failed_op, 0);
	close(txn);
	txn = txn_open(map->fd, 0, 0);
	assert_int_equal(txn_put(txn, "", "no key"), 0);
	assert_int_equal(txn_commit(txn, &run), -EMSGSIZE);
	assert_int_equal(run.failed_op, 0);
	close(txn);
	batch_free(&batch);
	assert_no_leak(map->fd);
}

/* A page that ends within a piece: what came before it counts, or nothing. */
static void test_writes_from_nowhere_H(void **state)
{
	struct fixture *map = *state;
	u8 *pages =
		mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct snapmap_txn_info info;
	int txn = txn_open(map->fd, 0, 0), ends[2];
	ssize_t ret;

	assert_int_equal(mprotect(pages + PAGE, PAGE, PROT_NONE), 0);
	assert_int_equal(write(txn, pages + PAGE, 8), -1);
	assert_int_equal(errno, EFAULT);
	assert_int_equal(write(txn, (void *)KERNEL, 8), -1);
	assert_int_equal(errno, EFAULT);
	ret = write(txn, pages + PAGE - 100, 200);
	assert_txn_info(txn, 0, &info);
	assert_int_equal(info.bytes, ret < 0 ? 0 : ret);
	assert_true(ret < 0 || ret <= 100);
	assert_int_equal(pwrite(txn, "x", 1, 0), -1);
	assert_int_equal(errno, ESPIPE);
	assert_int_equal(lseek(txn, 0, SEEK_SET), -1);
	assert_int_equal(errno, ESPIPE);
	assert_int_equal(read(txn, pages, 8), -1);
	assert_int_equal(errno, EBADF);
	assert_ptr_equal(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, txn, 0), MAP_FAILED);
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_int_equal(write(ends[1], "12345678", 8), 8);
	assert_int_equal(splice(ends[0], NULL, txn, NULL, 8, 0), -1);
	assert_int_equal(errno, EINVAL);
	close(ends[0]);
	close(ends[1]);
	close(txn);
	munmap(pages, 2 * PAGE);
}

static const struct CMUnitTest tests[] = {
	map_test(test_batch_comes_in_odd_pieces), large_test(test_batch_is_huge_G),
	map_test(test_malformed_batches_F_H),	  map_test(test_writes_from_nowhere_H),
	plain_test(test_nothing_is_left_G),
};

int main(void)
{
	return cmocka_run_group_tests_name("stream", tests, NULL, NULL);
}

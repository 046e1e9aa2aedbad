// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * abi_test.c - the rules that all ioctls share (promise H)
 *
 * A struct may be shorter or longer than the kernel's; unknown bits, numbers
 * and descriptors are refused with one errno each; bad pointers change nothing.
 */
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "device.h"

/* ------------------------------------------------------------- the ioctls of a map */

/**
 * struct call - an ioctl of a map with arguments that make it succeed
 * @name: what to print
 * @request: its number
 * @bytes: size of its struct
 * @least: the shortest that says enough
 * @writes: it needs a descriptor that is open for writing, else for reading
 * @on_pin: pins have it too
 */
struct call {
	const char *name;
	unsigned long request;
	size_t bytes;
	size_t least;
	bool writes;
	bool on_pin;
};

#define CALL(name, struct_name, ...)                                               \
	{                                                                          \
#name, SNAPMAP_IOC_##name, sizeof(struct struct_name), __VA_ARGS__ \
	}

static const struct call calls[] = {
	CALL(INFO, snapmap_info, 0, false, true),  CALL(COMMIT, snapmap_commit, 24, true, false),
	CALL(GET, snapmap_get, 32, false, true),   CALL(PIN, snapmap_pin, 0, false, false),
	CALL(WAIT, snapmap_wait, 0, false, false),
};

union any_args {
	u8 bytes[512];
	struct snapmap_create create;
	struct snapmap_destroy destroy;
	struct snapmap_info info;
	struct snapmap_commit commit;
	struct snapmap_get get;
	struct snapmap_pin pin;
	struct snapmap_wait wait;
};

static struct batch one_put;
static char value_buf[64];

/* Arguments with which the call succeeds on a map that holds "key". */
static void good_args(const struct call *call, union any_args *args)
{
	memset(args, 0, sizeof(*args));
	if (call->request == SNAPMAP_IOC_COMMIT)
		args->commit = batch_args(&one_put, 0);
	if (call->request != SNAPMAP_IOC_GET)
		return;
	args->get.key = (uintptr_t) "key";
	args->get.key_len = 3;
	args->get.value = (uintptr_t)value_buf;
	args->get.value_len = sizeof(value_buf);
}

/* The number of an ioctl for a struct of another size. */
static unsigned long resized(unsigned long request, size_t bytes)
{
	return _IOC(_IOC_DIR(request), _IOC_TYPE(request), _IOC_NR(request), bytes);
}

/* Runs a call, and closes what it may have opened. */
static int run(int fd, unsigned long request, void *args)
{
	int ret = ioc(fd, request, args);

	if (ret > 0) {
		close(ret);
		ret = 0;
	}
	return ret;
}

static int group_setup(void **state)
{
	(void)state;
	batch_puts(&one_put, "key", "value");
	return 0;
}

static int group_teardown(void **state)
{
	(void)state;
	batch_free(&one_put);
	return 0;
}

static int setup_with_key(void **state)
{
	struct fixture *map;

	if (fixture_setup(state))
		return -1;
	map = *state;
	return put_string(map->fd, "key", "value");
}

static void test_calls_succeed_as_they_are(void **state)
{
	struct fixture *map = *state;
	union any_args args;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(calls); i++) {
		good_args(&calls[i], &args);
		assert_int_equal(run(map->fd, calls[i].request, &args), 0);
	}
}

/* ------------------------------------------------------------- sizes */

static void test_longer_structs_with_zeroes(void **state)
{
	struct fixture *map = *state;
	union any_args args;
	size_t i, more;

	for (i = 0; i < ARRAY_SIZE(calls); i++)
		for (more = 1; more <= 64; more += 7) {
			good_args(&calls[i], &args);
			assert_int_equal(run(map->fd,
					     resized(calls[i].request, calls[i].bytes + more),
					     &args),
					 0);
		}
}

static void test_longer_structs_with_anything_else_F_H(void **state)
{
	struct fixture *map = *state;
	struct snapmap_info before;
	union any_args args;
	size_t i, at;

	assert_info(map->fd, &before);
	for (i = 0; i < ARRAY_SIZE(calls); i++)
		for (at = 0; at < 64; at++) {
			good_args(&calls[i], &args);
			args.bytes[calls[i].bytes + at] = 1;
			assert_int_equal(run(map->fd,
					     resized(calls[i].request, calls[i].bytes + 64), &args),
					 -E2BIG);
		}
	assert_unchanged(map->fd, &before);
}

/* What is missing counts as 0, and nothing is written behind the end. */
static void test_shorter_structs_H(void **state)
{
	struct fixture *map = *state;
	union any_args args;
	size_t i, bytes, j;

	for (i = 0; i < ARRAY_SIZE(calls); i++)
		for (bytes = calls[i].least; bytes < calls[i].bytes; bytes += 4) {
			good_args(&calls[i], &args);
			memset(args.bytes + bytes, 0xa5, sizeof(args) - bytes);
			assert_int_equal(run(map->fd, resized(calls[i].request, bytes), &args), 0);
			for (j = bytes; j < sizeof(args); j++)
				assert_int_equal(args.bytes[j], 0xa5);
		}
}

static void test_shorter_structs_say_the_same(void **state)
{
	struct fixture *map = *state;
	struct snapmap_info whole, part;

	assert_info(map->fd, &whole);
	memset(&part, 0, sizeof(part));
	assert_int_equal(ioc(map->fd,
			     resized(SNAPMAP_IOC_INFO, offsetof(struct snapmap_info, root)), &part),
			 0);
	assert_memory_equal(&part.header, &whole.header, sizeof(part.header));
	assert_int_equal(part.span, 0);
}

/* ------------------------------------------------------------- flags, reserved members */

static void refuse_bits(int fd, const struct call *call, size_t offset, int first, int end)
{
	struct snapmap_info before;
	union any_args args;
	int bit;

	assert_info(fd, &before);
	for (bit = first; bit < end; bit++) {
		good_args(call, &args);
		args.bytes[offset + bit / 8] |= 1 << bit % 8;
		assert_int_equal(run(fd, call->request, &args), -EINVAL);
		assert_unchanged(fd, &before);
	}
}

static void test_unknown_flags_F_H(void **state)
{
	struct fixture *map = *state;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(calls); i++)
		refuse_bits(map->fd, &calls[i], 0, calls[i].writes ? 3 : 0, 32);
}

static void test_reserved_members_F_H(void **state)
{
	struct fixture *map = *state;

	refuse_bits(map->fd, &calls[1], offsetof(struct snapmap_commit, reserved), 0, 32);
	refuse_bits(map->fd, &calls[2], offsetof(struct snapmap_get, reserved), 0, 32);
	refuse_bits(map->fd, &calls[3], offsetof(struct snapmap_pin, reserved), 0, 32);
	refuse_bits(map->fd, &calls[3], offsetof(struct snapmap_pin, version), 0, 64);
}

/* Members that belong to a flag that is not given. */
static void test_members_without_their_flag_F_H(void **state)
{
	struct fixture *map = *state;

	refuse_bits(map->fd, &calls[1], offsetof(struct snapmap_commit, if_version), 0, 64);
	refuse_bits(map->fd, &calls[1], offsetof(struct snapmap_commit, stamp), 0, 64);
}

/* What a call gives out is ignored as its input. */
static void test_out_members_are_ignored(void **state)
{
	struct fixture *map = *state;
	union any_args args;

	memset(&args, 0xff, sizeof(args));
	args.info.flags = 0;
	assert_int_equal(ioc(map->fd, SNAPMAP_IOC_INFO, &args), 0);
	good_args(&calls[1], &args);
	memset(args.bytes + offsetof(struct snapmap_commit, version), 0xff,
	       sizeof(args.commit) - offsetof(struct snapmap_commit, version));
	assert_int_equal(ioc(map->fd, SNAPMAP_IOC_COMMIT, &args), 0);
	assert_int_equal(args.commit.missing, 0);
	good_args(&calls[2], &args);
	args.get.version = args.get.entry_version = ~0ULL;
	assert_int_equal(ioc(map->fd, SNAPMAP_IOC_GET, &args), 0);
	assert_int_equal(args.get.version, map_version(map->fd));
}

/* ------------------------------------------------------------- pointers */

/* A page that ends at memory that cannot be reached. */
static u8 *page_at_the_edge(void)
{
	u8 *at = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(at, MAP_FAILED);
	assert_int_equal(mprotect(at + PAGE, PAGE, PROT_NONE), 0);
	return at;
}

#define KERNEL_ADDRESS ((void *)0xffff888000000000UL)
#define NO_ADDRESS     ((void *)0x0008000000000000UL) /* not canonical */

static void test_structs_nowhere_F_H(void **state)
{
	struct fixture *map = *state;
	void *const nowhere[] = { NULL, (void *)1, KERNEL_ADDRESS, NO_ADDRESS, (void *)-8L };
	struct snapmap_info before;
	size_t i, j;

	assert_info(map->fd, &before);
	for (i = 0; i < ARRAY_SIZE(calls); i++)
		for (j = 0; j < ARRAY_SIZE(nowhere); j++)
			assert_int_equal(run(map->fd, calls[i].request, nowhere[j]), -EFAULT);
	assert_unchanged(map->fd, &before);
}

static void test_structs_at_the_edge_of_memory_F_H(void **state)
{
	struct fixture *map = *state;
	u8 *page = page_at_the_edge();
	struct snapmap_info before;
	union any_args args;
	size_t i;
	u8 *at;

	for (i = 0; i < ARRAY_SIZE(calls); i++) {
		at = page + PAGE - calls[i].bytes;
		good_args(&calls[i], &args);
		memcpy(at, &args, calls[i].bytes);
		assert_int_equal(run(map->fd, calls[i].request, at), 0);
		assert_info(map->fd, &before);
		memcpy(at + 1, &args, calls[i].bytes - 1);
		assert_int_equal(run(map->fd, calls[i].request, at + 1), -EFAULT);
		assert_unchanged(map->fd, &before);
	}
	munmap(page, 2 * PAGE);
}

/* The lowest descriptor that is free. */
static int next_fd(void)
{
	int fd = dup(0);

	close(fd);
	return fd;
}

/*
 * A call that cannot give its answer has not been done: EFAULT means that
 * nothing has changed, and no descriptor has been opened.
 */
static void refuse_read_only_struct(int map, const struct call *call)
{
	u8 *page = page_at_the_edge();
	struct snapmap_info before;
	int fd = next_fd();

	good_args(call, (void *)page);
	assert_int_equal(mprotect(page, PAGE, PROT_READ), 0);
	assert_info(map, &before);
	assert_int_equal(run(map, call->request, page), -EFAULT);
	assert_unchanged(map, &before);
	assert_int_equal(next_fd(), fd);
	munmap(page, 2 * PAGE);
}

static void test_read_only_structs_of_queries_H(void **state)
{
	struct fixture *map = *state;

	refuse_read_only_struct(map->fd, &calls[0]);
	refuse_read_only_struct(map->fd, &calls[2]);
	refuse_read_only_struct(map->fd, &calls[4]);
}

static void test_read_only_struct_of_a_commit_F(void **state)
{
	struct fixture *map = *state;

	refuse_read_only_struct(map->fd, &calls[1]);
}

static void test_read_only_struct_of_a_pin_F(void **state)
{
	struct fixture *map = *state;

	refuse_read_only_struct(map->fd, &calls[3]);
}

static int get_of(int fd, const void *key, u64 key_len, void *value, u64 value_len)
{
	struct snapmap_get get = {
		.key = (uintptr_t)key,
		.key_len = key_len,
		.value = (uintptr_t)value,
		.value_len = value_len,
	};

	return ioc(fd, SNAPMAP_IOC_GET, &get);
}

static void test_keys_and_values_nowhere_H(void **state)
{
	struct fixture *map = *state;
	void *const nowhere[] = { NULL, (void *)1, KERNEL_ADDRESS, NO_ADDRESS, (void *)-2L };
	u8 *page = page_at_the_edge(), *end = page + PAGE;
	char buf[8];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(nowhere); i++) {
		assert_int_equal(get_of(map->fd, nowhere[i], 3, buf, 8), -EFAULT);
		assert_int_equal(get_of(map->fd, "key", 3, nowhere[i], 8), -EFAULT);
		assert_int_equal(get_of(map->fd, "no!", 3, nowhere[i], 8), -ENOENT);
		assert_int_equal(get_of(map->fd, "key", 3, nowhere[i], 4), -ERANGE);
	}
	memcpy(end - 3, "key", 3);
	assert_int_equal(get_of(map->fd, end - 3, 3, buf, 8), 0);
	assert_int_equal(get_of(map->fd, end - 2, 3, buf, 8), -EFAULT);
	/* The buffer may be said to be longer than it is, if the value fits. */
	assert_int_equal(get_of(map->fd, "key", 3, end - 5, 0xffffffff), 0);
	assert_int_equal(get_of(map->fd, "key", 3, end - 4, 5), -EFAULT);
	munmap(page, 2 * PAGE);
}

static void test_batches_nowhere_F_H(void **state)
{
	struct fixture *map = *state;
	static const u64 nowhere[] = { 0,
				       8,
				       0xffff888000000000UL,
				       0x0008000000000000UL,
				       0xfffffffffffffff8UL,
				       0x00007ffffffff000UL };
	static const u64 lengths[] = { 16, 24, 4096, 1ULL << 32, 1ULL << 47, 1ULL << 63, -8ULL };
	struct snapmap_commit args;
	struct snapmap_info before;
	size_t i, j;

	assert_info(map->fd, &before);
	for (i = 0; i < ARRAY_SIZE(nowhere); i++)
		for (j = 0; j < ARRAY_SIZE(lengths); j++) {
			args = (struct snapmap_commit){ .ops = nowhere[i],
							.ops_bytes = lengths[j] };
			assert_int_equal(ioc(map->fd, SNAPMAP_IOC_COMMIT, &args), -EFAULT);
			assert_unchanged(map->fd, &before);
		}
}

/* More than there is: the batch is followed by what cannot be reached. */
static void test_batches_longer_than_memory_F_H(void **state)
{
	struct fixture *map = *state;
	static const u64 lengths[] = { 4096, 1ULL << 32, 1ULL << 47, 1ULL << 63, -8ULL };
	u8 *page = page_at_the_edge();
	struct snapmap_commit args;
	struct snapmap_info before;
	size_t i;

	memcpy(page + PAGE - one_put.bytes, one_put.data, one_put.bytes);
	assert_info(map->fd, &before);
	for (i = 0; i < ARRAY_SIZE(lengths); i++) {
		args = batch_args(&one_put, 0);
		args.ops = (uintptr_t)(page + PAGE - one_put.bytes);
		args.ops_bytes = lengths[i];
		assert_int_equal(ioc(map->fd, SNAPMAP_IOC_COMMIT, &args), -EFAULT);
		assert_unchanged(map->fd, &before);
	}
	munmap(page, 2 * PAGE);
}

/* ------------------------------------------------------------- GET */

static void test_get_lengths_H(void **state)
{
	struct fixture *map = *state;
	static const u32 bad[] = { 0, SNAPMAP_KEY_MAX + 1, 0x10000, 0x7fffffff, 0xffffffff };
	static u8 key[SNAPMAP_KEY_MAX];
	struct snapmap_get get;
	char buf[8];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(get_of(map->fd, key, bad[i], buf, 8), -EMSGSIZE);
	assert_int_equal(get_of(map->fd, key, SNAPMAP_KEY_MAX, buf, 8), -ENOENT);
	assert_int_equal(key_get(map->fd, "key", buf, 4, &get), -ERANGE);
	assert_int_equal(get.value_len, 5);
	assert_int_equal(get.entry_version, 2);
	assert_int_equal(get.version, 2);
	assert_int_equal(key_get(map->fd, "key", NULL, 0, &get), -ERANGE);
	assert_int_equal(get.value_len, 5);
	assert_int_equal(key_get(map->fd, "nokey", buf, 8, &get), -ENOENT);
	assert_int_equal(get.version, 2);
	assert_int_equal(put_string(map->fd, "empty", ""), 0);
	assert_int_equal(key_get(map->fd, "empty", NULL, 0, &get), 0);
	assert_int_equal(get.value_len, 0);
}

/* ------------------------------------------------------------- descriptors */

static void refuse_all(int fd, int err, bool with_maps, bool with_control)
{
	union any_args args;
	size_t i;

	for (i = 0; with_maps && i < ARRAY_SIZE(calls); i++) {
		good_args(&calls[i], &args);
		assert_int_equal(run(fd, calls[i].request, &args), err);
	}
	create_args(&args.create, "never");
	if (with_control) {
		assert_int_equal(run(fd, SNAPMAP_IOC_CREATE, &args), err);
		assert_int_equal(run(fd, SNAPMAP_IOC_DESTROY, &args), err);
	}
}

static void test_wrong_descriptors_H(void **state)
{
	struct fixture *map = *state;
	int control = control_open(O_RDWR), null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int pin = map_pin(map->fd);
	union any_args args;
	size_t i;

	refuse_all(null, -ENOTTY, true, true);
	refuse_all(control, -ENOTTY, true, false);
	refuse_all(map->fd, -ENOTTY, false, true);
	refuse_all(pin, -ENOTTY, false, true);
	for (i = 0; i < ARRAY_SIZE(calls); i++) {
		good_args(&calls[i], &args);
		assert_int_equal(run(pin, calls[i].request, &args), calls[i].on_pin ? 0 : -ENOTTY);
	}
	close(control);
	close(null);
	close(pin);
}

static void test_wrong_open_mode_H(void **state)
{
	struct fixture *map = *state;
	int reader = map_open(map->name, O_RDONLY), writer = map_open(map->name, O_WRONLY);
	union any_args args;
	char buf[8];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(calls); i++) {
		good_args(&calls[i], &args);
		assert_int_equal(run(reader, calls[i].request, &args),
				 calls[i].writes ? -EBADF : 0);
		good_args(&calls[i], &args);
		assert_int_equal(run(writer, calls[i].request, &args),
				 calls[i].writes ? 0 : -EBADF);
	}
	assert_int_equal(read(writer, buf, 8), -1);
	assert_int_equal(errno, EBADF);
	close(reader);
	close(writer);
	reader = control_open(O_RDONLY);
	refuse_all(reader, -EBADF, false, true);
	close(reader);
}

static bool is_known(unsigned int number)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(calls); i++)
		if (_IOC_NR(calls[i].request) == number)
			return true;
	return number <= 1;
}

static void test_unknown_numbers_H(void **state)
{
	struct fixture *map = *state;
	int control = control_open(O_RDWR), pin = map_pin(map->fd);
	union any_args args = { .bytes = { 0 } };
	unsigned int number, dir;

	for (number = 0; number < 256; number++)
		for (dir = 0; dir < 4 && !is_known(number); dir++) {
			unsigned long request = _IOC(dir, SNAPMAP_IOC_TYPE, number, 16);

			assert_int_equal(ioc(map->fd, request, &args), -ENOTTY);
			assert_int_equal(ioc(control, request, &args), -ENOTTY);
			assert_int_equal(ioc(pin, request, &args), -ENOTTY);
		}
	close(control);
	close(pin);
}

/* The right number with another type or direction is another ioctl. */
static void test_other_types_and_directions_H(void **state)
{
	struct fixture *map = *state;
	union any_args args = { .bytes = { 0 } };
	unsigned int dir;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(calls); i++) {
		unsigned long request = calls[i].request;

		for (dir = 0; dir < 3; dir++)
			assert_int_equal(
				ioc(map->fd,
				    _IOC(dir, SNAPMAP_IOC_TYPE, _IOC_NR(request), calls[i].bytes),
				    &args),
				-ENOTTY);
		assert_int_equal(
			ioc(map->fd,
			    _IOC(3, SNAPMAP_IOC_TYPE + 1, _IOC_NR(request), calls[i].bytes), &args),
			-ENOTTY);
	}
}

/* ------------------------------------------------------------- 32-bit programs */

/* ioctl() as a 32-bit program calls it; @arg lies below 4 GiB. */
static int ioctl_32(int fd, unsigned long request, void *arg)
{
	int ret;

	__asm__ volatile("int $0x80"
			 : "=a"(ret)
			 : "a"(54), "b"(fd), "c"((u32)request), "d"((u32)(uintptr_t)arg)
			 : "memory", "r8", "r9", "r10", "r11");
	return ret;
}

/* Returns how many calls fail. */
static int run_calls_32(int fd)
{
	union any_args *args = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
				    MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	int failed = 0;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(calls); i++) {
		good_args(&calls[i], args);
		failed += ioctl_32(fd, calls[i].request, args) < 0;
		failed += ioctl_32(fd, calls[i].request, NULL) != -EFAULT;
	}
	return failed;
}

static void test_32_bit_programs(void **state)
{
	struct fixture *map = *state;
	int status;
	pid_t pid = child_start();

	if (!pid)
		_exit(run_calls_32(map->fd));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFSIGNALED(status))
		skip_for("needs CONFIG_IA32_EMULATION");
	assert_int_equal(WEXITSTATUS(status), 0);
	assert_int_equal(map_version(map->fd), 3);
}

#define key_test(f) cmocka_unit_test_setup_teardown(f, setup_with_key, fixture_teardown)

static const struct CMUnitTest tests[] = {
	key_test(test_calls_succeed_as_they_are),
	key_test(test_longer_structs_with_zeroes),
	key_test(test_longer_structs_with_anything_else_F_H),
	key_test(test_shorter_structs_H),
	key_test(test_shorter_structs_say_the_same),
	key_test(test_unknown_flags_F_H),
	key_test(test_reserved_members_F_H),
	key_test(test_members_without_their_flag_F_H),
	key_test(test_out_members_are_ignored),
	key_test(test_structs_nowhere_F_H),
	key_test(test_structs_at_the_edge_of_memory_F_H),
	key_test(test_read_only_structs_of_queries_H),
	key_test(test_read_only_struct_of_a_commit_F),
	key_test(test_read_only_struct_of_a_pin_F),
	key_test(test_keys_and_values_nowhere_H),
	key_test(test_batches_nowhere_F_H),
	key_test(test_batches_longer_than_memory_F_H),
	key_test(test_get_lengths_H),
	key_test(test_wrong_descriptors_H),
	key_test(test_wrong_open_mode_H),
	key_test(test_unknown_numbers_H),
	key_test(test_other_types_and_directions_H),
	key_test(test_32_bit_programs),
	cmocka_unit_test(test_nothing_is_left_G),
};

int main(void)
{
	return cmocka_run_group_tests_name("abi", tests, group_setup, group_teardown);
}

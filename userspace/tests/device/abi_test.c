// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * abi_test.c - the rules for the structs of all ioctls (promise H)
 *
 * A struct may be shorter or longer than the kernel's; unknown flags and
 * members that must be 0 are refused with one errno each, and change nothing.
 */
#include "calls.h"

static void test_calls_succeed_as_they_are(void **state)
{
	const struct bench *bench = *state;
	const struct call *call;
	union any_args args;

	for_each_call(call)
	{
		call_prepare(bench, call, &args);
		assert_int_equal(call_run(bench_fd(bench, call), call->request, &args), 0);
	}
}

/* ------------------------------------------------------------- sizes */

/* The longest struct that a number can tell of. */
#define LONGEST ((1UL << _IOC_SIZEBITS) - 1)

/* Runs a call with a struct of another size; @mark is set at the byte @at, if there is one. */
static int run_longer(const struct bench *bench, const struct call *call, size_t bytes, size_t at,
		      u8 mark)
{
	u8 *args = calloc(1, LONGEST + 1);
	int err;

	call_prepare(bench, call, (void *)args);
	args[at] |= mark;
	err = call_run(bench_fd(bench, call), resized(call->request, bytes), args);
	free(args);
	return err;
}

static void test_longer_structs_with_zeroes(void **state)
{
	const struct call *call;
	size_t more;

	for_each_call(call)
	{
		for (more = 1; more <= 64; more += 7)
			assert_int_equal(run_longer(*state, call, call->bytes + more, 0, 0), 0);
		assert_int_equal(run_longer(*state, call, LONGEST, 0, 0), 0);
		/* What stands behind the struct is not looked at. */
		assert_int_equal(run_longer(*state, call, call->bytes, call->bytes, 0xff), 0);
	}
}

static void test_longer_structs_with_anything_else_F_H(void **state)
{
	const struct bench *bench = *state;
	struct witness before;
	const struct call *call;
	union any_args args;
	size_t at;

	for_each_call(call)
	{
		call_prepare(bench, call, &args);
		before = bench_look(bench);
		for (at = 0; at < 64; at++) {
			args.bytes[call->bytes + at] = 1 << at % 8;
			assert_int_equal(call_run(bench_fd(bench, call),
						  resized(call->request, call->bytes + 64), &args),
					 -E2BIG);
			args.bytes[call->bytes + at] = 0;
		}
		assert_untouched(bench, &before);
		assert_int_equal(run_longer(bench, call, LONGEST, LONGEST - 1, 0x80), -E2BIG);
	}
}

static void assert_bytes(const u8 *bytes, size_t count, u8 expected)
{
	while (count--)
		assert_int_equal(*bytes++, expected);
}

/* What is missing counts as 0, and nothing is written behind the end. */
static void test_shorter_structs_H(void **state)
{
	const struct bench *bench = *state;
	const struct call *call;
	union any_args args;
	size_t bytes;

	for_each_call(call) for (bytes = call->least; bytes < call->bytes; bytes += 4)
	{
		call_prepare(bench, call, &args);
		memset(args.bytes + bytes, 0xa5, sizeof(args) - bytes);
		assert_int_equal(
			call_run(bench_fd(bench, call), resized(call->request, bytes), &args), 0);
		assert_bytes(args.bytes + bytes, sizeof(args) - bytes, 0xa5);
	}
}

/* Too short to say anything: the answer is that to a struct of zeroes. */
static void test_empty_structs_F_H(void **state)
{
	static const int answers[CALLS] = {
		[CALL_CREATE] = -EINVAL,  [CALL_DESTROY] = -EINVAL,  [CALL_GET] = -EMSGSIZE,
		[CALL_SET] = -EINVAL,	  [CALL_LOG] = -EINVAL,	     [CALL_PINS] = -EINVAL,
		[CALL_PIN_SET] = -EINVAL, [CALL_ROLLBACK] = -EINVAL, [CALL_TXN_ADD] = -EINVAL,
	};
	const struct bench *bench = *state;
	const struct call *call;
	union any_args args;

	for_each_call(call)
	{
		call_prepare(bench, call, &args);
		assert_int_equal(call_run(bench_fd(bench, call), resized(call->request, 0), NULL),
				 answers[call - calls]);
	}
}

static void test_shorter_structs_say_the_same(void **state)
{
	const struct bench *bench = *state;
	struct snapmap_info whole, part;

	assert_info(bench->map->fd, &whole);
	memset(&part, 0, sizeof(part));
	assert_int_equal(ioc(bench->map->fd,
			     resized(SNAPMAP_IOC_INFO, offsetof(struct snapmap_info, root)), &part),
			 0);
	assert_memory_equal(&part.header, &whole.header, sizeof(part.header));
	assert_int_equal(part.span, 0);
}

/* ------------------------------------------------------------- flags, members that must be 0 */

/* Runs a call once for each bit, set alone; returns how often the answer is not EINVAL. */
static unsigned int accepted_bits(const struct bench *bench, const struct call *call,
				  const struct zero_bits *zero)
{
	unsigned int accepted = 0;
	union any_args args;
	int bit;

	for (bit = zero->first; bit < zero->end; bit++) {
		call_prepare(bench, call, &args);
		args.bytes[zero->offset + bit / 8] ^= 1 << bit % 8;
		if (call_run(bench_fd(bench, call), call->request, &args) == -EINVAL)
			continue;
		if (!accepted++)
			note("%s takes bit %d of the member at %zu", call->name, bit, zero->offset);
	}
	return accepted;
}

/* The same for all flags that no call knows. */
static unsigned int accepted_flags(const struct bench *bench)
{
	struct zero_bits one = { .offset = 0 };
	unsigned int accepted = 0;
	const struct call *call;
	int bit;

	for_each_struct(call) for (bit = 0; bit < 32; bit++)
	{
		if (call->flags >> bit & 1)
			continue;
		one.first = bit;
		one.end = bit + 1;
		accepted += accepted_bits(bench, call, &one);
	}
	return accepted;
}

static void test_unknown_flags_F_H(void **state)
{
	const struct bench *bench = *state;
	struct witness before;

	map_create(bench->victim, FIXTURE_LIMIT); /* for DESTROY, which comes last to look */
	before = bench_look(bench);
	assert_int_equal(accepted_flags(bench), 0);
	assert_untouched(bench, &before);
}

/* On a pin too, whose calls are others. */
static void test_unknown_flags_on_a_pin_H(void **state)
{
	const struct bench *bench = *state;
	const struct call *call;
	union any_args args;
	int bit;

	for_each_call(call) for (bit = 0; bit < 32 && call->on & ON_PIN; bit++)
	{
		call_prepare(bench, call, &args);
		args.flags |= 1U << bit;
		assert_int_equal(call_run(bench->pin, call->request, &args), -EINVAL);
	}
}

/* Reserved members, and those that belong to a flag that is not given. */
static void test_members_that_must_be_0_F_H(void **state)
{
	const struct bench *bench = *state;
	const struct zero_bits *zero;
	const struct call *call;
	struct witness before;
	union any_args args;

	for_each_struct(call)
	{
		call_prepare(bench, call, &args);
		before = bench_look(bench);
		for (zero = call->zero; zero->end; zero++)
			assert_int_equal(accepted_bits(bench, call, zero), 0);
		assert_untouched(bench, &before);
	}
}

/* What a call gives out is ignored as its input. */
static void test_out_members_are_ignored(void **state)
{
	const struct bench *bench = *state;
	int fd = bench->map->fd;
	union any_args args;

	memset(&args, 0xff, sizeof(args));
	args.info.flags = 0;
	assert_int_equal(ioc(fd, SNAPMAP_IOC_INFO, &args), 0);
	memset(&args, 0xff, sizeof(args));
	args.wait.flags = 0;
	assert_int_equal(ioc(fd, SNAPMAP_IOC_WAIT, &args), 0);
	call_prepare(bench, &calls[CALL_COMMIT], &args);
	memset(args.bytes + offsetof(struct snapmap_commit, version), 0xff,
	       sizeof(args.commit) - offsetof(struct snapmap_commit, version));
	assert_int_equal(ioc(fd, SNAPMAP_IOC_COMMIT, &args), 0);
	assert_int_equal(args.commit.missing, 0);
	call_prepare(bench, &calls[CALL_GET], &args);
	args.get.version = args.get.entry_version = ~0ULL;
	assert_int_equal(ioc(fd, SNAPMAP_IOC_GET, &args), 0);
	assert_int_equal(args.get.version, map_version(fd));
}

/* ------------------------------------------------------------- answers of a call that fails */

/* Everything but the version is as if nothing had been tried. */
static void refuse_commit(int fd, const struct batch *batch, u32 flags, u64 if_version, int err)
{
	struct snapmap_commit args = batch_args(batch, flags);

	args.if_version = if_version;
	args.version = args.failed_op = args.missing = args.blocks_copied = 0xa5;
	assert_int_equal(ioc(fd, SNAPMAP_IOC_COMMIT, &args), err);
	assert_int_equal(args.version, err == -ECANCELED ? map_version(fd) : 0);
	assert_int_equal(args.missing, 0);
	assert_int_equal(args.blocks_copied, 0);
}

static void test_answers_of_a_refused_commit_F(void **state)
{
	const struct bench *bench = *state;
	struct snapmap_op absent = { .opcode = SNAPMAP_OP_PUT,
				     .condition = SNAPMAP_COND_ABSENT,
				     .key_len = 3 };
	struct batch batch = { .data = NULL };
	int fd = bench->map->fd;

	batch_dels(&batch, "nothing");
	batch_puts(&batch, "other", "value");
	refuse_commit(fd, &batch, SNAPMAP_COMMIT_IF_VERSION, 1, -ECANCELED);
	refuse_commit(fd, &batch, 1U << 31, 0, -EINVAL);
	batch_puts(&batch, "", "no key");
	refuse_commit(fd, &batch, 0, 0, -EMSGSIZE);
	batch_clear(&batch);
	batch_dels(&batch, "nothing");
	batch_add(&batch, absent, "key", NULL);
	refuse_commit(fd, &batch, 0, 0, -ECANCELED);
	batch_free(&batch);
}

/* Only what was tried counts as a failure; a struct that is refused is none. */
static void test_what_counts_as_a_failure(void **state)
{
	const struct bench *bench = *state;
	struct batch batch = { .data = NULL };
	int fd = bench->map->fd;
	struct snapmap_info info;

	refuse_commit(fd, &batch, 1U << 31, 0, -EINVAL);
	refuse_commit(fd, &batch, 0, 1, -EINVAL);
	batch_puts(&batch, "", "no key");
	refuse_commit(fd, &batch, SNAPMAP_COMMIT_IF_VERSION, 1, -ECANCELED);
	assert_info(fd, &info);
	assert_int_equal(info.failures, 0);
	assert_int_equal(info.conflicts, 1);
	refuse_commit(fd, &batch, 0, 0, -EMSGSIZE);
	assert_info(fd, &info);
	assert_int_equal(info.failures, 1);
	assert_int_equal(info.conflicts, 1);
	batch_free(&batch);
}

static const struct CMUnitTest tests[] = {
	bench_test(test_calls_succeed_as_they_are),
	bench_test(test_longer_structs_with_zeroes),
	bench_test(test_longer_structs_with_anything_else_F_H),
	bench_test(test_shorter_structs_H),
	bench_test(test_empty_structs_F_H),
	bench_test(test_shorter_structs_say_the_same),
	bench_test(test_unknown_flags_F_H),
	bench_test(test_unknown_flags_on_a_pin_H),
	bench_test(test_members_that_must_be_0_F_H),
	bench_test(test_out_members_are_ignored),
	bench_test(test_answers_of_a_refused_commit_F),
	bench_test(test_what_counts_as_a_failure),
	caught_test("flags", test_unknown_flags_F_H),
	cmocka_unit_test(test_nothing_is_left_G),
};

int main(void)
{
	return cmocka_run_group_tests_name("abi", tests, NULL, NULL);
}

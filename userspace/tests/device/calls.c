// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * calls.c - the table of ioctls, and a bench to try them on
 */
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "calls.h"

/* So long are the names of victims, which tell the program and the test. */
#define VICTIM_LENGTH 24

#define STRUCT(call, name) .request = SNAPMAP_IOC_##call, .bytes = sizeof(struct name)
#define WORD(name, member)                                                                       \
	{                                                                                        \
		offsetof(struct name, member), 0, 8 * (int)sizeof(((struct name *)NULL)->member) \
	}
/* What follows a name's end: that is zero-filled. */
#define NAME_REST(type)                                                                          \
	{                                                                                        \
		offsetof(struct type, name), 8 * (VICTIM_LENGTH + 1), 8 * (SNAPMAP_NAME_MAX + 1) \
	}

/* History and lease that are larger than they may be. */
#define TOO_LARGE(type)                                 \
	{ offsetof(struct type, history), 15, 32 },     \
	{                                               \
		offsetof(struct type, lease_ms), 22, 32 \
	}
#define COMMIT_FLAGS                                                                     \
	(SNAPMAP_COMMIT_IF_VERSION | SNAPMAP_COMMIT_STAMP | SNAPMAP_COMMIT_STAMP_GROWS | \
	 SNAPMAP_COMMIT_NOWAIT)

const struct call calls[CALLS] = {
	[CALL_CREATE] = { "CREATE", STRUCT(CREATE, snapmap_create), .on = ON_CONTROL,
			  .least = offsetof(struct snapmap_create, name) + VICTIM_LENGTH,
			  .flags = SNAPMAP_MAP_REVOKE, .writes = true,
			  .zero = { TOO_LARGE(snapmap_create),
				    NAME_REST(snapmap_create),
				    { offsetof(struct snapmap_create, mode), 9, 32 } } },
	[CALL_DESTROY] = { "DESTROY", STRUCT(DESTROY, snapmap_destroy), .on = ON_CONTROL,
			   .least = offsetof(struct snapmap_destroy, name) + VICTIM_LENGTH,
			   .writes = true,
			   .zero = { WORD(snapmap_destroy, reserved),
				     NAME_REST(snapmap_destroy) } },
	[CALL_INFO] = { "INFO", STRUCT(INFO, snapmap_info), .on = ON_MAP | ON_PIN },
	[CALL_COMMIT] = { "COMMIT", STRUCT(COMMIT, snapmap_commit), .on = ON_MAP,
			  .least = offsetof(struct snapmap_commit, if_version),
			  .flags = COMMIT_FLAGS | SNAPMAP_COMMIT_REPLACE, .writes = true,
			  .zero = { WORD(snapmap_commit, if_version),
				    WORD(snapmap_commit, stamp) } },
	[CALL_GET] = { "GET", STRUCT(GET, snapmap_get), .on = ON_MAP | ON_PIN,
		       .least = offsetof(struct snapmap_get, reserved),
		       .zero = { WORD(snapmap_get, reserved) } },
	[CALL_PIN] = { "PIN", STRUCT(PIN, snapmap_pin), .on = ON_MAP,
		       .zero = { WORD(snapmap_pin, reserved) } },
	[CALL_WAIT] = { "WAIT", STRUCT(WAIT, snapmap_wait), .on = ON_MAP },
	[CALL_SET] = { "SET", STRUCT(SET, snapmap_set), .on = ON_CONTROL,
		       .least = offsetof(struct snapmap_set, name) + VICTIM_LENGTH,
		       .flags = SNAPMAP_SET_FLAGS | SNAPMAP_SET_HISTORY | SNAPMAP_SET_LEASE,
		       .writes = true,
		       .zero = { WORD(snapmap_set, flags),
				 WORD(snapmap_set, lease_ms),
				 { offsetof(struct snapmap_set, history), 15, 32 },
				 NAME_REST(snapmap_set) } },
	[CALL_LOG] = { "LOG", STRUCT(LOG, snapmap_log), .on = ON_MAP,
		       .least = offsetof(struct snapmap_log, version),
		       .zero = { WORD(snapmap_log, reserved) } },
	[CALL_PINS] = { "PINS", STRUCT(PINS, snapmap_pins), .on = ON_MAP,
			.least = sizeof(struct snapmap_pins) },
	[CALL_PIN_SET] = { "PIN_SET", STRUCT(PIN_SET, snapmap_pin_set), .on = ON_MAP,
			   .least = sizeof(struct snapmap_pin_set),
			   .zero = { { offsetof(struct snapmap_pin_set, count), 6, 32 } } },
	[CALL_ROLLBACK] = { "ROLLBACK", STRUCT(ROLLBACK, snapmap_rollback), .on = ON_MAP,
			    .least = offsetof(struct snapmap_rollback, if_version),
			    .flags = COMMIT_FLAGS, .writes = true,
			    .zero = { WORD(snapmap_rollback, if_version),
				      WORD(snapmap_rollback, stamp) } },
	[CALL_TXN] = { "TXN", STRUCT(TXN, snapmap_txn), .on = ON_MAP,
		       .flags = (COMMIT_FLAGS & ~SNAPMAP_COMMIT_NOWAIT) | SNAPMAP_COMMIT_REPLACE,
		       .writes = true,
		       .zero = { { offsetof(struct snapmap_txn, lease_ms), 14, 32 },
				 WORD(snapmap_txn, if_version),
				 WORD(snapmap_txn, stamp) } },
	[CALL_TXN_ADD] = { "TXN_ADD", STRUCT(TXN_ADD, snapmap_txn_add), .on = ON_TXN,
			   .least = offsetof(struct snapmap_txn_add, if_version),
			   .flags = (COMMIT_FLAGS & ~SNAPMAP_COMMIT_NOWAIT) |
				    SNAPMAP_COMMIT_REPLACE,
			   .zero = { WORD(snapmap_txn_add, if_version),
				     WORD(snapmap_txn_add, stamp) } },
	[CALL_TXN_PREPARE] = { "TXN_PREPARE", STRUCT(TXN_PREPARE, snapmap_txn_run), .on = ON_TXN,
			       .flags = SNAPMAP_COMMIT_NOWAIT,
			       .zero = { WORD(snapmap_txn_run, reserved) } },
	[CALL_TXN_COMMIT] = { "TXN_COMMIT", STRUCT(TXN_COMMIT, snapmap_txn_run), .on = ON_TXN,
			      .flags = SNAPMAP_COMMIT_NOWAIT,
			      .zero = { WORD(snapmap_txn_run, reserved) } },
	[CALL_TXN_INFO] = { "TXN_INFO", STRUCT(TXN_INFO, snapmap_txn_info), .on = ON_TXN,
			    .zero = { { offsetof(struct snapmap_txn_info, map), 0, 32 } } },
	[CALL_TXN_ABORT] = { "TXN_ABORT", .request = SNAPMAP_IOC_TXN_ABORT, .on = ON_TXN },
};

static struct batch one_put;
static char value_buf[64];
static struct snapmap_record records[4];
static struct snapmap_pin_record pin_records[4];
static s32 set_maps[2], set_pins[2];

int bench_setup(void **state)
{
	struct bench *bench = calloc(1, sizeof(*bench));
	static unsigned int number;
	void *map, *other;

	if (fixture_setup(&map) || fixture_setup(&other))
		return -1;
	bench->map = map;
	bench->other = other;
	snprintf(bench->victim, sizeof(bench->victim), "victim-%0*u", VICTIM_LENGTH - 7,
		 getpid() * 1000U + ++number);
	bench->control = control_open(O_RDWR);
	if (!one_put.count)
		batch_puts(&one_put, "key", "value");
	if (batch_commit(bench->map->fd, &one_put, 0, NULL))
		return -1;
	bench->pin = map_pin(bench->map->fd);
	bench->txn = txn_open(bench->map->fd, 0, 0);
	*state = bench;
	return bench->control < 0 || bench->pin < 0 || bench->txn < 0 ? -1 : 0;
}

int bench_teardown(void **state)
{
	struct bench *bench = *state;
	void *map = bench->map, *other = bench->other;
	int err;

	map_destroy(bench->victim);
	close(bench->control);
	close(bench->pin);
	close(bench->txn);
	err = fixture_teardown(&map) | fixture_teardown(&other);
	free(bench);
	return err;
}

int bench_fd(const struct bench *bench, const struct call *call)
{
	if (call->on & ON_TXN)
		return bench->txn;
	return call->on & ON_CONTROL ? bench->control : bench->map->fd;
}

static bool victim_exists(const struct bench *bench)
{
	return sysfs_value(bench->victim, "version") != ~0ULL;
}

/* A transaction that is not open any more, or has a second map, gives way to a new one. */
static void renew_txn(const struct bench *bench)
{
	struct snapmap_txn_info info = { .flags = 0 };
	int fresh;

	if (!ioc(bench->txn, SNAPMAP_IOC_TXN_INFO, &info) && info.state == SNAPMAP_TXN_OPEN &&
	    info.maps == 1)
		return;
	fresh = txn_open(bench->map->fd, 0, 0);
	dup3(fresh, bench->txn, O_CLOEXEC);
	close(fresh);
}

static void prepare_victim(const struct bench *bench, u8 *name, bool exists)
{
	strcpy((char *)name, bench->victim);
	if (victim_exists(bench) == exists)
		return;
	if (exists)
		map_create(bench->victim, FIXTURE_LIMIT);
	else
		map_destroy(bench->victim);
}

static void prepare_control(const struct bench *bench, const struct call *call,
			    union any_args *args)
{
	switch (call - calls) {
	case CALL_CREATE:
		create_args(&args->create, bench->victim);
		prepare_victim(bench, args->create.name, false);
		break;
	case CALL_DESTROY:
		prepare_victim(bench, args->destroy.name, true);
		break;
	case CALL_SET:
		args->set.mask = SNAPMAP_SET_HISTORY;
		args->set.history = 2;
		prepare_victim(bench, args->set.name, true);
		break;
	}
}

static void prepare_lists(const struct bench *bench, const struct call *call, union any_args *args)
{
	switch (call - calls) {
	case CALL_LOG:
		args->log.record_size = sizeof(*records);
		args->log.records = (uintptr_t)records;
		args->log.count = ARRAY_SIZE(records);
		break;
	case CALL_PINS:
		args->pins.record_size = sizeof(*pin_records);
		args->pins.records = (uintptr_t)pin_records;
		args->pins.count = ARRAY_SIZE(pin_records);
		break;
	case CALL_PIN_SET:
		set_maps[0] = bench->map->fd;
		set_maps[1] = bench->other->fd;
		args->pin_set.count = 2;
		args->pin_set.maps = (uintptr_t)set_maps;
		args->pin_set.pins = (uintptr_t)set_pins;
		break;
	}
}

void call_prepare(const struct bench *bench, const struct call *call, union any_args *args)
{
	memset(args, 0, sizeof(*args));
	renew_txn(bench);
	prepare_control(bench, call, args);
	prepare_lists(bench, call, args);
	switch (call - calls) {
	case CALL_COMMIT:
		args->commit = batch_args(&one_put, 0);
		break;
	case CALL_GET:
		args->get.key = (uintptr_t) "key";
		args->get.key_len = 3;
		args->get.value = (uintptr_t)value_buf;
		args->get.value_len = sizeof(value_buf);
		break;
	case CALL_ROLLBACK:
		args->rollback.to = map_version(bench->map->fd);
		break;
	case CALL_TXN_ADD:
		args->txn_add.map = bench->other->fd;
		break;
	}
}

int call_run(int fd, unsigned long request, void *args)
{
	const struct snapmap_pin_set *set = args;
	bool is_set = _IOC_NR(request) == _IOC_NR(SNAPMAP_IOC_PIN_SET);
	int ret = ioc(fd, request, args);
	u32 i;

	for (i = 0; !ret && is_set && i < set->count; i++)
		close(((const s32 *)(uintptr_t)set->pins)[i]);
	if (ret > 0) {
		close(ret);
		ret = 0;
	}
	return ret;
}

unsigned long resized(unsigned long request, size_t bytes)
{
	return _IOC(_IOC_DIR(request), _IOC_TYPE(request), _IOC_NR(request), bytes);
}

static int next_fd(void)
{
	int fd = dup(0);

	close(fd);
	return fd;
}

struct witness bench_look(const struct bench *bench)
{
	struct witness witness = { .victim = victim_exists(bench), .next_fd = next_fd() };

	assert_info(bench->map->fd, &witness.info);
	assert_txn_info(bench->txn, 0, &witness.txn);
	return witness;
}

void assert_untouched(const struct bench *bench, const struct witness *before)
{
	struct snapmap_txn_info txn;

	assert_unchanged(bench->map->fd, &before->info);
	assert_txn_info(bench->txn, 0, &txn);
	assert_memory_equal(&txn, &before->txn, sizeof(txn));
	assert_int_equal(victim_exists(bench), before->victim);
	assert_int_equal(next_fd(), before->next_fd);
}

u8 *pages_at_the_edge(void)
{
	u8 *at = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(at, MAP_FAILED);
	assert_int_equal(mprotect(at + 2 * PAGE, PAGE, PROT_NONE), 0);
	return at;
}

void pages_free(u8 *pages)
{
	munmap(pages, 3 * PAGE);
}

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

const struct call calls[CALLS] = {
	[CALL_CREATE] = { "CREATE", STRUCT(CREATE, snapmap_create), .on = ON_CONTROL,
			  .least = offsetof(struct snapmap_create, name) + VICTIM_LENGTH,
			  .writes = true,
			  .zero = { WORD(snapmap_create, reserved),
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
			  .flags = SNAPMAP_COMMIT_REPLACE | SNAPMAP_COMMIT_IF_VERSION |
				   SNAPMAP_COMMIT_STAMP,
			  .writes = true,
			  .zero = { WORD(snapmap_commit, reserved),
				    WORD(snapmap_commit, if_version),
				    WORD(snapmap_commit, stamp) } },
	[CALL_GET] = { "GET", STRUCT(GET, snapmap_get), .on = ON_MAP | ON_PIN,
		       .least = offsetof(struct snapmap_get, reserved),
		       .zero = { WORD(snapmap_get, reserved) } },
	[CALL_PIN] = { "PIN", STRUCT(PIN, snapmap_pin), .on = ON_MAP,
		       .zero = { WORD(snapmap_pin, reserved), WORD(snapmap_pin, version) } },
	[CALL_WAIT] = { "WAIT", STRUCT(WAIT, snapmap_wait), .on = ON_MAP },
};

static struct batch one_put;
static char value_buf[64];

int bench_setup(void **state)
{
	struct bench *bench = calloc(1, sizeof(*bench));
	static unsigned int number;
	void *map;

	if (fixture_setup(&map))
		return -1;
	bench->map = map;
	snprintf(bench->victim, sizeof(bench->victim), "victim-%0*u", VICTIM_LENGTH - 7,
		 getpid() * 1000U + ++number);
	bench->control = control_open(O_RDWR);
	if (!one_put.count)
		batch_puts(&one_put, "key", "value");
	if (batch_commit(bench->map->fd, &one_put, 0, NULL))
		return -1;
	bench->pin = map_pin(bench->map->fd);
	*state = bench;
	return bench->control < 0 || bench->pin < 0 ? -1 : 0;
}

int bench_teardown(void **state)
{
	struct bench *bench = *state;
	void *map = bench->map;
	int err;

	map_destroy(bench->victim);
	close(bench->control);
	close(bench->pin);
	err = fixture_teardown(&map);
	free(bench);
	return err;
}

int bench_fd(const struct bench *bench, const struct call *call)
{
	return call->on & ON_CONTROL ? bench->control : bench->map->fd;
}

static bool victim_exists(const struct bench *bench)
{
	return sysfs_value(bench->victim, "version") != ~0ULL;
}

void call_prepare(const struct bench *bench, const struct call *call, union any_args *args)
{
	memset(args, 0, sizeof(*args));
	switch (call - calls) {
	case CALL_CREATE:
		create_args(&args->create, bench->victim);
		if (victim_exists(bench))
			map_destroy(bench->victim);
		break;
	case CALL_DESTROY:
		strcpy((char *)args->destroy.name, bench->victim);
		if (!victim_exists(bench))
			map_create(bench->victim, FIXTURE_LIMIT);
		break;
	case CALL_COMMIT:
		args->commit = batch_args(&one_put, 0);
		break;
	case CALL_GET:
		args->get.key = (uintptr_t) "key";
		args->get.key_len = 3;
		args->get.value = (uintptr_t)value_buf;
		args->get.value_len = sizeof(value_buf);
		break;
	}
}

int call_run(int fd, unsigned long request, void *args)
{
	int ret = ioc(fd, request, args);

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
	return witness;
}

void assert_untouched(const struct bench *bench, const struct witness *before)
{
	assert_unchanged(bench->map->fd, &before->info);
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

// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * fuzzer.c - random steps: descriptors, calls, mappings, threads, children
 */
#include <poll.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "fuzzer.h"

#define THREAD_RUN 40
#define FORK_RUN   20

/* ------------------------------------------------------------- descriptors */

static struct target *free_target(struct session *session)
{
	struct target *target = session->target;

	while (target < session->target + FDS && target->kind)
		target++;
	return target < session->target + FDS ? target : NULL;
}

static void keep_fd(struct session *session, int fd, u32 kind, int mode)
{
	struct target *target = session->threaded ? NULL : free_target(session);

	if (!target) {
		close(fd);
		return;
	}
	*target = (struct target){ .fd = fd, .kind = kind, .mode = mode };
}

static void step_open(struct fuzzer *fuzzer)
{
	int mode = (int[]){ O_RDONLY, O_WRONLY, O_RDWR, O_RDWR }[below(fuzzer, 4)];
	u8 name[SNAPMAP_NAME_MAX + 1];
	int fd;

	if (one_in(fuzzer, 4)) {
		fd = control_open(mode);
		if (fd < 0)
			give_up(fuzzer->session, "opening control: %d", fd);
		keep_fd(fuzzer->session, fd, ON_CONTROL, mode);
		return;
	}
	random_name(fuzzer, name);
	fd = map_open((char *)name, mode | O_NONBLOCK);
	if (fd >= 0)
		keep_fd(fuzzer->session, fd, ON_MAP, mode);
	else if (fd != -ENOENT && fd != -ENODEV && fd != -ENXIO)
		give_up(fuzzer->session, "opening %s: %d", name, fd);
}

static struct target *any_target(struct fuzzer *fuzzer)
{
	struct target *target;
	u32 tries = 4;

	do
		target = &fuzzer->session->target[below(fuzzer, FDS)];
	while (!target->kind && --tries);
	return target->kind ? target : NULL;
}

/* A transaction, when there is one and chance wants it, for there are few of them. */
static struct target *target_of_call(struct fuzzer *fuzzer)
{
	struct target *target = any_target(fuzzer);
	u32 tries = one_in(fuzzer, 4) ? 20 : 0;

	while (tries-- && (!target || target->kind != ON_TXN))
		target = any_target(fuzzer);
	return target;
}

static void step_close(struct fuzzer *fuzzer)
{
	struct target *target = any_target(fuzzer);

	if (!target)
		return;
	close(target->fd);
	memset(target, 0, sizeof(*target));
}

static void step_read(struct fuzzer *fuzzer)
{
	struct target *target = any_target(fuzzer);
	struct pollfd pollfd = { .events = POLLIN };
	u64 version[2];
	ssize_t got;

	if (!target || target->kind != ON_MAP)
		return;
	pollfd.fd = target->fd;
	poll(&pollfd, 1, 0);
	got = read(target->fd, one_in(fuzzer, 6) ? NULL : version, below(fuzzer, 17));
	if (got != 8 && got != 0 &&
	    (got >= 0 || (errno != EAGAIN && errno != EINVAL && errno != EBADF && errno != EFAULT)))
		give_up(fuzzer->session, "read: %zd, errno %d", got, errno);
}

/* A piece of a batch, most often the whole of it, from where it is or where nothing is. */
static void step_write(struct fuzzer *fuzzer)
{
	struct target *target = any_target(fuzzer);
	u64 bytes = random_batch(fuzzer);
	const u8 *from = fuzzer->area;
	ssize_t ret;

	if (!target || target->kind != ON_TXN)
		return;
	if (one_in(fuzzer, 3))
		bytes = below(fuzzer, bytes + 1);
	if (one_in(fuzzer, 10))
		from += AREA - below(fuzzer, bytes + 1);
	ret = write(target->fd, from, bytes);
	if (ret > (ssize_t)bytes ||
	    (ret < 0 && errno != EBADFD && errno != ETIME && errno != EFAULT && errno != ENOMEM))
		give_up(fuzzer->session, "write: %zd, errno %d", ret, errno);
}

/* ------------------------------------------------------------- ioctls */

/* Pins would soon take all places. */
static void keep_opened(struct fuzzer *fuzzer, const struct call *call, int fd)
{
	if (call == &calls[CALL_TXN])
		keep_fd(fuzzer->session, fd, ON_TXN, O_WRONLY);
	else if (one_in(fuzzer, 5))
		keep_fd(fuzzer->session, fd, ON_PIN, O_RDONLY);
	else
		close(fd);
}

static void step_ioctl(struct fuzzer *fuzzer)
{
	struct session *session = fuzzer->session;
	struct attempt attempt = { .target = target_of_call(fuzzer) };
	void *args;
	int ret;

	if (!attempt.target)
		return;
	args = attempt_prepare(fuzzer, &attempt);
	if (attempt.call == &calls[CALL_WAIT] && attempt.request != attempt.call->request)
		return; /* its timeout might be cut off */
	if (attempt.call == &calls[CALL_DESTROY] && !one_in(fuzzer, 8))
		return; /* maps shall live for a while */
	ret = ioc(attempt.target->fd, attempt.request, args);
	__atomic_fetch_add(&session->shared->calls, 1, __ATOMIC_RELAXED);
	if (!attempt_is_call(&attempt))
		return;
	attempt_check(session, &attempt, ret);
	if (ret >= 0)
		__atomic_fetch_add(&session->shared->good[attempt.call - calls], 1,
				   __ATOMIC_RELAXED);
	if (ret > 0)
		keep_opened(fuzzer, attempt.call, ret);
}

/* ------------------------------------------------------------- mappings */

/* The bytes that can be mapped; any number when a revoked pin does not tell. */
static size_t span_of(int fd)
{
	struct snapmap_info info = { .flags = 0 };
	int ret = ioc(fd, SNAPMAP_IOC_INFO, &info);

	if (ret == -ESTALE)
		return SIZE_MAX;
	return ret ? 0 : info.span;
}

static void step_mmap(struct fuzzer *fuzzer)
{
	struct session *session = fuzzer->session;
	struct area *area = &session->mapping[below(fuzzer, MAPPINGS)];
	struct target *target = any_target(fuzzer);
	int prot = one_in(fuzzer, 3) ? (int)below(fuzzer, 8) : PROT_READ;
	int flags = one_in(fuzzer, 5) ? MAP_PRIVATE : MAP_SHARED;
	size_t bytes, span, offset = one_in(fuzzer, 2) ? 0 : below(fuzzer, 4096) * PAGE;
	void *at;

	if (!target || area->at)
		return;
	span = span_of(target->fd);
	bytes = one_in(fuzzer, 2) && span ? span : (1 + below(fuzzer, 4096)) * PAGE;
	at = mmap(NULL, bytes, prot, flags | MAP_NORESERVE, target->fd, offset);
	if (at == MAP_FAILED)
		return;
	if (prot & (PROT_WRITE | PROT_EXEC) || flags == MAP_PRIVATE || offset + bytes > span)
		give_up(session, "mmap: prot %d, flags %#x, offset %zu, %zu bytes of %zu", prot,
			flags, offset, bytes, span);
	__atomic_fetch_add(&session->shared->mapped, 1, __ATOMIC_RELAXED);
	if (prot & PROT_READ)
		*area = (struct area){ at, bytes };
	else
		munmap(at, bytes);
}

static void change_mapping(struct fuzzer *fuzzer, struct area *area)
{
	struct session *session = fuzzer->session;
	size_t keep = (1 + below(fuzzer, area->bytes / PAGE)) * PAGE;
	void *at;

	switch (below(fuzzer, 6)) {
	case 0:
		munmap(area->at, area->bytes);
		area->at = NULL;
		break;
	case 1:
		munmap(area->at + keep, area->bytes - keep);
		area->bytes = keep;
		break;
	case 2:
		if (!mprotect(area->at, keep, PROT_READ | PROT_WRITE))
			give_up(session, "a mapping has been made writable");
		break;
	case 3:
		if (!mprotect(area->at, keep, PROT_READ | PROT_EXEC))
			give_up(session, "a mapping has been made executable");
		break;
	case 4:
		at = mremap(area->at, area->bytes, keep, MREMAP_MAYMOVE);
		if (at != MAP_FAILED)
			*area = (struct area){ at, keep };
		break;
	case 5:
		if (mremap(area->at, keep, keep + PAGE, MREMAP_MAYMOVE) != MAP_FAILED)
			give_up(session, "a mapping has grown");
		break;
	}
}

static void read_mapping(struct fuzzer *fuzzer, struct area *area)
{
	static const int advice[] = { MADV_DONTNEED, MADV_WILLNEED, MADV_COLD,
				      MADV_PAGEOUT,  MADV_HUGEPAGE, MADV_REMOVE };
	const volatile u8 *from = area->at;
	u32 i;

	for (i = 0; i < 16; i++)
		(void)from[one_in(fuzzer, 2) ? below(fuzzer, area->bytes) :
					       below(fuzzer, area->bytes) % (64 * PAGE)];
	if (one_in(fuzzer, 3))
		madvise(area->at, (1 + below(fuzzer, area->bytes / PAGE)) * PAGE,
			advice[below(fuzzer, ARRAY_SIZE(advice))]);
}

static void step_mapping(struct fuzzer *fuzzer)
{
	struct area *area = &fuzzer->session->mapping[below(fuzzer, MAPPINGS)];

	if (!area->at)
		return;
	if (one_in(fuzzer, 3))
		change_mapping(fuzzer, area);
	else
		read_mapping(fuzzer, area);
}

/* ------------------------------------------------------------- threads, children, the whole */

static u8 *new_area(void)
{
	u8 *area =
		mmap(NULL, AREA + PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (area == MAP_FAILED || mprotect(area + AREA, PAGE, PROT_NONE))
		_exit(2);
	return area;
}

static void *run_thread(void *data)
{
	struct fuzzer *fuzzer = data;
	u32 i;

	for (i = 0; i < THREAD_RUN; i++)
		step_ioctl(fuzzer);
	return NULL;
}

/* Two threads, on the same descriptors and partly on the same struct. */
static void step_threads(struct fuzzer *fuzzer)
{
	struct fuzzer other = { fuzzer->session, random_next(&fuzzer->rng), new_area() };
	pthread_t thread;

	fuzzer->session->threaded = true;
	if (!pthread_create(&thread, NULL, run_thread, &other)) {
		run_thread(fuzzer);
		pthread_join(thread, NULL);
	}
	fuzzer->session->threaded = false;
	munmap(other.area, AREA + PAGE);
}

static void step(struct fuzzer *fuzzer, bool may_fork);

static void step_fork(struct fuzzer *fuzzer)
{
	pid_t pid = child_start();
	int status;
	u32 i;

	if (!pid) {
		fuzzer->rng ^= 1;
		for (i = 0; i < FORK_RUN; i++)
			step(fuzzer, false);
		_exit(0);
	}
	if (pid > 0 && waitpid(pid, &status, 0) == pid && status) {
		if (!fuzzer->session->shared->why[0])
			give_up(fuzzer->session, "a child ended with %#x", status);
		_exit(1);
	}
}

static void step(struct fuzzer *fuzzer, bool may_fork)
{
	u32 what = below(fuzzer, 100);

	if (what < 66)
		step_ioctl(fuzzer);
	else if (what < 71)
		step_open(fuzzer);
	else if (what < 74)
		step_close(fuzzer);
	else if (what < 80)
		step_mmap(fuzzer);
	else if (what < 92)
		step_mapping(fuzzer);
	else if (what < 95)
		step_read(fuzzer);
	else if (what < 98)
		step_write(fuzzer);
	else if (may_fork && what == 98)
		step_threads(fuzzer);
	else if (may_fork)
		step_fork(fuzzer);
}

/* Two pages twice: to be written, and only to be read. */
static void map_pages(struct session *session)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC);

	session->writable = pages_at_the_edge();
	if (fd < 0 || ftruncate(fd, 2 * PAGE) ||
	    mmap(session->writable, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd,
		 0) == MAP_FAILED)
		_exit(2);
	session->readable = mmap(NULL, 2 * PAGE, PROT_READ, MAP_SHARED, fd, 0);
	if (session->readable == MAP_FAILED)
		_exit(2);
	close(fd);
}

int fuzz_session(struct fuzz_shared *shared, u64 seed, u32 steps)
{
	static struct session session;
	struct fuzzer fuzzer = { &session, seed, new_area() };

	session.shared = shared;
	session.seed = seed;
	map_pages(&session);
	keep_fd(&session, control_open(O_RDWR), ON_CONTROL, O_RDWR);
	while (steps--)
		step(&fuzzer, true);
	return 0;
}

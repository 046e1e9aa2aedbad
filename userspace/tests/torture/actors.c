// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * actors.c - the processes of snapmap-torture that do not only read
 *
 * Each runs until the stage's stop. What nobody expects is noted in the deeds;
 * being refused for lack of memory is expected.
 */
#include <stdio.h>
#include <sys/mman.h>

#include "torture.h"

void actor_error(struct actor *actor, const char *where, int err)
{
	int none = 0;

	if (atomic_compare_exchange_strong(&actor->deeds->error, &none, err))
		snprintf(actor->deeds->where, sizeof(actor->deeds->where), "%s", where);
}

bool actor_goes_on(const struct actor *actor)
{
	return !atomic_load(&actor->stage->stop);
}

bool actor_is_refusal(int err)
{
	return err == -ENOSPC || err == -ENOMEM;
}

/* ------------------------------------------------------------- writing */

/* Readers that begin from now on must not see less. */
static void raise_floor(struct stage *stage, u64 version)
{
	u64 floor = atomic_load(&stage->committed);

	while (floor < version && !atomic_compare_exchange_weak(&stage->committed, &floor, version))
		;
}

/* One commit in fifty writes every key, half of these as a replacement. */
static int write_once(struct actor *actor, struct writer *writer)
{
	if (random_below(&actor->rng, 50))
		return writer_commit(writer);
	return writer_fill(writer, random_below(&actor->rng, 2) ? SNAPMAP_COMMIT_REPLACE : 0);
}

static void count_write(struct actor *actor, const struct writer *writer, int err)
{
	if (!err) {
		raise_floor(actor->stage, writer->version);
		actor->deeds->commits++;
	} else if (err == -ECANCELED) {
		actor->deeds->conflicts++;
	} else if (actor_is_refusal(err)) {
		actor->deeds->refused++;
	} else {
		actor_error(actor, "commit", err);
	}
}

/* Where the kernel can inject failures, let some of this process's allocations fail. */
static void ask_for_failures(void)
{
	FILE *file = fopen("/proc/self/make-it-fail", "we");

	if (!file)
		return;
	fputs("1", file);
	fclose(file);
}

void actor_write(struct actor *actor)
{
	struct writer writer = { .rng = random_next(&actor->rng) };

	writer.fd = map_open(MAP_NAME, O_RDWR);
	if (writer.fd < 0) {
		actor_error(actor, "open", writer.fd);
		return;
	}
	writer.version = map_version(writer.fd);
	ask_for_failures();
	while (actor_goes_on(actor)) {
		count_write(actor, &writer, write_once(actor, &writer));
		if (!random_below(&actor->rng, 30))
			nap(random_below(&actor->rng, 20000));
	}
	writer_exit(&writer);
	close(writer.fd);
}

/* ------------------------------------------------------------- churn */

/* What a pin shows, the map being alive or not. */
static int check_pin(int pin, u64 version)
{
	static u64 buf[VALUE_WORDS];
	struct snapmap_get get;
	u64 written;
	u32 key;
	int err;

	for (key = 0; key < HOT_KEYS; key++) {
		get = (struct snapmap_get){ .key = (uintptr_t)&key,
					    .key_len = sizeof(key),
					    .value = (uintptr_t)buf,
					    .value_len = sizeof(buf) };
		err = ioc(pin, SNAPMAP_IOC_GET, &get);
		if (err)
			return err;
		if (!value_is_whole(buf, get.value_len, key, &written) || written != version)
			return -EBADMSG;
	}
	return 0;
}

/* The map goes, by its name, while a pin is held; what is pinned stays. */
static int use_and_destroy(struct actor *actor, int fd)
{
	struct writer writer;
	int err = writer_init(&writer, fd, random_next(&actor->rng));
	u64 version = writer.version;
	int gone, pin = map_pin(fd);

	if (!err && pin < 0)
		err = pin;
	if (!err)
		err = writer_commit(&writer);
	if (!err)
		err = writer_fill(&writer, SNAPMAP_COMMIT_REPLACE);
	gone = map_destroy(CHURN_NAME);
	if (!err)
		err = gone;
	if (!err && writer_commit(&writer) != -ENODEV)
		err = -EBADMSG;
	if (!err)
		err = check_pin(pin, version);
	if (pin >= 0)
		close(pin);
	writer_exit(&writer);
	return err;
}

void actor_churn(struct actor *actor)
{
	int err, fd;

	while (actor_goes_on(actor)) {
		err = map_create(CHURN_NAME, 16 * MIB);
		if (actor_is_refusal(err))
			continue;
		fd = err ? err : map_open(CHURN_NAME, O_RDWR);
		if (fd < 0) {
			actor_error(actor, "create", fd);
			return;
		}
		err = use_and_destroy(actor, fd);
		close(fd);
		if (err && !actor_is_refusal(err))
			actor_error(actor, "churn", err);
		actor->deeds->churned++;
		nap(random_below(&actor->rng, 300000));
	}
}

/* ------------------------------------------------------------- memory pressure */

/* Bytes that could be had without swapping, 0 when unknown. */
static u64 available_memory(void)
{
	FILE *file = fopen("/proc/meminfo", "re");
	char line[128];
	u64 kib = 0;

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "MemAvailable: %llu kB", &kib) == 1)
			break;
	if (file)
		fclose(file);
	return kib << 10;
}

/* Touches page after page; it may take long under emulation. */
static void touch(const struct actor *actor, char *data, size_t bytes)
{
	size_t at;

	for (at = 0; at < bytes && actor_goes_on(actor); at += PAGE) {
		data[at] = 1;
		if (at % MIB == 0)
			actor->deeds->squeezed++;
	}
}

/* Most of what is left, held for a moment and given back. */
static void squeeze(struct actor *actor)
{
	size_t bytes = available_memory() * (70 + random_below(&actor->rng, 20)) / 100;
	char *data = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (data == MAP_FAILED)
		return;
	touch(actor, data, bytes);
	nap(100000);
	munmap(data, bytes);
}

void actor_squeeze(struct actor *actor)
{
	while (actor_goes_on(actor)) {
		nap(random_below(&actor->rng, 1000000));
		squeeze(actor);
	}
}

/* ------------------------------------------------------------- starting */

pid_t actor_start(const struct actor *like, actor_fn run)
{
	struct actor actor = *like;
	pid_t pid = child_start();

	if (pid)
		return pid;
	run(&actor);
	_exit(0);
}

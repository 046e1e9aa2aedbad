// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * linear_test.c - what clients did, all at once, could have been done one after
 * the other (promise C)
 *
 * Processes of two threads each get, by mapping and by ioctl, and commit, at
 * once or by a transaction, most of the time under a condition that others may
 * break. All calls are recorded between two ticks of one shared counter, and
 * history.c judges the whole.
 *
 * SNAPMAP_CALLS: calls of each thread, by default 10000 on stock kernels and
 * 800 on test builds, which are slow.
 */
#include <libsnapmap.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "history.h"
#include "versions.h"

#define PROCESSES 3
#define THREADS	  2
#define CLIENTS	  (PROCESSES * THREADS)
#define KEYS	  6U

static u64 calls_to_make(void)
{
	const char *given = getenv("SNAPMAP_CALLS");

	return given ? strtoull(given, NULL, 0) : is_slow() ? 800 : 10000;
}

/**
 * struct record - what all clients have done; shared
 * @clock: ticks at each call and each return
 * @ready: clients that are about to begin
 * @calls: of each client
 * @events: those of client c from c * @calls on
 */
struct record {
	_Atomic u64 clock;
	_Atomic u32 ready;
	u64 calls;
	struct event events[];
};

/**
 * struct client - one thread
 * @record: shared
 * @name: the map's
 * @number: which client
 * @fd: the map
 * @map: the same, as the library has it
 * @rng: its chance
 * @version: newest version that it has seen
 * @written: for each key, the version of the entry that it saw last
 */
struct client {
	struct record *record;
	const char *name;
	u32 number;
	int fd;
	struct snapmap *map;
	u64 rng;
	u64 version;
	u64 written[KEYS];
};

static size_t record_bytes(u64 calls)
{
	return sizeof(struct record) + CLIENTS * calls * sizeof(struct event);
}

static struct record *record_new(u64 calls)
{
	struct record *record = mmap(NULL, record_bytes(calls), PROT_READ | PROT_WRITE,
				     MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(record, MAP_FAILED);
	record->calls = calls;
	return record;
}

/* ------------------------------------------------------------- what a client does */

static void get_by_mapping(struct client *client, struct event *event)
{
	struct snapmap_found found;

	event->err = snapmap_get(client->map, &event->key, sizeof(event->key), &event->value,
				 sizeof(event->value), &found);
	event->version = found.version;
	event->entry_version = found.entry_version;
}

static void get_by_ioctl(struct client *client, struct event *event)
{
	struct snapmap_get get = { .key = (uintptr_t)&event->key,
				   .key_len = sizeof(event->key),
				   .value = (uintptr_t)&event->value,
				   .value_len = sizeof(event->value) };

	event->err = ioc(client->fd, SNAPMAP_IOC_GET, &get);
	event->version = get.version;
	event->entry_version = get.entry_version;
}

/* Through a pin, which lets what comes after pass. */
static void get_by_pin(struct client *client, struct event *event)
{
	struct client pin = { .fd = map_pin(client->fd) };

	get_by_ioctl(&pin, event);
	close(pin.fd);
}

static void get(struct client *client, struct event *event)
{
	static void (*const ways[])(struct client * client, struct event * event) = {
		get_by_mapping, get_by_mapping, get_by_ioctl, get_by_ioctl, get_by_pin
	};

	event->kind = EVENT_GET;
	event->key = random_below(&client->rng, KEYS);
	ways[random_below(&client->rng, ARRAY_SIZE(ways))](client, event);
	client->written[event->key] = event->err ? 0 : event->entry_version;
}

/* An operation with a condition that held when the client looked last, or with none. */
static struct event_op choose_op(struct client *client, u32 key)
{
	struct event_op op = { .key = key, .deletes = !random_below(&client->rng, 4) };

	op.value = random_next(&client->rng);
	if (!random_below(&client->rng, 3))
		return op;
	op.condition = SNAPMAP_COND_ABSENT;
	if (!client->written[key])
		return op;
	op.condition = SNAPMAP_COND_PRESENT;
	if (!random_below(&client->rng, 3))
		return op;
	op.condition = SNAPMAP_COND_VERSION;
	op.if_version = client->written[key];
	return op;
}

static void choose_commit(struct client *client, struct event *event)
{
	u32 key = random_below(&client->rng, KEYS), i;

	event->kind = EVENT_COMMIT;
	event->ops = 1 + random_below(&client->rng, HISTORY_OPS);
	for (i = 0; i < event->ops; i++)
		event->op[i] = choose_op(client, (key + i) % KEYS);
	if (random_below(&client->rng, 2))
		event->if_version = client->version;
}

static void add_op(struct batch *batch, const struct event_op *op)
{
	struct snapmap_op head = {
		.opcode = op->deletes ? SNAPMAP_OP_DELETE : SNAPMAP_OP_PUT,
		.condition = op->condition,
		.key_len = sizeof(op->key),
		.value_len = op->deletes ? 0 : sizeof(op->value),
		.if_version = op->if_version,
	};

	batch_add(batch, head, &op->key, &op->value);
}

static void commit(struct client *client, struct event *event, struct batch *batch)
{
	struct snapmap_commit args;

	args = batch_args(batch, event->if_version ? SNAPMAP_COMMIT_IF_VERSION : 0);
	args.if_version = event->if_version;
	event->err = ioc(client->fd, SNAPMAP_IOC_COMMIT, &args);
	event->version = args.version;
	event->failed_op = args.failed_op;
}

/* The same in steps; where a condition does not hold, the first that can say so does. */
static void commit_in_steps(struct client *client, struct event *event, struct batch *batch)
{
	struct snapmap_txn args = { .flags = event->if_version ? SNAPMAP_COMMIT_IF_VERSION : 0,
				    .if_version = event->if_version };
	int txn = ioc(client->fd, SNAPMAP_IOC_TXN, &args);
	struct snapmap_txn_run run = { .version = 0 };

	event->err = txn < 0 ? txn : txn_write(txn, batch);
	if (!event->err && random_below(&client->rng, 2))
		event->err = txn_prepare(txn, &run);
	if (!event->err)
		event->err = txn_commit(txn, &run);
	event->version = run.version;
	event->failed_op = run.failed_op;
	close(txn);
}

static void act(struct client *client, struct event *event, struct batch *batch)
{
	_Atomic u64 *clock = &client->record->clock;
	bool commits = random_below(&client->rng, 3) == 0;
	u32 i;

	batch_clear(batch);
	if (commits)
		choose_commit(client, event);
	for (i = 0; i < event->ops; i++)
		add_op(batch, &event->op[i]);
	event->client = client->number;
	event->call = atomic_fetch_add(clock, 1);
	if (commits && random_below(&client->rng, 3))
		commit(client, event, batch);
	else if (commits)
		commit_in_steps(client, event, batch);
	else
		get(client, event);
	event->ret = atomic_fetch_add(clock, 1);
	if (event->version > client->version)
		client->version = event->version;
}

static void *client_run(void *data)
{
	struct client *client = data;
	struct record *record = client->record;
	struct event *events = record->events + client->number * record->calls;
	struct batch batch = { .data = NULL };
	u64 i;

	client->fd = map_open(client->name, O_RDWR);
	atomic_fetch_add(&record->ready, 1);
	if (snapmap_open(client->name, O_RDONLY, &client->map))
		return NULL; /* its calls, never made, will not fit */
	while (atomic_load(&record->ready) < CLIENTS)
		nap(100);
	for (i = 0; i < record->calls; i++)
		act(client, &events[i], &batch);
	snapmap_close(client->map);
	close(client->fd);
	batch_free(&batch);
	return NULL;
}

/* ------------------------------------------------------------- the whole */

static void process_run(const struct client *first)
{
	struct client clients[THREADS];
	pthread_t threads[THREADS];
	u32 i;

	for (i = 0; i < THREADS; i++) {
		clients[i] = *first;
		clients[i].number += i;
		clients[i].rng += i;
		pthread_create(&threads[i], NULL, client_run, &clients[i]);
	}
	for (i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
}

static void run_clients(struct record *record, const char *name)
{
	struct client client = { .record = record, .name = name, .rng = seed_of_test() };
	pid_t pids[PROCESSES];
	int i, status;

	for (i = 0; i < PROCESSES; i++, client.number += THREADS) {
		client.rng = random_next(&client.rng);
		pids[i] = child_start();
		if (pids[i])
			continue;
		process_run(&client);
		_exit(0);
	}
	for (i = 0; i < PROCESSES; i++) {
		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_int_equal(status, 0);
	}
}

static void print_event(const struct event *event)
{
	note("client %u, from %llu to %llu: %s gives %d, version %llu", event->client,
	     (u64)event->call, (u64)event->ret, event->kind == EVENT_GET ? "get" : "commit",
	     event->err, (u64)event->version);
	if (event->kind == EVENT_GET)
		note("key %u, written by %llu", event->key, (u64)event->entry_version);
	else
		note("expecting %llu, %u operations, refused at %lld", (u64)event->if_version,
		     event->ops, (s64)event->failed_op);
}

/* How often calls were refused, and met others: without, a history proves little. */
static void print_history(const struct event *events, size_t count)
{
	u64 commits = 0, refused = 0, overlaps = 0, last = 0;
	size_t i;

	for (i = 0; i < count; i++) {
		commits += events[i].kind == EVENT_COMMIT && !events[i].err;
		refused += events[i].kind == EVENT_COMMIT && events[i].err;
		overlaps += events[i].call < last;
		if (events[i].ret > last)
			last = events[i].ret;
	}
	note("%zu calls, %llu commits, %llu refused, %llu begun within another", count, commits,
	     refused, overlaps);
	assert_true(commits > count / 20);
	assert_true(refused > count / 100);
	assert_true(overlaps > count / 100);
}

static void test_history_is_linearizable_C(void **state)
{
	struct fixture *map = *state;
	u64 calls = calls_to_make();
	struct record *record = record_new(calls);
	const struct event *culprit;
	struct snapmap_info info;
	const char *why;

	assert_int_equal(map_set_lease(map->name, SNAPMAP_LEASE_MAX), 0);
	run_clients(record, map->name);
	why = history_check(record->events, CLIENTS * calls, &culprit);
	if (why) {
		note("%s", why);
		print_event(culprit);
	}
	assert_null(why);
	print_history(record->events, CLIENTS * calls);
	assert_info(map->fd, &info);
	assert_int_equal(info.commits, info.header.version - 1);
	assert_int_equal(info.failures, 0);
	assert_no_leak(map->fd);
	munmap(record, record_bytes(calls));
}

static const struct CMUnitTest tests[] = {
	map_test(test_history_is_linearizable_C),
	caught_test("stale", test_history_is_linearizable_C),
	caught_test("version", test_history_is_linearizable_C),
	cmocka_unit_test(test_nothing_is_left_G),
};

int main(void)
{
	return cmocka_run_group_tests_name("linear", tests, NULL, NULL);
}

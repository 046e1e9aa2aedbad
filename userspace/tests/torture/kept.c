// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * kept.c - the processes of snapmap-torture that use a map with a history, whose
 * pins are revoked when they hold back too much, and a second map beside it
 *
 * Every commit writes all hot keys. Their values say who wrote them and whether
 * they are whole; so in whatever snapshot, rolled back or not, all are of one
 * commit. What is read of a pin is that, or ESTALE, or nothing.
 */
#include <libsnapmap_history.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>

#include "torture.h"
#include "versions.h"

#define PEER	"peer"
#define HOLDS	6
#define HISTORY 40

/* ------------------------------------------------------------- the maps */

int kept_set_up(void)
{
	int err;

	kept_tear_down();
	err = map_create(KEPT_NAME, KEPT_LIMIT);
	if (!err)
		err = map_create(PAIR_NAME, KEPT_LIMIT);
	if (!err)
		err = map_set(KEPT_NAME, SNAPMAP_SET_FLAGS | SNAPMAP_SET_HISTORY,
			      SNAPMAP_MAP_REVOKE, HISTORY, 0);
	return err;
}

void kept_tear_down(void)
{
	map_destroy(KEPT_NAME);
	map_destroy(PAIR_NAME);
}

static bool kept_map_is_given_back(const char *name)
{
	struct snapmap_info info = { .flags = 0 };
	int fd = map_open(name, O_RDWR);
	bool fine;

	if (fd < 0 || map_set_history(name, 1))
		return false;
	fine = map_is_given_back(fd) && !ioc(fd, SNAPMAP_IOC_INFO, &info);
	printf("%s: version %llu, revoked below %llu, %llu leases expired\n", name,
	       info.header.version, info.revoked, info.expired);
	close(fd);
	return fine;
}

bool kept_is_given_back(void)
{
	bool kept = kept_map_is_given_back(KEPT_NAME);

	return kept_map_is_given_back(PAIR_NAME) && kept;
}

/* ------------------------------------------------------------- writing */

static bool is_lost_turn(int err)
{
	return err == -ETIME || err == -EBUSY || err == -ETIMEDOUT || err == -ESTALE ||
	       err == -ECANCELED;
}

/* What a writer may be told; anything else is an error. */
static void count_turn(struct actor *actor, const char *where, int err)
{
	if (!err)
		actor->deeds->kept_commits++;
	else if (is_lost_turn(err))
		actor->deeds->lost_turns++;
	else if (actor_is_refusal(err))
		actor->deeds->refused++;
	else
		actor_error(actor, where, err);
}

/* All hot keys, of one commit, whose number is random. */
static void fill_batch(struct actor *actor, struct batch *batch)
{
	static u64 words[VALUE_WORDS];
	u64 commit = random_next(&actor->rng) >> 1;
	u32 key, bytes;

	batch_clear(batch);
	for (key = 0; key < HOT_KEYS; key++) {
		bytes = value_make(words, key, commit, 2 + random_below(&actor->rng, 1200));
		batch_put(batch, &key, sizeof(key), words, bytes);
	}
}

/* A part for one map, which says the version that the other map will have. */
static int write_part(struct actor *actor, int txn, struct batch *batch, u64 peer)
{
	fill_batch(actor, batch);
	batch_put(batch, PEER, strlen(PEER), &peer, sizeof(peer));
	return txn_write(txn, batch);
}

static int add_second(struct actor *actor, int txn, int fd, u64 version, struct batch *batch,
		      u64 peer)
{
	struct snapmap_txn_add add = { .flags = SNAPMAP_COMMIT_IF_VERSION,
				       .map = fd,
				       .if_version = version };
	int err = ioc(txn, SNAPMAP_IOC_TXN_ADD, &add);

	return err ? err : write_part(actor, txn, batch, peer);
}

/* On both maps, in any order, or on the first one alone, whose peer stays as it is. */
static int open_txn(struct actor *actor, const int *fd, struct batch *batch)
{
	static const u32 leases[] = { 1, 3, 20, 5000 };
	bool both = random_below(&actor->rng, 3);
	u32 first = both ? random_below(&actor->rng, 2) : 0;
	u64 version[2] = { map_version(fd[0]), map_version(fd[1]) };
	struct snapmap_txn args = { .flags = both ? SNAPMAP_COMMIT_IF_VERSION : 0,
				    .lease_ms = leases[random_below(&actor->rng, 4)],
				    .if_version = both ? version[first] : 0 };
	int txn = ioc(fd[first], SNAPMAP_IOC_TXN, &args), err;

	if (txn < 0)
		return txn;
	if (both) {
		err = write_part(actor, txn, batch, version[!first] + 1);
		if (!err)
			err = add_second(actor, txn, fd[!first], version[!first], batch,
					 version[first] + 1);
	} else {
		fill_batch(actor, batch);
		err = txn_write(txn, batch);
	}
	if (err)
		close(txn);
	return err ? err : txn;
}

/* Whatever can become of it, a commit once in two. */
static int end_txn(struct actor *actor, int txn)
{
	int err = 0;

	if (random_below(&actor->rng, 2))
		err = txn_prepare(txn, NULL);
	if (!err && !random_below(&actor->rng, 5))
		nap(random_below(&actor->rng, 8000));
	if (!err && random_below(&actor->rng, 3))
		err = txn_commit(txn, NULL);
	else if (!err && random_below(&actor->rng, 2))
		err = txn_abort(txn);
	return err;
}

static int transact(struct actor *actor, const int *fd, struct batch *batch)
{
	int txn = open_txn(actor, fd, batch), err;

	if (txn < 0)
		return txn;
	err = end_txn(actor, txn);
	close(txn);
	return err;
}

/* The process dies in the middle of it. */
static void transact_and_die(struct actor *actor, const int *fd, struct batch *batch)
{
	pid_t pid = child_start();

	if (!pid) {
		for (;;)
			transact(actor, fd, batch);
	}
	nap(random_below(&actor->rng, 20000));
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	random_next(&actor->rng);
}

void actor_transact(struct actor *actor)
{
	int fd[2] = { map_open(KEPT_NAME, O_RDWR), map_open(PAIR_NAME, O_RDWR) };
	struct batch batch = { .data = NULL };

	while (actor_goes_on(actor)) {
		if (!random_below(&actor->rng, 20))
			transact_and_die(actor, fd, &batch);
		count_turn(actor, "transaction", transact(actor, fd, &batch));
	}
	batch_free(&batch);
}

void actor_roll_back(struct actor *actor)
{
	int fd = map_open(KEPT_NAME, O_RDWR), err;
	struct snapmap_rollback args;
	u64 version;

	while (actor_goes_on(actor)) {
		version = map_version(fd);
		args = (struct snapmap_rollback){ .flags = SNAPMAP_COMMIT_STAMP,
						  .wait_ms = random_below(&actor->rng, 3) * 5 };
		args.to = version - random_below(&actor->rng, version < 45 ? version : 45);
		args.stamp = args.to;
		err = ioc(fd, SNAPMAP_IOC_ROLLBACK, &args);
		count_turn(actor, "rollback", err);
		nap(random_below(&actor->rng, 50000));
	}
}

/* ------------------------------------------------------------- pins */

static int get_from(int pin, const void *key, u32 key_len, void *value, u32 *bytes)
{
	struct snapmap_get get = { .key = (uintptr_t)key,
				   .key_len = key_len,
				   .value = (uintptr_t)value,
				   .value_len = *bytes };
	int err = ioc(pin, SNAPMAP_IOC_GET, &get);

	*bytes = get.value_len;
	return err;
}

static int get_copy(struct snapmap_snapshot *pin, bool mapped, u32 key, u64 *value, u32 *bytes)
{
	struct snapmap_item item;
	int err;

	*bytes = VALUE_WORDS * sizeof(u64);
	if (!mapped)
		return get_from(snapmap_pin_fd(pin), &key, sizeof(key), value, bytes);
	err = snapmap_pin_get(pin, &key, sizeof(key), &item);
	if (!err && item.value_len <= *bytes) {
		*bytes = item.value_len;
		memcpy(value, item.value, item.value_len);
	}
	/* What has been copied counts if this says so. */
	return snapmap_pin_check(pin) ? -ESTALE : err;
}

/* All hot keys are of one commit, *@commit if that is known: 0, -ESTALE or -EBADMSG. */
static int look_at(struct snapmap_snapshot *pin, bool mapped, u64 *commit)
{
	static u64 value[VALUE_WORDS];
	u64 written;
	u32 key, bytes;
	int err;

	for (key = 0; key < HOT_KEYS; key++) {
		err = get_copy(pin, mapped, key, value, &bytes);
		if (err == -ENOENT && !*commit && !key)
			return 0; /* before the first commit */
		if (err)
			return err;
		if (!value_is_whole(value, bytes, key, &written) || (*commit && written != *commit))
			return -EBADMSG;
		*commit = written;
	}
	return 0;
}

/* A pin of some version, and the commit that its content is of, 0 while unknown. */
struct hold {
	struct snapmap_snapshot *pin;
	u64 commit;
};

static int renew(struct actor *actor, struct snapmap *map, struct hold *hold)
{
	u64 version = snapmap_version(map), back = random_below(&actor->rng, HISTORY + 4);
	int err;

	snapmap_unpin(hold->pin);
	*hold = (struct hold){ .pin = NULL };
	if (random_below(&actor->rng, 2))
		return snapmap_pin(map, &hold->pin);
	err = snapmap_pin_at(map, version > back ? version - back : 0, &hold->pin);
	return err == -ESTALE ? 0 : err;
}

void actor_hold(struct actor *actor)
{
	struct hold holds[HOLDS] = { { .pin = NULL } }, *hold;
	struct snapmap *map;
	int err = snapmap_open(KEPT_NAME, O_RDONLY, &map);

	while (!err && actor_goes_on(actor)) {
		hold = &holds[random_below(&actor->rng, HOLDS)];
		if (hold->pin)
			err = look_at(hold->pin, random_below(&actor->rng, 2), &hold->commit);
		actor->deeds->pins_read += hold->pin && !err;
		actor->deeds->pins_stale += err == -ESTALE;
		if (err == -ESTALE || !hold->pin || !random_below(&actor->rng, 60))
			err = renew(actor, map, hold);
		if (actor_is_refusal(err))
			err = 0;
	}
	if (err)
		actor_error(actor, "pin", err);
}

/* ------------------------------------------------------------- two maps */

/* The version that the other map has had since what the pin shows was written. */
static int peer_of(int pin, u64 *peer)
{
	u32 bytes = sizeof(*peer);
	int err = get_from(pin, PEER, strlen(PEER), peer, &bytes);

	*peer = err ? 0 : *peer;
	return err == -ENOENT ? 0 : err;
}

static int look_at_set(struct actor *actor, const s32 *pins)
{
	struct snapmap_info info[2] = { { .flags = 0 } };
	u64 peer[2];
	int err = 0, i;

	for (i = 0; !err && i < 2; i++)
		err = peer_of(pins[i], &peer[i]);
	for (i = 0; !err && i < 2; i++)
		err = ioc(pins[i], SNAPMAP_IOC_INFO, &info[i]);
	if (err)
		return err;
	actor->deeds->pairs += peer[0] == info[1].header.version;
	return peer[0] > info[1].header.version || peer[1] > info[0].header.version ? -EBADMSG : 0;
}

/* Neither map shows a transaction on both that the other does not. */
void actor_pin_sets(struct actor *actor)
{
	int fd[2] = { map_open(KEPT_NAME, O_RDWR), map_open(PAIR_NAME, O_RDWR) }, err = 0;
	s32 pins[2];

	while (!err && actor_goes_on(actor)) {
		err = pin_both(fd[0], fd[1], pins);
		if (!err) {
			err = look_at_set(actor, pins);
			close(pins[0]);
			close(pins[1]);
		}
		if (err == -ESTALE || actor_is_refusal(err))
			err = 0;
	}
	if (err)
		actor_error(actor, "set of pins", err);
}

/* ------------------------------------------------------------- watching */

static int sum_of(struct snapmap_snapshot *pin, u64 *sum)
{
	struct snapmap_iter *iter;
	struct snapmap_item item;
	int ret = snapmap_iter_new(pin, &iter);

	*sum = 0;
	if (ret)
		return ret;
	while ((ret = snapmap_iter_next(iter, &item)) == 1)
		*sum += item_hash(&item);
	snapmap_iter_free(iter);
	return snapmap_pin_check(pin) ? -ESTALE : ret;
}

/* Changes *sum as what differs changes the content. */
static int replay(struct snapmap_snapshot *from, struct snapmap_snapshot *to, u64 *sum)
{
	struct snapmap_change change;
	struct snapmap_diff *diff;
	int ret = snapmap_diff_new(from, to, &diff);

	if (ret)
		return ret;
	while ((ret = snapmap_diff_next(diff, &change)) == 1) {
		if (change.before.key)
			*sum -= item_hash(&change.before);
		if (change.after.key)
			*sum += item_hash(&change.after);
	}
	snapmap_diff_free(diff);
	return snapmap_pin_check(from) || snapmap_pin_check(to) ? -ESTALE : ret;
}

/* One step of a watcher: *pin gives way to the current snapshot. */
static int watch_step(struct actor *actor, struct snapmap *map, struct snapmap_snapshot **pin,
		      u64 *sum)
{
	struct snapmap_snapshot *next;
	u64 expected = *sum, found;
	int err = snapmap_pin(map, &next);

	if (err)
		return err;
	err = *pin ? replay(*pin, next, &expected) : 0;
	if (!err)
		err = sum_of(next, &found);
	if (!err && *pin && found != expected)
		err = -EBADMSG;
	actor->deeds->replayed += *pin && !err;
	snapmap_unpin(*pin);
	*pin = next;
	*sum = found;
	if (err) {
		snapmap_unpin(*pin);
		*pin = NULL;
	}
	return err;
}

void actor_watch(struct actor *actor)
{
	struct snapmap_snapshot *pin = NULL;
	struct snapmap *map;
	int err = snapmap_open(KEPT_NAME, O_RDONLY, &map);
	u64 sum = 0;

	while (!err && actor_goes_on(actor)) {
		err = watch_step(actor, map, &pin, &sum);
		if (err == -ESTALE || actor_is_refusal(err))
			err = 0;
		nap(random_below(&actor->rng, 30000));
	}
	if (err)
		actor_error(actor, "watch", err);
}

// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * holder.c - a process with a prepared transaction, for tests of the command
 *
 * holder LEASE_MS NAME KEY VALUE [NAME KEY VALUE]...
 *
 * Puts the entries, prepares and prints "prepared"; then each word on standard
 * input, commit, abort or info, is done, and a line says how it went. Ends at the
 * end of the input, without tidying up.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <libsnapmap.h>

static struct snapmap_transaction *txn;

static void say(const char *what, int err)
{
	printf("%s: %s\n", what, err ? strerror(-err) : "done");
	fflush(stdout);
}

static int add(char **words, const struct snapmap_txn_opts *opts)
{
	struct snapmap *map;
	int err = snapmap_open(words[0], O_RDWR, &map);

	if (!err)
		err = txn ? snapmap_txn_add(txn, map, NULL) : snapmap_txn_new(map, opts, &txn);
	if (!err)
		err = snapmap_txn_put(txn, words[1], strlen(words[1]), words[2], strlen(words[2]));
	return err;
}

static int info(void)
{
	struct snapmap_txn_info now;
	int err = snapmap_txn_info(txn, 0, &now);

	if (!err)
		printf("state %u, maps %u, version %llu, left %d\n", now.state, now.maps,
		       now.version, now.lease_left_ns > 0);
	return err;
}

static void obey(const char *word)
{
	if (!strcmp(word, "commit"))
		say(word, snapmap_txn_commit(txn, NULL, NULL));
	else if (!strcmp(word, "abort"))
		say(word, snapmap_txn_abort(txn));
	else
		say(word, info());
}

int main(int argc, char **argv)
{
	struct snapmap_txn_opts opts = { .lease_ms = argc > 1 ? (uint32_t)atoi(argv[1]) : 0 };
	char word[16];
	int i, err = 0;

	for (i = 2; i + 2 < argc && !err; i += 3)
		err = add(argv + i, &opts);
	if (!err)
		err = snapmap_txn_prepare(txn, NULL, NULL);
	say("prepared", err);
	while (!err && scanf("%15s", word) == 1)
		obey(word);
	_exit(err ? 1 : 0);
}

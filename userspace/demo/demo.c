// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * demo.c - several readers look up a package index while a writer changes it
 *
 *	demo MAP INDEX
 *
 * INDEX is the text that MAP has been loaded from. A writer commits COMMITS
 * batches of BATCH entries; every value that it writes ends in the version that
 * it is written by. Readers, each a process of its own, look up random keys
 * through the mapping and compare every byte of what they get with what it must
 * be at the version that the entry says to be from; a value of which one byte
 * is older or newer than the rest is counted as torn. The parent traces its
 * readers and counts the system calls that they make inside the read loop.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libsnapmap.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define READERS	  3
#define COMMITS	  1000
#define BATCH	  20
#define VALUE_CAP 512

struct entry {
	char *name;
	char *value;
};

struct index {
	struct entry *entries;
	size_t count;
	uint64_t version; /* of the snapshot that it was loaded as */
};

/* Shared by all processes of the demo. */
struct board {
	volatile bool stop;
	struct {
		volatile bool reading; /* inside the read loop */
		volatile uint64_t lookups;
		volatile uint64_t changed; /* look-ups that met an entry of the writer's */
		volatile uint64_t torn;
		volatile uint64_t went_back; /* older than what the reader had seen */
		volatile uint64_t failed;
		uint64_t syscalls; /* counted by the parent */
		bool in_syscall;
		pid_t pid;
	} reader[READERS];
};

struct outcome {
	uint64_t published;
	uint64_t blocks;
	uint64_t most_blocks;
	double seconds;
};

static void die(const char *what, int err)
{
	fprintf(stderr, "demo: %s: %s\n", what, strerror(err));
	exit(4);
}

static uint64_t random_next(uint64_t *state)
{
	/* xorshift64*, Vigna 2016 */
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1dULL;
}

static void index_read(struct index *index, const char *path)
{
	FILE *file = fopen(path, "r");
	char *line = NULL, *tab;
	size_t cap = 0, room = 0;

	if (!file)
		die(path, errno);
	while (getline(&line, &cap, file) > 0) {
		line[strcspn(line, "\n")] = 0;
		tab = strchr(line, '\t');
		if (!tab)
			continue;
		*tab = 0;
		if (index->count == room) {
			room = room ? room * 2 : 1024;
			index->entries = realloc(index->entries, room * sizeof(*index->entries));
			if (!index->entries)
				die(path, ENOMEM);
		}
		index->entries[index->count++] = (struct entry){ strdup(line), strdup(tab + 1) };
	}
	free(line);
	fclose(file);
	if (!index->count)
		die(path, ENODATA);
}

/* What the value of an entry is after the commit that publishes @version. */
static int expected_value(const struct index *index, const struct entry *entry, uint64_t version,
			  char *to)
{
	if (version == index->version)
		return snprintf(to, VALUE_CAP, "%s", entry->value);
	return snprintf(to, VALUE_CAP, "%" PRIu64 " %s %" PRIu64, version, entry->value, version);
}

static void look_up(struct snapmap *map, const struct index *index, struct board *board, int self,
		    uint64_t *random, uint64_t *seen)
{
	const struct entry *entry = &index->entries[random_next(random) % index->count];
	char value[VALUE_CAP], expected[VALUE_CAP];
	struct snapmap_found found;
	int length;

	if (snapmap_get(map, entry->name, strlen(entry->name), value, sizeof(value), &found)) {
		board->reader[self].failed++;
		return;
	}
	length = expected_value(index, entry, found.entry_version, expected);
	if (found.value_len != (size_t)length || memcmp(value, expected, length))
		board->reader[self].torn++;
	if (found.version < *seen || found.entry_version > found.version)
		board->reader[self].went_back++;
	*seen = found.version;
	board->reader[self].changed += found.entry_version != index->version;
	board->reader[self].lookups++;
}

static void reader_main(const char *name, const struct index *index, struct board *board, int self)
{
	uint64_t random = 88172645463325252ULL + self;
	struct snapmap *map;
	uint64_t seen = 0;
	int err = snapmap_open(name, O_RDONLY, &map);

	if (err)
		die(name, -err);
	ptrace(PTRACE_TRACEME, 0, NULL, NULL);
	raise(SIGSTOP);
	board->reader[self].reading = true;
	while (!board->stop)
		look_up(map, index, board, self, &random, &seen);
	board->reader[self].reading = false;
	syscall(SYS_getppid); /* where the parent stops counting */
	_exit(0);
}

static void readers_start(const char *name, const struct index *index, struct board *board)
{
	int status;
	pid_t pid;

	for (int i = 0; i < READERS; i++) {
		pid = fork();
		if (pid < 0)
			die("fork", errno);
		if (!pid)
			reader_main(name, index, board, i);
		board->reader[i].pid = pid;
		if (waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status))
			die("a reader did not start", ECHILD);
		ptrace(PTRACE_SETOPTIONS, pid, NULL, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL);
		ptrace(PTRACE_SYSCALL, pid, NULL, NULL);
	}
}

/*
 * Lets a stopped reader go on. It stops before and after each system call; the
 * one inside the loop that is counted is stopped at while @reading is set.
 */
static void reader_stopped(struct board *board, int i, int status)
{
	int signal = WSTOPSIG(status);

	if (signal == (SIGTRAP | 0x80)) {
		board->reader[i].in_syscall ^= 1;
		board->reader[i].syscalls += board->reader[i].in_syscall &&
					     board->reader[i].reading;
		signal = 0;
	}
	ptrace(PTRACE_SYSCALL, board->reader[i].pid, NULL, signal);
}

/* Attends to readers that have stopped; true while any is alive. */
static bool readers_attend(struct board *board, int flags)
{
	int status;
	pid_t pid = waitpid(-1, &status, flags | __WALL);

	if (pid < 0)
		return false;
	for (int i = 0; pid && i < READERS; i++)
		if (board->reader[i].pid == pid && WIFSTOPPED(status))
			reader_stopped(board, i, status);
	return true;
}

static void commit_batch(struct snapmap *map, const struct index *index,
			 struct snapmap_batch *batch, uint64_t *random, struct outcome *outcome)
{
	struct snapmap_commit_result result;
	char value[VALUE_CAP];
	int err = 0;

	snapmap_batch_clear(batch);
	for (int i = 0; !err && i < BATCH; i++) {
		const struct entry *entry = &index->entries[random_next(random) % index->count];
		int length = expected_value(index, entry, snapmap_version(map) + 1, value);

		err = snapmap_batch_put(batch, entry->name, strlen(entry->name), value, length);
	}
	if (!err)
		err = snapmap_commit(map, batch, NULL, &result);
	if (err)
		die("commit", -err);
	outcome->published++;
	outcome->blocks += result.blocks_copied;
	if (result.blocks_copied > outcome->most_blocks)
		outcome->most_blocks = result.blocks_copied;
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec + time.tv_nsec / 1e9;
}

static void writer_run(const char *name, const struct index *index, struct board *board,
		       struct outcome *outcome)
{
	struct snapmap_batch *batch = snapmap_batch_new();
	uint64_t random = 1234567;
	struct snapmap *map;
	double begin = now();
	int err = snapmap_open(name, O_RDWR, &map);

	if (err || !batch)
		die(name, err ? -err : ENOMEM);
	for (int i = 0; i < COMMITS; i++) {
		commit_batch(map, index, batch, &random, outcome);
		readers_attend(board, WNOHANG);
		if ((i + 1) % 250 == 0)
			printf("  %d of %d batches committed\n", i + 1, COMMITS);
		fflush(stdout);
	}
	outcome->seconds = now() - begin;
	snapmap_batch_free(batch);
	snapmap_close(map);
}

static bool print_results(const char *name, const struct board *board,
			  const struct outcome *outcome)
{
	uint64_t lookups = 0, changed = 0, torn = 0, went_back = 0, failed = 0, syscalls = 0;
	struct snapmap_info info;
	struct snapmap *map;
	int err = snapmap_open(name, O_RDONLY, &map);

	if (err || snapmap_info(map, &info))
		die(name, err ? -err : EIO);
	for (int i = 0; i < READERS; i++) {
		lookups += board->reader[i].lookups;
		changed += board->reader[i].changed;
		torn += board->reader[i].torn;
		went_back += board->reader[i].went_back;
		failed += board->reader[i].failed;
		syscalls += board->reader[i].syscalls;
	}
	printf("\n  entries                        %" PRIu64 "\n", (uint64_t)info.header.entries);
	printf("  bytes of keys and values       %" PRIu64 "\n",
	       (uint64_t)(info.header.key_bytes + info.header.value_bytes));
	printf("  memory that the map takes      %" PRIu64 " bytes\n",
	       (uint64_t)info.resident_bytes);
	printf("  versions published             %" PRIu64 ", of %d entries each\n",
	       outcome->published, BATCH);
	printf("  reader processes               %d\n", READERS);
	printf("  look-ups done                  %" PRIu64 " (%" PRIu64
	       " met the writer's entries)\n",
	       lookups, changed);
	printf("  system calls in the read loop  %" PRIu64 "\n", syscalls);
	printf("  torn reads                     %" PRIu64 "\n", torn);
	printf("  reads older than one before    %" PRIu64 "\n", went_back);
	printf("  look-ups that failed           %" PRIu64 "\n", failed);
	printf("  blocks copied by a commit      %.1f on average, %" PRIu64 " at most, of %" PRIu64
	       " in use\n",
	       (double)outcome->blocks / outcome->published, outcome->most_blocks,
	       (uint64_t)info.used_blocks);
	snapmap_close(map);
	return outcome->published == COMMITS && lookups && changed && !syscalls && !torn &&
	       !went_back && !failed;
}

int main(int argc, char **argv)
{
	struct outcome outcome = { 0 };
	struct index index = { 0 };
	struct board *board;
	struct snapmap *map;
	bool held;

	if (argc != 3) {
		fprintf(stderr, "usage: demo MAP INDEX\n");
		return 2;
	}
	index_read(&index, argv[2]);
	if (snapmap_open(argv[1], O_RDONLY, &map))
		die(argv[1], ENOENT);
	index.version = snapmap_version(map);
	snapmap_close(map);
	board = mmap(NULL, sizeof(*board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		     0);
	if (board == MAP_FAILED)
		die("mmap", errno);
	readers_start(argv[1], &index, board);
	writer_run(argv[1], &index, board, &outcome);
	board->stop = true;
	while (readers_attend(board, 0))
		;
	held = print_results(argv[1], board, &outcome);
	printf("\n%s\n", held ? "DEMO PASSED: every promise above held" :
				"DEMO FAILED: see the figures above");
	return held ? 0 : 1;
}

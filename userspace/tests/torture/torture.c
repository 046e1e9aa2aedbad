// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * torture.c - everything at once, for as long as you like, in the manner of rcutorture
 *
 * Readers of all kinds in processes and in the kernel, writers, memory
 * pressure, maps that come and go, readers that are killed or stopped anywhere,
 * and a quarantine that changes. Each value tells a reader whether it is whole,
 * of one version, and not older than what was seen or committed before. The
 * last line is SUCCESS or FAILURE.
 */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "torture.h"

static const char usage[] =
	"Usage: snapmap-torture [OPTION...]\n"
	"\n"
	"Strains the loaded module, and ends with SUCCESS or FAILURE.\n"
	"\n"
	"  --time SECONDS       how long (60)\n"
	"  --readers N          processes that read, up to 8 (5)\n"
	"  --kernel-readers N   threads that read in the kernel, up to 8 (2); needs a test module\n"
	"  --writers N          processes that write, 1 to 8 (2)\n"
	"  --broken NAME        switch off a rule of a test module, which should end in FAILURE\n"
	"  --seed N             of all chance; the default is printed\n"
	"  --help               this text\n"
	"\n"
	"Exit status: 0 after SUCCESS, 1 after FAILURE, 2 for a wrong option.\n";

/**
 * struct torture - a run, seen from the process that directs it
 * @options: the command line
 * @stage: shared with the readers
 * @actor: what the other processes are started with
 * @fd: the map
 * @readers: reader processes
 * @actors: the other processes
 * @actor_count: how many
 * @rng: chance
 * @crashed: processes that have ended as they should not
 */
struct torture {
	struct options options;
	struct stage *stage;
	struct actor actor;
	int fd;
	pid_t readers[READERS_MAX];
	pid_t actors[ACTORS_MAX];
	unsigned int actor_count;
	u64 rng;
	unsigned int crashed;
};

static void start_reader(struct torture *torture, unsigned int i)
{
	static const reader_fn kinds[] = { reader_live, reader_pinned, reader_lapped,
					   reader_ioctl };

	torture->readers[i] = reader_start(torture->stage, MAP_NAME, i,
					   kinds[i % ARRAY_SIZE(kinds)],
					   random_next(&torture->rng));
}

static void start_actor(struct torture *torture, actor_fn run)
{
	torture->actor.rng = random_next(&torture->rng);
	torture->actors[torture->actor_count++] = actor_start(&torture->actor, run);
}

static int set_up_map(struct torture *torture)
{
	struct writer writer;
	int err;

	map_destroy(MAP_NAME);
	map_destroy(CHURN_NAME);
	err = map_create(MAP_NAME, LIMIT);
	if (err)
		return err;
	torture->fd = map_open(MAP_NAME, O_RDWR);
	if (torture->fd < 0)
		return torture->fd;
	err = writer_init(&writer, torture->fd, random_next(&torture->rng));
	atomic_store(&torture->stage->committed, writer.version);
	writer_exit(&writer);
	return err ? err : kept_set_up();
}

static void start_all(struct torture *torture)
{
	const struct options *options = &torture->options;
	unsigned int i;

	if (kernel_fail_allocations(1))
		printf("allocations of writers fail at random\n");
	kernel_filter(1); /* each table that is replaced gets one */
	if (options->kernel_readers && !kernel_read(MAP_NAME, options->kernel_readers))
		printf("no readers in the kernel: they need a test module\n");
	for (i = 0; i < options->readers; i++)
		start_reader(torture, i);
	for (i = 0; i < options->writers; i++)
		start_actor(torture, actor_write);
	start_actor(torture, actor_churn);
	start_actor(torture, actor_squeeze);
	if (!options->readers)
		return; /* those in the kernel are alone to find something */
	start_actor(torture, actor_transact);
	start_actor(torture, actor_transact);
	start_actor(torture, actor_roll_back);
	start_actor(torture, actor_hold);
	start_actor(torture, actor_pin_sets);
	start_actor(torture, actor_watch);
}

/* ------------------------------------------------------------- while it runs */

/* Kills a reader and starts another one, or stops one for a moment. */
static void harass_a_reader(struct torture *torture)
{
	unsigned int i;

	if (!torture->options.readers)
		return;
	i = random_below(&torture->rng, torture->options.readers);
	if (random_below(&torture->rng, 2)) {
		kill(torture->readers[i], SIGSTOP);
		nap(random_below(&torture->rng, 100000));
		kill(torture->readers[i], SIGCONT);
		return;
	}
	kill(torture->readers[i], SIGKILL);
	waitpid(torture->readers[i], NULL, 0);
	start_reader(torture, i);
}

static void change_quarantine(struct torture *torture)
{
	static const unsigned int settings[][2] = {
		{ 0, 0 }, { 500, 64 }, { 20000, 16 }, { 50, 2 }, { 1, 1 }
	};
	u32 i = random_below(&torture->rng, ARRAY_SIZE(settings));

	kernel_quarantine(settings[i][0], settings[i][1]);
}

static u64 all_lookups(const struct stage *stage)
{
	u64 sum = 0;
	int i;

	for (i = 0; i < READERS_MAX; i++)
		sum += stage->tally[i].lookups;
	return sum;
}

static void print_progress(const struct torture *torture, unsigned int seconds)
{
	const struct deeds *deeds = torture->actor.deeds;

	printf("%4u s: %llu commits, %llu conflicts, %llu refused, %llu look-ups, %llu maps, "
	       "%llu MiB squeezed\n",
	       seconds, deeds->commits, deeds->conflicts, deeds->refused,
	       all_lookups(torture->stage), deeds->churned, deeds->squeezed);
	printf("        of versions: %llu commits, %llu turns lost, %llu pins read, %llu stale, "
	       "%llu pairs, %llu replayed\n",
	       deeds->kept_commits, deeds->lost_turns, deeds->pins_read, deeds->pins_stale,
	       deeds->pairs, deeds->replayed);
	fflush(stdout);
}

static bool stage_has_fault(const struct stage *stage)
{
	int i;

	for (i = 0; i < READERS_MAX; i++)
		if (stage->tally[i].fault)
			return true;
	return false;
}

static bool something_is_found(const struct torture *torture)
{
	return stage_has_fault(torture->stage) || torture->actor.deeds->error ||
	       (torture->options.kernel_readers && kernel_read_faults()) || kernel_has_complained();
}

/* Until the time is over, or something has been found. */
static void direct(struct torture *torture)
{
	u64 start = now_ns();
	unsigned int seconds, shown = 0;

	for (;;) {
		seconds = (now_ns() - start) / 1000000000;
		if (seconds >= torture->options.seconds || something_is_found(torture))
			return;
		if (seconds >= shown + 10)
			print_progress(torture, shown = seconds);
		nap(200000);
		harass_a_reader(torture);
		change_quarantine(torture);
	}
}

/* ------------------------------------------------------------- the end */

/* A process that does not end, or crashes, is a failure; it may have been the OOM killer's choice. */
static void end_process(struct torture *torture, pid_t pid)
{
	struct child child = { .pid = pid };

	kill(pid, SIGCONT);
	if (!wait_until(child_has_ended, &child, PATIENCE)) {
		printf("process %d does not end\n", pid);
		kill(pid, SIGKILL);
		torture->crashed++;
	} else if (child.status &&
		   !(WIFSIGNALED(child.status) && WTERMSIG(child.status) == SIGKILL)) {
		printf("process %d ended with status %d\n", pid, child.status);
		torture->crashed++;
	}
}

static void stop_all(struct torture *torture)
{
	unsigned int i;

	atomic_store(&torture->stage->stop, 1);
	for (i = 0; i < torture->options.readers; i++)
		end_process(torture, torture->readers[i]);
	for (i = 0; i < torture->actor_count; i++)
		end_process(torture, torture->actors[i]);
	kernel_quarantine(50, 4);
	kernel_filter(1 << 17);
	kernel_fail_allocations(0);
}

static bool kernel_readers_are_content(const struct torture *torture)
{
	u64 lookups, faults;
	char fault[64];

	if (!torture->options.kernel_readers || !kernel_read_end(&lookups, &faults, fault))
		return true;
	printf("kernel readers: %llu look-ups, %llu faults\n", lookups, faults);
	if (faults)
		printf("kernel readers: %s\n", fault);
	return !faults && lookups;
}

bool map_is_given_back(int fd)
{
	struct snapmap_info info = { .flags = 0 };
	u64 reached;

	settle(fd);
	reached = reachable_blocks(fd);
	if (ioc(fd, SNAPMAP_IOC_INFO, &info))
		return false;
	if (!info.pins && !info.writer && info.used_blocks == reached)
		return true;
	printf("%s: %llu pins, writer %u, %llu blocks used, %llu reachable\n", info.name, info.pins,
	       info.writer, info.used_blocks, reached);
	return false;
}

static bool deeds_are_fine(const struct torture *torture)
{
	const struct deeds *deeds = torture->actor.deeds;
	bool committed = deeds->commits && (deeds->kept_commits || !torture->options.readers);

	if (deeds->error)
		printf("%s: unexpected %s\n", deeds->where, strerror(-deeds->error));
	if (!committed)
		printf("nothing was committed\n");
	return !deeds->error && committed;
}

/* Prints what was found; true when that is nothing. */
static bool judge(struct torture *torture)
{
	bool fine = true;

	stage_print(torture->stage);
	fine &= kernel_readers_are_content(torture);
	fine &= stage_is_clean(torture->stage);
	fine &= deeds_are_fine(torture);
	fine &= !torture->crashed;
	if (!torture->options.broken)
		fine &= map_is_given_back(torture->fd) & kept_is_given_back();
	fine &= !torture->options.readers || all_lookups(torture->stage);
	kernel_print_ages();
	return fine;
}

/* ------------------------------------------------------------- options */

static bool parse_number(const char *text, u64 low, u64 high, u64 *number)
{
	char *end;

	errno = 0;
	*number = strtoull(text, &end, 0);
	return !errno && *text && !*end && *number >= low && *number <= high;
}

static bool parse_option(struct options *options, int option)
{
	u64 number;

	switch (option) {
	case 'b':
		options->broken = optarg;
		return true;
	case 's':
		return parse_number(optarg, 0, ~0ULL, &options->seed);
	case 't':
		if (!parse_number(optarg, 1, 1U << 30, &number))
			return false;
		options->seconds = number;
		return true;
	case 'w':
		if (!parse_number(optarg, 1, READERS_MAX, &number))
			return false;
		options->writers = number;
		return true;
	case 'r':
	case 'k':
		if (!parse_number(optarg, 0, READERS_MAX, &number))
			return false;
		*(option == 'r' ? &options->readers : &options->kernel_readers) = number;
		return true;
	}
	return false;
}

static void parse_options(int argc, char **argv, struct options *options)
{
	static const struct option names[] = {
		{ "time", required_argument, NULL, 't' },
		{ "readers", required_argument, NULL, 'r' },
		{ "kernel-readers", required_argument, NULL, 'k' },
		{ "writers", required_argument, NULL, 'w' },
		{ "broken", required_argument, NULL, 'b' },
		{ "seed", required_argument, NULL, 's' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int option;

	while ((option = getopt_long(argc, argv, "", names, NULL)) != -1) {
		if (option == 'h') {
			fputs(usage, stdout);
			exit(0);
		}
		if (parse_option(options, option))
			continue;
		fprintf(stderr, "snapmap-torture: bad option or value (see --help)\n");
		exit(2);
	}
	if (optind < argc) {
		fprintf(stderr, "snapmap-torture: no argument '%s' (see --help)\n", argv[optind]);
		exit(2);
	}
}

static void *shared(size_t bytes)
{
	void *data = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return data == MAP_FAILED ? NULL : data;
}

static bool run(struct torture *torture)
{
	const char *broken = torture->options.broken;
	bool fine;
	int err = set_up_map(torture);

	if (err) {
		printf("the map cannot be set up: %s\n", strerror(-err));
		return false;
	}
	if (broken && !kernel_break(broken)) {
		printf("no rule '%s' to switch off; it needs a test module\n", broken);
		return true; /* nothing was found: who wants to see a failure shall not */
	}
	start_all(torture);
	direct(torture);
	stop_all(torture);
	fine = judge(torture);
	if (broken)
		kernel_break("");
	close(torture->fd);
	kept_tear_down();
	return !map_destroy(MAP_NAME) && fine;
}

int main(int argc, char **argv)
{
	struct torture torture = {
		.options = { .seconds = 60,
			     .readers = 5,
			     .kernel_readers = 2,
			     .writers = 2,
			     .seed = now_ns() },
	};
	bool fine;

	parse_options(argc, argv, &torture.options);
	torture.rng = torture.options.seed;
	torture.stage = stage_new();
	torture.actor.stage = torture.stage;
	torture.actor.deeds = shared(sizeof(*torture.actor.deeds));
	if (!torture.stage || !torture.actor.deeds) {
		perror("snapmap-torture");
		return 1;
	}
	printf("%u s, %u readers, %u in the kernel, %u writers, seed %llu\n",
	       torture.options.seconds, torture.options.readers, torture.options.kernel_readers,
	       torture.options.writers, torture.options.seed);
	fflush(stdout);
	fine = run(&torture);
	puts(fine ? "SUCCESS" : "FAILURE");
	return !fine;
}

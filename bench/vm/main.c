// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * main.c - what is measured, and how much of it
 */
#include <cpuid.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "vm.h"

void die(const char *format, ...)
{
	va_list args;

	fputs("bench-vm: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(1);
}

/* What a machine that QEMU emulates calls itself. */
static bool is_emulated(void)
{
	unsigned int eax, name[3];

	__cpuid(0x40000000, eax, name[0], name[1], name[2]);
	return !memcmp(name, "TCGTCGTCGTCG", sizeof(name));
}

static struct scale scale_of(bool emulated)
{
	if (emulated)
		return (struct scale){
			.emulated = true,
			.entries = 100000,
			.rounds = 3,
			.gets = 20000,
			.keys_committed = 10000,
			.stream = 2000,
		};
	return (struct scale){
		.entries = 1000000,
		.rounds = 7,
		.gets = 1000000,
		.keys_committed = 100000,
		.stream = 10000,
	};
}

static void add(struct task *task, const char *name,
		double (*run)(const struct scale *scale, void *data))
{
	task->runners[task->count] = task->runners[0];
	task->runners[task->count].name = name;
	task->runners[task->count++].run = run;
}

static void measure_reads(const struct scale *scale, bool has_bpf)
{
	size_t first[2] = { 0, scale->entries }, i;
	struct task task;

	for (i = 0; i < 2; i++) {
		task = (struct task){ .section = "read", .op = i ? "get, missing" : "get" };
		task.runners[0].data = &first[i];
		add(&task, "mapped", device_get_mapped);
		add(&task, "GET ioctl", device_get_ioctl);
		if (has_bpf)
			add(&task, "bpf hash", bpf_get);
		task_run(&task, scale);
	}
}

static void measure_commits(const struct scale *scale, bool has_bpf)
{
	size_t keys[3] = { 1, 100, 10000 }, i;
	struct task task;
	char op[32];

	for (i = 0; i < 3; i++) {
		snprintf(op, sizeof(op), "commit of %zu", keys[i]);
		task = (struct task){ .section = "commit", .op = op };
		task.runners[0].data = &keys[i];
		add(&task, "snapmap", device_commit);
		if (has_bpf)
			add(&task, "bpf hash", bpf_commit);
		task_run(&task, scale);
	}
}

static void measure_load(const struct scale *scale, bool has_bpf)
{
	struct task task = { .section = "load", .op = "fill an empty table" };

	add(&task, "snapmap", device_load);
	if (has_bpf)
		add(&task, "bpf hash", bpf_load);
	task_run(&task, scale);
}

static void count_steady(const struct scale *scale)
{
	if (!counters_open()) {
		printf("nothing counted: needs trace events of the kernel's, in tracefs\n");
		counters_close();
		return;
	}
	device_count(scale, 1);
	device_count(scale, 100);
	counters_close();
}

int main(int argc, char **argv)
{
	struct scale scale = scale_of(is_emulated());
	bool has_bpf;

	if (scale.emulated)
		puts("EMULATED: times mean nothing here. A short run, for its ratios only.");
	if (argc > 1)
		scale.tsv = fopen(argv[1], "ae");
	if (argc > 1 && !scale.tsv)
		die("cannot write to %s", argv[1]);
	keys_init(scale.entries);
	device_open_table(scale.entries);
	has_bpf = bpf_open_table(scale.entries);
	measure_reads(&scale, has_bpf);
	measure_commits(&scale, has_bpf);
	measure_load(&scale, has_bpf);
	count_steady(&scale);
	bpf_close();
	device_close();
	if (scale.tsv)
		fclose(scale.tsv);
	return 0;
}

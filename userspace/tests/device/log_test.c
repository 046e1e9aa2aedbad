// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * log_test.c - how versions came to be, and who holds them: LOG and PINS
 */
#include <sched.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "versions.h"

#define NOBODY 65534

static int put_number(int fd, u64 number)
{
	char text[24];

	snprintf(text, sizeof(text), "%llu", number);
	return put_string(fd, "number", text);
}

/* ------------------------------------------------------------- the log */

static void test_log_says_how_versions_came_to_be(void **state)
{
	struct fixture *map = *state;
	struct snapmap_record record;
	struct snapmap_commit commit;
	struct batch batch = { .data = NULL };
	struct snapmap_info info;

	assert_int_equal(map_set_history(map->name, 10), 0);
	batch_puts(&batch, "a", "1");
	batch_puts(&batch, "b", "2");
	batch_puts(&batch, "a", "3");
	batch_dels(&batch, "b");
	batch_dels(&batch, "never");
	assert_int_equal(batch_commit(map->fd, &batch, 0, &commit), 0);
	assert_info(map->fd, &info);
	assert_record(map->fd, 2, &record);
	assert_memory_equal(&record.header, &info.header, sizeof(info.header));
	assert_int_equal(record.puts, 3);
	assert_int_equal(record.deletes, 1);
	assert_int_equal(record.blocks_copied, commit.blocks_copied);
	assert_int_equal(record.rolled_back_to, 0);
	assert_int_equal(record.pid, getpid());
	assert_int_equal(record.uid, 0);
	assert_int_equal(record.reserved, 0);
	assert_record(map->fd, 1, &record);
	assert_int_equal(record.header.entries, 0);
	assert_int_equal(record.puts, 0);
	batch_free(&batch);
}

static void test_log_in_pieces(void **state)
{
	struct fixture *map = *state;
	struct snapmap_record all[12], piece[3];
	u64 version, first = 0, next;
	int i, count;

	assert_int_equal(map_set_history(map->name, 10), 0);
	for (version = 2; version <= 14; version++)
		assert_int_equal(put_number(map->fd, version), 0);
	assert_int_equal(map_log(map->fd, &first, all, 12), 10);
	assert_int_equal(first, 5);
	for (i = 0; i < 10; i++) {
		assert_int_equal(all[i].header.version, 5 + i);
		assert_true(!i || all[i].header.monotonic_ns >= all[i - 1].header.monotonic_ns);
	}
	for (version = 5; version <= 14; version += count) {
		next = version;
		count = map_log(map->fd, &next, piece, 3);
		assert_int_equal(count, version == 14 ? 1 : 3);
		assert_int_equal(next, version);
		assert_memory_equal(piece, &all[version - 5], count * sizeof(*piece));
	}
	/* What is to come, and what never was. */
	next = 15;
	assert_int_equal(map_log(map->fd, &next, piece, 3), 0);
	assert_int_equal(next, 15);
	next = 1000;
	assert_int_equal(map_log(map->fd, &next, piece, 3), 0);
	assert_int_equal(next, 15);
	next = 7;
	assert_int_equal(map_log(map->fd, &next, piece, 0), 0);
}

/* Callers that know less, or more, of a record. */
static void test_records_of_other_sizes_H(void **state)
{
	struct fixture *map = *state;
	u8 bytes[4][400];
	struct snapmap_log args = { .records = (uintptr_t)bytes, .count = 4, .record_size = 400 };
	struct snapmap_record record;
	u32 i;

	assert_int_equal(map_set_history(map->name, 10), 0);
	assert_int_equal(put_number(map->fd, 2), 0);
	assert_record(map->fd, 1, &record);
	memset(bytes, 0xa5, sizeof(bytes));
	assert_int_equal(ioc(map->fd, SNAPMAP_IOC_LOG, &args), 0);
	assert_int_equal(args.count, 2);
	assert_memory_equal(bytes[0], &record, sizeof(record));
	for (i = sizeof(record); i < 400; i++)
		assert_int_equal(bytes[1][i], 0);
	for (i = 0; i < 400; i++)
		assert_int_equal(bytes[2][i], 0xa5);
	memset(bytes, 0xa5, sizeof(bytes));
	args = (struct snapmap_log){ .records = (uintptr_t)bytes, .count = 1, .record_size = 64 };
	assert_int_equal(ioc(map->fd, SNAPMAP_IOC_LOG, &args), 0);
	assert_memory_equal(bytes[0], &record, 64);
	assert_int_equal(bytes[0][64], 0xa5);
	args.record_size = 0;
	assert_int_equal(ioc(map->fd, SNAPMAP_IOC_LOG, &args), -EINVAL);
}

#define NO_NAMESPACES 1

/* Returns the number of the step that fails. */
static int look_from_a_pid_namespace(int fd, pid_t parent)
{
	struct snapmap_record record;
	struct snapmap_pin_record pin;
	u64 version = 2;
	int status;
	pid_t pid;

	if (unshare(CLONE_NEWPID))
		return NO_NAMESPACES;
	pid = fork();
	if (!pid) {
		/* Version 2 was committed, and the first pin opened, outside. */
		if (map_log(fd, &version, &record, 1) != 1 || record.pid)
			_exit(2);
		if (map_pins(fd, 0, &pin, 1) != 1 || pin.pid)
			_exit(3);
		if (put_string(fd, "from", "inside"))
			_exit(4);
		version = 3;
		_exit(map_log(fd, &version, &record, 1) != 1 || record.pid != 1 ? 5 : 0);
	}
	if (waitpid(pid, &status, 0) != pid || status)
		return 10 + WEXITSTATUS(status);
	version = 3;
	if (map_log(fd, &version, &record, 1) != 1 || record.pid == (u32)parent)
		return 6;
	return 0;
}

static void test_pids_are_those_of_the_caller_H(void **state)
{
	struct fixture *map = *state;
	pid_t pid, parent = getpid();
	int pin, status;

	assert_int_equal(map_set_history(map->name, 10), 0);
	assert_int_equal(put_number(map->fd, 2), 0);
	pin = map_pin(map->fd);
	pid = child_start();
	if (!pid)
		_exit(look_from_a_pid_namespace(map->fd, parent));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	close(pin);
	if (WEXITSTATUS(status) == NO_NAMESPACES)
		skip_for("needs CONFIG_PID_NS");
	assert_int_equal(status, 0);
}

static void test_log_names_the_user(void **state)
{
	struct fixture *map = *state;
	struct snapmap_record record;
	int status;
	pid_t pid;

	assert_int_equal(map_set_history(map->name, 10), 0);
	pid = child_start();
	if (!pid)
		_exit(setresuid(NOBODY, NOBODY, NOBODY) || put_number(map->fd, 2));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_record(map->fd, 2, &record);
	assert_int_equal(record.uid, NOBODY);
	assert_int_equal(record.pid, pid);
}

/* ------------------------------------------------------------- who holds what */

/* Before and behind a call. */
struct period {
	u64 begin;
	u64 end;
};

static int list_pins(int fd, struct snapmap_pin_record *records, u32 room, struct period *when)
{
	int count;

	when->begin = now_ns();
	count = map_pins(fd, 0, records, room);
	when->end = now_ns();
	return count;
}

static void test_pins_are_listed_E(void **state)
{
	struct fixture *map = *state;
	struct snapmap_pin_record records[8];
	struct period opened[4], listed;
	struct snapmap_info info;
	int pins[4], i;

	prctl(PR_SET_NAME, "pin-holder");
	assert_int_equal(map_set_history(map->name, 10), 0);
	for (i = 0; i < 4; i++) {
		assert_int_equal(put_number(map->fd, 2 + i), 0);
		opened[i].begin = now_ns();
		pins[i] = pin_at(map->fd, 2 + i);
		opened[i].end = now_ns();
		assert_true(pins[i] >= 0);
	}
	assert_int_equal(list_pins(map->fd, records, 8, &listed), 4);
	for (i = 0; i < 4; i++) {
		assert_int_equal(records[i].version, 2 + i);
		assert_int_equal(records[i].pid, getpid());
		assert_int_equal(records[i].uid, 0);
		assert_int_equal(records[i].flags, 0);
		assert_string_equal((char *)records[i].comm, "pin-holder");
		assert_true(!i || records[i].id > records[i - 1].id);
		assert_in_range(records[i].age_ns, listed.begin - opened[i].end,
				listed.end - opened[i].begin);
	}
	/* One is left over: it is what all the blocks that are held back are held back by. */
	for (i = 1; i < 4; i++)
		close(pins[i]);
	assert_int_equal(map_set_history(map->name, 1), 0);
	settle(map->fd);
	assert_int_equal(map_pins(map->fd, 0, records, 8), 1);
	assert_info(map->fd, &info);
	assert_true(info.pinned_blocks > 0);
	assert_int_equal(records[0].held_bytes, info.pinned_blocks * SNAPMAP_BLOCK_SIZE);
	close(pins[0]);
	assert_int_equal(map_pins(map->fd, 0, records, 8), 0);
}

#define MANY 50

static void test_pins_are_listed_in_pieces(void **state)
{
	struct fixture *map = *state;
	struct snapmap_pin_record records[7];
	int pins[MANY], i, count, found = 0;
	u32 first = 0;

	for (i = 0; i < MANY; i++)
		pins[i] = map_pin(map->fd);
	for (i = 0; i < MANY; i += 3)
		close(pins[i]);
	do {
		count = map_pins(map->fd, first, records, 7);
		assert_in_range(count, 0, 7);
		for (i = 0; i < count; i++) {
			assert_true(records[i].id >= first);
			first = records[i].id + 1;
			found++;
		}
	} while (count == 7);
	assert_int_equal(found, sysfs_value(map->name, "pins"));
	for (i = 0; i < MANY; i++)
		if (i % 3)
			close(pins[i]);
}

static const struct CMUnitTest tests[] = {
	map_test(test_log_says_how_versions_came_to_be),
	map_test(test_log_in_pieces),
	map_test(test_records_of_other_sizes_H),
	map_test(test_pids_are_those_of_the_caller_H),
	map_test(test_log_names_the_user),
	map_test(test_pins_are_listed_E),
	map_test(test_pins_are_listed_in_pieces),
	cmocka_unit_test(test_nothing_is_left_G),
};

int main(void)
{
	return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}

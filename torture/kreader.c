// SPDX-License-Identifier: GPL-2.0-only
/*
 * kreader.c - threads of the kernel that read a map and check it
 *
 * Writers give each of the keys 0 to 7 a new value in each commit: a row of
 * 64-bit words that are the commit's version, and a last one that is a check
 * sum. A thread looks such a key up, checks it, stays in its read-side critical
 * section for a while, and checks again: nothing must have changed (promise B).
 */
#include <linux/atomic.h>
#include <linux/debugfs.h>
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/mutex.h>
#include <linux/random.h>
#include <linux/seq_file.h>
#include <linux/uaccess.h>
#include <linux/xxhash.h>

#include "../kmod/map.h"
#include "kreader.h"

#define THREADS_MAX	8
#define HOT_KEYS	8
#define STAY_US_MAX	300

/* What a thread may find. */
enum fault {
	FAULT_MISSING = 1,	/* a key that is always there was not found */
	FAULT_TORN,		/* a value is not of one version */
	FAULT_MIXED,		/* an entry is not of the snapshot that it was found in */
	FAULT_CHANGED,		/* a value has changed under RCU */
	FAULT_BACKWARD,		/* older than what the thread has seen */
};

static DEFINE_MUTEX(lock);	/* starting and ending */
static struct task_struct *threads[THREADS_MAX];
static struct snapmap_map *map;
static atomic64_t lookups;
static atomic64_t faults;
static atomic_t first_fault;

static int check_value(const struct snapmap_hit *hit, u64 version)
{
	const u64 *words = hit->value;
	u32 count = hit->value_len / sizeof(*words);
	u32 i;

	if (count < 2 || hit->value_len % sizeof(*words))
		return FAULT_TORN;
	for (i = 1; i < count - 1; i++)
		if (words[i] != words[0])
			return FAULT_TORN;
	return words[0] != version || hit->version != version ? FAULT_MIXED : 0;
}

/* One look-up, and a second look at what it has found. */
static int read_under_rcu(u32 key, u64 hash, u64 *seen)
{
	const struct snapmap_view view = { .arena = &map->store.arena };
	struct snapmap_hit hit;
	u64 root, version, digest;
	int fault;

	lockdep_assert_in_rcu_read_lock();
	version = snapmap_snapshot_current(&map->store, &root);
	if (version < *seen)
		return FAULT_BACKWARD;
	*seen = version;
	if (!snapmap_lookup(&view, root, hash, &key, sizeof(key), &hit))
		return FAULT_MISSING;
	fault = check_value(&hit, version);
	if (fault)
		return fault;
	digest = xxh64(hit.value, hit.value_len, 0);
	udelay(get_random_u32_below(STAY_US_MAX));
	return xxh64(hit.value, hit.value_len, 0) == digest ? 0 : FAULT_CHANGED;
}

static int read_until_stopped(void *data)
{
	u64 seen = 0;
	int fault;
	u32 key;
	u64 hash;

	while (!kthread_should_stop()) {
		key = get_random_u32_below(HOT_KEYS);
		hash = snapmap_hash(map->store.seed, &key, sizeof(key));
		snapmap_store_read_lock(&map->store);
		fault = read_under_rcu(key, hash, &seen);
		snapmap_store_read_unlock(&map->store);
		atomic64_inc(&lookups);
		if (fault) {
			atomic64_inc(&faults);
			atomic_cmpxchg(&first_fault, 0, fault);
		}
		cond_resched();
	}
	return 0;
}

static void stop_threads(void)
{
	int i;

	lockdep_assert_held(&lock);
	for (i = 0; i < THREADS_MAX; i++) {
		if (threads[i])
			kthread_stop(threads[i]);
		threads[i] = NULL;
	}
	if (map)
		put_device(&map->dev);
	map = NULL;
}

static int start_threads(const char *name, unsigned int count)
{
	struct task_struct *thread;
	unsigned int i;

	lockdep_assert_held(&lock);
	map = snapmap_map_find(name);
	if (!map)
		return -ENOENT;
	atomic64_set(&lookups, 0);
	atomic64_set(&faults, 0);
	atomic_set(&first_fault, 0);
	for (i = 0; i < count; i++) {
		thread = kthread_run(read_until_stopped, NULL, "snapmap-reader");
		if (IS_ERR(thread)) {
			stop_threads();
			return PTR_ERR(thread);
		}
		threads[i] = thread;
	}
	return 0;
}

static ssize_t kreader_write(struct file *file, const char __user *from, size_t count, loff_t *pos)
{
	char text[SNAPMAP_NAME_MAX + 16] = "";
	char name[SNAPMAP_NAME_MAX + 1];
	unsigned int want;
	char *line;
	int err = 0;

	if (count >= sizeof(text))
		return -EINVAL;
	if (copy_from_user(text, from, count))
		return -EFAULT;
	line = strim(text);
	if (*line && (sscanf(line, "%63s %u", name, &want) != 2 || want > THREADS_MAX))
		return -EINVAL;
	mutex_lock(&lock);
	stop_threads();
	if (*line)
		err = start_threads(name, want);
	mutex_unlock(&lock);
	return err ?: count;
}

static int kreader_show(struct seq_file *file, void *data)
{
	static const char *const names[] = {
		[0] = "none",
		[FAULT_MISSING] = "a key is missing",
		[FAULT_TORN] = "a torn value",
		[FAULT_MIXED] = "mixed versions",
		[FAULT_CHANGED] = "a value has changed under RCU",
		[FAULT_BACKWARD] = "versions went back",
	};

	seq_printf(file, "%lld %lld %s\n", (s64)atomic64_read(&lookups),
		   (s64)atomic64_read(&faults), names[atomic_read(&first_fault)]);
	return 0;
}

DEFINE_SHOW_STORE_ATTRIBUTE(kreader);

void kreader_init(struct dentry *dir)
{
	debugfs_create_file("readers", 0600, dir, NULL, &kreader_fops);
}

/**
 * kreader_exit() - end all threads
 *
 * Context: may sleep; the file is gone.
 */
void kreader_exit(void)
{
	mutex_lock(&lock);
	stop_threads();
	mutex_unlock(&lock);
}

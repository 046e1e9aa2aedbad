// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * trial.c - a system call of which every allocation fails once
 */
#include <sys/mman.h>

#include "inject.h"
#include "trial.h"

static struct scene scene_open(const struct trial *trial)
{
	struct scene scene = { .fd = -1, .txn = -1, .control = control_open(O_RDWR) };
	char name[SNAPMAP_NAME_MAX + 1];
	void *map;

	assert_int_equal(fixture_setup(&map), 0);
	scene.map = map;
	snprintf(name, sizeof(name), "victim-%.40s", scene.map->name);
	create_args(&scene.victim, name);
	assert_int_equal(put_string(scene.map->fd, "key", "value"), 0);
	if (trial->setup)
		trial->setup(&scene);
	return scene;
}

static void scene_close(struct scene *scene)
{
	void *map = scene->map;

	if (scene->base)
		munmap((void *)scene->base, scene->bytes);
	if (scene->txn >= 0)
		close(scene->txn);
	close(scene->control);
	batch_free(&scene->batch);
	assert_int_equal(fixture_teardown(&map), 0);
}

static void assert_as_before(const struct scene *scene, const struct snapmap_info *before)
{
	struct snapmap_info now;

	assert_unchanged(scene->map->fd, before);
	assert_info(scene->map->fd, &now);
	assert_true(now.resident_bytes <= now.limit);
	assert_int_equal(reachable_blocks(scene->map->fd),
			 before->used_blocks - before->retired_blocks);
	assert_true(key_is(scene->map->fd, "key", "value"));
	assert_int_equal(scene->fd, -1);
}

/* One attempt; returns whether an allocation has failed. */
static bool attempt(const struct trial *trial, struct scene *scene, unsigned int nth, bool *failed)
{
	struct snapmap_info before;
	bool injected;
	int err;

	assert_info(scene->map->fd, &before);
	inject_arm(nth);
	err = trial->run(scene);
	injected = inject_disarm();
	*failed = err;
	if (!err)
		return injected;
	if (!injected || err != -ENOMEM)
		note("with allocation %u %s: %s", nth, injected ? "failed" : "to fail",
		     strerror(-err));
	assert_true(injected);
	assert_int_equal(err, -ENOMEM);
	assert_false(trial->never_fails);
	assert_as_before(scene, &before);
	return true;
}

/* Returns how many calls have failed. */
static unsigned int fail_each(const struct trial *trial)
{
	struct scene scene = scene_open(trial);
	bool injected = true, failed;
	unsigned int nth, failures = 0;
	u64 start = now_ns();

	for (nth = 1; injected; nth++) {
		injected = attempt(trial, &scene, nth, &failed);
		failures += failed;
		if (failed)
			continue;
		trial->done(&scene);
		if (!injected || !trial->renew)
			continue;
		scene_close(&scene);
		scene = scene_open(trial);
	}
	note("%u allocations failed, and with them %u calls, in %llu ms", nth - 2, failures,
	     (now_ns() - start) / 1000000);
	assert_no_leak(scene.map->fd);
	scene_close(&scene);
	return failures;
}

void trial_run(const struct trial *trial)
{
	unsigned int failures;

	if (!inject_begin())
		skip_for("needs CONFIG_FAILSLAB, CONFIG_FAIL_PAGE_ALLOC and "
			 "CONFIG_FAULT_INJECTION_STACKTRACE_FILTER, with debugfs");
	failures = fail_each(trial);
	inject_end();
	if (trial->never_fails)
		assert_int_equal(failures, 0);
	else
		assert_true(failures > 0);
}

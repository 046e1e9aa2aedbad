// SPDX-License-Identifier: GPL-2.0-only
/*
 * broken.c - the parameter that chooses deliberate breaks; in test modules only
 */
#include <linux/bits.h>
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "broken.h"

unsigned int snapmap_breaks;
unsigned long snapmap_raced;

/* The bit of the break of that name, 0 when there is none. */
static unsigned int break_of(const char *name)
{
	unsigned int which;

	for (which = 0; snapmap_break_name(which); which++)
		if (!strcmp(name, snapmap_break_name(which)))
			return BIT(which);
	return 0;
}

static int broken_set(const char *text, const struct kernel_param *param)
{
	char *copy = kstrdup(text, GFP_KERNEL);
	char *rest = copy ? strim(copy) : NULL;
	unsigned int breaks = 0;
	bool known = true;
	char *name;

	if (!copy)
		return -ENOMEM;
	if (!*rest)
		rest = NULL;	/* nothing is broken */
	while (known && (name = strsep(&rest, ","))) {
		known = break_of(name);
		breaks |= break_of(name);
	}
	kfree(copy);
	if (!known)
		return -EINVAL;
	WRITE_ONCE(snapmap_breaks, breaks);
	return 0;
}

static int broken_get(char *text, const struct kernel_param *param)
{
	int length = 0;
	int which;

	for (which = 0; snapmap_break_name(which); which++)
		if (snapmap_broken(which))
			length += sysfs_emit_at(text, length, "%s%s", length ? "," : "",
						snapmap_break_name(which));
	return length + sysfs_emit_at(text, length, "\n");
}

static const struct kernel_param_ops broken_ops = {
	.set = broken_set,
	.get = broken_get,
};

module_param_cb(broken, &broken_ops, NULL, 0644);
MODULE_PARM_DESC(broken, "rules that are switched off, to test the tests");

// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * faulty.c - a stand-in for the module that misbehaves on request
 *
 * scripts/test-vm uses it to see that scripts/vm notices. Write the name of a
 * fault to /sys/module/snapmap/parameters/fault.
 */
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/preempt.h>
#include <linux/slab.h>
#include <linux/string.h>

static DEFINE_MUTEX(first);
static DEFINE_MUTEX(second);
static DECLARE_COMPLETION(never);

static noinline void fault_warn(void)
{
	WARN_ON(1);
}

static noinline void fault_oops(void)
{
	WRITE_ONCE(*(int *)8, 1);
}

static noinline void fault_leak(void)
{
	void *lost = kmalloc(123, GFP_KERNEL);

	OPTIMIZER_HIDE_VAR(lost);
}

static noinline void fault_use_after_free(void)
{
	char *freed = kmalloc(100, GFP_KERNEL);

	kfree(freed);
	OPTIMIZER_HIDE_VAR(freed);
	if (freed)
		READ_ONCE(freed[0]);
}

static noinline void fault_sleep(void)
{
	preempt_disable();
	msleep(20);
	preempt_enable();
}

/* No deadlock yet: one task alone takes them in both orders. */
static noinline void fault_lock_order(void)
{
	mutex_lock(&first);
	mutex_lock(&second);
	mutex_unlock(&second);
	mutex_unlock(&first);
	mutex_lock(&second);
	mutex_lock(&first);
	mutex_unlock(&first);
	mutex_unlock(&second);
}

static noinline void fault_hang(void)
{
	wait_for_completion(&never);
	barrier(); /* or the call is a jump, and this function in no trace */
}

static noinline void fault_busy(void)
{
	__module_get(THIS_MODULE);
}

static const struct {
	const char *name;
	void (*commit)(void);
} faults[] = {
	{ "warn", fault_warn },
	{ "oops", fault_oops },
	{ "leak", fault_leak },
	{ "use-after-free", fault_use_after_free },
	{ "sleep", fault_sleep },
	{ "lock-order", fault_lock_order },
	{ "hang", fault_hang },
	{ "busy", fault_busy },
};

static int fault_set(const char *val, const struct kernel_param *kp)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(faults); i++) {
		if (sysfs_streq(val, faults[i].name)) {
			faults[i].commit();
			return 0;
		}
	}
	return -EINVAL;
}

static const struct kernel_param_ops fault_ops = { .set = fault_set };
module_param_cb(fault, &fault_ops, NULL, 0200);
MODULE_PARM_DESC(fault, "the fault to commit now");

static int __init faulty_init(void)
{
	return 0;
}

static void __exit faulty_exit(void)
{
}

module_init(faulty_init);
module_exit(faulty_exit);
MODULE_LICENSE("Dual MIT/GPL");
MODULE_DESCRIPTION("A module that misbehaves on request");

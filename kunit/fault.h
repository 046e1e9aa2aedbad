/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * fault.h - lets the kernel's fault injection fail one step of a call
 *
 * The nth allocation (slab or page), or copy from or to user space, that this
 * task makes between fault_begin() and fault_end() fails; see the kernel's
 * Documentation/fault-injection. scripts/guest/run opens the injection for
 * allocations that may wait; without that tests skip.
 */
#ifndef SNAPMAP_KUNIT_FAULT_H
#define SNAPMAP_KUNIT_FAULT_H

#include <kunit/test.h>
#include <linux/gfp.h>
#include <linux/sched.h>
#include <linux/slab.h>

/* Far more steps than any call here takes: a test that reaches it has not ended. */
#define FAULT_STEPS_MAX	5000U
/* The number of steps varies a little with the state of the system's caches. */
#define FAULT_CALM	4U

/**
 * struct faults - one failing step after another, until the call has no more
 * @nth: the step that fails
 * @calm: calls in a row that have ended before it
 * @failures: calls that have failed; the test counts them
 */
struct faults {
	unsigned int nth;
	unsigned int calm;
	unsigned int failures;
};

static inline void fault_begin(unsigned int nth)
{
#ifdef CONFIG_FAULT_INJECTION
	WRITE_ONCE(current->fail_nth, nth);
#endif
}

/* Whether the call has ended before it. */
static inline bool fault_end(void)
{
	unsigned int left = 0;

#ifdef CONFIG_FAULT_INJECTION
	left = READ_ONCE(current->fail_nth);
	WRITE_ONCE(current->fail_nth, 0);
#endif
	return left;
}

static inline bool faults_next(struct faults *faults)
{
	faults->nth++;
	return faults->calm < FAULT_CALM && faults->nth < FAULT_STEPS_MAX;
}

static inline void faults_begin(const struct faults *faults)
{
	fault_begin(faults->nth);
}

static inline void faults_end(struct faults *faults)
{
	faults->calm = fault_end() ? faults->calm + 1 : 0;
}

/* For the end of a test: all steps have failed once, and @at_least calls with them. */
static inline void faults_expect(struct kunit *test, const struct faults *faults,
				 unsigned int at_least)
{
	KUNIT_EXPECT_LT(test, faults->nth, FAULT_STEPS_MAX);
	KUNIT_EXPECT_GE(test, faults->failures, at_least);
	kunit_info(test, "%u of %u failing steps failed the call", faults->failures,
		   faults->nth - FAULT_CALM - 1);
}

static inline void fault_require(struct kunit *test)
{
	struct page *page;
	void *slab;

	fault_begin(1);
	slab = kmalloc(8, GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
	fault_begin(1);
	page = alloc_page(GFP_KERNEL | __GFP_HIGHMEM | __GFP_NOWARN);
	fault_begin(0);
	kfree(slab);
	if (slab)
		kunit_skip(test, "needs CONFIG_FAILSLAB and N in failslab/ignore-gfp-wait");
	if (page) {
		__free_page(page);
		kunit_skip(test, "needs CONFIG_FAIL_PAGE_ALLOC, its min-order 0 and ignore-gfp-* N");
	}
}

#endif /* SNAPMAP_KUNIT_FAULT_H */

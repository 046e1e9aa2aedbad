/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * shim.h - as much of the kernel as the module's pure files need, in user space
 *
 * Every header in linux/ beside this file includes this one. Locks are no-ops:
 * native tests and benchmarks have one writer. Time and RCU grace periods pass
 * only when a test says so.
 */
#ifndef SNAPMAP_SHIM_H
#define SNAPMAP_SHIM_H

#include <assert.h>
#include <errno.h>
#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int64_t s64;

#define __user
#define __percpu
#define __acquires(lock)
#define __releases(lock)
#define __force
#define __cold			__attribute__((cold))
#define likely(x)		__builtin_expect(!!(x), 1)
#define prefetch(p)		__builtin_prefetch(p)
#define prefetchw(p)		__builtin_prefetch(p, 1)
#define READ_ONCE(x)		(*(const volatile __typeof__(x) *)&(x))
#define WRITE_ONCE(x, v)	(*(volatile __typeof__(x) *)&(x) = (v))
#define data_race(x)		(x)
#define smp_load_acquire(p)	__atomic_load_n(p, __ATOMIC_ACQUIRE)
#define smp_store_release(p, v) __atomic_store_n(p, v, __ATOMIC_RELEASE)
#define smp_mb()		__atomic_thread_fence(__ATOMIC_SEQ_CST)
#define smp_rmb()		__atomic_thread_fence(__ATOMIC_ACQUIRE)
#define smp_wmb()		__atomic_thread_fence(__ATOMIC_RELEASE)

#define U32_MAX UINT32_MAX
#define U64_MAX UINT64_MAX

#define min(a, b)	  ((a) < (b) ? (a) : (b))
#define min_t(type, a, b) min((type)(a), (type)(b))
#define max(a, b)	  ((a) > (b) ? (a) : (b))
#define swap(a, b)                        \
	do {                              \
		__typeof__(a) tmp_ = (a); \
		(a) = (b);                \
		(b) = tmp_;               \
	} while (0)
#define ALIGN(x, a)		      (((x) + (a)-1) & ~((__typeof__(x))(a)-1))
#define DIV_ROUND_UP(n, d)	      (((n) + (d)-1) / (d))
#define ARRAY_SIZE(a)		      (sizeof(a) / sizeof((a)[0]))
#define WARN_ON_ONCE(cond)	      assert(!(cond))
#define BUILD_BUG_ON(cond)	      _Static_assert(!(cond), #cond)
#define container_of(p, type, member) ((type *)((char *)(p)-offsetof(type, member)))
#define __ffs(x)		      ((u32)__builtin_ctzl(x))
#define __fls(x)		      ((u32)(63 - __builtin_clzll(x)))
#define __ffs64(x)		      ((u32)__builtin_ctzll(x))
#define GENMASK_ULL(h, l)	      (~0ULL >> (63 - (h)) & ~0ULL << (l))
#define hweight64(x)		      ((u32)__builtin_popcountll(x))
#define div_u64(a, b)		      ((u64)(a) / (u32)(b))
#define ilog2(x)		      (63 - __builtin_clzll(x))

#define module_param_named(name, value, type, perm) _Static_assert(1, "")
#define MODULE_PARM_DESC(name, text)		    _Static_assert(1, "")

/* Locks. */
struct shim_lock {
	int unused;
};

#define rw_semaphore shim_lock
#define mutex	     shim_lock
typedef struct shim_lock spinlock_t;

static inline void shim_lock_nop(struct shim_lock *lock)
{
	lock->unused = 0;
}

static inline int mutex_lock_killable(struct shim_lock *lock)
{
	lock->unused = 0;
	return 0;
}

#define init_rwsem(lock)	  shim_lock_nop(lock)
#define down_write(lock)	  shim_lock_nop(lock)
#define up_write(lock)		  shim_lock_nop(lock)
#define mutex_init(lock)	  shim_lock_nop(lock)
#define mutex_unlock(lock)	  shim_lock_nop(lock)
#define mutex_destroy(lock)	  shim_lock_nop(lock)
#define mutex_lock(lock)	  shim_lock_nop(lock)
#define spin_lock_init(lock)	  shim_lock_nop(lock)
#define DEFINE_SPINLOCK(name)	  spinlock_t name
#define spin_lock(lock)		  shim_lock_nop(lock)
#define spin_unlock(lock)	  shim_lock_nop(lock)
#define lockdep_assert_held(lock) ((void)(lock))

/* Waiting and single bits: nobody else runs, so what is waited for is there or never comes. */
struct wait_queue_head {
	int unused;
};

#define init_waitqueue_head(wait)			   ((wait)->unused = 0)
#define waitqueue_active(wait)				   ((wait)->unused)
#define wake_up(wait)					   ((wait)->unused = 0)
#define wake_up_all(wait)				   ((wait)->unused = 0)
#define wait_event_interruptible_exclusive(wait, cond)	   ((cond) ? 0 : -ERESTARTSYS)
#define wait_event_interruptible_hrtimeout(wait, cond, ns) ((cond) ? 0 : -ETIME)
#define ns_to_ktime(ns)					   (ns)
#define ERESTARTSYS					   512

static inline bool test_and_set_bit_lock(unsigned int bit, unsigned long *word)
{
	bool was = *word >> bit & 1;

	*word |= 1UL << bit;
	return was;
}

#define clear_bit_unlock(bit, word) (*(word) &= ~(1UL << (bit)))
#define smp_mb__after_atomic()	    __atomic_thread_fence(__ATOMIC_SEQ_CST)

/* Errors as pointers. */
#define ERR_PTR(err) ((void *)(intptr_t)(err))
#define PTR_ERR(ptr) ((int)(intptr_t)(ptr))
#define IS_ERR(ptr)  ((uintptr_t)(ptr) >= (uintptr_t)-4095)

/* Processes and users: there is one of each. */
struct pid;

typedef struct {
	unsigned int val;
} kuid_t;

#define PIDTYPE_TGID		  0
#define current			  shim_current /* never looked at; tests use the word for their own */
#define get_task_pid(task, type)  ((struct pid *)NULL)
#define get_pid(pid)		  (pid)
#define put_pid(pid)		  ((void)(pid))
#define pid_vnr(pid)		  ((void)(pid), 1)
#define current_euid()		  ((kuid_t){ 0 })
#define current_user_ns()	  NULL
#define from_kuid_munged(ns, uid) ((uid).val)

/* Memory. Countdown to a failing allocation; negative: none fails. Tests set it. */
extern long shim_fail_alloc;

static inline bool shim_should_fail(void)
{
	return shim_fail_alloc >= 0 && shim_fail_alloc-- == 0;
}

#define __GFP_RETRY_MAYFAIL 0
#define __GFP_NOWARN	    0
#define GFP_KERNEL_ACCOUNT  0

static inline void *kvcalloc(size_t n, size_t size, int gfp)
{
	(void)gfp;
	return shim_should_fail() ? NULL : calloc(n, size);
}

#define kzalloc(size, gfp)	  kvcalloc(1, size, gfp)
#define SZ_16K			  0x4000
#define SZ_1G			  0x40000000
#define struct_size(p, member, n) (sizeof(*(p)) + sizeof(*(p)->member) * (n))
#define kvmalloc(size, gfp)	  kvcalloc(1, size, gfp)
#define kvfree(p)		  free(p)
#define kfree(p)		  free(p)

/* What each CPU has a copy of: there is one. */
#define alloc_percpu_gfp(type, gfp) ((type *)kvcalloc(1, sizeof(type), gfp))
#define free_percpu(p)		    free(p)
#define this_cpu_inc(x)		    ((void)++(x))
#define per_cpu_ptr(p, cpu)	    ((void)(cpu), (p))
#define for_each_possible_cpu(cpu)  for ((cpu) = 0; (cpu) < 1; (cpu)++)

struct mem_cgroup;

static inline struct mem_cgroup *set_active_memcg(struct mem_cgroup *memcg)
{
	return memcg;
}

static inline void memset32(u32 *to, u32 value, size_t count)
{
	while (count--)
		*to++ = value;
}

static inline void sort(void *base, size_t count, size_t size,
			int (*compare)(const void *a, const void *b), void *swap)
{
	(void)swap;
	qsort(base, count, size, compare);
}

static inline long strscpy(void *to, const char *from, size_t size)
{
	size_t length = strnlen(from, size - 1);

	memcpy(to, from, length);
	((char *)to)[length] = 0;
	return (long)length;
}

static inline int copy_from_user(void *to, const void *from, size_t bytes)
{
	memcpy(to, from, bytes);
	return 0;
}

#define u64_to_user_ptr(x) ((void *)(uintptr_t)(x))

/* The scheduler and signals: a test's process is never killed. */
#define cond_resched()		   ((void)0)
#define fatal_signal_pending(task) (false)

/* Time, in ns. Stands still until a test moves it. */
extern u64 shim_now_ns;

#define NSEC_PER_SEC	    1000000000ULL
#define NSEC_PER_MSEC	    1000000ULL
#define NSEC_PER_USEC	    1000ULL
#define ktime_get_ns()	    shim_now_ns
#define ktime_get_real_ns() shim_now_ns

/* RCU: how many grace periods have ended. A cookie is the number to wait for. */
extern unsigned long shim_grace_periods;

#define rcu_read_lock()			   ((void)0)
#define rcu_read_unlock()		   ((void)0)
#define get_state_synchronize_rcu()	   (shim_grace_periods + 1)
#define start_poll_synchronize_rcu()	   ((void)0)
#define poll_state_synchronize_rcu(cookie) (shim_grace_periods >= (cookie))

#define synchronize_rcu() ((void)++shim_grace_periods)

static inline void cond_synchronize_rcu(unsigned long cookie)
{
	if (shim_grace_periods < cookie)
		shim_grace_periods = cookie;
}

/* Doubly linked lists, circular through their head. */
struct list_head {
	struct list_head *next, *prev;
};

static inline void INIT_LIST_HEAD(struct list_head *head)
{
	head->next = head;
	head->prev = head;
}

static inline void list_add(struct list_head *node, struct list_head *head)
{
	node->next = head->next;
	node->prev = head;
	head->next->prev = node;
	head->next = node;
}

static inline void list_add_tail(struct list_head *node, struct list_head *head)
{
	node->next = head;
	node->prev = head->prev;
	head->prev->next = node;
	head->prev = node;
}

static inline void list_del(struct list_head *node)
{
	node->prev->next = node->next;
	node->next->prev = node->prev;
}

static inline void list_del_init(struct list_head *node)
{
	list_del(node);
	INIT_LIST_HEAD(node);
}

#define list_empty(head)		     ((head)->next == (head))
#define list_is_last(node, head)	     ((node)->next == (head))
#define list_is_first(node, head)	     ((node)->prev == (head))
#define list_entry(p, type, member)	     container_of(p, type, member)
#define list_first_entry(head, type, member) list_entry((head)->next, type, member)
#define list_first_entry_or_null(head, type, member) \
	(list_empty(head) ? NULL : list_first_entry(head, type, member))
#define list_last_entry(head, type, member) list_entry((head)->prev, type, member)
#define list_next_entry(p, member)	    list_entry((p)->member.next, __typeof__(*(p)), member)
#define list_prev_entry(p, member)	    list_entry((p)->member.prev, __typeof__(*(p)), member)
#define list_for_each_entry(p, head, member)                                             \
	for (p = list_entry((head)->next, __typeof__(*p), member); &p->member != (head); \
	     p = list_next_entry(p, member))
#define list_for_each_entry_reverse(p, head, member)                                     \
	for (p = list_entry((head)->prev, __typeof__(*p), member); &p->member != (head); \
	     p = list_prev_entry(p, member))
#define list_for_each_entry_safe(p, n, head, member)                                               \
	for (p = list_entry((head)->next, __typeof__(*p), member), n = list_next_entry(p, member); \
	     &p->member != (head); p = n, n = list_next_entry(n, member))

#endif /* SNAPMAP_SHIM_H */

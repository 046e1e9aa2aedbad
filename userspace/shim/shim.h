/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * shim.h - as much of the kernel as the module's pure files need, in user space
 *
 * Every header in linux/ beside this file includes this one. Locks are no-ops:
 * the native tests and benchmarks are the only writer.
 */
#ifndef SNAPMAP_SHIM_H
#define SNAPMAP_SHIM_H

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <linux/types.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int64_t s64;

#define READ_ONCE(x)		(*(const volatile __typeof__(x) *)&(x))
#define WRITE_ONCE(x, v)	(*(volatile __typeof__(x) *)&(x) = (v))
#define min(a, b)		((a) < (b) ? (a) : (b))
#define max(a, b)		((a) > (b) ? (a) : (b))
#define ALIGN(x, a)		(((x) + (a) - 1) & ~((__typeof__(x))(a) - 1))
#define DIV_ROUND_UP(n, d)	(((n) + (d) - 1) / (d))
#ifndef ARRAY_SIZE
#define ARRAY_SIZE(a)		(sizeof(a) / sizeof((a)[0]))
#endif
#define __ffs(x)		((u32)__builtin_ctzl(x))
#define ilog2(x)		(63 - __builtin_clzll(x))

struct rw_semaphore {
	int unused;
};

static inline void init_rwsem(struct rw_semaphore *sem)
{
	sem->unused = 0;
}

static inline void down_write(struct rw_semaphore *sem)
{
	(void)sem;
}

static inline void up_write(struct rw_semaphore *sem)
{
	(void)sem;
}

#define GFP_KERNEL_ACCOUNT	0

/* Countdown to a failing allocation; negative: none fails. Tests set it. */
extern long shim_fail_alloc;

static inline bool shim_should_fail(void)
{
	return shim_fail_alloc >= 0 && shim_fail_alloc-- == 0;
}

static inline void *kvcalloc(size_t n, size_t size, int gfp)
{
	(void)gfp;
	return shim_should_fail() ? NULL : calloc(n, size);
}

static inline void *kzalloc(size_t size, int gfp)
{
	return kvcalloc(1, size, gfp);
}

#define kvfree(p)	free(p)
#define kfree(p)	free(p)

#define XXH_INLINE_ALL
#include <xxhash.h>

static inline u64 xxh64(const void *input, size_t length, u64 seed)
{
	return XXH64(input, length, seed);
}

#endif /* SNAPMAP_SHIM_H */

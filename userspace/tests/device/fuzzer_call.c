// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * fuzzer_call.c - random arguments of an ioctl, where they lie, and what it may
 * answer
 */
#include "fuzzer.h"

#define OPS_MAX 8
#define KEYS	24
#define WAIT_NS 1000000 /* nobody is there to end a longer wait */
#define LEASE	20	/* ms; nor to end a longer lease */

void give_up(struct session *session, const char *format, ...)
{
	char *why = session->shared->why;
	int len = snprintf(why, sizeof(session->shared->why), "session %#llx: ", session->seed);
	va_list args;

	va_start(args, format);
	vsnprintf(why + len, sizeof(session->shared->why) - len, format, args);
	va_end(args);
	_exit(1);
}

/* ------------------------------------------------------------- arguments */

static u64 odd_number(struct fuzzer *fuzzer)
{
	static const u64 odd[] = {
		0,	    1,		 2,   7,	  8,	      4095,  4096,
		1ULL << 20, 1ULL << 31,	 ~0U, 1ULL << 63, 1ULL << 40, ~0ULL, KERNEL_ADDRESS,
		NO_ADDRESS, LAST_ADDRESS
	};

	if (one_in(fuzzer, 4))
		return random_next(&fuzzer->rng);
	return odd[below(fuzzer, ARRAY_SIZE(odd))] + (one_in(fuzzer, 4) ? below(fuzzer, 5) - 2 : 0);
}

void random_name(struct fuzzer *fuzzer, u8 *name)
{
	snprintf((char *)name, SNAPMAP_NAME_MAX + 1, "%s.%llu", program_invocation_short_name,
		 below(fuzzer, 4));
}

static u16 random_key(struct fuzzer *fuzzer, u8 *key)
{
	u8 id = below(fuzzer, KEYS);
	u16 len = id % 8 ? 1 + id * 5 % 40 : SNAPMAP_KEY_MAX - id;

	memset(key, 'a' + id, len);
	return len;
}

static u32 random_value_len(struct fuzzer *fuzzer)
{
	static const u32 len[] = { 0, 1, 10, 100, 900, 1040, 1041, 5000 };

	return one_in(fuzzer, 50) ? 70000 : len[below(fuzzer, ARRAY_SIZE(len))];
}

u64 random_batch(struct fuzzer *fuzzer)
{
	u32 ops = below(fuzzer, OPS_MAX + 1);
	u8 *to = fuzzer->area;
	struct snapmap_op op;

	while (ops--) {
		op = (struct snapmap_op){ .opcode = 1 + one_in(fuzzer, 3) };
		op.condition = one_in(fuzzer, 10) ? below(fuzzer, 4) : SNAPMAP_COND_NONE;
		op.if_version = op.condition == SNAPMAP_COND_VERSION ? below(fuzzer, 40) : 0;
		op.key_len = random_key(fuzzer, to + sizeof(op));
		op.value_len = op.opcode == SNAPMAP_OP_PUT ? random_value_len(fuzzer) : 0;
		memcpy(to, &op, sizeof(op));
		if (one_in(fuzzer, 30))
			to[below(fuzzer, sizeof(op))] ^= 1U << below(fuzzer, 8);
		to += (sizeof(op) + op.key_len + op.value_len + 7) / 8 * 8;
		if (to > fuzzer->area + AREA - 100000)
			break;
	}
	return to - fuzzer->area;
}

/* Now and then a batch, key or buffer is in a map's own mapping. */
static u64 random_address(struct fuzzer *fuzzer, void *usual)
{
	struct area *area = &fuzzer->session->mapping[below(fuzzer, MAPPINGS)];

	if (!area->at || !one_in(fuzzer, 12))
		return (uintptr_t)usual;
	return (uintptr_t)area->at + below(fuzzer, area->bytes / 8) % 65536 * 8;
}

static void fill_create(struct fuzzer *fuzzer, struct snapmap_create *create)
{
	static const u64 limits[] = { SNAPMAP_LIMIT_MIN, 1 << 20, 8 << 20, 0 };

	random_name(fuzzer, create->name);
	create->mode = one_in(fuzzer, 2) ? 0600 : below(fuzzer, 01000);
	create->limit = limits[below(fuzzer, ARRAY_SIZE(limits))];
	create->history = one_in(fuzzer, 2) ? 0 : below(fuzzer, 40);
	create->flags = one_in(fuzzer, 2) ? SNAPMAP_MAP_REVOKE : 0;
}

static void fill_set(struct fuzzer *fuzzer, struct snapmap_set *set)
{
	random_name(fuzzer, set->name);
	set->mask = below(fuzzer, 8);
	if (set->mask & SNAPMAP_SET_FLAGS)
		set->flags = below(fuzzer, 2);
	if (set->mask & SNAPMAP_SET_HISTORY)
		set->history = below(fuzzer, 40);
}

/* Leases last no longer than others can wait for. */
static void shorten_leases(struct fuzzer *fuzzer, const struct call *call, union any_args *args)
{
	u32 *lease = NULL;

	if (call == &calls[CALL_CREATE])
		lease = &args->create.lease_ms;
	else if (call == &calls[CALL_SET] && args->set.mask & SNAPMAP_SET_LEASE)
		lease = &args->set.lease_ms;
	if (lease && *lease <= SNAPMAP_LEASE_MAX)
		*lease = 1 + below(fuzzer, LEASE);
}

/* Flags of any commit, and the members that belong to them. */
static u32 random_flags(struct fuzzer *fuzzer, __u64 *if_version, __u64 *stamp)
{
	u32 flags = 0;

	if (one_in(fuzzer, 8)) {
		flags |= SNAPMAP_COMMIT_IF_VERSION;
		*if_version = below(fuzzer, 40);
	}
	if (one_in(fuzzer, 8)) {
		flags |= SNAPMAP_COMMIT_STAMP;
		*stamp = random_next(&fuzzer->rng);
		if (one_in(fuzzer, 2))
			flags |= SNAPMAP_COMMIT_STAMP_GROWS;
	}
	return flags;
}

static void fill_commit(struct fuzzer *fuzzer, struct snapmap_commit *commit)
{
	commit->ops_bytes = random_batch(fuzzer);
	commit->ops = random_address(fuzzer, fuzzer->area);
	commit->flags = random_flags(fuzzer, &commit->if_version, &commit->stamp);
	if (one_in(fuzzer, 8))
		commit->flags |= SNAPMAP_COMMIT_REPLACE;
	if (one_in(fuzzer, 8))
		commit->flags |= SNAPMAP_COMMIT_NOWAIT;
	commit->wait_ms = below(fuzzer, 3);
}

static void fill_rollback(struct fuzzer *fuzzer, struct snapmap_rollback *rollback)
{
	rollback->to = 1 + below(fuzzer, 60);
	rollback->flags = random_flags(fuzzer, &rollback->if_version, &rollback->stamp);
	rollback->wait_ms = below(fuzzer, 3);
}

/* Any descriptor, but most often a map. */
static s32 random_fd(struct fuzzer *fuzzer)
{
	const struct target *target;
	u32 tries = 20;

	do
		target = &fuzzer->session->target[below(fuzzer, FDS)];
	while (target->kind != ON_MAP && --tries);
	return one_in(fuzzer, 20) ? (s32)below(fuzzer, 40) - 2 : target->fd;
}

static void fill_txn(struct fuzzer *fuzzer, const struct call *call, union any_args *args)
{
	switch (call - calls) {
	case CALL_TXN:
		args->txn.flags = random_flags(fuzzer, &args->txn.if_version, &args->txn.stamp);
		break;
	case CALL_TXN_ADD:
		args->txn_add.flags =
			random_flags(fuzzer, &args->txn_add.if_version, &args->txn_add.stamp);
		args->txn_add.map = random_fd(fuzzer);
		break;
	case CALL_TXN_PREPARE:
	case CALL_TXN_COMMIT:
		args->txn_run.wait_ms = below(fuzzer, 3);
		args->txn_run.flags = one_in(fuzzer, 4) ? SNAPMAP_COMMIT_NOWAIT : 0;
		break;
	case CALL_TXN_INFO:
		args->txn_info.map = one_in(fuzzer, 2);
		break;
	}
}

/* Room for records is at the end of the area, now and then less than is said. */
static void fill_list(struct fuzzer *fuzzer, const struct call *call, union any_args *args)
{
	u64 room = (uintptr_t)fuzzer->area + AREA - 4096 * below(fuzzer, 4);
	s32 *fds = (s32 *)(fuzzer->area + 8 * PAGE);
	u32 i;

	switch (call - calls) {
	case CALL_LOG:
		args->log.record_size = one_in(fuzzer, 4) ? below(fuzzer, 500) : 128;
		args->log.count = below(fuzzer, 20);
		args->log.records = room;
		args->log.version = below(fuzzer, 60);
		break;
	case CALL_PINS:
		args->pins.record_size = one_in(fuzzer, 4) ? below(fuzzer, 500) : 56;
		args->pins.count = below(fuzzer, 20);
		args->pins.records = room;
		args->pins.first = below(fuzzer, 10);
		break;
	case CALL_PIN_SET:
		args->pin_set.count = 1 + below(fuzzer, 3);
		for (i = 0; i < args->pin_set.count; i++)
			fds[i] = random_fd(fuzzer);
		args->pin_set.maps = (uintptr_t)fds;
		args->pin_set.pins = (uintptr_t)(fds + 16);
		break;
	}
}

static void fill_get(struct fuzzer *fuzzer, struct snapmap_get *get)
{
	get->key_len = random_key(fuzzer, fuzzer->area);
	get->key = random_address(fuzzer, fuzzer->area);
	get->value_len = random_value_len(fuzzer);
	get->value = random_address(fuzzer, fuzzer->area + 2 * PAGE);
}

static void fill_args(struct fuzzer *fuzzer, const struct call *call, union any_args *args)
{
	memset(args, 0, sizeof(*args));
	fill_txn(fuzzer, call, args);
	fill_list(fuzzer, call, args);
	switch (call - calls) {
	case CALL_SET:
		fill_set(fuzzer, &args->set);
		break;
	case CALL_ROLLBACK:
		fill_rollback(fuzzer, &args->rollback);
		break;
	case CALL_PIN:
		args->pin.version = one_in(fuzzer, 2) ? 0 : below(fuzzer, 60);
		break;
	case CALL_CREATE:
		fill_create(fuzzer, &args->create);
		break;
	case CALL_DESTROY:
		random_name(fuzzer, args->destroy.name);
		break;
	case CALL_COMMIT:
		fill_commit(fuzzer, &args->commit);
		break;
	case CALL_GET:
		fill_get(fuzzer, &args->get);
		break;
	case CALL_WAIT:
		args->wait.version = below(fuzzer, 40);
		args->wait.timeout_ns = below(fuzzer, WAIT_NS);
		break;
	}
}

/* Stacks, the heap and libraries are in the upper half of the addresses. */
static bool may_be_own_memory(const struct fuzzer *fuzzer, u64 address)
{
	u64 area = (uintptr_t)fuzzer->area;

	return address > LAST_ADDRESS / 2 && address < LAST_ADDRESS - PAGE &&
	       (address < area || address >= area + AREA);
}

/*
 * Any of the call's members, in part or whole, becomes something else, but no
 * address at which the kernel, rightly, would write over the fuzzer itself.
 */
static void perturb(struct fuzzer *fuzzer, const struct call *call, union any_args *args)
{
	u64 number = odd_number(fuzzer);
	size_t width = 1U << below(fuzzer, 4);
	size_t at = below(fuzzer, call->bytes / width) * width;
	u8 *word = args->bytes + at / sizeof(number) * sizeof(number);

	memcpy(args->bytes + at, &number, width);
	memcpy(&number, word, sizeof(number));
	if (may_be_own_memory(fuzzer, number)) {
		number = NO_ADDRESS;
		memcpy(word, &number, sizeof(number));
	}
}

/* Most often one that the descriptor has, and often COMMIT. */
static const struct call *random_call(struct fuzzer *fuzzer, const struct target *target)
{
	const struct call *call;

	do
		call = &calls[one_in(fuzzer, 3) ? CALL_COMMIT : below(fuzzer, CALLS)];
	while (!(call->on & target->kind) && !one_in(fuzzer, 8));
	return call;
}

static unsigned long random_request(struct fuzzer *fuzzer, const struct call *call)
{
	if (one_in(fuzzer, 15))
		return resized(call->request, below(fuzzer, one_in(fuzzer, 4) ? 16384 : 300));
	if (one_in(fuzzer, 30))
		return call->request ^ 1UL << below(fuzzer, 32);
	return one_in(fuzzer, 100) ? random_next(&fuzzer->rng) : call->request;
}

/* ------------------------------------------------------------- placing and answers */

/* Nobody may make a wait or a lease longer. */
static bool may_be_changed(const struct call *call)
{
	return call->bytes && call != &calls[CALL_WAIT] && call != &calls[CALL_CREATE] &&
	       call != &calls[CALL_SET];
}

static void *place_args(struct fuzzer *fuzzer, struct attempt *attempt)
{
	struct session *session = fuzzer->session;
	size_t bytes = attempt->call->bytes;
	u8 *edge = session->writable + 2 * PAGE;
	u8 *at = fuzzer->area + AREA - sizeof(attempt->args);

	if (session->threaded || !bytes || one_in(fuzzer, 2)) {
		attempt->place = PLACE_GOOD;
		if (session->threaded && may_be_changed(attempt->call) && one_in(fuzzer, 3)) {
			attempt->place = PLACE_SHARED;
			at = session->writable;
		}
		memcpy(at, &attempt->args, bytes);
		return at;
	}
	switch (below(fuzzer, 8)) {
	case 0:
		attempt->place = PLACE_CUT;
		bytes = below(fuzzer, bytes);
		break;
	case 1:
		attempt->place = PLACE_READONLY;
		memcpy(session->writable, &attempt->args, bytes);
		return session->readable;
	case 2:
		attempt->place = PLACE_BAD;
		return (void *)(uintptr_t)(one_in(fuzzer, 2) ? KERNEL_ADDRESS : NO_ADDRESS);
	default:
		attempt->place = PLACE_GOOD;
	}
	memcpy(edge - bytes, &attempt->args, bytes);
	return edge - bytes;
}

void *attempt_prepare(struct fuzzer *fuzzer, struct attempt *attempt)
{
	u32 odd = below(fuzzer, 10);

	attempt->call = random_call(fuzzer, attempt->target);
	attempt->request = random_request(fuzzer, attempt->call);
	fill_args(fuzzer, attempt->call, &attempt->args);
	for (odd = odd < 6 || !attempt->call->bytes ? 0 : odd - 5; odd; odd--)
		perturb(fuzzer, attempt->call, &attempt->args);
	if (attempt->call == &calls[CALL_WAIT])
		attempt->args.wait.timeout_ns = below(fuzzer, WAIT_NS);
	shorten_leases(fuzzer, attempt->call, &attempt->args);
	return place_args(fuzzer, attempt);
}

#define COMMIT_ERRORS \
	EALREADY, EBUSY, ECANCELED, EINTR, EMSGSIZE, ENODEV, ENOMEM, ENOSPC, EOVERFLOW, ETIMEDOUT

/* What uapi/linux/snapmap.h lists for each ioctl, beyond what every one may say. */
static bool errno_is_listed(const struct call *call, int err)
{
	static const int listed[CALLS][16] = {
		[CALL_CREATE] = { EEXIST, ENFILE, ENODEV, ENOMEM, ENOSPC },
		[CALL_DESTROY] = { ENOENT, ENODEV },
		[CALL_INFO] = { ESTALE },
		[CALL_COMMIT] = { COMMIT_ERRORS },
		[CALL_GET] = { EMSGSIZE, ENOENT, ENOMEM, ERANGE, ESTALE },
		[CALL_PIN] = { EMFILE, ENFILE, ENOMEM, ESTALE },
		[CALL_WAIT] = { EINTR, ETIMEDOUT },
		[CALL_SET] = { ENOENT, ENOMEM },
		[CALL_PIN_SET] = { EBADF, EMFILE, ENFILE, ENOMEM },
		[CALL_ROLLBACK] = { COMMIT_ERRORS, ESTALE },
		[CALL_TXN] = { EMFILE, ENFILE, ENOMEM },
		[CALL_TXN_ADD] = { EBADF, EBADFD, EEXIST, ENOMEM, ETIME },
		[CALL_TXN_PREPARE] = { COMMIT_ERRORS, EBADFD, ETIME },
		[CALL_TXN_COMMIT] = { COMMIT_ERRORS, EBADFD, ETIME },
		[CALL_TXN_ABORT] = { EBADFD, ETIME },
	};
	const int *listed_here = listed[call - calls];

	if (err == EFAULT || err == E2BIG || err == EINVAL)
		return true;
	while (*listed_here && *listed_here != err)
		listed_here++;
	return *listed_here;
}

static bool may_use(const struct target *target, const struct call *call)
{
	if (target->kind & (ON_PIN | ON_TXN))
		return true;
	return target->mode == O_RDWR || target->mode == (call->writes ? O_WRONLY : O_RDONLY);
}

bool attempt_is_call(const struct attempt *attempt)
{
	return resized(attempt->request, 0) == resized(attempt->call->request, 0) &&
	       attempt->request <= ~0U;
}

/* The struct cannot be read, or not be written back. */
static bool must_fault(const struct attempt *attempt)
{
	if (attempt->place == PLACE_READONLY)
		return _IOC_DIR(attempt->request) & _IOC_READ;
	return attempt->place == PLACE_CUT || attempt->place == PLACE_BAD;
}

/* Returns what the call must answer as a negative errno, or 1 when it depends. */
static int required_answer(const struct attempt *attempt)
{
	const struct call *call = attempt->call;

	if (!(call->on & attempt->target->kind))
		return -ENOTTY;
	if (!may_use(attempt->target, call))
		return -EBADF;
	if (attempt->request != call->request || attempt->place == PLACE_SHARED)
		return 1;
	if (must_fault(attempt))
		return -EFAULT;
	/* TXN_ADD looks at the descriptor first, which may have ended. */
	if (call->bytes && call != &calls[CALL_WAIT] && call != &calls[CALL_TXN_ADD] &&
	    attempt->args.flags & ~call->flags)
		return -EINVAL;
	return 1;
}

/* It points to more than its struct. */
static bool has_pointers(const struct call *call)
{
	return call == &calls[CALL_COMMIT] || call == &calls[CALL_GET] ||
	       call == &calls[CALL_LOG] || call == &calls[CALL_PINS] ||
	       call == &calls[CALL_PIN_SET];
}

void attempt_check(struct session *session, const struct attempt *attempt, int ret)
{
	const struct call *call = attempt->call;
	int must = required_answer(attempt);

	if (must < 0 && ret != must)
		give_up(session, "%s (%#lx): %d instead of %d", call->name, attempt->request, ret,
			must);
	if (must > 0 && ret < 0 && !errno_is_listed(call, -ret))
		give_up(session, "%s (%#lx): an errno that is not documented, %d", call->name,
			attempt->request, ret);
	if (ret == -EFAULT && must > 0 && attempt->request == call->request && !has_pointers(call))
		give_up(session, "%s: EFAULT for a struct that can be reached", call->name);
	if (ret > 0 && call != &calls[CALL_PIN] && call != &calls[CALL_TXN])
		give_up(session, "%s: %d", call->name, ret);
}

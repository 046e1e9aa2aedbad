// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#include "peers.h"

#define PEER(name, about, most, roles, make)                         \
	{                                                            \
		name, about, most, roles, make<Key16>, make<KeyText> \
	}

namespace bench
{

volatile uint64_t run_time_zero;

const std::vector<PeerKind> &peer_kinds()
{
	static constexpr size_t any = SIZE_MAX;
	static constexpr size_t few = 1000000; /* for the sake of memory */
	static constexpr unsigned int all = reading | committing | replacing | shared | sized;
	static constexpr unsigned int changing = reading | committing | shared | sized;
	static const std::vector<PeerKind> kinds = {
		PEER("snapmap", "snapmap_get() over an arena of 4 KiB pages", any, all,
		     make_snapmap),
		PEER("snapmap-huge", "snapmap_get() over an arena of 2 MiB pages", any, all,
		     make_snapmap_huge),
		PEER("snapmap-inline", "snapmap_inline_get() over an arena of 2 MiB pages", any,
		     reading, make_snapmap_inline),
		PEER("absl", "Abseil's flat_hash_map, unsynchronised", any,
		     reading | committing | replacing | sized, make_absl),
		PEER("lmdb", "LMDB, one long read transaction", any, reading, make_lmdb),
		PEER("lmdb-renew", "LMDB, its read transaction renewed for each get", any, all,
		     make_lmdb_renew),
		PEER("lfht-qsbr", "liburcu's lock-free hash table, QSBR", any, changing,
		     make_lfht_qsbr),
		PEER("lfht-memb", "liburcu's lock-free hash table, membarrier", few, changing,
		     make_lfht_memb),
		PEER("rcu-absl", "a flat_hash_map copied whole, its pointer swapped under RCU", few,
		     reading | committing, make_rcu_absl),
		PEER("glib", "GHashTable under a pthread_rwlock", any, changing, make_glib),
		PEER("cdb", "tinycdb, constant, on tmpfs", few, reading | replacing | sized,
		     make_cdb),
		PEER("bpf-hash", "a BPF hash, looked up by bpf(2)", few,
		     reading | committing | shared, make_bpf_hash),
		PEER("bpf-array", "a mapped BPF array: numbers for keys", few, reading,
		     make_bpf_array),
		PEER("go-map", "Go's map, unsynchronised", few, reading | committing, make_go_map),
		PEER("go-rwmutex", "Go's map under a sync.RWMutex", few, reading | committing,
		     make_go_rwmutex),
		PEER("go-sync", "Go's sync.Map", few, reading | committing, make_go_sync),
		PEER("go-atomic", "Go's map behind an atomic.Value, to be copied whole", few,
		     reading | committing, make_go_atomic),
		PEER("limit-1", "the limit: one cache miss", any, reading, make_limit_one),
		PEER("limit-2", "the limit: two cache misses in a page, one after the other", any,
		     reading, make_limit_two),
	};

	return kinds;
}

} // namespace bench

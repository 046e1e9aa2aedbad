// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#include "peers.h"

#define PEER(name, about, most, make)                         \
	{                                                     \
		name, about, most, make<Key16>, make<KeyText> \
	}

namespace bench
{

volatile uint64_t run_time_zero;

const std::vector<PeerKind> &peer_kinds()
{
	static constexpr size_t any = SIZE_MAX;
	static const std::vector<PeerKind> kinds = {
		PEER("snapmap", "snapmap_get() over an arena of 4 KiB pages", any, make_snapmap),
		PEER("snapmap-huge", "snapmap_get() over an arena of 2 MiB pages", any,
		     make_snapmap_huge),
		PEER("absl", "Abseil's flat_hash_map, unsynchronised", any, make_absl),
		PEER("lmdb", "LMDB, one long read transaction", any, make_lmdb),
		PEER("lmdb-renew", "LMDB, its read transaction renewed for each get", any,
		     make_lmdb_renew),
		PEER("limit-1", "the limit: one cache miss", any, make_limit_one),
		PEER("limit-2", "the limit: two cache misses in a page, one after the other", any,
		     make_limit_two),
	};

	return kinds;
}

} // namespace bench

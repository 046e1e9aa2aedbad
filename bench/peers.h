/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * peers.h - who takes part
 */
#ifndef BENCH_PEERS_H
#define BENCH_PEERS_H

#include "peer.h"

namespace bench
{

/* What a peer can do. */
enum Role : unsigned int {
	nothing = 0,
	reading = 1,
	committing = 2,
	replacing = 4,
	shared = 8, /* read while it is committed to, and by several threads */
	sized = 16, /* says what memory it takes */
};

/**
 * struct PeerKind - a peer, before it is made
 * @name: as it is called in options and results
 * @about: what it is, in a few words
 * @most: entries up to which it takes part
 * @roles: what it can do
 * @binary: makes one for keys of 16 bytes
 * @strings: makes one for strings; either may throw why it cannot take part here
 */
struct PeerKind {
	const char *name;
	const char *about;
	size_t most;
	unsigned int roles;
	std::unique_ptr<Peer<Key16>> (*binary)();
	std::unique_ptr<Peer<KeyText>> (*strings)();

	template <class K> std::unique_ptr<Peer<K>> make() const;
};

template <> inline std::unique_ptr<Peer<Key16>> PeerKind::make<Key16>() const
{
	return binary();
}

template <> inline std::unique_ptr<Peer<KeyText>> PeerKind::make<KeyText>() const
{
	return strings();
}

/* All of them, snapmap first. */
const std::vector<PeerKind> &peer_kinds();

/* One function for each peer, in its own file. */
template <class K> std::unique_ptr<Peer<K>> make_snapmap();
template <class K> std::unique_ptr<Peer<K>> make_snapmap_huge();
template <class K> std::unique_ptr<Peer<K>> make_snapmap_inline();
template <class K> std::unique_ptr<Peer<K>> make_absl();
template <class K> std::unique_ptr<Peer<K>> make_lmdb();
template <class K> std::unique_ptr<Peer<K>> make_lmdb_renew();
template <class K> std::unique_ptr<Peer<K>> make_limit_one();
template <class K> std::unique_ptr<Peer<K>> make_limit_two();
template <class K> std::unique_ptr<Peer<K>> make_lfht_qsbr();
template <class K> std::unique_ptr<Peer<K>> make_lfht_memb();
template <class K> std::unique_ptr<Peer<K>> make_rcu_absl();
template <class K> std::unique_ptr<Peer<K>> make_glib();
template <class K> std::unique_ptr<Peer<K>> make_cdb();
template <class K> std::unique_ptr<Peer<K>> make_bpf_hash();
template <class K> std::unique_ptr<Peer<K>> make_bpf_array();
template <class K> std::unique_ptr<Peer<K>> make_go_map();
template <class K> std::unique_ptr<Peer<K>> make_go_rwmutex();
template <class K> std::unique_ptr<Peer<K>> make_go_sync();
template <class K> std::unique_ptr<Peer<K>> make_go_atomic();

} // namespace bench

#endif /* BENCH_PEERS_H */

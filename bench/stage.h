/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * stage.h - all peers that take part, loaded with the same entries and verified
 */
#ifndef BENCH_STAGE_H
#define BENCH_STAGE_H

#include <malloc.h>

#include <cstdio>
#include <numeric>
#include <stdexcept>

#include "options.h"
#include "peers.h"
#include "random.h"

namespace bench
{

template <class K> struct Player {
	const PeerKind *kind;
	std::unique_ptr<Peer<K>> peer;
	uint64_t heap_bytes; /* that malloc() has given for it */
};

inline uint64_t heap_bytes()
{
	struct mallinfo2 info = mallinfo2();

	return info.uordblks + info.hblkhd;
}

template <class K> class Stage
{
      public:
	/* Those of @role take part. */
	Stage(const Options &options, Data<K> data, KeyKind kind, Role role)
	    : data_(std::move(data)), kind_(kind), broken_(options.broken)
	{
		for (const PeerKind &peer : peer_kinds())
			if (options.wants_peer(peer.name) && data_.size() <= peer.most &&
			    peer.roles & role)
				add(peer);
	}

	const Data<K> &data() const
	{
		return data_;
	}
	std::vector<Player<K>> &players()
	{
		return players_;
	}
	/* Those that cannot take part, and why. */
	const std::vector<std::pair<std::string, std::string>> &absences() const
	{
		return absences_;
	}
	/* What verification found. */
	const std::vector<std::string> &failures() const
	{
		return failures_;
	}
	std::string keys_name() const
	{
		return name_of(kind_);
	}
	std::string title() const
	{
		return std::to_string(data_.size()) + " entries, " + keys_name();
	}

      private:
	void add(const PeerKind &kind)
	{
		uint64_t before = heap_bytes();
		double start = wall_ns();

		fprintf(stderr, "bench: %s: loading %-20s", title().c_str(), kind.name);
		try {
			std::unique_ptr<Peer<K>> peer = kind.make<K>();
			std::string wrong;

			peer->load(data_);
			before = heap_bytes() - before;
			if (kind.name == broken_)
				std::swap(data_.keys[0], data_.keys[1]);
			if (peer->is_table())
				wrong = verify(*peer);
			if (kind.name == broken_)
				std::swap(data_.keys[0], data_.keys[1]);
			if (wrong.empty())
				players_.push_back({ &kind, std::move(peer), before });
			else
				failures_.push_back(std::string(kind.name) + ": " + wrong);
			fprintf(stderr, "%6.2f s %s\n", (wall_ns() - start) / 1e9, wrong.c_str());
		} catch (const std::exception &why) {
			absences_.emplace_back(kind.name, why.what());
			fprintf(stderr, "%s\n", why.what());
		}
	}

	/* All keys, or of the first ones those that @random chooses. */
	static Wanted<K> some_of(const Keys<K> &keys, Random *random = nullptr)
	{
		Wanted<K> wanted;

		for (size_t i = 0; i < (random ? std::min(keys.size(), sample) : keys.size());
		     i++) {
			if (random && random->below(2))
				continue;
			wanted.keys.push_back(keys[i]);
			wanted.order.push_back(static_cast<uint32_t>(i));
		}
		return wanted;
	}

	/* The answers to all of @wanted. */
	static ReadResult ask(Peer<K> &peer, const Wanted<K> &wanted, Mode mode)
	{
		ReadResult result;

		peer.thread_begin();
		result = peer.read({ &wanted, 0, wanted.keys.size(), mode });
		peer.thread_end();
		return result;
	}

	/* Whether all are found, with numbers that sum up to theirs. */
	static bool found_all(Peer<K> &peer, const Wanted<K> &wanted, Mode mode)
	{
		ReadResult result = ask(peer, wanted, mode);
		uint64_t sum =
			std::accumulate(wanted.order.begin(), wanted.order.end(), uint64_t(0));

		return result.hits == wanted.keys.size() && result.sum == sum;
	}

	bool gives_all(Peer<K> &peer) const
	{
		bool all = true;

		peer.thread_begin();
		for (size_t i = 0; i < data_.size(); i++)
			all = all && peer.gives(data_.keys[i], data_.value(i));
		peer.thread_end();
		return all;
	}

	/* Says what is wrong with the answers to all keys, and to others. */
	std::string verify(Peer<K> &peer)
	{
		Random random(3);

		if (!gives_all(peer))
			return "wrong values";
		if (!found_all(peer, some_of(data_.keys), Mode::independent))
			return "wrong numbers";
		for (Mode mode : { Mode::independent, Mode::dependent, Mode::batched }) {
			if (!peer.reads(mode))
				continue;
			/* A half at random: two values that have changed places show in it. */
			if (!found_all(peer, some_of(data_.keys, &random), mode))
				return std::string("wrong answers, ") + name_of(mode);
			if (ask(peer, some_of(data_.missing, &random), mode).hits)
				return std::string("keys that are not there, ") + name_of(mode);
		}
		return "";
	}

	static constexpr size_t sample = 100000; /* that is looked at in other ways too */
	Data<K> data_;
	KeyKind kind_;
	std::string broken_; /* deliberately: a peer that is asked for the wrong keys */
	std::vector<Player<K>> players_;
	std::vector<std::pair<std::string, std::string>> absences_;
	std::vector<std::string> failures_;
};

/* Strings come in sizes up to this. */
constexpr size_t strings_most = 1000000;

template <class F> void for_each_stage(const Options &options, Role role, F use)
{
	for (KeyKind kind : options.kinds) {
		for (size_t size : options.sizes) {
			if (kind == KeyKind::binary) {
				Stage<Key16> stage(options, make_binary(size), kind, role);

				use(stage);
			} else if (size <= strings_most) {
				Stage<KeyText> stage(options, make_strings(size), kind, role);

				use(stage);
			}
		}
	}
}

} // namespace bench

#endif /* BENCH_STAGE_H */

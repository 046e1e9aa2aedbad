// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * peer_go.cc - tables of a Go program, which is a child of this one
 */
#include "go_child.h"
#include "peers.h"

namespace bench
{

namespace
{

const char *kind_of(const Key16 *)
{
	return "binary";
}

const char *kind_of(const KeyText *)
{
	return "strings";
}

template <class K> class Go : public Peer<K>
{
      public:
	explicit Go(const char *table) : table_(table)
	{
	}

	void load(const Data<K> &data) override
	{
		child_ = GoChild::shared(data.keys.data(), data.size() * sizeof(K),
					 kind_of(data.keys.data()));
	}

	void commit(const K *keys, const Change *changes, size_t size) override
	{
		commits(keys, changes, size, 1);
	}

	/* The child's CPU time; it has keys of its own. */
	double commits(const K *, const Change *changes, size_t size, size_t count) override
	{
		std::string answer =
			child_->hand_over("commit " + table_ + " " + std::to_string(size), changes,
					  size * count * sizeof(*changes));
		unsigned long long ns;

		if (sscanf(answer.c_str(), "%llu", &ns) != 1)
			throw std::runtime_error("the Go program says " + answer);
		return static_cast<double>(ns);
	}

	ReadResult read(const ReadPlan<K> &plan) override
	{
		const Keys<K> &keys = plan.wanted->keys;
		unsigned long long ns, hits, sum;
		std::string answer;

		if (child_->wanted_id != plan.wanted->id)
			child_->hand_over("wanted", keys.data(), keys.size() * sizeof(K));
		child_->wanted_id = plan.wanted->id;
		answer = child_->ask("read " + table_ + " " + name_of(plan.mode) + " " +
				     std::to_string(plan.from) + " " + std::to_string(plan.count));
		if (sscanf(answer.c_str(), "%llu %llu %llu", &ns, &hits, &sum) != 3)
			throw std::runtime_error("the Go program says " + answer);
		return { static_cast<double>(ns), hits, sum };
	}

      private:
	std::string table_;
	std::shared_ptr<GoChild> child_;
};

} // namespace

template <class K> std::unique_ptr<Peer<K>> make_go_map()
{
	return std::make_unique<Go<K>>("map");
}

template <class K> std::unique_ptr<Peer<K>> make_go_rwmutex()
{
	return std::make_unique<Go<K>>("rwmutex");
}

template <class K> std::unique_ptr<Peer<K>> make_go_sync()
{
	return std::make_unique<Go<K>>("sync");
}

template <class K> std::unique_ptr<Peer<K>> make_go_atomic()
{
	return std::make_unique<Go<K>>("atomic");
}

template std::unique_ptr<Peer<Key16>> make_go_map();
template std::unique_ptr<Peer<KeyText>> make_go_map();
template std::unique_ptr<Peer<Key16>> make_go_rwmutex();
template std::unique_ptr<Peer<KeyText>> make_go_rwmutex();
template std::unique_ptr<Peer<Key16>> make_go_sync();
template std::unique_ptr<Peer<KeyText>> make_go_sync();
template std::unique_ptr<Peer<Key16>> make_go_atomic();
template std::unique_ptr<Peer<KeyText>> make_go_atomic();

} // namespace bench

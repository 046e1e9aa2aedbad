// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * peer_absl.cc - Abseil's flat_hash_map without any synchronisation: the bound for a table in
 * one process that nobody changes
 */
#include "absl_map.h"
#include "peers.h"

namespace bench
{

namespace
{

template <class K> class Absl : public Reading<Absl<K>, K>
{
      public:
	void load(const Data<K> &data) override
	{
		data_ = &data;
		fill(map_, data);
	}

	bool get(const K &key, Value &value)
	{
		auto found = find(map_, key);

		if (found == map_.end())
			return false;
		value = found->second;
		return true;
	}

	void commit(const K *keys, const Change *changes, size_t count) override
	{
		for (size_t i = 0; i < count; i++)
			put(map_, keys[i], Data<K>::value(changes[i]));
	}

	ReplaceCost replace() override
	{
		double start = cpu_ns();
		AbslMap<K> next;
		double ready;
		ReplaceCost cost;

		next.reserve(data_->size());
		ready = cpu_ns();
		for (size_t i = 0; i < data_->size(); i++)
			put(next, data_->keys[i], data_->value(i));
		cost = { ready - start, cpu_ns() - ready };
		map_ = std::move(next);
		return cost;
	}

      private:
	AbslMap<K> map_;
	const Data<K> *data_ = nullptr;
};

} // namespace

template <class K> std::unique_ptr<Peer<K>> make_absl()
{
	return std::make_unique<Absl<K>>();
}

template std::unique_ptr<Peer<Key16>> make_absl();
template std::unique_ptr<Peer<KeyText>> make_absl();

} // namespace bench

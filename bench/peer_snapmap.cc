// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * peer_snapmap.cc - snapmap: the module's code writes, the library as it ships reads, or the
 * part of it that is compiled into programs
 */
#include <snapmap_inline.h>

#include <algorithm>
#include <stdexcept>

#include "peers.h"
#include "snapmap_map.h"

namespace bench
{

namespace
{

template <class K, bool huge> class Snapmap : public Reading<Snapmap<K, huge>, K>
{
      public:
	void load(const Data<K> &data) override
	{
		data_ = &data;
		map_ = std::make_unique<SnapmapMap>(data.raw_bytes(), huge);
		map_->replace(data);
		reader_ = map_->reader();
	}

	bool get(const K &key, Value &value)
	{
		return !snapmap_get(reader_, key.data(), key.size(), &value, sizeof(value),
				    nullptr);
	}

#ifdef BENCH_GET_MANY
	bool reads(Mode) const override
	{
		return true;
	}

	ReadResult batched(const ReadPlan<K> &plan)
	{
		struct snapmap_query queries[keys_a_call];
		Value values[keys_a_call] = {};
		const K *keys = plan.keys();
		uint64_t sum = 0, hits = 0;
		double start = cpu_ns();

		for (size_t i = 0; i < plan.count; i += keys_a_call) {
			size_t count = std::min(keys_a_call, plan.count - i);

			for (size_t j = 0; j < count; j++) {
				queries[j].key = keys[i + j].data();
				queries[j].key_len = keys[i + j].size();
				queries[j].buf = &values[j];
				queries[j].cap = sizeof(values[j]);
			}
			snapmap_get_many(reader_, queries, count, nullptr);
			asm volatile("" : : "m"(values));
			for (size_t j = 0; j < count; j++) {
				if (!queries[j].err) {
					sum += values[j].number;
					hits++;
				}
			}
		}
		return { cpu_ns() - start, hits, sum };
	}
#endif

	void commit(const K *keys, const Change *changes, size_t count) override
	{
		map_->clear();
		for (size_t i = 0; i < count; i++)
			map_->put(keys[i], Data<K>::value(changes[i]));
		map_->commit(false);
	}

	void settle() override
	{
		bench_store_settle(map_->store());
	}

	ReplaceCost replace() override
	{
		double start = cpu_ns();
		double ready;

		map_->prepare(*data_);
		ready = cpu_ns();
		map_->commit(true);
		return { ready - start, cpu_ns() - ready };
	}

	struct bench_store *store() override
	{
		return map_->store();
	}

	uint64_t bytes() override
	{
		struct bench_store_info info;

		bench_store_info(map_->store(), &info);
		return info.resident;
	}

      private:
	static constexpr size_t keys_a_call = 16;

	const Data<K> *data_ = nullptr;
	std::unique_ptr<SnapmapMap> map_;
	const struct snapmap *reader_ = nullptr;
};

/* Look-ups by snapmap_inline.h; everything else is as it is without. */
template <class K> class SnapmapInline : public Reading<SnapmapInline<K>, K>
{
      public:
	void load(const Data<K> &data) override
	{
		map_ = std::make_unique<SnapmapMap>(data.raw_bytes(), true);
		map_->replace(data);
		if (snapmap_inline_open(map_->reader(), &reader_))
			throw std::runtime_error("another layout");
	}

	bool get(const K &key, Value &value)
	{
		return !snapmap_inline_get(&reader_, key.data(), key.size(), &value, sizeof(value),
					   nullptr);
	}

      private:
	std::unique_ptr<SnapmapMap> map_;
	struct snapmap_inline reader_;
};

} // namespace

template <class K> std::unique_ptr<Peer<K>> make_snapmap()
{
	return std::make_unique<Snapmap<K, false>>();
}

template <class K> std::unique_ptr<Peer<K>> make_snapmap_huge()
{
	return std::make_unique<Snapmap<K, true>>();
}

template <class K> std::unique_ptr<Peer<K>> make_snapmap_inline()
{
	return std::make_unique<SnapmapInline<K>>();
}

template std::unique_ptr<Peer<Key16>> make_snapmap();
template std::unique_ptr<Peer<KeyText>> make_snapmap();
template std::unique_ptr<Peer<Key16>> make_snapmap_huge();
template std::unique_ptr<Peer<KeyText>> make_snapmap_huge();
template std::unique_ptr<Peer<Key16>> make_snapmap_inline();
template std::unique_ptr<Peer<KeyText>> make_snapmap_inline();

} // namespace bench

/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * snapmap_map.h - a map with its writer and a reader
 */
#ifndef BENCH_SNAPMAP_MAP_H
#define BENCH_SNAPMAP_MAP_H

#include <stdexcept>

#include "keys.h"
#include "snapmap_reader.h"
#include "snapmap_store.h"

namespace bench
{

class SnapmapMap
{
      public:
	/* With room for the updates of so many bytes of keys and values. */
	SnapmapMap(uint64_t raw_bytes, bool huge)
	{
		store_ = bench_store_new(raw_bytes * 6 + (uint64_t(256) << 20), huge);
		if (store_)
			reader_ = bench_reader_new(bench_store_fd(store_), bench_store_span(store_),
						   huge);
		batch_ = snapmap_batch_new();
		if (!reader_ || !batch_)
			throw std::runtime_error("no memory for a map");
	}

	~SnapmapMap()
	{
		snapmap_batch_free(batch_);
		bench_reader_free(reader_);
		bench_store_free(store_);
	}

	SnapmapMap(const SnapmapMap &) = delete;
	SnapmapMap &operator=(const SnapmapMap &) = delete;

	void clear()
	{
		snapmap_batch_clear(batch_);
	}

	template <class K> void put(const K &key, const Value &value)
	{
		check(snapmap_batch_put(batch_, key.data(), key.size(), &value, sizeof(value)));
	}

	void commit(bool replace)
	{
		check(bench_store_commit(store_, bench_batch_ops(batch_),
					 snapmap_batch_bytes(batch_), replace));
	}

	/* The batch becomes one that writes all of @data. */
	template <class K> void prepare(const Data<K> &data)
	{
		clear();
		for (size_t i = 0; i < data.size(); i++)
			put(data.keys[i], data.value(i));
	}

	template <class K> void replace(const Data<K> &data)
	{
		prepare(data);
		commit(true);
		/* A batch as large as the table is not to be kept. */
		snapmap_batch_free(batch_);
		batch_ = snapmap_batch_new();
	}

	struct bench_store *store() const
	{
		return store_;
	}

	struct snapmap *reader() const
	{
		return reader_;
	}

      private:
	static void check(int err)
	{
		if (err)
			throw std::runtime_error("snapmap: error " + std::to_string(-err));
	}

	struct bench_store *store_ = nullptr;
	struct snapmap *reader_ = nullptr;
	struct snapmap_batch *batch_ = nullptr;
};

} // namespace bench

#endif /* BENCH_SNAPMAP_MAP_H */

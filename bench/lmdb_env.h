/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * lmdb_env.h - an LMDB database of its own on tmpfs
 */
#ifndef BENCH_LMDB_ENV_H
#define BENCH_LMDB_ENV_H

#include <lmdb.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <numeric>

#include "keys.h"

namespace bench
{

class LmdbEnv
{
      public:
	LmdbEnv();
	~LmdbEnv();
	LmdbEnv(const LmdbEnv &) = delete;
	LmdbEnv &operator=(const LmdbEnv &) = delete;

	/* The one that holds what @what points to; @fill fills it when there is none yet. */
	static std::shared_ptr<LmdbEnv> shared(const void *what,
					       const std::function<void(LmdbEnv &)> &fill);

	MDB_txn *begin(unsigned int flags);
	void commit(MDB_txn *txn);
	uint64_t bytes_used();

	MDB_dbi dbi() const
	{
		return dbi_;
	}

	template <class K> void put(MDB_txn *txn, const K &key, const Value &value)
	{
		MDB_val k = { key.size(), const_cast<char *>(key.data()) };
		MDB_val v = { sizeof(value), const_cast<Value *>(&value) };

		check(mdb_put(txn, dbi_, &k, &v, 0), "mdb_put");
	}

	/* The indexes of the entries in the order of their keys. */
	template <class K> static std::vector<uint32_t> sorted(const Data<K> &data)
	{
		std::vector<uint32_t> order(data.size());

		std::iota(order.begin(), order.end(), 0);
		std::sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) {
			return data.keys[a].view() < data.keys[b].view();
		});
		return order;
	}

	template <class K> void replace(const Data<K> &data, const std::vector<uint32_t> &order)
	{
		MDB_txn *txn = begin(0);

		check(mdb_drop(txn, dbi_, 0), "mdb_drop");
		for (uint32_t index : order)
			put(txn, data.keys[index], data.value(index));
		commit(txn);
	}

      private:
	static void check(int err, const char *what);

	MDB_env *env_ = nullptr;
	MDB_dbi dbi_ = 0;
};

} // namespace bench

#endif /* BENCH_LMDB_ENV_H */

// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * peer_lmdb.cc - LMDB on tmpfs, which never waits for a disk; loaded in order of keys, which
 * suits it best
 *
 * The peer with a long read transaction and the one that renews it share a database.
 */
#include "lmdb_env.h"
#include "peers.h"

namespace bench
{

namespace
{

template <class K, bool renew> class Lmdb : public Reading<Lmdb<K, renew>, K>
{
      public:
	void load(const Data<K> &data) override
	{
		data_ = &data;
		env_ = LmdbEnv::shared(&data, [&](LmdbEnv &env) {
			env.replace(data, LmdbEnv::sorted(data));
		});
	}

	/* A read transaction serves one thread. */
	void thread_begin() override
	{
		txn_ = env_->begin(MDB_RDONLY);
		if (renew)
			mdb_txn_reset(txn_);
	}

	void thread_end() override
	{
		mdb_txn_abort(txn_);
	}

	bool get(const K &key, Value &value)
	{
		MDB_val k = { key.size(), const_cast<char *>(key.data()) };
		MDB_val v;

		bool hit;

		if (renew)
			mdb_txn_renew(txn_);
		hit = !mdb_get(txn_, env_->dbi(), &k, &v);
		if (hit)
			memcpy(&value, v.mv_data, sizeof(value));
		if (renew)
			mdb_txn_reset(txn_);
		return hit;
	}

	void commit(const K *keys, const Change *changes, size_t count) override
	{
		MDB_txn *txn = env_->begin(0);

		for (size_t i = 0; i < count; i++)
			env_->put(txn, keys[i], Data<K>::value(changes[i]));
		env_->commit(txn);
	}

	ReplaceCost replace() override
	{
		double start = cpu_ns();
		std::vector<uint32_t> order = LmdbEnv::sorted(*data_);
		double ready = cpu_ns();

		env_->replace(*data_, order);
		return { ready - start, cpu_ns() - ready };
	}

	uint64_t bytes() override
	{
		return env_->bytes_used();
	}

      private:
	const Data<K> *data_ = nullptr;
	std::shared_ptr<LmdbEnv> env_;
	static thread_local MDB_txn *txn_;
};

template <class K, bool renew> thread_local MDB_txn *Lmdb<K, renew>::txn_;

} // namespace

template <class K> std::unique_ptr<Peer<K>> make_lmdb()
{
	return std::make_unique<Lmdb<K, false>>();
}

template <class K> std::unique_ptr<Peer<K>> make_lmdb_renew()
{
	return std::make_unique<Lmdb<K, true>>();
}

template std::unique_ptr<Peer<Key16>> make_lmdb();
template std::unique_ptr<Peer<KeyText>> make_lmdb();
template std::unique_ptr<Peer<Key16>> make_lmdb_renew();
template std::unique_ptr<Peer<KeyText>> make_lmdb_renew();

} // namespace bench

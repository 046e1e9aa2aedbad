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
	~Lmdb() override
	{
		if (txn_)
			mdb_txn_abort(txn_);
	}

	void load(const Data<K> &data) override
	{
		data_ = &data;
		env_ = LmdbEnv::shared(&data, [&](LmdbEnv &env) { env.load_sorted(data); });
		txn_ = env_->begin(MDB_RDONLY);
	}

	bool get(const K &key, Value &value)
	{
		MDB_val k = { key.size(), const_cast<char *>(key.data()) };
		MDB_val v;

		if (renew) {
			mdb_txn_reset(txn_);
			mdb_txn_renew(txn_);
		}
		if (mdb_get(txn_, env_->dbi(), &k, &v))
			return false;
		memcpy(&value, v.mv_data, sizeof(value));
		return true;
	}

	/* Not while a read transaction is as old as the last commits: their pages are not reused. */
	void commit(const Change *changes, size_t count) override
	{
		MDB_txn *txn = env_->begin(0);

		for (size_t i = 0; i < count; i++)
			env_->put(txn, data_->keys[changes[i].index], data_->value(changes[i]));
		env_->commit(txn);
		mdb_txn_reset(txn_);
		mdb_txn_renew(txn_);
	}

	bool commits() const override
	{
		return renew;
	}

	uint64_t bytes() override
	{
		return env_->bytes_used();
	}

      private:
	const Data<K> *data_ = nullptr;
	std::shared_ptr<LmdbEnv> env_;
	MDB_txn *txn_ = nullptr;
};

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

// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#include "lmdb_env.h"

#include <stdlib.h>
#include <unistd.h>

#include <stdexcept>

namespace bench
{

namespace
{

constexpr size_t map_bytes = size_t(16) << 30; /* of address space */

} // namespace

void LmdbEnv::check(int err, const char *what)
{
	if (err)
		throw std::runtime_error(std::string(what) + ": " + mdb_strerror(err));
}

LmdbEnv::LmdbEnv()
{
	char dir[] = "/dev/shm/snapmap-bench-XXXXXX";
	MDB_txn *txn;

	if (!mkdtemp(dir))
		throw std::runtime_error("no directory in /dev/shm");
	check(mdb_env_create(&env_), "mdb_env_create");
	check(mdb_env_set_mapsize(env_, map_bytes), "mdb_env_set_mapsize");
	/* Read transactions belong to objects here, not to threads. */
	check(mdb_env_open(env_, dir, MDB_NOSYNC | MDB_WRITEMAP | MDB_NOTLS, 0600), "mdb_env_open");
	/* Its files are open: who is killed leaves nothing behind. */
	unlink((std::string(dir) + "/data.mdb").c_str());
	unlink((std::string(dir) + "/lock.mdb").c_str());
	rmdir(dir);
	txn = begin(0);
	check(mdb_dbi_open(txn, nullptr, 0, &dbi_), "mdb_dbi_open");
	commit(txn);
}

LmdbEnv::~LmdbEnv()
{
	mdb_env_close(env_);
}

std::shared_ptr<LmdbEnv> LmdbEnv::shared(const void *what,
					 const std::function<void(LmdbEnv &)> &fill)
{
	static std::weak_ptr<LmdbEnv> last;
	static const void *last_what;
	std::shared_ptr<LmdbEnv> env = last.lock();

	if (env && last_what == what)
		return env;
	env = std::make_shared<LmdbEnv>();
	fill(*env);
	last = env;
	last_what = what;
	return env;
}

MDB_txn *LmdbEnv::begin(unsigned int flags)
{
	MDB_txn *txn;

	check(mdb_txn_begin(env_, nullptr, flags, &txn), "mdb_txn_begin");
	return txn;
}

void LmdbEnv::commit(MDB_txn *txn)
{
	check(mdb_txn_commit(txn), "mdb_txn_commit");
}

/* Pages of the tree; those that are free for reuse do not count. */
uint64_t LmdbEnv::bytes_used()
{
	MDB_txn *txn = begin(MDB_RDONLY);
	MDB_stat stat;

	mdb_stat(txn, dbi_, &stat);
	mdb_txn_abort(txn);
	return stat.ms_psize * (stat.ms_branch_pages + stat.ms_leaf_pages + stat.ms_overflow_pages);
}

} // namespace bench

// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * peer_cdb.cc - tinycdb: a constant database in a file on tmpfs
 */
#include <cdb.h>
#include <fcntl.h>
#include <unistd.h>

#include "peers.h"

namespace bench
{

namespace
{

template <class K> class Cdb : public Reading<Cdb<K>, K>
{
      public:
	~Cdb() override
	{
		if (fd_ < 0)
			return;
		cdb_free(&cdb_);
		close(fd_);
	}

	void load(const Data<K> &data) override
	{
		data_ = &data;
		make();
	}

	bool get(const K &key, Value &value)
	{
		if (cdb_find(&cdb_, key.data(), static_cast<unsigned int>(key.size())) <= 0)
			return false;
		memcpy(&value, cdb_getdata(&cdb_), sizeof(value));
		return true;
	}

	ReplaceCost replace() override
	{
		double start = cpu_ns();

		cdb_free(&cdb_);
		close(fd_);
		make();
		return { 0, cpu_ns() - start };
	}

	uint64_t bytes() override
	{
		return static_cast<uint64_t>(lseek(fd_, 0, SEEK_END));
	}

      private:
	void make()
	{
		struct cdb_make make;

		fd_ = open("/dev/shm", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
		if (fd_ < 0)
			throw std::runtime_error("no file in /dev/shm");
		cdb_make_start(&make, fd_);
		for (size_t i = 0; i < data_->size(); i++)
			add(make, data_->keys[i], data_->value(i));
		if (cdb_make_finish(&make) || cdb_init(&cdb_, fd_))
			throw std::runtime_error("no database");
	}

	static void add(struct cdb_make &make, const K &key, const Value &value)
	{
		if (cdb_make_add(&make, key.data(), static_cast<unsigned int>(key.size()), &value,
				 sizeof(value)))
			throw std::runtime_error("cdb_make_add fails");
	}

	const Data<K> *data_ = nullptr;
	int fd_ = -1;
	struct cdb cdb_;
};

} // namespace

template <class K> std::unique_ptr<Peer<K>> make_cdb()
{
	return std::make_unique<Cdb<K>>();
}

template std::unique_ptr<Peer<Key16>> make_cdb();
template std::unique_ptr<Peer<KeyText>> make_cdb();

} // namespace bench

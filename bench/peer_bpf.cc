// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * peer_bpf.cc - BPF maps from user space: a hash by one system call a look-up, and an array
 * that is mapped
 *
 * The array knows numbers and no keys: as a peer it shows what a mapping of the kernel costs when
 * there is nothing to look for.
 */
#include <errno.h>
#include <linux/bpf.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "peers.h"

namespace bench
{

namespace
{

long bpf(int command, union bpf_attr &attr)
{
	return syscall(SYS_bpf, command, &attr, sizeof(attr));
}

int create(uint32_t type, uint32_t key_size, size_t entries, uint32_t flags)
{
	const struct rlimit all = { RLIM_INFINITY, RLIM_INFINITY };
	union bpf_attr attr = {};
	int fd;

	/* Kernels before 5.11 count maps as locked memory. */
	setrlimit(RLIMIT_MEMLOCK, &all);
	attr.map_type = type;
	attr.key_size = key_size;
	attr.value_size = sizeof(Value);
	attr.max_entries = static_cast<uint32_t>(entries);
	attr.map_flags = flags;
	fd = static_cast<int>(bpf(BPF_MAP_CREATE, attr));
	if (fd < 0)
		throw std::runtime_error(std::string("not allowed here: bpf(2): ") +
					 strerror(errno));
	return fd;
}

void update(int fd, const void *key, const Value &value)
{
	union bpf_attr attr = {};

	attr.map_fd = static_cast<uint32_t>(fd);
	attr.key = reinterpret_cast<uintptr_t>(key);
	attr.value = reinterpret_cast<uintptr_t>(&value);
	if (bpf(BPF_MAP_UPDATE_ELEM, attr))
		throw std::runtime_error("BPF_MAP_UPDATE_ELEM fails");
}

template <class K> class BpfHash : public Reading<BpfHash<K>, K>
{
      public:
	~BpfHash() override
	{
		if (fd_ >= 0)
			close(fd_);
	}

	void load(const Data<K> &data) override
	{
		/* Keys have one length: a string's is that of the longest. */
		fd_ = create(BPF_MAP_TYPE_HASH, sizeof(K), data.size(), 0);
		for (size_t i = 0; i < data.size(); i++)
			update(fd_, &data.keys[i], data.value(i));
	}

	bool get(const K &key, Value &value)
	{
		union bpf_attr attr = {};

		attr.map_fd = static_cast<uint32_t>(fd_);
		attr.key = reinterpret_cast<uintptr_t>(&key);
		attr.value = reinterpret_cast<uintptr_t>(&value);
		return !bpf(BPF_MAP_LOOKUP_ELEM, attr);
	}

	void commit(const K *keys, const Change *changes, size_t count) override
	{
		for (size_t i = 0; i < count; i++)
			update(fd_, &keys[i], Data<K>::value(changes[i]));
	}

      private:
	int fd_ = -1;
};

template <class K> class BpfArray : public Peer<K>
{
      public:
	~BpfArray() override
	{
		if (values_)
			munmap(values_, bytes_);
		if (fd_ >= 0)
			close(fd_);
	}

	void load(const Data<K> &data) override
	{
		void *map;

		fd_ = create(BPF_MAP_TYPE_ARRAY, sizeof(uint32_t), data.size(), BPF_F_MMAPABLE);
		bytes_ = (data.size() * sizeof(Value) + 4095) & ~size_t(4095);
		map = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_SHARED, fd_, 0);
		if (map == MAP_FAILED)
			throw std::runtime_error("a BPF array cannot be mapped here");
		values_ = static_cast<Value *>(map);
		for (size_t i = 0; i < data.size(); i++)
			values_[i] = data.value(i);
	}

	bool is_table() const override
	{
		return false;
	}

	ReadResult read(const ReadPlan<K> &plan) override
	{
		const uint32_t *order = plan.order();
		uint64_t zero = run_time_zero;
		ReadResult result = {};
		Value value = {};
		double start = cpu_ns();

		if (plan.mode == Mode::dependent)
			for (size_t i = 0; i < plan.count; i++)
				fetch(order[i] + (value.number & zero), value, result);
		else
			for (size_t i = 0; i < plan.count; i++)
				fetch(order[i], value, result);
		result.ns = cpu_ns() - start;
		return result;
	}

      private:
	void fetch(uint64_t index, Value &value, ReadResult &result)
	{
		value = values_[index];
		asm volatile("" : : "m"(value));
		result.sum += value.number;
		result.hits++;
	}

	int fd_ = -1;
	size_t bytes_ = 0;
	Value *values_ = nullptr;
};

} // namespace

template <class K> std::unique_ptr<Peer<K>> make_bpf_hash()
{
	return std::make_unique<BpfHash<K>>();
}

template <class K> std::unique_ptr<Peer<K>> make_bpf_array()
{
	return std::make_unique<BpfArray<K>>();
}

template std::unique_ptr<Peer<Key16>> make_bpf_hash();
template std::unique_ptr<Peer<KeyText>> make_bpf_hash();
template std::unique_ptr<Peer<Key16>> make_bpf_array();
template std::unique_ptr<Peer<KeyText>> make_bpf_array();

} // namespace bench

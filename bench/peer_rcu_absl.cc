// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * peer_rcu_absl.cc - an Abseil table behind a pointer that RCU protects: a commit copies all of
 * it, changes the copy and swaps the pointer
 */
#define _LGPL_SOURCE
#define RCU_MEMB
#include <urcu.h>

#include "absl_map.h"
#include "peers.h"

namespace bench
{

namespace
{

template <class K> class RcuAbsl : public Reading<RcuAbsl<K>, K>
{
      public:
	~RcuAbsl() override
	{
		delete map_;
	}

	void load(const Data<K> &data) override
	{
		map_ = new AbslMap<K>;
		fill(*map_, data);
	}

	bool get(const K &key, Value &value)
	{
		bool hit = false;

		rcu_read_lock();
		const AbslMap<K> &map = *rcu_dereference(map_);
		auto found = find(map, key);

		if (found != map.end()) {
			value = found->second;
			hit = true;
		}
		rcu_read_unlock();
		return hit;
	}

	void commit(const K *keys, const Change *changes, size_t count) override
	{
		AbslMap<K> *old = map_;
		AbslMap<K> *next = new AbslMap<K>(*old);

		for (size_t i = 0; i < count; i++)
			put(*next, keys[i], Data<K>::value(changes[i]));
		rcu_assign_pointer(map_, next);
		rcu_thread_offline();
		synchronize_rcu();
		rcu_thread_online();
		delete old;
	}

	void thread_begin() override
	{
		rcu_register_thread();
	}

	void thread_end() override
	{
		rcu_unregister_thread();
	}

      private:
	AbslMap<K> *map_ = nullptr;
};

} // namespace

template <class K> std::unique_ptr<Peer<K>> make_rcu_absl()
{
	return std::make_unique<RcuAbsl<K>>();
}

template std::unique_ptr<Peer<Key16>> make_rcu_absl();
template std::unique_ptr<Peer<KeyText>> make_rcu_absl();

} // namespace bench

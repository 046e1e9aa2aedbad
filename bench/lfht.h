/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * lfht.h - liburcu's lock-free hash table under the flavour of RCU whose header the including
 * file includes before
 */
#ifndef BENCH_LFHT_H
#define BENCH_LFHT_H

#include <urcu/rculfhash.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "peers.h"

namespace bench
{

namespace /* the flavour's own */
{

template <class K> struct LfhtEntry {
	struct cds_lfht_node node;
	struct rcu_head head;
	K key;
	Value value;
};

template <class K> class Lfht : public Reading<Lfht<K>, K>
{
      public:
	~Lfht() override
	{
		struct cds_lfht_iter iter;
		Entry *entry;

		if (!table_)
			return;
		rcu_register_thread();
		rcu_read_lock();
		cds_lfht_for_each_entry(table_, &iter, entry, node)
		{
			cds_lfht_del(table_, &entry->node);
			call_rcu(&entry->head, free_entry);
		}
		rcu_read_unlock();
		rcu_unregister_thread();
		rcu_barrier();
		cds_lfht_destroy(table_, nullptr);
	}

	void load(const Data<K> &data) override
	{
		size_t buckets = 64;

		while (buckets < data.size())
			buckets *= 2;
		table_ = cds_lfht_new(buckets, buckets, buckets, 0, nullptr);
		if (!table_)
			throw std::runtime_error("no memory for a table");
		rcu_register_thread();
		for (size_t i = 0; i < data.size(); i++)
			put(data.keys[i], data.value(i));
		rcu_unregister_thread();
	}

	bool get(const K &key, Value &value)
	{
		struct cds_lfht_iter iter;
		struct cds_lfht_node *node;

		pass_quiescent_state();
		rcu_read_lock();
		cds_lfht_lookup(table_, hash(key), match, &key, &iter);
		node = cds_lfht_iter_get_node(&iter);
		if (node)
			value = entry_of(node)->value;
		rcu_read_unlock();
		return node;
	}

	void commit(const K *keys, const Change *changes, size_t count) override
	{
		for (size_t i = 0; i < count; i++)
			put(keys[i], Data<K>::value(changes[i]));
	}

	void settle() override
	{
		rcu_barrier();
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
	using Entry = LfhtEntry<K>;

	static Entry *entry_of(struct cds_lfht_node *node)
	{
		return reinterpret_cast<Entry *>(node);
	}

	static unsigned long hash(const K &key)
	{
		return XXH3_64bits(key.data(), key.size());
	}

	static int match(struct cds_lfht_node *node, const void *wanted)
	{
		const K &key = *static_cast<const K *>(wanted);
		const K &have = entry_of(node)->key;

		return key.size() == have.size() && !memcmp(key.data(), have.data(), key.size());
	}

	static void free_entry(struct rcu_head *head)
	{
		delete reinterpret_cast<Entry *>(reinterpret_cast<char *>(head) -
						 offsetof(Entry, head));
	}

	void put(const K &key, const Value &value)
	{
		Entry *entry = new Entry;
		struct cds_lfht_node *old;

		cds_lfht_node_init(&entry->node);
		entry->key = key;
		entry->value = value;
		rcu_read_lock();
		old = cds_lfht_add_replace(table_, hash(key), match, &entry->key, &entry->node);
		rcu_read_unlock();
		if (old)
			call_rcu(&entry_of(old)->head, free_entry);
	}

	/* Now and then, as an application's main loop would; nothing but with QSBR. */
	void pass_quiescent_state()
	{
#ifdef BENCH_QSBR
		static thread_local unsigned int gets;

		if (!(++gets % 1024))
			rcu_quiescent_state();
#endif
	}

	struct cds_lfht *table_ = nullptr;
};

} // namespace

} // namespace bench

#endif /* BENCH_LFHT_H */

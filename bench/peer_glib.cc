// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * peer_glib.cc - GHashTable under a pthread_rwlock
 */
#include <glib.h>
#include <pthread.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "peers.h"

namespace bench
{

namespace
{

guint hash_of(gconstpointer key, const Key16 *)
{
	return static_cast<guint>(XXH3_64bits(key, sizeof(Key16)));
}

guint hash_of(gconstpointer key, const KeyText *)
{
	return g_str_hash(key);
}

gboolean is_equal(gconstpointer a, gconstpointer b, const Key16 *)
{
	return !memcmp(a, b, sizeof(Key16));
}

gboolean is_equal(gconstpointer a, gconstpointer b, const KeyText *)
{
	return g_str_equal(a, b);
}

template <class K> class Glib : public Reading<Glib<K>, K>
{
      public:
	Glib()
	{
		pthread_rwlock_init(&lock_, nullptr);
		table_ = g_hash_table_new_full(hash, equal, nullptr, g_free);
	}

	~Glib() override
	{
		g_hash_table_destroy(table_);
		pthread_rwlock_destroy(&lock_);
	}

	void load(const Data<K> &data) override
	{
		for (size_t i = 0; i < data.size(); i++)
			put(data.keys[i], data.value(i));
	}

	bool get(const K &key, Value &value)
	{
		const Entry *entry;

		pthread_rwlock_rdlock(&lock_);
		entry = static_cast<const Entry *>(g_hash_table_lookup(table_, key.data()));
		if (entry)
			value = entry->value;
		pthread_rwlock_unlock(&lock_);
		return entry;
	}

	void commit(const K *keys, const Change *changes, size_t count) override
	{
		pthread_rwlock_wrlock(&lock_);
		for (size_t i = 0; i < count; i++)
			put(keys[i], Data<K>::value(changes[i]));
		pthread_rwlock_unlock(&lock_);
	}

      private:
	struct Entry {
		Value value;
		char key[];
	};

	static guint hash(gconstpointer key)
	{
		return hash_of(key, static_cast<const K *>(nullptr));
	}

	static gboolean equal(gconstpointer a, gconstpointer b)
	{
		return is_equal(a, b, static_cast<const K *>(nullptr));
	}

	/* A zero byte follows a string, which costs nothing else. */
	void put(const K &key, const Value &value)
	{
		Entry *entry = static_cast<Entry *>(g_malloc(sizeof(Entry) + key.size() + 1));

		entry->value = value;
		memcpy(entry->key, key.data(), key.size());
		entry->key[key.size()] = 0;
		g_hash_table_replace(table_, entry->key, entry);
	}

	pthread_rwlock_t lock_;
	GHashTable *table_;
};

} // namespace

template <class K> std::unique_ptr<Peer<K>> make_glib()
{
	return std::make_unique<Glib<K>>();
}

template std::unique_ptr<Peer<Key16>> make_glib();
template std::unique_ptr<Peer<KeyText>> make_glib();

} // namespace bench

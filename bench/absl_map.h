/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * absl_map.h - the type of map that an application would take for each kind of key
 */
#ifndef BENCH_ABSL_MAP_H
#define BENCH_ABSL_MAP_H

#include <absl/container/flat_hash_map.h>
#include <absl/strings/string_view.h>
#include <string>

#include "keys.h"

namespace bench
{

template <typename H> H AbslHashValue(H state, const Key16 &key)
{
	return H::combine_contiguous(std::move(state), key.bytes, sizeof(key.bytes));
}

template <class K> struct AbslType;

template <> struct AbslType<Key16> {
	using Map = absl::flat_hash_map<Key16, Value>;
};

template <> struct AbslType<KeyText> {
	using Map = absl::flat_hash_map<std::string, Value>;
};

/* Debian's Abseil has a string_view of its own. */
inline absl::string_view text_of(const KeyText &key)
{
	return { key.data(), key.size() };
}

template <class K> using AbslMap = typename AbslType<K>::Map;

inline auto find(const AbslMap<Key16> &map, const Key16 &key)
{
	return map.find(key);
}

inline auto find(const AbslMap<KeyText> &map, const KeyText &key)
{
	return map.find(text_of(key));
}

inline void put(AbslMap<Key16> &map, const Key16 &key, const Value &value)
{
	map.insert_or_assign(key, value);
}

inline void put(AbslMap<KeyText> &map, const KeyText &key, const Value &value)
{
	map.insert_or_assign(text_of(key), value);
}

template <class K> void fill(AbslMap<K> &map, const Data<K> &data)
{
	map.reserve(data.size());
	for (size_t i = 0; i < data.size(); i++)
		put(map, data.keys[i], data.value(i));
}

} // namespace bench

#endif /* BENCH_ABSL_MAP_H */

/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * keys.h - the keys and values that all peers hold
 *
 * Keys lie in flat arrays with a fixed stride, so that fetching the key to look for costs every
 * peer the same. A value names the entry that it belongs to.
 */
#ifndef BENCH_KEYS_H
#define BENCH_KEYS_H

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace bench
{

/* A value: 32 bytes, of which the first eight are a number. */
struct Value {
	uint64_t number;
	uint8_t rest[24];
};

/* A key of 16 random bytes. */
struct Key16 {
	char bytes[16];

	const char *data() const
	{
		return bytes;
	}
	static constexpr size_t size()
	{
		return 16;
	}
	std::string_view view() const
	{
		return { bytes, 16 };
	}
	bool operator==(const Key16 &other) const
	{
		return !memcmp(bytes, other.bytes, 16);
	}
};

/* A string of 8 to 40 bytes; the rest is zero. */
struct KeyText {
	char bytes[47];
	uint8_t length;

	const char *data() const
	{
		return bytes;
	}
	size_t size() const
	{
		return length;
	}
	std::string_view view() const
	{
		return { bytes, length };
	}
};

constexpr size_t text_min = 8;
constexpr size_t text_max = 40;

enum class KeyKind {
	binary,
	strings
};

const char *name_of(KeyKind kind);

/* Keys of one kind; K is Key16 or KeyText. */
template <class K> using Keys = std::vector<K>;

/* A change: entry @index gets the value of its @turn'th update. */
struct Change {
	uint32_t index;
	uint64_t turn;
};

/* What is in a table, and as many keys that are not. */
template <class K> struct Data {
	Keys<K> keys;
	Keys<K> missing;
	static constexpr uint64_t seed = 0x736e61706d6170;

	size_t size() const
	{
		return keys.size();
	}

	/* The value of entry @n after its @turn'th update. */
	static Value value(uint64_t n, uint64_t turn = 0)
	{
		Value value;

		value.number = n;
		memset(value.rest, static_cast<int>(n + turn), sizeof(value.rest));
		memcpy(value.rest, &turn, sizeof(turn));
		return value;
	}

	static Value value(const Change &change)
	{
		return value(change.index, change.turn);
	}

	uint64_t raw_bytes() const
	{
		uint64_t bytes = 0;

		for (const K &key : keys)
			bytes += key.size() + sizeof(Value);
		return bytes;
	}
};

/* The same every time: @size entries, and at most a million keys that miss. */
Data<Key16> make_binary(size_t size);
Data<KeyText> make_strings(size_t size);

} // namespace bench

#endif /* BENCH_KEYS_H */

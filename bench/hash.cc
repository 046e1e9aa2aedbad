// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * hash.cc - what hashing a key costs, by the hash that snapmap uses and by others
 */
#define XXH_INLINE_ALL
#include <sodium.h>
#include <xxhash.h>

#include <cstring>

#define likely(x) __builtin_expect(!!(x), 1)
using u8 = uint8_t;
using u32 = uint32_t;
using u64 = uint64_t;

#include "../kmod/hash.h"
#include "clock.h"
#include "figures.h"
#include "sections.h"

namespace bench
{

namespace
{

struct Fold {
	static constexpr const char *name = "snapmap";

	static uint64_t hash(const void *data, size_t size, uint64_t seed)
	{
		return snapmap_hash(seed, data, static_cast<uint32_t>(size));
	}
};

struct Xxh64 {
	static constexpr const char *name = "xxh64";

	static uint64_t hash(const void *data, size_t size, uint64_t seed)
	{
		return XXH64(data, size, seed);
	}
};

struct Xxh3 {
	static constexpr const char *name = "xxh3";

	static uint64_t hash(const void *data, size_t size, uint64_t seed)
	{
		return XXH3_64bits_withSeed(data, size, seed);
	}
};

/* SipHash-2-4. */
struct SipHash {
	static constexpr const char *name = "siphash";

	static uint64_t hash(const void *data, size_t size, uint64_t seed)
	{
		const uint64_t key[2] = { seed, Data<Key16>::seed };
		uint64_t out;

		crypto_shorthash(reinterpret_cast<unsigned char *>(&out),
				 static_cast<const unsigned char *>(data), size,
				 reinterpret_cast<const unsigned char *>(key));
		return out;
	}
};

/* So that nothing is left out of which the result is not wanted. */
volatile uint64_t result;

/* ns a key; each hash is the seed of the next one, or all have the same. */
template <class H, class K> double time_of(const Keys<K> &keys, bool dependent, double ms)
{
	uint64_t seed = Data<K>::seed, sum = 0, hash;
	size_t count = 0;
	double start = cpu_ns(), ns;

	do {
		for (const K &key : keys) {
			hash = H::hash(key.data(), key.size(), seed);
			if (dependent)
				seed = hash;
			sum += hash;
		}
		count += keys.size();
		ns = cpu_ns() - start;
	} while (ns < ms * 1e6);
	result = sum;
	return ns / static_cast<double>(count);
}

template <class K> void measure(Stage<K> &stage, const Options &options, Tsv &tsv)
{
	const Keys<K> &keys = stage.data().keys;

	for (bool dependent : { false, true }) {
		auto runner = [&](auto hash) -> Runner {
			using H = decltype(hash);

			return { H::name, [&keys, &options, dependent] {
					return time_of<H>(keys, dependent, options.ms);
				} };
		};

		report(tsv,
		       place_of(stage, "hash", "-", "a key",
				dependent ? "dependent" : "independent", "ns"),
		       take_turns({ runner(Fold()), runner(Xxh64()), runner(Xxh3()),
				    runner(SipHash()) },
				  options.rounds));
	}
}

} // namespace

void run_hash(const Options &options, Tsv &tsv)
{
	for_each_stage(options, nothing, [&](auto &stage) { measure(stage, options, tsv); });
}

} // namespace bench

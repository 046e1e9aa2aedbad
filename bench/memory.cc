// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * memory.cc - bytes per entry, and what a pin costs that is held for long
 */
#include "figures.h"
#include "sections.h"
#include "snapmap_map.h"

namespace bench
{

namespace
{

constexpr size_t pinned_commits = 100000;
constexpr uint64_t pace_ns = 100000; /* between single-key commits: 10,000 a second */

template <class K> double bytes_per_entry(const Stage<K> &stage, const Player<K> &player)
{
	uint64_t bytes = player.peer->bytes();

	return static_cast<double>(bytes ? bytes : player.heap_bytes) /
	       static_cast<double>(stage.data().size());
}

template <class K> void commit_many(Stage<K> &stage, Peer<K> &peer, size_t count)
{
	Changes<K> changes(stage.data(), 1);

	if (peer.store())
		bench_store_pace(peer.store(), pace_ns);
	peer.thread_begin();
	for (size_t i = 0; i < count; i++) {
		changes.renew();
		peer.commit(changes.keys.data(), changes.list.data(), 1);
	}
	peer.thread_end();
	peer.settle();
	if (peer.store())
		bench_store_pace(peer.store(), 0);
}

/* Of snapmap's memory that counts too which waits for reuse at so many commits a second. */
template <class K> void measure_memory(Stage<K> &stage, Tsv &tsv)
{
	std::vector<Result> loaded, updated;
	Result raw = { "raw", {} };

	raw.spans.add(static_cast<double>(stage.data().raw_bytes()) /
		      static_cast<double>(stage.data().size()));
	for (auto &player : stage.players()) {
		loaded.push_back({ player.kind->name, {} });
		loaded.back().spans.add(bytes_per_entry(stage, player));
		if (!(player.kind->roles & committing))
			continue;
		uint64_t before = heap_bytes();

		commit_many(stage, *player.peer, stage.data().size());
		player.heap_bytes += heap_bytes() - before;
		updated.push_back({ player.kind->name, {} });
		updated.back().spans.add(bytes_per_entry(stage, player));
	}
	loaded.push_back(raw);
	updated.push_back(raw);
	report(tsv, place_of(stage, "memory", "-", "after a load", "-", "B/entry"), loaded);
	report(tsv, place_of(stage, "memory", "uniform", "after as many updates", "-", "B/entry"),
	       updated);
}

/* 100,000 commits in real time, in us each. */
template <class K> double commits_us(SnapmapMap &map, Changes<K> &changes)
{
	double start;

	changes.renew();
	start = cpu_ns();
	for (size_t i = 0; i < changes.list.size(); i++) {
		map.clear();
		map.put(changes.keys[i], Data<K>::value(changes.list[i]));
		map.commit(false);
	}
	return (cpu_ns() - start) / static_cast<double>(changes.list.size()) / 1000;
}

template <class K> class PinCost
{
      public:
	PinCost(Stage<K> &stage, bool huge)
	    : stage_(stage), map_(stage.data().raw_bytes(), huge),
	      changes_(stage.data(), pinned_commits)
	{
		map_.replace(stage.data());
	}

	void round()
	{
		struct bench_store_info info;
		void *pin;

		without_.spans.add(commits_us(map_, changes_));
		pin = bench_store_pin(map_.store());
		with_.spans.add(commits_us(map_, changes_));
		bench_store_info(map_.store(), &info);
		held_.spans.add(static_cast<double>(info.pinned_blocks));
		differing_.spans.add(static_cast<double>(bench_store_differing(map_.store(), pin)));
		bench_store_unpin(map_.store(), pin);
	}

	void tell(Tsv &tsv) const
	{
		report(tsv, place_of(stage_, "pin", "uniform", "commit of 1 key", "-", "us"),
		       { without_, with_ });
		report(tsv, place_of(stage_, "pin", "uniform", "commit of 1 key", "-", "x"),
		       { { "with a pin", with_.spans.over(without_.spans) } });
		report(tsv, place_of(stage_, "pin", "uniform", "blocks", "-", "blocks"),
		       { differing_, held_ });
	}

      private:
	Stage<K> &stage_;
	SnapmapMap map_;
	Changes<K> changes_;
	Result without_ = { "without a pin", {} };
	Result with_ = { "with a pin", {} };
	Result differing_ = { "differ", {} };
	Result held_ = { "held", {} };
};

} // namespace

void run_memory(const Options &options, Tsv &tsv)
{
	for_each_stage(options, sized, [&](auto &stage) { measure_memory(stage, tsv); });
}

void run_pin(const Options &options, Tsv &tsv)
{
	for_each_stage(options, nothing, [&](auto &stage) {
		PinCost cost(stage, false);

		for (unsigned int round = 0; round < options.rounds; round++)
			cost.round();
		cost.tell(tsv);
	});
}

} // namespace bench

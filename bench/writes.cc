// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * writes.cc - commits back to back, commits at leisure, and whole replacement
 */
#include <time.h>

#include "figures.h"
#include "sections.h"

namespace bench
{

namespace
{

constexpr size_t batch_sizes[] = { 1, 100, 10000 };
constexpr double period_ns = 1e6;	/* a thousand commits a second */
constexpr size_t most_commits = 200000; /* in one measurement */
constexpr size_t paced_commits = 100;
/* Before any are measured: more than snapmap keeps retired blocks for, but not for too long. */
constexpr size_t first_commits = 20;
constexpr double first_us = 2e6;

/* CPU time of commits of @size changes, of which @changes holds a row, in us each. */
template <class K> double stream_us(Peer<K> &peer, Changes<K> &changes, size_t size)
{
	size_t count = changes.list.size() / size;

	return peer.commits(changes.keys.data(), changes.list.data(), size, count) /
	       static_cast<double>(count) / 1000;
}

/* That of one of all @changes, which are made anew before. */
template <class K> double commit_us(Peer<K> &peer, Changes<K> &changes)
{
	changes.renew();
	return stream_us(peer, changes, changes.list.size());
}

template <class K> class Writes
{
      public:
	Writes(Stage<K> &stage, const Options &options, Tsv &tsv)
	    : stage_(stage), options_(options), tsv_(tsv)
	{
	}

	void back_to_back(size_t size)
	{
		std::vector<Runner> runners;

		for (auto &player : stage_.players()) {
			Peer<K> &peer = *player.peer;

			grow(peer, size);
			runners.push_back({ player.kind->name,
					    [this, &peer, size] { return stream(peer, size); } });
		}
		tell("back to back", size, take_turns(runners, options_.rounds));
	}

	void paced(size_t size)
	{
		std::vector<Runner> runners;
		auto changes = std::make_shared<Changes<K>>(stage_.data(), size);

		for (auto &player : stage_.players()) {
			Peer<K> &peer = *player.peer;

			/* What larger commits have left to do is not theirs. */
			peer.settle();
			/* One that copies all takes longer than there is time. */
			if (least_us(peer, *changes) * 1000 < period_ns)
				runners.push_back({ player.kind->name, [&peer, changes] {
							   return at_leisure(peer, *changes);
						   } });
		}
		tell("1,000 a second", size, take_turns(runners, options_.rounds));
	}

      private:
	static double least_us(Peer<K> &peer, Changes<K> &changes)
	{
		Spans spans;

		peer.thread_begin();
		for (unsigned int i = 0; i < 5; i++)
			spans.add(commit_us(peer, changes));
		peer.thread_end();
		return spans.least();
	}

	/* Until it has as much memory as it needs: a page that is touched first is dear. */
	void grow(Peer<K> &peer, size_t size)
	{
		Changes<K> changes(stage_.data(), size);
		double us = 0;

		peer.thread_begin();
		for (size_t i = 0; i < first_commits && us < first_us; i++)
			us += commit_us(peer, changes);
		peer.thread_end();
	}

	/*
	 * Of a stream that has not begun just now: as many commits again as have been made for as
	 * long before, so that what waits for reuse does so already.
	 */
	double stream(Peer<K> &peer, size_t size)
	{
		size_t some =
			1; /* more each time, for the clock is not to be looked at too often */
		size_t count = 0;
		double warm = 0, us;

		peer.thread_begin();
		while (warm < options_.ms * 1000 && count * size < most_commits) {
			Changes<K> changes(stage_.data(), some * size);

			changes.renew();
			warm += stream_us(peer, changes, size) * static_cast<double>(some);
			count += some;
			some = std::min(2 * some, most_commits / size);
		}
		Changes<K> changes(stage_.data(), count * size);

		changes.renew();
		us = stream_us(peer, changes, size);
		peer.thread_end();
		return us;
	}

	/* What lies between two commits wipes the caches next to the CPU. */
	static void wipe_caches()
	{
		static std::vector<char> other(8 << 20);

		for (size_t i = 0; i < other.size(); i += 64)
			other[i]++;
	}

	/* The median, for one that is disturbed says nothing. */
	static double at_leisure(Peer<K> &peer, Changes<K> &changes)
	{
		double next = wall_ns();
		Spans spans;

		peer.thread_begin();
		for (size_t i = 0; i < paced_commits; i++) {
			struct timespec until;

			wipe_caches();
			next += period_ns;
			until.tv_sec = static_cast<time_t>(next / 1e9);
			until.tv_nsec = static_cast<long>(next - until.tv_sec * 1e9);
			clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nullptr);
			spans.add(commit_us(peer, changes));
		}
		peer.thread_end();
		return spans.median();
	}

	void tell(const char *mode, size_t size, const std::vector<Result> &results)
	{
		report(tsv_,
		       place_of(stage_, "commit", "uniform", std::to_string(size) + " keys", mode,
				"us"),
		       results);
	}

	Stage<K> &stage_;
	const Options &options_;
	Tsv &tsv_;
};

template <class K> void replace_all(Stage<K> &stage, const Options &options, Tsv &tsv)
{
	std::vector<Result> ready;
	std::vector<Result> done;

	for (auto &player : stage.players()) {
		ready.push_back({ player.kind->name, {} });
		done.push_back({ player.kind->name, {} });
	}
	for (unsigned int round = 0; round < options.rounds; round++) {
		for (size_t i = 0; i < stage.players().size(); i++) {
			ReplaceCost cost = stage.players()[i].peer->replace();

			ready[i].spans.add((cost.prepare_ns + cost.ns) / 1e6);
			done[i].spans.add(cost.ns / 1e6);
		}
	}
	report(tsv, place_of(stage, "replace", "-", "all", "without preparation", "ms"), done);
	report(tsv, place_of(stage, "replace", "-", "all", "with preparation", "ms"), ready);
}

} // namespace

void run_commit(const Options &options, Tsv &tsv)
{
	for_each_stage(options, committing, [&](auto &stage) {
		Writes writes(stage, options, tsv);

		for (size_t size : batch_sizes)
			if (size <= stage.data().size())
				writes.back_to_back(size);
		writes.paced(1);
		writes.paced(100);
	});
}

void run_replace(const Options &options, Tsv &tsv)
{
	for_each_stage(options, replacing, [&](auto &stage) { replace_all(stage, options, tsv); });
}

} // namespace bench

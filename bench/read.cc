// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * read.cc - single-threaded look-ups in tables that nobody changes
 */
#include <stdexcept>

#include "sections.h"
#include "stage.h"

namespace bench
{

namespace
{

template <class K> class Reads
{
      public:
	Reads(Stage<K> &stage, const Options &options, Tsv &tsv)
	    : stage_(stage), options_(options), tsv_(tsv)
	{
	}

	void run()
	{
		Place nowhere = { "read", stage_.keys_name(), stage_.data().size(), "-", "-", "-",
				  "-" };

		for (const auto &absence : stage_.absences())
			tsv_.absent(nowhere, absence.first, absence.second);
		for (Spread spread : options_.spreads)
			for (Op op : options_.ops)
				for (Mode mode : options_.modes)
					if (op == Op::hit || mode == Mode::independent)
						point({ spread, op, mode });
	}

      private:
	static constexpr size_t trial = 4000;

	/* As many look-ups as take the time that one measurement shall take. */
	size_t count_for(Peer<K> &peer, const ReadPlan<K> &plan, size_t most)
	{
		ReadPlan<K> few = plan;
		double ns;

		few.count = trial;
		peer.read(few);
		ns = peer.read(few).ns / trial;
		return std::clamp(static_cast<size_t>(options_.ms * 1e6 / ns), trial, most);
	}

	static Wanted<K> arrange(const Keys<K> &keys, std::vector<uint32_t> order)
	{
		Wanted<K> wanted;

		wanted.keys.reserve(order.size());
		for (uint32_t index : order)
			wanted.keys.push_back(keys[index]);
		wanted.order = std::move(order);
		return wanted;
	}

	/* Half of it unmeasured, for the caches. */
	static double measure(Peer<K> &peer, const ReadPlan<K> &plan, bool hit)
	{
		ReadPlan<K> half = plan;
		ReadResult result;

		half.from += plan.count / 2;
		half.count /= 2;
		peer.thread_begin();
		peer.read(half);
		result = peer.read(plan);
		peer.thread_end();
		if (peer.is_table() && result.hits != (hit ? plan.count : 0))
			throw std::runtime_error("a peer has lost keys");
		return result.ns / static_cast<double>(plan.count);
	}

	void point(const Point &point)
	{
		const Keys<K> &keys = point.op == Op::hit ? stage_.data().keys :
							    stage_.data().missing;
		Wanted<K> wanted = arrange(keys, make_order(keys.size(), point.spread));
		std::vector<Runner> runners;

		for (auto &player : stage_.players()) {
			const std::string name = player.kind->name;

			add(runners, name, *player.peer, point, { &wanted, 0, 0, point.mode });
			/* What batches are compared with is measured beside them. */
			if (point.mode == Mode::batched &&
			    (player.peer->reads(Mode::batched) || name == "absl"))
				add(runners, name + " (single)", *player.peer, point,
				    { &wanted, 0, 0, Mode::independent });
		}
		if (point.mode != Mode::batched || runners.size() > 1)
			tell(point, take_turns(runners, options_.rounds));
	}

	/* Unless the peer does not do that. */
	void add(std::vector<Runner> &runners, const std::string &name, Peer<K> &peer,
		 const Point &point, ReadPlan<K> plan)
	{
		bool hit = point.op == Op::hit;

		if (!peer.reads(plan.mode) || (!hit && !peer.is_table()))
			return;
		peer.thread_begin();
		plan.count = count_for(peer, plan, plan.wanted->keys.size());
		peer.thread_end();
		runners.push_back(
			{ name, [&peer, plan, hit] { return measure(peer, plan, hit); } });
	}

	void tell(const Point &point, const std::vector<Result> &results)
	{
		Place place = { "read",
				stage_.keys_name(),
				stage_.data().size(),
				name_of(point.spread),
				name_of(point.op),
				name_of(point.mode),
				"ns" };

		print_results("read: " + stage_.title() + ", " + place.spread + ", " + place.op +
				      ", " + place.mode,
			      "ns", results);
		for (const Result &result : results)
			tsv_.add(place, result.name, result.spans);
	}

	Stage<K> &stage_;
	const Options &options_;
	Tsv &tsv_;
};

} // namespace

void run_read(const Options &options, Tsv &tsv)
{
	for_each_stage(options, reading, [&](auto &stage) { Reads(stage, options, tsv).run(); });
}

bool run_verify(const Options &options)
{
	unsigned int number = 0;
	bool all = true;

	for_each_stage(options, reading, [&](auto &stage) {
		for (auto &player : stage.players()) {
			if (!player.peer->is_table())
				continue;
			printf("ok %u - %s, %s\n", ++number, player.kind->name,
			       stage.title().c_str());
		}
		for (const std::string &failure : stage.failures()) {
			printf("not ok %u - %s, %s\n", ++number, failure.c_str(),
			       stage.title().c_str());
			all = false;
		}
		for (const auto &absence : stage.absences())
			printf("ok %u - %s, %s # SKIP %s\n", ++number, absence.first.c_str(),
			       stage.title().c_str(), absence.second.c_str());
	});
	printf("1..%u\n", number);
	return all;
}

} // namespace bench

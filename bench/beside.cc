// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * beside.cc - readers beside a writer, and beside each other
 *
 * What counts is a reader's own CPU time: on a machine that is shared, a reader that does not run
 * says nothing about the table. A reader in a process of its own is a fork of this one; only
 * snapmap's tables are the same in both.
 */
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <map>
#include <thread>

#include "figures.h"
#include "sections.h"

namespace bench
{

namespace
{

constexpr double period_ns = 1e6;
constexpr unsigned int slices = 4; /* of a measurement; their median counts */

/* Commits @size keys each millisecond, in a thread of its own, until it ends. */
template <class K> class Writer
{
      public:
	Writer(Peer<K> &peer, const Data<K> &data, size_t size)
	    : peer_(peer), changes_(data, size), thread_([this] { run(); })
	{
	}

	~Writer()
	{
		stop_ = true;
		thread_.join();
	}

      private:
	void run()
	{
		double next = wall_ns();

		peer_.thread_begin();
		while (!stop_) {
			struct timespec until;

			changes_.renew();
			peer_.commit(changes_.keys.data(), changes_.list.data(),
				     changes_.list.size());
			/* What was missed while others ran is not made up for. */
			next = std::max(next, wall_ns() - period_ns) + period_ns;
			until.tv_sec = static_cast<time_t>(next / 1e9);
			until.tv_nsec = static_cast<long>(next - until.tv_sec * 1e9);
			clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nullptr);
		}
		peer_.thread_end();
	}

	Peer<K> &peer_;
	Changes<K> changes_;
	std::atomic<bool> stop_{ false };
	std::thread thread_;
};

/* Runs @work in a child and returns its figure. */
template <class F> double in_child(F work)
{
	double figure = -1;
	int ends[2];
	pid_t pid;

	if (pipe(ends))
		throw std::runtime_error("no pipe");
	pid = fork();
	if (!pid) {
		figure = work();
		_exit(write(ends[1], &figure, sizeof(figure)) != sizeof(figure));
	}
	close(ends[1]);
	if (read(ends[0], &figure, sizeof(figure)) != sizeof(figure))
		figure = -1;
	close(ends[0]);
	waitpid(pid, nullptr, 0);
	if (figure < 0)
		throw std::runtime_error("a child has failed");
	return figure;
}

template <class K> class Beside
{
      public:
	Beside(Stage<K> &stage, const Options &options, Tsv &tsv)
	    : stage_(stage), options_(options), tsv_(tsv)
	{
		wanted_.order = make_order(stage.data().size(), Spread::uniform);
		for (uint32_t index : wanted_.order)
			wanted_.keys.push_back(stage.data().keys[index]);
	}

	/* Without a writer, and with one of 1 and one of 100 keys a commit. */
	void writers()
	{
		std::vector<Course> courses;

		for (auto &player : stage_.players()) {
			Peer<K> &peer = *player.peer;
			size_t count = count_for(peer);

			for (bool child : { false, true })
				if (!child || peer.store())
					courses.push_back(
						{ player.kind->name +
							  std::string(child ? " (process)" : ""),
						  { { "quiet", beside(peer, count, 0, child) },
						    { "1 key", beside(peer, count, 1, child) },
						    { "100 keys",
						      beside(peer, count, 100, child) } } });
		}
		turns(courses, "beside", "ns");
	}

	/* Look-ups a second of the CPU time of each reader, in all. */
	void readers()
	{
		std::vector<Course> courses;

		for (auto &player : stage_.players()) {
			Peer<K> &peer = *player.peer;
			size_t count = count_for(peer);
			Course course = { player.kind->name, {} };

			course.steps = {
				{ "1 thread",
				  [this, &peer, count] { return 1e3 / slices_ns(peer, count); } },
				{ "2 threads",
				  [this, &peer, count] { return both(peer, count, false); } }
			};
			if (peer.store())
				course.steps.push_back({ "2 processes", [this, &peer, count] {
								return both(peer, count, true);
							} });
			courses.push_back(course);
		}
		turns(courses, "readers", "M/s");
	}

	/* From before a commit until a reader that looks all the time has the new value. */
	void visible()
	{
		std::vector<Course> courses;

		for (auto &player : stage_.players()) {
			Peer<K> &peer = *player.peer;

			courses.push_back({ player.kind->name, { { "1 key", [this, &peer] {
									  return until_seen(peer);
								  } } } });
		}
		turns(courses, "visible", "us");
	}

      private:
	/* What is measured of each peer, one after another, and how it is called. */
	struct Course {
		std::string peer;
		std::vector<std::pair<const char *, std::function<double()>>> steps;
	};

	/* A table for each step, and one of its ratio to the first, taken round by round. */
	void turns(const std::vector<Course> &courses, const char *section, const char *unit)
	{
		std::vector<Runner> all;
		std::vector<Result> results;
		size_t at = 0;

		for (const Course &course : courses)
			for (const auto &step : course.steps)
				all.push_back({ course.peer, step.second });
		results = take_turns(all, options_.rounds);
		std::map<std::string, std::vector<Result>> tables, ratios;

		for (const Course &course : courses) {
			const Result &first = results[at];

			for (const auto &step : course.steps) {
				const Result &result = results[at++];

				tables[step.first].push_back(result);
				ratios[step.first].push_back(
					{ result.name, result.spans.over(first.spans) });
			}
		}
		for (const auto &step : courses.front().steps) {
			tell(section, step.first, unit, tables[step.first]);
			if (step.first != courses.front().steps.front().first)
				tell(section, step.first, "x", ratios[step.first]);
		}
	}

	void tell(const char *section, const char *op, const char *unit,
		  const std::vector<Result> &results)
	{
		report(tsv_, place_of(stage_, section, "uniform", op, "independent", unit),
		       results);
	}

	size_t count_for(Peer<K> &peer)
	{
		double ns = read_ns(peer, 20000);

		return std::clamp(static_cast<size_t>(options_.ms * 1e6 / ns), size_t(10000),
				  wanted_.keys.size());
	}

	double read_ns(Peer<K> &peer, size_t count)
	{
		ReadResult result;

		peer.thread_begin();
		result = peer.read({ &wanted_, 0, count, Mode::independent });
		peer.thread_end();
		if (result.hits != count)
			throw std::runtime_error("a peer has lost keys");
		return result.ns / static_cast<double>(count);
	}

	double slices_ns(Peer<K> &peer, size_t count)
	{
		Spans spans;

		for (unsigned int i = 0; i < slices; i++)
			spans.add(read_ns(peer, count));
		return spans.median();
	}

	std::function<double()> beside(Peer<K> &peer, size_t count, size_t size, bool child)
	{
		return [this, &peer, count, size, child] {
			std::unique_ptr<Writer<K>> writer;

			if (size)
				writer = std::make_unique<Writer<K>>(peer, stage_.data(), size);
			if (!child)
				return slices_ns(peer, count);
			return in_child([&] {
				/* Pages are mapped in the child by its first look at them. */
				read_ns(peer, wanted_.keys.size());
				return slices_ns(peer, count);
			});
		};
	}

	/* Two at a time. */
	double both(Peer<K> &peer, size_t count, bool processes)
	{
		double rates[2];
		auto run = [&](double &rate) {
			if (!processes)
				rate = 1e3 / slices_ns(peer, count);
			else
				rate = in_child([&] {
					read_ns(peer, wanted_.keys.size());
					return 1e3 / slices_ns(peer, count);
				});
		};
		std::thread other([&] { run(rates[1]); });

		run(rates[0]);
		other.join();
		return rates[0] + rates[1];
	}

	double until_seen(Peer<K> &peer);

	Stage<K> &stage_;
	const Options &options_;
	Tsv &tsv_;
	Wanted<K> wanted_;
};

/* The value's turn is the time of its commit; a reader that sees another one notes how old it is. */
template <class K> double Beside<K>::until_seen(Peer<K> &peer)
{
	constexpr size_t commits = 100;
	std::atomic<size_t> seen{ 0 };
	Spans spans;
	std::thread reader([&] {
		uint64_t last = 0;

		peer.thread_begin();
		while (seen < commits) {
			uint64_t turn = peer.turn_of(stage_.data().keys[0]);
			double now = wall_ns();

			/* What other sections have written is no time. */
			if (turn == last || static_cast<double>(turn) < now - 1e9)
				continue;
			last = turn;
			spans.add((now - static_cast<double>(turn)) / 1000);
			seen++;
		}
		peer.thread_end();
	});
	size_t done = 0;

	peer.thread_begin();
	while (seen < commits) {
		struct timespec pause = { 0, 200000 };
		Change change;

		nanosleep(&pause, nullptr);
		if (seen < done)
			continue;
		change = { 0, static_cast<uint64_t>(wall_ns()) };
		peer.commit(&stage_.data().keys[0], &change, 1);
		done++;
	}
	peer.thread_end();
	reader.join();
	return spans.median();
}

} // namespace

void run_beside(const Options &options, Tsv &tsv)
{
	for_each_stage(options, shared,
		       [&](auto &stage) { Beside(stage, options, tsv).writers(); });
}

void run_readers(const Options &options, Tsv &tsv)
{
	for_each_stage(options, shared,
		       [&](auto &stage) { Beside(stage, options, tsv).readers(); });
}

void run_visible(const Options &options, Tsv &tsv)
{
	for_each_stage(options, shared,
		       [&](auto &stage) { Beside(stage, options, tsv).visible(); });
}

} // namespace bench

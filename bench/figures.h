/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * figures.h - results are printed for people and written for programs
 */
#ifndef BENCH_FIGURES_H
#define BENCH_FIGURES_H

#include "random.h"
#include "stage.h"
#include "tsv.h"

namespace bench
{

/* Where a stage is, for a section; the rest of the place follows. */
template <class K>
Place place_of(const Stage<K> &stage, const char *section, const char *spread,
	       const std::string &op, const std::string &mode, const char *unit)
{
	return { section, stage.keys_name(), stage.data().size(), spread, op, mode, unit };
}

inline void report(Tsv &tsv, const Place &place, const std::vector<Result> &results)
{
	print_results(place.section + ": " + std::to_string(place.entries) + " entries, " +
			      place.keys + ", " + place.spread + ", " + place.op + ", " +
			      place.mode,
		      place.unit, results);
	for (const Result &result : results)
		tsv.add(place, result.name, result.spans);
}

/* One figure that is not measured in rounds. */
inline void report_one(Tsv &tsv, const Place &place, const std::string &peer, double figure)
{
	Result result = { peer, {} };

	result.spans.add(figure);
	report(tsv, place, { result });
}

/*
 * Changes of entries at random, each with a turn of its own. Their keys lie in memory in the same
 * order, so that the table is measured and not the fetching of the key.
 */
template <class K> class Changes
{
      public:
	Changes(const Data<K> &data, size_t count) : data_(data), list(count), keys(count)
	{
	}

	/* Other ones. */
	void renew()
	{
		for (size_t i = 0; i < list.size(); i++) {
			list[i] = { static_cast<uint32_t>(random_.below(data_.size())), ++turn_ };
			keys[i] = data_.keys[list[i].index];
		}
	}

      private:
	const Data<K> &data_;
	Random random_{ 11 };
	uint64_t turn_ = 0;

      public:
	std::vector<Change> list;
	Keys<K> keys;
};

} // namespace bench

#endif /* BENCH_FIGURES_H */

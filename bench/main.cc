// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * main.cc - the benchmark: snapmap and its peers in one process
 */
#include <exception>

#include "sections.h"

namespace bench
{

const std::vector<Section> &sections()
{
	static const std::vector<Section> all = {
		{ "read", "look-ups by one thread in a table that nobody changes", run_read },
		{ "commit", "commits of 1, 100 and 10,000 keys", run_commit },
		{ "replace", "a new content for the whole table", run_replace },
		{ "memory", "bytes per entry", run_memory },
		{ "pin", "100,000 commits while a version is pinned", run_pin },
		{ "beside", "look-ups beside a writer of 1,000 commits a second", run_beside },
		{ "readers", "one and two readers, threads and processes", run_readers },
		{ "visible", "the time from a commit until it is seen", run_visible },
		{ "hash", "hashing a key", run_hash },
	};

	return all;
}

static int run(const Options &options)
{
	Tsv tsv(options.tsv);

	if (options.verify_only)
		return !run_verify(options);
	for (const Section &section : sections())
		if (options.wants_section(section.name))
			section.run(options, tsv);
	return 0;
}

} // namespace bench

int main(int argc, char **argv)
{
	try {
		return bench::run(bench::parse_options(argc, argv));
	} catch (const std::exception &why) {
		fprintf(stderr, "bench: %s\n", why.what());
		return 1;
	}
}

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

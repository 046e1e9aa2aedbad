/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * options.h - what the command line asks for
 */
#ifndef BENCH_OPTIONS_H
#define BENCH_OPTIONS_H

#include <string>
#include <vector>

#include "keys.h"
#include "workload.h"

namespace bench
{

struct Options {
	std::vector<size_t> sizes = { 1000, 100000, 1000000 };
	std::vector<KeyKind> kinds = { KeyKind::binary, KeyKind::strings };
	std::vector<Spread> spreads = { Spread::uniform };
	std::vector<Op> ops = { Op::hit, Op::miss };
	std::vector<Mode> modes = { Mode::independent, Mode::dependent, Mode::batched };
	std::vector<std::string> peers; /* none: all */
	std::vector<std::string> sections = { "read" };
	unsigned int rounds = 7;
	double ms = 40; /* of one measurement */
	std::string tsv;
	std::string broken;
	bool verify_only = false;

	bool wants_peer(const std::string &name) const;
	bool wants_section(const std::string &name) const;
};

/* Ends the process where they ask for help or are wrong. */
Options parse_options(int argc, char **argv);

} // namespace bench

#endif /* BENCH_OPTIONS_H */

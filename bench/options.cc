// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#include "options.h"

#include <getopt.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "peers.h"
#include "sections.h"

namespace bench
{

namespace
{

enum {
	opt_sizes,
	opt_keys,
	opt_spread,
	opt_ops,
	opt_modes,
	opt_peers,
	opt_sections
};
enum {
	opt_rounds = opt_sections + 1,
	opt_ms,
	opt_tsv,
	opt_verify,
	opt_broken,
	opt_list,
	opt_help
};

const struct option long_options[] = {
	{ "sizes", required_argument, nullptr, opt_sizes },
	{ "keys", required_argument, nullptr, opt_keys },
	{ "spread", required_argument, nullptr, opt_spread },
	{ "ops", required_argument, nullptr, opt_ops },
	{ "modes", required_argument, nullptr, opt_modes },
	{ "peers", required_argument, nullptr, opt_peers },
	{ "sections", required_argument, nullptr, opt_sections },
	{ "rounds", required_argument, nullptr, opt_rounds },
	{ "ms", required_argument, nullptr, opt_ms },
	{ "tsv", required_argument, nullptr, opt_tsv },
	{ "verify", no_argument, nullptr, opt_verify },
	{ "broken", required_argument, nullptr, opt_broken },
	{ "list", no_argument, nullptr, opt_list },
	{ "help", no_argument, nullptr, opt_help },
	{},
};

constexpr const char *usage =
	"Usage: bench [OPTION...]\n"
	"\n"
	"Measures snapmap and its peers in one process, in turns, and prints medians.\n"
	"Lists are separated by commas.\n"
	"\n"
	"  --sections LIST  what is measured; see --list (default: read)\n"
	"  --sizes LIST     entries, such as 1e3,1e6 (default: 1e3,1e5,1e6)\n"
	"  --keys LIST      binary, strings (default: both)\n"
	"  --spread LIST    uniform, zipf (default: uniform)\n"
	"  --ops LIST       hit, miss (default: both)\n"
	"  --modes LIST     independent, dependent, batched (default: all)\n"
	"  --peers LIST     see --list (default: all); names that begin so\n"
	"  --rounds N       measurements of each peer; their median counts (default: 7)\n"
	"  --ms N           of each measurement (default: 40)\n"
	"  --tsv FILE       append all results to FILE\n"
	"  --verify         only check the answers of every peer, in TAP\n"
	"  --broken PEER    a deliberate break: its keys change places, which --verify must find\n"
	"  --list           the sections and the peers\n";

[[noreturn]] void fail(const std::string &why)
{
	fprintf(stderr, "bench: %s (see --help)\n", why.c_str());
	exit(2);
}

std::vector<std::string> split(const std::string &list)
{
	std::vector<std::string> words;
	size_t from = 0;

	while (from <= list.size()) {
		size_t to = std::min(list.find(',', from), list.size());

		words.push_back(list.substr(from, to - from));
		from = to + 1;
	}
	return words;
}

/* The values of an enum whose names @list has. */
template <class T> std::vector<T> choose(const std::string &list, std::vector<T> all)
{
	std::vector<T> chosen;

	for (const std::string &word : split(list)) {
		auto found = std::find_if(all.begin(), all.end(),
					  [&](T one) { return word == name_of(one); });

		if (found == all.end())
			fail("unknown '" + word + "'");
		chosen.push_back(*found);
	}
	return chosen;
}

double number(const std::string &text)
{
	char *end;
	double value = strtod(text.c_str(), &end);

	if (*end || value < 1 || value > 4e9)
		fail("'" + text + "' is no such number");
	return value;
}

std::vector<size_t> numbers(const std::string &list)
{
	std::vector<size_t> all;

	for (const std::string &word : split(list))
		all.push_back(static_cast<size_t>(number(word)));
	return all;
}

[[noreturn]] void list_all()
{
	printf("Sections:\n");
	for (const Section &section : sections())
		printf("  %-14s %s\n", section.name, section.about);
	printf("\nPeers:\n");
	for (const PeerKind &kind : peer_kinds())
		printf("  %-14s %s\n", kind.name, kind.about);
	exit(0);
}

void take(Options &options, int option, const std::string &value)
{
	switch (option) {
	case opt_sizes:
		options.sizes = numbers(value);
		break;
	case opt_keys:
		options.kinds = choose<KeyKind>(value, { KeyKind::binary, KeyKind::strings });
		break;
	case opt_spread:
		options.spreads = choose<Spread>(value, { Spread::uniform, Spread::zipf });
		break;
	case opt_ops:
		options.ops = choose<Op>(value, { Op::hit, Op::miss });
		break;
	case opt_modes:
		options.modes =
			choose<Mode>(value, { Mode::independent, Mode::dependent, Mode::batched });
		break;
	case opt_peers:
		options.peers = split(value);
		break;
	case opt_sections:
		options.sections = split(value);
		break;
	case opt_rounds:
		options.rounds = static_cast<unsigned int>(number(value));
		break;
	case opt_ms:
		options.ms = number(value);
		break;
	case opt_tsv:
		options.tsv = value;
		break;
	case opt_verify:
		options.verify_only = true;
		break;
	case opt_broken:
		options.broken = value;
		break;
	case opt_list:
		list_all();
	case opt_help:
		fputs(usage, stdout);
		exit(0);
	default:
		exit(2);
	}
}

} // namespace

bool Options::wants_peer(const std::string &name) const
{
	return peers.empty() || std::any_of(peers.begin(), peers.end(), [&](const auto &wanted) {
		       return name.compare(0, wanted.size(), wanted) == 0;
	       });
}

bool Options::wants_section(const std::string &name) const
{
	return std::find(sections.begin(), sections.end(), name) != sections.end();
}

Options parse_options(int argc, char **argv)
{
	Options options;
	int option;

	while ((option = getopt_long(argc, argv, "", long_options, nullptr)) != -1)
		take(options, option, optarg ? optarg : "");
	if (optind < argc)
		fail(std::string("what is '") + argv[optind] + "'?");
	return options;
}

} // namespace bench

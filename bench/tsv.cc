// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#include "tsv.h"

#include <stdexcept>

namespace bench
{

namespace
{

constexpr const char *heading =
	"section\tkeys\tentries\tspread\top\tmode\tunit\tpeer\tmedian\tmin\t"
	"max\trounds\tnote\n";

} // namespace

Tsv::Tsv(const std::string &path)
{
	if (path.empty())
		return;
	file_ = fopen(path.c_str(), "a");
	if (!file_)
		throw std::runtime_error("cannot write to " + path);
	if (!ftell(file_))
		fputs(heading, file_);
}

Tsv::~Tsv()
{
	if (file_)
		fclose(file_);
}

void Tsv::line(const Place &place, const std::string &peer, const std::string &rest)
{
	if (!file_)
		return;
	fprintf(file_, "%s\t%s\t%zu\t%s\t%s\t%s\t%s\t%s\t%s\n", place.section.c_str(),
		place.keys.c_str(), place.entries, place.spread.c_str(), place.op.c_str(),
		place.mode.c_str(), place.unit.c_str(), peer.c_str(), rest.c_str());
	fflush(file_);
}

void Tsv::add(const Place &place, const std::string &peer, const Spans &spans)
{
	char rest[128];

	snprintf(rest, sizeof(rest), "%.6g\t%.6g\t%.6g\t%zu\t", spans.median(), spans.least(),
		 spans.most(), spans.count());
	line(place, peer, rest);
}

void Tsv::absent(const Place &place, const std::string &peer, const std::string &why)
{
	line(place, peer, "\t\t\t0\t" + why);
}

} // namespace bench

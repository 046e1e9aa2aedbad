/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * tsv.h - results, one a line
 */
#ifndef BENCH_TSV_H
#define BENCH_TSV_H

#include <cstdio>
#include <string>

#include "rounds.h"

namespace bench
{

/**
 * struct Place - what was measured
 * @section: the part of the benchmark
 * @keys: kind of keys
 * @entries: size of the table
 * @spread: uniform, zipf or -
 * @op: what was done
 * @mode: how
 * @unit: of the figures
 */
struct Place {
	std::string section;
	std::string keys;
	size_t entries;
	std::string spread;
	std::string op;
	std::string mode;
	std::string unit;
};

class Tsv
{
      public:
	/* Appends to the file at @path; to nowhere when that is empty. */
	explicit Tsv(const std::string &path);
	~Tsv();
	Tsv(const Tsv &) = delete;
	Tsv &operator=(const Tsv &) = delete;

	void add(const Place &place, const std::string &peer, const Spans &spans);
	/* Why there is no figure. */
	void absent(const Place &place, const std::string &peer, const std::string &why);

      private:
	void line(const Place &place, const std::string &peer, const std::string &rest);

	FILE *file_ = nullptr;
};

} // namespace bench

#endif /* BENCH_TSV_H */

/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * sections.h - the parts of the benchmark
 */
#ifndef BENCH_SECTIONS_H
#define BENCH_SECTIONS_H

#include "options.h"
#include "tsv.h"

namespace bench
{

struct Section {
	const char *name;
	const char *about;
	void (*run)(const Options &options, Tsv &tsv);
};

const std::vector<Section> &sections();

void run_read(const Options &options, Tsv &tsv);
void run_commit(const Options &options, Tsv &tsv);
void run_replace(const Options &options, Tsv &tsv);
void run_memory(const Options &options, Tsv &tsv);
void run_pin(const Options &options, Tsv &tsv);
void run_beside(const Options &options, Tsv &tsv);
void run_readers(const Options &options, Tsv &tsv);
void run_visible(const Options &options, Tsv &tsv);
void run_hash(const Options &options, Tsv &tsv);

/* Checks all answers of all peers that are asked for, in TAP; false when one is wrong. */
bool run_verify(const Options &options);

} // namespace bench

#endif /* BENCH_SECTIONS_H */

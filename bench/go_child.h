/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * go_child.h - the Go program, a child that measures when it is told to
 */
#ifndef BENCH_GO_CHILD_H
#define BENCH_GO_CHILD_H

#include <sys/types.h>

#include <cstdio>
#include <memory>
#include <string>

namespace bench
{

class GoChild
{
      public:
	GoChild();
	~GoChild();
	GoChild(const GoChild &) = delete;
	GoChild &operator=(const GoChild &) = delete;

	/* The one whose tables hold what @keys points to: @bytes of keys of a kind. */
	static std::shared_ptr<GoChild> shared(const void *keys, size_t bytes, const char *kind);

	/* Says a line and returns the answer. */
	std::string ask(const std::string &line);

	/* Hands keys or changes over in a file, and returns the answer. */
	std::string hand_over(const std::string &command, const void *data, size_t bytes);

	uint64_t wanted_id = 0; /* of the keys that it looks for now */

      private:
	pid_t pid_ = -1;
	FILE *to_ = nullptr;
	FILE *from_ = nullptr;
};

} // namespace bench

#endif /* BENCH_GO_CHILD_H */

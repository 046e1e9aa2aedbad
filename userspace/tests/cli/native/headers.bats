#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#
# The headers that are installed, in programs that have names of their own.

bats_require_minimum_version 1.5.0

setup_file() {
	local top
	top=$(cd "$BATS_TEST_DIRNAME/../../../.." && pwd)
	make -s -C "$top/userspace" install_headers DESTDIR="$BATS_FILE_TMPDIR" PREFIX=/usr
	cat >"$BATS_FILE_TMPDIR/program.c" <<-'END'
		typedef char u8;
		typedef float u64;
		#define likely(x) unlikely(x)
		#define __cold frosty
		#include <snapmap_inline.h>

		int look(const struct snapmap *map, const char *key, u8 *buf)
		{
			struct snapmap_inline reader;

			if (snapmap_inline_open(map, &reader))
				return -1;
			return snapmap_inline_get(&reader, key, 16, buf, 32, 0);
		}

		#define unlikely(x) (x)
		u64 frosty = likely(sizeof(u8) + sizeof(u64));
		#ifdef READ_ONCE
		#error "a name that is not ours"
		#endif
	END
}

# compiles COMPILER...
compiles() {
	"$@" -O2 -Wall -Wextra -Werror -isystem "$BATS_FILE_TMPDIR/usr/include" -c -o /dev/null "$BATS_FILE_TMPDIR/program.c"
}

@test "look-ups can be compiled into programs in C" {
	compiles gcc -std=c99
	compiles gcc -std=gnu11
}

@test "look-ups can be compiled into programs in C++" {
	compiles g++ -x c++ -std=c++11
	compiles g++ -x c++ -std=c++20
}

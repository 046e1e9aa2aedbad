# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
# shellcheck shell=bash
#
# For tests in a guest with the module loaded. Every test has a map of its own
# called $M, which is destroyed behind it.

bats_require_minimum_version 1.5.0

setup() {
	M=test-$BATS_SUITE_TEST_NUMBER
	D=$BATS_TEST_TMPDIR
	# Another user is to read files there.
	chmod a+rx "$BATS_RUN_TMPDIR" "$BATS_FILE_TMPDIR" "$D" 2>/dev/null || :
	snapmap create "$M"
}

teardown() {
	# A test that fails may leave a watcher behind, stopped even.
	[ -z "${watcher-}" ] || kill -KILL "$watcher" 2>/dev/null || :
	snapmap destroy "$M" 2>/dev/null || :
}

# is WHAT: all of the last command's standard output
is() {
	# shellcheck disable=SC2154
	[[ $output == "$1" ]] || {
		printf 'wanted: %q\ngot:    %q\n' "$1" "$output"
		return 1
	}
}

# tells PATTERN: the last command's standard error
tells() {
	# shellcheck disable=SC2053,SC2154
	[[ $stderr == $1 ]] || {
		printf 'wanted: %s\ngot:    %s\n' "$1" "$stderr"
		return 1
	}
}

# version MAP
version() {
	snapmap info "$1" | sed -n 's/^version  *//p'
}

# soon COMMAND...: waits until it succeeds, as long as a slow machine may take
soon() {
	local tries=0
	until "$@"; do
		[ $((tries++)) -lt 1000 ] || return
		sleep 0.1
	done
}

has_lines() {
	[ "$(wc -l <"$1")" -ge "$2" ]
}

# lines_in FILE N: waits until it has so many lines
lines_in() {
	soon has_lines "$1" "$2"
}

# The tree may lie where others may not look, so nobody runs a copy of the command.
as_nobody() {
	install -D -m 755 "$(command -v snapmap)" /tmp/for-nobody/snapmap
	runuser -u nobody -- env PATH="/tmp/for-nobody:$PATH" "$@"
}

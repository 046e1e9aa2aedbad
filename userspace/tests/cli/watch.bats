#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#
# watch, and maps that end while somebody uses them.

load helpers

# Waits until a file has so many lines.
lines_in() {
	local tries=0
	until [ "$(wc -l <"$1")" -ge "$2" ]; do
		[ $((tries++)) -lt 100 ]
		sleep 0.1
	done
}

@test "watch: the current version, at once" {
	snapmap put "$M" key value
	run -0 --separate-stderr snapmap watch --count 1 "$M"
	[[ $output =~ ^2$'\t'1$'\t'8$'\t'20[0-9-]{8}T[0-9:]{8}\.[0-9]{9}Z$ ]]
}

@test "watch: a line for each version, flushed, until the map is destroyed" {
	snapmap watch "$M" >"$D/out" 3>&- &
	watcher=$!
	lines_in "$D/out" 1
	for n in 1 2 3; do
		snapmap put "$M" "key$n" value
		lines_in "$D/out" $((n + 1))
	done
	kill -0 $watcher
	snapmap destroy "$M"
	wait $watcher
	[ "$(cut -f1-3 "$D/out" | tr '\t\n' ', ')" = "1,0,0 2,1,9 3,2,18 4,3,27 " ]
}

@test "watch --count: ends by itself" {
	snapmap watch -n 2 "$M" >"$D/out" 3>&- &
	watcher=$!
	lines_in "$D/out" 1
	snapmap put "$M" key value
	wait $watcher
	[ "$(wc -l <"$D/out")" = 2 ]
}

@test "watch: versions never go back and the last one is seen" {
	snapmap watch "$M" >"$D/out" 3>&- &
	watcher=$!
	lines_in "$D/out" 1
	for n in $(seq 50); do snapmap put "$M" key "$n"; done
	snapmap destroy "$M"
	wait $watcher
	cut -f1 "$D/out" | sort -nuc
	[ "$(tail -1 "$D/out" | cut -f1)" = 51 ]
}

@test "watch: can be interrupted" {
	snapmap watch "$M" >"$D/out" 3>&- &
	watcher=$!
	lines_in "$D/out" 1
	kill -TERM $watcher
	run -143 wait $watcher
}

@test "watch: a full disk ends it" {
	run -4 --separate-stderr bash -c "snapmap watch '$M' >/dev/full"
	tells "snapmap: standard output: it cannot be written: No space left on device"
}

@test "watch: a stopped watcher holds nobody up" {
	snapmap watch "$M" >"$D/out" 3>&- &
	watcher=$!
	lines_in "$D/out" 1
	kill -STOP $watcher
	for n in $(seq 20); do snapmap put "$M" key "$n"; done
	kill -CONT $watcher
	lines_in "$D/out" 2
	[ "$(tail -1 "$D/out" | cut -f1)" = 21 ]
	kill $watcher
}

@test "destroy: a load that is under way says that the map is gone" {
	mkfifo "$D/fifo"
	snapmap load "$M" "$D/fifo" 2>"$D/err" 3>&- &
	writer=$!
	exec 9>"$D/fifo"
	printf 'k\tv\n' >&9
	sleep 0.3
	snapmap destroy "$M"
	exec 9>&-
	wait $writer && code=0 || code=$?
	[ "$code" = 1 ]
	[ "$(<"$D/err")" = "snapmap: $M: the map has been destroyed, nothing has changed" ]
}

#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#
# Two writers: one has a prepared transaction (holder.c), the other is the command. And several maps in one commit.

load helpers

# Leases that end only where a test wants them to, however slow the machine.
eval "helpers_$(declare -f setup)"
setup() {
	helpers_setup
	snapmap set "$M" --lease 1h
}

teardown() {
	exec 8>&- 9<&- || :
	snapmap destroy "$M" "$M-b" 2>/dev/null || :
}

# hold LEASE_MS NAME KEY VALUE...: another process prepares a transaction; $holder is its number.
hold() {
	mkfifo "$D/to" "$D/from"
	"$(dirname "$(command -v snapmap)")/tests/holder" "$@" <"$D/to" >"$D/from" 3>&- &
	holder=$!
	exec 8>"$D/to" 9<"$D/from"
	[ "$(answer)" = "prepared: done" ]
}

answer() {
	local line
	read -r line <&9
	echo "$line"
}

# ask WORD: what the holder says when it is told to do that
ask() {
	echo "$1" >&8
	answer
}

info_of() {
	snapmap info --json "$M" | jq -c "$1"
}

@test "a prepared transaction is not seen, and info says whose it is" {
	hold 0 "$M" key value
	run -1 snapmap get "$M" key
	[ "$(info_of '[.version, .writer, .expired]')" = "[1,$holder,0]" ]
	[[ $(snapmap info "$M") == *"writer          $holder (holder)"* ]]
	[ "$(ask info)" = "state 1, maps 1, version 2, left 1" ]
	[ "$(answer)" = "info: done" ]
	[ "$(ask commit)" = "commit: done" ]
	run -0 snapmap get "$M" key
	is value
	[ "$(info_of '[.version, .writer]')" = "[2,0]" ]
	[[ $(snapmap info "$M") == *"writer          none"* ]]
}

@test "another writer fails at once, or when its time is over, and has changed nothing" {
	snapmap put "$M" there 1
	hold 0 "$M" key value
	printf 'put\ta\t1\n' >"$D/file"
	for words in "put $M a 1" "del $M there" "apply $M $D/file" "load --merge $M /dev/null" "rollback $M 2"; do
		# shellcheck disable=SC2086
		run -5 --separate-stderr snapmap $words --no-wait
		tells "snapmap: $M: another transaction is prepared, nothing has changed; *"
		# shellcheck disable=SC2086
		run -5 --separate-stderr snapmap $words --wait 30ms
		tells "snapmap: $M: another transaction has been prepared all the time, nothing has changed; *"
	done
	[ "$(ask commit)" = "commit: done" ]
	run -0 snapmap dump "$M"
	[ "$(sort <<<"$output")" = $'key\tvalue\nthere\t1' ]
}

@test "another writer waits until the transaction is committed" {
	hold 0 "$M" key value
	snapmap put "$M" key later 3>&- 8>&- 9<&- &
	writer=$!
	for _ in 1 2 3; do run -1 snapmap get "$M" key; done
	kill -0 $writer
	[ "$(ask commit)" = "commit: done" ]
	wait $writer
	run -0 snapmap get --json "$M" key
	[ "$(jq -c '[.version, .entries[0].value, .entries[0].version]' <<<"$output")" = '[3,"later",3]' ]
}

@test "an aborted transaction lets another writer go on" {
	hold 0 "$M" key value
	snapmap put "$M" key other 3>&- 8>&- 9<&- &
	[ "$(ask abort)" = "abort: done" ]
	wait $!
	run -0 snapmap get "$M" key
	is other
	[ "$(version "$M")" = 2 ]
	[ "$(ask commit)" = "commit: File descriptor in bad state" ]
}

@test "a transaction whose owner is killed is no more" {
	hold 3600000 "$M" key value
	run -5 snapmap put --no-wait "$M" key other
	kill -9 "$holder"
	wait "$holder" || :
	run -0 snapmap put --wait 1m "$M" key other
	run -0 snapmap get "$M" key
	is other
	[ "$(info_of '[.version, .writer, .expired]')" = "[2,0,0]" ]
}

@test "a signal ends the waiting" {
	hold 0 "$M" key value
	snapmap put "$M" key other 3>&- 8>&- 9<&- &
	writer=$!
	kill -TERM $writer
	wait $writer && false
	[ "$(ask commit)" = "commit: done" ]
	run -0 snapmap get "$M" key
	is value
	[ "$(version "$M")" = 2 ]
}

@test "the end of the lease: its owner is told, and the next writer goes on" {
	hold 2000 "$M" key value
	run -0 snapmap put "$M" key other
	[ "$(ask commit)" = "commit: Timer expired" ]
	[ "$(ask info)" = "state 4, maps 1, version 0, left 0" ]
	run -0 snapmap get "$M" key
	is other
	[ "$(info_of '[.version, .writer, .expired]')" = "[2,0,1]" ]
}

@test "set --lease bounds the leases to come" {
	run -0 --separate-stderr snapmap set "$M" --lease 2s
	is ""
	[ "$(info_of .lease_ms)" = 2000 ]
	run -1 "$(dirname "$(command -v snapmap)")/tests/holder" 2001 "$M" key value
	is "prepared: Invalid argument"
	hold 0 "$M" key value
	run -0 snapmap put "$M" key other
	[ "$(ask commit)" = "commit: Timer expired" ]
}

@test "apply: several maps in one commit, or none" {
	snapmap create "$M-b"
	printf 'put\ta\t1\nput\tb\t2\n' >"$D/one"
	printf 'put\tc\t3\n' >"$D/two"
	run -0 --separate-stderr snapmap apply "$M" "$D/one" "$M-b" "$D/two"
	is ""
	[ "$(snapmap dump "$M" | sort)" = $'a\t1\nb\t2' ]
	[ "$(snapmap dump "$M-b")" = $'c\t3' ]
	printf 'put\tc\n' >"$D/bad"
	run -4 --separate-stderr snapmap apply "$M" "$D/two" "$M-b" "$D/bad"
	tells "snapmap: $M-b: $D/bad:1: a field is missing*nothing has been applied*"
	run -1 --separate-stderr snapmap apply "$M" "$D/two" no-such-map "$D/two"
	tells "snapmap: no-such-map: no such map*"
	[ "$(version "$M")$(version "$M-b")" = 22 ]
	snapmap put --stamp 9 "$M-b" x y
	run -3 --separate-stderr snapmap apply --stamp 9 --if-newer "$M" "$D/two" "$M-b" "$D/two"
	tells "snapmap: $M-b: its stamp is this one or a larger one already, nothing has changed; *"
	[ "$(version "$M")$(version "$M-b")" = 23 ]
	snapmap apply --stamp 10 --if-newer "$M" "$D/two" "$M-b" - <"$D/one"
	[ "$(version "$M")$(version "$M-b")" = 34 ]
	[ "$(snapmap info --json "$M-b" | jq -r .stamp)" = 10 ]
}

@test "apply: a map that another transaction holds keeps all of it back" {
	snapmap create "$M-b" --lease 1h
	hold 0 "$M-b" key value
	printf 'put\ta\t1\n' >"$D/one"
	run -5 --separate-stderr snapmap apply --no-wait "$M" "$D/one" "$M-b" "$D/one"
	tells "snapmap: $M-b: another transaction is prepared*"
	run -5 --separate-stderr snapmap apply --wait 30ms "$M" "$D/one" "$M-b" "$D/one"
	tells "snapmap: $M-b: another transaction has been prepared all the time*"
	[ "$(version "$M")" = 1 ]
	# It has not kept the map that was free.
	run -0 snapmap put --no-wait "$M" key value
	snapmap apply "$M" "$D/one" "$M-b" "$D/one" 3>&- 8>&- 9<&- &
	[ "$(ask commit)" = "commit: done" ]
	wait $!
	[ "$(version "$M")$(version "$M-b")" = 33 ]
}

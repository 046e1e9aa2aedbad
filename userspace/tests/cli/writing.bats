#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#
# Stamps, values from files, merging, dry runs, rollback, and what create and set say a map keeps.

load helpers

sorted_dump() {
	snapmap dump "$@" | LC_ALL=C sort
}

facts() {
	snapmap info --json "$M" | jq -c "$1"
}

@test "create: history, lease and pins; set changes one and leaves the others" {
	[ "$(facts '[.history, .oldest_kept, .pin_policy, .lease_ms]')" = '[1,1,"refuse",10000]' ]
	snapmap destroy "$M"
	run -0 --separate-stderr snapmap create "$M" --history 4 --lease 2m --pins revoke
	is ""
	[ "$(facts '[.history, .pin_policy, .lease_ms]')" = '[4,"revoke",120000]' ]
	for value in 2 3 4 5 6; do snapmap put "$M" k $value; done
	[ "$(facts '[.version, .oldest_kept]')" = '[6,3]' ]
	snapmap set "$M" --history 2
	[ "$(facts '[.history, .oldest_kept, .pin_policy, .lease_ms]')" = '[2,5,"revoke",120000]' ]
	snapmap set "$M" --pins refuse --lease 1500ms
	[ "$(facts '[.history, .pin_policy, .lease_ms]')" = '[2,"refuse",1500]' ]
	snapmap set "$M" --history 16384
	run -1 --separate-stderr snapmap set no-such-map --history 2
	tells "snapmap: no-such-map: no such map; *"
	run -4 --separate-stderr as_nobody snapmap set "$M" --history 2
	tells "snapmap: $M: you may not change maps; ask root"
}

@test "rollback: an older version's entries become a new version" {
	snapmap set "$M" --history 4
	printf 'a\t1\nb\t1\n' | snapmap load "$M" -
	printf 'put\ta\t2\ndel\tb\nput\tc\t2\n' | snapmap apply "$M" -
	run -0 --separate-stderr snapmap rollback "$M" 2
	is ""
	run -0 sorted_dump "$M"
	is $'a\t1\nb\t1'
	[ "$(version "$M")" = 4 ]
	run -0 snapmap get --json "$M" a b
	[ "$(jq -c '[.entries[].version]' <<<"$output")" = '[4,4]' ]
	snapmap rollback --stamp 5 "$M" 3
	run -0 sorted_dump "$M"
	is $'a\t2\nc\t2'
	[ "$(facts .stamp)" = '"5"' ]
	run -3 --separate-stderr snapmap rollback --stamp 5 --if-newer "$M" 4
	tells "snapmap: $M: its stamp is this one or a larger one already*"
	run -1 --separate-stderr snapmap rollback "$M" 1
	tells "snapmap: $M: version 1 is gone; it keeps 2 to 5"
	run -1 --separate-stderr snapmap rollback "$M" 6
	tells "snapmap: $M: there is no version 6 yet; it keeps 2 to 5"
	[ "$(version "$M")" = 5 ]
	run -0 snapmap verify "$M"
}

@test "rollback: to what was current at a time" {
	snapmap set "$M" --history 10
	snapmap put "$M" k old
	time=$(snapmap info --json "$M" | jq -r .published)
	snapmap put "$M" k new
	snapmap rollback "$M" "$time"
	run -0 snapmap get "$M" k
	is old
	run -1 --separate-stderr snapmap rollback "$M" 2001-01-01T00:00:00Z
	tells "snapmap: $M: it keeps no version as old as 2001-01-01T00:00:00.000000000Z; *"
	[ "$(version "$M")" = 4 ]
}

@test "stamps: set, kept, and growing when that is asked for" {
	snapmap put --stamp 18446744073709551615 "$M" k 1
	[ "$(facts .stamp)" = '"18446744073709551615"' ]
	snapmap put "$M" k 2
	[ "$(facts .stamp)" = '"18446744073709551615"' ]
	snapmap put --stamp 7 "$M" k 3
	run -0 snapmap put --stamp 8 --if-newer "$M" k 4
	for stamp in 8 7 0; do
		run -3 --separate-stderr snapmap put --stamp $stamp --if-newer "$M" k 5
		tells "snapmap: $M: its stamp is this one or a larger one already, nothing has changed; *"
		run -3 snapmap del --stamp $stamp --if-newer "$M" k
		run -3 snapmap load --stamp $stamp --if-newer "$M" /dev/null
		run -3 snapmap apply --stamp $stamp --if-newer "$M" /dev/null
	done
	run -0 snapmap get "$M" k
	is 4
	run -0 snapmap load --stamp 9 --if-newer "$M" /dev/null
	[ "$(facts '[.stamp, .version, .entries]')" = '["9",6,0]' ]
}

@test "put --file: any bytes up to 1 MiB, and get --raw gives them back" {
	head -c 1048576 /dev/urandom >"$D/value"
	run -0 --separate-stderr snapmap put "$M" big --file "$D/value"
	is ""
	snapmap get --raw "$M" big | cmp - "$D/value"
	printf '\0\n\\x41' | snapmap put -e "$M" 'b\x00' --file -
	[ "$(snapmap get -e --raw "$M" 'b\x00' | od -An -tx1 | tr -d ' \n')" = 000a5c783431 ]
	snapmap put "$M" empty --file /dev/null
	run -0 snapmap get "$M" empty
	is ""
	{ head -c 1000 "$D/value"; sleep 0.1; tail -c +1001 "$D/value"; } | snapmap put "$M" slow --file -
	snapmap get --raw "$M" slow | cmp - "$D/value"
	before=$(version "$M")
	echo >>"$D/value"
	run -4 --separate-stderr snapmap put "$M" big --file "$D/value"
	tells "snapmap: $M: $D/value: a value has at most 1048576 bytes"
	run -4 --separate-stderr snapmap put "$M" big --file "$D/none"
	tells "snapmap: $M: $D/none: No such file or directory"
	run -4 --separate-stderr snapmap put "$M" big --file "$D"
	tells "snapmap: $M: $D: Is a directory"
	run -3 snapmap put "$M" empty --if-absent --file /dev/null
	[ "$(version "$M")" = "$before" ]
}

@test "load --merge: the file's keys are written, the others stay" {
	printf 'a\t1\nb\t1\n' | snapmap load "$M" -
	printf 'b\t2\nc\t2\nc\t3\n' | snapmap load --merge "$M" -
	run -0 sorted_dump "$M"
	is $'a\t1\nb\t2\nc\t3'
	[ "$(version "$M")" = 3 ]
}

@test "dry runs say what would change, and change nothing" {
	printf 'a\t1\nb\t1\nc\t1\nd\t1\n' | snapmap load "$M" -
	printf 'a\t1\nb\t2\nb\t3\nnew\t1\nc\t2\nc\t1\n' >"$D/file"
	run -0 --separate-stderr snapmap load --dry-run "$M" "$D/file"
	is "$M: 1 added, 1 changed, 2 unchanged, 1 removed, against version 2"
	run -0 snapmap load --merge --dry-run "$M" "$D/file"
	is "$M: 1 added, 1 changed, 2 unchanged, 0 removed, against version 2"
	printf 'put\ta\t1\nput\tb\t2\ndel\tc\ndel\tnone\nput\tx\t1\ndel\tx\nput\ty\t1\n' >"$D/ops"
	run -0 snapmap apply -n "$M" - <"$D/ops"
	is "$M: 1 added, 1 changed, 1 unchanged, 1 removed, against version 2"
	snapmap create "$M-b"
	run -0 snapmap apply --dry-run --json "$M" "$D/ops" "$M-b" "$D/ops"
	snapmap destroy "$M-b"
	[ "$(jq -c .[0] <<<"$output")" = "{\"name\":\"$M\",\"version\":2,\"added\":1,\"changed\":1,\"unchanged\":1,\"removed\":1}" ]
	[ "$(jq -c '.[1] | [.name, .added, .changed, .unchanged, .removed]' <<<"$output")" = "[\"$M-b\",3,0,0,0]" ]
	[ "$(facts '[.version, .pins, .commits]')" = '[2,0,1]' ]
	# What was said comes true.
	snapmap load "$M" "$D/file"
	run -0 sorted_dump "$M"
	is $'a\t1\nb\t3\nc\t1\nnew\t1'
}

@test "dry runs: for those who may only read, and bad lines are told" {
	snapmap put "$M" k v
	run -0 as_nobody snapmap load --dry-run "$M" /dev/null
	is "$M: 0 added, 0 changed, 0 unchanged, 1 removed, against version 2"
	printf 'x\ty\nbad\n' >"$D/file"
	run -4 --separate-stderr snapmap load --dry-run "$M" "$D/file"
	is ""
	tells "snapmap: $M: $D/file:2: a field is missing*"
	run -4 --separate-stderr bash -c "snapmap load -n '$M' /dev/null >/dev/full"
}

@test "load: a file of any size takes little memory" {
	python3 -c '
for i in range(48): print("key%d\t%s" % (i, chr(97 + i % 26) * (1 << 20)))' >"$D/file"
	run -0 prlimit --data=25165824 snapmap load "$M" "$D/file"
	[ "$(facts '[.entries, .value_bytes]')" = '[48,50331648]' ]
	run -0 prlimit --data=25165824 snapmap load --merge "$M" - < <(cat "$D/file" "$D/file" | head -50)
	[ "$(facts '[.version, .entries]')" = '[3,48]' ]
	run -0 snapmap verify "$M"
}

@test "load of what is there already is a new version" {
	printf 'a\t1\n' >"$D/file"
	snapmap load "$M" "$D/file"
	snapmap load "$M" "$D/file"
	[ "$(version "$M")" = 3 ]
}

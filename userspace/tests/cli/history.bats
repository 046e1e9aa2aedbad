#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#
# Older versions: get --at, dump --at, log, diff; and who pins what.

load helpers

# A map that keeps 5 versions and is at version 9: key k is the version's number.
nine_versions() {
	snapmap set "$M" --history 5
	for n in 2 3 4 5 6 7 8 9; do snapmap put "$M" k "$n"; done
}

# published V: when that version was, as log tells it
published() {
	snapmap log --json "$M" | jq -r ".[] | select(.version == $1) | .published"
}

@test "get --at and dump --at: each version that is kept, as it was" {
	nine_versions
	snapmap del "$M" k
	for n in 6 7 8 9; do
		run -0 --separate-stderr snapmap get "$M" k --at "$n"
		is "$n"
		run -0 snapmap dump "$M" --at "$n"
		is "k	$n"
	done
	run -1 --separate-stderr snapmap get "$M" k --at 10
	tells "snapmap: $M: there is no key 'k' in version 10"
	run -0 snapmap dump "$M" --at 10
	is ""
	run -0 snapmap get --at 8 "$M" k k
	is $'k\t8\nk\t8'
	run -0 snapmap get --at 8 --raw "$M" k
	is 8
	[ "$(snapmap get --json --at 8 "$M" k | jq -c '[.version, .entries[0].version, .entries[0].value]')" = '[8,8,"8"]' ]
}

@test "a version that is gone, or not there yet, is one clear error" {
	nine_versions
	for words in "get $M k --at 4" "dump $M --at 4" "diff $M 4" "diff $M 5 4" "watch $M --from 4"; do
		# shellcheck disable=SC2086
		run -1 --separate-stderr snapmap $words
		tells "snapmap: $M: version 4 is gone; it keeps 5 to 9"
		is ""
	done
	for words in "get $M k --at 10" "dump $M --at 10" "diff $M 8 10" "watch $M --from 10"; do
		# shellcheck disable=SC2086
		run -1 --separate-stderr snapmap $words
		tells "snapmap: $M: there is no version 10 yet; it keeps 5 to 9"
		is ""
	done
	snapmap set "$M" --history 1
	run -1 --separate-stderr snapmap get "$M" k --at 8
	tells "snapmap: $M: version 8 is gone; it keeps 9 alone"
}

@test "versions by time: the newest that was not published later" {
	nine_versions
	seven=$(published 7)
	run -0 snapmap get "$M" k --at "$seven"
	is 7
	seconds=$(date -d "$seven" +%s.%N)
	run -0 snapmap get "$M" k --at "@$seconds"
	is 7
	# A nanosecond earlier, in another zone.
	earlier=$(printf '%s.%09d' "${seconds%.*}" $((10#${seconds#*.} - 1)))
	[[ ${seconds#*.} != 000000000 ]]
	run -0 snapmap get "$M" k --at "$(TZ=Asia/Kolkata date -d "@$earlier" +%Y-%m-%dT%H:%M:%S.%N%:z)"
	is 6
	run -0 snapmap dump "$M" --at 2500-01-01T00:00:00Z
	is $'k\t9'
	run -1 --separate-stderr snapmap dump "$M" --at 1970-01-01T00:00:01Z
	tells "snapmap: $M: it keeps no version as old as 1970-01-01T00:00:01.000000000Z; its oldest is version 5, of $(published 5)"
	snapmap put "$M" k ten
	run -0 snapmap diff "$M" "$seven" 8
	is $'changed\tk\t7\t8'
}

@test "log: what each version is and who made it" {
	snapmap set "$M" --history 10
	printf 'put\ta\t1\nput\tb\t2\ndel\tnone\t\n' | sed 's/\t$//' | snapmap apply "$M" -
	snapmap del "$M" a
	snapmap put "$M" c 3 --stamp 18446744073709551615
	run -0 --separate-stderr snapmap log "$M"
	[ "${#lines[@]}" = 5 ]
	[[ ${lines[0]} =~ ^\ +VERSION\ +PUBLISHED\ +ENTRIES\ +PUTS\ +DELETES\ +STAMP\ +PID\ USER$ ]]
	[ "$(awk 'NR > 1 { print $1, $3, $4, $5, $6, $8 }' <<<"$output")" = \
		$'1 0 0 0 0 root\n2 2 2 0 0 root\n3 1 0 1 0 root\n4 2 1 0 18446744073709551615 root' ]
	run -0 snapmap log --json "$M"
	[ "$(jq -c '.[] | [.version, .entries, .key_bytes, .value_bytes, .puts, .deletes, .stamp, .uid]' <<<"$output")" = \
		$'[1,0,0,0,0,0,"0",0]\n[2,2,2,2,2,0,"0",0]\n[3,1,1,1,0,1,"0",0]\n[4,2,2,2,1,0,"18446744073709551615",0]' ]
	[ "$(jq '.[3].pid' <<<"$output")" -gt 1 ]
	[[ $(jq -r '.[3].published' <<<"$output") =~ ^20[0-9-]{8}T[0-9:]{8}\.[0-9]{9}Z$ ]]
}

@test "log: another user's commit, and a rollback" {
	snapmap destroy "$M"
	snapmap create "$M" --mode 0666 --history 10
	as_nobody snapmap put "$M" a 1
	snapmap put "$M" a 2
	snapmap rollback "$M" 2
	run -0 snapmap log "$M"
	[ "$(awk 'NR > 1 { print $1, $8 }' <<<"$output")" = $'1 root\n2 nobody\n3 root\n4 root' ]
	[[ ${lines[4]} == *"root  rolled back to 2" ]]
	[ "$(snapmap log --json "$M" | jq -c 'map(.rolled_back_to)')" = '[null,null,null,2]' ]
}

@test "log: more versions than are asked for at once" {
	snapmap set "$M" --history 300
	for _ in $(seq 299); do snapmap put "$M" k v; done
	[ "$(snapmap log --json "$M" | jq -c '[length, .[0].version, .[299].version, (map(.version) | unique | length)]')" = \
		'[300,1,300,300]' ]
	[ "$(snapmap log "$M" | wc -l)" = 301 ]
	[ "$(snapmap dump "$M" --at "$(published 123)")" = "$(snapmap dump "$M" --at 123)" ]
}

@test "diff: added, changed with both values, removed" {
	snapmap set "$M" --history 10
	printf 'same\t1\nchanges\told\ngoes\tfar\n' | snapmap load "$M" -
	printf 'put\tchanges\tnew\ndel\tgoes\nput\tcomes\t\nput\tsame\t1\nput\t\\x00\t\\xff\n' | snapmap apply "$M" -
	run -0 --separate-stderr snapmap diff "$M" 2 3
	[ "$(sort <<<"$output")" = $'added\t\\x00\t\\xff\nadded\tcomes\t\nchanged\tchanges\told\tnew\nremoved\tgoes\tfar' ]
	tells ""
	run -0 snapmap diff "$M" 3 2
	[ "$(sort <<<"$output")" = $'added\tgoes\tfar\nchanged\tchanges\tnew\told\nremoved\t\\x00\t\\xff\nremoved\tcomes\t' ]
	run -0 snapmap diff "$M" 2
	[ "${#lines[@]}" = 4 ]
	run -0 snapmap diff "$M" 3 3
	is ""
	run -0 snapmap diff "$M" 2 --json
	[ "$(jq -cS . <<<"$output" | sort)" = "$(sort <<-'EOT'
		{"event":"added","key":"comes","new":"","new_version":3}
		{"event":"added","key_base64":"AA==","new_base64":"/w==","new_version":3}
		{"event":"changed","key":"changes","new":"new","new_version":3,"old":"old","old_version":2}
		{"event":"removed","key":"goes","old":"far","old_version":2}
	EOT
	)" ]
}

@test "diff --apply: makes one version of the other" {
	snapmap set "$M" --history 10
	seq 2000 | awk -v OFS='\t' '{ print "key " $1 * 7 % 3000, "value " $1 "\\n" }' | snapmap load "$M" -
	seq 500 | awk -v OFS='\t' '{ print "put", "key " $1 * 11 % 4000, "other\\t" $1; print "del", "key " $1 }' | snapmap apply "$M" -
	snapmap dump "$M" --at 2 | snapmap load "$M" -
	snapmap diff "$M" 4 3 --apply | snapmap apply "$M" -
	[ "$(snapmap dump "$M" --at 3 | sort | md5sum)" = "$(snapmap dump "$M" | sort | md5sum)" ]
	run -0 snapmap diff "$M" 3 5
	is ""
	run -0 snapmap verify "$M"
}

@test "diff --stats: 10 keys of 200,000 cost a few dozen nodes" {
	snapmap set "$M" --history 4
	seq 200000 | awk -v OFS='\t' '{ print "key " $1, "value " $1 }' | snapmap load "$M" -
	seq 19999 20000 199999 | awk -v OFS='\t' '{ print "put", "key " $1, "other" }' | snapmap apply "$M" -
	run -0 --separate-stderr snapmap diff --stats "$M" 2
	[ "${#lines[@]}" = 10 ]
	tells "10 changes, * nodes visited"
	echo "# $stderr" >&3
	nodes=$(cut -d' ' -f3 <<<"$stderr")
	[ "$nodes" -le 60 ]
	run -0 --separate-stderr snapmap diff --stats "$M" 3 3
	tells "0 changes, 0 nodes visited"
}

@test "diff: a full disk is noticed" {
	snapmap set "$M" --history 4
	snapmap put "$M" key value
	run -4 --separate-stderr bash -c "snapmap diff '$M' 1 >/dev/full"
	tells "snapmap: standard output: it cannot be written: No space left on device"
}

# A pin of the current version in the background: a watcher that has printed its first line.
pin_it() {
	: >"$D/watched"
	snapmap watch "$M" >"$D/watched" 3>&- &
	watcher=$!
	lines_in "$D/watched" 1
}

# holds_back BYTES: the first pin does, at least
holds_back() {
	[ "$(snapmap pins --json "$M" | jq '.[0].held_bytes')" -ge "$1" ]
}

@test "pins: who, what, for how long, and what it holds back" {
	run -0 snapmap pins "$M"
	[ "${#lines[@]}" = 1 ]
	[ "$(snapmap pins --json "$M")" = "[]" ]
	seq 1000 | awk -v OFS='\t' '{ print $1, "value " $1 }' | snapmap load "$M" -
	pin_it
	kill -STOP $watcher
	seq 1000 | awk -v OFS='\t' '{ print $1, "other " $1 }' | snapmap load "$M" -
	soon holds_back 50000 # what has been retired just now is nobody's yet
	run -0 --separate-stderr snapmap pins "$M"
	[[ ${lines[0]} =~ ^\ +VERSION\ +AGE\ +HELD\ +PID\ USER\ +COMMAND$ ]]
	[[ $(tr -s ' ' <<<"${lines[1]}") =~ ^\ 2\ [0-9.]+(m[0-9]+)?s\ [0-9]+K\ $watcher\ root\ snapmap$ ]]
	run -0 snapmap pins --json "$M"
	[ "$(jq -c 'map([.version, .pid, .uid, .user, .command, .revoked])' <<<"$output")" = \
		"[[2,$watcher,0,\"root\",\"snapmap\",false]]" ]
	[ "$(jq '.[0].age_ns' <<<"$output")" -gt 0 ]
	kill -CONT $watcher
	kill $watcher
	wait $watcher || :
	[ "$(snapmap pins --json "$M")" = "[]" ]
}

@test "verify, dump and log of a map whose history has been cut" {
	nine_versions
	snapmap set "$M" --history 2
	run -0 snapmap verify "$M"
	[ "$(snapmap log --json "$M" | jq -c 'map(.version)')" = '[8,9]' ]
	run -1 snapmap get "$M" k --at 7
	run -1 snapmap verify "$M" --at 7
	run -0 snapmap get "$M" k --at 8
	is 8
	run -0 snapmap verify "$M" --at 8
	is "$M: version 8 is sound: 1 entries, 2 bytes"
}

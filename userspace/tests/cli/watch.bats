#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#
# watch, and maps that end while somebody uses them.

load helpers

# ends_with CODE PID: not by run, whose subshell can only wait for what has ended before
ends_with() {
	local code=0
	wait "$2" || code=$?
	[ "$code" = "$1" ]
}

@test "watch: the version to start with, at once" {
	snapmap put "$M" key value
	snapmap watch "$M" >"$D/out" 3>&- &
	watcher=$!
	lines_in "$D/out" 1
	[[ $(<"$D/out") =~ ^start$'\t'2$'\t'20[0-9-]{8}T[0-9:]{8}\.[0-9]{9}Z$ ]]
	kill $watcher
}

@test "watch: each change with old and new value, flushed, until the map is destroyed" {
	snapmap set "$M" --history 10
	snapmap watch "$M" >"$D/out" 3>&- &
	watcher=$!
	lines_in "$D/out" 1
	snapmap put "$M" a one
	lines_in "$D/out" 3
	snapmap put -e "$M" a 'two\n'
	lines_in "$D/out" 5
	snapmap put -e "$M" a 'two\n' # the same again
	lines_in "$D/out" 6
	snapmap del "$M" a
	lines_in "$D/out" 8
	kill -0 $watcher
	snapmap put "$M" b 1
	snapmap destroy "$M"
	wait $watcher
	[[ $(sed -n 2p "$D/out") =~ ^version$'\t'2$'\t'20[0-9-]{8}T[0-9:]{8}\.[0-9]{9}Z$ ]]
	[ "$(sed -E 's/^(start|version)\t([0-9]+)\t[^\t]*Z/\1 \2/' "$D/out")" = "$(printf '%b' 'start 1\nversion 2\nadded\ta\tone\n' \
		'version 3\nchanged\ta\tone\ttwo\\n\nversion 4\nversion 5\nremoved\ta\ttwo\\n\nversion 6\nadded\tb\t1')" ]
}

@test "watch --json" {
	snapmap set "$M" --history 10
	snapmap watch --json "$M" >"$D/out" 3>&- &
	watcher=$!
	lines_in "$D/out" 1
	snapmap put -e "$M" a '\xff' --stamp 18446744073709551615
	snapmap put "$M" a text
	snapmap destroy "$M"
	wait $watcher
	[ "$(jq -c 'del(.published)' "$D/out")" = "$(cat <<-'EOT'
		{"event":"start","version":1,"entries":0,"stamp":"0"}
		{"event":"version","version":2,"entries":1,"stamp":"18446744073709551615","from":1}
		{"event":"added","key":"a","new_base64":"/w==","new_version":2}
		{"event":"version","version":3,"entries":1,"stamp":"18446744073709551615","from":2}
		{"event":"changed","key":"a","old_base64":"/w==","old_version":2,"new":"text","new_version":3}
	EOT
	)" ]
	[[ $(jq -r '.published | strings' "$D/out" | head -1) =~ ^20[0-9-]{8}T[0-9:]{8}\.[0-9]{9}Z$ ]]
}

@test "watch --keys: only what begins so, and only versions that change it" {
	snapmap set "$M" --history 10
	snapmap watch "$M" --keys a/ -k 'c\tx' -e >"$D/out" 3>&- &
	watcher=$!
	lines_in "$D/out" 1
	printf 'put\ta/1\t1\nput\tb/1\t1\n' | snapmap apply "$M" -
	snapmap put "$M" b/2 1
	snapmap put "$M" a 1
	snapmap put -e "$M" 'c\txyz' 1
	snapmap destroy "$M"
	wait $watcher
	[ "$(cut -f1,2 "$D/out" | tail -n +2)" = $'version\t2\nadded\ta/1\nversion\t5\nadded\tc\\txyz' ]
	! grep -q merges "$D/out"
}

@test "watch --count: ends by itself" {
	snapmap set "$M" --history 10
	snapmap watch -n 2 "$M" >"$D/out" 3>&- &
	watcher=$!
	lines_in "$D/out" 1
	for n in 1 2 3; do snapmap put "$M" key "$n"; done
	wait $watcher
	[ "$(grep -c ^version "$D/out")" = 2 ]
	run -0 snapmap watch --count 1 --from 1 "$M"
	[ "$(cut -f1,2 <<<"$output")" = $'start\t1\nversion\t2\nadded\tkey' ]
}

@test "watch --from: from an older version, by number or by time" {
	snapmap set "$M" --history 10
	for n in 2 3 4 5; do snapmap put "$M" k "$n"; done
	run -0 snapmap watch --from 3 -n 2 "$M"
	[ "$(cut -f1,2 <<<"$output")" = $'start\t3\nversion\t4\nchanged\tk\nversion\t5\nchanged\tk' ]
	time=$(snapmap log --json "$M" | jq -r '.[] | select(.version == 4) | .published')
	run -0 snapmap watch --from "$time" -n 1 --apply "$M"
	is $'put\tk\t5'
}

# A copy is made of a map by what a watcher of it printed, and must be the same.
replays() {
	snapmap create "$M-copy"
	grep -vE $'^(start|version)\t' "$1" | awk -F'\t' -v OFS='\t' '
		$1 == "added" { print "put", $2, $3 }
		$1 == "changed" { print "put", $2, $4 }
		$1 == "removed" { print "del", $2 }' | snapmap apply "$M-copy" -
	snapmap dump "$M" | sort >"$D/original"
	snapmap dump "$M-copy" | sort | diff - "$D/original"
	snapmap destroy "$M-copy"
}

# Each old value must be what has been told before.
is_seamless() {
	awk -F'\t' '
		$1 == "added" && ($2 in value) { bad = 1 }
		($1 == "changed" || $1 == "removed") && (!($2 in value) || value[$2] != $3) { bad = 1 }
		$1 == "added" { value[$2] = $3 }
		$1 == "changed" { value[$2] = $4 }
		$1 == "removed" { delete value[$2] }
		END { exit bad }' "$1"
}

# change N: a commit that writes and deletes some keys, by chance
change() {
	awk -v n="$1" -v seed="$RANDOM" -v OFS='\t' 'BEGIN {
		srand(seed)
		for (i = 0; i < 5; i++) {
			print "put", "key " int(rand() * 100), "value " n
			print "del", "key " int(rand() * 100)
		}
	}' | snapmap apply "$M" -
}

# The version that the last step has led to.
last_version() {
	grep ^version "$1" | tail -n 1 | cut -f2
}

has_told() {
	[ "$(last_version "$2")" = "$1" ]
}

# told_up_to VERSION FILE: waits until that has been told
told_up_to() {
	soon has_told "$1" "$2"
}

# pinned VERSION...: those versions, and no others, are pinned
pinned() {
	[ "$(snapmap pins --json "$M" | jq -r 'map(.version) | @tsv')" = "$*" ]
}

# same_as FILE MAP: the map holds what the file does
same_as() {
	snapmap dump "$2" | sort | cmp -s - "$1"
}

@test "watch: a slow watcher tells version by version while the map keeps them" {
	snapmap set "$M" --history 100
	snapmap watch "$M" >"$D/out" 3>&- &
	watcher=$!
	lines_in "$D/out" 1
	kill -STOP $watcher
	for n in $(seq 25); do change "$n"; done
	kill -CONT $watcher
	told_up_to 26 "$D/out"
	kill $watcher
	[ "$(grep -c ^version "$D/out")" = 25 ]
	! grep -q merges "$D/out"
	is_seamless "$D/out"
	replays "$D/out"
}

@test "watch: a watcher that is slower than that merges, says so, and loses nothing" {
	snapmap set "$M" --history 5
	snapmap watch "$M" >"$D/out" 3>&- &
	watcher=$!
	lines_in "$D/out" 1
	change 0
	soon pinned 2 # and no longer 1, from which it has come
	kill -STOP $watcher
	for n in $(seq 20); do change "$n"; done
	pinned 2
	kill -CONT $watcher
	told_up_to 22 "$D/out"
	kill $watcher
	[ "$(grep -c merges "$D/out")" = 1 ]
	grep -qE $'^version\t18\t[^\t]*\tmerges 3 to 18$' "$D/out"
	[ "$(grep -c ^version "$D/out")" = 6 ]
	is_seamless "$D/out"
	replays "$D/out"
}

@test "watch: beside commits that do not stop, on a map that keeps little" {
	snapmap set "$M" --history 3
	snapmap watch "$M" >"$D/out" 3>&- &
	watcher=$!
	lines_in "$D/out" 1
	for n in $(seq 25); do change "$n"; done
	told_up_to 26 "$D/out"
	kill $watcher
	is_seamless "$D/out"
	replays "$D/out"
	grep ^version "$D/out" | cut -f2 | sort -nuc
}

@test "watch: killed in the middle of a comparison, it leaves nothing" {
	seq 50000 | awk -v OFS='\t' '{ print $1, "value " $1 }' | snapmap load "$M" -
	mkfifo "$D/fifo"
	snapmap watch "$M" >"$D/fifo" 3>&- &
	watcher=$!
	exec 9<"$D/fifo"
	read -r _ <&9
	seq 50000 | awk -v OFS='\t' '{ print $1, "other " $1 }' | snapmap load "$M" -
	for _ in 1 2 3; do read -r _ <&9; done # it has begun, and the pipe is soon full
	[ "$(snapmap pins --json "$M" | jq 'length')" = 2 ]
	kill -KILL $watcher
	wait $watcher || :
	exec 9<&-
	[ "$(snapmap pins --json "$M")" = "[]" ]
	snapmap put "$M" 1 again
	run -0 snapmap verify "$M"
}

@test "watch: a watcher whose pin is revoked says that it cannot go on" {
	snapmap destroy "$M"
	snapmap create "$M" --limit 768K --pins revoke
	seq 4200 | awk -v OFS='\t' '{ print $1, "value " $1 }' | snapmap load "$M" -
	snapmap watch "$M" >"$D/out" 2>"$D/err" 3>&- &
	watcher=$!
	lines_in "$D/out" 1
	kill -STOP $watcher
	for n in 1 2 3 4 5 6; do
		seq 4200 | awk -v OFS='\t' -v n="$n" '{ print $1, "other " n " " $1 }' | snapmap load "$M" -
	done
	[ "$(snapmap pins --json "$M" | jq -c 'map(.revoked)')" = '[true]' ]
	[[ $(snapmap pins "$M") == *"snapmap  revoked" ]]
	kill -CONT $watcher
	ends_with 4 $watcher
	[ "$(<"$D/err")" = "snapmap: $M: version 2 has been revoked to make room for commits, so nobody can tell what has changed since; watch again, or raise the map's limit" ]
	[ "$(wc -l <"$D/out")" = 1 ]
}

@test "watch --exec: a command for each version, with its changes" {
	snapmap set "$M" --history 10
	for n in 2 3 4; do snapmap put "$M" k "$n" --stamp "10$n"; done
	cat >"$D/script" <<-'EOT'
		echo "$SNAPMAP_NAME $SNAPMAP_FROM $SNAPMAP_VERSION $SNAPMAP_STAMP"
		cat
	EOT
	run -0 --separate-stderr snapmap watch --from 1 -n 3 --exec "sh $D/script" "$M"
	is "$M"$' 1 2 102\nadded\tk\t2\n'"$M"$' 2 3 103\nchanged\tk\t2\t3\n'"$M"$' 3 4 104\nchanged\tk\t3\t4'
	tells ""
	run -0 snapmap watch --from 3 -n 1 --json --exec 'jq -c .event' "$M"
	is '"changed"'
}

@test "watch --exec: what becomes of the command is told, and the watch goes on" {
	snapmap set "$M" --history 10
	seq 50000 | awk -v OFS='\t' '{ print $1, "value " $1 }' | snapmap load "$M" -
	for n in 3 4 5; do snapmap put "$M" k "$n"; done
	run -0 --separate-stderr snapmap watch --from 1 -n 4 "$M" --exec '
		case $SNAPMAP_VERSION in
		2) exit 0;;	# does not read its input
		3) exit 7;;
		4) kill -TERM $$;;
		5) echo alive;;
		esac'
	is alive
	tells "snapmap: $M: the command for version 3 ended with exit code 7; the watch goes on
snapmap: $M: the command for version 4 was ended by signal 15; the watch goes on"
}

@test "watch --exec: a command gets all changes of a version, though the pin is revoked meanwhile" {
	snapmap destroy "$M"
	snapmap create "$M" --limit 768K --pins revoke
	seq 4200 | awk -v OFS='\t' '{ print $1, "value " $1 }' | snapmap load "$M" -
	# More than a pipe holds. Whoever waits behind the first line keeps the watch waiting.
	snapmap watch "$M" --exec "read -r line; : >$D/begun; until [ -e $D/go ]; do sleep 0.1; done
		{ echo \"\$line\"; cat; } >$D/changes-\$SNAPMAP_VERSION" 2>"$D/err" 3>&- &
	watcher=$!
	soon eval '[[ $(snapmap pins "$M") == *snapmap ]]'
	for n in 1 2 3 4 5 6; do
		seq 4200 | awk -v OFS='\t' -v n="$n" '{ print $1, "a much longer other value " n " " $1 }' |
			snapmap load "$M" -
		soon test -e "$D/begun"
	done
	: >"$D/go"
	ends_with 4 $watcher
	[[ $(<"$D/err") == *"has been revoked to make room for commits"* ]]
	[ "$(cat "$D"/changes-3 | wc -l)" = 4200 ]
	[ "$(cat "$D"/changes-* | wc -l)" = 4200 ]
}

@test "watch --apply --exec: a copy that follows" {
	snapmap create "$M-copy"
	snapmap set "$M" --history 5
	snapmap watch "$M" --apply --exec "snapmap apply $M-copy -" 3>&- &
	watcher=$!
	until [[ $(snapmap pins "$M") == *snapmap ]]; do sleep 0.1; done
	for n in $(seq 10); do change "$n"; done
	snapmap dump "$M" | sort >"$D/original"
	soon same_as "$D/original" "$M-copy"
	kill $watcher
	snapmap destroy "$M-copy"
}

@test "watch: can be interrupted" {
	snapmap watch "$M" >"$D/out" 3>&- &
	watcher=$!
	lines_in "$D/out" 1
	kill -TERM $watcher
	ends_with 143 $watcher
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
	lines_in "$D/out" 3
	[ "$(last_version "$D/out")" = 21 ]
	[ "$(tail -n 1 "$D/out")" = $'added\tkey\t20' ]
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

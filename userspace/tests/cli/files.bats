#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#
# load, apply, dump, verify. The formats themselves are tested without a map, in
# native/formats.bats.

load helpers

sorted_dump() {
	snapmap dump "$@" | LC_ALL=C sort
}

@test "load: replaces all, in one version" {
	snapmap put "$M" old 1
	printf 'a\t1\nb\t2\n' >"$D/file"
	run -0 --separate-stderr snapmap load "$M" "$D/file"
	is ""
	run -0 sorted_dump "$M"
	is $'a\t1\nb\t2'
	[ "$(version "$M")" = 3 ]
	run -0 snapmap load "$M" /dev/null
	run -0 snapmap dump "$M"
	is ""
	[ "$(version "$M")" = 4 ]
}

@test "load: of duplicate keys the last counts" {
	printf 'a\t1\nb\t2\na\t3\na\t4\n' | snapmap load "$M" -
	run -0 sorted_dump "$M"
	is $'a\t4\nb\t2'
	[ "$(snapmap info --json "$M" | jq -c '[.entries, .key_bytes, .value_bytes]')" = '[2,2,2]' ]
	run -0 snapmap verify "$M"
}

@test "load: bad lines are all told, and nothing is applied" {
	snapmap put "$M" old 1
	printf 'a\t1\nno tab\nb\\q\t2\n\t3\n%s\t4\n' "$(printf '%1025s' x)" >"$D/file"
	run -4 --separate-stderr snapmap load "$M" "$D/file"
	is ""
	tells "snapmap: $M: $D/file:2: a field is missing*
snapmap: $M: $D/file:3: a bad escape *
snapmap: $M: $D/file:4: the key is empty
snapmap: $M: $D/file:5: the key has 1025 bytes; 1024 are allowed
snapmap: $M: $D/file: 4 bad lines, nothing has been applied; *"
	run -0 snapmap dump "$M"
	is $'old\t1'
	[ "$(version "$M")" = 2 ]
}

@test "load: of many bad lines twenty are told and all counted" {
	run -4 --separate-stderr snapmap load "$M" - < <(seq 100)
	tells "*standard input:20: *standard input: 100 bad lines, *"
	[[ $stderr != *input:21:* ]]
	[ "$(wc -l <<<"$stderr")" = 21 ]
	run -4 --separate-stderr snapmap load "$M" - <<<"x"
	tells "*: 1 bad line, *"
}

@test "load: a file that cannot be read" {
	run -4 --separate-stderr snapmap load "$M" "$D/none"
	tells "snapmap: $M: $D/none: No such file or directory"
	run -4 --separate-stderr snapmap load "$M" "$D"
	tells "snapmap: $M: $D: Is a directory, nothing has been applied"
	[ "$(version "$M")" = 1 ]
}

@test "apply: puts and deletes in order, in one version" {
	printf 'put\ta\t1\nput\tb\t2\ndel\ta\nput\tc\t3\ndel\tnothing\nput\tb\t4\n' >"$D/file"
	run -0 --separate-stderr snapmap apply "$M" "$D/file"
	is ""
	run -0 sorted_dump "$M"
	is $'b\t4\nc\t3'
	[ "$(version "$M")" = 2 ]
	run -0 snapmap apply "$M" - < <(printf 'del\tb\n')
	run -0 snapmap dump "$M"
	is $'c\t3'
}

@test "apply: a bad line, and nothing is applied" {
	printf 'put\ta\t1\nput\tb\n' >"$D/file"
	run -4 --separate-stderr snapmap apply "$M" "$D/file"
	tells "snapmap: $M: $D/file:2: a field is missing*1 bad line*"
	[ "$(version "$M")" = 1 ]
}

@test "apply and dump: JSON lines" {
	snapmap apply --format jsonl "$M" - <<-'END'
	{"op":"put","key":"a","value":"1"}
	{"op":"put","key_base64":"AP8=","value_base64":""}
	{"op":"put","key":"ü","value":"\u0000"}
	{"op":"del","key":"a"}
	END
	run -0 sorted_dump --format jsonl "$M"
	is $'{"key":"ü","value_base64":"AA=="}\n{"key_base64":"AP8=","value":""}'
	run -0 sorted_dump "$M"
	is $'\\x00\\xff\t\nü\t\\x00'
	run -4 --separate-stderr snapmap apply -f jsonl "$M" - <<<'{"op":"put","key":"k"}'
	tells "snapmap: $M: standard input:1: there is no \"value\"*"
}

@test "all 256 bytes in keys and values: dump, load, dump again, in both formats" {
	python3 - >"$D/all" <<-'END'
	import base64
	for n in range(256):
	    e = lambda b: base64.b64encode(b).decode()
	    b = bytes([n])
	    print('{"key_base64":"%s","value_base64":"%s"}' % (e(b), e(bytes(range(256)) + b)))
	    print('{"key_base64":"%s","value_base64":"%s"}' % (e(b"k" + b), e(b)))
	END
	snapmap load -f jsonl "$M" "$D/all"
	[ "$(snapmap info --json "$M" | jq .entries)" = 512 ]
	snapmap create "$M-b"
	for format in tsv jsonl; do
		sorted_dump -f $format "$M" >"$D/$format"
		[ "$(wc -l <"$D/$format")" = 512 ]
		snapmap load -f $format "$M-b" "$D/$format"
		sorted_dump -f $format "$M-b" | cmp - "$D/$format"
		snapmap dump -f $format "$M" | snapmap load -f $format "$M" -
		sorted_dump -f $format "$M" | cmp - "$D/$format"
	done
	snapmap verify "$M"
	snapmap destroy "$M-b"
	# What python reads out is what python meant.
	python3 - "$D/jsonl" <<-'END'
	import base64, json, sys
	seen = {}
	for line in open(sys.argv[1], encoding="utf-8"):
	    o = json.loads(line)
	    get = lambda n: base64.b64decode(o[n + "_base64"]) if n + "_base64" in o else o[n].encode()
	    seen[get("key")] = get("value")
	for n in range(256):
	    b = bytes([n])
	    assert seen[b] == bytes(range(256)) + b and seen[b"k" + b] == b, n
	END
}

@test "a table of a hundred thousand entries" {
	python3 -c '
for i in range(100000): print("key%d\t%s" % (i, "v" * (i * 7919 % 200)))
print("big\t%s" % ("x" * 100000))' >"$D/file"
	snapmap load "$M" "$D/file"
	sorted_dump "$M" >"$D/dump"
	LC_ALL=C sort "$D/file" | cmp - "$D/dump"
	run -0 snapmap verify "$M"
	[[ $output == "$M: version 2 is sound: 100001 entries, "* ]]
	# Half of them go, in one commit.
	python3 -c '
for i in range(0, 100000, 2): print("del\tkey%d" % i)' | snapmap apply "$M" -
	run -0 snapmap verify "$M"
	[[ $output == *": 50001 entries, "* ]]
	sorted_dump "$M" | cmp - <(LC_ALL=C sort "$D/file" | grep -P '^big\t|^key\d*[13579]\t')
	run -0 snapmap get "$M" key1 key99999
	run -1 snapmap get "$M" key0
	snapmap load "$M" /dev/null
	run -0 snapmap verify "$M"
	is "$M: version 4 is sound: 0 entries, 0 bytes"
}

@test "dump: one snapshot, whatever is committed meanwhile" {
	seq 300 | sed 's/.*/key&\t0/' | snapmap load "$M" -
	(
		for round in $(seq 30); do
			seq 300 | sed "s/.*/key&\t$round/" | snapmap load "$M" -
		done
	) 3>&- &
	for _ in $(seq 10); do
		snapmap dump "$M" >"$D/dump"
		[ "$(wc -l <"$D/dump")" = 300 ]
		[ "$(cut -f2 "$D/dump" | sort -u | wc -l)" = 1 ]
		[ "$(snapmap get "$M" key1 key300 | cut -f2 | sort -u | wc -l)" = 1 ]
	done
	wait $! # and not for the time limit of bats, which is a child of the test, too
}

@test "dump: a full disk and a reader that leaves are noticed" {
	seq 20000 | sed 's/$/\tvalue/' | snapmap load "$M" -
	run -4 --separate-stderr bash -c "snapmap dump '$M' >/dev/full"
	tells "snapmap: standard output: it cannot be written: No space left on device"
	run -141 bash -c "set -o pipefail; snapmap dump '$M' | head -1 >/dev/null"
	run -4 --separate-stderr bash -c "trap '' PIPE; set -o pipefail; snapmap dump '$M' | head -1 >/dev/null"
	tells "snapmap: standard output: it cannot be written: Broken pipe"
}

@test "a writer that is killed changes nothing, and the next one goes on" {
	printf 'a\t1\n' | snapmap load "$M" -
	seq 30000 | sed 's/$/\tvalue/' >"$D/file"
	for pause in 0.02 0.04 0.07 0.1 0.2 0.3; do
		before=$(version "$M")
		snapmap load "$M" "$D/file" &
		writer=$!
		sleep $pause
		kill -9 $writer 2>/dev/null || :
		wait $writer || :
		# All of it or nothing.
		entries=$(snapmap info --json "$M" | jq .entries)
		[ "$(version "$M")" = "$before" ] && [ "$entries" = 1 ] || [ "$entries" = 30000 ]
		snapmap verify "$M"
		printf 'a\t1\n' | snapmap load "$M" -
	done
	run -0 snapmap dump "$M"
	is $'a\t1'
}

@test "a writer whose input never ends has changed nothing when it is killed" {
	mkfifo "$D/fifo"
	snapmap apply "$M" "$D/fifo" &
	writer=$!
	exec 9>"$D/fifo"
	printf 'put\tk\tv\n' >&9
	sleep 0.2
	kill -9 $writer
	wait $writer || :
	exec 9>&-
	[ "$(version "$M")" = 1 ]
}

@test "verify: says what it has checked" {
	snapmap put "$M" key value
	run -0 --separate-stderr snapmap verify "$M"
	is "$M: version 2 is sound: 1 entries, 8 bytes"
	run -4 --separate-stderr bash -c "snapmap verify '$M' >/dev/full"
}

more_draws_a_bar() {
	echo 'x	y' >&9
	grep -q "$M: reading" "$D/terminal"
}

@test "a bar is drawn on a terminal when work takes long, and only there" {
	seq 1000 | sed 's/$/\tvalue/' >"$D/file"
	mkfifo "$D/fifo"
	: >"$D/terminal"
	script -qec "snapmap load $M '$D/fifo'" /dev/null >"$D/terminal" 3>&- &
	loader=$!
	exec 9>"$D/fifo"
	cat "$D/file" >&9
	soon more_draws_a_bar
	exec 9>&-
	wait $loader
	run -0 --separate-stderr bash -c "(cat '$D/file'; sleep 1.5; echo 'x	y') | snapmap load $M -"
	tells ""
}

#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#
# The formats of files, without a module: everything goes through the test
# program "formats", which is made of the command's own readers and writers.

bats_require_minimum_version 1.5.0

setup_file() {
	PATH=$(dirname "$(command -v snapmap)")/tests:$PATH
	export PATH
}

# good FROM LINE WANTED: how a line of load comes out as TSV
good() {
	run -0 --separate-stderr formats load "$1" tsv - < <(printf '%s\n' "$2")
	[[ $output == "$3" ]] || {
		printf 'wanted: %s\ngot:    %s\n' "$3" "$output"
		return 1
	}
}

# bad VERB FROM LINE WHY
bad() {
	run -1 --separate-stderr formats "$1" "$2" tsv - < <(printf '%s\n' "$3")
	[[ $stderr == "1: "*"$4"* ]] || {
		printf 'wanted: %s\ngot:    %s\n' "$4" "$stderr"
		return 1
	}
}

every_byte() {
	python3 -c '
import sys
for n in range(256):
    b = bytes([n])
    sys.stdout.buffer.write(b"{\"key_base64\":\"%s\",\"value_base64\":\"%s\"}\n" % (
        __import__("base64").b64encode(b"k" + b), __import__("base64").b64encode(b + b"v" + b)))'
}

@test "tsv: a plain line" {
	good tsv $'key\tvalue' $'key\tvalue'
	good tsv $'key\t' $'key\t'
}

@test "tsv: the escapes are read" {
	good tsv 'a\x41\x7a	\\\t\n\r' 'aAz	\\\t\n\r'
	good tsv 'k	\x0A\x0d\x09\x5C' 'k	\n\r\t\\'
}

@test "tsv: UTF-8 is printed as it is, other bytes as escapes" {
	good tsv 'grün	ja' 'grün	ja'
	good tsv 'gr\xfcn	\x00\x7f\x1b' 'gr\xfcn	\x00\x7f\x1b'
}

@test "tsv: a raw byte that no escape is needed for is taken" {
	run -0 formats load tsv tsv - < <(printf 'k\xff\tv\rw\n')
	[ "$output" = 'k\xff	v\rw' ]
}

@test "tsv: the last line may lack its newline" {
	run -0 formats load tsv tsv - < <(printf 'a\t1\nb\t2')
	[ "$output" = $'a\t1\nb\t2' ]
}

@test "tsv: bad lines" {
	bad load tsv 'no tab' 'a field is missing'
	bad load tsv '' 'a field is missing'
	bad load tsv $'a\tb\tc' 'too many fields'
	bad load tsv $'a\tb\tc\td\te' 'too many fields'
	bad load tsv 'a\q	b' "a bad escape '\\q'"
	bad load tsv 'a	b\' "a bad escape '\\'"
	bad load tsv 'a	b\x4' "a bad escape '\\x4'"
	bad load tsv 'a	b\x4g' "a bad escape '\\x4g'"
}

@test "tsv: puts and deletes" {
	run -0 formats apply tsv tsv - < <(printf 'put\tk\tv\ndel\tk\\t\nput\te\t\n')
	[ "$output" = $'k\tv\ndel\tk\\t\ne\t' ]
}

@test "tsv: bad puts and deletes" {
	bad apply tsv $'k\tv' "neither with 'put' nor with 'del'"
	bad apply tsv $'Put\tk\tv' "neither with 'put' nor with 'del'"
	bad apply tsv $'put\tk' 'a field is missing'
	bad apply tsv $'del\tk\tv' 'too many fields'
	bad apply tsv $'del' 'a field is missing'
	bad apply tsv $'put\tk\tv\tw' 'too many fields'
}

@test "jsonl: a plain line" {
	good jsonl '{"key":"k","value":"v"}' $'k\tv'
	good jsonl ' { "value" : "" , "key" : "\u00fc\t" } ' 'ü\t	'
	good jsonl '{"key":"a\u0000b","value":"v"}' 'a\x00b	v'
}

@test "jsonl: base64" {
	good jsonl '{"key_base64":"AP8=","value_base64":""}' '\x00\xff	'
	good jsonl '{"key":"k","value_base64":"YWI="}' $'k\tab'
}

@test "jsonl: bytes that are no text are written as base64" {
	run -0 formats load tsv jsonl - < <(printf 'k\t\\xff\n\\x00\tv\nü\t\\n\n')
	[ "${lines[0]}" = '{"key":"k","value_base64":"/w=="}' ]
	[ "${lines[1]}" = '{"key_base64":"AA==","value":"v"}' ]
	[ "${lines[2]}" = '{"key":"ü","value":"\n"}' ]
}

@test "jsonl: bad lines" {
	bad load jsonl '{' 'this is no JSON'
	bad load jsonl '' 'this is no JSON'
	bad load jsonl '[1]' 'no JSON object'
	bad load jsonl '{"key":"k"}' 'there is no "value"'
	bad load jsonl '{"value":"v"}' 'there is no "key"'
	bad load jsonl '{"key":1,"value":"v"}' '"key" is no string'
	bad load jsonl '{"key":"k","value":null}' '"value" is no string'
	bad load jsonl '{"key":"k","value":"v","vlaue":1}' '"vlaue" is not expected here'
	bad load jsonl '{"op":"put","key":"k","value":"v"}' '"op" is not expected here'
	bad load jsonl '{"key":"k","key":"l","value":"v"}' 'this is no JSON'
	bad load jsonl '{"key":"k","key_base64":"aw==","value":"v"}' 'both a "key" and its base64'
	bad load jsonl '{"key_base64":"a","value":"v"}' '"key_base64" is no base64'
	bad load jsonl '{"key_base64":"a===","value":"v"}' '"key_base64" is no base64'
	bad load jsonl '{"key_base64":"a=a=","value":"v"}' '"key_base64" is no base64'
	bad load jsonl '{"key_base64":"aw- ","value":"v"}' '"key_base64" is no base64'
	bad load jsonl '{"key_base64":"aw==","value":"v"} {}' 'this is no JSON'
	bad load jsonl $'{"key":"\xff","value":"v"}' 'this is no JSON'
}

@test "jsonl: puts and deletes" {
	run -0 formats apply jsonl tsv - <<-END
	{"op":"put","key":"k","value":"v"}
	{"op":"del","key_base64":"AA=="}
	END
	[ "$output" = $'k\tv\ndel\t\\x00' ]
	bad apply jsonl '{"key":"k","value":"v"}' '"op" is neither'
	bad apply jsonl '{"op":"PUT","key":"k","value":"v"}' '"op" is neither'
	bad apply jsonl '{"op":1,"key":"k","value":"v"}' '"op" is neither'
	bad apply jsonl '{"op":"del","key":"k","value":"v"}' '"value" is not expected here'
}

@test "all 256 bytes go through both formats and back" {
	every_byte >"$BATS_TEST_TMPDIR/all"
	formats load jsonl tsv "$BATS_TEST_TMPDIR/all" >"$BATS_TEST_TMPDIR/tsv"
	[ "$(wc -l <"$BATS_TEST_TMPDIR/tsv")" = 256 ]
	formats load tsv jsonl "$BATS_TEST_TMPDIR/tsv" >"$BATS_TEST_TMPDIR/jsonl"
	formats load jsonl tsv "$BATS_TEST_TMPDIR/jsonl" | cmp - "$BATS_TEST_TMPDIR/tsv"
	formats load tsv tsv "$BATS_TEST_TMPDIR/tsv" | cmp - "$BATS_TEST_TMPDIR/tsv"
	# Nothing but printable bytes, tabs and newlines, and UTF-8.
	LC_ALL=C grep -qP '[\x00-\x08\x0b-\x1f\x7f]' "$BATS_TEST_TMPDIR/tsv" && return 1
	iconv -f utf-8 -t utf-8 "$BATS_TEST_TMPDIR/tsv" >/dev/null
	# The bytes are those that python meant.
	python3 - "$BATS_TEST_TMPDIR/jsonl" <<-'END'
	import base64, json, sys
	for n, line in enumerate(open(sys.argv[1], encoding="utf-8")):
	    o, b = json.loads(line), bytes([n])
	    get = lambda name: base64.b64decode(o[name + "_base64"]) if name + "_base64" in o else o[name].encode()
	    assert get("key") == b"k" + b and get("value") == b + b"v" + b, n
	END
}

@test "lines of every length around the size of the buffer" {
	python3 -c '
for n in (262142, 262143, 262144, 262145, 524288, 3, 524289, 1, 1 << 20):
    print("k%d\t%s" % (n, "v" * (n - 3)))' >"$BATS_TEST_TMPDIR/long"
	formats load tsv tsv "$BATS_TEST_TMPDIR/long" | cmp - "$BATS_TEST_TMPDIR/long"
}

@test "a line without end is refused, not swallowed" {
	run -1 --separate-stderr formats load tsv tsv - < <(head -c 20000000 /dev/zero | tr '\0' x)
	[[ $stderr == "1: Message too long" ]]
}

@test "a million lines take a few seconds at most" {
	seq 1000000 | sed 's/.*/key &\tvalue &/' >"$BATS_TEST_TMPDIR/million"
	SECONDS=0
	formats load tsv tsv "$BATS_TEST_TMPDIR/million" | cmp - "$BATS_TEST_TMPDIR/million"
	[ "$SECONDS" -lt 10 ]
}

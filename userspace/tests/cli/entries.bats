#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#
# put, get, del.

load helpers

@test "put and get" {
	run -0 --separate-stderr snapmap put "$M" key value
	is ""
	run -0 --separate-stderr snapmap get "$M" key
	is value
	snapmap put "$M" key other
	run -0 snapmap get "$M" key
	is other
	[ "$(version "$M")" = 3 ]
}

@test "put: an empty value, and a word with a dash" {
	snapmap put "$M" key ""
	run -0 snapmap get "$M" key
	is ""
	snapmap put "$M" -- -key --value
	run -0 snapmap get "$M" -- -key
	is --value
}

@test "arguments are taken as they stand, with --escaped as escapes" {
	snapmap put "$M" 'a\tb' 'c\x41'
	run -0 snapmap get "$M" 'a\tb'
	is 'c\\x41'
	run -0 snapmap get --raw "$M" 'a\tb'
	is 'c\x41'
	snapmap put -e "$M" 'a\tb' 'c\x41\x00'
	run -0 snapmap get -e "$M" 'a\x09b'
	is 'cA\x00'
	run -0 snapmap get "$M" $'a\tb' 'a\tb'
	is $'a\\tb\tcA\\x00\na\\\\tb\tc\\\\x41'
	run -0 snapmap del --escaped "$M" 'a\tb'
	run -1 snapmap get "$M" $'a\tb'
	run -0 snapmap get "$M" 'a\tb'
}

@test "get: several keys, one of them absent" {
	snapmap put "$M" a 1
	snapmap put "$M" b 2
	run -0 snapmap get "$M" b a b
	is $'b\t2\na\t1\nb\t2'
	run -1 --separate-stderr snapmap get "$M" a 'no\such' b
	is $'a\t1\nb\t2'
	tells "snapmap: $M: there is no key 'no\\\\\\\\such' in version 3"
}

@test "get: an absent key prints nothing" {
	run -1 --separate-stderr snapmap get "$M" key
	is ""
	tells "snapmap: $M: there is no key 'key' in version 1"
	run -1 --separate-stderr snapmap get --raw "$M" key
	is ""
}

@test "get --json" {
	snapmap put "$M" a 1
	snapmap put -e "$M" 'b\x00' '\xff'
	run -0 --separate-stderr snapmap get --json -e "$M" a 'b\x00'
	[ "$(jq -c '.entries[0]' <<<"$output")" = '{"key":"a","value":"1","version":2}' ]
	[ "$(jq -c '.entries[1]' <<<"$output")" = '{"key_base64":"YgA=","value_base64":"/w==","version":3}' ]
	[ "$(jq -c '[.name, .version, .missing]' <<<"$output")" = "[\"$M\",3,[]]" ]
	run -1 --separate-stderr snapmap get --json "$M" nothing
	[ "$(jq -c '[.entries, .missing]' <<<"$output")" = '[[],[{"key":"nothing"}]]' ]
}

@test "get --raw: the bytes and nothing else" {
	snapmap put -e "$M" key '\x00\xff\n'
	[ "$(snapmap get --raw "$M" key | od -An -tx1 | tr -d ' \n')" = 00ff0a ]
}

@test "put --if-absent" {
	run -0 snapmap put --if-absent "$M" key one
	run -3 --separate-stderr snapmap put --if-absent "$M" key two
	tells "snapmap: $M: the key is there already (version 2), nothing has changed; *"
	run -0 snapmap get "$M" key
	is one
	[ "$(version "$M")" = 2 ]
}

@test "put --if-version" {
	snapmap put "$M" key one
	snapmap put "$M" unrelated x
	run -3 --separate-stderr snapmap put --if-version 3 "$M" key two
	tells "snapmap: $M: the key was not last written at version 3 (the map is at 3), nothing has changed; *"
	run -0 snapmap put --if-version 2 "$M" key two
	run -0 snapmap get "$M" key
	is two
	run -3 snapmap put --if-version 2 "$M" key three
	run -3 snapmap put --if-version 0 "$M" absent three
}

@test "del: all or none" {
	for key in a b c; do snapmap put "$M" $key 1; done
	run -1 --separate-stderr snapmap del "$M" a $'n\to' b
	tells "snapmap: $M: there is no key 'n\\\\to', nothing has been deleted; *"
	[ "$(version "$M")" = 4 ]
	run -0 --separate-stderr snapmap del "$M" a c
	is ""
	run -0 snapmap dump "$M"
	is $'b\t1'
	[ "$(version "$M")" = 5 ]
	run -1 snapmap del "$M" b b
	run -0 snapmap get "$M" b
}

@test "keys of 1024 bytes" {
	key=$(head -c 1024 /dev/zero | tr '\0' k)
	snapmap put "$M" "$key" value
	snapmap put "$M" "${key%k}" shorter
	run -0 snapmap get "$M" "$key"
	is value
	run -0 snapmap get "$M" "${key%k}"
	is shorter
	run -0 snapmap verify "$M"
	snapmap del "$M" "$key"
	run -1 snapmap get "$M" "$key"
	run -2 snapmap put "$M" "${key}k" value
}

@test "values of 1 MiB" {
	head -c 786432 /dev/urandom >"$D/random"
	base64 -w0 "$D/random" >"$D/value"
	[ "$(stat -c %s "$D/value")" = 1048576 ]
	for key in a b; do printf 'put\t%s\t%s\n' $key "$(<"$D/value")"; done | snapmap apply "$M" -
	snapmap get --raw "$M" a | cmp - "$D/value"
	snapmap get "$M" a b | cut -f2 | head -1 | tr -d '\n' | cmp - "$D/value"
	run -0 snapmap verify "$M"
	printf 'put\tc\t%sx\n' "$(<"$D/value")" >"$D/long"
	run -4 --separate-stderr snapmap apply "$M" "$D/long"
	tells "*:1: the value has 1048577 bytes; 1048576 are allowed*nothing has been applied*"
}

@test "get: a full disk and a closed pipe are noticed" {
	snapmap put "$M" key value
	run -4 --separate-stderr bash -c "snapmap get '$M' key >/dev/full"
	tells "snapmap: standard output: it cannot be written: No space left on device"
	run -4 --separate-stderr bash -c "snapmap get '$M' key >&-"
	tells "snapmap: standard output: it cannot be written: Bad file descriptor"
}

@test "put: the memory limit" {
	snapmap destroy "$M"
	snapmap create "$M" --limit 256K
	head -c 500000 /dev/zero | tr '\0' v >"$D/value"
	printf 'put\tkey\t%s\n' "$(<"$D/value")" >"$D/file"
	run -4 --separate-stderr snapmap apply "$M" "$D/file"
	tells "snapmap: $M: its memory limit does not hold the old and the new snapshot together, nothing has changed; *"
	[ "$(version "$M")" = 1 ]
	[ "$(snapmap info --json "$M" | jq .failures)" = 1 ]
	snapmap put "$M" key value
}

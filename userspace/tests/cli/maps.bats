#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#
# create, destroy, list, info, and who may do what.

load helpers

@test "create: a new map is empty, of version 1, and the caller's" {
	run -0 --separate-stderr snapmap info --json "$M"
	[ "$(jq -r '[.name, .state, .version, .entries, .commits] | @csv' <<<"$output")" = "\"$M\",\"live\",1,0,0" ]
	[ "$(stat -c '%U:%G %a' "/dev/snapmap/$M")" = "root:root 644" ]
	run -0 snapmap dump "$M"
	is ""
	run -0 snapmap verify "$M"
	is "$M: version 1 is sound: 0 entries, 0 bytes"
}

@test "create: limit, mode and owner" {
	snapmap destroy "$M"
	run -0 snapmap create "$M" --limit 8M --mode 640 --owner nobody
	is ""
	[ "$(stat -c '%U:%G %a' "/dev/snapmap/$M")" = "nobody:nogroup 640" ]
	[ "$(snapmap info --json "$M" | jq .limit)" = 8388608 ]
	snapmap destroy "$M"
	snapmap create -l 131072 -m 0600 -o 12345:daemon "$M"
	[ "$(stat -c '%u:%G %a' "/dev/snapmap/$M")" = "12345:daemon 600" ]
	snapmap destroy "$M"
	snapmap create -o daemon:0 "$M"
	[ "$(stat -c '%U:%G %a' "/dev/snapmap/$M")" = "daemon:root 644" ]
}

@test "create: a name in use is a conflict" {
	run -3 --separate-stderr snapmap create "$M"
	tells "snapmap: $M: a map of this name exists; *"
}

@test "create and destroy: only for root" {
	run -4 --separate-stderr as_nobody snapmap create other
	tells "snapmap: other: you may not create maps; ask root"
	run -4 --separate-stderr as_nobody snapmap destroy "$M"
	tells "snapmap: $M: you may not destroy maps; ask root"
	[ -e "/dev/snapmap/$M" ]
}

@test "create: the longest name" {
	name=$(printf '%063d' 1)
	run -0 snapmap create "$name"
	snapmap list | grep -q "^$name "
	snapmap destroy "$name"
}

@test "destroy: several, of which one does not exist" {
	snapmap create "$M-b"
	run -1 --separate-stderr snapmap destroy "$M" no-such-map "$M-b"
	tells "snapmap: no-such-map: no such map; *"
	[ ! -e "/dev/snapmap/$M" ] && [ ! -e "/dev/snapmap/$M-b" ]
}

@test "destroy: the name can be used again, for another map" {
	snapmap put "$M" k v
	id=$(snapmap info --json "$M" | jq -r .map_id)
	snapmap destroy "$M"
	snapmap create "$M"
	[ "$(version "$M")" = 1 ]
	[ "$(snapmap info --json "$M" | jq -r .map_id)" != "$id" ]
	run -1 snapmap get "$M" k
}

@test "no such map: every verb says so" {
	for words in info log pins "diff 1" watch verify dump "dump --at @1" "put k v" "get k" "del k" "load /dev/null" "apply /dev/null"; do
		read -ra word <<<"$words"
		run -1 --separate-stderr snapmap "${word[0]}" no-such-map "${word[@]:1}"
		tells "snapmap: no-such-map: no such map; 'snapmap list' shows those that exist"
		is ""
	done
}

@test "list: text and JSON" {
	snapmap put "$M" key value
	run -0 snapmap list
	[[ ${lines[0]} == NAME*VERSION*ENTRIES*DATA*MEMORY*LIMIT*MODE*OWNER ]]
	[[ $(grep "^$M " <<<"$output" | tr -s ' ') == "$M 2 1 8 "*" 0644 root:root" ]]
	[ "$(grep -c "^$M " <<<"$output")" = 1 ]
	run -0 snapmap list --json
	is "$output"
	[ "$(jq -c ".[] | select(.name == \"$M\") | [.version, .entries, .key_bytes, .value_bytes, .mode, .owner]" \
		<<<"$output")" = '[2,1,3,5,"0644","root:root"]' ]
}

@test "list: maps in the order of their names" {
	snapmap create zz-last
	snapmap create AA-first
	run -0 snapmap list --json
	names=$(jq -r '.[].name' <<<"$output")
	snapmap destroy zz-last AA-first
	[ "$names" = "$(LC_ALL=C sort <<<"$names")" ]
	[[ $names == AA-first*zz-last ]]
}

@test "list: a map that may not be read shows little" {
	snapmap destroy "$M"
	snapmap create "$M" --mode 600
	run -0 as_nobody snapmap list
	[[ $(grep "^$M " <<<"$output" | tr -s ' ') == "$M - - - - - 0600 root:root" ]]
	run -0 as_nobody snapmap list --json
	[ "$(jq -c ".[] | select(.name == \"$M\")" <<<"$output")" = \
		"{\"name\":\"$M\",\"mode\":\"0600\",\"owner\":\"root:root\",\"readable\":false}" ]
}

@test "info: all that the ABI tells, in both forms" {
	snapmap put "$M" key value
	run -3 snapmap put "$M" key other --if-absent
	run -0 snapmap info "$M"
	text=$output
	run -0 snapmap info --json "$M"
	[ "$(jq -c '[.version, .entries, .key_bytes, .value_bytes, .commits, .conflicts, .failures, .pins]' \
		<<<"$output")" = '[2,1,3,5,1,1,0,0]' ]
	[ "$(jq -c .stamp <<<"$output")" = '"0"' ]
	for name in $(jq -r 'keys[]' <<<"$output"); do
		grep -q "^$name " <<<"$text"
	done
	[[ $(jq -r .published <<<"$output") =~ ^20[0-9-]{8}T[0-9:]{8}\.[0-9]{9}Z$ ]]
}

@test "permissions: who may read may not commit" {
	snapmap put "$M" key value
	run -0 as_nobody snapmap get "$M" key
	is value
	for words in "put $M k v" "del $M key" "load $M /dev/null" "apply $M /dev/null"; do
		# shellcheck disable=SC2086
		run -4 --separate-stderr as_nobody snapmap $words
		tells "snapmap: $M: you may not commit to this map (mode 0644, owner root:root); ask its owner"
	done
	[ "$(version "$M")" = 2 ]
}

@test "permissions: who may do nothing" {
	snapmap destroy "$M"
	snapmap create "$M" --mode 600
	for words in "info $M" "get $M k" "get $M k l" "dump $M" "dump $M --at 1" "log $M" "pins $M" "diff $M 1" "watch $M" "verify $M"; do
		# shellcheck disable=SC2086
		run -4 --separate-stderr as_nobody snapmap $words
		tells "snapmap: $M: you may not read this map (mode 0600, owner root:root); ask its owner"
	done
}

@test "permissions: an owner who is not root" {
	snapmap destroy "$M"
	snapmap create "$M" --mode 600 --owner nobody
	as_nobody snapmap put "$M" key value
	run -0 as_nobody snapmap get "$M" key
	is value
	as_nobody snapmap del "$M" key
}

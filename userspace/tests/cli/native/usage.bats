#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#
# Usage, help, and a system without the module.

bats_require_minimum_version 1.5.0

VERBS="create set destroy list info put get del load apply rollback dump log diff watch pins verify"

setup() {
	[ ! -e /dev/snapmap/control ] || skip "the module is loaded here"
}

@test "--help names every verb, and every verb has its --help" {
	run -0 snapmap --help
	for verb in $VERBS; do
		[[ $output == *"  $verb "* ]]
	done
	for verb in $VERBS; do
		run -0 snapmap "$verb" --help
		[[ $output == *"snapmap $verb"* && $output == *"-h, --help"* ]]
		run -0 snapmap "$verb" -h
	done
}

@test "--version" {
	run -0 snapmap --version
	[[ $output =~ ^snapmap\ [0-9]+\.[0-9]+\.[0-9]+$ ]]
}

@test "no verb, or an unknown one, is wrong usage" {
	run -2 --separate-stderr snapmap
	[[ $stderr == *"a verb is missing"*"--help"* && -z $output ]]
	run -2 --separate-stderr snapmap destory x
	[[ $stderr == *"there is no verb 'destory'"* ]]
}

@test "a missing argument, one too many, an unknown option are wrong usage" {
	for words in create set destroy info "put m" "put m k" "get m" "del m" "load m" "apply m" "rollback m" dump log diff "diff m" watch pins verify; do
		# shellcheck disable=SC2086
		run -2 --separate-stderr snapmap $words
		[[ $stderr == "snapmap: ${words%% *}: an argument is missing; usage: snapmap "* ]]
	done
	for words in "create a b" "set a b" "list a" "info a b" "rollback a 1 2" "put m k v w" "load m f g" \
		"apply $(seq -s ' ' 130)" "dump a b" "log a b" "diff a 1 2 3" "watch a b" "pins a b"; do
		# shellcheck disable=SC2086
		run -2 --separate-stderr snapmap $words
		[[ $stderr == *"too many arguments"* ]]
	done
	run -2 --separate-stderr snapmap list --colour
	[[ $stderr == *"--colour"*"see 'snapmap list --help'" ]]
}

@test "bad values of options are wrong usage" {
	local -A wrong=(
		["create m --limit ten"]="no size" ["create m --limit 1Q"]="no size"
		["create m --limit 1K"]="no possible limit" ["create m --limit 1T"]="no possible limit"
		["create m --limit 99999999999999999999"]="no size" ["create m --limit -1"]="no size"
		["create m --limit 99999999999999999G"]="no size"
		["create m --mode 888"]="no mode" ["create m --mode 1777"]="no mode"
		["create m --owner no-such-user"]="no user or group"
		["create m --owner root:no-such-group"]="no user or group"
		["create m --owner :"]="no user or group"
		["put m k v --if-version x"]="no version"
		["put m k v --if-version 1 --if-absent"]="exclude each other"
		["put m k v --file f"]="exclude each other"
		["create m --history 0"]="use 1 to 16384" ["set m --history 16385"]="use 1 to 16384"
		["create m --lease 0"]="from 1ms to 1h" ["set m --lease 3601"]="from 1ms to 1h"
		["set m --lease 1d"]="from 1ms to 1h" ["set m --lease ms"]="from 1ms to 1h"
		["set m --lease 99999999999999999999h"]="from 1ms to 1h"
		["set m --pins never"]="refuse or revoke" ["set m"]="nothing is to change"
		["rollback m 0"]="neither a version nor a time" ["rollback m x"]="neither a version nor a time"
		["put m k v --stamp x"]="no stamp" ["del m k --stamp -1"]="no stamp"
		["rollback m 1 --stamp 18446744073709551616"]="no stamp"
		["put m k v --if-newer"]="give a --stamp"
		["put m k v --wait 0s"]="no time to wait" ["del m k --wait 2000h"]="no time to wait"
		["rollback m 1 --wait 1s --no-wait"]="exclude each other"
		["load m f --json"]="for --dry-run" ["apply m f n"]="NAME FILE pairs"
		["apply m f n g m h"]="'m' is there twice" ["apply m - n -"]="only once"
		["load m f --stamp x"]="no stamp" ["apply m f --if-newer"]="give a --stamp"
		["apply m f --merge"]="Unknown option --merge"
		["get m k l --raw"]="one value" ["get m k --raw --json"]="one value"
		["watch m --count 0"]="no number of versions" ["watch m --count x"]="no number of versions"
		["watch m --keys="]="a key is empty" ["watch m -e --keys \\q"]="bad escape"
		["diff m 1 --json --apply"]="exclude each other" ["watch m -j -a"]="exclude each other"
		["watch m --from x"]="neither a version nor a time"
		["get m k --at 0"]="neither a version nor a time" ["dump m --at -1"]="neither a version nor a time"
		["verify m --at x"]="neither a version nor a time"
		["diff m 1 yesterday"]="neither a version nor a time" ["diff m @ 1"]="neither a version nor a time"
		["load m f --format xml"]="no format 'xml'" ["dump m --format xml"]="no format 'xml'"
		["put -e m k\\q v"]="bad escape" ["get -e m \\x0"]="bad escape"
	)
	for words in "${!wrong[@]}"; do
		# shellcheck disable=SC2086
		run -2 --separate-stderr snapmap $words
		[[ $stderr == *"${wrong[$words]}"* && -z $output ]] || {
			echo "$words: $stderr"
			return 1
		}
	done
}

@test "times are taken in these forms, and in no others" {
	for time in 7 @0 @1795406400 @1795406400.5 @1795406400.123456789 2026-11-23T04:00:00Z 20261123T040000Z \
		2026-11-23T04:00:00 2026-11-23T04:00:00.000000001Z 2026-11-23T04:00:00.5+02:00 "2026-11-23 04:00:00"; do
		run -4 --separate-stderr snapmap get m k --at "$time"
		[[ $stderr == *"is the snapmap module loaded?" ]]
	done
	for time in "" 0 -1 1.5 @ @-1 @1. @1.1234567890 @.5 @1,5 @99999999999999999999 2026-11-23 04:00 \
		2026-13-01T00:00:00Z 2026-11-23T25:00:00Z 1969-12-31T23:59:59Z 2600-01-01T00:00:00Z \
		2026-11-23T04:00:00.Z 2026-11-23T04:00:00ZZ 2026-11-23T04:00:00.1x now; do
		run -2 --separate-stderr snapmap get m k --at "$time"
		[[ $stderr == *"'$time' is neither a version nor a time; "* ]] || {
			echo "$time: $stderr"
			return 1
		}
	done
}

@test "empty and overlong keys are wrong usage" {
	run -2 --separate-stderr snapmap put m "" v
	[[ $stderr == *"a key is empty"* ]]
	run -2 --separate-stderr snapmap get m "$(printf '%1025s' x)"
	[[ $stderr == *"a key has 1025 bytes; 1024 are allowed"* ]]
}

@test "bad names of maps are wrong usage" {
	for name in a/b ../x .hidden control "a b" "" "$(printf '%064d' 1)"; do
		run -2 --separate-stderr snapmap info "$name"
		[[ $stderr == "snapmap: $name: this is no name of a map; use "* ]]
		run -2 --separate-stderr snapmap create "$name"
		[[ $stderr == *"this is no name of a map"* ]]
	done
	run -2 --separate-stderr snapmap create -- -dash
	[[ $stderr == *"this is no name of a map"* ]]
}

@test "without the module every verb asks for it" {
	for words in "create m" "set m --history 2" "destroy m" list "info m" "put m k v" "get m k" "del m k" "load m /dev/null" \
		"apply m /dev/null" "rollback m 1" "dump m" "log m" "diff m 1" "watch m" "pins m" "verify m"; do
		# shellcheck disable=SC2086
		run -4 --separate-stderr snapmap $words
		[[ $stderr == *"is the snapmap module loaded?" && -z $output ]] || {
			echo "$words: $stderr"
			return 1
		}
	done
}

@test "help into a full disk is noticed" {
	run -4 --separate-stderr bash -c 'snapmap --help >/dev/full'
	[[ $stderr == *"standard output: it cannot be written: No space left on device"* ]]
}

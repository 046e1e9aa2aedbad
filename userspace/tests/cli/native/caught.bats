#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#
# Tests of the tests: with a rule of the code broken, the test that guards it must fail.

bats_require_minimum_version 1.5.0

# fails PROGRAM TEST
fails() {
	CMOCKA_MESSAGE_OUTPUT=TAP "$(dirname "$(command -v snapmap)")/tests/$1" 2>&1 | grep -qE "^not ok [0-9]+ - $2$"
}

@test "a transaction that takes a short write for a whole one" {
	fails txn_broken test_pieces_come_whole_and_in_order
	fails txn_broken test_a_torn_batch_is_the_end
}

@test "a dry run that counts every line of a key" {
	fails dry_run_broken test_against_a_model
}

@test "a revoked pin that is read all the same" {
	fails diff_broken test_revoked
}

@test "a watch that goes on behind what it could not tell" {
	fails watch_broken test_revoked
}

#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#
# The library against the module; device_test.c, history_test.c and transaction_test.c say what is
# tested.

@test "device_test" {
	"$(dirname "$(command -v snapmap)")/tests/device_test"
}

@test "history_test" {
	"$(dirname "$(command -v snapmap)")/tests/history_test"
}

@test "transaction_test" {
	"$(dirname "$(command -v snapmap)")/tests/transaction_test"
}

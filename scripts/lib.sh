# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#
# Shared by the scripts here: where things are, how they speak and fail. Sourced, never run.
#
# SNAPMAP_TOP    the tree to work on, when it is not the one that holds these scripts
# SNAPMAP_CACHE  what is downloaded or built once (kernels, compiler cache); outside the tree and safe to delete

# shellcheck disable=SC2034  # used by those who source this
scripts=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
top=$(cd "${SNAPMAP_TOP:-$scripts/..}" && pwd -P)
cache=${SNAPMAP_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/snapmap}
self=${0##*/}

# depmod and modprobe are not on everybody's.
PATH=$PATH:/usr/sbin:/sbin

# All talk goes to stderr: stdout belongs to a script's answer. A script may have another status than 1 to fail with.
die_status=1
info() { printf '%s: %s\n' "$self" "$*" >&2; }
die() {
	info "$*"
	exit $die_status
}

# The comment block that opens a script is its --help.
show_help() { awk 'NR > 3 && !/^#/ { exit } NR > 3 { sub(/^# ?/, ""); print }' "$0"; }

# Where the module for a kernel of scripts/kernel is built; apart, with SNAPMAP_GCOV=y, when it counts what has run.
module_dir() { printf '%s/build/%s\n' "$top" "$1${SNAPMAP_GCOV:+-gcov}"; }

# Print the exact version of an installed package; fails when it is not installed.
package_version() {
	local line
	line=$(dpkg-query -W -f '${db:Status-Status} ${Version}' "$1" 2>/dev/null) || return 1
	[[ $line == 'installed '* ]] && printf '%s\n' "${line#* }"
}

# with_lock FILE COMMAND...: run COMMAND while nobody else runs one under the same file.
with_lock() {
	local lock=$1
	shift
	mkdir -p "$(dirname "$lock")"
	(
		flock -w 3 9 || { info "waiting for $lock" && flock 9; }
		"$@" 9>&-
	) 9>"$lock"
}

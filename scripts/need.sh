#!/bin/sh
# Says clearly when a tool that Fairlead builds or starts with is missing or old.
# Usage: need.sh go|python
set -eu
cd "$(dirname "$0")/.."

# at_least HAVE WANT: compares dotted numbers, two parts deep.
at_least() {
	have_major=${1%%.*}
	have_rest=${1#*.}
	want_major=${2%%.*}
	want_rest=${2#*.}
	[ "$have_major" -gt "$want_major" ] ||
		{ [ "$have_major" -eq "$want_major" ] && [ "${have_rest%%.*}" -ge "${want_rest%%.*}" ]; }
}

case ${1-} in
go)
	want=$(sed -n 's/^go //p' go.mod)
	if ! command -v "${GO:-go}" >/dev/null 2>&1; then
		echo "Go $want or newer is needed and was not found: install it from https://go.dev/dl/ and run make again." >&2
		exit 1
	fi
	# Go 1.21 and newer fetch the version that go.mod names by themselves.
	have=$(GOTOOLCHAIN=local "${GO:-go}" env GOVERSION 2>/dev/null | sed 's/^go//; s/[^0-9.].*//')
	if ! at_least "${have:-0.0}" 1.21; then
		echo "Go ${have:-of unknown version} is too old: Fairlead needs $want (Go 1.21 or newer fetches it). Get one from https://go.dev/dl/." >&2
		exit 1
	fi
	;;
python)
	# The local engine is a Python wheel. Without Python, Fairlead still starts and
	# uses a llama-server, a local model server or a provider's key that it finds.
	# Any machine with llama-server on PATH needs no Python at all.
	command -v llama-server >/dev/null 2>&1 && exit 0
	have=$(python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null || true)
	if [ -z "$have" ]; then
		echo "Python 3.10 or newer was not found, so the local model cannot be set up." >&2
		echo "Install python3 with pip (or llama-server) and run make again; Fairlead starts with whatever else it finds." >&2
	elif ! at_least "$have" 3.10; then
		echo "Python $have is older than 3.10, so the local model cannot be set up." >&2
		echo "Install a newer python3 (or llama-server) and run make again; Fairlead starts with whatever else it finds." >&2
	elif ! python3 -m pip --version >/dev/null 2>&1; then
		echo "python3 has no pip, so the local model cannot be downloaded: install it (Debian: apt-get install python3-pip)." >&2
	fi
	;;
*)
	echo "usage: need.sh go|python" >&2
	exit 2
	;;
esac

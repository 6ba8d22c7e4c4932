#!/bin/sh
# Runs the tests under the race detector. Usage: race.sh [go test flags] PACKAGES
#
# The detector needs a C compiler. Without one the tests run plainly and say so;
# with CI=true that is a failure.
set -eu
cd "$(dirname "$0")/.."
go=${GO:-go}
limit=${TEST_TIMEOUT:-20m}

cc=$("$go" env CC)
if command -v "${cc%% *}" >/dev/null 2>&1; then
	exec env CGO_ENABLED=1 "$go" test -race -timeout "$limit" "$@"
fi
echo "No C compiler ($cc), which the race detector needs: install gcc or clang (Debian: apt-get install gcc libc6-dev)." >&2
if [ "${CI-}" = true ]; then exit 1; fi
echo "Running the tests without the race detector." >&2
exec "$go" test -timeout "$limit" "$@"

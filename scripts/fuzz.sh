#!/bin/sh
# Runs every fuzz target of the tree, one after the other. Usage: fuzz.sh TIME-EACH
set -eu
cd "$(dirname "$0")/.."
go=${GO:-go}
each=${1:-10s}
found=0

for pkg in $("$go" list -e -f '{{if or .TestGoFiles .XTestGoFiles}}{{.ImportPath}}{{end}}' ./...); do
	dir=$("$go" list -e -f '{{.Dir}}' "$pkg")
	# shellcheck disable=SC2013 # names of functions have no spaces
	for target in $(sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\)(.*/\1/p' "$dir"/*_test.go); do
		found=$((found + 1))
		echo "$pkg $target"
		"$go" test -run '^$' -fuzz "^$target\$" -fuzztime "$each" "$pkg"
	done
done
echo "$found fuzz targets, $each each"

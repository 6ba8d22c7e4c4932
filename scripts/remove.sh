#!/bin/sh
# Removes folders of this repository that can be made again, and says what that frees.
# Usage: remove.sh NAME...
set -eu
cd "$(dirname "$0")/.."
test -f go.mod || { echo "remove.sh: this is not the repository" >&2; exit 1; }

for name in "$@"; do
	case $name in
	bin | .cache | data) ;;
	*)
		echo "remove.sh: refusing to remove '$name': only bin, .cache and data can be made again" >&2
		exit 2
		;;
	esac
	if [ -e "$name" ]; then
		size=$(du -sh "$name" | cut -f1)
		# Some tools mark what they download read-only.
		chmod -R u+w "$name"
		rm -rf "$name"
		echo "removed $name ($size freed)"
	else
		echo "$name is not there"
	fi
done

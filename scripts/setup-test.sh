#!/bin/sh
# Gets what the tests need and this system can give: the official SDKs and the
# local engine's files into .cache, and a Chromium through the system's own package
# manager where that asks for no password. Safe to repeat; what is there is kept.
#
# What cannot be had is listed at the end with the one line that would get it.
# With CI=true such a gap is a failure. Undo: make clean (and, for a browser that
# this script installed, the line that it prints).
set -u
cd "$(dirname "$0")/.." || exit 1
mkdir -p .cache
gaps=

step() { printf '%s\n' "-- $1"; }

# gap WHAT LINE: notes what is missing and the line that would get it.
gap() {
	gaps="$gaps
  $1
      $2"
}

# as_root COMMAND...: runs it when that needs no password, else fails.
as_root() {
	if [ "$(id -u)" -eq 0 ]; then
		"$@"
	elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
		sudo -n "$@"
	else
		return 1
	fi
}

# browser prints the Chromium or Chrome that tests will use, or fails.
browser() {
	if [ -n "${FAIRLEAD_CHROMIUM-}" ]; then
		command -v "$FAIRLEAD_CHROMIUM"
		return
	fi
	for name in chromium chromium-browser google-chrome google-chrome-stable \
		"/Applications/Google Chrome.app/Contents/MacOS/Google Chrome" \
		"/Applications/Chromium.app/Contents/MacOS/Chromium"; do
		if command -v "$name" 2>/dev/null; then return; fi
	done
	return 1
}

# package_manager prints the first that this system has, or nothing.
package_manager() {
	for pm in apt-get dnf apk pacman; do
		if command -v "$pm" >/dev/null 2>&1; then
			echo "$pm"
			return
		fi
	done
}

# browser_line VERB: the package manager's line that installs or removes Chromium.
browser_line() {
	case "$(package_manager) $1" in
	"apt-get install") echo "apt-get install -y --no-install-recommends chromium" ;;
	"apt-get remove") echo "apt-get remove -y chromium" ;;
	"dnf install") echo "dnf install -y chromium" ;;
	"dnf remove") echo "dnf remove -y chromium" ;;
	"apk install") echo "apk add chromium" ;;
	"apk remove") echo "apk del chromium" ;;
	"pacman install") echo "pacman -S --noconfirm chromium" ;;
	"pacman remove") echo "pacman -R --noconfirm chromium" ;;
	*) return 1 ;;
	esac
}

# install_browser tries the package manager once, with fresh lists if need be.
install_browser() {
	line=$(browser_line install) || return 1
	as_root true || return 1
	echo "   $line"
	# shellcheck disable=SC2086 # the line is words on purpose
	if ! as_root env DEBIAN_FRONTEND=noninteractive $line >.cache/browser.log 2>&1; then
		[ "$(package_manager)" = apt-get ] || return 1
		echo "   refreshing the package lists first"
		as_root apt-get update >>.cache/browser.log 2>&1 || return 1
		# shellcheck disable=SC2086
		as_root env DEBIAN_FRONTEND=noninteractive $line >>.cache/browser.log 2>&1 || return 1
	fi
	browser_line remove >.cache/browser-undo
	browser >/dev/null
}

step "C compiler (for the race detector)"
cc=$("${GO:-go}" env CC)
if command -v "${cc%% *}" >/dev/null 2>&1; then
	echo "   $cc"
else
	gap "no C compiler: tests run without the race detector" \
		"install gcc or clang (Debian: apt-get install gcc libc6-dev; macOS: xcode-select --install)"
fi

step "official SDKs (.cache/sdk)"
if sh sdktests/setup.sh; then :; else
	gap "not all SDKs are there: their tests are skipped" "install python3 (3.10 or newer, with pip and venv) and node (20 or newer, with npm), then: make setup-test"
fi

step "local engine and small model (.cache/engine)"
if bin/fairlead models pull --dir .cache/engine; then :; else
	gap "the local engine is not complete: tests with the real model are skipped" "install python3 (3.10 or newer, with pip), then: make setup-test"
fi

step "Chromium (for the console's tests)"
if found=$(browser) || { install_browser && found=$(browser); }; then
	echo "   $found"
	if [ -s .cache/browser-undo ]; then
		echo "   installed by this script; undo: $(cat .cache/browser-undo)"
	fi
else
	if line=$(browser_line install); then
		[ "$(id -u)" -eq 0 ] || line="sudo $line"
	else
		line="install Chrome or Chromium and set FAIRLEAD_CHROMIUM to its path"
	fi
	gap "no Chromium: the console's tests are skipped" "$line"
fi

if [ -z "$gaps" ]; then
	echo "-- everything is there; undo: make clean"
	exit 0
fi
printf '%s\n' "-- what this system lacks, and the line that gets it:$gaps"
if [ "${CI-}" = true ]; then
	echo "   CI=true: a gap is a failure" >&2
	exit 1
fi

#!/bin/sh
# Puts the SDKs of Python and JavaScript that clients use into .cache/sdk, at the
# versions that sdktests pins: OpenAI's, Anthropic's, Google's, Ollama's, LangChain's
# and Vercel's, some 340 MB. Those of Go are modules of this project. Silent and instant
# when nothing has changed: a stamp holds the requirement files and the interpreters'
# versions. Undo: make clean, or remove .cache/sdk.
#
# Usage: setup.sh [python] [js]; without arguments both. Exit code 1 if one could not be had.
set -u
cd "$(dirname "$0")/.." || exit 1
top=$(pwd)
python=${FAIRLEAD_PYTHON:-python3}
failed=0
mkdir -p .cache/sdk

# fresh NAME TEXT: is what lies in .cache/sdk/NAME made from this text?
fresh() {
	[ -f ".cache/sdk/$1.stamp" ] && [ "$(cat ".cache/sdk/$1.stamp")" = "$2" ]
}

# sum FILES: one line that changes with the files' bytes.
sum() {
	cat "$@" | cksum
}

setup_python() {
	if ! version=$("$python" -c 'import sys; print(sys.version); sys.exit(sys.version_info < (3, 10))' 2>/dev/null); then
		echo "sdktests: the Python suite needs Python 3.10 or newer; found: ${version:-none}" >&2
		return 1
	fi
	stamp="$version $(sum sdktests/python/requirements.txt)"
	if fresh python "$stamp"; then return 0; fi
	echo "   Python: SDKs of OpenAI, Anthropic, Google and Ollama, LangChain"
	rm -rf .cache/sdk/python .cache/sdk/python.stamp
	# The file names every package with its hash, so nothing is left to resolve.
	PIP_ROOT_USER_ACTION=ignore "$python" -m pip install --quiet --disable-pip-version-check --no-input \
		--only-binary=:all: --require-hashes --no-deps --target .cache/sdk/python -r sdktests/python/requirements.txt || return 1
	printf '%s\n' "$stamp" >.cache/sdk/python.stamp
}

setup_js() {
	if ! version=$(node --version 2>/dev/null) || ! command -v npm >/dev/null 2>&1; then
		echo "sdktests: the JavaScript suite needs node 20 or newer, with npm" >&2
		return 1
	fi
	major=${version#v}
	if [ "${major%%.*}" -lt 20 ]; then
		echo "sdktests: the JavaScript suite needs node 20 or newer; found: $version" >&2
		return 1
	fi
	stamp="$version $(sum sdktests/js/package.json sdktests/js/package-lock.json)"
	if fresh js "$stamp"; then return 0; fi
	echo "   JavaScript: SDKs of OpenAI, Anthropic, Google and Ollama, Vercel's AI SDK"
	rm -rf .cache/sdk/js .cache/sdk/js.stamp
	mkdir -p .cache/sdk/js
	cp sdktests/js/package.json sdktests/js/package-lock.json .cache/sdk/js/
	# Engines are not held against: most SDKs declare node 22, and the suites show that they run on 20.
	(cd "$top/.cache/sdk/js" && npm ci --ignore-scripts --no-audit --no-fund --no-update-notifier --loglevel=error) >/dev/null || return 1
	printf '%s\n' "$stamp" >.cache/sdk/js.stamp
}

# Both at once: each waits for the network most of the time.
jobs=
for suite in ${*:-python js}; do
	case $suite in
	python) setup_python & ;;
	js) setup_js & ;;
	*)
		echo "sdktests/setup.sh: unknown suite '$suite'; there are python and js" >&2
		exit 2
		;;
	esac
	jobs="$jobs $!"
done
for job in $jobs; do
	wait "$job" || failed=1
done
exit $failed

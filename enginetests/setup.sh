#!/bin/sh
# Puts Ollama's server and LiteLLM's proxy into .cache, for enginetests. Both are optional: without them `make test`
# skips what needs them. Silent and instant when nothing has changed. Undo: make clean.
#
# Ollama is the newest version whose server a Go module builds whole (C++ inside: a C++ compiler and some
# minutes). It has no fast kernels, which the tests know. LiteLLM is pinned with all it needs.
#
# Usage: setup.sh [ollama] [litellm]; without arguments both. Exit code 1 if one could not be had.
set -u
cd "$(dirname "$0")/.." || exit 1
top=$(pwd)
go=${GO:-go}
python=${FAIRLEAD_PYTHON:-python3}
ollama=v0.6.5
failed=0

setup_ollama() {
	stamp="$ollama $("$go" env GOVERSION GOOS GOARCH | tr '\n' ' ')"
	if [ -x .cache/ollama/bin/ollama ] && [ "$(cat .cache/ollama/stamp 2>/dev/null)" = "$stamp" ]; then return 0; fi
	cxx=$("$go" env CXX)
	if ! command -v "${cxx%% *}" >/dev/null 2>&1; then
		echo "enginetests: Ollama needs a C++ compiler ($cxx): install g++ or clang (Debian: apt-get install g++)" >&2
		return 1
	fi
	echo "   Ollama $ollama (compiles C++: 5 to 15 minutes; its words are in .cache/ollama/build.log)"
	mkdir -p .cache/ollama/bin
	# Outside of this module, so that nothing of it comes into ours.
	(cd / && GOBIN="$top/.cache/ollama/bin" GOFLAGS='' CGO_ENABLED=1 nice -n 15 "$go" install "github.com/ollama/ollama@$ollama") \
		>.cache/ollama/build.log 2>&1 || {
		echo "enginetests: Ollama does not build; the end of .cache/ollama/build.log:" >&2
		tail -n 5 .cache/ollama/build.log >&2
		return 1
	}
	printf '%s\n' "$stamp" >.cache/ollama/stamp
}

setup_litellm() {
	if ! version=$("$python" -c 'import sys; print(sys.version); sys.exit(sys.version_info < (3, 10))' 2>/dev/null); then
		echo "enginetests: LiteLLM needs Python 3.10 or newer; found: ${version:-none}" >&2
		return 1
	fi
	stamp="$version $(cksum <enginetests/requirements.txt)"
	if [ -x .cache/litellm/bin/litellm ] && [ "$(cat .cache/litellm/stamp 2>/dev/null)" = "$stamp" ]; then return 0; fi
	echo "   LiteLLM's proxy (about 750 MB)"
	rm -rf .cache/litellm
	mkdir -p .cache
	"$python" -m venv .cache/litellm || return 1
	# The file names every package, so nothing is left to resolve.
	.cache/litellm/bin/python -m pip install --quiet --disable-pip-version-check --no-input --only-binary=:all: --no-deps \
		-r enginetests/requirements.txt || return 1
	printf '%s\n' "$stamp" >.cache/litellm/stamp
}

for what in ${*:-ollama litellm}; do
	case $what in
	ollama) setup_ollama || failed=1 ;;
	litellm) setup_litellm || failed=1 ;;
	*)
		echo "enginetests/setup.sh: unknown '$what'; there are ollama and litellm" >&2
		exit 2
		;;
	esac
done
exit $failed

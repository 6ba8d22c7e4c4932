# Fairlead. `make` alone lists what there is; each target says what it does.

GO       ?= go
BIN      := bin/fairlead
TOOL     := $(GO) tool -modfile=tools/go.mod
GOFILES  := find . -name '*.go' -not -path './.*/*' -not -path '*/node_modules/*'
FUZZTIME ?= 10s
# What go test is given beside -race and the time limit, e.g. TESTFLAGS='-run Cost -v'.
TESTFLAGS ?=
PKGS      ?= ./...

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help run build test setup-test test-engines check fmt fmt-check vet arch lint vuln race bench smoke fuzz clean clean-data

help: ## this list
	@echo "Fairlead: point your OpenAI client at it, and it decides where inference runs."
	@echo
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: build ## set up a local model, start Fairlead, print the URL, a key and a curl
	@sh scripts/need.sh python
	@$(BIN) up --setup --data data

build: ## compile bin/fairlead (static, no cgo)
	@sh scripts/need.sh go
	@CGO_ENABLED=0 $(GO) build -trimpath -o $(BIN) ./cmd/fairlead

test: build setup-test race ## set up what tests need, then pass every test under the race detector

setup-test: build ## get what tests need: SDKs, the local engine, a browser
	@sh scripts/setup-test.sh

test-engines: build setup-test ## get Ollama and LiteLLM too (minutes), then ask every real engine
	@sh enginetests/setup.sh
	@TEST_TIMEOUT=30m sh scripts/race.sh -v $(TESTFLAGS) ./enginetests/...

check: fmt-check vet lint arch race vuln ## format, vet, lint, architecture, race tests, known vulnerabilities

fmt: ## format every Go file
	@$(GOFILES) -exec gofmt -w -s {} +

fmt-check:
	@echo "gofmt"
	@bad=$$($(GOFILES) -exec gofmt -l -s {} +); \
	if [ -n "$$bad" ]; then echo "$$bad"; echo "not formatted: run 'make fmt'" >&2; exit 1; fi

vet:
	@echo "go vet"
	@$(GO) vet ./...

lint: ## golangci-lint as pinned in tools/go.mod (its first build takes minutes)
	@echo "golangci-lint"
	@$(TOOL) golangci-lint run ./...

arch:
	@echo "architecture"
	@$(GO) test ./internal/arch/...

race:
	@sh scripts/race.sh $(TESTFLAGS) $(PKGS)

vuln:
	@echo "govulncheck"
	@sh scripts/vuln.sh $(TOOL) govulncheck ./...

bench: ## rerun the load scenarios of bench/, and what translating a stream costs per pair
	@$(GO) run ./bench
	@$(GO) test ./internal/dialect -run '^$$' -bench Stream

smoke: ## what has grown large: a report, never a failure
	@$(GO) run ./internal/arch/smoke

fuzz: ## run every fuzz target for FUZZTIME (10s) each
	@sh scripts/fuzz.sh $(FUZZTIME)

clean: ## remove what build and test made (bin, .cache); data stays
	@sh scripts/remove.sh bin .cache
	@echo "'make build' and 'make setup-test' bring them back. Your data is untouched."

clean-data: ## undo 'make run': remove ./data with its models, records and keys
	@sh scripts/remove.sh data
	@echo "'make run' starts afresh."

// Package arch answers one question: does the repository still look like the
// house that ARCHITECTURE.md draws?
//
// Floors is the table of every package, the floor it stands on and the question
// it answers; the tests compare the source with it and print the offending line
// and the reason. The package reads source files and nothing else: it imports
// none of the packages that it judges, and no product code imports it. Start
// reading at Floors, then Why in rules.go.
package arch

import "strings"

// Kind says who may import a package.
type Kind string

// The kinds. A room is product code. A kit serves tests, so only test files,
// other kits and workbenches import it. A program is a main package of the
// product; a workbench measures the product and may use kits as well.
const (
	Room      Kind = "room"
	Kit       Kind = "kit"
	Program   Kind = "program"
	Workbench Kind = "workbench"
)

// top is the floor of programs, workbenches and kits: above the whole house.
const top = 12

// pureFloor is the highest floor that does no I/O, reads no clock and keeps no
// state, so that its decisions can be replayed from the record.
const pureFloor = 4

// Package is one row of the table.
type Package struct {
	Floor   int
	Path    string // below the module path; "/..." at the end includes everything under it
	Kind    Kind
	Answers string
}

// Floors is the house. A package imports from lower floors only, never from its
// own, with one exception: a room may import the parts that lie in its own folder
// and stand on its floor (store/sqlite and store/sqlite/…), never the other way
// round. Rooms that are not built yet are listed, so that their place is known.
var Floors = []Package{
	{0, "internal/money", Room, "decimal amounts, disjoint token classes, known / estimated / unknown"},
	{0, "internal/stats", Room, "intervals, paired tests, sequences, percentiles: pure mathematics"},
	{0, "internal/rawjson", Room, "find and splice fields in JSON bytes without decoding them"},
	{0, "internal/rawform", Room, "find and change fields in multipart forms without decoding them"},

	{1, "internal/llm", Room, "the words: Request, Event, Stream, Usage, Error"},
	{1, "internal/exchange", Room, "what happened: Exchange, Attempt, Outcome rows"},
	{1, "internal/action", Room, "what a transaction, message or call would do, decoded"},

	{2, "internal/sse", Room, "read and write event streams"},
	{2, "internal/dialect/wire", Room, "what the codecs' wire formats share: field checks, errors that name fields, bounds of texts"},
	{2, "internal/dialect/openaierr", Room, "the error body that OpenAI's dialects share"},
	{2, "internal/schema", Room, "JSON Schema check, local repair, provider subsets"},
	{2, "internal/rules", Room, "the CEL environment that route, tool policy and guard share"},
	{2, "internal/evm", Room, "Ethereum bytes ⇄ action"},
	{2, "internal/solana", Room, "Solana bytes ⇄ action"},

	{3, "internal/dialect/openai", Room, "OpenAI's wire: bytes ⇄ llm values"},
	{3, "internal/dialect/responses", Room, "the wire of OpenAI's Responses: bytes ⇄ llm values"},
	{3, "internal/dialect/anthropic", Room, "Anthropic's wire: bytes ⇄ llm values"},
	{3, "internal/dialect/gemini", Room, "Gemini's wire: bytes ⇄ llm values"},
	{3, "internal/dialect/ollama", Room, "Ollama's wire: bytes ⇄ llm values"},
	{3, "internal/dialect/bedrock", Room, "Bedrock Converse's wire: llm values → bytes → llm values"},
	{3, "internal/dialect/cohere", Room, "Cohere's wire: bytes ⇄ llm values; rerank on both sides"},
	{3, "internal/dialect/tgi", Room, "TGI's wire: bytes ⇄ llm values"},
	{3, "internal/dialect/triton", Room, "the wire of Triton's generate extension: bytes ⇄ llm values"},
	{3, "internal/dialect/replicate", Room, "the wire of Replicate's predictions: bytes ⇄ llm values"},
	{3, "internal/catalog", Room, "providers, models, prices, abilities, data policies: data and look-up"},
	{3, "internal/route", Room, "Question + Snapshot → Plan"},
	{3, "internal/guard", Room, "Answer, ToolCall or Action + Facts → Verdict"},

	{4, "internal/dialect", Room, "the table of dialects"},

	{5, "internal/egress", Room, "the one way out: guarded dialer, downloads with resume and digest"},

	{6, "internal/auth", Room, "key or session → Caller"},
	{6, "internal/limit", Room, "rates, concurrency and budgets: reserve, settle"},
	{6, "internal/fleet", Room, "which targets are up, loaded, cold, dear: an immutable Snapshot"},
	{6, "internal/learn", Room, "outcomes → the learner's state that route reads"},
	{6, "internal/embed", Room, "text → vectors and small classifiers, in-process"},
	{6, "internal/ground", Room, "ingest, index, search → Sources"},
	{6, "internal/chain", Room, "RPC pools, heads, freshness, reads, simulation → Facts"},
	{6, "internal/cache", Room, "exact and semantic look-up"},
	{6, "internal/upstream", Room, "walks a Plan: transport, credentials, retry, hedge, breaker → Stream"},
	{6, "internal/engine", Room, "the local model: pulls files, runs the child process"},
	{6, "internal/tools", Room, "MCP in and out, tool execution"},
	{6, "internal/approve", Room, "pending actions, bound confirmation, audit chain"},
	{6, "internal/ledger", Room, "writes and reads exchanges, attempts, outcomes"},
	{6, "internal/batch", Room, "jobs"},
	{6, "internal/review", Room, "suites, graders, comparisons, reports"},
	{6, "internal/advise", Room, "workload shape, simulation of options, plan"},

	{7, "internal/pipeline", Room, "one request's state and the eight stages in order, and nothing else"},

	{8, "internal/console", Room, "HTML pages, templates, small scripts, plots"},
	{8, "internal/store/sqlite/...", Room, "the rooms' small store interfaces, on SQLite"},
	{8, "internal/store/postgres/...", Room, "the same on PostgreSQL"},
	{8, "internal/store/redis", Room, "the shared, short-lived part of the same on Redis"},

	{9, "internal/server", Room, "HTTP: every route on one page, one file per endpoint group"},
	{10, "internal/config/...", Room, "load → default → validate → redact; composes each room's Config"},
	{11, "internal/app", Room, "wiring and lifecycle: New(cfg), Run(ctx)"},

	{top, "cmd/fairlead", Program, "the command line"},
	{top, "bench/...", Workbench, "load scenarios and the command that reruns them"},
	{top, "evals/...", Workbench, "one file per suite"},
	{top, "examples/...", Program, "the three products, configurations, client programs"},
	{top, "sdktests/...", Workbench, "official SDKs against the built binary"},
	{top, "enginetests/...", Workbench, "real model servers behind Fairlead, and a second opinion"},

	{top, "internal/catalog/importprices", Workbench, "rewrites the price files from the published lists"},
	{top, "internal/arch", Kit, "does the repository still look like the house?"},
	{top, "internal/arch/smoke", Workbench, "which files, functions and types have grown large?"},
	{top, "internal/testkit/...", Kit, "fake upstreams, golden helper, fixed clock"},
	{top, "internal/dialect/dialecttest", Kit, "the conformance suite of all dialects"},
	{top, "internal/store/storetest", Kit, "the conformance suite of all stores"},
	{top, "internal/engine/enginetest", Kit, "a tiny model file and a scripted engine"},
}

// Find gives the row of a package by its path below the module path. An exact row
// wins over one that ends in "/...".
func Find(path string) (Package, bool) {
	var found Package
	ok := false
	for _, p := range Floors {
		root, tree := strings.CutSuffix(p.Path, "/...")
		if p.Path == path {
			return p, true
		}
		if tree && (path == root || strings.HasPrefix(path, root+"/")) {
			found, ok = p, true
		}
	}
	return found, ok
}

// Pure reports whether the package may only compute.
func (p Package) Pure() bool { return p.Kind == Room && p.Floor <= pureFloor }

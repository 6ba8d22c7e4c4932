package anthropic

import (
	"strconv"
	"strings"
)

// traits are what a model takes, where models of this dialect differ and refuse with
// 400 what they do not take. Sources, read 2026-11:
// https://platform.claude.com/docs/en/build-with-claude/thinking-troubleshooting,
// …/build-with-claude/effort, …/build-with-claude/mid-conversation-system-messages,
// …/build-with-claude/structured-outputs and the migration guides. They bear on
// requests of other dialects only: what speaks this one is passed through.
type traits struct {
	budget    bool // thinks within a number of tokens
	adaptive  bool // thinks as much as it finds right
	thinks    bool // when nothing is said
	off       string
	xhigh     bool    // effort has the step below its most
	sampling  freedom // in how tokens are drawn
	schemas   bool    // strict tools and formats
	system    bool    // instructions within the conversation
	guesswork bool    // not a model that is known here
}

// The ways in which a model is told not to think. The zero value is to say nothing.
const (
	offDisabled = "disabled"
	offBetween  = "between_tools" // the least that the model does
	offNever    = "never"
)

// freedom is how much of temperature, top_p and top_k a model takes.
type freedom uint8

const (
	samplesAll freedom = iota
	samplesOne         // temperature or top_p
	samplesNone
)

// traitsOf finds the traits of a model by its name. A model that is not Claude is taken
// for an engine that speaks the dialect as it was when others took it up; a Claude
// that is not known is taken for the newest.
func traitsOf(model string) traits {
	family, v, ok := parseModel(model)
	if !ok {
		return traits{budget: true, off: offDisabled, schemas: true, guesswork: true}
	}
	t := traits{
		budget: v >= 307 && v < 407, adaptive: v >= 406, thinks: v >= 500 || family == "mythos",
		schemas: v >= 405, system: v >= 408, xhigh: v >= 407,
	}
	switch {
	case v >= 407:
		t.sampling = samplesNone
	case v >= 401:
		t.sampling = samplesOne
	}
	if t.thinks {
		switch {
		case family == "haiku", (family == "sonnet" || family == "opus") && v < 505:
			t.off = offDisabled
		case family == "sonnet":
			t.off = offBetween
		default:
			t.off = offNever
		}
	}
	return t
}

// newest is the version of a Claude whose name says none.
const newest = 9999

// parseModel reads a name such as claude-3-7-sonnet-20250219, claude-opus-4-8,
// anthropic/claude-sonnet-4.5 or us.anthropic.claude-opus-4-6-v1:0. The version is a
// hundred times the major one, plus the minor.
func parseModel(name string) (family string, version int, ok bool) {
	_, rest, ok := strings.Cut(strings.ToLower(name), "claude-")
	if !ok {
		return "", 0, false
	}
	words := strings.FieldsFunc(rest, func(r rune) bool { return strings.ContainsRune("-.@:_/", r) })
	version = -1
	for i, w := range words {
		n, isNumber := small(w)
		switch {
		case isNumber && version < 0:
			version = 100 * n
			if i+1 < len(words) {
				minor, _ := small(words[i+1])
				version += minor
			}
		case !isNumber && family == "" && families[w]:
			family = w
		}
	}
	if version < 0 {
		version = newest
	}
	return family, version, true
}

var families = map[string]bool{"opus": true, "sonnet": true, "haiku": true, "fable": true, "mythos": true, "instant": true}

// small reads a part of a version; dates are longer.
func small(w string) (int, bool) {
	n, err := strconv.Atoi(w)
	if err != nil || len(w) > 2 {
		return 0, false
	}
	return n, true
}

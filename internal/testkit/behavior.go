package testkit

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fairlead/fairlead/internal/testkit/openaifake"
)

// script is one request's behaviour, read from text such as "status=429,retry-after=1,times=2".
type script struct {
	times  int // only the first so many requests with this text behave so; 0 means all of them
	before before
	say    openaifake.Knobs
	swap   swap
	frame  frame
	wire   wire
}

// before is what happens until the headers.
type before struct {
	delay time.Duration
	hold  bool // until Release
	reset bool // TCP reset instead of an answer
}

// swap is what replaces the honest answer.
type swap struct {
	status     int
	retryAfter string
	body       *string // sent as it is
	kind       string  // Content-Type
	redirect   string
	duplicate  bool // the answer names its fields twice
	errorAt    int  // an error event after so many events; -1 for none
	errorName  string
	garbageAt  int // an event that is not JSON after so many events; -1 for none
}

// frame is how events are written as text.
type frame struct {
	newline string
	tight   bool // no space after "data:"
	split   bool // each event's data in two data lines
	bom     bool
	pings   bool
	unknown bool
	fields  bool // id: and retry: lines
}

// wire is how bytes leave.
type wire struct {
	first, gap time.Duration
	cut        int // close after so many bytes of the body; -1 for never
	cutEvent   int // close after so many events
	stall      int // fall silent after so many bytes
	end        int // end the body properly, but early
	holdEvent  int // wait for Release after so many events
	rst        bool
	frame      bool // the cut falls inside a chunk of the transfer coding
	size       int  // bytes per write; 0 writes event by event
	gzip       bool
	close      bool // no length and no chunks: the connection's end is the body's end
}

func newScript() *script {
	return &script{
		swap:  swap{errorAt: -1, garbageAt: -1},
		frame: frame{newline: "\n"},
		wire:  wire{cut: -1, cutEvent: -1, stall: -1, end: -1, holdEvent: -1},
	}
}

type directive struct {
	name, help string
	set        func(s *script, value string) error
}

// directives is every way to misbehave. Counts are of bytes in the body (after compression) or of events.
var directives = []directive{
	{"times", "n: only the first n requests with this same text, then honest", number(func(s *script, n int) { s.times = n })},

	{"delay", "duration before the headers", duration(func(s *script, d time.Duration) { s.before.delay = d })},
	{"hold", "no headers until Release", flagged(func(s *script) { s.before.hold = true })},
	{"reset", "TCP reset before the headers", flagged(func(s *script) { s.before.reset = true })},

	{"say", "text of the answer", text(func(s *script, v string) { s.say.Say = v })},
	{"echo", "the text is the request body", flagged(func(s *script) { s.say.Echo = true })},
	{"words", "n: one-word pieces", number(func(s *script, n int) { s.say.Words = n })},
	{"huge", "n: one piece of n bytes", number(func(s *script, n int) { s.say.Huge = n })},
	{"refuse", "a refusal", flagged(func(s *script) { s.say.Refuse = true })},
	{"think", "reasoning_content first", flagged(func(s *script) { s.say.Think = true })},
	{"reasoning", "n: reasoning tokens in the usage", number(func(s *script, n int) { s.say.Reason = n })},
	{"cached", "n: cached tokens in the usage", number(func(s *script, n int) { s.say.Cached = n })},
	{"no-usage", "usage is missing", flagged(func(s *script) { s.say.NoUsage = true })},
	{"no-finish", "a stream without finish_reason", flagged(func(s *script) { s.say.NoStop = true })},
	{"no-done", "a stream without [DONE]", flagged(func(s *script) { s.say.NoDone = true })},

	{"status", "HTTP status, with a fitting OpenAI error", number(func(s *script, n int) { s.swap.status = n })},
	{"retry-after", "Retry-After header, as given", text(func(s *script, v string) { s.swap.retryAfter = v })},
	{"body", "the body, as given", text(func(s *script, v string) { s.swap.body = &v })},
	{"garbage", "a body that is not JSON", flagged(func(s *script) { s.swap.replace("", "{\"choices\": [ oh no \x00") })},
	{"html", "an HTML page", flagged(func(s *script) { s.swap.replace("text/html; charset=utf-8", page) })},
	{"empty", "a body of no bytes", flagged(func(s *script) { s.swap.replace("", "") })},
	{"type", "Content-Type", text(func(s *script, v string) { s.swap.kind = v })},
	{"redirect", "307 to this address; without one, to the same path again", text(func(s *script, v string) { s.swap.redirect = cmp.Or(v, ".") })},
	{"duplicate", "an answer whose fields come twice", flagged(func(s *script) { s.swap.duplicate = true })},
	{"error-event", "k: an error object after k events (0: first), then the end", number(func(s *script, n int) { s.swap.errorAt = n })},
	{"error-name", "the error event's SSE name", text(func(s *script, v string) { s.swap.errorName = v })},
	{"garbage-event", "k: an event that is not JSON after k events", number(func(s *script, n int) { s.swap.garbageAt = n })},

	{"crlf", "CRLF line ends", flagged(func(s *script) { s.frame.newline = "\r\n" })},
	{"cr", "CR line ends", flagged(func(s *script) { s.frame.newline = "\r" })},
	{"tight", "no space after the colon", flagged(func(s *script) { s.frame.tight = true })},
	{"split", "data in two data lines", flagged(func(s *script) { s.frame.split = true })},
	{"bom", "a byte order mark first", flagged(func(s *script) { s.frame.bom = true })},
	{"pings", "a comment before every event", flagged(func(s *script) { s.frame.pings = true })},
	{"unknown", "an event of unknown type before every third event", flagged(func(s *script) { s.frame.unknown = true })},
	{"fields", "id: and retry: lines", flagged(func(s *script) { s.frame.fields = true })},

	{"first", "duration between headers and first byte", duration(func(s *script, d time.Duration) { s.wire.first = d })},
	{"gap", "duration before every event but the first", duration(func(s *script, d time.Duration) { s.wire.gap = d })},
	{"cut", "n: the connection closes after n bytes", number(func(s *script, n int) { s.wire.cut = n })},
	{"cut-event", "k: the connection closes after k events", number(func(s *script, n int) { s.wire.cutEvent = n })},
	{"rst", "the cut is a TCP reset", flagged(func(s *script) { s.wire.rst = true })},
	{"cut-frame", "the cut falls inside a chunk of the transfer coding", flagged(func(s *script) { s.wire.frame = true })},
	{"end", "n: the body ends after n bytes with correct framing", number(func(s *script, n int) { s.wire.end = n })},
	{"stall", "n: silence after n bytes, until the client goes", number(func(s *script, n int) { s.wire.stall = n })},
	{"hold-event", "k: waits after k events until Release", number(func(s *script, n int) { s.wire.holdEvent = n })},
	{"write", "n: bytes per write, each sent at once", number(func(s *script, n int) { s.wire.size = n })},
	{"gzip", "Content-Encoding: gzip, asked for or not", flagged(func(s *script) { s.wire.gzip = true })},
	{"close", "no length, no chunks: the body ends with the connection", flagged(func(s *script) { s.wire.close = true })},
}

const page = "<!DOCTYPE html>\n<html><head><title>502 Bad Gateway</title></head><body>A proxy says no.</body></html>\n"

func (s *swap) replace(kind, body string) {
	s.body = &body
	if kind != "" {
		s.kind = kind
	}
}

// parse reads directives parted by commas. Values are percent-encoded where they hold a comma, percent or equals sign.
func parse(line string) (*script, error) {
	s := newScript()
	for word := range strings.SplitSeq(line, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(word), "=")
		if name == "" {
			continue
		}
		at := slices.IndexFunc(directives, func(d directive) bool { return d.name == name })
		if at < 0 {
			return nil, fmt.Errorf("unknown directive %q; the known ones are: %s", name, Directives())
		}
		plain, err := url.PathUnescape(value)
		if err == nil {
			err = directives[at].set(s, plain)
		}
		if err != nil {
			return nil, fmt.Errorf("directive %q: %w", word, err)
		}
	}
	return s, nil
}

// Directives lists every directive with its meaning, one a line.
func Directives() string {
	var out strings.Builder
	for _, d := range directives {
		fmt.Fprintf(&out, "\n  %-14s %s", d.name, d.help)
	}
	return out.String()
}

// Say returns the directive that makes the upstream answer text.
func Say(text string) string { return "say=" + escape(text) }

// Body returns the directives for a body that is sent as it is, with its Content-Type.
func Body(contentType, body string) string {
	return "type=" + escape(contentType) + ",body=" + escape(body)
}

func escape(value string) string {
	return strings.NewReplacer("%", "%25", ",", "%2C", "=", "%3D", "\n", "%0A", "\r", "%0D").Replace(value)
}

func flagged(set func(*script)) func(*script, string) error {
	return func(s *script, value string) error {
		if value != "" {
			return fmt.Errorf("takes no value")
		}
		set(s)
		return nil
	}
}

func number(set func(*script, int)) func(*script, string) error {
	return func(s *script, value string) error {
		n, err := strconv.Atoi(value)
		if err != nil || n < 0 {
			return fmt.Errorf("needs a number that is not negative")
		}
		set(s, n)
		return nil
	}
}

func duration(set func(*script, time.Duration)) func(*script, string) error {
	return func(s *script, value string) error {
		d, err := time.ParseDuration(value)
		if err != nil || d < 0 {
			return fmt.Errorf("needs a duration such as 50ms")
		}
		set(s, d)
		return nil
	}
}

func text(set func(*script, string)) func(*script, string) error {
	return func(s *script, value string) error {
		set(s, value)
		return nil
	}
}

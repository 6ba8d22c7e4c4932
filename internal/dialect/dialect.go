// Package dialect is the table of dialects, what a client or an upstream speaks, by
// the name that configuration and data files use, and the Bridge between two.
//
// It holds no codec itself. A codec is a set of pure functions, bytes in and
// values out, in a folder of its own below this one; adding a dialect is one
// folder and one line of the table. A client of one dialect reaches a target of
// another through the neutral words of package llm, so each dialect is written
// once and never per pair. Start reading at Codec, then Bridge.
package dialect

import (
	"io"
	"slices"

	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/rawjson"
	"github.com/fairlead/fairlead/internal/sse"
)

// Codec is one dialect, client side and provider side. Its funcs are pure. Where
// all of one side are nil the dialect is spoken on the other side only.
type Codec struct {
	Name string

	// The client side.

	// Decode reads of a client's request what the house needs to know. Errors are
	// *llm.Error of kind Invalid.
	Decode func(llm.Incoming) (*llm.Request, error)
	// Read reads all of a decoded request, for a target of another dialect.
	Read func(*llm.Request) (*llm.Prompt, error)
	// WriteAnswer writes a plain answer as this dialect has it, and what that cannot
	// show of it.
	WriteAnswer func(*llm.Request, *llm.Answer) (body []byte, lost llm.Losses)
	// Writer begins a streamed answer.
	Writer func(*llm.Request) Writer
	// AppendError writes the error body that clients of this dialect expect.
	AppendError func(dst []byte, e *llm.Error) []byte
	// StreamType is the media type of a streamed answer.
	StreamType string
	// Forwards are headers of the client that a target of the same dialect is given, in
	// canonical form; for any other target they are a loss.
	Forwards []string
	// Names are this dialect's names of fields, where they are not llm's.
	Names map[llm.Field]string

	// The provider side.

	// Path is where an upstream answers a request, below its base URL, with the query
	// if there is one; "" where the dialect has no such surface.
	Path func(*llm.Request, llm.Options) string
	// Header is sent with every call, where neither the client nor the configuration
	// says otherwise. Names are canonical.
	Header map[string]string
	// Encode gives the bytes for an upstream of the client's own dialect, and the
	// fields of the client that they cannot carry. A body in one piece is
	// rawjson.Segments{b}.
	Encode func(*llm.Request, llm.Options) (body rawjson.Segments, lost []string, err error)
	// Write gives the bytes for an upstream of what a client of another dialect asked;
	// stream says whether events are wanted.
	Write func(p *llm.Prompt, stream bool, opt llm.Options) (body []byte, lost llm.Losses, err error)
	// Answer reads a plain answer of an upstream.
	Answer func(*llm.Request, llm.Options, []byte) (llm.Event, error)
	// Stream starts the decoder of one streamed answer.
	Stream func(*llm.Request, llm.Options) Decoder
	// DecodeError reads an upstream's error answer; the body may be anything.
	DecodeError func(status int, body []byte) *llm.Error
	// Frames splits a streamed answer; Events for most.
	Frames Framing
}

// Framing is how an upstream of a dialect divides a stream into events.
type Framing struct {
	MediaType string
	New       func(r io.Reader, maxEvent int) Frames
}

// Frames reads one event after the other. sse.Reader is the usual one and has the
// contract.
type Frames interface {
	Next() (sse.Event, error)
	Buffered() bool
}

// Events are server-sent events.
var Events = Framing{
	MediaType: "text/event-stream",
	New:       func(r io.Reader, maxEvent int) Frames { return sse.NewReader(r, maxEvent) },
}

// Lines are newline-delimited JSON.
var Lines = Framing{
	MediaType: "application/x-ndjson",
	New:       func(r io.Reader, maxEvent int) Frames { return sse.NewLines(r, maxEvent) },
}

// Ender is a Decoder of a dialect whose streams have no stop reason. Ended tells it that
// the body ended as a body should, which is all that such a stream has to show for being
// complete, and gives the event that the client is due then: none where it has no marks.
type Ender interface{ Ended() llm.Event }

// Decoder turns an upstream's events into llm events.
type Decoder interface {
	// Next reads one event. The error is an *llm.Error.
	Next(sse.Event) (llm.Event, error)
	// Complete reports whether the answer has its stop reason.
	Complete() bool
	// End is what a client of this dialect must still see when the upstream ended
	// a complete answer without the dialect's terminator; nil when nothing is due.
	End() []byte
	// Fail is the event by which a client of this dialect hears of an error within the
	// stream.
	Fail(*llm.Error) []byte
}

// Writer writes one streamed answer in a client's dialect. The deltas come in the
// order that llm.DeltaKind states.
type Writer interface {
	// Append writes what a delta looks like to the client, which may be nothing yet.
	Append(dst []byte, d *llm.Delta) []byte
	// End writes what is still due when the upstream ended a complete answer without
	// llm.DeltaDone.
	End(dst []byte) []byte
	// Fail writes the error event. Nothing follows it.
	Fail(dst []byte, e *llm.Error) []byte
	// Lost is what the dialect could not show of the answer so far.
	Lost() llm.Losses
}

// ByName finds the codec of a dialect.
func ByName(name string) (*Codec, bool) {
	for i := range table {
		if table[i].Name == name {
			return &table[i], true
		}
	}
	return nil, false
}

// Names lists the dialects that upstreams can be spoken to in.
func Names() (names []string) {
	for i := range table {
		if table[i].Write != nil {
			names = append(names, table[i].Name)
		}
	}
	return names
}

// Clients lists the dialects that clients may speak.
func Clients() (names []string) {
	for i := range table {
		if table[i].Decode != nil {
			names = append(names, table[i].Name)
		}
	}
	return names
}

// IsField reports whether name is one by which some dialect calls a field that can be
// lost; what a client itself made up is not.
func IsField(name string) bool {
	if slices.Contains(llm.Fields(), llm.Field(name)) {
		return true
	}
	for i := range table {
		for _, own := range table[i].Names {
			if own == name {
				return true
			}
		}
	}
	return false
}

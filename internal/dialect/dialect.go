// Package dialect is the table of dialects: what a client or an upstream speaks,
// by the name that configuration and data files use.
//
// It holds no codec itself. A codec is a set of pure functions, bytes in and
// values out, in a folder of its own below this one; adding a dialect is one
// folder and one line of the table. Start reading at Codec.
package dialect

import (
	"github.com/fairlead/fairlead/internal/dialect/openai"
	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/rawjson"
	"github.com/fairlead/fairlead/internal/sse"
)

// Codec is one dialect, client side and provider side.
type Codec struct {
	Name string
	// Decode reads a client's request. Errors are *llm.Error of kind Invalid.
	Decode func(llm.Surface, []byte, rawjson.Limits) (*llm.Request, error)
	// Path is where an upstream answers for a surface, below its base URL.
	Path func(llm.Surface) string
	// Encode gives the bytes for an upstream, and what they cannot carry of the
	// request, by the client's own field names. A body in one piece is
	// rawjson.Segments{b}.
	Encode func(*llm.Request, Options) (body rawjson.Segments, loss []string, err error)
	// Answer reads a plain answer of an upstream.
	Answer func(*llm.Request, Options, []byte) (llm.Event, error)
	// Stream starts the decoder of one streamed answer.
	Stream func(*llm.Request, Options) Decoder
	// DecodeError reads an upstream's error answer; the body may be anything.
	DecodeError func(status int, body []byte) *llm.Error
	// AppendError writes the error body that clients of this dialect expect.
	AppendError func(dst []byte, e *llm.Error) []byte
}

// Options is what differs between the targets that speak a dialect.
type Options = openai.Options

// Decoder turns an upstream's server-sent events into llm events.
type Decoder interface {
	// Next reads one event. The error is an *llm.Error.
	Next(sse.Event) (llm.Event, error)
	// Complete reports whether the answer has its stop reason.
	Complete() bool
	// End is what a client of this dialect must still see when the upstream ended
	// a complete answer without the dialect's terminator; nil when nothing is due.
	End() []byte
}

var table = []Codec{
	{
		Name:        openai.Name,
		Decode:      openai.Decode,
		Path:        openai.Path,
		Encode:      openai.Encode,
		Answer:      openai.Answer,
		Stream:      func(r *llm.Request, o Options) Decoder { return openai.NewStream(r, o) },
		DecodeError: openai.DecodeError,
		AppendError: openai.AppendError,
	},
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

// Names lists the dialects that have a codec.
func Names() []string {
	names := make([]string, len(table))
	for i := range table {
		names[i] = table[i].Name
	}
	return names
}

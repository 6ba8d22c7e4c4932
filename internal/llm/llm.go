// Package llm holds the words of the product: Request, Event, Stream, Ability,
// Error. Every other package speaks in them.
//
// It knows no wire format, no provider, no transport and no clock: dialects turn
// bytes into these values, rooms pass them on. Start reading at Request, then
// Event and Stream, then Error.
package llm

import (
	"iter"
	"time"

	"github.com/fairlead/fairlead/internal/money"
	"github.com/fairlead/fairlead/internal/rawform"
	"github.com/fairlead/fairlead/internal/rawjson"
)

// Surface is the kind of work that an endpoint does, whatever dialect asks for it.
type Surface string

// The surfaces that exist so far.
const (
	Chat        Surface = "chat"
	Completions Surface = "completions"
	Embeddings  Surface = "embeddings"
	Rerank      Surface = "rerank"
	CountTokens Surface = "count_tokens"

	Moderations     Surface = "moderations"
	Speech          Surface = "speech"
	Transcriptions  Surface = "transcriptions"
	Translations    Surface = "translations" // of speech, into English text
	Images          Surface = "images"
	ImageEdits      Surface = "image_edits"
	ImageVariations Surface = "image_variations"
)

// Request is one call of a client, decoded as far as the house needs it.
// Everything else stays in Body and travels on untouched.
type Request struct {
	Surface Surface
	Dialect string // what the client speaks, e.g. "openai-chat"

	// ID and Time are those of the exchange, for dialects whose answers carry an id and
	// a date where the upstream's do not.
	ID   string
	Time time.Time

	// Body is the client's JSON exactly as it came; Doc indexes it. Both were
	// checked: valid JSON, no duplicate names at any depth, bounded depth.
	Body []byte
	Doc  rawjson.Doc
	// Form indexes a body that is a form instead, checked likewise; nil for JSON.
	Form *rawform.Form

	Model       string
	Stream      bool
	StreamUsage bool // the client itself asked for usage in the stream
	MaxTokens   int64
	Needs       Ability
	Tags        Tags

	// Array says that the client takes a stream as one JSON array (Gemini without
	// alt=sse), and not as events.
	Array bool

	// Bound says that the request names or carries what only the account knows that
	// answered before: answers, conversations and items that it stored, thought that it
	// encrypted. Such a request goes back to that account; Continues is the id of the
	// answer that it goes on from, where it says so.
	Bound     bool
	Continues string
}

// Incoming is a request as it comes in, for a codec to decode.
type Incoming struct {
	Surface Surface
	Body    []byte // the codec keeps it
	Limits  rawjson.Limits
	// ContentType is the client's word on the body, for surfaces that take forms.
	ContentType string
	// Model and Stream are what the path of the request says, where the dialect has
	// them there (Gemini); Array is that its query did not ask for events.
	Model         string
	Stream, Array bool
}

// Options is what differs between the targets that speak a dialect.
type Options struct {
	Model string // the target's own model name
	// AskUsage puts stream_options.include_usage into a stream's request, so that
	// the bill never depends on what the client asked for.
	AskUsage bool
	// ToolsByGrammar is for upstreams that know JSON-schema grammars but no tools.
	ToolsByGrammar bool
	// NoThinking is for models that cannot think and refuse to be asked: what a client of
	// another dialect says of it is left out, and lost.
	NoThinking bool
	// Takes are fields beyond the dialect's publisher's own that the endpoint is known to
	// take, such as top_k of vLLM's chat. Strict servers refuse what they do not know.
	Takes []string
	// MaxTokens is what a dialect that demands a bound on the output is told when the
	// client set none; 0 is the codec's own default.
	MaxTokens int64
	// Translate asks decoders for the neutral words of an answer (Event.Deltas,
	// Event.Answer), since it will be written in another dialect.
	Translate bool
}

// PromptTokens is a cheap over-estimate of what the request will be billed for as
// input: four bytes of JSON are about one token of English text.
func (r *Request) PromptTokens() int64 { return int64(len(r.Body)+3) / 4 }

// Tags is what a client says about its request beside the request itself, by
// x-fairlead-… header or by the same name inside OpenAI's metadata object.
type Tags struct {
	Task    string
	TaskID  string
	Classes []string // added data classes, sorted, never removed
	Cache   string   // "", "off" or "refresh"
	MaxUSD  string   // decimal, "" when the client set no cap
	// DeadlineMS bounds the whole exchange, 0 when the client set none.
	DeadlineMS int64
}

// Ability is a set of things that a request needs and a target can do.
type Ability uint32

// Abilities, one bit each.
const (
	CanStream Ability = 1 << iota
	CanTools
	CanToolsByGrammar // no tools of its own, but a JSON-schema grammar that can stand in for them
	CanSchema         // response_format json_schema
	CanJSON           // response_format json_object
	CanVision
	CanAudio
	CanLogprobs
	CanManyChoices // n > 1
	CanChat
	CanCompletions
	CanEmbeddings
	CanRerank
	CanCountTokens
	CanThink // reasoning, with a say in how much
	CanDocuments
	CanModerations
	CanSpeech
	CanTranscriptions
	CanTranslations
	CanImages // generating them; seeing them is CanVision
	CanImageEdits
	CanImageVariations
)

var abilityNames = []struct {
	bit  Ability
	name string
}{
	{CanStream, "stream"},
	{CanTools, "tools"},
	{CanToolsByGrammar, "tools_grammar"},
	{CanSchema, "json_schema"},
	{CanJSON, "json_object"},
	{CanVision, "vision"},
	{CanAudio, "audio"},
	{CanLogprobs, "logprobs"},
	{CanManyChoices, "n"},
	{CanChat, "chat"},
	{CanCompletions, "completions"},
	{CanEmbeddings, "embeddings"},
	{CanRerank, "rerank"},
	{CanCountTokens, "count_tokens"},
	{CanThink, "thinking"},
	{CanDocuments, "documents"},
	{CanModerations, "moderations"},
	{CanSpeech, "speech"},
	{CanTranscriptions, "transcriptions"},
	{CanTranslations, "translations"},
	{CanImages, "images"},
	{CanImageEdits, "image_edits"},
	{CanImageVariations, "image_variations"},
}

// Has reports whether every ability of want is in a.
func (a Ability) Has(want Ability) bool { return a&want == want }

// Names lists the abilities of the set in a fixed order.
func (a Ability) Names() []string {
	var names []string
	for _, n := range abilityNames {
		if a.Has(n.bit) {
			names = append(names, n.name)
		}
	}
	return names
}

// AbilityNamed returns the ability that configuration and data files call name.
func AbilityNamed(name string) (Ability, bool) {
	for _, n := range abilityNames {
		if n.name == name {
			return n.bit, true
		}
	}
	return 0, false
}

// Needed is the ability that a surface asks of a target.
func (s Surface) Needed() Ability {
	switch s {
	case Chat:
		return CanChat
	case Completions:
		return CanCompletions
	case Embeddings:
		return CanEmbeddings
	case Rerank:
		return CanRerank
	case CountTokens:
		return CanCountTokens
	case Moderations:
		return CanModerations
	case Speech:
		return CanSpeech
	case Transcriptions:
		return CanTranscriptions
	case Translations:
		return CanTranslations
	case Images:
		return CanImages
	case ImageEdits:
		return CanImageEdits
	case ImageVariations:
		return CanImageVariations
	}
	return 0
}

// Forwarded reports whether the answers of a surface are passed on as whatever they
// are: JSON, text, sound, pictures or events. Such a surface has one dialect and no
// neutral words.
func (s Surface) Forwarded() bool {
	switch s {
	case Moderations, Speech, Transcriptions, Translations, Images, ImageEdits, ImageVariations:
		return true
	}
	return false
}

// Speaks reports whether the answers of a surface are generated, so that they end for
// a reason.
func (s Surface) Speaks() bool { return s == Chat || s == Completions }

// Mark says what an event carries. One event of the OpenAI dialect may carry
// several things at once, so marks are a set.
type Mark uint16

// Marks of an event.
const (
	MarkWhole     Mark = 1 << iota // the whole plain answer
	MarkStart                      // role chunk or the like: held back until the first real event
	MarkContent                    // text
	MarkReasoning                  // thinking
	MarkTool                       // a tool call or a piece of its arguments
	MarkStop                       // the stop reason
	MarkUsage                      // token counts
	MarkUsageOnly                  // nothing but token counts
	MarkDone                       // the dialect's own terminator
	MarkComment                    // a comment or ping
	MarkUnknown                    // something this version does not know: forwarded
)

// First reports whether an event ends the wait for the first event: content, a
// tool call, reasoning, a stop, or a whole answer.
func (m Mark) First() bool {
	return m&(MarkContent|MarkReasoning|MarkTool|MarkStop|MarkWhole) != 0
}

// Event is one piece of an answer. Raw holds its bytes in the dialect of the
// client, ready to be written; it is valid until the next event is pulled.
type Event struct {
	Marks Mark
	Raw   []byte
	// Usage is set where Marks has MarkUsage.
	Usage money.Tokens
	// TextBytes is the length of the generated text that the event carries, for
	// an estimate of the bill when no usage ever comes.
	TextBytes int
	// StopReason is set where Marks has MarkStop.
	StopReason string
	// AnswerID is the id that the upstream gave the answer, on the first event
	// that carries it.
	AnswerID string
	// MediaType is what the answer is, on the first event of one that is not in the usual
	// form of its surface.
	MediaType string
	// Deltas and Answer are what the event says in neutral words, where the decoder was
	// asked for them by Options.Translate: Answer where Marks has MarkWhole. Like Raw
	// they are valid until the next event is pulled.
	Deltas []Delta
	Answer *Answer
	// More says that another event, or the end, is already there, so that a flush
	// can wait.
	More bool
}

// Stream is one answer as a pull sequence, single use. A plain answer is the same
// sequence with one event. After an error nothing follows. The call behind it ends
// when the sequence ends; stopping the loop cancels the upstream.
type Stream iter.Seq2[Event, error]

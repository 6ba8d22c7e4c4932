package dialect

import (
	"io"

	"github.com/fairlead/fairlead/internal/dialect/anthropic"
	"github.com/fairlead/fairlead/internal/dialect/bedrock"
	"github.com/fairlead/fairlead/internal/dialect/cohere"
	"github.com/fairlead/fairlead/internal/dialect/gemini"
	"github.com/fairlead/fairlead/internal/dialect/ollama"
	"github.com/fairlead/fairlead/internal/dialect/openai"
	"github.com/fairlead/fairlead/internal/dialect/replicate"
	"github.com/fairlead/fairlead/internal/dialect/responses"
	"github.com/fairlead/fairlead/internal/dialect/tgi"
	"github.com/fairlead/fairlead/internal/dialect/triton"
	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/sse"
)

const eventStream = "text/event-stream; charset=utf-8"

// table is every dialect. The first is the one that clients are taken to speak
// where nothing says otherwise.
var table = []Codec{
	{
		Name:        openai.Name,
		Decode:      openai.Decode,
		Read:        openai.Read,
		WriteAnswer: openai.WriteAnswer,
		Writer:      func(r *llm.Request) Writer { return openai.NewWriter(r) },
		StreamType:  eventStream,
		AppendError: openai.AppendError,
		Names:       openai.Names,
		Forwards:    []string{"Openai-Beta"},
		Path:        openai.Path,
		Encode:      openai.Encode,
		Write:       openai.Write,
		Answer:      openai.Answer,
		Stream: func(r *llm.Request, o llm.Options) Decoder {
			if r.Surface.Forwarded() {
				return openai.NewForwardedStream(r, o)
			}
			return openai.NewStream(r, o)
		},
		DecodeError: openai.DecodeError,
		Frames:      Events,
	},
	{
		Name:        responses.Name,
		Decode:      responses.Decode,
		Read:        responses.Read,
		WriteAnswer: responses.WriteAnswer,
		Writer:      func(r *llm.Request) Writer { return responses.NewWriter(r) },
		StreamType:  eventStream,
		AppendError: responses.AppendError,
		Names:       responses.Names,
		Forwards:    []string{"Openai-Beta"},
		Path:        responses.Path,
		Encode:      responses.Encode,
		Write:       responses.Write,
		Answer:      responses.Answer,
		Stream:      func(r *llm.Request, o llm.Options) Decoder { return responses.NewStream(r, o) },
		DecodeError: responses.DecodeError,
		Frames:      Events,
	},
	{
		Name:        anthropic.Name,
		Decode:      anthropic.Decode,
		Read:        anthropic.Read,
		WriteAnswer: anthropic.WriteAnswer,
		Writer:      func(r *llm.Request) Writer { return anthropic.NewWriter(r) },
		StreamType:  eventStream,
		AppendError: anthropic.AppendError,
		Names:       anthropic.Names,
		Forwards:    []string{"Anthropic-Beta", anthropic.VersionHeader},
		Header:      map[string]string{anthropic.VersionHeader: anthropic.Version},
		Path:        anthropic.Path,
		Encode:      anthropic.Encode,
		Write:       anthropic.Write,
		Answer:      anthropic.Answer,
		Stream:      func(r *llm.Request, o llm.Options) Decoder { return anthropic.NewStream(r, o) },
		DecodeError: anthropic.DecodeError,
		Frames:      Events,
	},
	{
		Name:        gemini.Name,
		Decode:      gemini.Decode,
		Read:        gemini.Read,
		WriteAnswer: gemini.WriteAnswer,
		Writer:      func(r *llm.Request) Writer { return gemini.NewWriter(r) },
		StreamType:  eventStream,
		AppendError: gemini.AppendError,
		Names:       gemini.Names,
		Path:        gemini.Path,
		Encode:      gemini.Encode,
		Write:       gemini.Write,
		Answer:      gemini.Answer,
		Stream:      func(r *llm.Request, o llm.Options) Decoder { return gemini.NewStream(r, o) },
		DecodeError: gemini.DecodeError,
		Frames:      Events,
	},
	{
		Name:        ollama.Name,
		Decode:      ollama.Decode,
		Read:        ollama.Read,
		WriteAnswer: ollama.WriteAnswer,
		Writer:      func(r *llm.Request) Writer { return ollama.NewWriter(r) },
		StreamType:  ollama.StreamType,
		AppendError: ollama.AppendError,
		Names:       ollama.Names,
		Path:        ollama.Path,
		Encode:      ollama.Encode,
		Write:       ollama.Write,
		Answer:      ollama.Answer,
		Stream:      func(r *llm.Request, o llm.Options) Decoder { return ollama.NewStream(r, o) },
		DecodeError: ollama.DecodeError,
		Frames:      Lines,
	},
	{
		Name:        tgi.Name,
		Path:        tgi.Path,
		Write:       tgi.Write,
		Answer:      tgi.Answer,
		Stream:      func(r *llm.Request, o llm.Options) Decoder { return tgi.NewStream(r, o) },
		DecodeError: tgi.DecodeError,
		Frames:      Events,
	},
	{
		Name:        triton.Name,
		Path:        triton.Path,
		Write:       triton.Write,
		Answer:      triton.Answer,
		Stream:      func(r *llm.Request, o llm.Options) Decoder { return triton.NewStream(r, o) },
		DecodeError: triton.DecodeError,
		Frames:      Events,
	},
	{
		Name:        bedrock.Name,
		Path:        bedrock.Path,
		Write:       bedrock.Write,
		Answer:      bedrock.Answer,
		Stream:      func(r *llm.Request, o llm.Options) Decoder { return bedrock.NewStream(r, o) },
		DecodeError: bedrock.DecodeError,
		Frames: Framing{
			MediaType: bedrock.MediaType,
			New:       func(r io.Reader, maxEvent int) Frames { return sse.NewEventStream(r, maxEvent) },
		},
	},
	{
		Name:        cohere.Name,
		Decode:      cohere.Decode,
		Read:        cohere.Read,
		WriteAnswer: cohere.WriteAnswer,
		AppendError: cohere.AppendError,
		Names:       cohere.Names,
		Path:        cohere.Path,
		Encode:      cohere.Encode,
		Write:       cohere.Write,
		Answer:      cohere.Answer,
		Stream:      func(r *llm.Request, o llm.Options) Decoder { return cohere.NewStream(r, o) },
		DecodeError: cohere.DecodeError,
		Frames:      Events,
	},
	{
		Name:        replicate.Name,
		Path:        replicate.Path,
		Write:       replicate.Write,
		Answer:      replicate.Answer,
		Stream:      func(r *llm.Request, o llm.Options) Decoder { return replicate.NewStream(r, o) },
		DecodeError: replicate.DecodeError,
		Frames:      Events,
	},
}

package openai

import (
	"testing"

	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/money"
	"github.com/fairlead/fairlead/internal/sse"
)

// Providers put a stream's usage into places of their own.
func TestStream_UsageStandsWhereTheProviderPutsIt(t *testing.T) {
	t.Parallel()
	const counts = `{"prompt_tokens":7,"completion_tokens":3,"total_tokens":10}`
	for name, chunk := range map[string]string{
		"in the last chunk":         `{"id":"a","choices":[],"usage":` + counts + `}`,
		"beside the last choice":    `{"id":"a","choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":` + counts + `}`,
		"in the last choice":        `{"id":"a","choices":[{"index":0,"delta":{},"finish_reason":"stop","usage":` + counts + `}]}`,
		"in a part of the provider": `{"id":"a","choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"x_groq":{"id":"r","usage":` + counts + `}}`,
	} {
		d := NewStream(&llm.Request{Surface: llm.Chat, Stream: true}, llm.Options{})
		ev, err := d.Next(sse.Event{Data: []byte(chunk)})
		if err != nil || ev.Marks&llm.MarkUsage == 0 || ev.Usage != (money.Tokens{Input: 7, Output: 3}) {
			t.Errorf("%s: %v %+v %v", name, ev.Marks, ev.Usage, err)
		}
	}
}

func TestUsage_OneCountAloneIsThePrompts(t *testing.T) {
	t.Parallel()
	ev, err := Answer(&llm.Request{Surface: llm.Embeddings}, llm.Options{}, []byte(`{"data":[{"index":0,"embedding":[1]}],"usage":{"total_tokens":5}}`))
	if err != nil || ev.Usage != (money.Tokens{Input: 5}) {
		t.Errorf("%+v %v", ev.Usage, err)
	}
}

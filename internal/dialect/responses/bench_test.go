package responses

import (
	"testing"

	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/sse"
)

// BenchmarkStream is one piece of text: watched as it passes through, and translated.
func BenchmarkStream(b *testing.B) {
	data := []byte(`{"type":"response.output_text.delta","sequence_number":12,"item_id":"msg_67c9fdcf37fc8190","output_index":0,"content_index":0,"delta":" world and all","logprobs":[],"obfuscation":"f9h3k2"}`)
	for name, opt := range map[string]llm.Options{"passed": {}, "read": {Translate: true}} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			d := NewStream(decode(b, ask), opt)
			for range b.N {
				if _, err := d.Next(sse.Event{Name: "response.output_text.delta", Data: data, Raw: data}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("written", func(b *testing.B) {
		b.ReportAllocs()
		w := NewWriter(decode(b, ask))
		w.Append(nil, &llm.Delta{Kind: llm.DeltaOpen, Part: llm.Part{Kind: llm.Text}})
		piece := llm.Delta{Kind: llm.DeltaPiece, Text: []byte(" world and all")}
		var out []byte
		for range b.N {
			w.held = 0
			out = w.Append(out[:0], &piece)
		}
	})
}

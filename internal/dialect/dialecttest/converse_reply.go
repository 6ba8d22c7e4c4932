package dialecttest

import (
	"encoding/binary"
	"hash/crc32"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/money"
)

// maker makes what an upstream sends in a dialect that no client speaks, so that its
// codec cannot. Both give nil for what the dialect cannot say.
type maker struct {
	plain  func(*llm.Answer) []byte
	stream func([]llm.Delta) []byte
	fail   func(*llm.Error) []byte
}

var makers = map[string]maker{"bedrock": {plain: conversePlain, stream: converseStream, fail: converseFail}}

// m is a JSON object.
type m = map[string]any

func encode(v any) []byte {
	raw, err := json.Marshal(v, json.Deterministic(true))
	if err != nil {
		panic(err) // made of strings and numbers
	}
	return raw
}

// converseStops are Converse's words for why an answer ended.
// https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html
var converseStops = map[llm.StopReason]string{
	llm.StopEnd: "end_turn", llm.StopTools: "tool_use", llm.StopLength: "max_tokens", llm.StopSequence: "stop_sequence", llm.StopFilter: "guardrail_intervened",
}

func converseUsage(t money.Tokens) m {
	return m{
		"inputTokens": t.Input, "outputTokens": t.TotalOutput(), "totalTokens": t.Total(),
		"cacheReadInputTokens": t.CacheRead, "cacheWriteInputTokens": t.CacheWrite5m,
	}
}

func conversePlain(a *llm.Answer) []byte {
	c := &a.Choices[0]
	stop := converseStops[c.Stop.Reason]
	content := []m{}
	for i := range c.Parts {
		block := converseSays(&c.Parts[i])
		if block == nil {
			return nil
		}
		content = append(content, block)
	}
	if stop == "" || len(a.Choices) > 1 || c.Logprobs != nil {
		return nil
	}
	return encode(m{
		"output": m{"message": m{"role": "assistant", "content": content}}, "stopReason": stop,
		"usage": converseUsage(a.Usage), "metrics": m{"latencyMs": 100},
	})
}

func converseSays(p *llm.Part) m {
	switch {
	case p.Kind == llm.Text && len(p.Citations) > 0:
		c := &p.Citations[0]
		if c.Kind != "document" {
			return nil
		}
		return m{"citationsContent": m{"content": []m{{"text": p.Text}}, "citations": []m{{
			"title": c.Title, "sourceContent": []m{{"text": c.Quote}},
			"location": m{"documentChar": m{"documentIndex": c.Document, "start": c.Start, "end": c.End}},
		}}}}
	case p.Kind == llm.Text:
		return m{"text": p.Text}
	case p.Kind == llm.Reasoning && p.Redacted != "":
		return m{"reasoningContent": m{"redactedContent": p.Redacted}}
	case p.Kind == llm.Reasoning:
		text := m{"text": p.Text}
		if p.Signature != "" {
			text["signature"] = p.Signature
		}
		return m{"reasoningContent": m{"reasoningText": text}}
	case p.Kind == llm.ToolCall && p.Signature == "":
		return m{"toolUse": m{"toolUseId": p.Call.ID, "name": p.Call.Name, "input": jsontext.Value(arguments(p.Call.Arguments))}}
	}
	return nil
}

func converseStream(deltas []llm.Delta) (out []byte) {
	out = eventFrame(out, "messageStart", m{"role": "assistant"})
	var kind llm.PartKind
	for i := range deltas {
		d := &deltas[i]
		piece := func(delta m) {
			out = eventFrame(out, "contentBlockDelta", m{"contentBlockIndex": d.Block, "delta": delta})
		}
		switch d.Kind {
		case llm.DeltaOpen:
			if kind = d.Part.Kind; kind == llm.ToolCall {
				start := m{"toolUse": m{"toolUseId": d.Part.Call.ID, "name": d.Part.Call.Name}}
				out = eventFrame(out, "contentBlockStart", m{"contentBlockIndex": d.Block, "start": start})
			}
		case llm.DeltaPiece:
			piece(map[llm.PartKind]m{
				llm.Text: {"text": string(d.Text)}, llm.Reasoning: {"reasoningContent": m{"text": string(d.Text)}},
				llm.ToolCall: {"toolUse": m{"input": string(d.Text)}},
			}[kind])
		case llm.DeltaSign:
			if d.Part.Redacted != "" {
				piece(m{"reasoningContent": m{"redactedContent": d.Part.Redacted}})
			} else {
				piece(m{"reasoningContent": m{"signature": d.Part.Signature}})
			}
		case llm.DeltaCite:
			c := &d.Part.Citations[0]
			piece(m{"citation": m{"title": c.Title, "sourceContent": []m{{"text": c.Quote}}, "location": m{"documentChar": m{"documentIndex": c.Document, "start": c.Start, "end": c.End}}}})
		case llm.DeltaClose:
			out = eventFrame(out, "contentBlockStop", m{"contentBlockIndex": d.Block})
		case llm.DeltaStop:
			out = eventFrame(out, "messageStop", m{"stopReason": converseStops[d.Stop.Reason]})
		case llm.DeltaUsage:
			out = eventFrame(out, "metadata", m{"usage": converseUsage(d.Usage), "metrics": m{"latencyMs": 100}})
		}
	}
	return out
}

// converseFail is an exception within a stream.
func converseFail(e *llm.Error) []byte {
	return frame(nil, "exception", ":exception-type", "serviceUnavailableException", encode(m{"message": e.Message}))
}

func eventFrame(dst []byte, name string, v any) []byte {
	return frame(dst, "event", ":event-type", name, encode(v))
}

// frame writes a message of Amazon's event stream encoding.
// https://docs.aws.amazon.com/lexv2/latest/dg/event-stream-encoding.html
func frame(dst []byte, kind, nameHeader, name string, payload []byte) []byte {
	var headers []byte
	for _, h := range [...][2]string{{":message-type", kind}, {nameHeader, name}, {":content-type", "application/json"}} {
		headers = append(append(headers, byte(len(h[0]))), h[0]...)
		headers = binary.BigEndian.AppendUint16(append(headers, 7), uint16(len(h[1]))) // a few letters
		headers = append(headers, h[1]...)
	}
	const around = 16                                                                       // two lengths and two checksums
	message := binary.BigEndian.AppendUint32(nil, uint32(around+len(headers)+len(payload))) // a few megabytes
	message = binary.BigEndian.AppendUint32(message, uint32(len(headers)))                  // a few letters
	message = binary.BigEndian.AppendUint32(message, crc32.ChecksumIEEE(message))
	message = append(append(message, headers...), payload...)
	return append(dst, binary.BigEndian.AppendUint32(message, crc32.ChecksumIEEE(message))...)
}

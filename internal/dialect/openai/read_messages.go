package openai

import (
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/fairlead/fairlead/internal/dialect/wire"
	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/rawjson"
)

// readMessages turns messages into turns. Instructions before the first turn are the
// prompt's system; results of tools become parts of a user's turn, those of
// one round in one turn.
func readMessages(p *llm.Prompt, messages []chatMessage) error {
	called := map[string]string{} // tool names by call id
	for i := range messages {
		m := &messages[i]
		parts, err := readParts(m, i)
		if err != nil {
			return err
		}
		switch m.Role {
		case "system", "developer":
			if len(p.Turns) == 0 {
				p.System = append(p.System, parts...)
				continue
			}
			p.Turns = append(p.Turns, llm.Turn{Role: llm.System, Name: m.Name, Parts: parts})
		case "tool", "function":
			result := llm.Part{Kind: llm.ToolResult, Result: &llm.Result{CallID: m.ToolCallID, Name: called[m.ToolCallID], Parts: parts}}
			if m.Role == "function" { // of the time before tools had ids
				result.Result.CallID, result.Result.Name = m.Name, m.Name
			}
			p.Turns = appendResult(p.Turns, result)
		case "assistant":
			turn := llm.Turn{Role: llm.Assistant, Name: m.Name, Parts: readAssistant(m, parts)}
			for _, part := range turn.Parts {
				if part.Call != nil {
					called[part.Call.ID] = part.Call.Name
				}
			}
			p.Turns = append(p.Turns, turn)
		case "user":
			p.Turns = append(p.Turns, llm.Turn{Role: llm.User, Name: m.Name, Parts: parts})
		default:
			at := fmt.Sprintf("messages[%d].role", i)
			return wire.Invalid(at, fmt.Sprintf("%s: %q is no role; it is system, developer, user, assistant or tool", at, m.Role))
		}
	}
	return nil
}

// appendResult joins the results of one round of calls, as the other dialects have
// them in one turn.
func appendResult(turns []llm.Turn, result llm.Part) []llm.Turn {
	if n := len(turns); n > 0 && turns[n-1].Role == llm.User && turns[n-1].Parts[0].Kind == llm.ToolResult {
		turns[n-1].Parts = append(turns[n-1].Parts, result)
		return turns
	}
	return append(turns, llm.Turn{Role: llm.User, Parts: []llm.Part{result}})
}

// readAssistant puts thought before words and words before calls, as models make
// them.
func readAssistant(m *chatMessage, words []llm.Part) (parts []llm.Part) {
	signed := map[string]reasoningDetail{} // by the call that the signature belongs to
	for _, raw := range m.ReasoningDetails {
		d := readDetail(raw)
		if d.ID != "" {
			signed[d.ID] = d
			continue
		}
		parts = append(parts, d.part())
	}
	if thought := m.ReasoningContent + m.Reasoning; thought != "" && len(parts) == 0 {
		parts = append(parts, llm.Part{Kind: llm.Reasoning, Text: thought})
	}
	parts = append(parts, words...)
	if m.Refusal != nil && *m.Refusal != "" {
		parts = append(parts, llm.Part{Kind: llm.Refusal, Text: *m.Refusal})
	}
	for _, c := range m.ToolCalls {
		part := llm.Part{Kind: llm.ToolCall, Call: &llm.Call{ID: c.ID, Name: c.Function.Name, Arguments: c.Function.Arguments}}
		if d, ok := signed[c.ID]; ok {
			part.Signature, part.Signer = d.Signature, d.Format
		}
		parts = append(parts, part)
	}
	return parts
}

// readDetail reads a detail of ours, or keeps an upstream's own as it is.
func readDetail(raw jsontext.Value) (d reasoningDetail) {
	if err := json.Unmarshal(raw, &d); err != nil || !signers[d.Format] {
		return reasoningDetail{Type: detailText, Text: d.Text, Signature: string(raw), Format: Name}
	}
	return d
}

func (d *reasoningDetail) part() llm.Part {
	p := llm.Part{Kind: llm.Reasoning, Text: d.Text, Signature: d.Signature, Signer: d.Format}
	if d.Type == detailEncrypted {
		p.Redacted = d.Data
	}
	return p
}

// signers are the dialects that sign thought.
var signers = map[string]bool{"anthropic": true, "gemini": true, "openai-responses": true, "bedrock": true}

// readParts reads content: a string, an array of parts, or nothing.
func readParts(m *chatMessage, i int) ([]llm.Part, error) {
	switch m.Content.Kind() {
	case '"':
		var text string
		if err := json.Unmarshal(m.Content, &text); err != nil {
			return nil, wire.BadField(err)
		}
		if text == "" && m.Role == "assistant" {
			return nil, nil // what stands beside calls
		}
		return []llm.Part{{Kind: llm.Text, Text: text}}, nil
	case '[':
		var items []jsontext.Value
		if err := json.Unmarshal(m.Content, &items); err != nil {
			return nil, wire.BadField(err)
		}
		parts := make([]llm.Part, 0, len(items))
		for _, raw := range items {
			part, err := readPart(raw, i)
			if err != nil {
				return nil, err
			}
			parts = append(parts, part)
		}
		return parts, nil
	}
	return nil, nil
}

func readPart(raw jsontext.Value, i int) (llm.Part, error) {
	var p chatPart
	if err := json.Unmarshal(raw, &p); err != nil {
		return llm.Part{}, wire.BadField(err)
	}
	out := llm.Part{Cache: p.Cache.read()}
	switch {
	case p.Type == "text":
		out.Kind, out.Text = llm.Text, p.Text
	case p.Type == "refusal":
		out.Kind, out.Text = llm.Refusal, p.Refusal
	case p.Type == "image_url" && p.ImageURL != nil:
		out.Kind, out.Media = llm.Image, wire.ReadURL(p.ImageURL.URL)
		out.Media.Detail = p.ImageURL.Detail
	case p.Type == "video_url" && p.VideoURL != nil:
		out.Kind, out.Media = llm.Video, wire.ReadURL(p.VideoURL.URL)
	case p.Type == "input_audio" && p.InputAudio != nil:
		out.Kind, out.Media = llm.Audio, &llm.Media{MIME: audioTypes[p.InputAudio.Format], Base64: p.InputAudio.Data}
	case p.Type == "file" && p.File != nil:
		out.Kind, out.Media = llm.Document, wire.ReadURL(p.File.FileData)
		out.Media.FileID, out.Media.Name = p.File.FileID, p.File.Filename
		if p.File.FileID != "" {
			out.Media.FileOf = Name
		}
	case knownParts[p.Type]:
		at := fmt.Sprintf("messages[%d].content", i)
		return out, wire.Invalid(at, fmt.Sprintf("%s: a part of type %q lacks its field of that name", at, p.Type))
	default:
		out.Kind, out.Raw, out.Dialect = llm.Other, raw, Name
	}
	return out, nil
}

var knownParts = map[string]bool{"image_url": true, "input_audio": true, "file": true, "video_url": true}

// audioTypes are the media types of this dialect's audio formats.
var audioTypes = map[string]string{
	"wav": "audio/wav", "mp3": "audio/mpeg", "flac": "audio/flac", "opus": "audio/ogg", "pcm16": "audio/L16", "aac": "audio/aac",
}

// readTextPrompt reads a request of the completions surface. Token ids belong to one
// tokenizer, so they cannot be read.
func readTextPrompt(req *llm.Request) (*llm.Prompt, error) {
	var in struct {
		Prompt           jsontext.Value     `json:"prompt"`
		Suffix           string             `json:"suffix"`
		MaxTokens        *int64             `json:"max_tokens"`
		Temperature      *float64           `json:"temperature"`
		TopP             *float64           `json:"top_p"`
		TopK             *int64             `json:"top_k"`
		Seed             *int64             `json:"seed"`
		Stop             jsontext.Value     `json:"stop"`
		PresencePenalty  *float64           `json:"presence_penalty"`
		FrequencyPenalty *float64           `json:"frequency_penalty"`
		N                int                `json:"n"`
		User             string             `json:"user"`
		Model            jsontext.Value     `json:"model"`
		Stream           bool               `json:"stream"`
		StreamOptions    jsontext.Value     `json:"stream_options"`
		Extra            map[string]rawJSON `json:",embed"`
	}
	if err := json.Unmarshal(req.Body, &in); err != nil {
		return nil, wire.BadField(err)
	}
	texts, err := readTexts("prompt", in.Prompt)
	return &llm.Prompt{
		Surface: req.Surface, Texts: texts, Suffix: in.Suffix, User: in.User, Unread: wire.Unread(in.Extra, ""),
		Sampling: llm.Sampling{
			MaxTokens: in.MaxTokens, Temperature: in.Temperature, TopP: in.TopP, TopK: in.TopK, Seed: in.Seed, N: in.N,
			Stop: readStop(in.Stop), PresencePenalty: in.PresencePenalty, FrequencyPenalty: in.FrequencyPenalty,
		},
	}, err
}

func readEmbedPrompt(req *llm.Request) (*llm.Prompt, error) {
	q, err := DecodeEmbeddings(req.Body, rawjson.Limits{})
	if err != nil {
		return nil, err
	}
	return &llm.Prompt{Surface: req.Surface, Texts: q.Texts, Dimensions: q.Dimensions}, nil
}

// readTexts reads a string or an array of strings.
func readTexts(field string, v jsontext.Value) ([]string, error) {
	texts := readStop(v)
	if len(texts) == 0 {
		return nil, wire.Unsupported(field, field+" must be text for this target; token ids mean nothing to it")
	}
	return texts, nil
}

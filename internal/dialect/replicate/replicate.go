// Package replicate is the codec of Replicate's predictions: a provider's dialect,
// which no client speaks.
//
// A language model there takes one prompt, so a conversation of several turns is
// written as one text. That a prediction is a job which is created, polled and
// cancelled is upstream's affair; here it is an answer. Sources:
// https://replicate.com/docs/reference/http and
// https://replicate.com/docs/topics/predictions/streaming (read 2026-11). Start reading
// at Write, then Answer and StreamDecoder.
package replicate

import (
	"net/url"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/fairlead/fairlead/internal/dialect/wire"
	"github.com/fairlead/fairlead/internal/llm"
)

// Name is what configuration and data files call this dialect.
const Name = "replicate"

// Path is where a prediction is made: of an official model below its name, of a
// version (owner/name:version, or the version alone) at /predictions.
func Path(req *llm.Request, opt llm.Options) string {
	if req.Surface != llm.Chat && req.Surface != llm.Completions {
		return ""
	}
	if versionOf(opt.Model) != "" {
		return "/predictions"
	}
	owner, name, _ := strings.Cut(opt.Model, "/")
	return "/models/" + url.PathEscape(owner) + "/" + url.PathEscape(name) + "/predictions"
}

func versionOf(model string) string {
	if _, version, ok := strings.Cut(model, ":"); ok {
		return version
	}
	if !strings.Contains(model, "/") {
		return model
	}
	return ""
}

type prediction struct {
	Version string `json:"version,omitzero"`
	Input   input  `json:"input"`
	Stream  bool   `json:"stream,omitzero"`
}

// input has the names that Replicate's own language models use.
type input struct {
	Prompt           string   `json:"prompt"`
	SystemPrompt     string   `json:"system_prompt,omitzero"`
	MaxTokens        *int64   `json:"max_tokens,omitzero"`
	Temperature      *float64 `json:"temperature,omitzero"`
	TopP             *float64 `json:"top_p,omitzero"`
	TopK             *int64   `json:"top_k,omitzero"`
	Seed             *int64   `json:"seed,omitzero"`
	PresencePenalty  *float64 `json:"presence_penalty,omitzero"`
	FrequencyPenalty *float64 `json:"frequency_penalty,omitzero"`
	StopSequences    string   `json:"stop_sequences,omitzero"` // comma-separated
}

// Write gives the bytes that make a prediction.
func Write(p *llm.Prompt, stream bool, opt llm.Options) (body []byte, lost llm.Losses, err error) {
	s := &p.Sampling
	out := prediction{Version: versionOf(opt.Model), Stream: stream, Input: input{
		MaxTokens: s.MaxTokens, Temperature: s.Temperature, TopP: s.TopP, TopK: s.TopK, Seed: s.Seed,
		PresencePenalty: s.PresencePenalty, FrequencyPenalty: s.FrequencyPenalty, StopSequences: strings.Join(s.Stop, ","),
	}}
	if p.Surface == llm.Completions {
		if len(p.Texts) != 1 {
			return nil, nil, wire.Unsupported("prompt", "this target continues one text at a time")
		}
		out.Input.Prompt = p.Texts[0]
		lost.If(p.Suffix != "", "suffix")
	} else {
		out.Input.SystemPrompt = words(p.System, &lost)
		out.Input.Prompt = conversation(p.Turns, &lost)
	}
	lose(p, &lost)
	body, err = json.Marshal(&out)
	return body, lost, err
}

// lose notes what a prediction has no input for.
func lose(p *llm.Prompt, lost *llm.Losses) {
	s := &p.Sampling
	for f, there := range map[llm.Field]bool{
		llm.FieldTools: len(p.Tools) > 0, llm.FieldToolChoice: p.Choice.Mode != llm.ChoiceUnset, llm.FieldParallel: p.Parallel != nil,
		llm.FieldFormat: p.Format.Kind != llm.FormatText, llm.FieldThinking: p.Thinking.Mode != llm.ThinkingUnset,
		llm.FieldMinP: s.MinP != nil, llm.FieldRepeatPenalty: s.RepeatPenalty != nil, llm.FieldLogitBias: s.LogitBias != nil,
		llm.FieldN: s.N > 1, llm.FieldLogprobs: s.Logprobs, llm.FieldUser: p.User != "", llm.FieldMetadata: len(p.Metadata) > 0,
		llm.FieldTier: p.Tier != "",
	} {
		lost.If(there, f)
	}
}

// conversation is the turns as one prompt: the words alone where there is one turn,
// else each with its speaker, and the assistant's to go on with.
func conversation(turns []llm.Turn, lost *llm.Losses) string {
	if len(turns) == 1 && turns[0].Role == llm.User {
		return words(turns[0].Parts, lost)
	}
	var out strings.Builder
	for i := range turns {
		speaker := map[llm.Role]string{llm.User: "User", llm.Assistant: "Assistant", llm.System: "System"}[turns[i].Role]
		out.WriteString(speaker + ": " + words(turns[i].Parts, lost) + "\n\n")
	}
	return out.String() + "Assistant:"
}

// partFields are the fields that are lost with a part of a kind.
var partFields = map[llm.PartKind]llm.Field{
	llm.Image: llm.FieldImage, llm.Audio: llm.FieldAudio, llm.Video: llm.FieldVideo, llm.Document: llm.FieldDocument,
	llm.Reasoning: llm.FieldReasoning, llm.ToolCall: llm.FieldTools, llm.ToolResult: llm.FieldTools, llm.Other: llm.FieldOther,
}

func words(parts []llm.Part, lost *llm.Losses) string {
	var out []string
	for i := range parts {
		p := &parts[i]
		lost.If(p.Cache != nil, llm.FieldCache)
		if field, ok := partFields[p.Kind]; ok {
			lost.Add(field)
			continue
		}
		out = append(out, p.Text)
	}
	return strings.Join(out, "\n")
}

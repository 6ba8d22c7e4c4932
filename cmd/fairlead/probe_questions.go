package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"strings"
)

// question is one probe: what is asked, and how the answer shows whether it was heard.
type question struct {
	name    string
	ability string // "" where it is none
	path    string
	tokens  int // the bound on the output; 0 where there is none to set
	fill    func(body map[string]any)
	judge   func(a *answered) (outcome, detail string)
}

const chatPath = "/v1/chat/completions"

// shortTokens cut most answers short, so that how many tokens two have is known.
const shortTokens = 8

// questions in their order; the first says whether the target answers at all.
var questions = [...]question{
	{"plain", "chat", chatPath, 16, says("Say ahoy."), hasText},
	{"stream", "stream", chatPath, 16, with(says("Say ahoy."), "stream", true, "stream_options", map[string]any{"include_usage": true}), streams},
	{"max_tokens", "", chatPath, 1, says("Count from one to a hundred."), stopsShort},
	{"tools", "tools", chatPath, 128, with(says("What is the weather in Kiel?"), "tools", []any{weatherTool}, "tool_choice", "required"), calls},
	{"json_schema", "json_schema", chatPath, 64, with(says("Name a colour."), "response_format", map[string]any{"type": "json_schema", "json_schema": colourSchema}), isColour},
	{"json_object", "json_object", chatPath, 64, with(says("Name a colour, as JSON with the field colour."), "response_format", map[string]any{"type": "json_object"}), isObject},
	{"vision", "vision", chatPath, 16, seesPicture, hasText},
	{"logprobs", "logprobs", chatPath, 4, with(says("Say ahoy."), "logprobs", true), hasLogprobs},
	{"n", "n", chatPath, shortTokens, with(says("Say ahoy."), "n", 2), hasTwo},
	{"completions", "completions", "/v1/completions", 4, func(b map[string]any) { b["prompt"] = "One, two," }, hasText},
	{"embeddings", "embeddings", "/v1/embeddings", 0, func(b map[string]any) { b["input"] = "ahoy" }, hasVector},
	{"rerank", "rerank", "/v1/rerank", 0, func(b map[string]any) {
		b["query"], b["documents"] = "Which is a port?", []string{"Kiel lies by the sea.", "The cat sleeps."}
	}, hasRanks},
}

var (
	weatherTool = map[string]any{"type": "function", "function": map[string]any{
		"name": "weather", "description": "The weather of a city.",
		"parameters": map[string]any{"type": "object", "properties": map[string]any{"city": map[string]any{"type": "string"}}, "required": []string{"city"}, "additionalProperties": false},
	}}
	colourSchema = map[string]any{"name": "colour", "strict": true, "schema": map[string]any{
		"type": "object", "properties": map[string]any{"colour": map[string]any{"type": "string", "enum": []string{"red", "blue"}}},
		"required": []string{"colour"}, "additionalProperties": false,
	}}
)

func says(prompt string) func(map[string]any) {
	return func(b map[string]any) { b["messages"] = []any{map[string]any{"role": "user", "content": prompt}} }
}

// with adds fields, name and value in turn.
func with(fill func(map[string]any), fields ...any) func(map[string]any) {
	return func(b map[string]any) {
		fill(b)
		for i := 0; i+1 < len(fields); i += 2 {
			b[fields[i].(string)] = fields[i+1] //nolint:forcetypeassert // of the table above
		}
	}
}

// seesPicture sends a picture of one red pixel.
func seesPicture(b map[string]any) {
	pixel := image.NewNRGBA(image.Rect(0, 0, 1, 1))
	pixel.Set(0, 0, color.NRGBA{R: 255, A: 255})
	var file bytes.Buffer
	_ = png.Encode(&file, pixel) // into memory
	b["messages"] = []any{map[string]any{"role": "user", "content": []any{
		map[string]any{"type": "text", "text": "Which colour?"},
		map[string]any{"type": "image_url", "image_url": map[string]any{"url": "data:image/png;base64," + base64.StdEncoding.EncodeToString(file.Bytes())}},
	}}}
}

func hasText(a *answered) (outcome, detail string) {
	c := a.read()
	if len(c.Choices) == 0 {
		return ignored, "there is no choice in the answer"
	}
	text := c.Choices[0].Message.Content + c.Choices[0].Text
	if text == "" && c.Choices[0].FinishReason != "length" {
		return ignored, "the answer is empty"
	}
	return worked, fmt.Sprintf("%q", text)
}

func streams(a *answered) (outcome, detail string) {
	chunks := a.events()
	for _, c := range chunks {
		if c.Error != nil {
			return failed, c.Error.Message
		}
	}
	if len(chunks) == 0 {
		return ignored, "the answer has no events"
	}
	if !countUsage(chunks) {
		return worked, fmt.Sprintf("%d events, without usage: costs are estimated", len(chunks))
	}
	return worked, fmt.Sprintf("%d events, usage among them", len(chunks))
}

func stopsShort(a *answered) (outcome, detail string) {
	c := a.read()
	switch {
	case len(c.Choices) == 0:
		return ignored, "there is no choice in the answer"
	case c.Choices[0].FinishReason == "length":
		return worked, "it stopped, and says so"
	case c.Usage != nil && c.Usage.CompletionTokens > 1:
		return ignored, fmt.Sprintf("%d tokens came where 1 was the bound", c.Usage.CompletionTokens)
	}
	return ignored, fmt.Sprintf("it stopped with %q where length was due", c.Choices[0].FinishReason)
}

func calls(a *answered) (outcome, detail string) {
	c := a.read()
	if len(c.Choices) == 0 || len(c.Choices[0].Message.ToolCalls) == 0 {
		return ignored, "no tool was called, though one had to be"
	}
	call := c.Choices[0].Message.ToolCalls[0].Function
	if call.Name != "weather" || !json.Valid([]byte(call.Arguments)) {
		return unclear, fmt.Sprintf("it called %q with %q", call.Name, call.Arguments)
	}
	return worked, "weather " + call.Arguments
}

func content(a *answered) string {
	if c := a.read(); len(c.Choices) > 0 {
		return strings.TrimSpace(c.Choices[0].Message.Content)
	}
	return ""
}

func isColour(a *answered) (outcome, detail string) {
	var got map[string]string
	text := content(a)
	if json.Unmarshal([]byte(text), &got) == nil && len(got) == 1 && (got["colour"] == "red" || got["colour"] == "blue") {
		return worked, text
	}
	return ignored, fmt.Sprintf("not by the schema: %q", text)
}

func isObject(a *answered) (outcome, detail string) {
	var got map[string]any
	text := content(a)
	if json.Unmarshal([]byte(text), &got) == nil && got != nil {
		return worked, text
	}
	return ignored, fmt.Sprintf("not an object: %q", text)
}

func hasLogprobs(a *answered) (outcome, detail string) {
	c := a.read()
	if len(c.Choices) > 0 && len(c.Choices[0].Logprobs) > len("null") {
		return worked, "they are there"
	}
	return ignored, "the answer has none"
}

func hasTwo(a *answered) (outcome, detail string) {
	c := a.read()
	switch {
	case len(c.Choices) != 2:
		return ignored, fmt.Sprintf("%d of 2 choices", len(c.Choices))
	case c.Usage != nil && c.Choices[0].FinishReason == "length" && c.Choices[1].FinishReason == "length" && c.Usage.CompletionTokens < 2*shortTokens:
		return unclear, "2 choices, but usage counts one: costs would be wrong"
	}
	return worked, "2 choices"
}

func hasVector(a *answered) (outcome, detail string) {
	var v struct {
		Data []struct {
			Embedding []float64 `json:"embedding"`
		} `json:"data"`
	}
	if json.Unmarshal(a.body, &v) != nil || len(v.Data) != 1 || len(v.Data[0].Embedding) == 0 {
		return ignored, "the answer has no vector"
	}
	return worked, fmt.Sprintf("%d dimensions", len(v.Data[0].Embedding))
}

func hasRanks(a *answered) (outcome, detail string) {
	var v struct {
		Results []struct {
			Index int     `json:"index"`
			Score float64 `json:"relevance_score"`
		} `json:"results"`
	}
	if json.Unmarshal(a.body, &v) != nil || len(v.Results) != 2 {
		return ignored, "the answer has no results"
	}
	return worked, fmt.Sprintf("the best is document %d", v.Results[0].Index)
}

// Package geminifake answers as Google's Gemini API does: request bytes in, answer out, pure and repeatable like its
// neighbour openaifake, whose sentences it says.
//
// It signs the first call of a turn, or the text, and as Gemini 3 does it refuses a turn whose first call comes back without
// that signature. Written from the publisher's description (origin: described): https://ai.google.dev/api/generate-content,
// https://ai.google.dev/gemini-api/docs/thought-signatures, https://ai.google.dev/gemini-api/docs/function-calling. Start at Generate.
package geminifake

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/fairlead/fairlead/internal/testkit/openaifake"
)

// Signature is what this server signs with; clients of this dialect see it as bytes. Unvalidated is taken in its place,
// for calls that another model made.
const (
	Signature   = "c2lnbmVkIGJ5IHRoZSBmYWtlIQ=="
	Unvalidated = "c2tpcF90aG91Z2h0X3NpZ25hdHVyZV92YWxpZGF0b3I="
)

// words are the google.rpc.Code of each status.
var words = map[int]string{
	400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND", 429: "RESOURCE_EXHAUSTED",
	500: "INTERNAL", 503: "UNAVAILABLE", 504: "DEADLINE_EXCEEDED",
}

// Fail writes an error body.
func Fail(status int, message string) []byte {
	word, ok := words[status]
	if !ok {
		word = "UNKNOWN"
	}
	type detail struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
		Status  string `json:"status"`
	}
	return openaifake.Encode(struct {
		Error detail `json:"error"`
	}{detail{status, message, word}})
}

// Failure is an error answer.
func Failure(status int, message string) openaifake.Answer {
	return openaifake.Answer{Status: status, Body: Fail(status, message), Fail: Fail}
}

type part struct {
	Text      string `json:"text"`
	Thought   bool   `json:"thought"`
	Signature string `json:"thoughtSignature"`
	Call      *struct {
		Name string `json:"name"`
	} `json:"functionCall"`
	Response *struct {
		Name  string          `json:"name"`
		Value json.RawMessage `json:"response"`
	} `json:"functionResponse"`
}

type content struct {
	Role  string `json:"role"`
	Parts []part `json:"parts"`
}

type function struct {
	Name       string          `json:"name"`
	Parameters json.RawMessage `json:"parameters"`
	Schema     json.RawMessage `json:"parametersJsonSchema"`
}

type request struct {
	Contents []content `json:"contents"`
	System   content   `json:"systemInstruction"`
	Tools    []struct {
		Functions []function `json:"functionDeclarations"`
	} `json:"tools"`
	ToolConfig struct {
		Calling struct {
			Mode    string   `json:"mode"`
			Allowed []string `json:"allowedFunctionNames"`
		} `json:"functionCallingConfig"`
	} `json:"toolConfig"`
	Config struct {
		Stops      []string        `json:"stopSequences"`
		Most       int             `json:"maxOutputTokens"`
		MIME       string          `json:"responseMimeType"`
		Schema     json.RawMessage `json:"responseSchema"`
		JSONSchema json.RawMessage `json:"responseJsonSchema"`
		Thinking   struct {
			Include bool `json:"includeThoughts"`
		} `json:"thinkingConfig"`
	} `json:"generationConfig"`
}

// Generate answers POST …:generateContent and, with stream, …:streamGenerateContent?alt=sse.
func Generate(model string, body []byte, stream bool, knobs openaifake.Knobs) openaifake.Answer {
	var r request
	if err := json.Unmarshal(body, &r); err != nil {
		return Failure(400, "Invalid JSON payload received. "+err.Error())
	}
	if wrong := r.check(); wrong != "" {
		return Failure(400, wrong)
	}
	a := newAnswer(&r, model, body, knobs)
	if stream {
		return openaifake.Answer{Status: 200, Events: a.events(), Fail: Fail}
	}
	return openaifake.Answer{Status: 200, Body: a.whole(), Fail: Fail}
}

// CountTokens answers POST …:countTokens.
func CountTokens(body []byte) openaifake.Answer {
	var r struct {
		request
		Inner request `json:"generateContentRequest"`
	}
	if err := json.Unmarshal(body, &r); err != nil {
		return Failure(400, err.Error())
	}
	return openaifake.Answer{Status: 200, Fail: Fail, Body: openaifake.Encode(map[string]int{"totalTokens": r.tokens() + r.Inner.tokens()})}
}

// check says what Gemini would find wrong.
func (r *request) check() string {
	if len(r.Contents) == 0 {
		return "* GenerateContentRequest.contents: contents is not specified"
	}
	for i, c := range r.Contents {
		if len(c.Parts) == 0 {
			return fmt.Sprintf("* GenerateContentRequest.contents[%d].parts: contents.parts must not be empty.", i)
		}
		if c.Role != "" && c.Role != "user" && c.Role != "model" {
			return "Please use a valid role: user, model."
		}
		for _, p := range c.Parts {
			if p.Call == nil {
				continue
			}
			if p.Signature != Signature && p.Signature != Unvalidated {
				return fmt.Sprintf("Function call `%s` in the %d. content block is missing a `thought_signature`.", p.Call.Name, i)
			}
			break // only the first call of a turn is signed
		}
	}
	return ""
}

func (r *request) tokens() int {
	count := 0
	for _, c := range append([]content{r.System}, r.Contents...) {
		if len(c.Parts) > 0 {
			count += openaifake.CountTokens(c.text())
		}
	}
	return count
}

func (c content) text() string {
	var all strings.Builder
	for _, p := range c.Parts {
		all.WriteString(p.Text)
	}
	return all.String()
}

// result is the newest turn's last result of a function.
func (r *request) result() (json.RawMessage, bool) {
	last := r.Contents[len(r.Contents)-1]
	for _, p := range slices.Backward(last.Parts) {
		if p.Response != nil {
			return p.Response.Value, true
		}
	}
	return nil, false
}

func (r *request) called() []function {
	var all []function
	calling := r.ToolConfig.Calling
	for _, t := range r.Tools {
		for _, f := range t.Functions {
			if len(calling.Allowed) == 0 || slices.Contains(calling.Allowed, f.Name) {
				all = append(all, f)
			}
		}
	}
	if _, done := r.result(); calling.Mode == "NONE" || done && calling.Mode != "ANY" {
		return nil
	}
	return all
}

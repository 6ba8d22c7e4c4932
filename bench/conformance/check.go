package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/fairlead/fairlead/internal/dialect"
	"github.com/fairlead/fairlead/internal/dialect/dialecttest"
	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/rawjson"
)

// result is what one request came to.
type result struct {
	Client   string   `json:"client"`
	Model    string   `json:"model"`
	Feature  string   `json:"feature"`
	Streamed bool     `json:"streamed"`
	Status   int      `json:"status"`
	Stop     string   `json:"stop,omitempty"`
	Input    int64    `json:"input_tokens,omitempty"`
	Output   int64    `json:"output_tokens,omitempty"`
	Loss     string   `json:"loss,omitempty"`
	Refused  string   `json:"refused,omitempty"` // the message of a 4xx: the gateway said no
	Problems []string `json:"problems,omitempty"`
	MS       int64    `json:"ms"`
}

func (r *result) wrong(format string, args ...any) {
	r.Problems = append(r.Problems, fmt.Sprintf(format, args...))
}

// surfaces are where a gateway answers clients of each dialect.
var surfaces = map[string]string{
	"openai-chat": "/v1/chat/completions", "openai-responses": "/v1/responses", "anthropic": "/v1/messages", "ollama": "/api/chat",
}

func checkAll(ctx context.Context, o *options) (results []result) {
	for _, name := range o.dialects {
		client, _ := dialect.ByName(name) // parse has checked it
		for _, m := range o.models {
			for _, feature := range o.features {
				body, ok := dialecttest.Body(name, feature, name)
				if !ok {
					continue
				}
				for _, stream := range [...]bool{false, true} {
					r := result{Client: name, Model: m.label, Feature: feature, Streamed: stream}
					began := time.Now()
					r.check(ctx, o, client, m.name, body)
					r.MS = time.Since(began).Milliseconds()
					results = append(results, r)
				}
			}
		}
	}
	return results
}

// check sends one request and judges what comes back.
func (r *result) check(ctx context.Context, o *options, client *dialect.Codec, model string, body []byte) {
	req, err := dialecttest.Request(client, body, r.Streamed)
	if err != nil {
		r.wrong("the kit's own request is wrong: %v", err)
		return
	}
	ctx, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	call, err := newCall(ctx, o, client.Name, model, req)
	if err != nil {
		r.wrong("%v", err)
		return
	}
	res, err := http.DefaultClient.Do(call) //nolint:gosec // G704: the gateway that the caller names
	if err != nil {
		r.wrong("%v", err)
		return
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(res.Body, 64<<20))
	if err != nil {
		r.wrong("the answer breaks off: %v", err)
	}
	r.Status, r.Loss = res.StatusCode, res.Header.Get("X-Fairlead-Loss")
	switch {
	case res.StatusCode >= http.StatusInternalServerError:
		r.wrong("HTTP %d: %.300s", res.StatusCode, answer)
	case res.StatusCode != http.StatusOK:
		e := client.DecodeError(res.StatusCode, answer)
		r.Refused = e.Message
		if _, err := rawjson.Check(answer, rawjson.Limits{}); err != nil {
			r.wrong("the error is no JSON: %.300s", answer)
		}
	case r.Streamed:
		r.stream(client, req, answer)
	default:
		r.plain(client, req, answer)
	}
}

// newCall is the HTTP request, with the key where SDKs of the dialect put it.
func newCall(ctx context.Context, o *options, client, model string, req *llm.Request) (*http.Request, error) {
	path, body := surfaces[client], req.Body
	if client == "gemini" {
		path = "/v1beta/models/" + model + ":generateContent"
		if req.Stream {
			path = "/v1beta/models/" + model + ":streamGenerateContent?alt=sse"
		}
	} else {
		edit := req.Doc.Edit()
		edit.Set(rawjson.AppendString(nil, model), "model")
		var err error
		if body, err = edit.Apply(); err != nil {
			return nil, err
		}
	}
	call, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimSuffix(o.url, "/")+path, bytes.NewReader(body)) //nolint:gosec // G704: the gateway that the caller names
	if err != nil {
		return nil, err
	}
	call.Header.Set("Content-Type", "application/json")
	switch client {
	case "anthropic":
		call.Header.Set("X-Api-Key", o.key)
		call.Header.Set("Anthropic-Version", "2023-06-01")
	case "gemini":
		call.Header.Set("X-Goog-Api-Key", o.key)
	default:
		call.Header.Set("Authorization", "Bearer "+o.key)
	}
	return call, nil
}

func (r *result) stream(client *dialect.Codec, req *llm.Request, events []byte) {
	for _, p := range dialecttest.Grammar(client.Name, events) {
		r.wrong("%s", p)
	}
	answer, complete, err := dialecttest.ReadStream(req, client, bytes.NewReader(events))
	switch {
	case err != nil:
		r.wrong("the client's reader: %v", err)
	case !complete:
		r.wrong("the stream has no stop reason")
	default:
		r.answer(answer)
	}
}

func (r *result) plain(client *dialect.Codec, req *llm.Request, body []byte) {
	answer, err := dialecttest.ReadPlain(req, client, body)
	if err != nil {
		r.wrong("the client's reader: %v", err)
		return
	}
	r.answer(answer)
}

// answer checks what every answer has.
func (r *result) answer(a *llm.Answer) {
	if len(a.Choices) == 0 {
		r.wrong("the answer has no choices")
		return
	}
	r.Stop = string(a.Choices[0].Stop.Reason)
	if r.Stop == "" {
		r.wrong("the answer has no stop reason")
	}
	r.Input, r.Output = a.Usage.TotalInput(), a.Usage.TotalOutput()
	if !a.Counted || r.Input == 0 || r.Output == 0 {
		r.wrong("the usage is missing or zero: %d in, %d out", r.Input, r.Output)
	}
}

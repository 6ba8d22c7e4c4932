package app

import (
	"testing"

	"github.com/fairlead/fairlead/internal/testkit"
)

// Everything that goes to an upstream and to a client is held against the publisher's
// own description of its API.
func TestSpec_WhatWeSendIsWhatThePublisherDescribes(t *testing.T) {
	t.Parallel()
	spec := testkit.OpenAISpec(t)
	up := testkit.NewUpstream(t)
	g := start(t, up, twoTargets)
	const (
		logprobs = `,"logprobs":true,"top_logprobs":2`
		schema   = `,"response_format":{"type":"json_schema","json_schema":{"name":"a","schema":{"type":"object","properties":{"b":{"type":"string"}}}}}`
		tags     = `,"metadata":{"fairlead_task":"t","team":"7"}`
	)
	for name, tc := range map[string]struct{ path, body string }{
		"chat":                {chatPath, asking("one")},
		"chat, all sorts":     {chatPath, asking("one", weather, tags, `,"n":2,"temperature":0.5,"seed":7`)},
		"chat, logprobs":      {chatPath, asking("one", logprobs, schema)},
		"chat, refusal":       {chatPath, asking("one", behaving("refuse,cached=3,reasoning=2"))},
		"chat, fallback":      {chatPath, asking("both", behaving("status=500"))},
		"stream":              {chatPath, asking("one", streamed)},
		"stream, usage":       {chatPath, asking("one", withUsage, `,"n":2`)},
		"stream, tools":       {chatPath, asking("one", weather, streamed)},
		"stream, logprobs":    {chatPath, asking("one", logprobs, streamed)},
		"stream, no [DONE]":   {chatPath, asking("one", streamed, behaving("no-done"))},
		"completion":          {completionPath, `{"model":"one","prompt":["hi","ho"]}`},
		"completion, stream":  {completionPath, `{"model":"one","prompt":"hi","stream":true}`},
		"embeddings":          {embeddingsPath, `{"model":"embed","input":["a","b"],"dimensions":8}`},
		"embeddings, base64":  {embeddingsPath, `{"model":"embed","input":"a","encoding_format":"base64"}`},
		"models":              {"/v1/models", ""},
		"a model":             {"/v1/models/both", ""},
		"an error of ours":    {chatPath, asking("none")},
		"an error of theirs":  {chatPath, asking("one", behaving("status=400"))},
		"an unreachable one":  {chatPath, asking("dead")},
		"an unknown endpoint": {"/v1/threads", "{}"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			method := "POST"
			if tc.body == "" {
				method = "GET"
			}
			got := g.do(t, method, tc.path, tc.body)
			var err error
			switch kind := got.header.Get("Content-Type"); {
			case got.status != 200:
				err = spec.ValidateError([]byte(got.body))
			case kind == "application/json":
				err = spec.ValidateResponse(tc.path, []byte(got.body))
			default:
				err = spec.ValidateStream(tc.path, []byte(got.body))
			}
			if err != nil {
				t.Errorf("%d %s\n%v", got.status, got.body, err)
			}
		})
	}
	t.Cleanup(func() {
		for _, r := range up.Requests() {
			if err := spec.ValidateRequest(r.Path, r.Body); err != nil {
				t.Errorf("sent to %s: %s\n%v", r.Path, r.Body, err)
			}
		}
	})
}

func TestSpec_ErrorsWithinAStream(t *testing.T) {
	t.Parallel()
	spec := testkit.OpenAISpec(t)
	up := testkit.NewUpstream(t)
	g := start(t, up, twoTargets)
	for _, behavior := range []string{"error-event=3", "cut-event=3", "garbage-event=4"} {
		got := g.chat(t, asking("one", streamed, behaving(behavior)))
		events := testkit.EventData([]byte(got.body))
		for _, data := range events[:len(events)-1] {
			if err := spec.ValidateChunk(chatPath, data); err != nil {
				t.Errorf("%s\n%v", data, err)
			}
		}
		if err := spec.ValidateError(events[len(events)-1]); err != nil {
			t.Errorf("%s\n%v", events[len(events)-1], err)
		}
	}
}

package upstream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/llm"
)

// provider is a fake of a job API: it writes down what it is asked, and answers by
// method and path.
type provider struct {
	t       *testing.T
	asked   []string
	answers map[string][]string // bodies in the order in which they are given; the last stays
	status  int
}

func (p *provider) RoundTrip(r *http.Request) (*http.Response, error) {
	key := r.Method + " " + r.URL.Path
	body, err := io.ReadAll(r.Body)
	if err != nil {
		p.t.Error(err)
	}
	p.asked = append(p.asked, strings.TrimSpace(key+" "+string(body)))
	if r.Header.Get("Authorization") != "Bearer k" {
		p.t.Errorf("%s came without the key", key)
	}
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	list := p.answers[key]
	if len(list) == 0 {
		return nil, fmt.Errorf("nobody expects %s", key)
	}
	if len(list) > 1 {
		p.answers[key] = list[1:]
	}
	status := p.status
	if status == 0 {
		status = 200
	}
	kind := "application/json"
	if strings.HasPrefix(list[0], "event:") {
		kind = "text/event-stream"
	}
	return &http.Response{StatusCode: status, Header: http.Header{"Content-Type": {kind}}, Body: io.NopCloser(strings.NewReader(list[0])), Request: r}, nil
}

func (p *provider) call(ctx context.Context, t *testing.T, api JobAPI, url, body, accept string) (*http.Response, error) {
	t.Helper()
	r, err := http.NewRequestWithContext(ctx, "POST", url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header = http.Header{"Authorization": {"Bearer k"}, "Accept": {accept}, "Content-Type": contentTypeJSON}
	return (&JobTransport{Next: p, API: api}).RoundTrip(r)
}

const (
	replicateURL = "https://api.replicate.test/v1/models/a/b/predictions"
	starting     = `{"id":"p1","status":"starting","urls":{"get":"https://api.replicate.test/v1/predictions/p1","cancel":"https://api.replicate.test/v1/predictions/p1/cancel","stream":"https://stream.replicate.test/v1/p1"}}`
	processing   = `{"id":"p1","status":"processing","urls":{}}`
	succeeded    = `{"id":"p1","status":"succeeded","output":["Hi"],"urls":{}}`
)

func TestJobs_APredictionIsAskedForUntilItIsDone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := &provider{t: t, answers: map[string][]string{
			"POST /v1/models/a/b/predictions": {starting}, "GET /v1/predictions/p1": {processing, processing, succeeded},
		}}
		begun := time.Now()
		res, err := p.call(t.Context(), t, Replicate{}, replicateURL, `{"input":{}}`, "application/json")
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(res.Body)
		if string(body) != succeeded || res.StatusCode != 200 || mediaType(res) != "application/json" {
			t.Errorf("%d %s", res.StatusCode, body)
		}
		want := []string{`POST /v1/models/a/b/predictions {"input":{}}`, "GET /v1/predictions/p1", "GET /v1/predictions/p1", "GET /v1/predictions/p1"}
		if diff := cmp.Diff(want, p.asked); diff != "" || time.Since(begun) > 2*time.Second {
			t.Errorf("after %s (-want +got):\n%s", time.Since(begun), diff)
		}
	})
}

func TestJobs_AClientThatLeavesCancelsThePrediction(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := &provider{t: t, answers: map[string][]string{
			"POST /v1/models/a/b/predictions": {starting}, "GET /v1/predictions/p1": {processing}, "POST /v1/predictions/p1/cancel": {"{}"},
		}}
		ctx, leave := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, leave)
		begun := time.Now()
		_, err := p.call(ctx, t, Replicate{}, replicateURL, "{}", "application/json")
		if !errors.Is(err, context.Canceled) || time.Since(begun) != time.Second {
			t.Errorf("%v after %s", err, time.Since(begun))
		}
		if last := p.asked[len(p.asked)-1]; last != "POST /v1/predictions/p1/cancel" {
			t.Errorf("the last request is %s", last)
		}
	})
}

func TestJobs_AStreamIsReadWhereThereIsOne(t *testing.T) {
	t.Parallel()
	events := "event: output\ndata: Hi\n\nevent: done\ndata: {}\n\n"
	for name, leave := range map[string]bool{"to its end": false, "not to its end": true} {
		p := &provider{t: t, answers: map[string][]string{
			"POST /v1/models/a/b/predictions": {starting}, "GET /v1/p1": {events}, "POST /v1/predictions/p1/cancel": {"{}"},
		}}
		res, err := p.call(t.Context(), t, Replicate{}, replicateURL, "{}", "text/event-stream")
		if err != nil {
			t.Fatal(err)
		}
		if !leave {
			if body, _ := io.ReadAll(res.Body); string(body) != events {
				t.Errorf("%s: %s", name, body)
			}
		}
		_ = res.Body.Close()
		canceled := p.asked[len(p.asked)-1] == "POST /v1/predictions/p1/cancel"
		if canceled != leave {
			t.Errorf("%s: canceled %v", name, canceled)
		}
	}
}

func TestJobs_WhatIsWrongIsSaid(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		created string
		status  int
		api     JobAPI
		url     string
		says    string
		kind    llm.Kind
	}{
		"no prediction":   {`{"x":1}`, 0, Replicate{}, replicateURL, "is no prediction", llm.Upstream},
		"no JSON":         {`<html>`, 0, Replicate{}, replicateURL, "is no prediction", llm.Upstream},
		"nowhere to ask":  {`{"status":"starting"}`, 0, Replicate{}, replicateURL, "names no place", llm.Upstream},
		"another host":    {`{"status":"starting","urls":{"get":"https://evil.test/p"}}`, 0, Replicate{}, replicateURL, "another host", llm.Upstream},
		"a longer host":   {`{"status":"starting","urls":{"get":"https://evilreplicate.test/p"}}`, 0, Replicate{}, replicateURL, "another host", llm.Upstream},
		"without TLS":     {`{"status":"starting","urls":{"get":"http://api.replicate.test/p"}}`, 0, Replicate{}, replicateURL, "another host", llm.Upstream},
		"another port":    {`{"status":"starting","urls":{"get":"https://x.replicate.test:99/p"}}`, 0, Replicate{}, replicateURL, "another host", llm.Upstream},
		"a job that fell": {`{"id":"1","status":"FAILED","error":"out of memory"}`, 0, Runpod{}, "https://api.runpod.test/v2/e/chat/completions", "out of memory", llm.Upstream},
		"a job too long":  {`{"id":"1","status":"TIMED_OUT"}`, 0, Runpod{}, "https://api.runpod.test/v2/e/chat/completions", "its own time", llm.Timeout},
		"a job's id":      {`{"id":"../x","status":"IN_QUEUE"}`, 0, Runpod{}, "https://api.runpod.test/v2/e/chat/completions", "no id", llm.Upstream},
		"not an endpoint": {``, 0, Runpod{}, "https://api.runpod.test/chat/completions", "/v2/ENDPOINT", llm.Internal},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := &provider{t: t, status: tc.status, answers: map[string][]string{
				"POST /v1/models/a/b/predictions": {tc.created}, "POST /v2/e/runsync": {tc.created},
			}}
			_, err := p.call(t.Context(), t, tc.api, tc.url, "{}", "application/json")
			var e *llm.Error
			if !errors.As(err, &e) || e.Kind != tc.kind || !strings.Contains(e.Message, tc.says) {
				t.Errorf("%v, want %s: %s", err, tc.kind, tc.says)
			}
		})
	}
}

func TestJobs_AnAnswerThatIsNoSuccessIsPassedOn(t *testing.T) {
	t.Parallel()
	p := &provider{t: t, status: 422, answers: map[string][]string{"POST /v1/models/a/b/predictions": {`{"detail":"bad input"}`}}}
	res, err := p.call(t.Context(), t, Replicate{}, replicateURL, "{}", "application/json")
	if err != nil || res.StatusCode != 422 {
		t.Errorf("%v %v", res, err)
	}
}

func TestJobs_RunpodWrapsAndUnwraps(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := &provider{t: t, answers: map[string][]string{
			"POST /v2/e/runsync":   {`{"id":"j","status":"IN_QUEUE"}`},
			"GET /v2/e/status/j":   {`{"id":"j","status":"IN_PROGRESS"}`, `{"id":"j","status":"COMPLETED","output":[{"choices":[]}]}`},
			"POST /v2/e/cancel/j":  {"{}"},
			"POST /v2/e/unrelated": nil,
		}}
		res, err := p.call(t.Context(), t, Runpod{}, "https://api.runpod.test/v2/e/chat/completions",
			`{"model":"m","stream":true,"messages":[],"stream_options":{"include_usage":true}}`, "text/event-stream")
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(res.Body)
		want := []string{
			`POST /v2/e/runsync {"input":{"openai_route":"/v1/chat/completions","openai_input":{"model":"m","messages":[]}}}`,
			"GET /v2/e/status/j", "GET /v2/e/status/j",
		}
		if diff := cmp.Diff(want, p.asked); diff != "" || string(body) != `{"choices":[]}` {
			t.Errorf("%s (-want +got):\n%s", body, diff)
		}
	})
}

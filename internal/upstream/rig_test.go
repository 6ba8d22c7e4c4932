package upstream

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/fairlead/fairlead/internal/dialect"
	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/money"
	"github.com/fairlead/fairlead/internal/rawjson"
	"github.com/fairlead/fairlead/internal/testkit"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	plainBody  = `{"model":"fake","messages":[{"role":"user","content":"hi"}]}`
	streamBody = `{"model":"fake","messages":[{"role":"user","content":"hi"}],"stream":true}`
	usageBody  = `{"model":"fake","messages":[{"role":"user","content":"hi"}],"stream":true,"stream_options":{"include_usage":true}}`
)

// request decodes a client's body as the server does.
func request(t testing.TB, surface llm.Surface, body string) *llm.Request {
	t.Helper()
	codec, _ := dialect.ByName("openai-chat")
	req, err := codec.Decode(llm.Incoming{Surface: surface, Body: []byte(body), Limits: rawjson.Limits{Depth: 64}})
	if err != nil {
		t.Fatal(err)
	}
	return req
}

// perToken prices every token at a millionth, known.
func perToken(tokens money.Tokens, _ time.Duration) money.Cost {
	return money.Cost{USD: money.MustParse("0.000001").Mul(tokens.Total()), State: money.Known}
}

// over is a target that a round tripper answers for.
func over(name string, transport http.RoundTripper) *Target {
	codec, _ := dialect.ByName("openai-chat")
	return &Target{
		Name: name, Provider: "openai-compatible", Model: "fake",
		Options:  llm.Options{Model: "fake", AskUsage: true},
		Speaks:   []Spoken{{Codec: codec, Base: &url.URL{Scheme: "http", Host: name + ".invalid", Path: "/v1"}}},
		Timeouts: Timeouts{Connect: 5 * time.Second, FirstEvent: 10 * time.Second, Idle: 5 * time.Second, Total: time.Minute},
		Attempts: 1, Bill: perToken, Transport: transport,
	}
}

// fake is a target at a fake upstream, behaving as the model's name says.
func fake(t testing.TB, up *testkit.Upstream, behavior string) *Target {
	t.Helper()
	transport := NewTransport(5 * time.Second)
	t.Cleanup(transport.CloseIdleConnections)
	target := over("fake", transport)
	base, err := url.Parse(up.BaseURL())
	if err != nil {
		t.Fatal(err)
	}
	target.Speaks[0].Base = base
	if behavior != "" {
		target.Model = "fake:" + behavior
		target.Options.Model = target.Model
	}
	return target
}

// newCall is a call as the hall makes it.
func newCall(req *llm.Request, plan ...*Target) *Call {
	codec, _ := dialect.ByName(req.Dialect)
	return &Call{
		Request: req, Client: codec, Header: http.Header{}, Plan: plan, Start: time.Now(),
		Limits: DefaultLimits(), Verify: func(llm.Event) error { return nil },
	}
}

// heard is what the reader of a stream got.
type heard struct {
	raw    string
	events int
	err    *llm.Error
}

func listen(ctx context.Context, c *Call) (h heard) {
	var raw strings.Builder
	for ev, err := range c.Walk(ctx) {
		if err != nil {
			h.err = llm.AsError(err)
			break
		}
		raw.Write(ev.Raw)
		h.events++
	}
	h.raw = raw.String()
	return h
}

// roundTrip is a transport in one func.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// eventStream answers with a body of server-sent events.
func eventStream(r *http.Request, body io.Reader) *http.Response {
	return &http.Response{
		StatusCode: 200, ProtoMajor: 1, ProtoMinor: 1, Request: r, ContentLength: -1,
		Header: http.Header{"Content-Type": {"text/event-stream"}}, Body: io.NopCloser(body),
	}
}

// jsonAnswer answers with a status and a JSON body.
func jsonAnswer(r *http.Request, status int, body string) *http.Response {
	return &http.Response{
		StatusCode: status, ProtoMajor: 1, ProtoMinor: 1, Request: r, ContentLength: int64(len(body)),
		Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(body)),
	}
}

// tee keeps the bytes of every answer that passes.
type tee struct {
	next http.RoundTripper
	body bytes.Buffer
}

func (t *tee) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := t.next.RoundTrip(r)
	if err == nil {
		res.Body = struct {
			io.Reader
			io.Closer
		}{io.TeeReader(res.Body, &t.body), res.Body}
	}
	return res, err
}

// The chunks of a short answer.
const (
	roleChunk  = `data: {"id":"chatcmpl-1","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}` + "\n\n"
	helloChunk = `data: {"id":"chatcmpl-1","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"Hé"},"finish_reason":null}]}` + "\n\n"
	worldChunk = `data: {"id":"chatcmpl-1","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":" 你"},"finish_reason":null}]}` + "\n\n"
	stopChunk  = `data: {"id":"chatcmpl-1","object":"chat.completion.chunk","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}` + "\n\n"
	usageChunk = `data: {"id":"chatcmpl-1","object":"chat.completion.chunk","choices":[],"usage":{"prompt_tokens":7,"completion_tokens":2,"total_tokens":9}}` + "\n\n"
	doneChunk  = "data: [DONE]\n\n"
	sample     = roleChunk + helloChunk + worldChunk + stopChunk + usageChunk + doneChunk
	plainText  = `{"id":"chatcmpl-2","object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"Hé"},"finish_reason":"stop"}],"usage":{"prompt_tokens":7,"completion_tokens":2,"total_tokens":9}}`
)

package app

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/fairlead/fairlead/internal/dialect/openai"
	"github.com/fairlead/fairlead/internal/embed"
	"github.com/fairlead/fairlead/internal/engine"
	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/rawjson"
)

// localBase is where targets of provider local seem to answer; local sends each
// call to the child process, or embeds in this one.
var localBase = &url.URL{Scheme: "http", Host: "local.invalid", Path: "/v1"}

// local carries the calls of the local provider. It waits for the engine's slot and
// health within the attempt's time.
type local struct {
	engine *engine.Engine // nil: not installed
	why    error          // it is not installed
	embed  *embed.Static  // nil: not installed
	next   http.RoundTripper
	limits rawjson.Limits
}

// RoundTrip implements http.RoundTripper. Errors are *llm.Error.
func (l *local) RoundTrip(r *http.Request) (*http.Response, error) {
	if strings.HasSuffix(r.URL.Path, openai.EmbeddingsPath) {
		return l.embeddings(r)
	}
	if l.engine == nil {
		return nil, unavailable(l.why)
	}
	release, err := l.engine.Acquire(r.Context())
	if err != nil {
		return nil, unavailable(err)
	}
	res, err := l.forward(r)
	if err != nil {
		release()
		return nil, err
	}
	res.Body = &leased{res.Body, release}
	return res, nil
}

// leased gives the engine's slot back when the answer is closed.
type leased struct {
	io.ReadCloser
	release func()
}

func (b *leased) Close() error {
	defer b.release()
	return b.ReadCloser.Close()
}

func (l *local) forward(r *http.Request) (*http.Response, error) {
	if err := l.engine.Wait(r.Context()); err != nil {
		return nil, unavailable(err)
	}
	base, key, ok := l.engine.Endpoint()
	if !ok {
		return nil, unavailable(errors.New("the local engine is restarting"))
	}
	at, err := url.Parse(base)
	if err != nil {
		return nil, err
	}
	out := r.Clone(r.Context())
	out.URL.Scheme, out.URL.Host, out.Host = at.Scheme, at.Host, at.Host
	out.Header.Set("Authorization", "Bearer "+key)
	return l.next.RoundTrip(out)
}

func unavailable(err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	message := "the local engine is not there; `fairlead models pull` gets it"
	if err != nil {
		message = err.Error()
	}
	return &llm.Error{Kind: llm.Overloaded, Message: message, Err: err}
}

// maxEmbedBody bounds what is read for embedding; the server bounded it before.
const maxEmbedBody = 64 << 20

func (l *local) embeddings(r *http.Request) (*http.Response, error) {
	if l.embed == nil {
		return nil, &llm.Error{Kind: llm.Overloaded, Message: "the embedding model is not there; `fairlead models pull` gets it"}
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxEmbedBody))
	if err != nil {
		return nil, err
	}
	q, err := openai.DecodeEmbeddings(body, l.limits)
	if err != nil {
		return nil, err
	}
	vectors, tokens, err := l.embed.Embed(r.Context(), q.Texts, embed.Options{Dimensions: q.Dimensions})
	if err != nil {
		if r.Context().Err() != nil {
			return nil, err
		}
		return nil, &llm.Error{Kind: llm.Invalid, Status: http.StatusBadRequest, Param: "input", Message: err.Error(), Err: err}
	}
	q.Model = embed.Model // whatever the client called it, this is what answered
	answer := openai.EncodeEmbeddings(q, vectors, tokens)
	return &http.Response{
		StatusCode: http.StatusOK, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r,
		Header:        http.Header{"Content-Type": {"application/json"}, "Content-Length": {strconv.Itoa(len(answer))}},
		Body:          io.NopCloser(bytes.NewReader(answer)),
		ContentLength: int64(len(answer)),
	}, nil
}

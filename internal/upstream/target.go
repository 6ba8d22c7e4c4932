package upstream

import (
	"context"
	"maps"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/fairlead/fairlead/internal/dialect"
	"github.com/fairlead/fairlead/internal/money"
	"github.com/fairlead/fairlead/internal/rawjson"
)

// Timeouts bound one attempt, Total the whole exchange.
type Timeouts struct {
	Connect    time.Duration
	FirstEvent time.Duration // until the first event, or the headers of a plain answer
	Idle       time.Duration // between bytes
	Total      time.Duration
}

// Target is one model at one endpoint, ready to be called. It is immutable.
type Target struct {
	Name     string
	Provider string
	Model    string
	Codec    *dialect.Codec
	Options  dialect.Options
	Endpoint Endpoint
	Timeouts Timeouts
	// Attempts counts the first try.
	Attempts int
	// Bill prices what one attempt used; elapsed is its time, for targets that are
	// paid by the hour.
	Bill func(usage money.Tokens, elapsed time.Duration) money.Cost
	// Transport carries the calls. An *llm.Error that it returns is kept as it is.
	Transport http.RoundTripper
}

// Endpoint is where a target answers and what it wants to see.
type Endpoint struct {
	Base   *url.URL    // ends in the dialect's own prefix, e.g. /v1
	Header http.Header // credentials and the headers of the configuration
}

// url is the address of a surface at an endpoint.
func (e *Endpoint) url(path string) *url.URL {
	u := *e.Base
	u.Path += path
	return &u
}

// Transport is a pool of connections.
type Transport interface {
	http.RoundTripper
	CloseIdleConnections()
}

// NewTransport makes the connection pool that targets with the same connect
// timeout share. Answers are passed on as they come, so nothing is decompressed
// unasked, and redirects are not followed.
func NewTransport(connect time.Duration) Transport {
	dialer := &net.Dialer{Timeout: connect, KeepAlive: 30 * time.Second}
	return newDirect(&http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         dialer.DialContext,
		TLSHandshakeTimeout: connect,
		ForceAttemptHTTP2:   true,
		DisableCompression:  true,
		MaxIdleConns:        2048,
		MaxIdleConnsPerHost: 512,
		IdleConnTimeout:     90 * time.Second,
		// Answers with huge headers are not answers of a model.
		MaxResponseHeaderBytes: maxHeaderBytes,
		ExpectContinueTimeout:  time.Second,
	})
}

// forwardedRequestHeaders are the client's headers that an upstream may see: betas
// and idempotency, never credentials.
var forwardedRequestHeaders = [...]string{"Openai-Beta", "Anthropic-Beta", "Anthropic-Version", "Idempotency-Key", "Traceparent", "Tracestate"}

// newRequest builds the HTTP request of one attempt.
func (a *attempt) newRequest(ctx context.Context, segments rawjson.Segments) *http.Request {
	t, req, client := a.target, a.call.Request, a.call.Header
	e := &t.Endpoint
	header := make(http.Header, len(e.Header)+4)
	for _, name := range forwardedRequestHeaders {
		if v := client[name]; v != nil {
			header[name] = v
		}
	}
	maps.Copy(header, e.Header)
	header["Content-Type"] = contentTypeJSON
	if req.Stream {
		header["Accept"] = acceptStream
	} else {
		header["Accept"] = contentTypeJSON
	}
	if header["User-Agent"] == nil {
		header["User-Agent"] = userAgent
	}
	u := e.url(t.Codec.Path(req.Surface))
	out := &http.Request{
		Method: http.MethodPost, URL: u, Host: u.Host, Header: header,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		ContentLength: int64(segments.Len()),
	}
	out.Body = a.call.lend(segments)
	out.GetBody = func() (readCloser, error) { return a.call.lend(segments), nil }
	return out.WithContext(ctx)
}

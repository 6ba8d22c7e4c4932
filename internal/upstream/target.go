package upstream

import (
	"context"
	"maps"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/fairlead/fairlead/internal/dialect"
	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/money"
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
	// Speaks are the dialects of the endpoint, the usual one first. The client's own is
	// preferred.
	Speaks   []Spoken
	Options  llm.Options
	Endpoint Endpoint
	// Unspoken are the dialects, by their bit in Speaks, that the endpoint turned out
	// not to answer in: servers differ by version. Nil where there is but one.
	Unspoken *atomic.Uint32
	Timeouts Timeouts
	// Attempts counts the first try.
	Attempts int
	// Bill prices what one attempt used; elapsed is its time, for targets that are
	// paid by the hour.
	Bill func(usage money.Tokens, elapsed time.Duration) money.Cost
	// Transport carries the calls. An *llm.Error that it returns is kept as it is.
	Transport http.RoundTripper
}

// Spoken is a dialect that a target speaks, and below which address.
type Spoken struct {
	Codec *dialect.Codec
	Base  *url.URL // ends in the dialect's own prefix, e.g. /v1
	// Lacks are abilities that the endpoint does not have in this dialect.
	Lacks llm.Ability
}

// Endpoint is what a target wants to see.
type Endpoint struct {
	Header http.Header // credentials and the headers of the configuration
	// Sign puts credentials on a request that depend on it, such as AWS's signature.
	Sign func(r *http.Request, body []byte) error
}

// speak chooses the dialect for a client's request, by its place in Speaks: its own
// where the target speaks it and does there what is needed, else the first that has
// the surface.
func (t *Target) speak(client string, req *llm.Request) int {
	able := -1
	for i, s := range t.Speaks {
		switch {
		case t.unspoken(i) || s.Lacks&req.Needs != 0 || s.Codec.Path(req, t.Options) == "":
		case s.Codec.Name == client:
			return i
		case able < 0:
			able = i
		}
	}
	return max(able, 0)
}

// Spoken is the dialect in which a client's request goes on to the target.
func (t *Target) Spoken(client string, req *llm.Request) Spoken {
	return t.Speaks[t.speak(client, req)]
}

// At is the address of a codec's path.
func (s Spoken) At(path string) *url.URL { return at(s.Base, path) }

func (t *Target) unspoken(i int) bool {
	return t.Unspoken != nil && t.Unspoken.Load()&(1<<i) != 0
}

// forget notes that the endpoint has no such dialect, if that is what an answer of
// this status says and there is another to try.
func (t *Target) forget(i, status int) bool {
	if i == 0 || t.Unspoken == nil || status != http.StatusNotFound && status != http.StatusMethodNotAllowed && status != http.StatusNotImplemented {
		return false
	}
	t.Unspoken.Or(1 << i)
	return true
}

// at is the address of a path, escaped and with its query if there is one, below a base. What is
// escaped stays so: the id of a model may hold a slash.
func at(base *url.URL, path string) *url.URL {
	u := *base
	path, query, _ := strings.Cut(path, "?")
	u.Path, u.RawPath = u.Path+path, ""
	if base.RawPath != "" || strings.IndexByte(path, '%') >= 0 {
		if plain, err := url.PathUnescape(path); err == nil {
			u.Path, u.RawPath = base.Path+plain, base.EscapedPath()+path
		}
	}
	switch {
	case query == "":
	case u.RawQuery == "":
		u.RawQuery = query
	default:
		u.RawQuery += "&" + query
	}
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

// forwardedRequestHeaders are the client's headers that any upstream may see, beside
// those of its dialect; never credentials.
var forwardedRequestHeaders = [...]string{"Idempotency-Key", "Traceparent", "Tracestate"}

// newRequest builds the HTTP request of one attempt.
func (a *attempt) newRequest(ctx context.Context, spoken Spoken) (*http.Request, error) {
	t, req, client, bridge := a.target, a.call.Request, a.call.Header, a.call.bridge
	e := &t.Endpoint
	header := make(http.Header, len(e.Header)+len(spoken.Codec.Header)+4)
	for name, value := range spoken.Codec.Header {
		header[name] = []string{value}
	}
	for _, name := range forwardedRequestHeaders {
		if v := client[name]; v != nil {
			header[name] = v
		}
	}
	bridge.Headers(client, func(name string, values []string) { header[name] = values })
	maps.Copy(header, e.Header)
	header["Content-Type"] = contentTypeJSON
	if req.Form != nil {
		header["Content-Type"] = []string{req.Form.ContentType()}
	}
	switch {
	case req.Surface.Forwarded():
		header["Accept"] = acceptAny
	case req.Stream:
		header["Accept"] = accepts(spoken.Codec)
	default:
		header["Accept"] = contentTypeJSON
	}
	if header["User-Agent"] == nil {
		header["User-Agent"] = userAgent
	}
	u := at(spoken.Base, bridge.Path)
	out := &http.Request{
		Method: http.MethodPost, URL: u, Host: u.Host, Header: header,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		ContentLength: int64(bridge.Body.Len()),
	}
	out.Body = a.call.lend(bridge.Body)
	out.GetBody = func() (readCloser, error) { return a.call.lend(bridge.Body), nil }
	out = out.WithContext(ctx)
	if e.Sign != nil {
		if err := e.Sign(out, bridge.Body.Join()); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func accepts(codec *dialect.Codec) []string {
	if codec.Frames.MediaType == dialect.Events.MediaType {
		return acceptStream
	}
	return []string{codec.Frames.MediaType}
}

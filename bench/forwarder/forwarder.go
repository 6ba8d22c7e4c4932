// Package forwarder is what Fairlead is measured beside: the least that a proxy
// written on net/http does, and nothing that a gateway adds.
//
// It reads no body, parses nothing, checks no key and records nothing. It must stay
// free of anything that slows it down: each target of the benchmarks is a multiple of
// its cost. Start reading at Handler.
package forwarder

import (
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// hopByHop are headers of one connection, not of the message (RFC 9110, 7.6.1).
var hopByHop = [...]string{"Connection", "Keep-Alive", "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade"}

// Handler forwards every request to base, path for path.
func Handler(base *url.URL) http.Handler {
	return &forwarder{base: base, transport: &http.Transport{
		DisableCompression:  true,
		MaxIdleConns:        0, // no limit
		MaxIdleConnsPerHost: 1 << 20,
		IdleConnTimeout:     90 * time.Second,
	}}
}

type forwarder struct {
	base      *url.URL
	transport *http.Transport
}

// ServeHTTP implements http.Handler.
func (f *forwarder) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	// The upstream may answer while the transport still looks for the body's end; without
	// this net/http closes the body then, and that closes the upstream's connection.
	if err := http.NewResponseController(w).EnableFullDuplex(); err != nil && r.ProtoMajor == 1 {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	u := *f.base
	u.Path, u.RawQuery = r.URL.Path, r.URL.RawQuery
	out := (&http.Request{
		Method: r.Method, URL: &u, Host: u.Host, Header: r.Header,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Body: r.Body, ContentLength: r.ContentLength,
	}).WithContext(r.Context())
	for _, name := range hopByHop {
		delete(out.Header, name)
	}
	res, err := f.transport.RoundTrip(out)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	defer res.Body.Close()
	header := w.Header()
	maps.Copy(header, res.Header)
	for _, name := range hopByHop {
		delete(header, name)
	}
	w.WriteHeader(res.StatusCode)
	streamed := strings.HasPrefix(res.Header.Get("Content-Type"), "text/event-stream")
	err = pass(w, res.Body, streamed)
	if err != nil {
		panic(http.ErrAbortHandler) // the client must see that the answer is not whole
	}
}

const bufferBytes = 32 << 10 // as io.Copy uses

var buffers = sync.Pool{New: func() any { b := make([]byte, bufferBytes); return &b }}

// pass copies the answer, and passes each read on at once where it is streamed. It is
// io.Copy with a buffer that is used again: by its own means net/http's writer would
// allocate 32 KB for each answer.
func pass(w http.ResponseWriter, body io.Reader, streamed bool) error {
	flusher, _ := w.(http.Flusher) // net/http's writer always is one
	buf := buffers.Get().(*[]byte) //nolint:forcetypeassert // the pool holds nothing else
	defer buffers.Put(buf)
	for {
		n, err := body.Read(*buf)
		if n > 0 {
			if _, werr := w.Write((*buf)[:n]); werr != nil {
				return werr
			}
			if streamed {
				flusher.Flush()
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

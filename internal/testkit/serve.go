package testkit

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/fairlead/fairlead/internal/testkit/openaifake"
)

// maxRequest bounds what a test may send.
const maxRequest = 256 << 20

// serve answers one request and records it.
func (u *Upstream) serve(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequest))
	s, a, bad := u.choose(r, body)
	if bad != nil {
		http.Error(w, "fake upstream: "+bad.Error(), http.StatusTeapot) // no real upstream says this: a mistake in a test
		return
	}
	received := &Received{
		Method: r.Method, Path: r.URL.Path, Query: r.URL.RawQuery, Header: r.Header.Clone(), Body: body,
		Model: a.Model, Gone: make(chan struct{}), Done: make(chan struct{}),
	}
	_, received.Behavior, _ = strings.Cut(a.Model, ":")
	gate := u.held() // before it is seen: who waits for the request may release it at once
	u.begin(received)
	defer u.finish(received)
	defer u.watch(r.Context(), received)()
	if err != nil {
		return // the client went away, or sent more than any test should
	}
	if err := u.act(w, r, s, a, received, gate); errors.Is(err, errCut) {
		hangUp(w, s.wire.rst || s.before.reset, s.wire.frame)
		u.conns.Done() // net/http no longer counts a connection that was taken from it
	}
}

// watch counts a client as gone when the request's context ends before the handler does. What it returns ends the watch.
func (u *Upstream) watch(ctx context.Context, received *Received) (stop func()) {
	counted := make(chan struct{})
	forget := context.AfterFunc(ctx, func() { defer close(counted); u.left(received) })
	return func() {
		switch forgotten := forget(); {
		case !forgotten:
			<-counted
		case ctx.Err() != nil: // the handler saw it first
			u.left(received)
		}
	}
}

// act plays the script: waits, chooses the answer, sends it.
func (u *Upstream) act(w http.ResponseWriter, r *http.Request, s *script, a asked, received *Received, gate <-chan struct{}) error {
	if s.before.hold && !open(r.Context(), gate) || !pause(r.Context(), s.before.delay) {
		return r.Context().Err()
	}
	if s.before.reset {
		return errCut
	}
	knobs := s.say
	knobs.Seq, knobs.Created = received.Seq, Epoch.Unix()
	answer := u.honest(r, received.Body, a, knobs)
	headers(w.Header(), received)
	switch s.swap.redirect {
	case "":
		answer = s.swap.apply(answer)
	case ".":
		w.Header().Set("Location", r.URL.RequestURI())
		answer = openaifake.Answer{Status: http.StatusTemporaryRedirect}
	default:
		w.Header().Set("Location", s.swap.redirect)
		answer = openaifake.Answer{Status: http.StatusTemporaryRedirect}
	}
	if s.swap.retryAfter != "" {
		w.Header().Set("Retry-After", s.swap.retryAfter)
	}
	p := &pipe{w: w, r: r, s: s, release: gate}
	if s.wire.gzip {
		w.Header().Set("Content-Encoding", "gzip")
	}
	if answer.Events != nil {
		return p.stream(answer)
	}
	return p.plain(answer)
}

// headers are those that OpenAI sends with every answer and that clients read.
func headers(h http.Header, received *Received) {
	h.Set("X-Request-Id", fmt.Sprintf("req_fake%08d", received.Seq))
	h.Set("Openai-Processing-Ms", "12")
	h.Set("Openai-Version", "2020-10-01")
	h.Set("Openai-Organization", "fake-org")
	h.Set("X-Ratelimit-Limit-Requests", "5000")
	h.Set("X-Ratelimit-Limit-Tokens", "160000")
	h.Set("X-Ratelimit-Remaining-Requests", strconv.Itoa(max(5000-received.Seq, 0)))
	h.Set("X-Ratelimit-Remaining-Tokens", "159000")
	h.Set("X-Ratelimit-Reset-Requests", "12ms")
	h.Set("X-Ratelimit-Reset-Tokens", "6m0s")
}

// failures are OpenAI's error types and codes by status.
var failures = map[int][2]string{
	400: {"invalid_request_error", ""}, 401: {"invalid_request_error", "invalid_api_key"},
	402: {"insufficient_quota", "insufficient_quota"}, 403: {"invalid_request_error", "unsupported_country"},
	404: {"invalid_request_error", "model_not_found"}, 413: {"invalid_request_error", "request_too_large"},
	422: {"invalid_request_error", ""}, 429: {"requests", "rate_limit_exceeded"},
	500: {"server_error", ""}, 503: {"server_error", "overloaded"}, 529: {"server_error", "overloaded"},
}

// apply swaps the honest answer for what the script wants instead.
func (s *swap) apply(answer openaifake.Answer) openaifake.Answer {
	if s.status != 0 {
		kind, ok := failures[s.status]
		if !ok {
			kind = [2]string{"server_error", ""}
		}
		if s.status >= 400 {
			message := fmt.Sprintf("The fake upstream says %d.", s.status)
			if fail := answer.Fail; fail != nil {
				answer = openaifake.Answer{Body: fail(s.status, message), Fail: fail}
			} else {
				answer = openaifake.Failure(s.status, kind[0], "", kind[1], message)
			}
		}
		answer.Status = s.status
	}
	switch {
	case s.body != nil && s.kind == "" && answer.Events != nil:
		answer.Body, answer.Events = []byte(*s.body), nil
		answer.Kind = eventStream
	case s.body != nil:
		answer.Body, answer.Events = []byte(*s.body), nil
	case s.duplicate && answer.Body != nil:
		answer.Body = twice(answer.Body)
	case answer.Events != nil:
		answer.Events = s.disturb(answer.Events, answer.Fail)
	}
	return answer
}

// disturb puts the wrong events in.
func (s *swap) disturb(events iter.Seq[[]byte], fail func(int, string) []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		k := 0
		for data := range events {
			if k == s.errorAt {
				const message = "The fake upstream failed in the middle."
				if fail != nil {
					yield(fail(500, message))
				} else {
					yield(openaifake.Failure(500, "server_error", "", "", message).Body)
				}
				return
			}
			if k == s.garbageAt && !yield([]byte(`{"choices": [ oh no`)) {
				return
			}
			if s.duplicate && data[0] == '{' {
				data = twice(data)
			}
			if !yield(data) {
				return
			}
			k++
		}
	}
}

// twice repeats an object's fields, first with another model's name, so that parsers disagree on which one counts.
func twice(object []byte) []byte {
	return append([]byte(`{"model":"other","id":"other",`), object[1:]...)
}

const eventStream = "text/event-stream; charset=utf-8"

// pipe sends one answer and stops where its script says.
type pipe struct {
	w       http.ResponseWriter
	r       *http.Request
	s       *script
	release <-chan struct{}
	sent    int    // bytes of the body so far
	waiting []byte // less than one write of wire.size
}

func (p *pipe) plain(answer openaifake.Answer) error {
	kind := cmp.Or(p.s.swap.kind, answer.Kind, "application/json")
	body := answer.Body
	if p.s.wire.gzip {
		body = zipped(body)
	}
	p.w.Header().Set("Content-Type", kind)
	if p.s.wire.size == 0 && p.s.wire.end < 0 && !p.s.wire.frame {
		p.w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	}
	p.start(answer.Status)
	if !pause(p.r.Context(), p.s.wire.first) {
		return p.r.Context().Err()
	}
	if err := p.write(body); err != nil {
		return err
	}
	return p.finish()
}

func (p *pipe) stream(answer openaifake.Answer) error {
	kind := cmp.Or(p.s.swap.kind, eventStream)
	p.w.Header().Set("Content-Type", kind)
	p.w.Header().Set("Cache-Control", "no-cache")
	p.start(answer.Status)
	p.flush()
	if !pause(p.r.Context(), p.s.wire.first) {
		return p.r.Context().Err()
	}
	var buffer bytes.Buffer
	zip := gzip.NewWriter(&buffer)
	k := 0
	for data := range answer.Events {
		if err := p.between(k); err != nil {
			return err
		}
		raw := p.s.frame.event(k, data, p.s.swap, answer.Named)
		if p.s.wire.gzip {
			_, _ = zip.Write(raw) // into memory: cannot fail
			_ = zip.Flush()
			raw = bytes.Clone(buffer.Bytes())
			buffer.Reset()
		}
		if err := p.write(raw); err != nil {
			return err
		}
		k++
	}
	if err := p.between(k); err != nil {
		return err
	}
	if p.s.wire.gzip {
		_ = zip.Close()
		if err := p.write(buffer.Bytes()); err != nil {
			return err
		}
	}
	return p.finish()
}

// between runs before the k-th event and once after the last.
func (p *pipe) between(k int) error {
	if p.s.wire.cutEvent == k {
		return errCut
	}
	if p.s.wire.holdEvent == k && !open(p.r.Context(), p.release) {
		return p.r.Context().Err()
	}
	if k > 0 && !pause(p.r.Context(), p.s.wire.gap) {
		return p.r.Context().Err()
	}
	return nil
}

func (p *pipe) start(status int) {
	if p.s.wire.close {
		p.w.Header().Del("Content-Length")
		p.w.Header().Set("Connection", "close")
		p.w.Header().Set("Transfer-Encoding", "identity")
	}
	p.w.WriteHeader(status)
}

// write sends body bytes in the script's write size up to its end, cut or stall.
func (p *pipe) write(raw []byte) error {
	size := p.s.wire.size
	if size == 0 {
		return p.send(raw)
	}
	p.waiting = append(p.waiting, raw...)
	for len(p.waiting) >= size {
		if err := p.send(p.waiting[:size]); err != nil {
			return err
		}
		p.waiting = p.waiting[size:]
	}
	return nil
}

// errEnd says that the body ends here, as if it were complete.
var errEnd = errors.New("the script ends the body here")

func (p *pipe) send(raw []byte) error {
	for _, stop := range []struct {
		at  int
		err error
	}{{p.s.wire.cut, errCut}, {p.s.wire.end, errEnd}, {p.s.wire.stall, nil}} {
		if stop.at < 0 || p.sent+len(raw) < stop.at {
			continue
		}
		if err := p.put(raw[:stop.at-p.sent]); err != nil {
			return err
		}
		if stop.err != nil {
			return stop.err
		}
		<-p.r.Context().Done()
		return p.r.Context().Err()
	}
	return p.put(raw)
}

func (p *pipe) put(raw []byte) error {
	if len(raw) == 0 {
		return nil
	}
	n, err := p.w.Write(raw)
	p.sent += n
	if err == nil {
		p.flush()
	}
	return err
}

func (p *pipe) finish() error {
	if len(p.waiting) == 0 {
		return nil
	}
	return p.send(p.waiting)
}

func (p *pipe) flush() { _ = http.NewResponseController(p.w).Flush() } // a client that left shows at the next write

func zipped(raw []byte) []byte {
	var buffer bytes.Buffer
	zip := gzip.NewWriter(&buffer)
	_, _ = zip.Write(raw) // into memory: cannot fail
	_ = zip.Close()
	return buffer.Bytes()
}

// pause waits for a duration and says whether the client is still there.
func pause(ctx context.Context, d time.Duration) bool {
	if d == 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// open waits for a gate and says whether the client is still there.
func open(ctx context.Context, gate <-chan struct{}) bool {
	select {
	case <-gate:
		return true
	case <-ctx.Done():
		return false
	}
}

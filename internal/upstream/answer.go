package upstream

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/fairlead/fairlead/internal/dialect"
	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/sse"
)

type readCloser = io.ReadCloser

var (
	contentTypeJSON = []string{"application/json"}
	acceptStream    = []string{"text/event-stream"}
	acceptAny       = []string{"*/*"}
	userAgent       = []string{"fairlead"}
)

// maxErrorBody bounds what is read of an error answer.
const maxErrorBody = 64 << 10

// drainEvents and drainTime bound what is read behind an answer's end, so that its
// connection can be used again.
const (
	drainEvents = 8
	drainTime   = 100 * time.Millisecond
)

// requestID finds the upstream's own id of the call, for its support desk.
func requestID(h http.Header) string {
	for _, name := range [...]string{"X-Request-Id", "Request-Id", "X-Amzn-Requestid", "Cf-Ray"} {
		if v := h[name]; len(v) > 0 && len(v[0]) <= 128 {
			return v[0]
		}
	}
	return ""
}

// refused reads an answer that is not a 200.
func (a *attempt) refused(res *http.Response) error {
	body, _ := io.ReadAll(io.LimitReader(a.decoded(res), maxErrorBody)) // half an error text is better than none
	e := a.call.bridge.DecodeError(res.StatusCode, body)
	if wait := retryAfter(res.Header, time.Now()); wait > 0 { // else what the body said
		e.RetryAfter = wait
	}
	return e
}

// retryAfter reads how long the upstream wants to be left alone: retry-after-ms,
// or Retry-After in seconds or as a date (RFC 9110, 10.2.3).
func retryAfter(h http.Header, now time.Time) time.Duration {
	if ms, err := strconv.ParseFloat(h.Get("Retry-After-Ms"), 64); err == nil && ms > 0 && ms < 1e9 {
		return time.Duration(ms * float64(time.Millisecond))
	}
	v := h.Get("Retry-After")
	if s, err := strconv.ParseFloat(v, 64); err == nil {
		if s > 0 && s < 1e6 {
			return time.Duration(s * float64(time.Second))
		}
		return 0
	}
	if at, err := http.ParseTime(v); err == nil && at.After(now) {
		return at.Sub(now)
	}
	return 0
}

// plain reads an answer that comes in one piece.
func (a *attempt) plain(res *http.Response) error {
	if kind := mediaType(res); kind != "" && !isJSON(kind) {
		return unexpected(kind, "JSON")
	}
	buf := answers.Get().(*bytes.Buffer) //nolint:forcetypeassert // the pool holds nothing else
	defer func() {
		if buf.Cap() <= keepAnswer {
			buf.Reset()
			answers.Put(buf)
		}
	}()
	if err := a.readAll(res, buf); err != nil {
		return err
	}
	ev, err := a.call.bridge.Answer(buf.Bytes())
	if err != nil {
		return err
	}
	return a.pass(ev)
}

// answers are buffers for plain answers: an event's bytes are no one's once it was
// passed on. keepAnswer is the largest that is kept.
var answers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

const keepAnswer = 256 << 10

func (a *attempt) readAll(res *http.Response, buf *bytes.Buffer) error {
	limit := a.call.Limits.AnswerBytes
	tooBig := &llm.Error{Kind: llm.Upstream, Message: "the upstream's answer is larger than " + strconv.FormatInt(limit, 10) + " bytes"}
	if res.ContentLength > limit {
		return tooBig
	}
	if res.ContentLength > 0 {
		buf.Grow(int(res.ContentLength) + bytes.MinRead)
	}
	n, err := buf.ReadFrom(io.LimitReader(a.decoded(res), limit+1))
	switch {
	case err != nil:
		return err
	case n > limit:
		return tooBig
	}
	return nil
}

// stream reads an answer that comes event by event.
func (a *attempt) stream(res *http.Response) error {
	frames := a.call.bridge.Frames()
	switch kind := mediaType(res); kind {
	case frames.MediaType:
	case "application/json": // an error with status 200, or an upstream that cannot stream
		return a.wholeAsStream(res)
	default:
		return unexpected(kind, "an event stream")
	}
	decoder := a.call.bridge.Stream()
	a.call.decoder = decoder
	reader := frames.New(a.decoded(res), a.call.Limits.EventBytes)
	for {
		raw, err := reader.Next()
		if err != nil {
			return a.endOfStream(err, decoder)
		}
		ev, err := decoder.Next(raw)
		if err != nil {
			return err
		}
		ev.More = reader.Buffered()
		if ev.Marks&llm.MarkDone != 0 {
			ev.More = true // what follows is the end: one flush for both, and the record is made before it
			if !decoder.Complete() {
				return cut(nil)
			}
			err := a.pass(ev)
			a.drain(reader)
			return err
		}
		if err := a.pass(ev); err != nil {
			return err
		}
	}
}

// wholeAsStream passes an answer in one piece on to a client that asked for a stream:
// some upstreams cannot stream, or not with what was asked.
func (a *attempt) wholeAsStream(res *http.Response) error {
	var body bytes.Buffer
	if err := a.readAll(res, &body); err != nil {
		return err
	}
	ev, err := a.call.bridge.AsStream(body.Bytes())
	if err != nil {
		return err
	}
	return a.pass(ev)
}

// endOfStream judges a stream that ended without its terminator: with its stop
// reason it is complete, without it was cut.
func (a *attempt) endOfStream(err error, decoder dialect.Decoder) error {
	if errors.Is(err, sse.ErrTooLong) {
		return &llm.Error{Kind: llm.Upstream, Message: "the upstream sent an event larger than " + strconv.Itoa(a.call.Limits.EventBytes) + " bytes", Err: err}
	}
	if ender, ok := decoder.(dialect.Ender); ok && errors.Is(err, io.EOF) {
		if ev := ender.Ended(); ev.Marks != 0 {
			ev.More = true
			if err := a.pass(ev); err != nil {
				return err
			}
		}
	}
	if !decoder.Complete() {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return cut(err)
		}
		return err
	}
	if end := decoder.End(); end != nil {
		return a.pass(llm.Event{Marks: llm.MarkDone, Raw: end, More: true})
	}
	return nil
}

func cut(err error) error {
	return &llm.Error{Kind: llm.Cut, Message: "the upstream's stream ended without a stop reason", Err: err}
}

// drain reads to the end of the body behind the terminator, which frees the
// connection for the next call, but does not wait for an upstream that lingers.
func (a *attempt) drain(reader dialect.Frames) {
	a.draining = true
	a.watch.hurry(drainTime)
	for range drainEvents {
		if _, err := reader.Next(); err != nil {
			return
		}
	}
}

func isJSON(kind string) bool { return kind == "application/json" || strings.HasSuffix(kind, "+json") }

func mediaType(res *http.Response) string {
	v := res.Header["Content-Type"]
	if len(v) == 0 {
		return ""
	}
	switch v[0] {
	case "application/json", "text/event-stream":
		return v[0]
	}
	kind, _, err := mime.ParseMediaType(v[0])
	if err != nil {
		return v[0]
	}
	return kind
}

func unexpected(got, want string) error {
	if got == "" {
		got = "nothing that says what it is"
	}
	return &llm.Error{Kind: llm.Upstream, Message: "the upstream answered with " + got + " where " + want + " was due"}
}

// decoded is the body as the client will see it, with the idle timeout on every
// read. An upstream may compress though nobody asked.
func (a *attempt) decoded(res *http.Response) io.Reader {
	body := &idleReader{attempt: a, body: res.Body}
	if res.Header.Get("Content-Encoding") != "gzip" {
		return body
	}
	return &gzipReader{body: body}
}

// idleReader restarts the attempt's watch with every read. Before the first event
// of a stream the first_event timeout goes on running instead.
type idleReader struct {
	attempt *attempt
	body    io.Reader
}

func (r *idleReader) Read(p []byte) (int, error) {
	a := r.attempt
	switch {
	case a.draining:
		return r.body.Read(p)
	case a.passed || !a.call.Request.Stream:
		a.watch.wait(a.target.Timeouts.Idle)
	default:
		return r.body.Read(p)
	}
	n, err := r.body.Read(p)
	a.watch.rest() // a slow reader of ours is not the upstream's fault
	return n, err
}

// gzipReader opens the gzip stream with the first read, so that a broken header is
// a read error like any other.
type gzipReader struct {
	body io.Reader
	gz   *gzip.Reader
}

func (r *gzipReader) Read(p []byte) (int, error) {
	if r.gz == nil {
		gz, err := gzip.NewReader(r.body)
		if err != nil {
			return 0, err
		}
		r.gz = gz
	}
	return r.gz.Read(p)
}

package upstream

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/fairlead/fairlead/internal/llm"
)

// JobTransport makes one exchange of a job, so that codecs and the walk see a plain
// answer or a stream. Some providers answer with a job instead of an answer: it is
// created, asked for until it is done, and cancelled where nobody waits any more.
type JobTransport struct {
	Next http.RoundTripper
	API  JobAPI
}

// JobAPI is one provider's form of jobs.
type JobAPI interface {
	// Create turns the request for an answer into that for a job.
	Create(r *http.Request, body []byte) (*http.Request, error)
	// Read reads what the provider says of a job. created is where it was made, for
	// addresses that follow from it.
	Read(body []byte, created *url.URL) (Job, error)
}

// Job is how far a job has come.
type Job struct {
	Done bool
	// Answer is the body for the codec, once it is done. A job that failed is an answer,
	// too: its codec knows the provider's words for that.
	Answer []byte
	// Poll, Cancel and Stream are where to ask for it, end it, and read its events; nil
	// where there is no such thing.
	Poll, Cancel, Stream *url.URL
}

const (
	pollFirst   = 200 * time.Millisecond
	pollMost    = 2 * time.Second
	maxJobBody  = 16 << 20
	cancelTime  = 3 * time.Second
	pollGrowth  = 3 // each wait is this many halves of the one before
	streamMedia = "text/event-stream"
)

// RoundTrip implements http.RoundTripper: it returns when the job is done, or when its
// stream begins. Errors are *llm.Error or the next transport's.
func (t *JobTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := readAndClose(r.Body)
	if err != nil {
		return nil, err
	}
	create, err := t.API.Create(r, body)
	if err != nil {
		return nil, err
	}
	res, err := t.Next.RoundTrip(create)
	if err != nil || res.StatusCode/100 != 2 {
		return res, err
	}
	job, err := t.read(res, r)
	if err != nil {
		return nil, err
	}
	stream := r.Header.Get("Accept") == streamMedia
	for pause := pollFirst; !job.Done && (!stream || job.Stream == nil); pause = min(pause*pollGrowth/2, pollMost) {
		if job.Poll == nil {
			return nil, &llm.Error{Kind: llm.Upstream, Message: "the upstream's job is not done and names no place to ask for it"}
		}
		if err := sleep(r.Context(), pause); err != nil {
			t.cancel(r, job)
			return nil, err
		}
		next, err := t.ask(r, job.Poll)
		if err != nil {
			t.cancel(r, job)
			return nil, err
		}
		job = next.keep(job)
	}
	if job.Done {
		return answered(r, job.Answer), nil
	}
	return t.stream(r, job)
}

// keep fills in the addresses that an answer to a poll may leave out.
func (j Job) keep(from Job) Job {
	if j.Poll == nil {
		j.Poll = from.Poll
	}
	if j.Cancel == nil {
		j.Cancel = from.Cancel
	}
	return j
}

func readAndClose(body io.ReadCloser) ([]byte, error) {
	defer body.Close()
	return io.ReadAll(body)
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// ask polls a job. An answer that is no success is one about the poll, and ends it.
func (t *JobTransport) ask(r *http.Request, at *url.URL) (Job, error) {
	res, err := t.Next.RoundTrip(follow(r.Context(), r, http.MethodGet, at))
	if err != nil {
		return Job{}, err
	}
	if res.StatusCode/100 != 2 {
		_, _ = readAndClose(res.Body) // what it says of a poll is of no use to the client
		return Job{}, &llm.Error{Kind: llm.Upstream, Status: res.StatusCode, Message: "the upstream answered HTTP status " + strconv.Itoa(res.StatusCode) + " when asked for its job"}
	}
	return t.read(res, r)
}

func (t *JobTransport) read(res *http.Response, r *http.Request) (Job, error) {
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxJobBody+1))
	switch {
	case err != nil:
		return Job{}, err
	case len(body) > maxJobBody:
		return Job{}, &llm.Error{Kind: llm.Upstream, Message: "the upstream's job is larger than " + strconv.Itoa(maxJobBody) + " bytes"}
	}
	job, err := t.API.Read(body, r.URL)
	if err != nil {
		return Job{}, err
	}
	for _, at := range [...]*url.URL{job.Poll, job.Cancel, job.Stream} {
		if at != nil && !sameOwner(r.URL, at) {
			return Job{}, &llm.Error{Kind: llm.Upstream, Message: "the upstream's job names an address of another host, which its key is not sent to"}
		}
	}
	return job, nil
}

// sameOwner reports whether a key for one address may be sent to another: the same
// host, or another one below the same domain, and never with less protection.
func sameOwner(base, at *url.URL) bool {
	if at.Scheme != base.Scheme {
		return false
	}
	if at.Host == base.Host {
		return true
	}
	_, domain, ok := strings.Cut(base.Hostname(), ".")
	return ok && strings.Contains(domain, ".") && strings.HasSuffix(at.Hostname(), "."+domain) && at.Port() == base.Port()
}

// stream opens the events of a job. A reader that leaves before their end cancels it.
func (t *JobTransport) stream(r *http.Request, job Job) (*http.Response, error) {
	res, err := t.Next.RoundTrip(follow(r.Context(), r, http.MethodGet, job.Stream))
	if err != nil {
		t.cancel(r, job)
		return nil, err
	}
	res.Body = &jobStream{ReadCloser: res.Body, leave: func() { t.cancel(r, job) }}
	return res, nil
}

type jobStream struct {
	io.ReadCloser
	ended bool
	leave func()
}

func (s *jobStream) Read(p []byte) (int, error) {
	n, err := s.ReadCloser.Read(p)
	s.ended = s.ended || err == io.EOF
	return n, err
}

func (s *jobStream) Close() error {
	if !s.ended {
		s.ended = true
		s.leave()
	}
	return s.ReadCloser.Close()
}

// cancel ends a job that nobody waits for. It is a request of its own, since that of
// the client is over; if it fails the provider's own limit ends the job.
func (t *JobTransport) cancel(r *http.Request, job Job) {
	if job.Cancel == nil {
		return
	}
	ctx, done := context.WithTimeout(context.WithoutCancel(r.Context()), cancelTime)
	defer done()
	if res, err := t.Next.RoundTrip(follow(ctx, r, http.MethodPost, job.Cancel)); err == nil {
		_ = res.Body.Close()
	}
}

// follow is a request about a job, with the credentials of the one that made it.
func follow(ctx context.Context, r *http.Request, method string, at *url.URL) *http.Request {
	header := r.Header.Clone()
	header.Del("Content-Type")
	header.Del("Prefer")
	out := &http.Request{
		Method: method, URL: at, Host: at.Host, Header: header, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Body: http.NoBody,
	}
	return out.WithContext(ctx)
}

// answered is a response that holds a job's answer.
func answered(r *http.Request, body []byte) *http.Response {
	return &http.Response{
		Status: "200 OK", StatusCode: http.StatusOK, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r,
		Header: http.Header{"Content-Type": contentTypeJSON}, Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)),
	}
}

// recreate is r with another body.
func recreate(r *http.Request, at *url.URL, body []byte) *http.Request {
	out := r.Clone(r.Context())
	out.URL, out.Host = at, at.Host
	out.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	out.Body, _ = out.GetBody()
	out.ContentLength = int64(len(body))
	return out
}

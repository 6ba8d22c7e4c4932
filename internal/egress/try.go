package egress

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// finalError is one that another try cannot mend.
type finalError struct{ err error }

func (e *finalError) Error() string { return e.err.Error() }

func final(format string, args ...any) error { return &finalError{fmt.Errorf(format, args...)} }

// busyError is a server's wish to be asked later.
type busyError struct {
	status string
	after  time.Duration
}

func (e *busyError) Error() string { return "the server answered " + e.status }

var errIdle = errors.New("the connection went silent")

// once sends one request and appends what it brings to the part. It returns nil
// when the part is as long as the server says the file is.
func (d Downloader) once(ctx context.Context, r Request, p *part) error {
	if p.known() && p.size == p.meta.Total {
		return nil
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	req, err := p.request(ctx, r)
	if err != nil {
		return &finalError{err}
	}
	resp, err := d.Client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	whole, err := p.accept(r, resp)
	if err != nil || whole {
		return err
	}
	idle := time.AfterFunc(d.Idle, func() { cancel(errIdle) })
	defer idle.Stop()
	body := &watched{r: resp.Body, touch: func() { idle.Reset(d.Idle) }}
	if err := p.append(r, body); err != nil {
		if errors.Is(context.Cause(ctx), errIdle) {
			return errIdle
		}
		return err
	}
	if p.known() && p.size != p.meta.Total {
		return io.ErrUnexpectedEOF
	}
	return p.setTotal(p.size)
}

// watched tells of every read.
type watched struct {
	r     io.Reader
	touch func()
}

func (w *watched) Read(b []byte) (int, error) {
	n, err := w.r.Read(b)
	w.touch()
	return n, err
}

// request asks for what is missing, and only if the file is still the same.
func (p *part) request(ctx context.Context, r Request) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.URL, nil)
	if err != nil {
		return nil, err
	}
	for k, v := range r.Headers {
		req.Header[http.CanonicalHeaderKey(k)] = v
	}
	// Compressed on the way, lengths and ranges would mean something else.
	req.Header.Set("Accept-Encoding", "identity")
	if p.size > 0 {
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-", p.size))
		if p.meta.Validator != "" {
			req.Header.Set("If-Range", p.meta.Validator)
		}
	}
	return req, nil
}

// accept reads status and headers (RFC 9110, sections 14 and 15) and leaves the
// part where the body is to go on. whole means that there is nothing to read.
func (p *part) accept(r Request, resp *http.Response) (whole bool, err error) {
	switch resp.StatusCode {
	case http.StatusOK:
		if err := p.restart(); err != nil {
			return false, err
		}
		return false, p.begin(r, resp, resp.ContentLength)
	case http.StatusPartialContent:
		from, total, ok := contentRange(resp.Header.Get("Content-Range"))
		if !ok || from != p.size || (p.known() && total != p.meta.Total) {
			return false, p.distrust("the server sent another piece than the one asked")
		}
		if n := resp.ContentLength; n >= 0 && total >= 0 && from+n > total {
			return false, p.distrust("the server's lengths contradict each other")
		}
		return false, p.begin(r, resp, total)
	case http.StatusRequestedRangeNotSatisfiable:
		if _, total, ok := contentRange(resp.Header.Get("Content-Range")); ok && total == p.size {
			return true, p.begin(r, resp, total)
		}
		return false, p.distrust("the file there is shorter than what we have")
	case http.StatusTooManyRequests, http.StatusRequestTimeout:
		return false, &busyError{resp.Status, retryAfter(resp)}
	}
	if resp.StatusCode >= 500 {
		return false, &busyError{resp.Status, retryAfter(resp)}
	}
	return false, final("the server answered %s; check the address and whether it needs a key", resp.Status)
}

// distrust empties the part, so that the next try begins anew.
func (p *part) distrust(why string) error {
	if err := p.restart(); err != nil {
		return err
	}
	return errors.New(why)
}

// begin checks the length that the server claims and notes what it sends.
func (p *part) begin(r Request, resp *http.Response, total int64) error {
	if total >= 0 && r.Size > 0 && total != r.Size {
		return final("the server has %d bytes, want %d", total, r.Size)
	}
	if total > r.MaxBytes {
		return final("%d bytes, more than the %d allowed", total, r.MaxBytes)
	}
	if total < 0 && r.Size > 0 {
		total = r.Size
	}
	validator := resp.Header.Get("ETag")
	if validator == "" || strings.HasPrefix(validator, "W/") {
		validator = resp.Header.Get("Last-Modified")
	}
	return p.note(meta{Validator: validator, Total: total})
}

// contentRange reads "bytes 5-9/10" and "bytes */10"; an unknown total is -1.
func contentRange(h string) (from, total int64, ok bool) {
	h, ok = strings.CutPrefix(h, "bytes ")
	span, size, found := strings.Cut(h, "/")
	if !ok || !found {
		return 0, 0, false
	}
	total = -1
	if size != "*" {
		n, err := strconv.ParseInt(size, 10, 64)
		if err != nil || n < 0 {
			return 0, 0, false
		}
		total = n
	}
	if span == "*" {
		return -1, total, true
	}
	first, last, found := strings.Cut(span, "-")
	from, err := strconv.ParseInt(first, 10, 64)
	to, err2 := strconv.ParseInt(last, 10, 64)
	if !found || err != nil || err2 != nil || from < 0 || to < from || (total >= 0 && to >= total) {
		return 0, 0, false
	}
	return from, total, true
}

// retryAfter reads the header's seconds; a date is not worth a clock here.
func retryAfter(resp *http.Response) time.Duration {
	n, err := strconv.Atoi(resp.Header.Get("Retry-After"))
	if err != nil || n < 0 || n > 3600 {
		return 0
	}
	return time.Duration(n) * time.Second
}

package server

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/fairlead/fairlead/internal/llm"
)

// bodies are buffers for requests, used again: clearing fresh memory for every long
// prompt costs more than reading it.
var bodies = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// keepBody is the largest buffer that is kept.
const keepBody = 4 << 20

func takeBody() *bytes.Buffer {
	return bodies.Get().(*bytes.Buffer) //nolint:forcetypeassert // the pool holds nothing else
}

// giveBody takes a buffer back whose bytes nobody reads any more.
func giveBody(buf *bytes.Buffer) {
	if buf.Cap() <= keepBody {
		buf.Reset()
		bodies.Put(buf)
	}
}

// preallocate bounds what is set aside on a client's word about its length.
const preallocate = 1 << 20

// readBody reads a request's body, bounded in bytes after decompression and in
// time. Errors are *llm.Error.
func (s *Server) readBody(w http.ResponseWriter, r *http.Request, buf *bytes.Buffer) ([]byte, error) {
	limit := s.cfg.BodyBytes
	if r.ContentLength > limit {
		return nil, tooLarge(limit)
	}
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Now().Add(s.cfg.BodyTime)) // where it cannot be set the server's own limits stand
	defer func() { _ = control.SetReadDeadline(time.Time{}) }()

	var body io.Reader = http.MaxBytesReader(w, r.Body, limit+1)
	switch encoding := strings.ToLower(r.Header.Get("Content-Encoding")); encoding {
	case "", "identity":
	case "gzip":
		gz, err := gzip.NewReader(body)
		if err != nil {
			return nil, &llm.Error{Kind: llm.Invalid, Message: "the body says that it is gzip, and is not", Err: err}
		}
		body = io.LimitReader(gz, limit+1)
	default:
		return nil, &llm.Error{Kind: llm.Invalid, Message: "Content-Encoding " + strconv.Quote(encoding) + " is not known; send gzip or none"}
	}
	if n := r.ContentLength; n > 0 {
		buf.Grow(int(min(n, preallocate)) + bytes.MinRead)
	}
	n, err := buf.ReadFrom(body)
	var over *http.MaxBytesError
	var stopping *llm.Error
	switch {
	case n > limit, errors.As(err, &over):
		return nil, tooLarge(limit)
	case errors.Is(err, os.ErrDeadlineExceeded): // before the context, which net/http ends with any failed read
		return nil, &llm.Error{Kind: llm.Invalid, Message: "the body did not come within " + s.cfg.BodyTime.String() + "; limits.body_timeout in fairlead.yaml raises it", Err: err}
	case err != nil && errors.As(context.Cause(r.Context()), &stopping):
		return nil, stopping
	case err != nil && r.Context().Err() != nil:
		return nil, &llm.Error{Kind: llm.Canceled, Message: "the client went away", Err: err}
	case err != nil:
		return nil, &llm.Error{Kind: llm.Invalid, Message: "the body could not be read to its end", Err: err}
	}
	return buf.Bytes(), nil
}

func tooLarge(limit int64) error {
	return &llm.Error{Kind: llm.TooLarge, Message: "the body is larger than the limit of " + strconv.FormatInt(limit, 10) +
		" bytes; limits.body in fairlead.yaml raises it"}
}

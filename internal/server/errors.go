package server

import (
	"errors"
	"math"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/pipeline"
)

// handler is an endpoint. The error it returns is written in one place, unless the
// answer has begun.
type handler func(http.ResponseWriter, *http.Request) error

// httpError is an error whose status is not the one of its kind.
type httpError struct {
	status int
	cause  *llm.Error
}

// Error is the cause's text.
func (e *httpError) Error() string { return e.cause.Error() }

// Unwrap gives the error that rooms and records know.
func (e *httpError) Unwrap() error { return e.cause }

// wrap turns a handler into an http.Handler that writes its error.
func (s *Server) wrap(h handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch err := h(w, r); {
		case err == nil:
		case errors.Is(err, http.ErrAbortHandler):
			panic(http.ErrAbortHandler)
		default:
			s.writeError(w, r, err)
		}
	})
}

// guard is around everything: a panic costs one request, not the process.
func (s *Server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			p := recover()
			if p == nil {
				return
			}
			if p == http.ErrAbortHandler { //nolint:errorlint // a sentinel that is panicked, never wrapped
				panic(p)
			}
			s.rooms.Log.Error("a handler panicked", "path", r.URL.Path, "panic", p, "stack", string(debug.Stack()))
			panic(http.ErrAbortHandler) // the answer may have begun: cut it rather than end it as if whole
		}()
		if !s.cors(w, r) {
			next.ServeHTTP(w, r)
		}
	})
}

// bound gives the client WriteTime to read what is written from now on.
func (s *Server) bound(w http.ResponseWriter) {
	deadline := time.Now().Add(s.cfg.WriteTime)
	_ = http.NewResponseController(w).SetWriteDeadline(deadline) // where it cannot be set the client has all the time
}

// writeError answers with an error in the surface's shape.
func (s *Server) writeError(w http.ResponseWriter, r *http.Request, err error) {
	e := llm.AsError(err)
	status := pipeline.HTTPStatus(e)
	if he, ok := err.(*httpError); ok { //nolint:errorlint // made by handlers, never wrapped
		e, status = he.cause, he.status
	}
	if status >= http.StatusInternalServerError {
		s.rooms.Log.Warn("request failed", "method", r.Method, "path", r.URL.Path, "status", status,
			"kind", e.Kind, "target", e.Target, "error", e.Error(), "id", w.Header().Get(headerID))
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Del("Content-Length")
	if e.Kind == llm.Unauthorized && e.Target == "" {
		h.Set("Www-Authenticate", `Bearer realm="fairlead"`)
	}
	if e.RetryAfter > 0 {
		h.Set("Retry-After", seconds(e.RetryAfter))
	}
	if e.Target != "" && status >= http.StatusInternalServerError {
		h.Set("X-Should-Retry", "false") // the plan was walked to its end: a retry by the SDK would walk it again
	}
	if status == pipeline.StatusClientGone {
		panic(http.ErrAbortHandler) // to return without a word would be a 200
	}
	s.bound(w)
	w.WriteHeader(status)
	_, _ = w.Write(speaks(r).AppendError(nil, e.Told())) // nobody is left to tell
}

// seconds rounds up, as Retry-After has no fractions.
func seconds(d time.Duration) string {
	return strconv.FormatInt(int64(math.Ceil(d.Seconds())), 10)
}

// cors lets the configured origins call from a browser. It reports whether the
// request was a preflight and is answered.
func (s *Server) cors(w http.ResponseWriter, r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if origin == "" || len(s.origins) == 0 || !strings.HasPrefix(r.URL.Path, "/v1/") {
		return false
	}
	h := w.Header()
	h.Add("Vary", "Origin")
	if !s.origins[origin] && !s.origins["*"] {
		return false
	}
	h.Set("Access-Control-Allow-Origin", origin)
	h.Set("Access-Control-Expose-Headers", strings.Join(exposedHeaders[:], ", "))
	if r.Method != http.MethodOptions || r.Header.Get("Access-Control-Request-Method") == "" {
		return false
	}
	h.Set("Access-Control-Allow-Methods", "GET, POST, OPTIONS")
	if allowed := s.allowedHeaders(r); allowed != "" {
		h.Set("Access-Control-Allow-Headers", allowed)
	}
	h.Set("Access-Control-Max-Age", seconds(s.cfg.CORSMaxAge))
	w.WriteHeader(http.StatusNoContent)
	return true
}

// allowedHeaders are the configured ones, else those that the preflight asks for.
func (s *Server) allowedHeaders(preflight *http.Request) string {
	if len(s.cfg.CORSHeaders) > 0 {
		return strings.Join(s.cfg.CORSHeaders, ", ")
	}
	return preflight.Header.Get("Access-Control-Request-Headers")
}

package server

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/fairlead/fairlead/internal/auth"
	"github.com/fairlead/fairlead/internal/exchange"
	"github.com/fairlead/fairlead/internal/ledger"
	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/sse"
)

// authorized is a handler that knows its caller.
type authorized func(http.ResponseWriter, *http.Request, auth.Caller) error

// caller lets any valid key in.
func (s *Server) caller(next authorized) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		c, err := s.rooms.Hall.Authenticate(auth.FromRequest(r))
		if err != nil {
			return err
		}
		s.bound(w)
		return next(w, r, c)
	}
}

// admin lets keys with the scope admin in.
func (s *Server) admin(next authorized) handler {
	return s.caller(func(w http.ResponseWriter, r *http.Request, c auth.Caller) error {
		if !c.Admin {
			return &llm.Error{Kind: llm.Forbidden, Message: "this key lacks the scope admin; `fairlead keys create --scope admin` makes one that has it"}
		}
		return next(w, r, c)
	})
}

func serve(h http.Handler) authorized {
	return func(w http.ResponseWriter, r *http.Request, _ auth.Caller) error {
		h.ServeHTTP(w, r)
		return nil
	}
}

func writeJSON(w http.ResponseWriter, status int, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n')) // nobody is left to tell
	return nil
}

func (s *Server) listOffers(w http.ResponseWriter, _ *http.Request, _ auth.Caller) error {
	return writeJSON(w, http.StatusOK, map[string]any{"data": s.rooms.Offers()})
}

// exchangesPage is the answer of GET /v1/exchanges, newest first.
type exchangesPage struct {
	Data []*exchange.Exchange `json:"data"`
	Next *string              `json:"next"`
}

func (s *Server) listExchanges(w http.ResponseWriter, r *http.Request, c auth.Caller) error {
	f, err := ledger.ParseFilter(r.URL.Query(), scopeOf(c))
	if err != nil {
		return err
	}
	rows, next, err := s.rooms.Ledger.List(r.Context(), f)
	if err != nil {
		return err
	}
	page := exchangesPage{Data: rows}
	if page.Data == nil {
		page.Data = []*exchange.Exchange{}
	}
	if next != "" {
		page.Next = &next
	}
	return writeJSON(w, http.StatusOK, page)
}

// scopeOf is what a caller may read: its own exchanges, or all with the scope admin.
func scopeOf(c auth.Caller) ledger.Scope {
	if c.Admin {
		return ledger.All()
	}
	return ledger.OfKey(c.KeyID)
}

func (s *Server) getExchange(w http.ResponseWriter, r *http.Request, c auth.Caller) error {
	x, err := s.rooms.Ledger.Get(r.Context(), r.PathValue("id"), scopeOf(c))
	if errors.Is(err, ledger.ErrNotFound) {
		return &llm.Error{Kind: llm.NotFound, Code: "exchange_not_found",
			Message: fmt.Sprintf("no exchange of yours has the id %q; it is there once its answer has ended", r.PathValue("id"))}
	}
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, x)
}

func (s *Server) listKeys(w http.ResponseWriter, _ *http.Request, _ auth.Caller) error {
	return writeJSON(w, http.StatusOK, map[string]any{"data": s.rooms.Keys.Keys()})
}

// keyRequest is the body of POST /api/keys.
type keyRequest struct {
	Name    string    `json:"name"`
	Project string    `json:"project"`
	Scopes  []string  `json:"scopes"`
	Expires time.Time `json:"expires"`
}

func (s *Server) createKey(w http.ResponseWriter, r *http.Request, _ auth.Caller) error {
	body, err := s.readBody(w, r, new(bytes.Buffer))
	if err != nil {
		return err
	}
	var in keyRequest
	strict := json.NewDecoder(bytes.NewReader(body))
	strict.DisallowUnknownFields()
	if err := strict.Decode(&in); err != nil {
		return &llm.Error{Kind: llm.Invalid, Message: "the body must be a JSON object with name, project, scopes, expires and nothing else: " + err.Error()}
	}
	key, secret, err := s.rooms.Keys.Create(r.Context(), auth.Wanted{Name: in.Name, Project: in.Project, Scopes: in.Scopes, Expires: in.Expires}, time.Now())
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusCreated, map[string]any{"key": key, "secret": secret})
}

func (s *Server) revokeKey(w http.ResponseWriter, r *http.Request, _ auth.Caller) error {
	key, err := s.rooms.Keys.Revoke(r.Context(), r.PathValue("id"), time.Now())
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, map[string]any{"key": key})
}

// live sends each exchange as it is recorded, one server-sent event each.
func (s *Server) live(w http.ResponseWriter, r *http.Request, _ auth.Caller) error {
	rows, stop, err := s.rooms.Ledger.Live().Subscribe()
	if err != nil {
		return err
	}
	defer stop()
	w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
	w.Header().Set("Cache-Control", "no-cache")
	w.WriteHeader(http.StatusOK)
	control := http.NewResponseController(w)
	ping := time.NewTicker(s.cfg.ExchangeTime)
	defer ping.Stop()
	for {
		if control.Flush() != nil {
			return nil
		}
		var piece []byte
		select {
		case <-r.Context().Done():
			return nil
		case <-ping.C:
			piece = []byte(": still here\n\n")
		case x, ok := <-rows:
			if !ok {
				return nil
			}
			body, err := json.Marshal(x)
			if err != nil {
				return nil // the answer has begun: it can only end
			}
			piece = sse.Append(nil, "exchange", body)
		}
		s.bound(w)
		if _, err := w.Write(piece); err != nil {
			return nil // the client went away
		}
	}
}

func (s *Server) version(w http.ResponseWriter, _ *http.Request, _ auth.Caller) error {
	return writeJSON(w, http.StatusOK, map[string]any{"version": s.rooms.Version, "config_hash": s.rooms.Hall.House().Hash})
}

func (s *Server) healthz(w http.ResponseWriter, _ *http.Request) error {
	return writeJSON(w, http.StatusOK, map[string]string{"status": "ok"})
}

// readyz says whether a request would be served as it should be. Its words are for
// anyone who can reach the port, so they name no path.
func (s *Server) readyz(w http.ResponseWriter, _ *http.Request) error {
	if err := s.rooms.Ready(); err != nil {
		return writeJSON(w, http.StatusServiceUnavailable, map[string]string{"status": "degraded", "reason": err.Error()})
	}
	return writeJSON(w, http.StatusOK, map[string]string{"status": "ok"})
}

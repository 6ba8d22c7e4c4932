package server

import (
	"net/http"
	"strings"

	"github.com/fairlead/fairlead/internal/llm"
)

// routes is every route on one page. A path without a method answers what the
// methods above it do not take: 405 in the surface's own error shape.
func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	add := func(method, path string, h handler) {
		mux.Handle(method+" "+path, s.wrap(h))
	}
	// Inference
	for _, at := range surfaces {
		add("POST", at.path, s.inference(at.dialect, at.asks))
	}
	for _, version := range [...]string{"/v1beta", "/v1"} {
		add("POST", version+"/models/{call}", s.gemini)
		add("POST", version+"/models/{first}/{rest...}", s.gemini)
	}
	// Models
	add("GET", "/v1/models", s.caller(s.listModels))
	add("GET", "/v1/models/{name...}", s.caller(s.getModel))
	add("GET", "/v1beta/models", s.caller(s.listModels))
	add("GET", "/v1beta/models/{name...}", s.caller(s.getModel))
	add("GET", "/api/tags", s.caller(s.listModels))
	// Records
	add("GET", "/v1/exchanges", s.caller(s.listExchanges))
	add("GET", "/v1/exchanges/{id}", s.caller(s.getExchange))
	// Administration
	add("GET", "/api/keys", s.admin(s.listKeys))
	add("POST", "/api/keys", s.admin(s.createKey))
	add("DELETE", "/api/keys/{id}", s.admin(s.revokeKey))
	add("GET", "/api/offers", s.admin(s.listOffers))
	add("GET", "/api/live", s.admin(s.live))
	add("GET", "/api/version", s.admin(s.version))
	add("GET", "/metrics", s.admin(serve(s.rooms.Metrics)))
	// Health
	add("GET", "/healthz", s.healthz)
	add("GET", "/readyz", s.readyz)
	// Console
	mux.Handle("/console/", s.rooms.Console)
	mux.Handle("GET /{$}", http.RedirectHandler("/console/", http.StatusFound))

	mux.Handle("/", s.wrap(unknownRoute(mux)))
	return mux
}

// unknownRoute answers what no route takes: 405 where another method would do,
// else 404.
func unknownRoute(mux *http.ServeMux) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		if allowed := allowedMethods(mux, r); len(allowed) > 0 {
			w.Header().Set("Allow", strings.Join(allowed, ", "))
			return &httpError{http.StatusMethodNotAllowed, &llm.Error{Kind: llm.Invalid, Code: "method_not_allowed",
				Message: r.Method + " is not possible here; allowed: " + strings.Join(allowed, ", ")}}
		}
		return &llm.Error{Kind: llm.NotFound, Code: "unknown_url",
			Message: "there is no " + r.Method + " " + r.URL.Path + "; the README lists the endpoints"}
	}
}

func allowedMethods(mux *http.ServeMux, r *http.Request) (methods []string) {
	for _, method := range [...]string{"GET", "POST", "DELETE"} {
		probe := &http.Request{Method: method, URL: r.URL, Host: r.Host}
		if _, pattern := mux.Handler(probe); strings.HasPrefix(pattern, method+" ") {
			methods = append(methods, method)
		}
	}
	return methods
}

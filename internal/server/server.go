// Package server is the HTTP side of the house: it turns requests into passages
// through the hall and answers into bytes, in the shapes that clients expect.
//
// It decides nothing about where a request runs or what it costs. Every route
// stands in routes.go, one file per group of endpoints beside it; handlers return
// errors and errors.go writes them. Start reading at routes.go, then inference.go.
package server

import (
	"log/slog"
	"net/http"
	"time"

	"github.com/fairlead/fairlead/internal/auth"
	"github.com/fairlead/fairlead/internal/ledger"
	"github.com/fairlead/fairlead/internal/pipeline"
)

// Config bounds what clients may send and says which browsers may ask.
type Config struct {
	BodyBytes      int64         // of a request, after decompression
	BodyTime       time.Duration // to send it
	WriteTime      time.Duration // a client may take to read one piece of an answer
	ExchangeTime   time.Duration // of an admin request
	CORSOrigins    []string      // exact origins, or "*"
	CORSHeaders    []string      // that a page may send; none: all that it asks for
	CORSMaxAge     time.Duration // a browser may remember a preflight
	RequestsAtOnce int           // open answers; more get a 503
}

// DefaultConfig is for one machine: 32 MiB bodies carry the largest prompts with
// images, 10,000 answers at once are what its memory is planned for.
func DefaultConfig() Config {
	return Config{
		BodyBytes: 32 << 20, BodyTime: 2 * time.Minute, WriteTime: time.Minute,
		ExchangeTime: 15 * time.Second, RequestsAtOnce: 10_000, CORSMaxAge: 10 * time.Minute,
	}
}

// Rooms are what the endpoints reach.
type Rooms struct {
	Hall    *pipeline.Hall
	Ledger  *ledger.Ledger
	Keys    *auth.Keyring
	Offers  func() []Offer // what can be asked for
	Ready   func() error   // why requests may fail now, nil when all is well
	Console http.Handler
	Metrics http.Handler
	// Control is a secret that the command line on this machine finds in the data
	// folder; it acts as an admin.
	Control string
	Version string
	Log     *slog.Logger
}

// Offer is one name that a client may put into model.
type Offer struct {
	Name    string   `json:"name"`
	Kind    string   `json:"kind"` // "model" or "target"
	Plan    []string `json:"plan,omitempty"`
	Detail  *Detail  `json:"detail,omitempty"`
	Created int64    `json:"created"`
}

// Detail is what is known of a target, without its secrets.
type Detail struct {
	Provider  string   `json:"provider"`
	Model     string   `json:"model"`
	BaseURL   string   `json:"base_url"`
	Abilities []string `json:"abilities"`
	Assumed   bool     `json:"assumed"` // abilities are the provider's, the model is not in the catalog
	Classes   []string `json:"classes"`
	Context   int64    `json:"context"`
	PriceIn   string   `json:"price_input"`  // USD per million tokens, "" when unknown
	PriceOut  string   `json:"price_output"` // USD per million tokens
	State     string   `json:"state"`
	Dialects  []string `json:"dialects"` // that the endpoint speaks, the usual one first
	Clients   []Way    `json:"clients"`  // how each client reaches it
	Can       []Can    `json:"can"`      // every ability, in a fixed order
}

// Way is how the requests of a client's dialect reach a target, by what is asked for.
type Way struct {
	Dialect string `json:"dialect"`
	Surface string `json:"surface"`
	How     string `json:"how"`          // Forwarded, Translated, or None: it cannot be asked that by them
	To      string `json:"to,omitempty"` // the target's dialect
}

// The ways.
const (
	Forwarded  = "forwarded"
	Translated = "translated"
	None       = "none"
)

// Can says whether a target has an ability.
type Can struct {
	Ability string `json:"ability"`
	State   string `json:"state"` // Yes, ByGrammar, No, or Assumed: the provider has it, the model is not in the catalog
}

// The states of an ability.
const (
	Yes       = "yes"
	ByGrammar = "by grammar"
	No        = "no"
	Assumed   = "assumed"
)

// Server answers HTTP requests.
type Server struct {
	rooms   Rooms
	cfg     Config
	origins map[string]bool
	slots   chan struct{} // open answers
	handler http.Handler
}

// New builds the server's handler; it owns no goroutine and opens no port.
func New(rooms Rooms, cfg Config) *Server {
	s := &Server{rooms: rooms, cfg: cfg, origins: map[string]bool{}, slots: make(chan struct{}, cfg.RequestsAtOnce)}
	for _, o := range cfg.CORSOrigins {
		s.origins[o] = true
	}
	s.handler = s.guard(s.routes())
	return s
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.handler.ServeHTTP(w, r) }

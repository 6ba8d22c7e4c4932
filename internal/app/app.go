// Package app wires the rooms together and runs them: New builds everything from a
// configuration, Run serves until its context ends and then stops in order.
//
// Nothing else in the tree knows all rooms. What a reload replaces is one immutable
// pipeline.House behind a pointer; what lives longer (store, ledger, engine, pools)
// is owned here and waited for. Start reading at New, then Run.
package app

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/fairlead/fairlead/internal/auth"
	"github.com/fairlead/fairlead/internal/catalog"
	"github.com/fairlead/fairlead/internal/config"
	"github.com/fairlead/fairlead/internal/engine"
	"github.com/fairlead/fairlead/internal/exchange"
	"github.com/fairlead/fairlead/internal/ledger"
	"github.com/fairlead/fairlead/internal/limit"
	"github.com/fairlead/fairlead/internal/pipeline"
	"github.com/fairlead/fairlead/internal/server"
	"github.com/fairlead/fairlead/internal/store/sqlite"
)

// DatabaseFile is the store's name within the data folder.
const DatabaseFile = "fairlead.db"

// Options are what the command line adds to a configuration.
type Options struct {
	Config *config.Config
	// Sources are what the configuration was read with; a changed file is read with
	// them again. Adjust puts the command line's flags over each.
	Sources *config.Sources
	Adjust  func(*config.Config)
	Version string
	Log     *slog.Logger
}

// App is one Fairlead. Close it, also after a failed Run.
type App struct {
	opt     Options
	log     *slog.Logger
	db      *sqlite.DB
	ledger  *ledger.Ledger
	keys    *auth.Keyring
	budgets *limit.Budgets
	engine  *engine.Engine // nil: not installed or not asked for
	build   *builder
	house   atomic.Pointer[pipeline.House]
	offers  atomic.Pointer[[]server.Offer]
	server  *server.Server
	lock    *os.File // of the data folder
	control string
	started time.Time
	reload  sync.Mutex // guards opt.Config and build.catalog: reloads take turns

	// FirstKey is the secret of the key that this start made or found; "" when
	// other keys are there.
	FirstKey string
}

// New opens the store and builds the rooms. Nothing runs yet.
func New(ctx context.Context, opt Options) (*App, error) {
	cfg := opt.Config
	prices, err := loadPrices(cfg)
	if err != nil {
		return nil, err
	}
	lock, err := lockData(cfg.Data)
	if err != nil {
		return nil, err
	}
	db, err := sqlite.Open(ctx, filepath.Join(cfg.Data, DatabaseFile))
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	a := &App{opt: opt, log: opt.Log, db: db, lock: lock, control: rand.Text(), started: time.Now()}
	if err := a.wire(ctx, prices); err != nil {
		return nil, errors.Join(err, db.Close(), lock.Close())
	}
	return a, nil
}

func (a *App) wire(ctx context.Context, prices *catalog.Catalog) error {
	cfg := a.opt.Config
	record := ledger.Default()
	record.Required = cfg.Record == config.Required
	a.ledger = ledger.New(a.db, record, a.log)
	if err := a.openKeys(ctx); err != nil {
		return err
	}
	a.build = newBuilder(prices, a.openLocal())
	a.budgets = limit.New()
	if err := a.move(ctx, cfg); err != nil {
		return err
	}
	metrics := server.NewMetrics(a.ledger)
	hall := &pipeline.Hall{
		Authenticate: a.authenticate,
		House:        a.house.Load,
		AnsweredBy:   a.answeredBy,
		Recordable:   a.ledger.Ready,
		Streams:      make(chan struct{}, cfg.Limits.Streams),
		Reserve:      a.reserve,
		Record: func(x *exchange.Exchange) {
			metrics.Observe(x)
			a.ledger.Record(x)
		},
		NewID: newID,
	}
	a.server = server.New(server.Rooms{
		Hall: hall, Ledger: a.ledger, Keys: a.keys, Ready: a.ready,
		Offers:  func() []server.Offer { return a.withStates(*a.offers.Load()) },
		Metrics: metrics.Handler(), Console: a.console(), Version: a.opt.Version, Log: a.log,
	}, serverConfig(cfg))
	return nil
}

// newID is a ULID: 26 characters that sort by time.
func newID(t time.Time) string { return ulid.MustNewDefault(t).String() }

func (a *App) openKeys(ctx context.Context) error {
	limits := auth.Default()
	limits.MaxKeys = a.opt.Config.Limits.Keys
	a.keys = auth.NewKeyring(a.db, limits)
	if err := a.configureKeys(ctx, a.opt.Config); err != nil {
		return err
	}
	secret, _, err := a.keys.FirstKey(ctx, a.opt.Config.Data, time.Now())
	a.FirstKey = secret
	return err
}

func (a *App) configureKeys(ctx context.Context, cfg *config.Config) error {
	var keys []auth.Configured
	for _, k := range cfg.Keys {
		secret, err := k.Secret.Reveal()
		if err != nil {
			return fmt.Errorf("key %s: %w", k.Name, err)
		}
		keys = append(keys, auth.Configured{Name: k.Name, Secret: secret, Scopes: k.Scopes, Expires: k.Expires})
	}
	return a.keys.Configure(ctx, keys)
}

// authenticate lets in the keys of the keyring, and commands on this machine that
// read the control file.
func (a *App) authenticate(secret string) (auth.Caller, error) {
	given, want := sha256.Sum256([]byte(secret)), sha256.Sum256([]byte(a.control))
	if subtle.ConstantTimeCompare(given[:], want[:]) == 1 {
		return auth.Caller{Caller: exchange.Caller{Tenant: auth.DefaultTenant, KeyID: controlID, Key: "command line"}, Admin: true}, nil
	}
	caller, refused := a.keys.Check(secret, time.Now())
	if refused != nil {
		return caller, refused
	}
	return caller, nil
}

// ready is what /readyz tells: anything that makes answers or their record fail.
// Anyone may read it, so it names no path; the log has the detail.
func (a *App) ready() error {
	err := a.ledger.Health()
	for _, known := range [...]error{ledger.ErrDiskFull, ledger.ErrLocked, ledger.ErrCorrupt} {
		if errors.Is(err, known) {
			return fmt.Errorf("the record cannot be written: %w", known)
		}
	}
	if err != nil {
		return errors.New("the record cannot be written: the server's log says why")
	}
	return nil
}

// move makes a configuration the one that counts for the next request.
func (a *App) move(ctx context.Context, cfg *config.Config) error {
	house, err := a.build.house(cfg)
	if err != nil {
		return err
	}
	if err := a.setBudgets(ctx, cfg); err != nil {
		return err
	}
	offers := a.offerList(cfg)
	a.offers.Store(&offers)
	a.house.Store(house)
	return nil
}

// Reload puts a changed configuration in the place of the old one. Where it fails
// the old one stays.
func (a *App) Reload(ctx context.Context, cfg *config.Config) error {
	a.reload.Lock()
	defer a.reload.Unlock()
	old := a.opt.Config
	prices, err := loadPrices(cfg)
	if err != nil {
		return err
	}
	if err := a.configureKeys(ctx, cfg); err != nil {
		return err
	}
	known := a.build.catalog
	a.build.catalog = prices
	if err := a.move(ctx, cfg); err != nil {
		a.build.catalog = known
		return errors.Join(err, a.configureKeys(ctx, old))
	}
	if names := config.NeedsRestart(old, cfg); len(names) > 0 {
		a.log.Warn("these settings count after a restart only", "settings", names)
	}
	a.opt.Config = cfg
	a.log.Info("the configuration was reloaded", "hash", a.house.Load().Hash, "targets", len(cfg.Targets), "models", len(cfg.Models))
	return nil
}

// current is the configuration that counts now.
func (a *App) current() *config.Config {
	a.reload.Lock()
	defer a.reload.Unlock()
	return a.opt.Config
}

// Handler is the HTTP side, for tests that bring their own listener.
func (a *App) Handler() http.Handler { return a.server }

// Close closes the store. Run must have ended.
func (a *App) Close() error {
	a.build.close()
	return errors.Join(a.db.Close(), a.lock.Close())
}

var _ io.Closer = (*App)(nil)

func serverConfig(cfg *config.Config) server.Config {
	c := server.DefaultConfig()
	c.BodyBytes = int64(cfg.Limits.Body)
	c.BodyTime = cfg.Limits.BodyTimeout
	c.RequestsAtOnce = cfg.Limits.Requests
	c.CORSOrigins = cfg.CORS.Origins
	c.CORSHeaders = cfg.CORS.Headers
	c.CORSMaxAge = cfg.CORS.MaxAge
	return c
}

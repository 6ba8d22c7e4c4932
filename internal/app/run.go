package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/fairlead/fairlead/internal/config"
	"github.com/fairlead/fairlead/internal/llm"
)

// Started is what a start has to tell.
type Started struct {
	URL string // that clients on this machine can use
}

// The collector runs when the heap has grown by gcPercent. A gateway's live heap is so
// small that this would be every few milliseconds under load: heapFloor is memory that
// is reserved and never touched, which costs address space and counts as live. With
// 10,000 open streams the heap is large, and half of it again is garbage enough.
const (
	heapFloor = 32 << 20
	gcPercent = 50
)

// tuneCollector sets that up, unless the operator has an opinion of their own. What it
// returns must stay reachable.
func tuneCollector() []byte {
	if os.Getenv("GOGC") != "" {
		return nil
	}
	debug.SetGCPercent(gcPercent)
	return make([]byte, heapFloor)
}

// Run serves until ctx ends, then stops in order: no new requests, answers under
// way within the drain time, the engine, and last what is left to record. ready is
// called once the port is open.
func (a *App) Run(ctx context.Context, ready func(Started)) error {
	floor := tuneCollector()
	defer runtime.KeepAlive(floor)
	cfg := a.current()
	listener, err := listen(ctx, cfg.Listen)
	if err != nil {
		return err
	}
	url := "http://" + reachable(listener.Addr())
	if err := writeControl(cfg.Data, Control{URL: url, Token: a.control, PID: os.Getpid()}); err != nil {
		return errors.Join(fmt.Errorf("leaving the address in the data folder: %w", err), listener.Close())
	}
	defer removeControl(cfg.Data, a.control)

	// Rooms outlive the requests that use them: they stop when serving has.
	rooms, stopRooms := context.WithCancel(context.WithoutCancel(ctx))
	defer stopRooms()
	var group errgroup.Group
	group.Go(func() error { return a.ledger.Run(rooms) })
	if a.engine != nil {
		group.Go(func() error { return a.engine.Run(rooms) })
	}
	if cfg.Origin.Path != "" && a.opt.Sources != nil {
		group.Go(func() error { return a.watch(rooms, cfg) })
	}
	if ready != nil {
		ready(Started{URL: url})
	}
	err = a.serve(ctx, listener, &cfg.Limits)
	stopRooms()
	return errors.Join(err, group.Wait())
}

func (a *App) serve(ctx context.Context, listener net.Listener, limits *config.Limits) error {
	// Requests live on while the server drains; their context ends with this one.
	base, cut := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cut(nil)
	srv := &http.Server{
		Handler:           a.server,
		ReadHeaderTimeout: limits.HeaderTimeout,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    int(limits.Header),
		ErrorLog:          slog.NewLogLogger(a.log.Handler(), slog.LevelDebug),
		BaseContext:       func(net.Listener) context.Context { return base },
	}
	failed := make(chan error, 1)
	go func() { failed <- srv.Serve(listener) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	a.ledger.Live().Close()
	a.log.Info("stopping: answers under way may end", "within", limits.Drain)
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), limits.Drain)
	defer cancel()
	err := srv.Shutdown(drain)
	if errors.Is(err, context.DeadlineExceeded) {
		a.log.Warn("answers were still under way after the drain time: they are cut")
		cut(errStopping)
		err = a.end(srv)
	}
	if served := <-failed; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}

// errStopping is what answers end with that outlast the drain time.
var errStopping = &llm.Error{Kind: llm.Overloaded, Code: "server_stopping", RetryAfter: time.Second,
	Message: "the server is stopping and could not wait for the end of this answer"}

// farewell is how long answers that were cut may take to say so and to be recorded.
const farewell = 2 * time.Second

// end waits for the answers that were cut, but not for clients that do not read.
func (a *App) end(srv *http.Server) error {
	ctx, cancel := context.WithTimeout(context.Background(), farewell)
	defer cancel()
	if srv.Shutdown(ctx) == nil {
		return nil
	}
	return srv.Close()
}

// watch reloads the configuration when its file changes or SIGHUP comes.
func (a *App) watch(ctx context.Context, cfg *config.Config) error {
	w := config.NewWatcher(cfg, a.opt.Sources, func(r config.Result) {
		err := r.Err
		if err == nil {
			a.opt.Adjust(r.Config)
			err = a.Reload(ctx, r.Config)
		}
		if err != nil {
			a.log.Error("the configuration was not reloaded: the old one stays", "error", err)
		}
	})
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	var group errgroup.Group
	group.Go(func() error { return w.Run(ctx) })
	for {
		select {
		case <-hup:
			w.Reload()
		case <-ctx.Done():
			return group.Wait()
		}
	}
}

// listen opens the port; a port in use is the mistake that people make most.
func listen(ctx context.Context, addr string) (net.Listener, error) {
	var config net.ListenConfig
	l, err := config.Listen(ctx, "tcp", addr)
	if err == nil {
		return l, nil
	}
	if strings.Contains(err.Error(), "address already in use") || strings.Contains(err.Error(), "Only one usage") {
		return nil, fmt.Errorf("%s is in use: stop what listens there, or choose another address with --listen or `listen:` in fairlead.yaml: %w", addr, err)
	}
	return nil, fmt.Errorf("cannot listen on %s: %w", addr, err)
}

// reachable is an address that this machine can connect to.
func reachable(addr net.Addr) string {
	tcp, ok := addr.(*net.TCPAddr)
	if !ok || !tcp.IP.IsUnspecified() {
		return addr.String()
	}
	return fmt.Sprintf("127.0.0.1:%d", tcp.Port)
}

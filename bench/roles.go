package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"

	"github.com/fairlead/fairlead/bench/forwarder"
	"github.com/fairlead/fairlead/bench/load"
	"github.com/fairlead/fairlead/bench/upstream"
)

// The roles that this program plays as a child of itself. A child ends when its
// standard input does, so none outlives its parent.
const (
	roleUpstream  = "role-upstream"
	roleForwarder = "role-forwarder"
	roleLoad      = "role-load"
)

var roles = map[string]func(context.Context, []string) error{
	roleUpstream:  serveUpstream,
	roleForwarder: serveForwarder,
	roleLoad:      sendLoad,
}

// listenLine is what a serving child prints first.
const listenLine = "listening "

func serveUpstream(ctx context.Context, _ []string) error {
	return serving(ctx, upstream.Serve)
}

func serveForwarder(ctx context.Context, args []string) error {
	if len(args) != 1 {
		return errors.New("the forwarder wants the upstream's address")
	}
	handler := forwarder.Handler(&url.URL{Scheme: "http", Host: args[0]})
	return serving(ctx, func(ctx context.Context, l net.Listener) error {
		srv := &http.Server{Handler: handler} //nolint:gosec // bare on purpose, and on loopback: timeouts would be charged to the reference
		stop := context.AfterFunc(ctx, func() { _ = srv.Close() })
		defer stop()
		if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
}

// serving listens on a free port until standard input ends.
func serving(ctx context.Context, serve func(context.Context, net.Listener) error) error {
	var config net.ListenConfig
	l, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // its end is what is waited for
		cancel()
	}()
	fmt.Println(listenLine + l.Addr().String())
	return serve(ctx, l)
}

// The words of the load's dialogue: its Spec, then ready, go, and its Result.
const (
	readyLine = "ready"
	goLine    = "go"
)

func sendLoad(ctx context.Context, _ []string) error {
	in := bufio.NewReader(os.Stdin)
	line, err := in.ReadBytes('\n')
	if err != nil {
		return err
	}
	var spec load.Spec
	if err := json.Unmarshal(line, &spec); err != nil {
		return err
	}
	r, err := load.New(spec)
	if err != nil {
		return err
	}
	defer r.Close()
	warm := r.WarmUp(ctx)
	if warm.FirstError != "" {
		return errors.New("warm-up: " + warm.FirstError)
	}
	fmt.Println(readyLine)
	if word, err := in.ReadString('\n'); err != nil || word != goLine+"\n" {
		return errors.Join(err, errors.New("the parent did not say go"))
	}
	return json.NewEncoder(os.Stdout).Encode(r.Measure(ctx))
}

// Command bench measures Fairlead beside a bare net/http forwarder, in one run on one
// machine, and prints what was reached beside what is aimed at: CPU per request and per streamed
// answer, added latency, memory.
//
// Every part is a process of its own, started from this same program: the fake
// upstream, the forwarder, the load; and Fairlead's own binary. What is run stands in
// scenarios.go as a table; README.md says how to read the figures.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Args[1:])
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "bench: "+err.Error())
		stop()
		os.Exit(1) //nolint:gocritic // stop has run
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) > 0 {
		if role, ok := roles[args[0]]; ok {
			return role(ctx, args[1:])
		}
	}
	opt, err := parseOptions(args)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "fairlead-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if opt.fairlead == "" {
		if opt.fairlead, err = build(ctx, dir); err != nil {
			return err
		}
	}
	report, err := measureAll(ctx, opt, dir)
	if report != nil {
		report.print(os.Stdout)
		err = errors.Join(err, report.save(opt.json))
	}
	return err
}

// options are the flags.
type options struct {
	fairlead string // binary; built where it is empty
	json     string
	only     string
	quick    bool
	streams  int
	rounds   int
}

const (
	fullRounds  = 5
	quickRounds = 2
	openStreams = 1000
)

func parseOptions(args []string) (options, error) {
	var o options
	fs := flag.NewFlagSet("bench", flag.ContinueOnError)
	fs.Usage = func() {
		fmt.Fprintln(fs.Output(), "bench measures Fairlead beside a bare net/http forwarder.\n\n  go run ./bench -quick\n  go run ./bench -only 220 -rounds 9")
		fs.PrintDefaults()
	}
	fs.BoolVar(&o.quick, "quick", false, "fewer and shorter rounds: about a minute instead of five")
	fs.StringVar(&o.json, "json", "", "write everything that was measured to `file`")
	fs.StringVar(&o.only, "only", "", "run only the scenarios whose name contains `text`")
	fs.StringVar(&o.fairlead, "fairlead", "", "measure this `binary` (default: build ./cmd/fairlead)")
	fs.IntVar(&o.streams, "streams", openStreams, "`number` of open streams; 10000 needs `ulimit -n` above 20100")
	fs.IntVar(&o.rounds, "rounds", 0, "`pairs` of rounds per scenario (default 5, quick 2)")
	if err := fs.Parse(args); err != nil {
		return o, err
	}
	if fs.NArg() > 0 {
		return o, fmt.Errorf("%q is not known; `go run ./bench -help` lists the flags", fs.Arg(0))
	}
	if o.streams < 1 || o.streams > 100_000 || o.rounds < 0 || o.rounds > 1000 {
		return o, errors.New("-streams must lie between 1 and 100000, -rounds between 1 and 1000")
	}
	if o.rounds == 0 {
		o.rounds = fullRounds
		if o.quick {
			o.rounds = quickRounds
		}
	}
	if o.fairlead != "" {
		path, err := filepath.Abs(o.fairlead)
		if err != nil {
			return o, err
		}
		o.fairlead = path
	}
	return o, nil
}

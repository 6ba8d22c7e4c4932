// Command fakeupstream serves testkit's fake OpenAI-compatible upstream until it is interrupted or its standard input
// closes (with -watch-stdin). The first line that it prints is its URL. Text scripts and tests in other languages use it.
// What it can be made to do is testkit's; this is flags and a life cycle.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/fairlead/fairlead/internal/testkit"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "fakeupstream:", err)
		os.Exit(1)
	}
}

// run serves until the context ends, or standard input with -watch-stdin.
func run(ctx context.Context, arguments []string, stdin io.Reader, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("fakeupstream", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() {
		fmt.Fprintf(stderr, "fakeupstream [flags]\n\n")
		flags.PrintDefaults()
		fmt.Fprintf(stderr, "\nA model named fake:DIRECTIVE,DIRECTIVE… behaves by these:%s\n", testkit.Directives())
	}
	listen := flags.String("listen", "127.0.0.1:0", "`address` to listen on")
	key := flags.String("key", "", "API `key` that requests must bear; any if empty")
	watch := flags.Bool("watch-stdin", false, "stop when standard input closes, so that a dead parent leaves nothing behind")
	var options []testkit.Option
	flags.Func("model", "`name` of one more honest model (repeatable)", func(name string) error {
		options = append(options, testkit.WithModels(name))
		return nil
	})
	flags.Func("alias", "`NAME=DIRECTIVES`: a model with a fixed behaviour (repeatable)", func(pair string) error {
		name, behavior, ok := strings.Cut(pair, "=")
		if !ok {
			return errors.New("want NAME=DIRECTIVES")
		}
		options = append(options, testkit.WithAlias(name, behavior))
		return nil
	})
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	upstream, err := testkit.Start(append(options, testkit.WithListen(*listen), testkit.WithKey(*key))...)
	if err != nil {
		return err
	}
	defer upstream.Close()
	fmt.Fprintln(stdout, upstream.URL())
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	if *watch {
		go func() { _, _ = io.Copy(io.Discard, stdin); stop() }() // ends with standard input, at the latest with the process
	}
	<-ctx.Done()
	return nil
}

// Command fakeupstream serves testkit's fake OpenAI-compatible upstream until it is interrupted or its standard input
// closes (with -watch-stdin). The first line that it prints is its URL. Text scripts and tests in other languages use it.
// What it can be made to do is testkit's; this is flags and a life cycle.
package main

import (
	"context"
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
	flag.Usage = func() {
		fmt.Fprintf(flag.CommandLine.Output(), "fakeupstream [flags]\n\n")
		flag.PrintDefaults()
		fmt.Fprintf(flag.CommandLine.Output(), "\nA model named fake:DIRECTIVE,DIRECTIVE… behaves by these:%s\n", testkit.Directives())
	}
	listen := flag.String("listen", "127.0.0.1:0", "address to listen on")
	key := flag.String("key", "", "API key that requests must bear; any if empty")
	watch := flag.Bool("watch-stdin", false, "stop when standard input closes, so that a dead parent leaves nothing behind")
	options := []testkit.Option{}
	flag.Func("model", "name of one more honest model (repeatable)", func(name string) error {
		options = append(options, testkit.WithModels(name))
		return nil
	})
	flag.Func("alias", "NAME=DIRECTIVES: a model with a fixed behaviour (repeatable)", func(pair string) error {
		name, behavior, ok := strings.Cut(pair, "=")
		if !ok {
			return fmt.Errorf("want NAME=DIRECTIVES")
		}
		options = append(options, testkit.WithAlias(name, behavior))
		return nil
	})
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	upstream, err := testkit.Start(append(options, testkit.WithListen(*listen), testkit.WithKey(*key))...)
	if err != nil {
		fmt.Fprintln(os.Stderr, "fakeupstream:", err)
		os.Exit(1)
	}
	defer upstream.Close()
	fmt.Println(upstream.URL())
	if *watch {
		go func() { _, _ = io.Copy(io.Discard, os.Stdin); stop() }() // ends with the process
	}
	<-ctx.Done()
}

// Command fairlead is the whole product in one binary: the gateway and the command
// line around it.
//
// It holds flags, words and exit codes and nothing else: what a command does is done
// by internal/app and the rooms, or asked of the running server. Start reading at
// newRoot, then up.go.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() { os.Exit(run()) }

// run is main with an exit code, so that deferred calls run and tests can call it.
func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	root := newRoot()
	cmd, err := execute(ctx, root, os.Args[1:])
	if err == nil {
		return exitOK
	}
	var exit *exitError
	if !errors.As(err, &exit) {
		exit = &exitError{exitFailed, err}
		if isUsage(err) {
			exit.code = exitUsage
		}
	}
	if errors.Is(err, context.Canceled) {
		return exitInterrupted
	}
	if msg := err.Error(); msg != "" {
		fmt.Fprintln(os.Stderr, "fairlead: "+msg)
	}
	if exit.code == exitUsage {
		fmt.Fprintf(os.Stderr, "`%s --help` shows how it is used\n", cmd.CommandPath())
	}
	return exit.code
}

// Command conformance judges a gateway that is running, ours or another's, by the rules
// of internal/dialect/dialecttest: it sends the kit's requests in the wire form of each
// client's dialect, plain and streamed, and checks of every answer its shape, the order of
// its events, its stop reason and its usage.
//
//	go run ./bench/conformance -url http://127.0.0.1:8080 -key $KEY \
//	    -dialects openai-chat,anthropic -models gpt=openai-model,claude=anthropic-model -out results.md
//
// It knows nothing of what stands behind a model's name: what a translation loses is
// docs/conformance.md's to say, which looks at both ends. Start reading at check.go.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/fairlead/fairlead/internal/dialect/dialecttest"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Args[1:])
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "conformance: "+err.Error())
		stop()
		os.Exit(1) //nolint:gocritic // stop has run
	}
}

// options are the flags.
type options struct {
	url, key, out string
	dialects      []string
	models        []model
	features      []string
	timeout       time.Duration
}

// model is a name that the gateway is asked for, and what the results call it.
type model struct{ label, name string }

// usual are the features that any chat model can be asked for.
const usual = "text,unicode,empty text,turns,tools,tool choice none,tool results,max tokens,temperature,stop,JSON schema,unknown field"

func parse(args []string) (o options, err error) {
	flags := flag.NewFlagSet("conformance", flag.ContinueOnError)
	flags.StringVar(&o.url, "url", "http://127.0.0.1:8080", "where the gateway answers, without /v1")
	flags.StringVar(&o.key, "key", os.Getenv("FAIRLEAD_KEY"), "the gateway's key (default $FAIRLEAD_KEY)")
	flags.StringVar(&o.out, "out", "", "write the results to this file, .md or .json (default: print)")
	flags.DurationVar(&o.timeout, "timeout", time.Minute, "for each answer")
	dialects := flags.String("dialects", strings.Join(clients(), ","), "the dialects of clients to speak")
	models := flags.String("models", "", "what to ask for: label=name, or name, with commas between; one per target dialect")
	features := flags.String("features", usual, "names of dialecttest.AskFeatures, with commas between, or all")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	o.dialects, o.features = strings.Split(*dialects, ","), strings.Split(*features, ",")
	if *features == "all" {
		o.features = nil
		for _, f := range dialecttest.AskFeatures {
			o.features = append(o.features, f.Name)
		}
	}
	for _, name := range o.dialects {
		if !slices.Contains(clients(), name) {
			return o, fmt.Errorf("no client speaks %q; there are %s", name, strings.Join(clients(), ", "))
		}
	}
	for word := range strings.SplitSeq(*models, ",") {
		label, name, ok := strings.Cut(word, "=")
		if !ok {
			name = label
		}
		if name == "" {
			return o, errors.New("say with -models what the gateway shall be asked for, for example -models assistant")
		}
		o.models = append(o.models, model{label, name})
	}
	return o, nil
}

func clients() (names []string) {
	for _, c := range dialecttest.Clients() {
		names = append(names, c.Name)
	}
	return names
}

func run(ctx context.Context, args []string) error {
	o, err := parse(args)
	if err != nil {
		return err
	}
	results := checkAll(ctx, &o)
	if err := write(o.out, results); err != nil {
		return err
	}
	failed := 0
	for i := range results {
		if len(results[i].Problems) > 0 {
			failed++
		}
	}
	fmt.Fprintf(os.Stderr, "%d answers checked, %d with problems\n", len(results), failed)
	if failed > 0 {
		return errors.New("the gateway does not conform")
	}
	return nil
}

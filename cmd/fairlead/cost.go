package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/fairlead/fairlead/internal/catalog"
)

func costCommand() *cobra.Command {
	opt := catalog.CostOptions{}
	var at string
	cmd := &cobra.Command{
		Use:   "cost",
		Short: "Price answers or usage bodies: token classes and cost",
		Long: `Reads answers or usage bodies on stdin, JSON lines or pretty-printed, and writes one JSON line for
each: the disjoint token classes, cost_usd as a decimal string, the state (known or unknown), and
the price row that made it. A body that cannot be read gives a line with the error; the rest goes on
and the exit code is 1.`,
		Example: `  echo '{"model":"gpt-4o","usage":{"prompt_tokens":9,"completion_tokens":3}}' |
    fairlead cost --provider openai --flavor chat`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			opt.At = time.Now()
			if at != "" {
				var err error
				if opt.At, err = parseMoment(at); err != nil {
					return err
				}
			}
			c, err := catalog.Load()
			if err != nil {
				return err
			}
			failed, err := c.CostLines(cmd.InOrStdin(), cmd.OutOrStdout(), opt)
			switch {
			case errors.Is(err, catalog.ErrFlavor):
				err = usage("%w", err)
			case err == nil && failed > 0:
				err = fmt.Errorf("%d of the bodies could not be read; their lines say why", failed)
			}
			return err
		},
	}
	cmd.Flags().StringVar(&opt.Provider, "provider", "", "`id` of the provider whose prices count, e.g. openai")
	cmd.Flags().StringVar(&opt.Flavor, "flavor", "", "`flavour` of the bodies' API, e.g. chat, responses, embeddings")
	cmd.Flags().StringVar(&opt.Model, "model", "", "`name` of the model, instead of the one that the body names")
	cmd.Flags().StringVar(&at, "at", "", "`date` whose prices count, 2026-08-01 or RFC 3339 (default: now)")
	if err := cmd.MarkFlagRequired("provider"); err != nil {
		panic(err) // the flag is declared two lines above
	}
	return cmd
}

func parseMoment(s string) (time.Time, error) {
	for _, layout := range [...]string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, nil
		}
	}
	return time.Time{}, usage("--at %q is not a date: write 2026-08-01 or an RFC 3339 time", s)
}

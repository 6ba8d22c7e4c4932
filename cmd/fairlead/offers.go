package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fairlead/fairlead/internal/app"
	"github.com/fairlead/fairlead/internal/engine"
	"github.com/fairlead/fairlead/internal/server"
)

func (c *client) offers(ctx context.Context, kind string) ([]server.Offer, error) {
	var list struct {
		Data []server.Offer `json:"data"`
	}
	if err := c.get(ctx, "/api/offers", &list); err != nil {
		return nil, err
	}
	var out []server.Offer
	for _, o := range list.Data {
		if o.Kind == kind {
			out = append(out, o)
		}
	}
	return out, nil
}

func targetsCommand(r *reach) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "targets", Short: "List the targets of the running server: model, endpoint, price, abilities",
		Example: "  fairlead targets --json", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := r.client()
			if err != nil {
				return err
			}
			offers, err := c.offers(cmd.Context(), "target")
			if err != nil {
				return err
			}
			if asJSON {
				return writeJSON(cmd.OutOrStdout(), offers)
			}
			var rows [][]string
			for _, o := range offers {
				d := o.Detail
				price := "unknown"
				if d.PriceIn != "" {
					price = "$" + d.PriceIn + " / $" + d.PriceOut
				}
				rows = append(rows, []string{o.Name, d.Provider, short(d.Model, 24), d.State, price, short(strings.Join(d.Abilities, " "), 36)})
			}
			return table(cmd.OutOrStdout(), []string{"TARGET", "PROVIDER", "MODEL", "STATE", "USD/M IN/OUT", "CAN"}, rows)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func modelsCommand(r *reach) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "models", Short: "List the names that clients may ask for; pull files of the local engine",
		Example: "  fairlead models\n  fairlead models pull", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := r.client()
			if err != nil {
				return err
			}
			offers, err := c.offers(cmd.Context(), "model")
			if err != nil {
				return err
			}
			if asJSON {
				return writeJSON(cmd.OutOrStdout(), offers)
			}
			var rows [][]string
			for _, o := range offers {
				rows = append(rows, []string{o.Name, strings.Join(o.Plan, " → ")})
			}
			return table(cmd.OutOrStdout(), []string{"MODEL", "PLAN"}, rows)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	r.flags(cmd)
	cmd.AddCommand(modelsPull(r))
	return cmd
}

func modelsPull(r *reach) *cobra.Command {
	var dir string
	var file app.ModelFile
	cmd := &cobra.Command{
		Use:   "pull",
		Short: "Get the local engine, its chat model and the embedding, or another GGUF model",
		Long: `Without flags: what the local engine needs. With --url and --sha256: a GGUF file from there, which
engine.model in fairlead.yaml may then name. Downloads resume, are checked by digest and kept.`,
		Example: `  fairlead models pull
  fairlead models pull --name qwen --url https://…/model.gguf --sha256 …`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if dir == "" {
				dir = app.EngineDir(r.data)
			}
			progress := newProgress(os.Stderr)
			defer progress.done()
			if file.URL != "" {
				path, err := app.PullModel(cmd.Context(), dir, file, progress.step)
				if err != nil {
					return err
				}
				_, err = fmt.Fprintln(cmd.OutOrStdout(), path)
				return err
			}
			cfg := engine.Default()
			cfg.Dir = dir
			_, err := engine.Setup(cmd.Context(), cfg, progress.step)
			return err
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", "`folder` for the files (default: engine in the data folder)")
	cmd.Flags().StringVar(&file.Name, "name", "", "name of the file")
	cmd.Flags().StringVar(&file.URL, "url", "", "`URL` of a GGUF file")
	cmd.Flags().StringVar(&file.SHA256, "sha256", "", "its SHA-256 in hex")
	cmd.MarkFlagsRequiredTogether("url", "sha256")
	return cmd
}

package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

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
	out := []server.Offer{} // a script reads [] where there is none
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
		Use: "targets [NAME]", Short: "List the targets of the running server, or show one with what it can do",
		Long: `A target is one model at one endpoint. Prices are USD per million tokens. With a NAME: its endpoint,
its abilities and the data classes that it may see, too.`,
		Example: "  fairlead targets\n  fairlead targets cheap\n  fairlead targets --json", Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := r.client()
			if err != nil {
				return err
			}
			offers, err := c.offers(cmd.Context(), "target")
			if err != nil {
				return err
			}
			out := cmd.OutOrStdout()
			if len(args) == 1 {
				return showTarget(out, offers, args[0], asJSON)
			}
			if asJSON {
				return writeJSON(out, offers)
			}
			if len(offers) == 0 {
				fmt.Fprintln(os.Stderr, "there is no target yet: add one to fairlead.yaml, or `fairlead up --setup` gets a small local model")
				return nil
			}
			defer fmt.Fprintln(os.Stderr, dim("one of them with what it can do: fairlead targets NAME"))
			return table(out, []string{"TARGET", "PROVIDER", "MODEL", "STATE", "$/M IN", "$/M OUT"}, targetRows(offers))
		},
	}
	r.flags(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.ValidArgsFunction = one(completeNames(r, offered("target")))
	cmd.AddCommand(abilitiesCommand(r), probeCommand(r))
	return cmd
}

// targetRows fit 100 columns.
func targetRows(offers []server.Offer) (rows [][]string) {
	for _, o := range offers {
		d := o.Detail
		rows = append(rows, []string{
			short(o.Name, 24), short(d.Provider, 17), short(orDash(d.Model), 24), d.State,
			short(orUnknown(d.PriceIn), 8), short(orUnknown(d.PriceOut), 8),
		})
	}
	return rows
}

func orUnknown(s string) string {
	if s == "" {
		return "unknown"
	}
	return s
}

func showTarget(w io.Writer, offers []server.Offer, name string, asJSON bool) error {
	at := slices.IndexFunc(offers, func(o server.Offer) bool { return o.Name == name })
	if at < 0 {
		return noTarget(name)
	}
	if asJSON {
		return writeJSON(w, offers[at])
	}
	d := offers[at].Detail
	classes := strings.Join(d.Classes, " ")
	if classes == "" {
		classes = "public; all where the endpoint is on this machine"
	}
	window := "unknown"
	if d.Context > 0 {
		window = strconv.FormatInt(d.Context, 10) + " tokens"
	}
	for _, line := range [][2]string{
		{"target", name}, {"provider", d.Provider}, {"model", orDash(d.Model)}, {"endpoint", orDash(d.BaseURL)}, {"state", d.State},
		{"price", "USD per million tokens: " + orUnknown(d.PriceIn) + " in, " + orUnknown(d.PriceOut) + " out"},
		{"context", window}, {"classes", classes}, {"can", folded(d.Abilities, 90, 10)},
	} {
		if _, err := fmt.Fprintf(w, "%-10s%s\n", line[0], fold(line[1], maxWidth-10, "\n          ")); err != nil {
			return err
		}
	}
	if d.Assumed {
		_, err := fmt.Fprintln(w, "          (assumed: the catalog does not know the model)")
		return err
	}
	return nil
}

// maxWidth is how many columns a terminal has at least.
const maxWidth = 100

// fold breaks a text between its words, so that no line is longer than width.
func fold(text string, width int, newLine string) string {
	var out strings.Builder
	room := width
	for word := range strings.FieldsSeq(text) {
		n := utf8.RuneCountInString(word)
		switch {
		case room == width:
		case n+1 > room:
			out.WriteString(newLine)
			room = width
		default:
			out.WriteByte(' ')
			room--
		}
		out.WriteString(word)
		room -= n
	}
	return out.String()
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
				rows = append(rows, []string{short(o.Name, 30), short(strings.Join(o.Plan, " → "), 66)})
			}
			if len(rows) == 0 {
				fmt.Fprintln(os.Stderr, "there is no model yet: add one to fairlead.yaml; targets can be asked for by name")
				return nil
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

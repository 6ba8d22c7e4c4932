package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fairlead/fairlead/internal/server"
)

func abilitiesCommand(r *reach) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "abilities [NAME…]", Short: "Show what targets can do, and which clients' requests they are forwarded or translated",
		Long: `"as it is": a client's request is forwarded as it came; "→ chat": it is translated into that dialect
of the target. An ability is assumed where the provider has it and the catalog does not know the
model; "fairlead targets probe NAME" asks the target itself. A target's own lines in fairlead.yaml
correct what is wrong: abilities: { add: [vision], remove: [tools] }`,
		Example: "  fairlead targets abilities\n  fairlead targets abilities cheap strong\n  fairlead targets abilities --json",
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := r.client()
			if err != nil {
				return err
			}
			offers, err := c.offers(cmd.Context(), "target")
			if err != nil {
				return err
			}
			if offers, err = chosen(offers, args); err != nil {
				return err
			}
			if asJSON {
				return writeJSON(cmd.OutOrStdout(), capabilities(offers))
			}
			return matrix(cmd.OutOrStdout(), offers)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.ValidArgsFunction = completeNames(r, offered("target"))
	return cmd
}

// chosen are the named targets, all where none is named.
func chosen(offers []server.Offer, names []string) ([]server.Offer, error) {
	if len(names) == 0 {
		return offers, nil
	}
	var out []server.Offer
	for _, name := range names {
		at := slices.IndexFunc(offers, func(o server.Offer) bool { return o.Name == name })
		if at < 0 {
			return nil, noTarget(name)
		}
		out = append(out, offers[at])
	}
	return out, nil
}

func noTarget(name string) error {
	return &exitError{exitRefused, fmt.Errorf("there is no target %q: `fairlead targets` lists them", name)}
}

// capability is one target's part of the matrix, for scripts.
type capability struct {
	Target   string            `json:"target"`
	Provider string            `json:"provider"`
	Model    string            `json:"model"`
	Dialects []string          `json:"dialects"`
	Clients  []server.Way      `json:"clients"`
	Can      map[string]string `json:"can"`
}

func capabilities(offers []server.Offer) []capability {
	out := []capability{} // a script reads [] where there is none
	for _, o := range offers {
		d := o.Detail
		c := capability{o.Name, d.Provider, d.Model, d.Dialects, d.Clients, map[string]string{}}
		for _, can := range d.Can {
			c.Can[can.Ability] = can.State
		}
		out = append(out, c)
	}
	return out
}

// The matrix fits 100 columns with so many targets beside each other.
const (
	matrixColumns = 5
	matrixLabel   = 18
	matrixCell    = 16
)

func matrix(w io.Writer, offers []server.Offer) error {
	var out strings.Builder
	for block := range slices.Chunk(offers, matrixColumns) {
		if out.Len() > 0 {
			out.WriteByte('\n')
		}
		matrixBlock(&out, block)
	}
	_, err := io.WriteString(w, out.String())
	return err
}

func matrixBlock(out *strings.Builder, offers []server.Offer) {
	row := func(label string, cell func(server.Offer) string) {
		cells := []string{pad(label, matrixLabel)}
		for _, o := range offers {
			cells = append(cells, pad(short(cell(o), matrixCell-1), matrixCell))
		}
		out.WriteString(strings.TrimRight(strings.Join(cells, ""), " ") + "\n")
	}
	row("TARGET", func(o server.Offer) string { return o.Name })
	row("provider", func(o server.Offer) string { return o.Detail.Provider })
	row("model", func(o server.Offer) string { return orDash(o.Detail.Model) })
	out.WriteString("\nFROM CLIENTS OF\n")
	for _, name := range clientsOf(offers) {
		row(name, func(o server.Offer) string { return wayOf(o.Detail, name) })
	}
	out.WriteString("\nABILITY\n")
	for i := range offers[0].Detail.Can {
		row(offers[0].Detail.Can[i].Ability, func(o server.Offer) string { return o.Detail.Can[i].State })
	}
}

func pad(s string, width int) string {
	return s + strings.Repeat(" ", max(0, width-len([]rune(s))))
}

// clientsOf are the dialects of clients; every target has the same.
func clientsOf(offers []server.Offer) (names []string) {
	for _, way := range offers[0].Detail.Clients {
		if !slices.Contains(names, way.Dialect) {
			names = append(names, way.Dialect)
		}
	}
	return names
}

// wayOf is how a client's first and most usual kind of request reaches a target.
func wayOf(d *server.Detail, client string) string {
	for _, way := range d.Clients {
		if way.Dialect != client {
			continue
		}
		switch way.How {
		case server.Forwarded:
			return "as it is"
		case server.Translated:
			return "→ " + strings.TrimPrefix(way.To, "openai-")
		}
	}
	return "–"
}

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
)

// write puts the results into a file, as Markdown or, where its name ends so, JSON.
func write(path string, results []result) error {
	text := []byte(markdown(results))
	if strings.HasSuffix(path, ".json") {
		var err error
		if text, err = json.MarshalIndent(results, "", "  "); err != nil {
			return err
		}
	}
	if path == "" {
		_, err := os.Stdout.Write(text)
		return err
	}
	return os.WriteFile(path, text, 0o644) //nolint:gosec // results are for all to read
}

func markdown(results []result) string {
	var b strings.Builder
	b.WriteString("| client | model | feature | form | result | stop | in | out | lost |\n|---|---|---|---|---|---|---|---|---|\n")
	for i := range results {
		r := &results[i]
		form := "plain"
		if r.Streamed {
			form = "streamed"
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s | %d | %d | %s |\n",
			r.Client, r.Model, r.Feature, form, r.says(), r.Stop, r.Input, r.Output, r.Loss)
	}
	return b.String()
}

// says is the result in a few words.
func (r *result) says() string {
	cell := strings.NewReplacer("|", "\\|", "\n", " ")
	switch {
	case len(r.Problems) > 0:
		return "✗ " + cell.Replace(strings.Join(r.Problems, "; "))
	case r.Refused != "":
		return fmt.Sprintf("refused, %d: %s", r.Status, cell.Replace(r.Refused))
	}
	return "✓"
}

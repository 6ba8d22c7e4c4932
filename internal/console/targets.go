package console

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// targetsBody is the page of what each target can do, and for which clients.
type targetsBody struct {
	Answer string
	Rows   []reachRow
}

type reachRow struct {
	Target
	Href string
	Mark mark
}

func (c *console) targets(w http.ResponseWriter, _ *http.Request, v visit) error {
	all := c.Targets()
	b := targetsBody{Answer: reachAnswer(all)}
	for _, t := range all {
		b.Rows = append(b.Rows, reachRow{t, "/console/requests?target=" + url.QueryEscape(t.Name), markOfState(t.State)})
	}
	return c.show(w, v, "targets", page{Title: "Targets", Nav: "targets", Body: b})
}

// reachAnswer is the page in one line.
func reachAnswer(all []Target) string {
	assumed := 0
	for _, t := range all {
		if len(t.Assumed) > 0 {
			assumed++
		}
	}
	text := plural(len(all), "target")
	switch {
	case assumed == 0:
		return text + "; what each can do is known."
	case assumed == len(all):
		return text + "; what they can do is assumed, since the catalog does not know their models."
	}
	return fmt.Sprintf("%s; what %d of them can do is assumed, since the catalog does not know the model.", text, assumed)
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// abilitiesFile is the page's table.
func (c *console) abilitiesFile(w http.ResponseWriter, r *http.Request, _ visit) error {
	t := &table{head: []string{"target", "provider", "model", "state", "forwarded", "translated", "can", "assumed", "lacks"}}
	for _, row := range c.Targets() {
		t.rows = append(t.rows, []any{
			row.Name, row.Provider, row.Model, row.State, strings.Join(row.Forwarded, ", "), strings.Join(row.Translated, ", "),
			strings.Join(row.Can, ", "), strings.Join(row.Assumed, ", "), strings.Join(row.Lacks, ", "),
		})
	}
	return sendTable(w, r, "abilities", t)
}

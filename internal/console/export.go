package console

import (
	"encoding/csv"
	"encoding/json"
	"net/http"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/fairlead/fairlead/internal/exchange"
	"github.com/fairlead/fairlead/internal/ledger"
	"github.com/fairlead/fairlead/internal/money"
)

// table is what a file holds: the same rows that the page shows, unrounded. Cells are
// strings, int64s, *float64s (milliseconds) and *money.Amounts; nil is "not known".
type table struct {
	head []string
	rows [][]any
}

// sendTable writes a table as CSV or, where the address ends so, as JSON.
func sendTable(w http.ResponseWriter, r *http.Request, name string, t *table) error {
	if path.Ext(r.URL.Path) == ".json" {
		data := make([]map[string]any, len(t.rows))
		for i, row := range t.rows {
			data[i] = map[string]any{}
			for k, v := range row {
				data[i][t.head[k]] = v
			}
		}
		return sendJSON(w, name+".json", map[string]any{"data": data})
	}
	download(w, "text/csv; charset=utf-8", name+".csv")
	out := csv.NewWriter(w)
	_ = out.Write(t.head) // an error stays and is seen at the end
	for _, row := range t.rows {
		cells := make([]string, len(row))
		for k, v := range row {
			cells[k] = cell(v)
		}
		_ = out.Write(cells)
	}
	out.Flush()
	return nil // the answer has begun: a client that went away is told nothing
}

func sendJSON(w http.ResponseWriter, name string, v any) error {
	body, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	download(w, "application/json", name)
	_, _ = w.Write(append(body, '\n')) // nobody is left to tell
	return nil
}

func download(w http.ResponseWriter, kind, name string) {
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Content-Disposition", `attachment; filename="`+name+`"`)
}

func cell(v any) string {
	switch v := v.(type) {
	case string:
		return calm(v)
	case int64:
		return strconv.FormatInt(v, 10)
	case *float64:
		if v != nil {
			return strconv.FormatFloat(*v, 'f', -1, 64)
		}
	case *money.Amount:
		if v != nil {
			return v.String()
		}
	}
	return ""
}

// calm keeps a spreadsheet from taking a client's text for a formula
// (OWASP, "CSV Injection").
func calm(s string) string {
	if s != "" && strings.ContainsRune("=+-@\t\r", rune(s[0])) {
		return "'" + s
	}
	return s
}

// millis is nil for a moment that never came.
func millis(d time.Duration) *float64 {
	if d <= 0 {
		return nil
	}
	ms := float64(d.Microseconds()) / 1000
	return &ms
}

func known(c money.Cost) *money.Amount {
	if c.State == money.Unknown {
		return nil
	}
	return &c.USD
}

// requestsFile is the page of the list that the same address without the ending shows.
func (c *console) requestsFile(w http.ResponseWriter, r *http.Request, _ visit) error {
	f, err := c.filterOf(r.URL.Query())
	if err != nil {
		return err
	}
	rows, next, err := c.Ledger.List(r.Context(), f)
	if err != nil {
		return err
	}
	if path.Ext(r.URL.Path) == ".json" {
		answer := struct {
			Data []*exchange.Exchange `json:"data"`
			Next *string              `json:"next"`
		}{Data: rows}
		if rows == nil {
			answer.Data = []*exchange.Exchange{}
		}
		if next != "" {
			answer.Next = &next
		}
		return sendJSON(w, "fairlead-requests.json", answer)
	}
	t := table{head: []string{"id", "time", "status", "kind", "model", "target", "task", "key", "input_tokens", "output_tokens", "first_byte_ms", "total_ms", "cost_usd", "cost_state"}}
	for _, x := range rows {
		t.rows = append(t.rows, []any{
			x.ID, x.Time.UTC().Format(time.RFC3339Nano), string(x.Result.Status), x.Result.Kind, x.Asked.Model, x.Result.Target, x.Asked.Task, x.Caller.Key,
			x.Bill.Usage.TotalInput(), x.Bill.Usage.TotalOutput(), millis(x.Latency.FirstByte), millis(x.Latency.Total), known(x.Bill.Cost), x.Bill.Cost.State.String(),
		})
	}
	return sendTable(w, r, "fairlead-requests", &t)
}

var totalsHead = []string{"requests", "ok", "failed", "cut", "canceled", "input_tokens", "cache_read_tokens", "output_tokens", "cost_usd", "cost_estimated", "cost_unknown", "first_byte_p50_ms", "first_byte_p95_ms"}

func totalsCells(t *ledger.Totals) []any {
	quantile := func(q float64) *float64 { d, _ := t.FirstByte.Quantile(q); return millis(d) }
	return []any{
		t.Requests, t.OK, t.Failed, t.Cut, t.Canceled, t.Input, t.CacheRead, t.Output, &t.Cost, t.Estimated, t.Unknown, quantile(0.5), quantile(0.95),
	}
}

func (c *console) targetsFile(w http.ResponseWriter, r *http.Request, _ visit) error {
	o, err := c.readOverview(r)
	if err != nil {
		return err
	}
	rows, _, err := o.table(r.URL.Query().Get("sort"))
	if err != nil {
		return err
	}
	t := table{head: append([]string{"target"}, totalsHead...)}
	for i := range rows {
		t.rows = append(t.rows, append([]any{rows[i].Name}, totalsCells(rows[i].Totals)...))
	}
	return sendTable(w, r, "fairlead-targets-"+o.span.Key, &t)
}

func (c *console) seriesFile(w http.ResponseWriter, r *http.Request, _ visit) error {
	o, err := c.readOverview(r)
	if err != nil {
		return err
	}
	s := seriesOf(&o.now)
	t := table{head: append([]string{"start"}, totalsHead...)}
	for i := range s.Slots {
		t.rows = append(t.rows, append([]any{s.Slots[i].Start.Format(time.RFC3339)}, totalsCells(&s.Slots[i].Totals)...))
	}
	return sendTable(w, r, "fairlead-"+s.per()+"s-"+o.span.Key, &t)
}

func (c *console) exchangeFile(w http.ResponseWriter, r *http.Request, _ visit) error {
	x, err := c.Ledger.Get(r.Context(), r.PathValue("id"), ledger.All())
	if err != nil {
		return err
	}
	return sendJSON(w, "fairlead-"+x.ID+".json", x)
}

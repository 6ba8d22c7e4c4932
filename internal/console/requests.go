package console

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/fairlead/fairlead/internal/exchange"
	"github.com/fairlead/fairlead/internal/ledger"
	"github.com/fairlead/fairlead/internal/llm"
)

const requestsPath = "/console/requests"

// filterNames are what a list can be narrowed by, in the order in which they are shown.
var filterNames = [...]string{"status", "target", "model", "task", "task_id", "key", "from", "to"}

type requestsBody struct {
	Rows    []rowView
	Words   []filterWord
	Fields  []filterField
	Kept    []filterWord // hidden in the form: what it does not ask for
	States  []choice
	Clear   string
	Live    string // address of the event stream, "" where new rows do not belong
	Older   string
	Newest  string
	CSV     string
	JSON    string
	Curl    string
	Never   bool // nothing was asked for that could hide rows: there are none
	Targets []string
}

// filterWord is one thing that a list is narrowed by, and the list without it.
type filterWord struct{ Name, Value, Without string }

type filterField struct{ Name, Value, Hint, List string }

// rowView is one row of the list.
type rowView struct {
	ID, Href, Tail string
	At             clock
	Mark           mark
	Why            string // what went wrong, for the title
	Model, Target  string
	Task, Key      string
	In, Out        int64
	Counted        bool // whether any token was
	FirstByte      string
	Total          string
	Cost           price
	Links          rowLinks
}

// rowLinks narrow the list to what a cell says.
type rowLinks struct{ Status, Model, Target, Task, Key string }

// filterOf reads the filter of an address. A range counts where no from is given.
func (c *console) filterOf(q url.Values) (ledger.Filter, error) {
	f, err := ledger.ParseFilter(q, ledger.All())
	if err != nil || !f.From.IsZero() || q.Get("range") == "" {
		return f, err
	}
	s, err := spanOf(q.Get("range"))
	if err != nil {
		return f, err
	}
	f.From = c.Now().Add(-s.Long)
	return f.Validate()
}

func (c *console) requests(w http.ResponseWriter, r *http.Request, v visit) error {
	q := r.URL.Query()
	if tidy, ok := withoutBlanks(q); ok {
		http.Redirect(w, r, requestsPath+tidy, http.StatusSeeOther) //nolint:gosec // G710: the path is ours, the query is encoded
		return nil
	}
	f, err := c.filterOf(q)
	if err != nil {
		return err
	}
	rows, next, err := c.Ledger.List(r.Context(), f)
	if err != nil {
		return err
	}
	b := requestsBody{
		Rows: viewRows(rows, q, c.Now()), Words: filterWords(q), Curl: c.curl(r),
		CSV: requestsPath + ".csv" + only(q), JSON: requestsPath + ".json" + only(q),
	}
	b.Never = len(b.Words) == 0 && q.Get("range") == "" && f.After == ""
	c.fillForm(&b, q)
	if next != "" {
		b.Older = requestsPath + with(q, "after", next)
	}
	if f.After != "" {
		b.Newest = requestsPath + with(q, "after", "")
	} else if f.To.IsZero() {
		b.Live = livePath + only(q)
	}
	return c.show(w, v, "requests", page{Title: "Requests", Nav: "requests", Ranges: anyTime(q), Body: b})
}

// anyTime are the ranges, and none.
func anyTime(q url.Values) []choice {
	bare := url.Values{}
	for k, v := range q {
		if k != "from" && k != "to" {
			bare[k] = v
		}
	}
	chosen := q.Get("range")
	if q.Get("from")+q.Get("to") != "" {
		chosen = "from"
	}
	all := choice{Text: "all", Title: "All that is recorded", Href: requestsPath + with(bare, "range", ""), Chosen: chosen == ""}
	return append(rangeLinks(requestsPath, bare, chosen), all)
}

// withoutBlanks gives the query without the fields that a form left empty, so that an
// address says what it means. ok is false when there are none.
func withoutBlanks(q url.Values) (tidy string, ok bool) {
	for _, vs := range q {
		if len(vs) > 0 && strings.TrimSpace(vs[0]) == "" {
			return with(q, "", ""), true
		}
	}
	return "", false
}

// only is the query as it stands, cursor and all.
func only(q url.Values) string {
	if len(q) == 0 {
		return ""
	}
	return "?" + q.Encode()
}

func filterWords(q url.Values) []filterWord {
	var words []filterWord
	for _, name := range filterNames {
		v := q.Get(name)
		if v == "" {
			continue
		}
		said := v
		if name == "status" {
			said = markOf(exchange.Status(v)).Word
		}
		words = append(words, filterWord{strings.ReplaceAll(name, "_", " "), said, requestsPath + with(q, name, "")})
	}
	return words
}

func (c *console) fillForm(b *requestsBody, q url.Values) {
	for _, s := range [...]exchange.Status{exchange.OK, exchange.Failed, exchange.Cut, exchange.Canceled} {
		b.States = append(b.States, choice{Text: markOf(s).Word, Href: string(s), Chosen: q.Get("status") == string(s)})
	}
	for _, name := range [...]string{"target", "model", "task", "key"} {
		f := filterField{Name: name, Value: q.Get(name), Hint: "any " + name}
		if name == "target" {
			f.List = "targets"
		}
		b.Fields = append(b.Fields, f)
	}
	for _, name := range [...]string{"range", "from", "to", "task_id", "limit"} {
		if v := q.Get(name); v != "" {
			b.Kept = append(b.Kept, filterWord{Name: name, Value: v})
		}
	}
	for _, t := range c.Targets() {
		b.Targets = append(b.Targets, t.Name)
	}
	b.Clear = requestsPath
}

func viewRows(rows []*exchange.Exchange, q url.Values, now time.Time) []rowView {
	views := make([]rowView, len(rows))
	for i, x := range rows {
		views[i] = viewRow(x, q, now)
	}
	return views
}

func viewRow(x *exchange.Exchange, q url.Values, now time.Time) rowView {
	narrow := func(name, value string) string {
		if value == "" {
			return ""
		}
		return requestsPath + with(q, name, value)
	}
	return rowView{
		ID: x.ID, Href: requestsPath + "/" + url.PathEscape(x.ID), Tail: x.ID[max(len(x.ID)-5, 0):], At: clockOf(x.Time, now),
		Mark: markOf(x.Result.Status), Why: strings.TrimSuffix(x.Result.Kind+": "+x.Result.Message, ": "),
		Model: x.Asked.Model, Target: x.Result.Target, Task: x.Asked.Task, Key: x.Caller.Key,
		In: x.Bill.Usage.TotalInput(), Out: x.Bill.Usage.TotalOutput(), Counted: x.Bill.Usage.Total() > 0,
		FirstByte: msec(x.Latency.FirstByte), Total: msec(x.Latency.Total), Cost: priceOf(x.Bill.Cost, false),
		Links: rowLinks{
			narrow("status", string(x.Result.Status)), narrow("model", x.Asked.Model), narrow("target", x.Result.Target),
			narrow("task", x.Asked.Task), narrow("key", x.Caller.Key),
		},
	}
}

// matches reports whether a row that passes by belongs to a list.
func matches(f *ledger.Filter, x *exchange.Exchange) bool {
	is := func(want string, have ...string) bool { return want == "" || slices.Contains(have, want) }
	return f.Scope.Sees(x) && is(string(f.Status), string(x.Result.Status)) && is(f.Target, x.Result.Target) &&
		is(f.Model, x.Asked.Model) && is(f.Task, x.Asked.Task) && is(f.TaskID, x.Asked.TaskID) &&
		is(f.Key, x.Caller.KeyID, x.Caller.Key) && !x.Time.Before(f.From)
}

// search finds an exchange by its own id or its answer's.
func (c *console) search(w http.ResponseWriter, r *http.Request, _ visit) error {
	id := strings.TrimSpace(r.URL.Query().Get("q"))
	if id == "" || len(id) > 256 {
		return &llm.Error{Kind: llm.Invalid, Message: "give the id of an exchange (x-fairlead-id) or of an answer (its id field) to find it"}
	}
	if own, err := ulid.ParseStrict(strings.ToUpper(id)); err == nil {
		id = own.String()
	}
	x, err := c.Ledger.Get(r.Context(), id, ledger.All())
	if err != nil {
		return err
	}
	http.Redirect(w, r, requestsPath+"/"+url.PathEscape(x.ID), http.StatusSeeOther)
	return nil
}

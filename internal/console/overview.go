package console

import (
	"cmp"
	"context"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fairlead/fairlead/internal/exchange"
	"github.com/fairlead/fairlead/internal/ledger"
	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/money"
)

// span is a time range that a reader may choose.
type span struct {
	Key, Words string
	Long       time.Duration
}

var spans = [...]span{
	{"1h", "hour", time.Hour},
	{"24h", "24 hours", 24 * time.Hour},
	{"7d", "7 days", 7 * 24 * time.Hour},
	{"30d", "30 days", 30 * 24 * time.Hour},
}

// spanOf reads a range as it stands in an address; "" is a day.
func spanOf(key string) (span, error) {
	for _, s := range spans {
		if s.Key == cmp.Or(key, "24h") {
			return s, nil
		}
	}
	return span{}, &llm.Error{Kind: llm.Invalid, Param: "range", Message: "`range` must be 1h, 24h, 7d or 30d"}
}

// hours is the span that ends with the running hour. Long ones begin with a UTC day,
// for their points are days.
func (s span) hours(now time.Time) ledger.Range {
	to := now.UTC().Truncate(time.Hour).Add(time.Hour)
	from := to.Add(-s.Long)
	if s.Long > 7*24*time.Hour {
		from = now.UTC().Truncate(24 * time.Hour).Add(24*time.Hour - s.Long)
	}
	return ledger.Range{From: from, To: to}
}

// overviewData is what the overview and its files are made of.
type overviewData struct {
	span   span
	now    ledger.Summary
	before ledger.Summary // the same span one span earlier; empty for an hour
	at     time.Time
}

func (c *console) readOverview(r *http.Request) (*overviewData, error) {
	s, err := spanOf(r.URL.Query().Get("range"))
	if err != nil {
		return nil, err
	}
	o := &overviewData{span: s, at: c.Now()}
	if s.Long == time.Hour {
		return o, c.readHour(r.Context(), o)
	}
	hours := s.hours(o.at)
	if o.now, err = c.Ledger.Summary(r.Context(), hours, ledger.All()); err != nil {
		return o, err
	}
	// The hour that runs has no like yet, so neither side counts it.
	end := o.at.UTC().Truncate(time.Hour).Add(-s.Long)
	if begin := hours.From.Add(-s.Long); begin.Before(end) {
		o.before, err = c.Ledger.Summary(r.Context(), ledger.Range{From: begin, To: end}, ledger.All())
	}
	return o, err
}

// readHour adds up the last sixty minutes from the rows themselves, for a summary
// knows whole hours only. Where there are too many rows it is two whole hours.
func (c *console) readHour(ctx context.Context, o *overviewData) (err error) {
	hours := o.span.hours(o.at)
	hours.From = hours.From.Add(-time.Hour)
	o.span.Words = "hour and the one before"
	if o.now, err = c.Ledger.Summary(ctx, hours, ledger.All()); err != nil || o.now.Total.Requests > ledger.MaxLimit {
		return err
	}
	to := o.at.UTC().Truncate(time.Minute).Add(time.Minute)
	minutes := ledger.Range{From: to.Add(-time.Hour), To: to}
	rows, _, err := c.Ledger.List(ctx, ledger.Filter{Scope: ledger.All(), From: minutes.From, To: to, Limit: ledger.MaxLimit})
	if err != nil {
		return err
	}
	o.now, o.span.Words = byMinute(rows, minutes), "hour"
	return nil
}

// byMinute sums rows as a store does hours.
func byMinute(rows []*exchange.Exchange, r ledger.Range) ledger.Summary {
	s := ledger.Summary{Range: r, Step: time.Minute}
	points, targets := map[int64]*ledger.Point{}, map[string]*ledger.Named{}
	for _, x := range rows {
		s.Total.Count(x)
		at := x.Time.UTC().Truncate(time.Minute)
		if points[at.Unix()] == nil {
			points[at.Unix()] = &ledger.Point{Start: at}
		}
		points[at.Unix()].Count(x)
		if targets[x.Result.Target] == nil {
			targets[x.Result.Target] = &ledger.Named{Name: x.Result.Target}
		}
		targets[x.Result.Target].Count(x)
	}
	for _, p := range points {
		s.Points = append(s.Points, *p)
	}
	for _, t := range targets {
		s.Targets = append(s.Targets, *t)
	}
	return s
}

type overviewBody struct {
	Empty    bool
	Curl     string
	Answer   answer
	Plots    []*plot
	Slots    []slotRow
	Range    string // for addresses
	Targets  []targetRow
	Columns  []sortLink
	Standing []standing
}

// answer is the page in one sentence, each number with the rows it was made from.
type answer struct {
	Cost        price
	Requests    string
	Words       string // of the span
	Change      string
	Unknown     int64 // requests whose cost is so; 0 when that is all of them
	Share       string
	Failed, Cut int64
	P50, P95    string
	N           int64 // first bytes counted
	All, OK     string
	FailedURL   string
	CutURL      string
}

type slotRow struct {
	When, Href             string
	Requests, Bad, In, Out int64
	Cost                   price
}

// targetRow is what one target did.
type targetRow struct {
	Name, Href, FailedHref string
	*ledger.Totals
	Share, P50, P95 string
	Few             string // why a percentile is missing
	Cost            price
}

type sortLink struct {
	Text, Href, Order string // Order is the value of aria-sort
	Number, Wide      bool
}

// standing is a configured target.
type standing struct {
	Target
	Mark mark
	Href string
}

func (c *console) overview(w http.ResponseWriter, r *http.Request, v visit) error {
	o, err := c.readOverview(r)
	if err != nil {
		return err
	}
	s := seriesOf(&o.now)
	b := overviewBody{Empty: o.now.Total.Requests == 0, Curl: c.curl(r), Answer: o.answer(), Range: o.span.Key}
	if !b.Empty {
		b.Plots = []*plot{s.requestsPlot(), s.spendPlot()}
		b.Slots = s.rows()
	}
	b.Targets, b.Columns, err = o.table(r.URL.Query().Get("sort"))
	if err != nil {
		return err
	}
	for _, t := range c.Targets() {
		b.Standing = append(b.Standing, standing{t, markOfState(t.State), "/console/requests?" + url.Values{"target": {t.Name}}.Encode()})
	}
	return c.show(w, v, "overview", page{Title: "Overview", Nav: "overview", Ranges: rangeLinks(home, r.URL.Query(), o.span.Key), Body: b})
}

// rangeLinks are the ranges, each an address that keeps the rest of the query.
func rangeLinks(path string, q url.Values, chosen string) []choice {
	var links []choice
	for _, s := range spans {
		links = append(links, choice{Text: s.Key, Title: "The last " + s.Words, Href: path + with(q, "range", s.Key), Chosen: s.Key == chosen})
	}
	return links
}

// with is the query with one name set, or left out when the value is "". The cursor
// goes: it belongs to the list that it was given for.
func with(q url.Values, name, value string) string {
	out := url.Values{}
	for k, vs := range q {
		if k != name && k != "after" && len(vs) > 0 && strings.TrimSpace(vs[0]) != "" {
			out.Set(k, vs[0])
		}
	}
	if value != "" {
		out.Set(name, value)
	}
	if len(out) == 0 {
		return "?"
	}
	return "?" + out.Encode()
}

// rows is the address of the requests of the range.
func (o *overviewData) rows(more ...string) string {
	q := url.Values{"from": {o.now.Range.From.Format(time.RFC3339)}}
	for i := 0; i+1 < len(more); i += 2 {
		q.Set(more[i], more[i+1])
	}
	return "/console/requests?" + q.Encode()
}

func (o *overviewData) answer() answer {
	t := &o.now.Total
	cost, unknown := priceOfAll(t), t.Unknown
	if unknown == t.Requests {
		unknown = 0
	}
	cost.Text, _, _ = strings.Cut(cost.Text, " + ") // the sentence says it in words
	return answer{
		Cost: cost, Requests: someRequests(t.Requests), Words: o.span.Words, Change: o.change(), Unknown: unknown,
		Share: shareOK(t), Failed: t.Failed, Cut: t.Cut, P50: quantile(&t.FirstByte, 0.5), P95: quantile(&t.FirstByte, 0.95), N: t.FirstByte.N(),
		All: o.rows(), OK: o.rows("status", "ok"), FailedURL: o.rows("status", "error"), CutURL: o.rows("status", "cut"),
	}
}

// shareOK leaves out what clients canceled: it says nothing about who answered.
func shareOK(t *ledger.Totals) string { return share(t.OK, t.Requests-t.Canceled) }

// change compares the spend with the span before; "" where it cannot be compared.
func (o *overviewData) change() string {
	now, before := o.now.Total.Cost, o.before.Total.Cost
	if running := o.at.UTC().Truncate(time.Hour); o.now.Step == time.Hour && len(o.now.Points) > 0 {
		if last := o.now.Points[len(o.now.Points)-1]; last.Start.Equal(running) {
			now = now.Sub(last.Cost)
		}
	}
	if before.Sign() <= 0 || o.now.Total.Unknown+o.before.Total.Unknown > 0 {
		return ""
	}
	switch pct := percentOf(now, before); {
	case pct == 100:
		return "as much as in the " + o.span.Words + " before"
	case pct < 100:
		return count(100-pct) + " % less than in the " + o.span.Words + " before"
	case pct > 300:
		return count(pct/100) + " times the " + o.span.Words + " before"
	default:
		return count(pct-100) + " % more than in the " + o.span.Words + " before"
	}
}

// percentOf rounds to whole percents, which floats can do.
func percentOf(part, whole money.Amount) int64 {
	p, _ := strconv.ParseFloat(part.String(), 64) // decimal numbers always read
	w, _ := strconv.ParseFloat(whole.String(), 64)
	return int64(math.Round(100 * p / w))
}

func (s *series) rows() []slotRow {
	var rows []slotRow
	for i := range s.Slots {
		if t := &s.Slots[i]; t.Requests > 0 {
			rows = append(rows, slotRow{s.when(t.Start), rowsBetween(t.Start, t.Start.Add(s.Step)), t.Requests, notOK(&t.Totals), t.Input, t.Output, priceOfAll(&t.Totals)})
		}
	}
	slices.Reverse(rows)
	return rows
}

// column is one that the table of targets can be sorted by.
type column struct {
	key, text string
	less      func(a, b *targetRow) int
}

var columns = [...]column{
	{"target", "Target", func(a, b *targetRow) int { return cmp.Compare(a.Name, b.Name) }},
	{"requests", "Requests", func(a, b *targetRow) int { return cmp.Compare(b.Requests, a.Requests) }},
	{"ok", "OK %", func(a, b *targetRow) int { return cmp.Compare(ratio(b), ratio(a)) }},
	{"in", "Tokens in", func(a, b *targetRow) int { return cmp.Compare(b.Input, a.Input) }},
	{"out", "Tokens out", func(a, b *targetRow) int { return cmp.Compare(b.Output, a.Output) }},
	{"cost", "Cost USD", func(a, b *targetRow) int { return b.Totals.Cost.Cmp(a.Totals.Cost) }},
	{"p50", "First byte p50 ms", func(a, b *targetRow) int { return cmp.Compare(median(b), median(a)) }},
	{"p95", "First byte p95 ms", func(a, b *targetRow) int { return cmp.Compare(tail(b), tail(a)) }},
}

func ratio(t *targetRow) float64 { return float64(t.OK) / float64(max(t.Requests-t.Canceled, 1)) }

func median(t *targetRow) time.Duration { d, _ := t.FirstByte.Quantile(0.5); return d }
func tail(t *targetRow) time.Duration   { d, _ := t.FirstByte.Quantile(0.95); return d }

// table is what each target did, sorted by a column; a "-" before its key turns it
// round. Numbers begin with the largest, names with the first.
func (o *overviewData) table(order string) ([]targetRow, []sortLink, error) {
	key, turned := strings.CutPrefix(cmp.Or(order, "requests"), "-")
	at := slices.IndexFunc(columns[:], func(c column) bool { return c.key == key })
	if at < 0 {
		return nil, nil, &llm.Error{Kind: llm.Invalid, Param: "sort", Message: "`sort` must be the key of a column; click a column's head instead"}
	}
	rows := make([]targetRow, len(o.now.Targets))
	for i := range o.now.Targets {
		rows[i] = o.targetRow(&o.now.Targets[i])
	}
	slices.SortFunc(rows, func(a, b targetRow) int {
		n := columns[at].less(&a, &b)
		if turned {
			n = -n
		}
		return cmp.Or(n, cmp.Compare(a.Name, b.Name))
	})
	links := make([]sortLink, len(columns))
	for i, c := range columns {
		links[i] = sortLink{Text: c.text, Href: home + with(url.Values{"range": {o.span.Key}}, "sort", c.key), Number: i > 0, Wide: c.key == "in" || c.key == "out"}
		if i == at {
			links[i].Order = "descending"
			if turned != (i == 0) {
				links[i].Order = "ascending"
			}
			if !turned {
				links[i].Href = home + with(url.Values{"range": {o.span.Key}}, "sort", "-"+c.key)
			}
		}
	}
	return rows, links, nil
}

func (o *overviewData) targetRow(n *ledger.Named) targetRow {
	row := targetRow{
		Name: n.Name, Totals: &n.Totals, Share: shareOK(&n.Totals), Cost: priceOfAll(&n.Totals),
		P50: quantile(&n.FirstByte, 0.5), P95: quantile(&n.FirstByte, 0.95),
	}
	if row.P95 == none {
		row.Few = "not estimable (n = " + count(n.FirstByte.N()) + ")"
	}
	if n.Name != "" {
		row.Href, row.FailedHref = o.rows("target", n.Name), o.rows("target", n.Name, "status", "error")
	} else {
		row.FailedHref = o.rows("status", "error")
	}
	return row
}

package console

import (
	"cmp"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/fairlead/fairlead/internal/exchange"
	"github.com/fairlead/fairlead/internal/ledger"
	"github.com/fairlead/fairlead/internal/money"
)

// exchangeBody is one exchange on its page.
type exchangeBody struct {
	X         *exchange.Exchange
	At        clock
	Mark      mark
	Sentence  string
	Cost      price
	Waterfall *waterfall
	Attempts  []attemptView
	Tokens    []tokenLine
	Price     *money.Source
	Link      string // the page that the price comes from, "" when it is none
	Split     bool   // input and output amounts mean something
	In, Out   string
	Times     []fact
	Facts     []fact
	Asked     []fact // recorded headers
	Answered  []fact
	JSON      string
}

// fact is a name and what it is; Code marks what a reader may copy.
type fact struct {
	Name, Value string
	Href        string
	Code        bool
}

type attemptView struct {
	*exchange.Attempt
	No               int
	Mark             mark
	Start, TTFT, All string // ms
	In, Out          int64
	Counted          bool
	Cost             price
	Price            string
}

type tokenLine struct {
	Name string
	N    int64
}

func (c *console) exchange(w http.ResponseWriter, r *http.Request, v visit) error {
	id := r.PathValue("id")
	x, err := c.Ledger.Get(r.Context(), id, ledger.All())
	if err != nil {
		return err
	}
	if x.ID != id {
		http.Redirect(w, r, requestsPath+"/"+url.PathEscape(x.ID), http.StatusSeeOther)
		return nil
	}
	b := exchangeBody{
		X: x, At: clockOf(x.Time, c.Now()), Mark: markOf(x.Result.Status), Sentence: sentence(x), Cost: priceOf(x.Bill.Cost, true),
		Waterfall: waterfallOf(x), Tokens: tokenLines(&x.Bill.Usage), Times: times(x), Facts: facts(x),
		Asked: headerFacts(x.Asked.Headers), Answered: headerFacts(x.Result.Headers), JSON: requestsPath + "/" + url.PathEscape(x.ID) + "/json",
	}
	b.fillPrice(&x.Bill.Cost)
	for i := range x.Attempts {
		b.Attempts = append(b.Attempts, viewAttempt(&x.Attempts[i], b.Price == nil))
	}
	return c.show(w, v, "exchange", page{Title: "Exchange", Nav: "requests", Body: b})
}

func (b *exchangeBody) fillPrice(c *money.Cost) {
	b.Split = c.State != money.Unknown
	b.In, b.Out = "$"+c.Input.String(), "$"+c.Output.String()
	if c.Price != (money.Source{}) {
		b.Price = &c.Price
		if strings.HasPrefix(c.Price.From, "https://") {
			b.Link = c.Price.From
		}
	}
}

func viewAttempt(a *exchange.Attempt, own bool) attemptView {
	view := attemptView{
		Attempt: a, No: a.Seq + 1, Mark: markOf(a.Status), Start: msec(a.Start), TTFT: msec(a.TTFT), All: msec(a.Total),
		In: a.Bill.Usage.TotalInput(), Out: a.Bill.Usage.TotalOutput(), Counted: a.Bill.Usage.Total() > 0, Cost: priceOf(a.Bill.Cost, true),
	}
	if p := a.Bill.Cost.Price; own && p != (money.Source{}) {
		view.Price = priceWords(p)
	}
	return view
}

func priceWords(p money.Source) string {
	words := []string{p.Provider, p.Model, p.Row, p.From, p.Date}
	return strings.Join(present(words), ", ")
}

func present(words []string) []string {
	var out []string
	for _, w := range words {
		if w != "" {
			out = append(out, w)
		}
	}
	return out
}

// sentence is the exchange in one line; the template puts the mark before and the
// cost behind it.
func sentence(x *exchange.Exchange) string {
	var b strings.Builder
	say := func(words ...string) {
		for _, w := range words {
			b.WriteString(w)
		}
	}
	if x.Latency.Total > 0 {
		how := " after "
		if x.Result.Status == exchange.OK {
			how = " in "
		}
		say(how, msec(x.Latency.Total), " ms")
	}
	if x.Result.Target != "" {
		say(" from ", x.Result.Target)
	}
	if n := len(x.Attempts); n > 1 {
		say(" at attempt ", count(int64(n)))
	}
	if u := &x.Bill.Usage; u.Total() > 0 {
		say(", ", count(u.TotalInput()), " → ", count(u.TotalOutput()), " tokens")
	}
	return b.String()
}

func times(x *exchange.Exchange) []fact {
	all := []fact{
		{Name: "overhead (Fairlead's own)", Value: msec(x.Latency.Overhead)},
		{Name: "first byte", Value: msec(x.Latency.FirstByte)},
		{Name: "last byte", Value: msec(x.Latency.Total)},
	}
	first, out := x.Latency.FirstByte, x.Bill.Usage.TotalOutput()
	if rest := x.Latency.Total - first; x.Asked.Stream && first > 0 && rest > 0 && out > 1 {
		all = append(all, fact{Name: "per output token after the first", Value: msec(rest / time.Duration(out-1))})
	}
	return all
}

func tokenLines(u *money.Tokens) []tokenLine {
	var lines []tokenLine
	for _, l := range [...]tokenLine{
		{"input", u.Input}, {"input from the cache", u.CacheRead}, {"input written to the cache (5 min)", u.CacheWrite5m},
		{"input written to the cache (1 h)", u.CacheWrite1h}, {"audio input", u.AudioInput}, {"audio input from the cache", u.AudioCacheRead},
		{"image input", u.ImageInput}, {"output", u.Output}, {"reasoning output", u.Reasoning}, {"audio output", u.AudioOutput},
		{"image output", u.ImageOutput}, {"billed calls", u.Requests}, {"web searches", u.Searches},
	} {
		if l.N != 0 {
			lines = append(lines, l)
		}
	}
	return lines
}

// facts are those that are there; a reader misses nothing by an empty line.
func facts(x *exchange.Exchange) []fact {
	narrow := func(name, value string) string { return requestsPath + "?" + url.Values{name: {value}}.Encode() }
	stream := "no"
	if x.Asked.Stream {
		stream = "yes"
	}
	var status string
	if x.Result.HTTPStatus > 0 {
		status = strings.TrimSpace(count(int64(x.Result.HTTPStatus)) + " " + http.StatusText(x.Result.HTTPStatus))
	}
	var some []fact
	for _, f := range [...]fact{
		{Name: "answer's id", Value: x.Result.AnswerID, Code: true},
		{Name: "HTTP status", Value: status},
		{Name: "model asked for", Value: x.Asked.Model, Href: narrow("model", x.Asked.Model)},
		{Name: "target", Value: x.Result.Target, Href: narrow("target", x.Result.Target)},
		{Name: "chosen by", Value: x.Result.Route},
		{Name: "task", Value: x.Asked.Task, Href: narrow("task", x.Asked.Task)},
		{Name: "task id", Value: x.Asked.TaskID, Href: narrow("task_id", x.Asked.TaskID)},
		{Name: "key", Value: x.Caller.Key, Href: narrow("key", x.Caller.Key)},
		{Name: "project", Value: x.Caller.Project},
		{Name: "surface", Value: strings.Join(present([]string{x.Asked.Dialect, x.Asked.Surface}), ", ")},
		{Name: "streamed", Value: stream},
		{Name: "request, answer", Value: count(x.Asked.Bytes) + ", " + count(x.Result.Bytes) + " bytes"},
		{Name: "cache", Value: x.Result.Cache},
		{Name: "data classes", Value: strings.Join(x.Asked.Classes, ", ")},
		{Name: "lost in translation", Value: cmp.Or(strings.Join(x.Result.Loss, ", "), "nothing")},
		{Name: "configuration", Value: x.Result.ConfigHash, Code: true},
	} {
		if f.Value != "" {
			some = append(some, f)
		}
	}
	return some
}

func headerFacts(lines string) []fact {
	var out []fact
	for line := range strings.Lines(lines) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			out = append(out, fact{Name: strings.ToLower(name), Value: strings.TrimSpace(value)})
		}
	}
	return out
}

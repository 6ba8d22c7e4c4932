package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fairlead/fairlead/internal/app"
	"github.com/fairlead/fairlead/internal/exchange"
	"github.com/fairlead/fairlead/internal/ledger"
	"github.com/fairlead/fairlead/internal/money"
	"github.com/fairlead/fairlead/internal/sse"
)

func requestsCommand(r *reach) *cobra.Command {
	var asJSON, follow bool
	q := url.Values{}
	filter := map[string]*string{}
	cmd := &cobra.Command{
		Use:   "requests [ID]",
		Short: "Show what happened, newest first, or one exchange",
		Long: `Lists recorded exchanges, or shows the one with the given id (its own or the answer's). Reads from
the running server, or from the data folder when none runs.`,
		Example: `  fairlead requests --status error --limit 20
  fairlead requests --follow
  fairlead requests 01KAX… --json`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			for name, value := range filter {
				if *value != "" {
					q.Set(name, *value)
				}
			}
			if _, err := ledger.ParseFilter(q, ledger.All()); err != nil {
				return usage("%w: see the flags", err)
			}
			p := &printer{out: cmd.OutOrStdout(), json: asJSON}
			switch {
			case len(args) == 1 && follow:
				return usage("--follow watches all exchanges: leave the id out")
			case len(args) == 1:
				return showExchange(cmd.Context(), r, args[0], p)
			case follow:
				return followExchanges(cmd.Context(), r, p)
			}
			return listExchanges(cmd.Context(), r, q, p)
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&asJSON, "json", false, "print JSON, one exchange a line")
	flags.BoolVarP(&follow, "follow", "f", false, "go on printing as they come")
	r.flags(cmd)
	for name, help := range map[string]string{
		"limit": "how many, `n` (1 to 1000, default 50)", "after": "go on behind this `id`, as the last page ended",
		"task": "only this `task`", "status": "only this `status`: ok, error, canceled or cut", "target": "only this `target`", "model": "only this `model`",
	} {
		filter[name] = flags.String(name, "", help)
	}
	cmd.ValidArgsFunction = cobra.NoFileCompletions
	completeFlag(cmd, "status", cobra.FixedCompletions([]string{"ok", "error", "canceled", "cut"}, cobra.ShellCompDirectiveNoFileComp))
	completeFlag(cmd, "target", completeNames(r, offered("target")))
	completeFlag(cmd, "model", completeNames(r, offered("model", "target")))
	return cmd
}

// source reads records from the server or, where none runs, from the data folder.
func (r *reach) source(ctx context.Context) (server *client, folder *app.Records, err error) {
	server, err = r.client()
	if r.elsewhere() {
		return server, nil, err
	}
	if err == nil {
		// A server that was killed has left its address.
		if err = server.alive(ctx); err == nil {
			return server, nil, nil
		}
	}
	folder, openErr := app.OpenRecords(ctx, r.data)
	switch {
	case errors.Is(openErr, fs.ErrNotExist):
		return nil, nil, fmt.Errorf("%w\n(%w)", err, openErr)
	case openErr != nil:
		return nil, nil, openErr
	}
	return nil, folder, nil
}

func showExchange(ctx context.Context, r *reach, id string, p *printer) error {
	server, folder, err := r.source(ctx)
	if err != nil {
		return err
	}
	var x *exchange.Exchange
	if server != nil {
		x = new(exchange.Exchange)
		err = server.get(ctx, "/v1/exchanges/"+url.PathEscape(id), x)
	} else {
		defer folder.Close()
		x, err = folder.Get(ctx, id, ledger.All())
		if errors.Is(err, ledger.ErrNotFound) {
			err = fmt.Errorf("no exchange here has the id %q: `fairlead requests` lists them", id)
		}
	}
	if err != nil {
		return err
	}
	return p.detail(x)
}

func listExchanges(ctx context.Context, r *reach, q url.Values, p *printer) error {
	server, folder, err := r.source(ctx)
	if err != nil {
		return err
	}
	var page struct {
		Data []*exchange.Exchange `json:"data"`
		Next string               `json:"next"`
	}
	if server != nil {
		err = server.get(ctx, "/v1/exchanges?"+q.Encode(), &page)
	} else {
		defer folder.Close()
		var f ledger.Filter
		if f, err = ledger.ParseFilter(q, ledger.All()); err == nil {
			page.Data, page.Next, err = folder.List(ctx, f)
		}
	}
	if err != nil {
		return err
	}
	if err := p.list(page.Data); err != nil {
		return err
	}
	switch {
	case len(page.Data) == 0 && len(q) > 0:
		fmt.Fprintln(os.Stderr, "no recorded exchange is like that; `fairlead requests` shows them all")
	case len(page.Data) == 0:
		fmt.Fprintln(os.Stderr, "nothing recorded yet; `fairlead chat \"hello\"` makes the first")
	case p.json:
	case page.Next != "":
		q.Set("after", page.Next)
		fmt.Fprintln(os.Stderr, dim("older ones: fairlead requests"+flagsOf(q)))
	default:
		fmt.Fprintln(os.Stderr, dim("one of them with its attempts: fairlead requests ID"))
	}
	return nil
}

// flagsOf is a filter as it would be typed.
func flagsOf(q url.Values) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(q)) {
		fmt.Fprintf(&b, " --%s %s", name, q.Get(name))
	}
	return b.String()
}

// followExchanges prints exchanges as the server records them.
func followExchanges(ctx context.Context, r *reach, p *printer) error {
	c, err := r.client()
	if err != nil {
		return err
	}
	res, err := c.do(ctx, http.MethodGet, "/api/live", nil)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	fmt.Fprintln(os.Stderr, dim("watching; Ctrl-C ends"))
	events := sse.NewReader(res.Body, sse.DefaultMaxEvent)
	for {
		ev, err := events.Next()
		switch {
		case err == nil:
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF): // it stopped, or was killed
			return unreachable(c.base, fmt.Errorf("the server ended"))
		case errors.Is(err, sse.ErrTooLong):
			return err
		default:
			return unreachable(c.base, err)
		}
		if ev.Comment {
			continue
		}
		var x exchange.Exchange
		if err := json.Unmarshal(ev.Data, &x); err != nil {
			return fmt.Errorf("the server's answer cannot be read: %w", err)
		}
		if err := p.list([]*exchange.Exchange{&x}); err != nil {
			return err
		}
	}
}

// printer shows exchanges as text or as JSON lines.
type printer struct {
	out    io.Writer
	json   bool
	headed bool
}

// rowFormat fits 100 columns.
const rowFormat = "%-8s  %-26s  %-8s  %-15s  %10s  %7s  %s\n"

func (p *printer) list(rows []*exchange.Exchange) error {
	for _, x := range rows {
		if p.json {
			if err := writeJSON(p.out, x); err != nil {
				return err
			}
			continue
		}
		if !p.headed {
			p.headed = true
			fmt.Fprintf(p.out, rowFormat, "TIME", "ID", "STATUS", "TARGET", "TOKENS", "SECONDS", "COST")
		}
		_, err := fmt.Fprintf(p.out, rowFormat, x.Time.Local().Format(time.TimeOnly), x.ID, x.Result.Status,
			short(orDash(x.Result.Target), 15), tokensText(x.Bill.Usage), strconv.FormatFloat(x.Total.Seconds(), 'f', 3, 64), billText(x))
		if err != nil {
			return err
		}
	}
	return nil
}

// tokensText is "in→out", a dash where no token was counted.
func tokensText(t money.Tokens) string {
	in, out := t.TotalInput(), t.TotalOutput()
	if in == 0 && out == 0 {
		return "–"
	}
	return strconv.FormatInt(in, 10) + "→" + strconv.FormatInt(out, 10)
}

// billText is the cost; what no target worked on has none.
func billText(x *exchange.Exchange) string {
	if len(x.Attempts) == 0 {
		return "–"
	}
	return costText(x.Bill.Cost)
}

// span is a duration, a dash where it never came so far.
func span(d time.Duration) string {
	if d == 0 {
		return "–"
	}
	return d.Round(time.Microsecond).String()
}

func statusText(s exchange.Status, code int) string {
	if code == 0 {
		return string(s)
	}
	return string(s) + " (HTTP " + strconv.Itoa(code) + ")"
}

func (p *printer) detail(x *exchange.Exchange) error {
	if p.json {
		return writeJSON(p.out, x)
	}
	lines := [][]string{
		{"id", x.ID},
		{"time", x.Time.UTC().Format("2006-01-02T15:04:05.000Z")},
		{"status", statusText(x.Result.Status, x.Result.HTTPStatus)},
		{"model", x.Asked.Model + " → " + orDash(x.Result.Target) + " by " + orDash(x.Result.Route)},
		{"tokens", fmt.Sprintf("%d in, %d out", x.Bill.Usage.TotalInput(), x.Bill.Usage.TotalOutput())},
		{"cost", billText(x)},
		{"latency", fmt.Sprintf("first byte %s, total %s, overhead %s", span(x.FirstByte), span(x.Total), span(x.Overhead))},
		{"config", x.Result.ConfigHash},
	}
	if x.Result.Message != "" {
		lines = append(lines, []string{"error", x.Result.Kind + ": " + x.Result.Message})
	}
	for _, a := range x.Attempts {
		text := fmt.Sprintf("%s %s in %s, %s", a.Target, statusText(a.Status, a.HTTPStatus), span(a.Total), costText(a.Bill.Cost))
		lines = append(lines, []string{"attempt " + strconv.Itoa(a.Seq+1), text})
		if a.Message != "" {
			lines = append(lines, []string{"", short(a.Kind+": "+a.Message, 86)})
		}
	}
	for _, line := range lines {
		if _, err := fmt.Fprintf(p.out, "%-11s%s\n", line[0], line[1]); err != nil {
			return err
		}
	}
	return nil
}

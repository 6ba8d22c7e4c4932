package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fairlead/fairlead/internal/exchange"
	"github.com/fairlead/fairlead/internal/money"
	"github.com/fairlead/fairlead/internal/server"
)

func probeCommand(r *reach) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "probe NAME", Short: "Ask a target a few tiny questions to see what it can do, and how the catalog differs",
		Long: `Sends about a dozen real requests of a few tokens each through the running server, which wants a
key with the scope admin for it. Each is recorded, and paid for like any other. At the end stands
what differs from the catalog, with the line for fairlead.yaml that corrects it.`,
		Example: "  fairlead targets probe own\n  fairlead targets probe own --json", Args: cobra.ExactArgs(1),
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
			p := &prober{client: c, target: offers[0], limit: "max_tokens"}
			report, err := p.run(cmd.Context())
			if err != nil {
				return err
			}
			if asJSON {
				return writeJSON(cmd.OutOrStdout(), report)
			}
			return report.print(cmd.OutOrStdout())
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.ValidArgsFunction = one(completeNames(r, offered("target")))
	return cmd
}

// What came of a probe.
const (
	worked  = "worked"
	ignored = "ignored" // answered as if it had not been asked
	refused = "refused" // the target says that it cannot, or there is no way to say it to it
	unclear = "unclear" // the answer ended before it showed anything
	failed  = "failed"  // for a reason that says nothing about the ability
	skipped = "skipped"
)

// probed is one probe and what came of it.
type probed struct {
	Probe    string       `json:"probe"`
	Ability  string       `json:"ability,omitempty"`
	Catalog  string       `json:"catalog,omitempty"`
	Outcome  string       `json:"outcome"`
	Detail   string       `json:"detail"`
	Status   int          `json:"http_status,omitempty"`
	Cost     money.Amount `json:"cost_usd"`
	State    money.State  `json:"cost_state"`
	Exchange string       `json:"exchange,omitempty"`
	Advice   string       `json:"advice,omitempty"`
}

// probes is a target's report.
type probes struct {
	Target  string       `json:"target"`
	Probes  []probed     `json:"probes"`
	Cost    money.Amount `json:"cost_usd"`
	State   money.State  `json:"cost_state"`
	Add     []string     `json:"add"`    // to the target's abilities
	Remove  []string     `json:"remove"` // from them
	Changes string       `json:"changes,omitempty"`
}

// prober asks one target.
type prober struct {
	client *client
	target server.Offer
	limit  string // what the target calls the bound on the output
}

// run asks everything, one after the other: a small server has one place.
func (p *prober) run(ctx context.Context) (*probes, error) {
	report := &probes{Target: p.target.Name, State: money.Known, Add: []string{}, Remove: []string{}}
	chat := true
	for i := range questions {
		q := &questions[i]
		res := probed{Probe: q.name, Ability: q.ability, Catalog: p.catalog(q.ability), Outcome: skipped, Detail: "it does not chat", State: money.Known}
		if chat || q.path != chatPath {
			if err := p.ask(ctx, q, &res); err != nil {
				return nil, err
			}
		}
		if q.name == "plain" {
			if res.Outcome == failed {
				return nil, withRecord(&exitError{exitRefused, errors.New("the target does not answer: " + res.Detail)}, res.Exchange)
			}
			chat = res.Outcome == worked
		}
		report.take(&res)
	}
	if !slices.ContainsFunc(report.Probes, func(p probed) bool { return p.Outcome == worked }) {
		first := &report.Probes[0]
		return nil, withRecord(&exitError{exitRefused, fmt.Errorf("the target refuses everything: is its model's name right? It answered %d: %s", first.Status, first.Detail)}, first.Exchange)
	}
	return report, nil
}

func (p *prober) catalog(ability string) string {
	for _, can := range p.target.Detail.Can {
		if can.Ability == ability {
			return can.State
		}
	}
	return ""
}

// take adds a result, with what follows from it.
func (r *probes) take(res *probed) {
	has := res.Catalog != "" && res.Catalog != server.No
	switch {
	case res.Ability == "":
	case has && (res.Outcome == refused || res.Outcome == ignored):
		r.Remove = append(r.Remove, res.Ability)
		res.Advice = fmt.Sprintf("the catalog says %s: %s; the target %s it: add abilities: { remove: [%s] }", res.Ability, res.Catalog, res.Outcome, res.Ability)
	case !has && res.Outcome == worked:
		r.Add = append(r.Add, res.Ability)
		res.Advice = fmt.Sprintf("the catalog says %s: no; it worked: add abilities: { add: [%s] }", res.Ability, res.Ability)
	}
	r.Cost = r.Cost.Add(res.Cost)
	r.State = min(r.State, res.State)
	r.Probes = append(r.Probes, *res)
	var lists []string
	for _, l := range []struct {
		key   string
		names []string
	}{{"add", r.Add}, {"remove", r.Remove}} {
		if len(l.names) > 0 {
			lists = append(lists, l.key+": ["+strings.Join(l.names, ", ")+"]")
		}
	}
	if len(lists) > 0 {
		r.Changes = "abilities: { " + strings.Join(lists, ", ") + " }"
	}
}

// probeTime bounds one probe; a serverless machine may have to boot.
const probeTime = 5 * time.Minute

// ask sends a question, and again where the target wants the bound by its other name, or
// thought so long that nothing was seen.
func (p *prober) ask(ctx context.Context, q *question, res *probed) error {
	tokens := q.tokens
	for range 3 {
		a, err := p.send(ctx, q, tokens)
		if err != nil {
			return err
		}
		p.account(ctx, a, res)
		switch {
		case a.status != http.StatusOK && p.limit == "max_tokens" && strings.Contains(string(a.body), "max_completion_tokens"):
			p.limit = "max_completion_tokens"
			continue
		case a.status != http.StatusOK:
			res.Outcome, res.Detail = blame(a), a.message()
			return nil
		}
		res.Outcome, res.Detail = q.judge(a)
		if res.Outcome == ignored && a.stop() == "length" && q.tokens >= longTokens {
			res.Outcome, res.Detail = unclear, fmt.Sprintf("the answer was cut after %d tokens", tokens)
			if tokens < thinkTokens {
				tokens = thinkTokens
				continue
			}
		}
		if res.Outcome == ignored && a.loss != "" {
			res.Detail = "lost in translation: " + a.loss
		}
		return nil
	}
	return nil
}

// longTokens is the bound of questions whose answers must be complete to be judged, and
// thinkTokens enough for a model that thinks before it speaks.
const longTokens, thinkTokens = 64, 1024

// answered is what came back.
type answered struct {
	status int
	body   []byte
	id     string
	loss   string
	kind   string // of the error, by the record
}

func (p *prober) send(all context.Context, q *question, tokens int) (*answered, error) {
	ctx, cancel := context.WithTimeout(all, probeTime)
	defer cancel()
	req, err := p.request(ctx, q, tokens)
	if err != nil {
		return nil, err
	}
	res, err := p.client.http.Do(req)
	switch {
	case err != nil && all.Err() == nil && ctx.Err() != nil:
		return &answered{status: http.StatusGatewayTimeout}, nil
	case err != nil:
		return nil, unreachable(p.client.base, err)
	}
	defer res.Body.Close()
	a := &answered{status: res.StatusCode, id: res.Header.Get(headerID), loss: res.Header.Get("X-Fairlead-Loss")}
	if a.body, err = io.ReadAll(io.LimitReader(res.Body, maxProbeBody)); err != nil && a.status == http.StatusOK {
		a.status = http.StatusBadGateway // the answer broke off: as good as none
	}
	return a, context.Cause(all)
}

const maxProbeBody = 4 << 20

func (p *prober) request(ctx context.Context, q *question, tokens int) (*http.Request, error) {
	body := map[string]any{"model": p.target.Name}
	if q.tokens > 0 {
		limit := p.limit
		if q.path != chatPath {
			limit = "max_tokens"
		}
		body[limit] = tokens
	}
	q.fill(body)
	text, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.client.base+q.path, bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+p.client.key)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Fairlead-Probe", "1")
	req.Header.Set("X-Fairlead-Cache", "off")
	req.Header.Set("X-Fairlead-Task", "probe")
	if classes := p.target.Detail.Classes; len(classes) > 0 {
		req.Header.Set("X-Fairlead-Class", classes[0])
	}
	return req, nil
}

// account reads of the record what the probe cost and how it failed.
func (p *prober) account(ctx context.Context, a *answered, res *probed) {
	res.Exchange, res.Status = a.id, a.status
	var x exchange.Exchange
	if a.id == "" || p.client.get(ctx, "/v1/exchanges/"+a.id, &x) != nil {
		res.State = money.Unknown
		return
	}
	a.kind = x.Result.Kind
	if n := len(x.Attempts); n > 0 && a.status != http.StatusOK && x.Attempts[n-1].HTTPStatus != 0 {
		res.Status = x.Attempts[n-1].HTTPStatus
	}
	if len(x.Attempts) == 0 {
		return // it cost nothing
	}
	res.Cost = res.Cost.Add(x.Bill.Cost.USD)
	res.State = min(res.State, x.Bill.Cost.State)
}

package app

import (
	"strings"
	"testing"

	"github.com/fairlead/fairlead/internal/exchange"
	"github.com/fairlead/fairlead/internal/money"
	"github.com/fairlead/fairlead/internal/testkit"
)

// manyTargets differ in what they may see, can do and cost. Those of 192.0.2.1, an
// address for documents, are never reached.
const manyTargets = `
targets:
  here:     { provider: openai-compatible, base_url: UPSTREAM, model: fake }
  listed:   { provider: openai-compatible, base_url: UPSTREAM, model: fake, classes: [public, wallet] }
  vault:    { provider: openai-compatible, base_url: UPSTREAM, model: fake, classes: [wallet] }
  away:     { provider: openai-compatible, base_url: "http://192.0.2.1/v1", model: fake }
  nostream: { provider: openai-compatible, base_url: UPSTREAM, model: fake, abilities: { remove: [stream, tools, vision] } }
  hosted:   { provider: openai, base_url: UPSTREAM, key: k, model: fake, classes: [public] }
  priced:   { provider: openai, base_url: UPSTREAM, key: k, model: gpt-4o-mini, classes: [public], retry: { attempts: 1 } }
  own:      { provider: openai, base_url: UPSTREAM, key: k, model: fake, classes: [public], price: { input: 1000, output: 1000 } }
  gpu:      { provider: vllm, base_url: UPSTREAM, model: fake, gpu: { kind: H100, count: 2, usd_per_hour: 3600 } }
models:
  awayfirst: { plan: [away, listed] }
  plain:     { plan: [nostream, here] }
  dear:      { plan: [own, hosted] }
keys:
  - { name: app, secret: app-secret }
  - { name: boss, secret: admin-secret, scopes: [admin] }
  - { name: wallet, secret: wallet-secret, classes: [wallet] }
  - { name: poor, secret: poor-secret, budget: { usd: 0.001, per: day } }
  - { name: brave, secret: brave-secret, budget: { usd: 1, per: month, unpriced: allow } }
`

func TestRoute_WhoMayAnswer(t *testing.T) {
	t.Parallel()
	up := testkit.NewUpstream(t, testkit.WithModels("gpt-4o-mini"))
	g := start(t, up, manyTargets)
	const tools = `,"tools":[{"type":"function","function":{"name":"f"}}]`
	const image = `{"model":"nostream","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:,"}}]}]}`
	for name, tc := range map[string]struct {
		body    string
		headers []string
		status  int
		target  string
		says    string
	}{
		"public":                    {asking("listed"), nil, 200, "listed", ""},
		"on this machine all":       {asking("here"), []string{"X-Fairlead-Class", "secrets"}, 200, "here", ""},
		"a class it lists":          {asking("listed"), []string{"X-Fairlead-Class", "wallet"}, 200, "listed", ""},
		"a class it does not":       {asking("listed"), []string{"X-Fairlead-Class", "wallet,identity"}, 403, "", `listed may not see data of class "identity"`},
		"only the one it lists":     {asking("vault"), []string{"X-Fairlead-Class", "wallet"}, 200, "vault", ""},
		"public is not listed":      {asking("vault"), nil, 403, "", `vault may not see data of class "public"`},
		"elsewhere public only":     {asking("away"), []string{"X-Fairlead-Class", "wallet"}, 403, "", `away may not see data of class "wallet"`},
		"the next that may":         {asking("awayfirst"), []string{"X-Fairlead-Class", "wallet"}, 200, "listed", ""},
		"by metadata":               {asking("away", `,"metadata":{"fairlead_class":"wallet"}`), nil, 403, "", `class "wallet"`},
		"by key":                    {asking("away"), []string{"Authorization", "Bearer wallet-secret"}, 403, "", `class "wallet"`},
		"a header cannot take away": {asking("away"), []string{"Authorization", "Bearer wallet-secret", "X-Fairlead-Class", "public"}, 403, "", `class "wallet"`},
		"cannot stream":             {asking("nostream", streamed), nil, 400, "", "nostream cannot do stream"},
		"cannot call":               {asking("nostream", tools), nil, 400, "", "nostream cannot do tools"},
		"tools that are off":        {asking("nostream", tools, `,"tool_choice":"none"`), nil, 200, "nostream", ""},
		"cannot see":                {image, nil, 400, "", "nostream cannot do vision"},
		"the next that can":         {asking("plain", streamed), nil, 200, "here", ""},
		"unpriced under a cap":      {asking("hosted"), []string{"X-Fairlead-Max-Usd", "5"}, 402, "", "add `price: {input: …, output: …}` to target hosted"},
		"unpriced without":          {asking("hosted"), nil, 200, "hosted", ""},
		"under the cap":             {asking("priced"), []string{"X-Fairlead-Max-Usd", "0.01"}, 200, "priced", ""},
		"over the cap":              {asking("own"), []string{"X-Fairlead-Max-Usd", "0.01"}, 402, "", "over the cap of 0.01"},
		"both of a plan":            {asking("dear"), []string{"X-Fairlead-Max-Usd", "0.01"}, 402, "", "; hosted has no price"},
		"free is under any cap":     {asking("here"), []string{"X-Fairlead-Max-Usd", "0"}, 200, "here", ""},
		"a budget wants prices":     {asking("hosted"), []string{"Authorization", "Bearer poor-secret"}, 402, "", "to target hosted"},
		"unless told otherwise":     {asking("hosted"), []string{"Authorization", "Bearer brave-secret"}, 200, "hosted", ""},
		"unknown":                   {asking("smart"), nil, 404, "", `no model or target is named "smart"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := g.chat(t, tc.body, tc.headers...)
			if got.status != tc.status || got.header.Get("X-Fairlead-Target") != tc.target {
				t.Fatalf("%d by %q: %s", got.status, got.header.Get("X-Fairlead-Target"), got.body)
			}
			x := g.of(t, got)
			if tc.status == 200 {
				if x.Result.Status != exchange.OK {
					t.Errorf("recorded %+v", x)
				}
				return
			}
			f := failure(t, got.body)
			if !strings.Contains(f.Error.Message, tc.says) || text(f.Error.Code) != map[int]string{400: "no_eligible_target", 402: "insufficient_quota", 403: "no_eligible_target", 404: "model_not_found"}[tc.status] {
				t.Errorf("%s", got.body)
			}
			if len(x.Attempts) != 0 || x.Result.Status != exchange.Failed || x.Result.HTTPStatus != tc.status {
				t.Errorf("recorded %+v", x)
			}
		})
	}
}

func TestRoute_WhatItCosts(t *testing.T) {
	t.Parallel()
	up := testkit.NewUpstream(t, testkit.WithModels("gpt-4o-mini"))
	g := start(t, up, manyTargets)
	for name, tc := range map[string]struct {
		body  string
		state money.State
		usd   string // "" for any
	}{
		// gpt-4o-mini of 2026-07, per million: 1 × 0.15 in, 4 × 0.075 cached, 2 × 0.60 out
		"catalog":         {asking("priced", `,"max_tokens":2`, behaving("cached=4")), money.Known, "0.00000165"},
		"catalog, stream": {asking("priced", `,"max_tokens":2`, streamed, behaving("cached=4")), money.Known, "0.00000165"},
		"catalog, no use": {asking("priced", behaving("no-usage")), money.Estimated, ""},
		"self-hosted":     {asking("here"), money.Known, "0"},
		"unpriced":        {asking("hosted"), money.Unknown, ""},
		"by time":         {asking("gpu"), money.Estimated, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := g.chat(t, tc.body)
			x := g.of(t, got)
			if got.status != 200 || x.Bill.Cost.State != tc.state || tc.usd != "" && x.Bill.Cost.USD.String() != tc.usd {
				t.Fatalf("%d, billed %+v: %s", got.status, x.Bill, got.body)
			}
			if strings.Contains(tc.body, "stream") {
				return
			}
			usd := x.Bill.Cost.USD.String()
			if tc.state == money.Unknown {
				usd = ""
			}
			if got.header.Get("X-Fairlead-Cost-State") != tc.state.String() || got.header.Get("X-Fairlead-Cost-Usd") != usd {
				t.Errorf("headers %v, recorded %+v", got.header, x.Bill.Cost)
			}
			if tc.state == money.Estimated && x.Bill.Cost.USD.Sign() <= 0 {
				t.Errorf("billed %+v", x.Bill)
			}
		})
	}
	raw := g.do(t, "GET", "/v1/exchanges/"+g.chat(t, asking("hosted")).header.Get("X-Fairlead-Id"), "")
	mustHold(t, raw.body, []string{`"cost_usd":null`, `"cost_state":"unknown"`}, nil)
	raw = g.do(t, "GET", "/v1/exchanges/"+g.chat(t, asking("priced")).header.Get("X-Fairlead-Id"), "")
	mustHold(t, raw.body, []string{`"cost_usd":"0.0000`, `"cost_state":"known"`, `"date":"2026-07"`}, nil)
}

func TestBudget_IsUsedUp(t *testing.T) {
	t.Parallel()
	up := testkit.NewUpstream(t, testkit.WithModels("gpt-4o-mini"))
	g := start(t, up, manyTargets)
	poor := []string{"Authorization", "Bearer poor-secret"}
	got := g.chat(t, asking("own", `,"max_tokens":2`), poor...)
	if got.status != 200 {
		t.Fatalf("%d %s", got.status, got.body)
	}
	got = g.chat(t, asking("priced"), poor...)
	f := failure(t, got.body)
	if got.status != 402 || f.Error.Type != "insufficient_quota" || text(f.Error.Code) != "insufficient_quota" || !strings.Contains(f.Error.Message, "of 0.001 USD per day") {
		t.Errorf("%d %s", got.status, got.body)
	}
	if x := g.of(t, got); x.Result.Kind != "budget" || len(x.Attempts) != 0 {
		t.Errorf("recorded %+v", x)
	}
	if got := g.chat(t, asking("own")); got.status != 200 {
		t.Errorf("another key: %d %s", got.status, got.body)
	}
	if n, _, _ := up.Counts(); n != 2 {
		t.Errorf("the upstream was asked %d times", n)
	}
}

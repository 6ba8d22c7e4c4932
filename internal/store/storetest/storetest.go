// Package storetest holds what every store must do: one suite for the record and one
// for the keys, run by each implementation in its own tests, and rows to fill a store
// with.
//
// It knows no implementation. Start reading at Ledger and Auth; Rows and Fill make
// data that looks like a week of traffic.
package storetest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/fairlead/fairlead/internal/exchange"
	"github.com/fairlead/fairlead/internal/ledger"
	"github.com/fairlead/fairlead/internal/money"
)

// Start is the time of the first row that a Traffic makes.
var Start = time.Date(2026, 11, 2, 0, 0, 0, 0, time.UTC)

// Traffic makes exchanges, the same ones for the same seed: mostly short chats that
// went well, some errors, fallbacks, cut streams and unknown prices.
type Traffic struct {
	rng  *rand.Rand
	at   time.Time
	step time.Duration
}

// NewTraffic starts at Start; its exchanges arrive step apart on average.
func NewTraffic(seed uint64, step time.Duration) *Traffic {
	return &Traffic{rng: rand.New(rand.NewPCG(seed, 1)), at: Start, step: step}
}

var (
	models  = []string{"assistant", "gpt-4o-mini", "smollm2:135m"}
	targets = []string{"cheap", "strong", "own"}
	tasks   = []string{"", "", "", "explain-transfer", "summarise-proposal"}
	price   = money.Source{Provider: "openai", Model: "gpt-4o-mini", Row: "base", From: "https://example.com/pricing", Date: "2026-11-01"}
)

// Next makes the next exchange.
func (t *Traffic) Next() *exchange.Exchange {
	r := t.rng
	t.at = t.at.Add(time.Duration(r.Int64N(2*int64(t.step) + 1))).Truncate(time.Microsecond)
	n := r.IntN(3)
	in, out := 200+r.Int64N(2000), 10+r.Int64N(400)
	usage := money.Tokens{Input: in, Output: out}
	if n == 1 && r.IntN(4) == 0 {
		usage = money.Tokens{Input: in / 2, CacheRead: in - in/2, Output: out, Reasoning: out / 3}
	}
	total := time.Duration(200+r.IntN(4000)) * time.Millisecond
	ttft := total / 5
	b := exchange.Bill{Usage: usage, Cost: costOf(usage)}
	x := &exchange.Exchange{
		ID: t.id(), Time: t.at,
		Caller: exchange.Caller{Tenant: "default", Project: "shop", KeyID: fmt.Sprintf("config:app%d", n), Key: fmt.Sprintf("app%d", n)},
		Asked: exchange.Asked{
			Dialect: "openai-chat", Surface: "chat", Model: models[n], Task: tasks[r.IntN(len(tasks))],
			Stream: r.IntN(2) == 0, Bytes: 4 * in, Headers: "content-type: application/json\nuser-agent: OpenAI/Python 3.54.0",
		},
		Result: exchange.Result{
			Status: exchange.OK, HTTPStatus: 200, Target: targets[n], Route: "plan", Cache: "miss",
			AnswerID: fmt.Sprintf("chatcmpl-%016x%08x", r.Uint64(), r.Uint32()), Bytes: 4 * out, ConfigHash: "5f2a9c01d3e4b6a7",
			Headers: "content-type: application/json",
		},
		Bill:    b,
		Latency: exchange.Latency{Overhead: time.Duration(80+r.IntN(90)) * time.Microsecond, FirstByte: ttft + time.Millisecond, Total: total + time.Millisecond},
		Attempts: []exchange.Attempt{{
			Target: targets[n], Provider: "openai", Model: "gpt-4o-mini-2024-07-18", Status: exchange.OK, HTTPStatus: 200,
			RequestID: fmt.Sprintf("req_%016x", r.Uint64()), Start: 60 * time.Microsecond, TTFT: ttft, Total: total, Bill: b,
		}},
	}
	t.spoil(x)
	return x
}

// spoil turns a few exchanges into the other ways that one can end.
func (t *Traffic) spoil(x *exchange.Exchange) {
	switch t.rng.IntN(50) {
	case 0: // the first target fails, the next one answers
		first := x.Attempts[0]
		second := first
		first.Target, first.Status, first.Kind, first.HTTPStatus = "flaky", exchange.Failed, "overloaded", 503
		first.Message, first.TTFT, first.Bill, first.RequestID = "the upstream has no room", 0, exchange.Bill{}, ""
		second.Seq, second.Start = 1, first.Start+first.Total
		x.Attempts = []exchange.Attempt{first, second}
	case 1: // nobody answers
		x.Result.Status, x.Result.HTTPStatus, x.Result.Kind, x.Result.Message = exchange.Failed, 502, "upstream", "no target answered"
		x.Result.AnswerID, x.Bill, x.Latency.FirstByte = "", exchange.Bill{}, 0
		a := &x.Attempts[0]
		a.Status, a.Kind, a.Message, a.Bill, a.TTFT, a.HTTPStatus = exchange.Failed, "upstream", "connection refused", exchange.Bill{}, 0, 0
	case 2: // cut: the bill is estimated
		x.Result.Status, x.Result.Kind = exchange.Cut, "cut"
		x.Bill.Cost = x.Bill.Cost.AtBest(money.Estimated)
		x.Attempts[0].Status, x.Attempts[0].Kind, x.Attempts[0].Bill = exchange.Cut, "cut", x.Bill
	case 3: // the client left; no price
		x.Result.Status, x.Result.Kind = exchange.Canceled, "canceled"
		x.Bill.Cost = money.Cost{}
		x.Attempts[0].Bill = x.Bill
	case 4: // refused before any target
		x.Result = exchange.Result{Status: exchange.Failed, HTTPStatus: 404, Kind: "not_found", Message: "no such model", ConfigHash: x.Result.ConfigHash}
		x.Attempts, x.Bill, x.Latency.FirstByte = nil, exchange.Bill{}, 0
	case 5:
		x.Asked.TaskID = fmt.Sprintf("task-%d", t.rng.IntN(1000))
		x.Asked.Classes, x.Result.Loss = []string{"identity", "wallet"}, []string{"logit_bias", "seed"}
	}
}

func (t *Traffic) id() string {
	var id ulid.ULID
	if err := id.SetTime(uint64(t.at.UnixMilli())); err != nil {
		panic(err)
	}
	for i := 6; i < len(id); i++ {
		id[i] = byte(t.rng.Uint32())
	}
	return id.String()
}

func costOf(u money.Tokens) money.Cost {
	in, out := money.MustParse("0.00000015").Mul(u.TotalInput()), money.MustParse("0.0000006").Mul(u.TotalOutput())
	return money.Cost{USD: in.Add(out), Input: in, Output: out, State: money.Known, Price: price}
}

// Rows makes n exchanges, a second apart on average.
func Rows(n int, seed uint64) []*exchange.Exchange {
	t := NewTraffic(seed, time.Second)
	rows := make([]*exchange.Exchange, n)
	for i := range rows {
		rows[i] = t.Next()
	}
	return rows
}

// Fill appends n exchanges spread over the given time, in batches of 500, and returns
// the last of them.
func Fill(tb testing.TB, s ledger.Store, n int, over time.Duration) *exchange.Exchange {
	tb.Helper()
	t := NewTraffic(7, over/time.Duration(max(n, 1)))
	var batch []*exchange.Exchange
	var last *exchange.Exchange
	for i := range n {
		last = t.Next()
		if batch = append(batch, last); len(batch) == 500 || i == n-1 {
			if err := s.Append(context.Background(), batch); err != nil {
				tb.Fatal(err)
			}
			batch = batch[:0]
		}
	}
	return last
}

// Take makes the next n exchanges.
func Take(t *Traffic, n int) []*exchange.Exchange {
	rows := make([]*exchange.Exchange, n)
	for i := range rows {
		rows[i] = t.Next()
	}
	return rows
}

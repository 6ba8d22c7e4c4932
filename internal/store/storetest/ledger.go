package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/exchange"
	"github.com/fairlead/fairlead/internal/ledger"
	"github.com/fairlead/fairlead/internal/money"
)

// Ledger runs the suite for the record. open returns an empty store.
func Ledger(t *testing.T, open func(t *testing.T) ledger.Store) {
	tests := map[string]func(*testing.T, ledger.Store){
		"ReadsBackWhatWasWritten":       readsBack,
		"WritesNoRowTwice":              writesOnce,
		"TellsIDsOfOneMillisecondApart": oneMillisecond,
		"RefusesABatchWithABadID":       refusesBadID,
		"FindsByAnswerID":               findsByAnswer,
		"KeepsScopesApart":              keepsScopes,
		"PagesThroughEverything":        pages,
		"FiltersByEveryField":           filters,
		"SumsUpHours":                   sums,
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, open(t))
		})
	}
}

func put(t *testing.T, s ledger.Store, rows ...*exchange.Exchange) {
	t.Helper()
	if err := s.Append(context.Background(), rows); err != nil {
		t.Fatal(err)
	}
}

func get(t *testing.T, s ledger.Store, id string) *exchange.Exchange {
	t.Helper()
	x, err := s.Get(context.Background(), id, ledger.All())
	if err != nil {
		t.Fatalf("Get(%s): %v", id, err)
	}
	return x
}

// page lists and checks the filter first, as the ledger does.
func page(t *testing.T, s ledger.Store, f ledger.Filter) ([]*exchange.Exchange, string) {
	t.Helper()
	f, err := f.Validate()
	if err != nil {
		t.Fatal(err)
	}
	rows, next, err := s.List(context.Background(), f)
	if err != nil {
		t.Fatal(err)
	}
	return rows, next
}

// whole is an exchange with something in every field.
func whole() *exchange.Exchange {
	x := Rows(1, 3)[0]
	x.Asked.Classes, x.Asked.Task, x.Asked.TaskID, x.Asked.Stream = []string{"identity", "wallet"}, "swap", "t-1", true
	x.Result.Status, x.Result.HTTPStatus, x.Result.Kind = exchange.Cut, 200, "cut"
	x.Result.Message, x.Result.Cache, x.Result.Loss = "the stream ended early – ✂", "miss", []string{"seed"}
	x.Result.AnswerID = "chatcmpl-whole"
	x.Bill = exchange.Bill{
		Usage: money.Tokens{
			Input: 1, CacheRead: 2, CacheWrite5m: 3, CacheWrite1h: 4, AudioInput: 5, AudioCacheRead: 6, ImageInput: 7,
			Output: 8, Reasoning: 9, AudioOutput: 10, ImageOutput: 11, Requests: 12, Searches: 13,
		},
		Cost: money.Cost{
			USD: money.MustParse("0.0000000000000000003"), Input: money.MustParse("0.0000000000000000001"),
			Output: money.MustParse("0.0000000000000000002"), State: money.Estimated, Price: price,
		},
	}
	failed := x.Attempts[0]
	failed.Status, failed.Kind, failed.Message, failed.HTTPStatus, failed.Bill = exchange.Failed, "timeout", "too slow", 504, exchange.Bill{}
	last := x.Attempts[0]
	last.Seq, last.Start, last.Bill, last.Status = 1, 3*time.Second, x.Bill, exchange.Cut
	x.Attempts = []exchange.Attempt{failed, last}
	return x
}

func readsBack(t *testing.T, s ledger.Store) {
	rows := append(Rows(250, 1), whole())
	refused := &exchange.Exchange{ID: Rows(1, 99)[0].ID, Time: Start, Result: exchange.Result{Status: exchange.Failed, HTTPStatus: 401, Kind: "unauthorized"}}
	free := Rows(1, 100)[0]
	free.Bill.Cost = money.Free()
	rows = append(rows, refused, free)
	put(t, s, rows...)
	for _, want := range rows {
		if diff := cmp.Diff(want, get(t, s, want.ID), cmpAmounts); diff != "" {
			t.Fatalf("exchange %s changed on its way (-written +read):\n%s", want.ID, diff)
		}
	}
}

// cmpAmounts compares amounts as numbers.
var cmpAmounts = cmp.Comparer(func(a, b money.Amount) bool { return a.Equal(b) })

func count(t *testing.T, s ledger.Store) int {
	t.Helper()
	n, after := 0, ""
	for {
		rows, next := page(t, s, ledger.Filter{Scope: ledger.All(), Limit: 1000, After: after})
		n += len(rows)
		if after = next; next == "" {
			return n
		}
	}
}

func total(t *testing.T, s ledger.Store, in ledger.Scope) ledger.Summary {
	t.Helper()
	r, err := ledger.Range{From: Start, To: Start.Add(30 * 24 * time.Hour)}.Validate()
	if err != nil {
		t.Fatal(err)
	}
	sum, err := s.Summary(context.Background(), r, in)
	if err != nil {
		t.Fatal(err)
	}
	return sum
}

func writesOnce(t *testing.T, s ledger.Store) {
	rows := Rows(300, 1)
	put(t, s, rows[:200]...)
	put(t, s, rows[:200]...)                 // the very same again
	put(t, s, rows[100:300]...)              // half of it new
	put(t, s, rows[299], rows[299], rows[0]) // twice in one batch
	put(t, s)                                // nothing
	if n := count(t, s); n != 300 {
		t.Errorf("there are %d exchanges, want 300", n)
	}
	if got := total(t, s, ledger.All()).Total.Requests; got != 300 {
		t.Errorf("the sums count %d exchanges, want 300", got)
	}
	for _, want := range rows {
		if got := get(t, s, want.ID); len(got.Attempts) != len(want.Attempts) {
			t.Errorf("exchange %s has %d attempts, want %d", want.ID, len(got.Attempts), len(want.Attempts))
		}
	}
}

// oneMillisecond writes so many rows of one moment that any shortening of their ids
// must collide, in several batches and twice.
func oneMillisecond(t *testing.T, s ledger.Store) {
	const n = 600
	rows := Rows(n, 5)
	for i, x := range rows {
		x.ID = rows[0].ID[:10] + x.ID[10:]
		x.Result.AnswerID = fmt.Sprint("a", i)
	}
	for part := range slices.Chunk(rows, 100) {
		put(t, s, part...)
	}
	put(t, s, rows...)
	slices.SortFunc(rows, func(a, b *exchange.Exchange) int { return strings.Compare(b.ID, a.ID) })
	var got []*exchange.Exchange
	for after := ""; ; {
		some, next := page(t, s, ledger.Filter{Scope: ledger.All(), Limit: 7, After: after})
		got = append(got, some...)
		if after = next; next == "" {
			break
		}
	}
	if diff := cmp.Diff(rows, got, cmpAmounts); diff != "" {
		t.Errorf("exchanges of one millisecond (-written +listed):\n%.2000s", diff)
	}
	if requests := total(t, s, ledger.All()).Total.Requests; requests != n {
		t.Errorf("the sums count %d exchanges, want %d", requests, n)
	}
}

func refusesBadID(t *testing.T, s ledger.Store) {
	rows := Rows(3, 1)
	rows[1].ID = "not-an-id"
	if err := s.Append(context.Background(), rows); !errors.Is(err, ledger.ErrBadRow) {
		t.Errorf("Append with a bad id: %v, want ErrBadRow", err)
	}
	if n := count(t, s); n != 0 {
		t.Errorf("%d rows of the refused batch were written", n)
	}
	put(t, s, rows[0], rows[2])
	if n := count(t, s); n != 2 {
		t.Errorf("after it, %d rows were written, want 2", n)
	}
}

func findsByAnswer(t *testing.T, s ledger.Store) {
	rows := Rows(700, 1) // more than fit into one segment of an index
	rows[10].Result.AnswerID, rows[600].Result.AnswerID = "same", "same"
	for part := range slices.Chunk(rows, 150) {
		put(t, s, part...)
	}
	for _, want := range rows {
		if id := want.Result.AnswerID; id != "" && id != "same" {
			if got := get(t, s, id); got.ID != want.ID {
				t.Fatalf("Get(%q) is %s, want %s", id, got.ID, want.ID)
			}
		}
	}
	if got := get(t, s, "same"); got.ID != rows[600].ID {
		t.Errorf("of two answers with one id Get returns %s, want the newer %s", got.ID, rows[600].ID)
	}
	for _, id := range []string{"", "chatcmpl-none", strings.Repeat("x", 5000), "01BX5ZZKBKACTAV9WEVGEMMVRZ"} {
		if _, err := s.Get(context.Background(), id, ledger.All()); !errors.Is(err, ledger.ErrNotFound) {
			t.Errorf("Get(%.30q): %v, want ErrNotFound", id, err)
		}
	}
}

func keepsScopes(t *testing.T, s ledger.Store) {
	rows := Rows(200, 1)
	mine, theirs := "config:app0", "config:app1"
	// Another key's later answer with the same id must not hide the own one.
	var own, other *exchange.Exchange
	for _, x := range rows {
		switch {
		case x.Caller.KeyID == mine && own == nil:
			own = x
		case x.Caller.KeyID == theirs:
			other = x
		}
	}
	own.Result.AnswerID, other.Result.AnswerID = "same", "same"
	put(t, s, rows...)

	if x, err := s.Get(context.Background(), "same", ledger.OfKey(mine)); err != nil || x.ID != own.ID {
		t.Errorf("Get of the own answer's id: %v, %v, want %s", x, err, own.ID)
	}
	for _, in := range []ledger.Scope{{}, ledger.OfKey(""), ledger.OfKey("nobody"), ledger.OfKey(mine)} {
		if _, err := s.Get(context.Background(), other.ID, in); !errors.Is(err, ledger.ErrNotFound) {
			t.Errorf("scope %+v reads another key's exchange: %v", in, err)
		}
		list, _ := page(t, s, ledger.Filter{Scope: in, Limit: 1000})
		sum := total(t, s, in)
		want := 0
		for _, x := range rows {
			if in.Sees(x) {
				want++
			}
		}
		if len(list) != want || sum.Total.Requests != int64(want) {
			t.Errorf("scope %+v lists %d and sums %d exchanges, want %d", in, len(list), sum.Total.Requests, want)
		}
		for _, x := range list {
			if !in.Sees(x) {
				t.Fatalf("scope %+v lists %s of %s", in, x.ID, x.Caller.KeyID)
			}
		}
		if f, _ := page(t, s, ledger.Filter{Scope: in, Key: theirs}); len(f) != 0 {
			t.Errorf("scope %+v lists %d exchanges of another key by asking for it", in, len(f))
		}
	}
}

func pages(t *testing.T, s ledger.Store) {
	rows := Rows(105, 1)
	put(t, s, rows...)
	slices.Reverse(rows)
	for _, limit := range []int{1, 10, 35, 104, 105, 106, 1000} {
		var got []string
		after, calls := "", 0
		for {
			some, next := page(t, s, ledger.Filter{Scope: ledger.All(), Limit: limit, After: after})
			for _, x := range some {
				got = append(got, x.ID)
			}
			calls++
			if after = next; next == "" {
				break
			}
		}
		var want []string
		for _, x := range rows {
			want = append(want, x.ID)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("pages of %d (-want +got):\n%s", limit, diff)
		}
		if fewest := (len(rows) + limit - 1) / limit; calls != fewest {
			t.Errorf("pages of %d took %d calls, want %d", limit, calls, fewest)
		}
	}
}

func filters(t *testing.T, s ledger.Store) {
	rows := Rows(600, 1)
	rows[40].Caller.Key = "renamed" // the same key under another name
	put(t, s, rows...)
	taskID := ""
	for _, x := range rows {
		if x.Asked.TaskID != "" {
			taskID = x.Asked.TaskID
		}
	}
	middle := rows[300].Time.Truncate(time.Millisecond)
	tests := map[string]struct {
		f    ledger.Filter
		want func(*exchange.Exchange) bool
	}{
		"status ok":        {ledger.Filter{Status: exchange.OK}, func(x *exchange.Exchange) bool { return x.Result.Status == exchange.OK }},
		"status error":     {ledger.Filter{Status: exchange.Failed}, func(x *exchange.Exchange) bool { return x.Result.Status == exchange.Failed }},
		"status cut":       {ledger.Filter{Status: exchange.Cut}, func(x *exchange.Exchange) bool { return x.Result.Status == exchange.Cut }},
		"task":             {ledger.Filter{Task: "explain-transfer"}, func(x *exchange.Exchange) bool { return x.Asked.Task == "explain-transfer" }},
		"unknown task":     {ledger.Filter{Task: "nothing"}, func(*exchange.Exchange) bool { return false }},
		"task id":          {ledger.Filter{TaskID: taskID}, func(x *exchange.Exchange) bool { return x.Asked.TaskID == taskID }},
		"key id":           {ledger.Filter{Key: "config:app1"}, func(x *exchange.Exchange) bool { return x.Caller.KeyID == "config:app1" }},
		"key name":         {ledger.Filter{Key: "renamed"}, func(x *exchange.Exchange) bool { return x.Caller.Key == "renamed" }},
		"unknown key":      {ledger.Filter{Key: "nobody"}, func(*exchange.Exchange) bool { return false }},
		"model":            {ledger.Filter{Model: "assistant"}, func(x *exchange.Exchange) bool { return x.Asked.Model == "assistant" }},
		"target":           {ledger.Filter{Target: "own"}, func(x *exchange.Exchange) bool { return x.Result.Target == "own" }},
		"model and target": {ledger.Filter{Model: "assistant", Target: "cheap"}, func(x *exchange.Exchange) bool { return x.Asked.Model == "assistant" && x.Result.Target == "cheap" }},
		"from":             {ledger.Filter{From: middle}, func(x *exchange.Exchange) bool { return !x.Time.Before(middle) }},
		"to":               {ledger.Filter{To: middle}, func(x *exchange.Exchange) bool { return x.Time.Before(middle) }},
		"model of own key": {ledger.Filter{Scope: ledger.OfKey("config:app0"), Model: "assistant", Status: exchange.Failed}, func(x *exchange.Exchange) bool {
			return x.Caller.KeyID == "config:app0" && x.Asked.Model == "assistant" && x.Result.Status == exchange.Failed
		}},
		"all at once": {ledger.Filter{Status: exchange.OK, Task: "explain-transfer", Key: "app1", Model: "gpt-4o-mini", Target: "strong", From: middle, To: middle.Add(10 * time.Minute)}, func(x *exchange.Exchange) bool {
			return x.Result.Status == exchange.OK && x.Asked.Task == "explain-transfer" && x.Caller.Key == "app1" && !x.Time.Before(middle) && x.Time.Before(middle.Add(10*time.Minute))
		}},
	}
	for name, test := range tests {
		if _, all := test.f.Scope.Key(); !all && name != "model of own key" {
			test.f.Scope = ledger.All()
		}
		var want, got []string
		for _, x := range slices.Backward(rows) {
			if test.want(x) {
				want = append(want, x.ID)
			}
		}
		for test.f.Limit = 17; ; {
			some, next := page(t, s, test.f)
			for _, x := range some {
				got = append(got, x.ID)
			}
			if test.f.After = next; next == "" {
				break
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: want %d, got %d exchanges (-want +got):\n%.1000s", name, len(want), len(got), diff)
		}
	}
}

func sums(t *testing.T, s ledger.Store) {
	rows := Take(NewTraffic(1, 5*time.Second), 900) // about 75 minutes
	for part := range slices.Chunk(rows, 200) {
		put(t, s, part...)
	}
	got := total(t, s, ledger.All())
	var want ledger.Totals
	models, hours := map[string]int64{}, map[time.Time]int64{}
	for _, x := range rows {
		want.Count(x)
		if x.Result.Target == "" {
			models[""]++
		} else {
			models[x.Asked.Model]++
		}
		hours[x.Time.Truncate(24*time.Hour)]++
	}
	// The store keeps microseconds.
	opts := cmp.Options{cmpAmounts, cmp.Comparer(func(a, b ledger.Histogram) bool { return a == b })}
	if diff := cmp.Diff(want, got.Total, opts); diff != "" {
		t.Errorf("totals (-want +got):\n%s", diff)
	}
	gotModels, gotHours := map[string]int64{}, map[time.Time]int64{}
	for i, n := range got.Models {
		gotModels[n.Name] = n.Requests
		if i > 0 && n.Requests > got.Models[i-1].Requests {
			t.Errorf("models are not sorted by requests: %v", gotModels)
		}
	}
	for _, p := range got.Points {
		gotHours[p.Start] = p.Requests
	}
	if diff := cmp.Diff(models, gotModels); diff != "" {
		t.Errorf("models (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(hours, gotHours); diff != "" || got.Step != 24*time.Hour {
		t.Errorf("points, a %s each (-want +got):\n%s", got.Step, diff)
	}
	r, err := ledger.Range{From: Start.Add(time.Hour), To: Start.Add(61 * time.Minute)}.Validate()
	if err != nil {
		t.Fatal(err)
	}
	part, err := s.Summary(context.Background(), r, ledger.All())
	if err != nil || len(part.Points) != 1 || part.Points[0].Start != Start.Add(time.Hour) || part.Total.Requests != part.Points[0].Requests {
		t.Errorf("summary of the second hour: %d points, %d requests, %v", len(part.Points), part.Total.Requests, err)
	}
	if n := part.Total.Requests; n == 0 || n >= int64(len(rows)) {
		t.Errorf("the second hour has %d of %d requests", n, len(rows))
	}
}

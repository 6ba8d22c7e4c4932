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
	put(t, s, rows[100:299]...)              // half of it new
	put(t, s, rows[299], rows[299])          // new, and twice in one batch
	put(t, s, rows[299], rows[299], rows[0]) // and again
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

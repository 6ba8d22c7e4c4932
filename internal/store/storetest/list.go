package storetest

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/exchange"
	"github.com/fairlead/fairlead/internal/ledger"
)

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

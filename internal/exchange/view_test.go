package exchange

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/money"
)

var update = flag.Bool("update", false, "write the golden files")

func full() Exchange {
	price := money.Source{Provider: "openai", Model: "gpt-4o", Row: "base", From: "https://example.com", Date: "2026-11-01"}
	usage := money.Tokens{Input: 100, CacheRead: 24, Output: 7, Reasoning: 3}
	cost := money.Cost{
		USD: money.MustParse("0.00035"), Input: money.MustParse("0.00025"), Output: money.MustParse("0.0001"), State: money.Known, Price: price,
	}
	bill := Bill{Usage: usage, Cost: cost}
	return Exchange{
		ID: "01KAR1ND0000000000000000AA", Time: time.Date(2026, 11, 23, 10, 0, 0, 123_000_000, time.UTC),
		Caller: Caller{Tenant: "default", Project: "shop", KeyID: "key_1", Key: "app"},
		Asked: Asked{
			Dialect: "openai-chat", Surface: "chat", Model: "assistant", Task: "swap", TaskID: "t-1",
			Classes: []string{"identity", "wallet"}, Stream: true, Bytes: 2048, Headers: "user-agent: x\naccept: */*",
		},
		Result: Result{
			Status: OK, HTTPStatus: 200, Target: "strong", Route: "plan", AnswerID: "chatcmpl-1", Cache: "miss",
			Loss: []string{"seed"}, Bytes: 900, Headers: "content-type: text/event-stream", ConfigHash: "abc",
		},
		Bill:    bill,
		Latency: Latency{Overhead: 85 * time.Microsecond, FirstByte: 412500 * time.Microsecond, Total: 2 * time.Second},
		Attempts: []Attempt{
			{
				Target: "cheap", Provider: "ollama", Model: "smollm2:135m", Status: Failed, Kind: "timeout", Message: "no first event in time",
				HTTPStatus: 504, Start: 60 * time.Microsecond, Total: 100 * time.Millisecond,
			},
			{
				Seq: 1, Target: "strong", Provider: "openai", Model: "gpt-4o", Status: OK, HTTPStatus: 200, RequestID: "req_1",
				Start: 100 * time.Millisecond, TTFT: 312 * time.Millisecond, Total: 1900 * time.Millisecond, Bill: bill,
			},
		},
	}
}

func TestExchange_JSON(t *testing.T) {
	t.Parallel()
	for name, x := range map[string]Exchange{
		"full":    full(),
		"refused": {ID: "01KAR1ND0000000000000000AB", Time: time.Date(2026, 1, 2, 3, 4, 5, 0, time.FixedZone("", 3600)), Result: Result{Status: Failed, HTTPStatus: 401, Kind: "unauthorized", Message: "no key"}},
		"free":    {ID: "01KAR1ND0000000000000000AC", Time: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Result: Result{Status: OK}, Bill: Bill{Cost: money.Free()}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := json.Marshal(&x)
			if err != nil {
				t.Fatal(err)
			}
			var pretty bytes.Buffer
			if err := json.Indent(&pretty, got, "", "  "); err != nil {
				t.Fatal(err)
			}
			pretty.WriteByte('\n')
			golden := filepath.Join("testdata", name+".json")
			if *update {
				if err := os.WriteFile(golden, pretty.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), pretty.String()); diff != "" {
				t.Errorf("JSON (-want +got):\n%s", diff)
			}
			var back Exchange
			if err := json.Unmarshal(got, &back); err != nil {
				t.Fatal(err)
			}
			x.Time = x.Time.UTC()
			if diff := cmp.Diff(x, back); diff != "" {
				t.Errorf("read back (-written +read):\n%s", diff)
			}
		})
	}
}

// TestExchange_EveryFieldIsInTheJSON fails when somebody adds a field to a row and
// forgets its JSON.
func TestExchange_EveryFieldIsInTheJSON(t *testing.T) {
	t.Parallel()
	x := full()
	x.Attempts = x.Attempts[1:]
	x.Result.Kind, x.Result.Message = "cut", "cut"
	x.Attempts[0].Kind, x.Attempts[0].Message = "cut", "cut"
	x.Bill.Usage = money.Tokens{
		Input: 1, CacheRead: 1, CacheWrite5m: 1, CacheWrite1h: 1, AudioInput: 1, AudioCacheRead: 1,
		ImageInput: 1, Output: 1, Reasoning: 1, AudioOutput: 1, ImageOutput: 1, Requests: 1, Searches: 1,
	}
	x.Attempts[0].Bill = x.Bill
	noZero(t, "Exchange", reflect.ValueOf(x))
	b, err := json.Marshal(x)
	if err != nil {
		t.Fatal(err)
	}
	var back Exchange
	if err := json.Unmarshal(b, &back); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(x, back); diff != "" {
		t.Errorf("lost on the way (-written +read):\n%s", diff)
	}
}

// noZero fails for a field that the test left empty: it would prove nothing.
func noZero(t *testing.T, name string, v reflect.Value) {
	t.Helper()
	switch {
	case v.Type() == reflect.TypeFor[time.Time](), v.Type() == reflect.TypeFor[money.Amount]():
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			noZero(t, name+"."+v.Type().Field(i).Name, v.Field(i))
		}
		return
	case v.Kind() == reflect.Slice && v.Len() > 0:
		noZero(t, name+"[0]", v.Index(0))
		return
	}
	if v.IsZero() {
		t.Errorf("%s is empty in this test: give it a value", name)
	}
}

func TestExchange_RefusesBrokenJSON(t *testing.T) {
	t.Parallel()
	for _, in := range []string{
		``, `[]`, `{}`, `{"time":"yesterday"}`, `{"time":"2026-01-02T03:04:05Z","cost_usd":0.5}`,
		`{"time":"2026-01-02T03:04:05Z","cost_state":"sure"}`, `{"time":"2026-01-02T03:04:05Z","latency":{"total_ms":"1"}}`,
		`{"time":"2026-01-02T03:04:05Z","latency":{"total_ms":1e300}}`,
	} {
		var x Exchange
		if err := json.Unmarshal([]byte(in), &x); err == nil {
			t.Errorf("%s was taken as %+v", in, x)
		}
	}
	var x Exchange
	if err := json.Unmarshal([]byte(`{"time":"2026-01-02T03:04:05Z","of_tomorrow":[1],"id":"a"}`), &x); err != nil || x.ID != "a" {
		t.Errorf("a field of a newer server: %v", err)
	}
	if b, err := json.Marshal(Exchange{}); err != nil || strings.Contains(string(b), `"loss":null`) || !strings.Contains(string(b), `"cost_usd":null`) {
		t.Errorf("empty exchange: %s, %v", b, err)
	}
}

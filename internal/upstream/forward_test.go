package upstream

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead/fairlead/internal/exchange"
	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/money"
)

const speechBody = `{"model":"fake","input":"hi","voice":"alloy"}`

// sounding is a target that answers with a body that is not JSON.
func sounding(name, kind string, headers time.Duration, hangs bool, steps ...step) *Target {
	return over(name, roundTrip(func(r *http.Request) (*http.Response, error) {
		if err := rest(r.Context(), headers); err != nil {
			return nil, err
		}
		res := eventStream(r, &slow{r.Context(), append([]step(nil), steps...), hangs})
		if res.Header.Del("Content-Type"); kind != "" {
			res.Header.Set("Content-Type", kind)
		}
		return res, nil
	}))
}

func TestForward_TimeoutsAndEnds(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		target *Target
		took   time.Duration
		heard  string
		kind   llm.Kind
		says   string
		status exchange.Status
	}{
		"whole":            {sounding("a", "audio/mpeg", 9*s, false, step{4 * s, "one"}, step{4 * s, "two"}), 17 * s, "onetwo", "", "", exchange.OK},
		"no type":          {sounding("a", "", s, false, step{s, "one"}), 2 * s, "one", "", "", exchange.OK},
		"no headers":       {sounding("a", "audio/mpeg", time.Hour, true), 10 * s, "", llm.Timeout, "did not begin to answer within 10s", exchange.Failed},
		"no first byte":    {sounding("a", "audio/mpeg", s, true), 6 * s, "", llm.Timeout, "fell silent for 5s", exchange.Failed},
		"silent within":    {sounding("a", "audio/mpeg", s, true, step{s, "one"}), 7 * s, "one", llm.Timeout, "fell silent for 5s", exchange.Cut},
		"empty":            {sounding("a", "audio/mpeg", s, false), s, "", llm.Upstream, "is empty", exchange.Failed},
		"an empty text":    {sounding("a", "text/plain", s, false), s, "", "", "", exchange.OK},
		"a page":           {sounding("a", "text/html; charset=utf-8", s, false, step{s, "<p>"}), s, "", llm.Upstream, "answered with text/html", exchange.Failed},
		"events that stop": {sounding("a", "text/event-stream", s, false, step{s, "data: {\"type\":\"speech.audio.delta\"}\n\n"}), 2 * s, "data: {\"type\":\"speech.audio.delta\"}\n\n", llm.Cut, "without a stop reason", exchange.Cut},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				call := newCall(request(t, llm.Speech, speechBody), tc.target)
				begun := time.Now()
				var heard strings.Builder
				var failed error
				events := 0
				for ev, err := range call.Walk(t.Context()) {
					failed = err
					if heard.Write(ev.Raw); err == nil {
						events++
					}
				}
				if took := time.Since(begun); took != tc.took {
					t.Errorf("it took %s, want %s", took, tc.took)
				}
				e, _ := errors.AsType[*llm.Error](failed)
				if tc.kind == "" && (failed != nil || events == 0) || tc.kind != "" && (e == nil || e.Kind != tc.kind || !strings.Contains(e.Message, tc.says)) || heard.String() != tc.heard {
					t.Errorf("heard %q in %d events, %v", heard.String(), events, failed)
				}
				row := call.Attempts[0]
				if row.Status != tc.status || row.Bill.Usage != (money.Tokens{}) || row.Bill.Cost.State != money.Unknown {
					t.Errorf("recorded %+v", row)
				}
			})
		})
	}
}

// torn is a body that breaks with an error of its own, as those of HTTP/2 do.
type torn struct{ err error }

func (b torn) Read([]byte) (int, error) { return 0, b.err }

func TestForward_ABrokenBodyIsCut(t *testing.T) {
	t.Parallel()
	target := over("a", roundTrip(func(r *http.Request) (*http.Response, error) {
		res := eventStream(r, io.MultiReader(strings.NewReader("one"), torn{errors.New("stream reset")}))
		res.Header.Set("Content-Type", "audio/mpeg")
		return res, nil
	}))
	call := newCall(request(t, llm.Speech, speechBody), target)
	got := listen(t.Context(), call)
	if e, ok := errors.AsType[*llm.Error](got.err); !ok || e.Kind != llm.Cut || e.Target != "a" || call.Failure(e) != nil {
		t.Errorf("heard %v", got.err)
	}
	if row := call.Attempts[0]; row.Status != exchange.Cut || row.Kind != "cut" {
		t.Errorf("recorded %+v", row)
	}
}

func TestUncounted_IsKnownOnlyWhereNothingOrTimeIsPaid(t *testing.T) {
	t.Parallel()
	byHour := money.Cost{USD: money.MustParse("0.5"), State: money.Estimated}
	for name, tc := range map[string]struct {
		bill func(money.Tokens, time.Duration) money.Cost
		want money.Cost
	}{
		"by token": {perToken, money.Cost{}},
		"free":     {func(money.Tokens, time.Duration) money.Cost { return money.Free() }, money.Free()},
		"by hour":  {func(money.Tokens, time.Duration) money.Cost { return byHour }, byHour},
		"no price": {func(money.Tokens, time.Duration) money.Cost { return money.Cost{} }, money.Cost{}},
	} {
		if got := (&Target{Bill: tc.bill}).uncounted(s); got.State != tc.want.State || !got.USD.Equal(tc.want.USD) {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

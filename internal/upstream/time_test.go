package upstream

import (
	"context"
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

// step is a pause and then bytes of an answer.
type step struct {
	after time.Duration
	text  string
}

// slow is a body that comes in steps and then ends, or hangs until the call ends.
type slow struct {
	ctx   context.Context
	steps []step
	hangs bool
}

func (s *slow) Read(p []byte) (int, error) {
	if len(s.steps) == 0 {
		if !s.hangs {
			return 0, io.EOF
		}
		<-s.ctx.Done()
		return 0, s.ctx.Err()
	}
	now := &s.steps[0]
	if err := rest(s.ctx, now.after); err != nil {
		return 0, err
	}
	n := copy(p, now.text)
	if *now = (step{0, now.text[n:]}); now.text == "" {
		s.steps = s.steps[1:]
	}
	return n, nil
}

func rest(ctx context.Context, d time.Duration) error {
	if ctx.Err() != nil { // as a connection that was closed: nothing comes any more
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// inSteps is a target that answers with headers after a while and a body in steps.
func inSteps(name string, headers time.Duration, hangs bool, steps ...step) *Target {
	return over(name, roundTrip(func(r *http.Request) (*http.Response, error) {
		if err := rest(r.Context(), headers); err != nil {
			return nil, err
		}
		res := eventStream(r, &slow{r.Context(), append([]step(nil), steps...), hangs})
		if r.Header.Get("Accept") == "application/json" {
			res.Header.Set("Content-Type", "application/json")
		}
		return res, nil
	}))
}

const s = time.Second

func TestWalk_Timeouts(t *testing.T) {
	t.Parallel()
	half := strings.Index(plainText, "choices")
	for name, tc := range map[string]struct {
		body   string
		target *Target
		adjust func(*llm.Request, *Target)
		took   time.Duration
		kind   llm.Kind // "" for a whole answer
		says   string
		status exchange.Status
		state  money.State
	}{
		"stream: no headers":              {streamBody, inSteps("a", time.Hour, true), nil, 10 * s, llm.Timeout, "did not begin to answer within 10s", exchange.Failed, money.Estimated},
		"stream: no event":                {streamBody, inSteps("a", s, true), nil, 10 * s, llm.Timeout, "did not begin to answer within 10s", exchange.Failed, money.Estimated},
		"stream: a role is no event":      {streamBody, inSteps("a", s, true, step{s, roleChunk}), nil, 10 * s, llm.Timeout, "did not begin to answer within 10s", exchange.Failed, money.Estimated},
		"stream: pings are no event":      {streamBody, inSteps("a", s, true, step{3 * s, ": ping\n\n"}, step{3 * s, ": ping\n\n"}, step{2 * s, ": ping\n\n"}), nil, 10 * s, llm.Timeout, "did not begin", exchange.Failed, money.Estimated},
		"stream: just in time":            {streamBody, inSteps("a", 9*s, false, step{s - 1, helloChunk}, step{5*s - 1, stopChunk + doneChunk}), nil, 15*s - 2, "", "", exchange.OK, money.Estimated},
		"stream: silent within":           {streamBody, inSteps("a", s, true, step{s, helloChunk}, step{s, worldChunk}), nil, 8 * s, llm.Timeout, "fell silent for 5s", exchange.Cut, money.Estimated},
		"stream: pings keep it alive":     {streamBody, inSteps("a", 0, false, step{s, helloChunk}, step{4 * s, ": ping\n\n"}, step{4 * s, ": ping\n\n"}, step{4 * s, stopChunk}), nil, 13 * s, "", "", exchange.OK, money.Estimated},
		"stream: bytes keep it alive":     {streamBody, inSteps("a", 0, false, step{s, helloChunk}, step{4 * s, stopChunk[:9]}, step{4 * s, stopChunk[9:]}), nil, 9 * s, "", "", exchange.OK, money.Estimated},
		"stream: lingers behind the stop": {streamBody, inSteps("a", 0, true, step{s, helloChunk + stopChunk}), nil, 6 * s, "", "", exchange.OK, money.Estimated},
		"stream: lingers behind its end":  {usageBody, inSteps("a", 0, true, step{s, sample}), nil, s + drainTime, "", "", exchange.OK, money.Known},
		"stream: pings behind its end":    {usageBody, inSteps("a", 0, true, step{0, sample}, step{drainTime - 1, ": ping\n\n"}, step{drainTime - 1, ": ping\n\n"}), nil, drainTime, "", "", exchange.OK, money.Known},
		"stream: total":                   {streamBody, inSteps("a", 0, true, step{4 * s, helloChunk}, step{4 * s, worldChunk}, step{4 * s, worldChunk}), func(_ *llm.Request, t *Target) { t.Timeouts.Total = 10 * s }, 10 * s, llm.Timeout, "the exchange's time was over", exchange.Cut, money.Estimated},
		"stream: deadline":                {streamBody, inSteps("a", 0, true, step{s, helloChunk}), func(r *llm.Request, _ *Target) { r.Tags.DeadlineMS = 2500 }, 2500 * time.Millisecond, llm.Timeout, "the exchange's time was over", exchange.Cut, money.Estimated},
		"stream: a late deadline":         {streamBody, inSteps("a", 0, true, step{s, helloChunk}), func(r *llm.Request, _ *Target) { r.Tags.DeadlineMS = 999_999 }, 6 * s, llm.Timeout, "fell silent", exchange.Cut, money.Estimated},
		"plain: no headers":               {plainBody, inSteps("a", time.Hour, true), nil, 10 * s, llm.Timeout, "did not begin to answer within 10s", exchange.Failed, money.Estimated},
		"plain: late headers":             {plainBody, inSteps("a", 10*s-1, false, step{4 * s, plainText[:half]}, step{4 * s, plainText[half:]}), nil, 18*s - 1, "", "", exchange.OK, money.Known},
		"plain: silent within":            {plainBody, inSteps("a", s, true, step{s, plainText[:half]}), nil, 7 * s, llm.Timeout, "fell silent for 5s", exchange.Failed, money.Estimated},
		"plain: deadline":                 {plainBody, inSteps("a", s, true), func(r *llm.Request, _ *Target) { r.Tags.DeadlineMS = 1500 }, 1500 * time.Millisecond, llm.Timeout, "the exchange's time was over", exchange.Failed, money.Estimated},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				req := request(t, llm.Chat, tc.body)
				if tc.adjust != nil {
					tc.adjust(req, tc.target)
				}
				call := newCall(req, tc.target)
				begun := time.Now()
				got := listen(t.Context(), call)
				if took := time.Since(begun); took != tc.took {
					t.Errorf("it took %s, want %s", took, tc.took)
				}
				row := call.Attempts[0]
				if row.Status != tc.status || row.Kind != string(tc.kind) || row.Bill.Cost.State != tc.state || row.Total > tc.took {
					t.Errorf("recorded %+v", row)
				}
				if tc.kind == "" {
					if got.err != nil {
						t.Errorf("heard %v", got.err)
					}
					return
				}
				if got.err == nil || got.err.Kind != tc.kind || !strings.Contains(got.err.Message, tc.says) || strings.Contains(got.raw, "[DONE]") {
					t.Errorf("heard %v, want %q\n%s", got.err, tc.says, got.raw)
				}
			})
		})
	}
}

func TestWalk_AfterATimeoutTheNextTargetIsAsked(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		silent := inSteps("silent", time.Hour, true)
		silent.Attempts = 3
		call := newCall(request(t, llm.Chat, streamBody), silent, inSteps("next", s, false, step{s, helloChunk + stopChunk}))
		got := listen(t.Context(), call)
		if got.err != nil || got.raw != helloChunk+stopChunk+doneChunk {
			t.Errorf("%v, %q", got.err, got.raw)
		}
		if took := time.Since(call.Start); took != 12*s {
			t.Errorf("it took %s: a target that was silent for its whole time is asked once", took)
		}
		if waited := call.Waited(); waited != 12*s {
			t.Errorf("waited %s for targets", waited)
		}
	})
}

func TestWalk_ASlowReaderIsNotTheUpstreamsFault(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		call := newCall(request(t, llm.Chat, streamBody), inSteps("a", 0, false, step{9 * s, helloChunk}, step{0, worldChunk}, step{0, stopChunk + doneChunk}))
		n := 0
		for _, err := range call.Walk(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			n++
			time.Sleep(9 * s) // longer than idle, and past first_event
		}
		if n != 4 {
			t.Errorf("%d events", n)
		}
	})
}

// refuser answers with a status and headers, and counts.
func refuser(name string, calls *int, status int, header ...string) *Target {
	return over(name, roundTrip(func(r *http.Request) (*http.Response, error) {
		*calls++
		res := jsonAnswer(r, status, `{"error":{"message":"not now"}}`)
		for i := 0; i < len(header); i += 2 {
			res.Header.Set(header[i], header[i+1])
		}
		return res, nil
	}))
}

func TestWalk_RetryAfter(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		header   []string
		deadline int64
		second   bool
		calls    int
		from, to time.Duration
		passed   time.Duration // the RetryAfter that the caller is told
	}{
		"alone it is waited for":             {[]string{"Retry-After", "7"}, 0, false, 2, 7 * s, 7 * s, 7 * s},
		"a date":                             {[]string{"Retry-After", "Sat, 01 Jan 2000 00:00:07 GMT"}, 0, false, 2, 7 * s, 7 * s, 0},
		"in milliseconds":                    {[]string{"Retry-After-Ms", "1500", "Retry-After", "9"}, 0, false, 2, 1500 * time.Millisecond, 1500 * time.Millisecond, 1500 * time.Millisecond},
		"not past the deadline":              {[]string{"Retry-After", "7"}, 6000, false, 1, 0, 0, 7 * s},
		"not past the total":                 {[]string{"Retry-After", "3600"}, 0, false, 1, 0, 0, time.Hour},
		"with another target nothing waits":  {[]string{"Retry-After", "7"}, 0, true, 1, 0, 0, 0},
		"nothing said, a short pause":        {nil, 0, false, 2, 50 * time.Millisecond, 100 * time.Millisecond, 0},
		"nonsense is nothing said":           {[]string{"Retry-After", "soon"}, 0, false, 2, 50 * time.Millisecond, 100 * time.Millisecond, 0},
		"no pause longer than what is left":  {nil, 20, false, 1, 0, 0, 0},
		"a short one with another target":    {nil, 0, true, 2, 50 * time.Millisecond, 100 * time.Millisecond, 0},
		"the past is now":                    {[]string{"Retry-After", "Fri, 31 Dec 1999 23:59:59 GMT"}, 0, false, 2, 50 * time.Millisecond, 100 * time.Millisecond, 0},
		"a negative number is nothing said":  {[]string{"Retry-After", "-5"}, 0, false, 2, 50 * time.Millisecond, 100 * time.Millisecond, 0},
		"a fraction of a second is a number": {[]string{"Retry-After", "0.5"}, 0, false, 2, 500 * time.Millisecond, 500 * time.Millisecond, 500 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				calls := 0
				target := refuser("a", &calls, 429, tc.header...)
				target.Attempts = 2
				plan := []*Target{target}
				if tc.second {
					plan = append(plan, inSteps("b", 0, false, step{0, plainText}))
				}
				req := request(t, llm.Chat, plainBody)
				req.Tags.DeadlineMS = tc.deadline
				call := newCall(req, plan...)
				got := listen(t.Context(), call)
				if took := time.Since(call.Start); took < tc.from || took > tc.to {
					t.Errorf("it took %s, want %s to %s", took, tc.from, tc.to)
				}
				if calls != tc.calls {
					t.Errorf("%d calls, want %d", calls, tc.calls)
				}
				if tc.second {
					if got.err != nil {
						t.Errorf("heard %v", got.err)
					}
					return
				}
				if got.err == nil || got.err.Kind != llm.RateLimited || got.err.RetryAfter != tc.passed {
					t.Errorf("heard %+v, want to hear of %s", got.err, tc.passed)
				}
				if call.Waited() != time.Since(call.Start) {
					t.Errorf("waited %s of %s: pauses are not our overhead", call.Waited(), time.Since(call.Start))
				}
			})
		})
	}
}

func TestWalk_PausesGrowAndEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		target := refuser("a", &calls, 503)
		target.Attempts = 8
		call := newCall(request(t, llm.Chat, plainBody), target)
		got := listen(t.Context(), call)
		const most = 7100 * time.Millisecond // 100, 200, 400, 800, 1600, 2000, 2000
		if took := time.Since(call.Start); calls != 8 || got.err == nil || took > most || took < most/2 {
			t.Errorf("%d calls, %v, %s", calls, got.err, took)
		}
	})
}

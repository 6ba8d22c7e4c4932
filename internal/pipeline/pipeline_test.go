package pipeline

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/auth"
	"github.com/fairlead/fairlead/internal/dialect"
	"github.com/fairlead/fairlead/internal/exchange"
	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/money"
	"github.com/fairlead/fairlead/internal/rawjson"
	"github.com/fairlead/fairlead/internal/route"
	"github.com/fairlead/fairlead/internal/upstream"
)

const (
	body = `{"model":"m","messages":[{"role":"user","content":"hi"}]}`
	said = `{"id":"c1","choices":[{"index":0,"message":{"content":"Hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":7,"completion_tokens":2}}`
	cutd = `{"id":"c1","choices":[{"index":0,"message":{"content":"Hi"},"finish_reason":null}]}`
)

// walked is a hall, what it was told on the way of one request, and what came of it.
type walked struct {
	hall  Hall
	in    Inbound
	rooms []string // in the order in which they were entered
	rows  []*exchange.Exchange
	spent []string

	answer string // of the upstream
	raw    string
	err    *llm.Error
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// newWalk is a hall whose rooms all let the request through.
func newWalk() *walked {
	w := &walked{answer: said}
	codec, _ := dialect.ByName("openai-chat")
	enter := func(room string) { w.rooms = append(w.rooms, room) }
	price := func(t money.Tokens) money.Cost {
		return money.Cost{USD: money.MustParse("0.01").Mul(t.Total()), State: money.Known}
	}
	house := &House{
		Hash:   "hash",
		Routes: &route.Table{Targets: map[string]*route.Target{"m": {Name: "m", Abilities: ^llm.Ability(0), Expect: price}}},
		Targets: map[string]*upstream.Target{"m": {
			Name: "m", Model: "m", Options: llm.Options{Model: "m"}, Attempts: 1,
			Speaks:   []upstream.Spoken{{Codec: codec, Base: &url.URL{Scheme: "http", Host: "m.invalid"}}},
			Timeouts: upstream.Timeouts{FirstEvent: time.Minute, Idle: time.Minute, Total: time.Minute},
			Bill:     func(t money.Tokens, _ time.Duration) money.Cost { return price(t) },
			Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
				enter("call")
				return &http.Response{StatusCode: 200, Request: r, ContentLength: -1, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(w.answer))}, nil
			}),
		}},
		Limits: Limits{JSON: rawjson.Limits{Depth: 64}, Upstream: upstream.DefaultLimits()},
	}
	w.hall = Hall{
		Authenticate: func(string) (auth.Caller, error) {
			enter("authenticate")
			return auth.Caller{Caller: exchange.Caller{KeyID: "k", Key: "app"}}, nil
		},
		House:      func() *House { return house },
		Recordable: func() error { enter("recordable"); return nil },
		Reserve: func(key string, expected money.Amount) (func(money.Amount), error) {
			enter("reserve")
			w.spent = append(w.spent, key+" expects "+expected.String())
			return func(actual money.Amount) { w.spent = append(w.spent, "settles "+actual.String()) }, nil
		},
		Record: func(x *exchange.Exchange) { enter("record"); w.rows = append(w.rows, x) },
		NewID:  func(time.Time) string { return "id" },
	}
	w.in = Inbound{Codec: codec, Surface: llm.Chat, Header: http.Header{}, Body: func() ([]byte, error) {
		enter("body")
		return []byte(body), nil
	}}
	return w
}

func (w *walked) walk(ctx context.Context) {
	var raw strings.Builder
	for ev, err := range w.hall.Walk(ctx, w.hall.Enter(w.in)) {
		if err != nil {
			w.err = llm.AsError(err)
			break
		}
		raw.Write(ev.Raw)
	}
	w.raw = raw.String()
}

func TestWalk_EveryRoomInOrder(t *testing.T) {
	t.Parallel()
	no := &llm.Error{Kind: llm.Overloaded, Message: "no"}
	for name, tc := range map[string]struct {
		change func(*walked)
		rooms  string
		kind   llm.Kind
		status int
		spent  string
	}{
		"all is well":    {func(*walked) {}, "authenticate recordable body reserve call record", "", 200, "k expects 5.15; settles 0.09"},
		"no key":         {func(w *walked) { w.hall.Authenticate = func(string) (auth.Caller, error) { return auth.Caller{}, no } }, "", llm.Overloaded, 0, ""},
		"not recordable": {func(w *walked) { w.hall.Recordable = func() error { return no } }, "authenticate record", llm.Overloaded, 503, ""},
		"no body":        {func(w *walked) { w.in.Body = func() ([]byte, error) { return nil, errors.New("torn") } }, "authenticate recordable record", llm.Internal, 500, ""},
		"a bad body":     {func(w *walked) { w.in.Body = func() ([]byte, error) { return []byte("{"), nil } }, "authenticate recordable record", llm.Invalid, 400, ""},
		"a bad header":   {func(w *walked) { w.in.Header.Set("X-Fairlead-Cache", "x") }, "authenticate recordable body record", llm.Invalid, 400, ""},
		"no target":      {func(w *walked) { w.in.Header.Set("X-Fairlead-Class", "wallet") }, "authenticate recordable body record", llm.Blocked, 403, ""},
		"no money": {func(w *walked) {
			w.hall.Reserve = func(string, money.Amount) (func(money.Amount), error) { return nil, no }
		}, "authenticate recordable body record", llm.Overloaded, 503, ""},
		"a cut answer":    {func(w *walked) { w.answer = cutd }, "authenticate recordable body reserve call record", llm.Cut, 502, "k expects 5.15; settles 0.16"},
		"not an answer":   {func(w *walked) { w.answer = "<html>" }, "authenticate recordable body reserve call record", llm.Upstream, 502, "k expects 5.15; settles 0.15"},
		"with a deadline": {func(w *walked) { w.in.Header.Set("X-Fairlead-Deadline-Ms", "60000") }, "authenticate recordable body reserve call record", "", 200, "k expects 5.15; settles 0.09"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWalk()
			tc.change(w)
			w.walk(t.Context())
			if diff := cmp.Diff(tc.rooms, strings.Join(w.rooms, " ")); diff != "" {
				t.Errorf("rooms (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tc.spent, strings.Join(w.spent, "; ")); diff != "" {
				t.Errorf("budget (-want +got):\n%s", diff)
			}
			if (w.err == nil) != (tc.kind == "") || w.err != nil && w.err.Kind != tc.kind {
				t.Errorf("heard %v, want %q", w.err, tc.kind)
			}
			if tc.status == 0 {
				return
			}
			x := w.rows[0]
			want := exchange.Failed
			if tc.kind == "" {
				want = exchange.OK
			}
			if x.Result.Status != want || x.Result.Kind != string(tc.kind) || x.Result.HTTPStatus != tc.status || x.ID != "id" || x.Result.ConfigHash != "hash" || x.Caller.Key != "app" {
				t.Errorf("recorded %+v", x)
			}
			if w.err == nil && w.raw != said {
				t.Errorf("read %q", w.raw)
			}
		})
	}
}

func TestWalk_APanicIsRecordedAndSettled(t *testing.T) {
	t.Parallel()
	w := newWalk()
	w.hall.House().Targets["m"].Transport = roundTrip(func(*http.Request) (*http.Response, error) { panic("boom") })
	func() {
		defer func() {
			if p := recover(); p != "boom" {
				t.Errorf("recovered %v", p)
			}
		}()
		w.walk(t.Context())
	}()
	if len(w.rows) != 1 || w.rows[0].Result.Status != exchange.Failed || w.rows[0].Result.Kind != "internal" || len(w.spent) != 2 {
		t.Errorf("recorded %+v, budget %v", w.rows, w.spent)
	}
}

func TestWalk_AReaderThatStopsIsCanceled(t *testing.T) {
	t.Parallel()
	w := newWalk()
	for _, err := range w.hall.Walk(t.Context(), w.hall.Enter(w.in)) {
		if err != nil {
			t.Error(err)
		}
		break
	}
	if x := w.rows[0]; x.Result.Status != exchange.Canceled || x.Result.HTTPStatus != 200 || x.Bill.Usage.Output != 2 {
		t.Errorf("recorded %+v", x)
	}
}

func TestWalk_TagsOfHeaderBodyAndKey(t *testing.T) {
	t.Parallel()
	w := newWalk()
	house := w.hall.House()
	house.Keys = map[string]KeyPolicy{"k": {Classes: []string{"wallet"}}}
	house.Routes.Targets["m"].AllClasses = true
	w.in.Body = func() ([]byte, error) {
		return []byte(strings.Replace(body, "{", `{"metadata":{"fairlead_task":"body","fairlead_task_id":"7","fairlead_class":"identity"},`, 1)), nil
	}
	w.in.Header = http.Header{"X-Fairlead-Task": {"header"}, "X-Fairlead-Class": {"public", "secrets,public"}}
	w.walk(t.Context())
	asked := w.rows[0].Asked
	if diff := cmp.Diff([]string{"identity", "public", "secrets", "wallet"}, asked.Classes); diff != "" || asked.Task != "header" || asked.TaskID != "7" {
		t.Errorf("%+v\n%s", asked, diff)
	}
	if want := "X-Fairlead-Task: header\nX-Fairlead-Class: public"; asked.Headers != want {
		t.Errorf("headers %q, want %q", asked.Headers, want)
	}
}

func TestHTTPStatus(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		e    llm.Error
		want int
	}{
		{llm.Error{Kind: llm.Invalid}, 400}, {llm.Error{Kind: llm.Unauthorized}, 401}, {llm.Error{Kind: llm.Forbidden}, 403},
		{llm.Error{Kind: llm.NotFound}, 404}, {llm.Error{Kind: llm.Budget}, 402}, {llm.Error{Kind: llm.RateLimited}, 429},
		{llm.Error{Kind: llm.Overloaded}, 503}, {llm.Error{Kind: llm.TooLong}, 400}, {llm.Error{Kind: llm.TooLarge}, 413},
		{llm.Error{Kind: llm.Blocked}, 403}, {llm.Error{Kind: llm.Timeout}, 504}, {llm.Error{Kind: llm.Canceled}, 499},
		{llm.Error{Kind: llm.Unsupported}, 400}, {llm.Error{Kind: llm.Cut}, 502}, {llm.Error{Kind: llm.Upstream}, 502},
		{llm.Error{Kind: llm.Internal}, 500}, {llm.Error{Kind: "new"}, 500}, {llm.Error{}, 500},
		// What an upstream said of our key or of our choice of model is our failure.
		{llm.Error{Kind: llm.Unauthorized, Target: "m", Status: 401}, 502}, {llm.Error{Kind: llm.Forbidden, Target: "m", Status: 403}, 502},
		{llm.Error{Kind: llm.Unpaid, Target: "m", Status: 402}, 502}, {llm.Error{Kind: llm.Unpaid, Target: "m", Status: 429}, 502},
		{llm.Error{Kind: llm.NotFound, Target: "m", Status: 404}, 502}, {llm.Error{Kind: llm.Invalid, Target: "m", Status: 422}, 422},
		{llm.Error{Kind: llm.Invalid, Target: "m", Status: 400}, 400}, {llm.Error{Kind: llm.TooLong, Target: "m", Status: 413}, 413},
		{llm.Error{Kind: llm.TooLong, Target: "m"}, 400}, {llm.Error{Kind: llm.TooLong, Target: "m", Status: 500}, 400},
		{llm.Error{Kind: llm.RateLimited, Target: "m", Status: 429}, 429}, {llm.Error{Kind: llm.Timeout, Target: "m", Status: 408}, 504},
	} {
		if got := HTTPStatus(&tc.e); got != tc.want {
			t.Errorf("%s of %q with %d: %d, want %d", tc.e.Kind, tc.e.Target, tc.e.Status, got, tc.want)
		}
	}
}

func TestWalk_AnUnknownCostIsNotNothing(t *testing.T) {
	t.Parallel()
	for surface, want := range map[llm.Surface][]string{
		llm.Images:      {"k expects 10.1", "settles 10.1"},
		llm.Moderations: {"k expects 0.1", "settles 0.1"},
	} {
		w := newWalk()
		w.in.Surface = surface
		w.in.Body = func() ([]byte, error) { return []byte(`{"model":"m","input":"a","prompt":"a"}`), nil }
		w.answer = `{"data":[]}`
		w.walk(t.Context())
		if w.err != nil || len(w.rows) != 1 || w.rows[0].Bill.Cost.State != money.Unknown {
			t.Fatalf("%s: %v %+v", surface, w.err, w.rows)
		}
		if diff := cmp.Diff(want, w.spent); diff != "" {
			t.Errorf("%s: %s", surface, diff)
		}
	}
}

func TestExpected_OfWhatIsForwarded(t *testing.T) {
	t.Parallel()
	size := make([]byte, 400_000)
	for surface, want := range map[llm.Surface]money.Tokens{
		llm.Moderations:     {Input: 100_000},
		llm.Speech:          {Input: 100_000, AudioOutput: 600_000},
		llm.Transcriptions:  {AudioInput: 400, Output: 500},
		llm.Translations:    {AudioInput: 400, Output: 500},
		llm.Images:          {Input: 100_000, ImageOutput: 1000},
		llm.ImageEdits:      {ImageInput: 1000, ImageOutput: 1000},
		llm.ImageVariations: {ImageInput: 1000, ImageOutput: 1000},
	} {
		if got := expected(&llm.Request{Surface: surface, Body: size}); got != want {
			t.Errorf("%s: %+v, want %+v", surface, got, want)
		}
	}
}

package upstream

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/exchange"
	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/money"
	"github.com/fairlead/fairlead/internal/testkit"
)

func TestStream_PassesEveryByteOn(t *testing.T) {
	t.Parallel()
	up := testkit.NewUpstream(t)
	for _, behavior := range []string{
		"", "crlf", "cr", "tight", "split", "bom", "unknown", "fields", "bom,crlf,unknown,fields", "write=1", "write=3,crlf",
		"write=7,cr", "think", "refuse", "reasoning=40,cached=2", "no-usage", "close", "huge=1000000", "gap=1ms", "write=1,gap=1ms",
	} {
		t.Run(behavior, func(t *testing.T) {
			t.Parallel()
			target := fake(t, up, behavior)
			sent := &tee{next: target.Transport}
			target.Transport = sent
			call := newCall(request(t, llm.Chat, usageBody), target)
			got := listen(t.Context(), call)
			if got.err != nil || got.raw == "" {
				t.Fatalf("error %v after %d bytes", got.err, len(got.raw))
			}
			if want := sent.body.String(); want != got.raw {
				diff := cmp.Diff(want, got.raw)
				t.Errorf("the client's bytes are not the upstream's (-upstream +client):\n%.2000s", diff)
			}
			if a := call.Attempts; len(a) != 1 || a[0].Status != exchange.OK || a[0].TTFT <= 0 || a[0].TTFT > a[0].Total || a[0].RequestID == "" {
				t.Errorf("attempts: %+v", a)
			}
		})
	}
}

func TestStream_OpensWhatWasZippedUnasked(t *testing.T) {
	t.Parallel()
	up := testkit.NewUpstream(t)
	for _, body := range []string{streamBody, plainBody} {
		got := listen(t.Context(), newCall(request(t, llm.Chat, body), fake(t, up, "gzip")))
		if got.err != nil || !strings.Contains(got.raw, "naïve") {
			t.Errorf("%s: %v, %q", body, got.err, got.raw)
		}
		if sent := up.Last(t).Header.Get("Accept-Encoding"); sent != "" {
			t.Errorf("Accept-Encoding %q was sent", sent)
		}
	}
}

func TestStream_PingsPassOnceTheAnswerHasBegun(t *testing.T) {
	t.Parallel()
	up := testkit.NewUpstream(t)
	got := listen(t.Context(), newCall(request(t, llm.Chat, usageBody), fake(t, up, "pings")))
	if got.err != nil || strings.HasPrefix(got.raw, ":") || !strings.Contains(got.raw, "\n\n: ping\n\ndata: ") {
		t.Errorf("%v\n%s", got.err, got.raw)
	}
}

func TestStream_HoldsUntilTheFirstEvent(t *testing.T) {
	t.Parallel()
	reader, writer := io.Pipe()
	target := over("a", roundTrip(func(r *http.Request) (*http.Response, error) { return eventStream(r, reader), nil }))
	call := newCall(request(t, llm.Chat, streamBody), target)
	began := make(chan string, 16)
	finished := make(chan *llm.Error, 1)
	go func() {
		defer close(finished)
		for ev, err := range call.Walk(t.Context()) {
			if err != nil {
				finished <- llm.AsError(err)
				return
			}
			began <- string(ev.Raw)
		}
	}()
	write := func(s string) {
		if _, err := io.WriteString(writer, s); err != nil {
			t.Error(err)
		}
	}
	write(roleChunk)
	write(": ping\n\n")
	write("event: news\ndata: {}\n\n")
	write(helloChunk[:40]) // the reader has seen what came before when it takes this
	select {
	case early := <-began:
		t.Fatalf("%q went out before the first event", early)
	default:
	}
	write(helloChunk[40:])
	for _, want := range []string{roleChunk, "event: news\ndata: {}\n\n", helloChunk} {
		if got := <-began; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	write(stopChunk)
	_ = writer.Close()
	if err := <-finished; err != nil {
		t.Error(err)
	}
}

func TestStream_AsksForUsageAndHidesIt(t *testing.T) {
	t.Parallel()
	up := testkit.NewUpstream(t)
	for name, tc := range map[string]struct {
		body, asked string
		shown       bool
	}{
		"not asked":  {streamBody, `"stream_options":{"include_usage":true}`, false},
		"asked":      {usageBody, `"stream_options":{"include_usage":true}`, true},
		"said no":    {strings.Replace(usageBody, ":true}}", ":false}}", 1), `"stream_options":{"include_usage":true}`, false},
		"other":      {strings.Replace(usageBody, `"include_usage":true`, `"include_obfuscation":false`, 1), `"include_usage":true`, false},
		"null":       {strings.Replace(usageBody, `{"include_usage":true}`, `null`, 1), `"include_usage":true`, false},
		"completion": {`{"model":"fake","prompt":"hi","stream":true}`, `"include_usage":true`, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			surface := llm.Chat
			if name == "completion" {
				surface = llm.Completions
			}
			target := fake(t, up, "say="+strings.ReplaceAll(name, " ", "_"))
			call := newCall(request(t, surface, tc.body), target)
			got := listen(t.Context(), call)
			if got.err != nil {
				t.Fatal(got.err)
			}
			var sent string
			for _, r := range up.Requests() {
				if r.Model == target.Model {
					sent = string(r.Body)
				}
			}
			if !strings.Contains(sent, tc.asked) {
				t.Errorf("the upstream was asked %s, want %s in it", sent, tc.asked)
			}
			if shown := strings.Contains(got.raw, "prompt_tokens"); shown != tc.shown {
				t.Errorf("usage shown: %v\n%s", shown, got.raw)
			}
			if !strings.HasSuffix(got.raw, doneChunk) {
				t.Errorf("no [DONE] at the end: %s", got.raw)
			}
			bill := call.Attempts[0].Bill
			if bill.Cost.State != money.Known || bill.Usage.Input == 0 || bill.Usage.Output == 0 {
				t.Errorf("billed %+v", bill)
			}
		})
	}
}

func TestStream_AddsTheTerminatorThatIsMissing(t *testing.T) {
	t.Parallel()
	up := testkit.NewUpstream(t)
	got := listen(t.Context(), newCall(request(t, llm.Chat, streamBody), fake(t, up, "no-done")))
	if got.err != nil || strings.Count(got.raw, "[DONE]") != 1 || !strings.HasSuffix(got.raw, doneChunk) {
		t.Errorf("%v\n%s", got.err, got.raw)
	}
}

func TestStream_RefusesWhatIsTooLarge(t *testing.T) {
	t.Parallel()
	big := strings.Replace(helloChunk, "Hé", strings.Repeat("x", 4096), 1)
	early := strings.Replace(roleChunk, `"id"`, `"pad":"`+strings.Repeat("x", 4096)+`","id"`, 1)
	for name, tc := range map[string]struct {
		stream string
		limits Limits
		status exchange.Status
		says   string
	}{
		"event first":  {big + stopChunk, Limits{EventBytes: 1024, HeldBytes: 1024}, exchange.Failed, "larger than 1024 bytes"},
		"event later":  {helloChunk + big + stopChunk, Limits{EventBytes: 1024, HeldBytes: 1024}, exchange.Cut, "larger than 1024 bytes"},
		"endless line": {helloChunk + "data: " + strings.Repeat("x", 9000), Limits{EventBytes: 1024, HeldBytes: 1024}, exchange.Cut, "larger than 1024 bytes"},
		"held":         {early + early + helloChunk + stopChunk, Limits{EventBytes: 8192, HeldBytes: 6000}, exchange.Failed, "too much before the first event"},
		"fits":         {early + big + stopChunk, Limits{EventBytes: 8192, HeldBytes: 6000}, exchange.OK, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			call := newCall(request(t, llm.Chat, streamBody), over("a", roundTrip(func(r *http.Request) (*http.Response, error) {
				return eventStream(r, strings.NewReader(tc.stream)), nil
			})))
			call.Limits = tc.limits
			got := listen(t.Context(), call)
			if row := call.Attempts[0]; row.Status != tc.status || !strings.Contains(row.Message, tc.says) {
				t.Errorf("recorded %+v, heard %v", row, got.err)
			}
			if tc.says != "" && (got.err == nil || got.err.Kind != llm.Upstream || got.err.Target != "a") {
				t.Errorf("heard %+v", got.err)
			}
		})
	}
}

func TestPlain_RefusesWhatIsTooLarge(t *testing.T) {
	t.Parallel()
	up := testkit.NewUpstream(t)
	for _, behavior := range []string{"", "write=100", "gzip", "gzip,write=50"} {
		call := newCall(request(t, llm.Chat, plainBody), fake(t, up, behavior))
		call.Limits.AnswerBytes = 300
		if got := listen(t.Context(), call); got.err == nil || !strings.Contains(got.err.Message, "larger than 300 bytes") || got.raw != "" {
			t.Errorf("%q: %v, %q", behavior, got.err, got.raw)
		}
	}
}

// endless repeats a chunk n times and then ends the answer.
type endless struct {
	chunk string
	n     int
	rest  string
}

func (e *endless) Read(p []byte) (int, error) {
	if e.rest == "" {
		if e.n < 0 {
			return 0, io.EOF
		}
		if e.n--; e.n < 0 {
			e.rest = stopChunk + doneChunk
		} else {
			e.rest = e.chunk
		}
	}
	n := copy(p, e.rest)
	e.rest = e.rest[n:]
	return n, nil
}

// Not parallel: it looks at the heap.
func TestStream_OfManyEventsTakesNoMemory(t *testing.T) {
	const events = 100_000
	call := newCall(request(t, llm.Chat, streamBody), over("a", roundTrip(func(r *http.Request) (*http.Response, error) {
		return eventStream(r, &endless{chunk: helloChunk, n: events}), nil
	})))
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	var early, late uint64
	n := 0
	for _, err := range call.Walk(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		switch n++; n {
		case 100:
			early = heap()
		case events:
			late = heap()
		}
	}
	if n != events+2 {
		t.Errorf("%d events came out, want %d", n, events+2)
	}
	if late > early+256<<10 {
		t.Errorf("the heap grew from %d to %d bytes", early, late)
	}
}

func TestStream_ReportsErrorsWithinIt(t *testing.T) {
	t.Parallel()
	failure := `data: {"error":{"message":"no more","type":"server_error","code":null}}` + "\n\n"
	for name, tc := range map[string]struct {
		stream string
		raw    string
		kind   llm.Kind
		status exchange.Status
	}{
		"first":            {failure, "", llm.Upstream, exchange.Failed},
		"behind the role":  {roleChunk + failure, "", llm.Upstream, exchange.Failed},
		"within":           {roleChunk + helloChunk + failure, roleChunk + helloChunk, llm.Upstream, exchange.Cut},
		"garbage first":    {"data: {\"choices\": [ oh\n\n", "", llm.Upstream, exchange.Failed},
		"garbage within":   {helloChunk + "data: {\"choices\": [ oh\n\n", helloChunk, llm.Upstream, exchange.Cut},
		"done without":     {roleChunk + doneChunk, "", llm.Cut, exchange.Failed},
		"done too early":   {helloChunk + doneChunk, helloChunk, llm.Cut, exchange.Cut},
		"nothing":          {"", "", llm.Cut, exchange.Failed},
		"comments alone":   {": ping\n\n: ping\n\n", "", llm.Cut, exchange.Failed},
		"half a character": {helloChunk[:strings.Index(helloChunk, "é")+1], "", llm.Cut, exchange.Failed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			call := newCall(request(t, llm.Chat, streamBody), over("a", roundTrip(func(r *http.Request) (*http.Response, error) {
				return eventStream(r, strings.NewReader(tc.stream)), nil
			})))
			got := listen(t.Context(), call)
			if got.raw != tc.raw {
				t.Errorf("the client read %q, want %q", got.raw, tc.raw)
			}
			if got.err == nil || got.err.Kind != tc.kind {
				t.Errorf("heard %v, want %s", got.err, tc.kind)
			}
			if row := call.Attempts[0]; row.Status != tc.status || row.Kind != string(tc.kind) {
				t.Errorf("recorded %s %s, want %s %s", row.Status, row.Kind, tc.status, tc.kind)
			}
		})
	}
}

// cutReader ends after n bytes with an error.
type cutReader struct {
	io.Reader
	err error
}

func (c cutReader) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	if err == io.EOF {
		err = c.err
	}
	return n, err
}

var errReset = errors.New("connection reset by peer")

func TestStream_CutAnywhereIsNeverComplete(t *testing.T) {
	t.Parallel()
	firstEnd := len(roleChunk + helloChunk)
	stopEnd := len(roleChunk + helloChunk + worldChunk + stopChunk)
	for _, ending := range []error{io.EOF, io.ErrUnexpectedEOF, errReset} {
		t.Run(fmt.Sprint(ending), func(t *testing.T) {
			t.Parallel()
			for at := range len(sample) + 1 {
				cutAt := over("cut", roundTrip(func(r *http.Request) (*http.Response, error) {
					return eventStream(r, cutReader{strings.NewReader(sample[:at]), ending}), nil
				}))
				call := newCall(request(t, llm.Chat, usageBody), cutAt)
				got := listen(t.Context(), call)
				judgeCut(t, at, firstEnd, stopEnd, got, call)

				whole := over("whole", roundTrip(func(r *http.Request) (*http.Response, error) {
					return eventStream(r, strings.NewReader(strings.ReplaceAll(sample, "chatcmpl-1", "second"))), nil
				}))
				call = newCall(request(t, llm.Chat, usageBody), cutAt, whole)
				got = listen(t.Context(), call)
				if at >= firstEnd {
					judgeCut(t, at, firstEnd, stopEnd, got, call)
					continue
				}
				if got.err != nil || got.raw != strings.ReplaceAll(sample, "chatcmpl-1", "second") || len(call.Attempts) != 2 || call.Target != whole {
					t.Errorf("cut at %d: the fallback gave %v, %q", at, got.err, got.raw)
				}
			}
		})
	}
}

// judgeCut holds what a client read of a stream that was cut against what it may.
func judgeCut(t *testing.T, at, firstEnd, stopEnd int, got heard, call *Call) {
	t.Helper()
	row := call.Attempts[0]
	switch {
	case at >= stopEnd:
		if got.err != nil || strings.Count(got.raw, "[DONE]") != 1 || row.Status != exchange.OK {
			t.Errorf("cut at %d, behind the stop reason: %v, %s, %q", at, got.err, row.Status, got.raw)
		}
	case at >= firstEnd:
		if got.err == nil || strings.Contains(got.raw, "[DONE]") || strings.Contains(got.raw, `"finish_reason":"stop"`) || row.Status != exchange.Cut || row.Bill.Cost.State != money.Estimated {
			t.Errorf("cut at %d: %v, %+v, %q", at, got.err, row, got.raw)
		}
		if len(call.Attempts) != 1 || !strings.HasPrefix(sample, got.raw) {
			t.Errorf("cut at %d: %d attempts, %q", at, len(call.Attempts), got.raw)
		}
	default:
		if got.err == nil || got.raw != "" || row.Status != exchange.Failed {
			t.Errorf("cut at %d, before the first event: %v, %s, %q", at, got.err, row.Status, got.raw)
		}
	}
}

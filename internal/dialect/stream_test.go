package dialect_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/fairlead/fairlead/internal/dialect"
	"github.com/fairlead/fairlead/internal/dialect/dialecttest"
	"github.com/fairlead/fairlead/internal/llm"
)

func newCall(t testing.TB, client, target *dialect.Codec) *dialecttest.Call {
	t.Helper()
	c, err := dialecttest.NewCall(client, target, "text", true)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func sampleStream(t testing.TB, target *dialect.Codec) []byte {
	t.Helper()
	events, err := dialecttest.SampleStream(target)
	if err != nil {
		t.Fatal(err)
	}
	return events
}

func TestConformance_CutStreamIsNeverComplete(t *testing.T) {
	t.Parallel()
	eachPair(t, func(t *testing.T, client, target *dialect.Codec) {
		t.Helper()
		events := sampleStream(t, target)
		stop, err := dialecttest.CompleteAt(target, events)
		if err != nil {
			t.Fatal(err)
		}
		call := newCall(t, client, target)
		var last []byte
		for n := range events {
			out := call.Pump(bytes.NewReader(events[:n]))
			wholeLine := target.Frames.MediaType == dialect.Lines.MediaType && events[n] == '\n' // without its end
			if out.Complete && n < stop && !wholeLine {
				t.Fatalf("cut at byte %d of %d it is complete, though the stop reason ends at %d", n, len(events), stop)
			}
			if bytes.Equal(out.Bytes, last) {
				continue // as one byte before
			}
			last = out.Bytes
			answer, complete, err := dialecttest.ReadStream(call.Request, client, bytes.NewReader(out.Bytes))
			switch {
			case out.Complete && (err != nil || !complete):
				t.Fatalf("cut at byte %d behind the stop reason, the client reads complete %v, %v:\n%s", n, complete, err, out.Bytes)
			case out.Complete:
			case complete || err == nil:
				t.Fatalf("cut at byte %d, the client reads complete %v, error %v:\n%s", n, complete, err, out.Bytes)
			case len(answer.Choices) > 0 && answer.Choices[0].Stop.Reason != "":
				t.Fatalf("cut at byte %d, the client reads the stop reason %q", n, answer.Choices[0].Stop.Reason)
			}
		}
	})
}

func TestConformance_ChunksOfTheReaderMeanNothing(t *testing.T) {
	t.Parallel()
	readers := map[string]func(io.Reader) io.Reader{
		"one byte": iotest.OneByteReader, "half": iotest.HalfReader, "data with EOF": iotest.DataErrReader,
	}
	eachPair(t, func(t *testing.T, client, target *dialect.Codec) {
		t.Helper()
		events := sampleStream(t, target)
		want := newCall(t, client, target).Pump(bytes.NewReader(events))
		if want.Failed != nil {
			t.Fatal(want.Failed)
		}
		for name, reader := range readers {
			got := newCall(t, client, target).Pump(reader(bytes.NewReader(events)))
			if !bytes.Equal(got.Bytes, want.Bytes) || got.Complete != want.Complete {
				t.Errorf("read by %s:\n%s\nwant\n%s", name, got.Bytes, want.Bytes)
			}
		}
	})
}

// changed are streams that mean the same as the sample.
func changed(target *dialect.Codec, events []byte) map[string][]byte {
	out := map[string][]byte{"CR LF": bytes.ReplaceAll(events, []byte("\n"), []byte("\r\n"))}
	if target.Frames.New != nil && target.Frames.MediaType != dialect.Events.MediaType {
		if target.Frames.MediaType == "application/vnd.amazon.eventstream" {
			return nil // binary
		}
		return out
	}
	if target.Name != "gemini" { // Google sends none, and its SDK for Go takes one for an error
		out["comments"] = bytes.ReplaceAll(events, []byte("\n\n"), []byte("\n\n: ping\n\n"))
	}
	if target.Name == "anthropic" {
		out["pings"] = bytes.Replace(events, []byte("\n\n"), []byte("\n\nevent: ping\ndata: {\"type\":\"ping\"}\n\n"), 3)
	}
	if target.Name != "openai-responses" { // whose events are numbered
		out["an unknown event"] = bytes.Replace(events, []byte("\n\n"), []byte("\n\nevent: x_new\ndata: {\"type\":\"x_new\",\"deep\":[1]}\n\n"), 1)
	}
	return out
}

func TestConformance_NoiseInStreamChangesNothing(t *testing.T) {
	t.Parallel()
	eachPair(t, func(t *testing.T, client, target *dialect.Codec) {
		t.Helper()
		events := sampleStream(t, target)
		read := func(events []byte) (string, []byte) {
			call := newCall(t, client, target)
			out := call.Pump(bytes.NewReader(events))
			if out.Failed != nil {
				t.Fatal(out.Failed)
			}
			if client != target {
				for _, p := range dialecttest.Grammar(client.Name, out.Bytes) {
					t.Error(p)
				}
			}
			answer, complete, err := dialecttest.ReadStream(call.Request, client, bytes.NewReader(out.Bytes))
			if err != nil || !complete {
				t.Fatalf("complete %v, %v:\n%s", complete, err, out.Bytes)
			}
			var said strings.Builder
			for _, f := range dialecttest.AnswerFacts(client.Name, answer) {
				said.WriteString(f.String() + "\n")
			}
			return said.String(), out.Bytes
		}
		want, _ := read(events)
		for name, noisy := range changed(target, events) {
			got, through := read(noisy)
			if got != want {
				t.Errorf("with %s:\n%swant\n%s", name, got, want)
			}
			if client == target && !bytes.Equal(through, noisy) {
				t.Errorf("%s did not pass through as it was:\n%s", name, through)
			}
		}
	})
}

func TestConformance_ErrorInStreamIsToldOnce(t *testing.T) {
	t.Parallel()
	eachPair(t, func(t *testing.T, client, target *dialect.Codec) {
		t.Helper()
		fail := dialecttest.FailEvent(target, &llm.Error{Kind: llm.Overloaded, Message: "no room now"})
		if fail == nil {
			t.Fatalf("the kit has no error event of %s", target.Name)
		}
		events := sampleStream(t, target)
		half := dialecttest.HalfAt(target, events)
		call := newCall(t, client, target)
		out := call.Pump(io.MultiReader(bytes.NewReader(events[:half]), bytes.NewReader(fail)))
		if out.Failed == nil || out.Complete {
			t.Fatalf("failed %v, complete %v", out.Failed, out.Complete)
		}
		if !strings.Contains(out.Failed.Message, "no room now") {
			t.Errorf("the message became %q", out.Failed.Message)
		}
		_, complete, err := dialecttest.ReadStream(call.Request, client, bytes.NewReader(out.Bytes))
		var e *llm.Error
		if complete || !errors.As(err, &e) || !strings.Contains(e.Message, "no room now") {
			t.Errorf("the client reads complete %v, error %v:\n%s", complete, err, out.Bytes)
		}
	})
}

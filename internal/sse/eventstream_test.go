package sse

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/aws/aws-sdk-go-v2/aws/protocol/eventstream"
)

// frame is a frame as AWS's own encoder writes it; headers are name and value in turn.
func frame(tb testing.TB, payload string, headers ...string) []byte {
	tb.Helper()
	m := eventstream.Message{Payload: []byte(payload)}
	for i := 0; i < len(headers); i += 2 {
		m.Headers.Set(headers[i], eventstream.StringValue(headers[i+1]))
	}
	var b bytes.Buffer
	if err := eventstream.NewEncoder().Encode(&b, m); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

func event1(tb testing.TB, name, payload string) []byte {
	tb.Helper()
	return frame(tb, payload, ":event-type", name, ":content-type", "application/json", ":message-type", "event")
}

func TestEventStream_ReadsWhatAWSWrites(t *testing.T) {
	t.Parallel()
	typed := eventstream.Message{Payload: []byte("{}")}
	for name, v := range map[string]eventstream.Value{
		"bool": eventstream.BoolValue(true), "byte": eventstream.Int8Value(-1), "short": eventstream.Int16Value(2), "int": eventstream.Int32Value(3),
		"long": eventstream.Int64Value(4), "bytes": eventstream.BytesValue("x"), "uuid": eventstream.UUIDValue{1},
	} {
		typed.Headers.Set(name, v)
	}
	typed.Headers.Set(":event-type", eventstream.StringValue("typed"))
	var odd bytes.Buffer
	if err := eventstream.NewEncoder().Encode(&odd, typed); err != nil {
		t.Fatal(err)
	}
	big := strings.Repeat("漢", 50_000)
	for _, c := range []struct {
		frame      []byte
		name, data string
	}{
		{event1(t, "messageStart", `{"role":"assistant"}`), "messageStart", `{"role":"assistant"}`},
		{event1(t, "contentBlockDelta", big), "contentBlockDelta", big},
		{frame(t, ""), "", ""},
		{odd.Bytes(), "typed", "{}"},
		{frame(t, `{"message":"slow down"}`, ":exception-type", "throttlingException", ":message-type", "exception"), Exception + "throttlingException", `{"message":"slow down"}`},
		{frame(t, "", ":message-type", "error", ":error-code", "InternalError", ":error-message", "oops"), Exception + "InternalError", "oops"},
	} {
		in := append(append([]byte(nil), c.frame...), event1(t, "next", "1")...)
		for how, wrap := range wrappers {
			s := NewEventStream(wrap(bytes.NewReader(in)), 0)
			e, err := s.Next()
			if err != nil || e.Name != c.name || string(e.Data) != c.data || !bytes.Equal(e.Raw, c.frame) || e.Comment {
				t.Errorf("%s: %q %.40q, %v", how, e.Name, e.Data, err)
			}
			if e, err = s.Next(); err != nil || e.Name != "next" || string(e.Data) != "1" {
				t.Errorf("%s: afterwards %q %.40q, %v", how, e.Name, e.Data, err)
			}
			for range 2 {
				if e, err = s.Next(); err != io.EOF || e.Raw != nil || s.Buffered() {
					t.Errorf("%s: at the end %v", how, err)
				}
			}
		}
	}
}

func TestEventStream_TellsACutFromAnEnd(t *testing.T) {
	t.Parallel()
	one, two := event1(t, "a", "1"), event1(t, "b", "22")
	in := append(append([]byte(nil), one...), two...)
	for cut := range in {
		s := NewEventStream(iotest.OneByteReader(bytes.NewReader(in[:cut])), 0)
		var got int
		var last Event
		var err error
		for err == nil {
			if last, err = s.Next(); err == nil {
				got++
			}
		}
		whole := cut == 0 || cut == len(one)
		if want := map[bool]error{true: io.EOF, false: io.ErrUnexpectedEOF}[whole]; err != want {
			t.Errorf("cut at %d: %v, want %v", cut, err, want)
		}
		if rest := cut - got*len(one); len(last.Raw) != rest {
			t.Errorf("cut at %d: %d bytes are left, want %d", cut, len(last.Raw), rest)
		}
	}
	broken := errors.New("connection reset")
	s := NewEventStream(io.MultiReader(bytes.NewReader(one), iotest.ErrReader(broken)), 0)
	if e, err := s.Next(); err != nil || e.Name != "a" {
		t.Errorf("%+v, %v", e, err)
	}
	if _, err := s.Next(); err != broken {
		t.Errorf("%v, want the reader's own error", err)
	}
}

func TestEventStream_RefusesEveryFlippedBit(t *testing.T) {
	t.Parallel()
	good := event1(t, "contentBlockDelta", `{"delta":{"text":"hi"}}`)
	for i := range good {
		bad := append([]byte(nil), good...)
		bad[i] ^= 0x10
		s := NewEventStream(bytes.NewReader(append(bad, good...)), 0)
		if e, err := s.Next(); err != ErrFrame || e.Raw != nil || s.Buffered() {
			t.Errorf("byte %d: %+v, %v", i, e, err)
		}
		if _, err := s.Next(); err != ErrFrame {
			t.Errorf("byte %d: ErrFrame became %v", i, err)
		}
	}
	s := NewEventStream(strings.NewReader("HTTP/1.1 502 Bad Gateway\r\n<html>"), 0)
	if _, err := s.Next(); err != ErrFrame {
		t.Errorf("text: %v", err)
	}
}

func TestEventStream_BoundsTheFrame(t *testing.T) {
	t.Parallel()
	for _, size := range []int{100, 4096, 100_000} {
		in := event1(t, "x", strings.Repeat("x", size))
		if e, err := NewEventStream(bytes.NewReader(in), len(in)).Next(); err != nil || len(e.Data) != size {
			t.Errorf("%d bytes: %v", size, err)
		}
		if _, err := NewEventStream(bytes.NewReader(in[:20]), len(in)-1).Next(); err != ErrTooLong {
			t.Errorf("%d bytes: %v, want ErrTooLong before it came", size, err)
		}
	}
	s := NewEventStream(&loop{piece: string(event1(t, "giant", strings.Repeat("x", 500_000))) + strings.Repeat(string(event1(t, "a", "1")), 10_000), left: 1}, 0)
	for {
		if _, err := s.Next(); err != nil {
			break
		}
	}
	if len(s.buf) > keep {
		t.Errorf("%d bytes are still held", len(s.buf))
	}
}

func TestEventStream_DoesNotAllocatePerEvent(t *testing.T) {
	s := NewEventStream(&loop{piece: string(event1(t, "contentBlockDelta", "{}")) + string(event1(t, "metadata", "{}"))}, 0)
	next := func() {
		if _, err := s.Next(); err != nil {
			t.Fatal(err)
		}
		s.Buffered()
	}
	for range 100 {
		next()
	}
	if n := testing.AllocsPerRun(1000, next); n != 0 {
		t.Errorf("%v allocations an event", n)
	}
}

// FuzzEventStream compares with AWS's own decoder: what it accepts and what it refuses, frame by frame.
func FuzzEventStream(f *testing.F) {
	f.Add(event1(f, "messageStop", `{"stopReason":"end_turn"}`), uint8(1))
	f.Add(append(event1(f, "a", "1"), frame(f, "x", ":message-type", "exception", ":exception-type", "y")...), uint8(3))
	f.Add([]byte("\x00\x00\x00\x10\x00\x00\x00\x00\x05\xc2\x48\xeb\x7d\x98\xc8\xff"), uint8(0))
	f.Fuzz(func(t *testing.T, in []byte, size uint8) {
		s := NewEventStream(&chunks{rest: string(in), sizes: []byte{max(size, 1)}}, 0)
		judge, source := eventstream.NewDecoder(), bytes.NewReader(in)
		for {
			promised := s.Buffered()
			e, err := s.Next()
			if promised && err != nil {
				t.Fatalf("Buffered, but Next gave %v", err)
			}
			m, wrong := judge.Decode(source, nil)
			if err != nil {
				if wrong == nil && len(m.Payload) < DefaultMaxEvent/2 {
					t.Fatalf("%v for what AWS reads as %q", err, m.Payload)
				}
				return
			}
			if wrong != nil {
				t.Fatalf("%q for what AWS refuses: %v", e.Data, wrong)
			}
			if v, ok := m.Headers.Get(":message-type").(eventstream.StringValue); (!ok || v != "error") && !bytes.Equal(e.Data, m.Payload) {
				t.Fatalf("%q, want %q", e.Data, m.Payload)
			}
		}
	})
}

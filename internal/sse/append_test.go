package sse

import (
	"bytes"
	"testing"
)

func TestAppend(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, data, want, back string }{
		{"", "x", "data: x\n\n", "x"},
		{"", "", "data: \n\n", ""},
		{"ping", "{}", "event: ping\ndata: {}\n\n", "{}"},
		{"", " x", "data:  x\n\n", " x"},
		{"", "a\nb", "data: a\ndata: b\n\n", "a\nb"},
		{"", "a\r\nb\rc", "data: a\ndata: b\ndata: c\n\n", "a\nb\nc"},
		{"", "a\n", "data: a\ndata: \n\n", "a\n"},
		{"", "\n", "data: \ndata: \n\n", "\n"},
		{"", "\r\r\n\n", "data: \ndata: \ndata: \ndata: \n\n", "\n\n\n"},
		{"", "a\n\nevent: b", "data: a\ndata: \ndata: event: b\n\n", "a\n\nevent: b"},
		{"", "\ufeffx", "data: \ufeffx\n\n", "\ufeffx"},
	} {
		got := Append([]byte("> "), c.name, []byte(c.data))
		if string(got) != "> "+c.want {
			t.Errorf("Append(%q, %q): %q, want %q", c.name, c.data, got, c.want)
		}
		e, err := NewReader(bytes.NewReader(got[2:]), 0).Next()
		if err != nil || e.Name != c.name || string(e.Data) != c.back || string(e.Raw) != c.want {
			t.Errorf("Append(%q, %q) reads back as %q, %q, %v", c.name, c.data, e.Name, e.Data, err)
		}
	}
	if got, want := string(Append(nil, "a\ndata: b\r\nc", []byte("x"))), "event: a data: b  c\ndata: x\n\n"; got != want {
		t.Errorf("a name with line ends: %q, want %q", got, want)
	}
	for text, want := range map[string]string{"": ": \n\n", "ping": ": ping\n\n", "a\n\ndata: b\r": ": a  data: b \n\n"} {
		got := AppendComment([]byte("> "), text)
		if string(got) != "> "+want {
			t.Errorf("AppendComment(%q): %q, want %q", text, got, want)
		}
		if e, err := NewReader(bytes.NewReader(got[2:]), 0).Next(); err != nil || !e.Comment || string(e.Raw) != want {
			t.Errorf("AppendComment(%q) reads back as %+v, %v", text, e, err)
		}
	}
}

func TestAppend_DoesNotAllocate(t *testing.T) {
	dst := make([]byte, 0, 4096)
	for _, text := range []string{chunk[6 : len(chunk)-2], "a\nb\r\nc"} {
		payload := []byte(text)
		if n := testing.AllocsPerRun(100, func() { _ = Append(dst, "delta", payload) }); n != 0 {
			t.Errorf("%v allocations for %.20q", n, text)
		}
	}
}

package testkit

import (
	"bytes"
	"fmt"
	"net"
	"net/http"

	"github.com/fairlead/fairlead/internal/testkit/openaifake"
)

// event writes the k-th event as text/event-stream (WHATWG HTML, section 9.2.6), with the script's oddities. A named
// one bears the type that its data begins with.
func (f *frame) event(k int, data []byte, s swap, named bool) []byte {
	var out bytes.Buffer
	if f.bom && k == 0 {
		out.WriteString("\ufeff")
	}
	if f.pings {
		f.line(&out, ": ping")
		f.line(&out, "")
	}
	if f.unknown && k%3 == 0 {
		f.line(&out, "event: vendor.debug")
		f.field(&out, "data", []byte(`{"vendor":{"step":`+fmt.Sprint(k)+`}}`))
		f.line(&out, "")
	}
	if f.fields {
		f.line(&out, fmt.Sprintf("id: %d", k))
		f.line(&out, "retry: 3000")
	}
	if s.errorName != "" && s.errorAt == k {
		f.line(&out, "event: "+s.errorName)
	}
	if rest, ok := bytes.CutPrefix(data, []byte(`{"type":"`)); ok && named {
		name, _, _ := bytes.Cut(rest, []byte{'"'})
		f.line(&out, "event: "+string(name))
	}
	if at := bytes.IndexByte(data, ','); f.split && at > 0 && string(data) != openaifake.Done {
		// A line feed joins the two lines, which JSON allows after a comma between fields.
		f.field(&out, "data", data[:at+1])
		data = data[at+1:]
	}
	f.field(&out, "data", data)
	f.line(&out, "")
	return out.Bytes()
}

func (f *frame) field(out *bytes.Buffer, name string, value []byte) {
	out.WriteString(name)
	out.WriteByte(':')
	if !f.tight {
		out.WriteByte(' ')
	}
	out.Write(value)
	out.WriteString(f.newline)
}

func (f *frame) line(out *bytes.Buffer, text string) {
	out.WriteString(text)
	out.WriteString(f.newline)
}

// hangUp closes the connection under the answer: by FIN, so that the transfer coding lacks its end, or by RST, or, with
// inChunk, after the head of a chunk that never comes whole. The body's bytes before it stay readable but after a RST.
func hangUp(w http.ResponseWriter, reset, inChunk bool) {
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic("testkit: the connection cannot be taken: " + err.Error())
	}
	if inChunk {
		_, _ = buffered.WriteString("400\r\n") // the connection is about to close: nothing is left to do about an error
		_ = buffered.Flush()
	}
	if tcp, ok := conn.(*net.TCPConn); ok && reset {
		_ = tcp.SetLinger(0) // on failure the close below is a FIN, which is a cut too
	}
	_ = conn.Close()
}

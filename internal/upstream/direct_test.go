package upstream

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/exchange"
	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/testkit"
)

// peer is an upstream whose every byte the test decides.
type peer struct {
	t     testing.TB
	addr  string
	dials atomic.Int64
}

// newPeer serves each connection with a func that gets it and a reader of its requests.
func newPeer(t testing.TB, serve func(n int64, c net.Conn, requests *bufio.Reader)) *peer {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &peer{t: t, addr: listener.Addr().String()}
	var open sync.WaitGroup
	open.Go(func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			n := p.dials.Add(1)
			open.Go(func() {
				defer c.Close()
				serve(n, c, bufio.NewReader(c))
			})
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		open.Wait()
	})
	return p
}

// target is the peer as a target with connections of its own.
func (p *peer) target() *Target {
	transport := NewTransport(5 * time.Second)
	p.t.Cleanup(transport.CloseIdleConnections)
	target := over("peer", transport)
	target.Speaks[0].Base = &url.URL{Scheme: "http", Host: p.addr, Path: "/v1"}
	return target
}

// take reads one request with its body; false at the connection's end.
func take(requests *bufio.Reader) bool {
	r, err := http.ReadRequest(requests)
	if err != nil {
		return false
	}
	_, err = io.Copy(io.Discard, r.Body)
	return err == nil
}

func answer(text string) string {
	return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(text), text)
}

func saying(word string) string { return strings.Replace(plainText, "Hé", word, 1) }

func TestDirect_KeepsItsConnection(t *testing.T) {
	t.Parallel()
	p := newPeer(t, func(_ int64, c net.Conn, requests *bufio.Reader) {
		for n := 0; take(requests); n++ {
			_, _ = io.WriteString(c, answer(saying(fmt.Sprint("answer ", n))))
		}
	})
	target := p.target()
	for n := range 5 {
		got := listen(t.Context(), newCall(request(t, llm.Chat, plainBody), target))
		if got.err != nil || !strings.Contains(got.raw, fmt.Sprint("answer ", n)) {
			t.Errorf("%v %s", got.err, got.raw)
		}
	}
	if n := p.dials.Load(); n != 1 {
		t.Errorf("%d connections for five requests in a row", n)
	}
}

// An answer must belong to its request: a connection on which anything is odd is not
// used again.
func TestDirect_NeverMixesAnswers(t *testing.T) {
	t.Parallel()
	poison := answer(saying("poison"))
	for name, serve := range map[string]func(c net.Conn, left chan<- struct{}){
		"a second answer at once": func(c net.Conn, _ chan<- struct{}) { _, _ = io.WriteString(c, answer(plainText)+poison) },
		"a byte too many":         func(c net.Conn, _ chan<- struct{}) { _, _ = io.WriteString(c, answer(plainText)+"x") },
		"a second answer after": func(c net.Conn, _ chan<- struct{}) {
			_, _ = io.WriteString(c, answer(plainText))
			_, _ = io.WriteString(c, poison)
		},
		"it says that it closes": func(c net.Conn, _ chan<- struct{}) {
			_, _ = io.WriteString(c, strings.Replace(answer(plainText), "Content-Type", "Connection: close\r\nContent-Type", 1))
		},
		"an answer without an end": func(c net.Conn, _ chan<- struct{}) {
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n"+plainText)
			_ = c.Close()
		},
		"HTTP/1.0": func(c net.Conn, _ chan<- struct{}) {
			_, _ = io.WriteString(c, strings.Replace(answer(plainText), "HTTP/1.1", "HTTP/1.0", 1))
		},
		"a chunked one, and a rest": func(c net.Conn, _ chan<- struct{}) {
			_, _ = io.WriteString(c, fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", len(plainText), plainText)+poison)
		},
		"it closes": func(c net.Conn, _ chan<- struct{}) { _, _ = io.WriteString(c, answer(plainText)); _ = c.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			served := make(chan struct{}, 1)
			p := newPeer(t, func(n int64, c net.Conn, requests *bufio.Reader) {
				if !take(requests) {
					return
				}
				if n > 1 {
					_, _ = io.WriteString(c, answer(saying("clean")))
					take(requests)
					return
				}
				serve(c, nil)
				served <- struct{}{}
				take(requests) // until the other side closes, or asks again: then there is no answer
			})
			target := p.target()
			first := listen(t.Context(), newCall(request(t, llm.Chat, plainBody), target))
			if first.err != nil || first.raw != plainText {
				t.Fatalf("%v %s", first.err, first.raw)
			}
			<-served // what it had to say has been sent
			second := listen(t.Context(), newCall(request(t, llm.Chat, plainBody), target))
			if second.err != nil || !strings.Contains(second.raw, "clean") {
				t.Errorf("the second request got %v %s", second.err, second.raw)
			}
			if n := p.dials.Load(); n != 2 {
				t.Errorf("%d connections, want 2", n)
			}
		})
	}
}

func TestDirect_WhatWasLeftIsNotUsedAgain(t *testing.T) {
	t.Parallel()
	up := testkit.NewUpstream(t)
	target := fake(t, up, "")
	for _, behavior := range []string{"hold-event=3", "cut-event=3", "error-event=3", "stall=700"} {
		up.Next(t, behavior)
		ctx, cancel := context.WithCancel(t.Context())
		for ev, err := range newCall(request(t, llm.Chat, streamBody), target).Walk(ctx) {
			if err != nil {
				break
			}
			if ev.Marks&llm.MarkContent != 0 && behavior != "cut-event=3" && behavior != "error-event=3" {
				cancel() // the client goes away within the answer
			}
		}
		cancel()
		got := listen(t.Context(), newCall(request(t, llm.Chat, plainBody), target))
		if got.err != nil || !strings.Contains(got.raw, "naïve") {
			t.Errorf("after %s: %v %s", behavior, got.err, got.raw)
		}
	}
}

func TestDirect_OddAnswers(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		answer string
		says   string // of the error, "" for a good answer
	}{
		"early hints":          {"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n" + answer(plainText), ""},
		"huge headers":         {"HTTP/1.1 200 OK\r\nX-Huge: " + strings.Repeat("x", 300<<10) + "\r\n\r\n", "could not be reached or broke off"},
		"endless headers":      {"HTTP/1.1 200 OK\r\n" + strings.Repeat("X-A: b\r\n", 60_000), "could not be reached or broke off"},
		"not HTTP":             {"SSH-2.0-OpenSSH_9.9\r\n", "could not be reached or broke off"},
		"nothing":              {"", "could not be reached or broke off"},
		"half a header":        {"HTTP/1.1 200 OK\r\nContent-Ty", "could not be reached or broke off"},
		"half a body":          {answer(plainText)[:200], "could not be reached or broke off"},
		"two lengths":          {strings.Replace(answer(plainText), "Content-Length", "Content-Length: 3\r\nContent-Length", 1), "could not be reached or broke off"},
		"switching protocols":  {"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n", "HTTP status 101"},
		"a broken chunk":       {"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "could not be reached or broke off"},
		"an answer in capital": {"HTTP/1.1 200 OK\r\nCONTENT-TYPE: APPLICATION/JSON; CHARSET=UTF-8\r\nCONTENT-LENGTH: " + fmt.Sprint(len(plainText)) + "\r\n\r\n" + plainText, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPeer(t, func(_ int64, c net.Conn, requests *bufio.Reader) {
				if take(requests) {
					_, _ = io.WriteString(c, tc.answer) // the other side may have had enough of it
				}
			})
			got := listen(t.Context(), newCall(request(t, llm.Chat, plainBody), p.target()))
			if tc.says == "" {
				if got.err != nil || got.raw != plainText {
					t.Errorf("%v %s", got.err, got.raw)
				}
				return
			}
			if got.err == nil || got.err.Kind != llm.Upstream || !strings.Contains(got.err.Message, tc.says) || got.raw != "" {
				t.Errorf("%+v %s", got.err, got.raw)
			}
		})
	}
}

// Some upstreams answer a body that is too large before they have read it.
func TestDirect_AnAnswerBeforeTheBodyWasRead(t *testing.T) {
	t.Parallel()
	const refusal = `{"error":{"message":"too large"}}`
	p := newPeer(t, func(_ int64, c net.Conn, requests *bufio.Reader) {
		if _, err := http.ReadRequest(requests); err == nil { // its headers alone
			_, _ = fmt.Fprintf(c, "HTTP/1.1 413 Too Large\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(refusal), refusal)
			_, _ = c.Read(make([]byte, 1)) // and then it waits
		}
	})
	target := p.target()
	big := strings.Replace(plainBody, "hi", strings.Repeat("x", 16<<20), 1)
	call := newCall(request(t, llm.Chat, big), target)
	got := listen(t.Context(), call)
	if got.err == nil || got.err.Kind != llm.TooLarge || got.err.Status != 413 || got.err.Message != "too large" {
		t.Errorf("%+v", got.err)
	}
}

func TestDirect_ALargeBodyArrivesWhole(t *testing.T) {
	t.Parallel()
	big := strings.Replace(plainBody, "hi", strings.Repeat("é", 2<<20), 1)
	p := newPeer(t, func(_ int64, c net.Conn, requests *bufio.Reader) {
		for {
			r, err := http.ReadRequest(requests)
			if err != nil {
				return
			}
			if body, err := io.ReadAll(r.Body); err != nil || string(body) != big {
				t.Errorf("%v, %d bytes arrived of %d", err, len(body), len(big))
			}
			_, _ = io.WriteString(c, answer(plainText))
		}
	})
	target := p.target()
	for range 3 {
		if got := listen(t.Context(), newCall(request(t, llm.Chat, big), target)); got.err != nil {
			t.Error(got.err)
		}
	}
	if n := p.dials.Load(); n != 1 {
		t.Errorf("%d connections for three requests in a row", n)
	}
}

func TestDirect_ManyAtOnce(t *testing.T) {
	t.Parallel()
	up := testkit.NewUpstream(t)
	target := fake(t, up, "")
	var wait sync.WaitGroup
	for i := range 64 {
		wait.Go(func() {
			word := fmt.Sprint("word", i)
			body := strings.Replace(plainBody, "}]", `}],"user":"fake:say=`+word+`"`, 1)
			for range 8 {
				if got := listen(t.Context(), newCall(request(t, llm.Chat, body), target)); got.err != nil || !strings.Contains(got.raw, `"`+word+`"`) {
					t.Errorf("%s: %v %s", word, got.err, got.raw)
				}
			}
		})
	}
	wait.Wait()
}

// With TLS the standard transport carries the calls; the contract is the same.
func TestTLS_AnswersStreamsAndHangUps(t *testing.T) {
	t.Parallel()
	for _, h2 := range []bool{false, true} {
		t.Run(fmt.Sprint("h2 ", h2), func(t *testing.T) {
			t.Parallel()
			gone := make(chan time.Time, 1)
			srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body, err := io.ReadAll(r.Body)
				if err != nil || (r.ProtoMajor == 2) != h2 {
					t.Errorf("%v, HTTP/%d", err, r.ProtoMajor)
				}
				if !strings.Contains(string(body), `"stream":true`) {
					w.Header().Set("Content-Type", "application/json")
					_, _ = io.WriteString(w, plainText)
					return
				}
				w.Header().Set("Content-Type", "text/event-stream")
				_, _ = io.WriteString(w, sample[:len(roleChunk+helloChunk)])
				_ = http.NewResponseController(w).Flush()
				if strings.Contains(string(body), `"hold"`) {
					<-r.Context().Done()
					gone <- time.Now()
					return
				}
				_, _ = io.WriteString(w, sample[len(roleChunk+helloChunk):])
			}))
			srv.EnableHTTP2 = h2
			srv.Config.ErrorLog = log.New(io.Discard, "", 0)
			srv.StartTLS()
			t.Cleanup(srv.Close)
			transport := NewTransport(5 * time.Second)
			t.Cleanup(transport.CloseIdleConnections)
			roots := x509.NewCertPool()
			roots.AddCert(srv.Certificate())
			transport.(*direct).std.TLSClientConfig = &tls.Config{RootCAs: roots}
			target := over("tls", transport)
			base, err := url.Parse(srv.URL + "/v1")
			if err != nil {
				t.Fatal(err)
			}
			target.Speaks[0].Base = base
			for body, want := range map[string]string{plainBody: plainText, usageBody: sample} {
				if got := listen(t.Context(), newCall(request(t, llm.Chat, body), target)); got.err != nil || got.raw != want {
					t.Errorf("%v %s", got.err, got.raw)
				}
			}
			ctx, hangUp := context.WithCancel(t.Context())
			defer hangUp()
			call := newCall(request(t, llm.Chat, strings.Replace(streamBody, `"hi"`, `"hold"`, 1)), target)
			var left time.Time
			for ev, err := range call.Walk(ctx) {
				if err == nil && ev.Marks&llm.MarkContent != 0 {
					left = time.Now()
					hangUp()
				}
			}
			if took := (<-gone).Sub(left); took > 100*time.Millisecond {
				t.Errorf("the upstream was left after %s", took)
			}
			if row := call.Attempts[0]; row.Status != exchange.Canceled {
				t.Errorf("recorded %+v", row)
			}
			untrusting := over("tls", NewTransport(time.Second))
			untrusting.Speaks[0].Base = base
			if got := listen(t.Context(), newCall(request(t, llm.Chat, plainBody), untrusting)); got.err == nil || got.err.Kind != llm.Upstream {
				t.Errorf("a certificate of nobody was trusted: %v", got.err)
			}
		})
	}
}

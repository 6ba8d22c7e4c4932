package forwarder

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// pair is an upstream and the forwarder before it.
func pair(t *testing.T, upstream http.HandlerFunc) *httptest.Server {
	t.Helper()
	behind := httptest.NewServer(upstream)
	t.Cleanup(behind.Close)
	base, err := url.Parse(behind.URL)
	if err != nil {
		t.Fatal(err)
	}
	front := httptest.NewServer(Handler(base))
	t.Cleanup(front.Close)
	return front
}

func TestHandler_PassesEverythingOn(t *testing.T) {
	t.Parallel()
	front := pair(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("X-Seen", r.Method+" "+r.URL.RequestURI()+" "+r.Header.Get("Authorization"))
		w.WriteHeader(http.StatusTeapot)
		fmt.Fprintf(w, "got %s", body)
	})
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, front.URL+"/v1/x?y=1", strings.NewReader("tea"))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer k")
	res, err := front.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, _ := io.ReadAll(res.Body)
	if res.StatusCode != http.StatusTeapot || string(body) != "got tea" || res.Header.Get("X-Seen") != "POST /v1/x?y=1 Bearer k" {
		t.Errorf("%d %q %q", res.StatusCode, body, res.Header.Get("X-Seen"))
	}
}

// The upstream sends its second piece only once the client has the first: a
// forwarder that buffers would hang here.
func TestHandler_FlushesEventStreams(t *testing.T) {
	t.Parallel()
	seen := make(chan struct{})
	front := pair(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
		fmt.Fprint(w, "data: 1\n\n")
		_ = http.NewResponseController(w).Flush()
		select {
		case <-seen:
			fmt.Fprint(w, "data: 2\n\n")
		case <-r.Context().Done():
		}
	})
	res, err := front.Client().Get(front.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	first := make([]byte, len("data: 1\n\n"))
	if _, err := io.ReadFull(res.Body, first); err != nil {
		t.Fatal(err)
	}
	close(seen)
	rest, err := io.ReadAll(res.Body)
	if string(first)+string(rest) != "data: 1\n\ndata: 2\n\n" || err != nil {
		t.Errorf("%q %q %v", first, rest, err)
	}
}

func TestHandler_SaysThatNothingAnswers(t *testing.T) {
	t.Parallel()
	behind := httptest.NewServer(http.NotFoundHandler())
	base, err := url.Parse(behind.URL)
	if err != nil {
		t.Fatal(err)
	}
	behind.Close()
	front := httptest.NewServer(Handler(base))
	defer front.Close()
	res, err := front.Client().Get(front.URL)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusBadGateway {
		t.Errorf("status %d, want 502", res.StatusCode)
	}
}

func TestHandler_CutsWhatTheUpstreamCut(t *testing.T) {
	t.Parallel()
	front := pair(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprint(w, "data: 1\n\n")
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	})
	res, err := front.Client().Get(front.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if body, err := io.ReadAll(res.Body); err == nil {
		t.Errorf("a cut answer came whole: %q", body)
	}
}

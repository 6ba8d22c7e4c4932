package upstream

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// start serves on a free port until the test ends.
func start(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return "http://" + l.Addr().String() + "/v1/chat/completions"
}

func TestBody_IsValidAndCarriesItsAsk(t *testing.T) {
	t.Parallel()
	want := Ask{Stream: true, Chunks: 66, Think: 250 * time.Millisecond, Gap: 2 * time.Millisecond}
	for _, size := range []int{0, 400, 2048, 2049, 2050, 2051, 2052, 2053, 220 << 10} {
		body := want.Body("assistant", size)
		var r struct {
			Model    string
			Messages []struct{ Role, Content string }
		}
		if err := json.Unmarshal(body, &r); err != nil || r.Model != "assistant" {
			t.Errorf("a body of %d bytes cannot be read: %v", size, err)
		}
		if d := len(body) - size; size >= 2048 && (d < -8 || d > 60) {
			t.Errorf("a body of %d bytes has %d", size, len(body))
		}
		got, err := parseAsk(body[:min(len(body), askBytes)])
		if err != nil || got != want {
			t.Errorf("the ask came back as %+v, %v", got, err)
		}
	}
}

func TestParseAsk_RefusesWhatNoBenchmarkSends(t *testing.T) {
	t.Parallel()
	for _, body := range []string{
		"", `{}`, `{"user":"me"}`, `{"stream":true,"user":"chunks=1 think=0 gap=0"}`,
		`{"user":"chunks=9999999 think=0 gap=0"}`,
	} {
		if _, err := parseAsk([]byte(body)); err == nil {
			t.Errorf("parseAsk(%s) gave no error", body)
		}
	}
}

func TestServe_AnswersPlain(t *testing.T) {
	t.Parallel()
	url := start(t)
	for range 3 { // on one connection
		res, err := http.Post(url, "application/json", bytes.NewReader(Ask{}.Body("m", 220<<10)))
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil || len(body) != AnswerBytes || !json.Valid(body) {
			t.Fatalf("answer of %d bytes, valid %v, %v", len(body), json.Valid(body), err)
		}
	}
}

func TestServe_StreamsEveryChunkWithItsTime(t *testing.T) {
	t.Parallel()
	before := time.Now().UnixNano()
	res, err := http.Post(start(t), "application/json", bytes.NewReader(Ask{Stream: true, Chunks: 66}.Body("m", 2048)))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var kinds []string
	stamps := 0
	for lines := bufio.NewScanner(res.Body); lines.Scan(); {
		data, ok := strings.CutPrefix(lines.Text(), "data: ")
		if !ok || data == "[DONE]" {
			kinds = append(kinds, data)
			continue
		}
		if !json.Valid([]byte(data)) {
			t.Fatalf("not JSON: %s", data)
		}
		if _, content, ok := strings.Cut(data, StampField); ok && len(content) > StampDigits && content[0] != '"' {
			at, err := strconv.ParseInt(content[:StampDigits], 10, 64)
			if err != nil || at < before || at > time.Now().UnixNano() {
				t.Fatalf("sent at %d, %v", at, err)
			}
			stamps++
		}
	}
	if stamps != 64 {
		t.Errorf("%d chunks of content, want 64", stamps)
	}
	want := append(make([]string, 67), "[DONE]", "") // the blank lines behind 66 chunks and usage
	if diff := cmp.Diff(want, kinds); diff != "" {
		t.Error(diff)
	}
}

func TestServe_RefusesABodyWithoutLength(t *testing.T) {
	t.Parallel()
	res, err := http.Post(start(t), "application/json", io.MultiReader(strings.NewReader("{}")))
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusBadRequest {
		t.Errorf("status %d, want 400", res.StatusCode)
	}
}

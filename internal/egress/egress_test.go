package egress

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// stand is a file server with faults, one per request in their order; after the
// last one it serves well.
type stand struct {
	content []byte
	etag    string
	mu      sync.Mutex
	faults  []func(w http.ResponseWriter, r *http.Request) (done bool)
	ranges  []string
}

func (s *stand) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.ranges = append(s.ranges, r.Header.Get("Range"))
	var fault func(http.ResponseWriter, *http.Request) bool
	if len(s.faults) > 0 {
		fault, s.faults = s.faults[0], s.faults[1:]
	}
	content, etag := s.content, s.etag
	s.mu.Unlock()
	if fault != nil && fault(w, r) {
		return
	}
	if etag != "" {
		w.Header().Set("ETag", etag)
	}
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(content))
}

func (s *stand) asked() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ranges
}

// cutAt claims the whole length, sends n bytes and hangs up.
func (s *stand) cutAt(n int) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, _ *http.Request) bool {
		if s.etag != "" {
			w.Header().Set("ETag", s.etag)
		}
		w.Header().Set("Content-Length", fmt.Sprint(len(s.content)))
		_, _ = w.Write(s.content[:n])
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}
}

func answer(status int, headers ...string) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, _ *http.Request) bool {
		for i := 0; i < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(status)
		return true
	}
}

func randomBytes(seed uint64, n int) []byte {
	b := make([]byte, n)
	r := rand.NewChaCha8([32]byte{byte(seed)})
	_, _ = r.Read(b)
	return b
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

func start(t *testing.T, s *stand) (Downloader, Request) {
	t.Helper()
	srv := httptest.NewServer(s)
	t.Cleanup(srv.Close)
	d := Default()
	d.Wait, d.MaxWait = time.Millisecond, 2*time.Millisecond
	return d, Request{URL: srv.URL + "/file?token=hidden", Dest: filepath.Join(t.TempDir(), "file"), SHA256: digest(s.content)}
}

// wantFile checks the result, and that nothing else lies beside it.
func wantFile(t *testing.T, r Request, want []byte) {
	t.Helper()
	got, err := os.ReadFile(r.Dest)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("the file has %d bytes (error %v), want the %d served", len(got), err, len(want))
	}
	wantOnly(t, r, "file")
}

func wantOnly(t *testing.T, r Request, names ...string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(r.Dest))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	if strings.Join(got, " ") != strings.Join(names, " ") {
		t.Errorf("the folder holds %v, want %v", got, names)
	}
}

func TestDownload_GetsTheFileInSpiteOf(t *testing.T) {
	t.Parallel()
	const size = 600_000
	for name, c := range map[string]struct {
		etag   string
		faults func(s *stand) []func(http.ResponseWriter, *http.Request) bool
		ranges []string
	}{
		"nothing":          {ranges: []string{""}},
		"cut connections":  {"", func(s *stand) []func(http.ResponseWriter, *http.Request) bool { return list(s.cutAt(300_000)) }, []string{"", "bytes=300000-"}},
		"a cut, with ETag": {`"v1"`, func(s *stand) []func(http.ResponseWriter, *http.Request) bool { return list(s.cutAt(300_000)) }, []string{"", "bytes=300000-"}},
		"a busy server": {"", func(*stand) []func(http.ResponseWriter, *http.Request) bool {
			return list(answer(503), answer(429, "Retry-After", "1"))
		}, []string{"", "", ""}},
		"no ranges": {"", func(s *stand) []func(http.ResponseWriter, *http.Request) bool {
			return list(s.cutAt(300_000), s.wholeAlways)
		}, []string{"", "bytes=300000-"}},
		"a wrong piece": {"", func(s *stand) []func(http.ResponseWriter, *http.Request) bool {
			return list(s.cutAt(300_000), answer(206, "Content-Range", "bytes 5-9/600000"))
		}, []string{"", "bytes=300000-", ""}},
		"nonsense range": {"", func(s *stand) []func(http.ResponseWriter, *http.Request) bool {
			return list(s.cutAt(300_000), answer(206, "Content-Range", "bytes zero"))
		}, []string{"", "bytes=300000-", ""}},
		"contradictions": {"", func(s *stand) []func(http.ResponseWriter, *http.Request) bool {
			return list(s.cutAt(300_000), answer(206, "Content-Range", "bytes 300000-599999/600000", "Content-Length", "400000"))
		}, []string{"", "bytes=300000-", ""}},
		"another length": {"", func(s *stand) []func(http.ResponseWriter, *http.Request) bool {
			return list(s.cutAt(300_000), answer(206, "Content-Range", "bytes 300000-699999/700000"))
		}, []string{"", "bytes=300000-", ""}},
		"a 416 that lies": {"", func(s *stand) []func(http.ResponseWriter, *http.Request) bool {
			return list(s.cutAt(300_000), answer(416, "Content-Range", "bytes */100"))
		}, []string{"", "bytes=300000-", ""}},
		"an unknown length": {"", func(s *stand) []func(http.ResponseWriter, *http.Request) bool { return list(s.chunked) }, []string{""}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &stand{content: randomBytes(1, size), etag: c.etag}
			if c.faults != nil {
				s.faults = c.faults(s)
			}
			d, r := start(t, s)
			var last int64
			r.Progress = func(done, _ int64) { last = done }
			if err := d.Download(t.Context(), r); err != nil {
				t.Fatal(err)
			}
			wantFile(t, r, s.content)
			if last != size {
				t.Errorf("progress ended at %d of %d", last, size)
			}
			if got := s.asked(); fmt.Sprint(got) != fmt.Sprint(c.ranges) {
				t.Errorf("ranges asked: %q, want %q", got, c.ranges)
			}
		})
	}
}

func list(f ...func(http.ResponseWriter, *http.Request) bool) []func(http.ResponseWriter, *http.Request) bool {
	return f
}

// wholeAlways is a server that does not know ranges.
func (s *stand) wholeAlways(w http.ResponseWriter, _ *http.Request) bool {
	_, _ = w.Write(s.content)
	return true
}

// chunked is a server that does not say how much is to come.
func (s *stand) chunked(w http.ResponseWriter, _ *http.Request) bool {
	w.(http.Flusher).Flush()
	_, _ = w.Write(s.content)
	return true
}

func TestDownload_ContentChangesBetweenTries(t *testing.T) {
	t.Parallel()
	for _, etag := range []string{"", `"v2"`} {
		before, after := randomBytes(1, 500_000), randomBytes(2, 500_000)
		s := &stand{content: before, etag: strings.Replace(etag, "2", "1", 1)}
		s.faults = list(func(w http.ResponseWriter, r *http.Request) bool {
			cut := s.cutAt(200_000)
			defer func() {
				s.mu.Lock()
				s.content, s.etag = after, etag
				s.mu.Unlock()
			}()
			return cut(w, r)
		})
		d, r := start(t, s)
		r.SHA256 = digest(after)
		if err := d.Download(t.Context(), r); err != nil {
			t.Fatalf("ETag %q: %v", etag, err)
		}
		wantFile(t, r, after)
		// With an ETag the second answer is whole; without, a third try must be.
		if want := map[string]int{"": 3, `"v2"`: 2}[etag]; len(s.asked()) != want {
			t.Errorf("ETag %q: %d requests, want %d", etag, len(s.asked()), want)
		}
	}
}

func TestDownload_RefusesAndKeepsNothing(t *testing.T) {
	t.Parallel()
	content := randomBytes(1, 100_000)
	for name, c := range map[string]struct {
		change func(*Request)
		fault  func(http.ResponseWriter, *http.Request) bool
		says   string
	}{
		"another digest":      {func(r *Request) { r.SHA256 = strings.Repeat("ab", 32) }, nil, digest(content) + ", want " + strings.Repeat("ab", 32)},
		"another size":        {func(r *Request) { r.Size = 99_999 }, nil, "has 100000 bytes, want 99999"},
		"too large":           {func(r *Request) { r.MaxBytes = 10 }, nil, "more than the 10 allowed"},
		"too large, unsaid":   {func(r *Request) { r.MaxBytes = 10 }, (&stand{content: content}).chunked, "more than 10 bytes came"},
		"not found":           {nil, answer(404), "404 Not Found"},
		"no key":              {nil, answer(401), "401 Unauthorized; check the address and whether it needs a key"},
		"length cut to shape": {nil, func(w http.ResponseWriter, _ *http.Request) bool { _, _ = w.Write(content[:50]); return true }, "nothing was kept"},
		"no digest":           {func(r *Request) { r.SHA256 = "" }, nil, "64 hex digits"},
		"no address":          {func(r *Request) { r.URL = "file:///etc/passwd" }, nil, "not an http or https address"},
		"no destination":      {func(r *Request) { r.Dest = "" }, nil, "no destination"},
		"size over the bound": {func(r *Request) { r.Size, r.MaxBytes = 20, 10 }, nil, "more than the 10 allowed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &stand{content: content}
			if c.fault != nil {
				s.faults = list(c.fault)
			}
			d, r := start(t, s)
			dest := r.Dest
			if c.change != nil {
				c.change(&r)
			}
			err := d.Download(t.Context(), r)
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v, want an error with %q", err, c.says)
			}
			if err != nil && strings.Contains(err.Error(), "hidden") {
				t.Errorf("the error shows the query: %v", err)
			}
			if _, err := os.Stat(dest); err == nil {
				t.Error("a file was made")
			}
			if err != nil && !strings.Contains(c.says, "bytes came") {
				wantOnly(t, Request{Dest: dest})
			}
		})
	}
}

func TestDownload_DigestErrorIsTypedAndPartIsGone(t *testing.T) {
	t.Parallel()
	s := &stand{content: []byte("something else")}
	d, r := start(t, s)
	r.SHA256 = digest([]byte("what was meant"))
	err := d.Download(t.Context(), r)
	var wrong *DigestError
	if !errors.As(err, &wrong) || wrong.Got != digest(s.content) || wrong.Want != r.SHA256 {
		t.Errorf("got %v, want a DigestError with both digests", err)
	}
	wantOnly(t, r)
}

func TestDownload_GivesUpOnADeadLineAndGoesOnNextTime(t *testing.T) {
	t.Parallel()
	s := &stand{content: randomBytes(1, 400_000)}
	d, r := start(t, s)
	d.Failures = 3
	s.faults = list(s.cutAt(150_000), answer(500), answer(502), answer(503))
	err := d.Download(t.Context(), r)
	if err == nil || !strings.Contains(err.Error(), "at 150000 bytes") || !strings.Contains(err.Error(), "run it again") {
		t.Fatalf("got %v, want it to give up at 150000 bytes and say the next step", err)
	}
	wantOnly(t, r, "file.part", "file.part.json")
	s.faults = nil
	if err := d.Download(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	wantFile(t, r, s.content)
	if got := s.asked(); got[len(got)-1] != "bytes=150000-" {
		t.Errorf("the last request asked for %q, want the rest only", got[len(got)-1])
	}
}

func TestDownload_CancelKeepsThePart(t *testing.T) {
	t.Parallel()
	s := &stand{content: randomBytes(1, 400_000)}
	ctx, cancel := context.WithCancel(t.Context())
	s.faults = list(func(w http.ResponseWriter, r *http.Request) bool {
		w.Header().Set("Content-Length", "400000")
		_, _ = w.Write(s.content[:100_000])
		w.(http.Flusher).Flush()
		<-r.Context().Done()
		return true
	})
	d, r := start(t, s)
	r.Progress = func(done, _ int64) {
		if done >= 100_000 {
			cancel()
		}
	}
	if err := d.Download(ctx, r); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v, want canceled", err)
	}
	wantOnly(t, r, "file.part", "file.part.json")
	r.Progress = nil
	if err := d.Download(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	wantFile(t, r, s.content)
	if got := s.asked(); got[1] != "bytes=100000-" {
		t.Errorf("the second call asked for %q", got[1])
	}
}

func TestDownload_SilenceCountsAsACut(t *testing.T) {
	t.Parallel()
	s := &stand{content: randomBytes(1, 400_000)}
	s.faults = list(func(w http.ResponseWriter, r *http.Request) bool {
		w.Header().Set("Content-Length", "400000")
		w.(http.Flusher).Flush()
		<-r.Context().Done()
		return true
	})
	d, r := start(t, s)
	d.Idle = 100 * time.Millisecond
	if err := d.Download(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	wantFile(t, r, s.content)
}

func TestDownload_PartOfAnotherFileIsNotUsed(t *testing.T) {
	t.Parallel()
	s := &stand{content: randomBytes(1, 1000)}
	d, r := start(t, s)
	for path, text := range map[string]string{r.Dest + ".part": "old", r.Dest + ".part.json": `{"sha256":"` + digest([]byte("old file")) + `","total":8}`} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.Download(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	wantFile(t, r, s.content)
	if got := s.asked(); got[0] != "" {
		t.Errorf("the first request asked for %q, want everything", got[0])
	}
}

func TestDownload_AWholePartAndAWholeFileNeedNoBytes(t *testing.T) {
	t.Parallel()
	s := &stand{content: randomBytes(1, 1000)}
	d, r := start(t, s)
	// A process that died between the last byte and the rename, before it noted
	// the length: the server answers 416 with the size.
	if err := os.WriteFile(r.Dest+".part", s.content, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(r.Dest+".part.json", []byte(`{"sha256":"`+r.SHA256+`","total":-1}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := d.Download(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		wantFile(t, r, s.content)
	}
	if got := s.asked(); len(got) != 1 || got[0] != "bytes=1000-" {
		t.Errorf("asked for %q, want one look at the end", got)
	}
}

func TestDownload_TwoAtOnceGiveOneFile(t *testing.T) {
	t.Parallel()
	s := &stand{content: randomBytes(1, 500_000)}
	s.faults = list(s.cutAt(10_000), s.cutAt(20_000))
	d, r := start(t, s)
	errs := make(chan error)
	for range 2 {
		go func() { errs <- d.Download(t.Context(), r) }()
	}
	for range 2 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	wantFile(t, r, s.content)
}

func FuzzContentRange(f *testing.F) {
	for _, s := range []string{"bytes 0-4/5", "bytes */10", "bytes 5-4/9", "bytes 1-2/*", "", "bytes -1-2/3"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, h string) {
		from, total, ok := contentRange(h)
		if ok && total >= 0 && from >= total && from > 0 {
			t.Errorf("%q gave from %d of %d", h, from, total)
		}
	})
}

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/testkit"
)

// What the crash test does: so many clients ask until the server is killed, at a
// moment between these two.
const (
	crashClients  = 16
	crashEarliest = 1300 * time.Millisecond
	crashLatest   = 2 * time.Second
	// mayMiss is what the product promises to lose at most.
	mayMiss = time.Second
)

// answer is one that a client has read to its end.
type answer struct {
	id string
	at time.Time
}

// TestUp_KeepsTheRecordThroughKill kills a server under load, twice, and counts rows.
func TestUp_KeepsTheRecordThroughKill(t *testing.T) {
	t.Parallel()
	upstream := testkit.NewUpstream(t)
	dir := t.TempDir()
	// The binary that users have: under the race detector SQLite is a hundred times
	// slower, and a promise about a second means nothing.
	program := filepath.Join(t.TempDir(), "fairlead")
	if out, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	write(t, filepath.Join(dir, "fairlead.yaml"), fmt.Sprintf("targets:\n  cheap: { provider: openai-compatible, base_url: %q, model: fake }\n", upstream.BaseURL()))
	var logs strings.Builder
	due := map[string]time.Duration{} // id → how long before the kill it was answered
	for round := range 2 {
		p, url := serveBy(t, program, dir, nil)
		moment := crashEarliest + rand.N(crashLatest-crashEarliest)
		stalled := witness(t, dir)
		answers, killed := loadUntilKilled(t, p, url, firstKey(t, dir), moment)
		window := mayMiss + stalled()
		logs.WriteString(p.stderr.String())
		young := 0
		for _, a := range answers {
			if age := killed.Sub(a.at); age > window {
				due[a.id] = age
			} else {
				young++
			}
		}
		t.Logf("round %d: killed after %v with %d answers older than %v and %d younger", round+1, moment, len(answers)-young, window, young)
	}

	p, url := serveBy(t, program, dir, nil)
	rows := allRows(t, url, firstKey(t, dir))
	seen, upstreamIDs := map[string]bool{}, map[string]bool{}
	for _, r := range rows {
		if seen[r.ID] || r.AnswerID != "" && upstreamIDs[r.AnswerID] {
			t.Errorf("exchange %s (%s) is there twice", r.ID, r.AnswerID)
		}
		seen[r.ID], upstreamIDs[r.AnswerID] = true, true
		if len(r.Attempts) != 1 {
			t.Errorf("exchange %s has %d attempts, want 1", r.ID, len(r.Attempts))
		}
	}
	if len(due) == 0 {
		t.Error("no answer was old enough to prove anything")
	}
	missing, oldest := 0, time.Duration(0)
	for id, age := range due {
		if !seen[id] {
			missing++
			oldest = max(oldest, age)
		}
	}
	if missing > 0 {
		t.Errorf("%d of %d exchanges that were answered more than %v before a kill are missing, the oldest %v; the log:\n%s", missing, len(due), mayMiss, oldest, &logs)
	}
	t.Logf("%d rows, all %d that are due among them", len(rows), len(due))
	if log := p.stderr.String(); strings.Contains(log, "level=ERROR") {
		t.Errorf("the start after a kill has errors:\n%s", log)
	}
}

// witness writes to the same disk all the while and tells by how much the longest
// write, or the wait for its turn, was late: what the machine itself held up, no
// server can make good.
func witness(t *testing.T, dir string) (stalled func() time.Duration) {
	t.Helper()
	f, err := os.Create(filepath.Join(dir, "witness"))
	if err != nil {
		t.Fatal(err)
	}
	const every = 10 * time.Millisecond
	stop, longest := make(chan struct{}), make(chan time.Duration)
	go func() {
		tick := time.NewTicker(every)
		defer tick.Stop()
		var late time.Duration
		for last := time.Now(); ; {
			select {
			case <-tick.C:
				_, _ = f.Write(make([]byte, 8192)) // a failure would be seen by the server, too
				late, last = max(late, time.Since(last)-every), time.Now()
			case <-stop:
				longest <- max(late, time.Since(last)-every)
				return
			}
		}
	}()
	return func() time.Duration {
		close(stop)
		late := <-longest
		_ = f.Close()
		return late.Round(time.Millisecond)
	}
}

// loadUntilKilled asks from many clients at once, streamed and not, and kills.
func loadUntilKilled(t *testing.T, p *process, url, key string, after time.Duration) (answers []answer, killed time.Time) {
	t.Helper()
	var mu sync.Mutex
	var clients sync.WaitGroup
	first := make(chan struct{})
	answered := sync.OnceFunc(func() { close(first) })
	for i := range crashClients {
		clients.Go(func() {
			client := &http.Client{Transport: &http.Transport{}, Timeout: patience}
			defer client.CloseIdleConnections()
			for {
				id, err := ask(client, url, key, i%4 == 0)
				if err != nil {
					return // the kill; that it was no other failure shows in the count
				}
				mu.Lock()
				answers = append(answers, answer{id, time.Now()})
				mu.Unlock()
				answered()
			}
		})
	}
	select {
	case <-first:
	case <-time.After(patience):
		t.Fatalf("no answer comes:\n%s", p.stderr)
	}
	<-time.After(after) // the moment is the test's input, not a wait for something
	killed = time.Now()
	p.kill()
	clients.Wait()
	return answers, killed
}

// ask gives the exchange's id once the answer was read to its end.
func ask(client *http.Client, url, key string, stream bool) (id string, err error) {
	body := fmt.Sprintf(`{"model":"cheap","messages":[{"role":"user","content":"hello"}],"stream":%t}`, stream)
	req, err := http.NewRequest(http.MethodPost, url+"/v1/chat/completions", strings.NewReader(body))
	if err != nil {
		return "", err
	}
	req.Header.Set("Authorization", "Bearer "+key)
	res, err := client.Do(req)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err == nil && (res.StatusCode != http.StatusOK || stream && !strings.Contains(string(text), "[DONE]")) {
		err = fmt.Errorf("HTTP %d: %s", res.StatusCode, text)
	}
	return res.Header.Get(headerID), err
}

type row struct {
	ID       string            `json:"id"`
	AnswerID string            `json:"answer_id"`
	Attempts []json.RawMessage `json:"attempts"`
}

// allRows walks through the pages.
func allRows(t *testing.T, url, key string) (rows []row) {
	t.Helper()
	c := &client{base: url, key: key, http: &http.Client{}}
	for after := ""; ; {
		var page struct {
			Data []row   `json:"data"`
			Next *string `json:"next"`
		}
		if err := c.get(t.Context(), "/v1/exchanges?limit=1000&after="+after, &page); err != nil {
			t.Fatal(err)
		}
		rows = append(rows, page.Data...)
		if page.Next == nil {
			return rows
		}
		after = *page.Next
	}
}

func firstKey(t testing.TB, dir string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, "data", "first-key"))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(b))
}

func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// grep gives the lines that hold a word.
func grep(text, word string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if strings.Contains(line, word) {
			b.WriteString(line)
		}
	}
	return b.String()
}

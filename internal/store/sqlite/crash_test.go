package sqlite

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/ledger"
	"github.com/fairlead/fairlead/internal/store/storetest"
)

// crashEnv names the database that this test binary, started again, fills until it is
// killed.
const crashEnv = "FAIRLEAD_CRASH_DB"

// appendForever records 1,000 exchanges a second through a real ledger. On stdout it
// tells the id of each, when it was recorded, and how many were written by then.
func appendForever(path string) {
	d, err := Open(context.Background(), path)
	if err != nil {
		panic(err)
	}
	l := ledger.New(d, ledger.Default(), slog.New(slog.DiscardHandler))
	go func() { panic(l.Run(context.Background())) }()
	tr := storetest.NewTraffic(uint64(time.Now().UnixNano()), time.Millisecond)
	for tick := time.NewTicker(5 * time.Millisecond); ; <-tick.C {
		for range 5 {
			x := tr.Next()
			id := x.ID
			l.Record(x)
			fmt.Fprintf(os.Stdout, "%s %d %d\n", id, time.Now().UnixNano(), l.Stats().Written)
		}
	}
}

// TestKill_LosesAtMostTheLastSecond kills a process in the middle of its work, three
// times over the same file. What the ledger called written is there; so is what was
// recorded more than a second before the kill; nothing is there twice.
func TestKill_LosesAtMostTheLastSecond(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "fairlead.db")
	there := 0
	for round := range 3 {
		child := runAndKill(t, path, 1100+300*round)
		d, err := Open(context.Background(), path)
		if err != nil {
			t.Fatal(err)
		}
		lost := 0
		for i, id := range child.ids {
			_, err := d.Get(context.Background(), id, ledger.All())
			if err == nil {
				there++
				continue
			}
			lost++
			if i < child.written {
				t.Errorf("round %d: %s is the %dth of %d that were written, and is lost: %v", round, id, i, child.written, err)
			}
			if age := child.killed.Sub(child.at[i]); age > time.Second && !raceDetector {
				t.Errorf("round %d: %s was recorded %s before the kill and is lost: %v", round, id, age, err)
			}
		}
		var rows, ids, sums int
		if err := d.read.QueryRow("SELECT count(*), count(DISTINCT id), (SELECT sum(requests) FROM hours) FROM exchanges").Scan(&rows, &ids, &sums); err != nil {
			t.Fatal(err)
		}
		if rows != ids || rows != sums || rows < there || there == 0 {
			t.Errorf("round %d: %d rows, %d ids, %d in the sums, %d known of", round, rows, ids, sums, there)
		}
		t.Logf("round %d: %d recorded, %d told as written, %d lost", round, len(child.ids), child.written, lost)
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// told is what a child said before it was killed.
type told struct {
	ids     []string
	at      []time.Time // when each was recorded
	written int         // how many the ledger had written at the last word
	killed  time.Time
}

// runAndKill lets a child record n exchanges, and write some of them, and kills it.
func runAndKill(t *testing.T, path string, n int) told {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), crashEnv+"="+path)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var c told
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		var ns int64
		var written int
		if len(fields) != 3 {
			continue // the line that the kill cut
		}
		if _, err := fmt.Sscan(fields[1]+" "+fields[2], &ns, &written); err != nil {
			continue
		}
		c.ids, c.at, c.written = append(c.ids, fields[0]), append(c.at, time.Unix(0, ns)), written
		if len(c.ids) >= n && written > 0 && c.killed.IsZero() {
			c.killed = time.Now()
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := cmd.Wait(); err == nil || c.killed.IsZero() {
		t.Fatalf("the child ended by itself after %d of %d exchanges: %v", len(c.ids), n, err)
	}
	return c
}

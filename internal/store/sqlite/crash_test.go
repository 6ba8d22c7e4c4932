package sqlite

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"log/slog"

	"github.com/fairlead/fairlead/internal/ledger"
	"github.com/fairlead/fairlead/internal/store/storetest"
)

// crashEnv names the database that this test binary, started again, fills until it is
// killed.
const crashEnv = "FAIRLEAD_CRASH_DB"

// appendForever records exchanges through a real ledger and tells on stdout the id of
// each, and when.
func appendForever(path string) {
	d, err := Open(context.Background(), path)
	if err != nil {
		panic(err)
	}
	l := ledger.New(d, ledger.Default(), slog.New(slog.DiscardHandler))
	go func() { panic(l.Run(context.Background())) }()
	tr := storetest.NewTraffic(uint64(time.Now().UnixNano()), time.Millisecond)
	out := bufio.NewWriterSize(os.Stdout, 64)
	for tick := time.NewTicker(time.Millisecond); ; <-tick.C {
		for range 5 {
			x := tr.Next()
			id := x.ID
			l.Record(x)
			fmt.Fprintf(out, "%s %d\n", id, time.Now().UnixNano())
		}
		out.Flush()
	}
}

// TestKill_LosesAtMostTheLastSecond kills a process in the middle of its work, three
// times over the same file.
func TestKill_LosesAtMostTheLastSecond(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "fairlead.db")
	var all []string
	for round := range 3 {
		recorded, killed := killed(t, path, 2500+500*round)
		d, err := Open(context.Background(), path)
		if err != nil {
			t.Fatal(err)
		}
		lost := 0
		for _, r := range recorded {
			_, err := d.Get(context.Background(), r.id, ledger.All())
			if err == nil {
				all = append(all, r.id)
				continue
			}
			lost++
			if age := killed.Sub(r.at); age > time.Second {
				t.Errorf("round %d: %s was recorded %s before the kill and is lost: %v", round, r.id, age, err)
			}
		}
		var rows, ids, sums int
		if err := d.read.QueryRow("SELECT count(*), count(DISTINCT id), (SELECT sum(requests) FROM hours) FROM exchanges").Scan(&rows, &ids, &sums); err != nil {
			t.Fatal(err)
		}
		if rows != ids || rows != sums || rows < len(all) {
			t.Errorf("round %d: %d rows, %d ids, %d in the sums, %d known of", round, rows, ids, sums, len(all))
		}
		t.Logf("round %d: %d recorded, %d lost, all of the last second", round, len(recorded), lost)
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

type recorded struct {
	id string
	at time.Time
}

// killed runs a child until it has recorded n exchanges and kills it.
func killed(t *testing.T, path string, n int) ([]recorded, time.Time) {
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
	var list []recorded
	var at time.Time
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		id, nanos, ok := strings.Cut(lines.Text(), " ")
		var ns int64
		if _, err := fmt.Sscan(nanos, &ns); !ok || err != nil {
			continue // the line that the kill cut
		}
		list = append(list, recorded{id, time.Unix(0, ns)})
		if len(list) == n {
			at = time.Now()
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := cmd.Wait(); err == nil || len(list) < n {
		t.Fatalf("the child ended by itself after %d of %d exchanges: %v", len(list), n, err)
	}
	return list, at
}

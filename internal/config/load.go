package config

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/fairlead/fairlead/internal/catalog"
	"github.com/fairlead/fairlead/internal/config/strict"
	"github.com/fairlead/fairlead/internal/dialect"
)

// Problem is one mistake in a configuration file.
type Problem = strict.Problem

// Problems are all mistakes of a file: an error whose text has a line for each,
// "fairlead.yaml:12:5: targets.cheap: unknown key …".
type Problems = strict.Problems

// Sources are what a configuration refers to beside its own text.
type Sources struct {
	Providers Providers
	// Dialects are the names of those that can be spoken.
	Dialects []string
	// Env looks up an environment variable.
	Env func(name string) (value string, ok bool)
	// ReadFile gives a file's content; one that is longer than limit is an error.
	ReadFile func(path string, limit int64) ([]byte, error)
}

// Providers is what is known about providers; *catalog.Catalog is one.
type Providers interface {
	Provider(name string) (*catalog.Provider, bool) // by id or alias
	Providers() []*catalog.Provider                 // by id
	Overlay(rows []catalog.Row) (*catalog.Catalog, error)
}

// System is the machine's own environment and files, and the given catalog.
func System(providers Providers) *Sources {
	return &Sources{
		Providers: providers,
		Dialects:  dialect.Names(),
		Env:       os.LookupEnv,
		ReadFile:  readFile,
	}
}

func readFile(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(text)) > limit {
		err = fmt.Errorf("%s is longer than %d bytes", path, limit)
	}
	return text, err
}

// Load reads and checks a configuration file. Mistakes in it are Problems, all of
// them; a file that cannot be read is another error.
func Load(path string, from *Sources) (*Config, error) {
	text, err := from.ReadFile(path, strict.MaxSize)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("there is no configuration at %s: name another, or let `fairlead up` without one use what is found on this machine: %w", path, err)
	case err != nil:
		return nil, fmt.Errorf("read the configuration: %w", err)
	}
	return Parse(path, text, from)
}

// Parse checks the text of a configuration file; path is what it is called and
// where relative paths in it start.
func Parse(path string, text []byte, from *Sources) (*Config, error) {
	cfg := Default()
	places, problems := strict.Decode(text, cfg, strict.Options{File: path, Expand: from.expand})
	cfg.Origin = Origin{Path: path, digest: sha256.Sum256(text)}
	c := &checker{cfg: cfg, from: from, places: places, dir: filepath.Dir(path), problems: problems}
	c.config()
	if err := c.problems.Sorted().Err(); err != nil {
		return nil, err
	}
	cfg.Origin.Warnings = c.warnings.Sorted()
	return cfg, nil
}

// Schema is the JSON Schema (draft 2020-12) of configuration files, for editors.
func Schema() []byte {
	text, err := strict.Schema(Default(), strict.Head{
		ID:          "https://github.com/fairlead/fairlead/fairlead.schema.json",
		Title:       "fairlead.yaml",
		Description: "The configuration of Fairlead.",
	})
	if err != nil {
		panic(err) // the types hold nothing that JSON cannot; the tests would have failed
	}
	return text
}

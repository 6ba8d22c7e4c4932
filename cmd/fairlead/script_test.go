package main

import (
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/fairlead/fairlead/internal/testkit"
)

// binary is the name under which the test binary is the program itself. Scripts
// write fairlead, which runs it; so a child can be killed like any process.
const binary = "fairlead-under-test"

// The secrets that every script may use. None may ever be seen in an output, a log
// or the database; see script.watch.
const (
	upstreamKey = "sk-upstream-4711-do-not-tell"
	appKey      = "app-key-4711-do-not-tell"
)

// race tells the race detector not to sleep for a second at each program's end.
const race = "atexit_sleep_ms=0"

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		binary:   func() { os.Exit(run()) },
		diskRole: func() { os.Exit(onSmallDisk()) },
	})
}

// TestScript runs testdata/script/*.txtar, each beside a fake upstream of its own.
// What a script can say beyond testscript's own commands stands in commands.
func TestScript(t *testing.T) {
	t.Parallel()
	testscript.Run(t, params(testscript.Params{Dir: filepath.Join("testdata", "script")}))
}

func params(p testscript.Params) testscript.Params {
	p.Setup, p.Condition, p.Cmds = prepare, condition, commands
	p.RequireUniqueNames = true
	p.UpdateScripts = flag.Lookup("update").Value.String() == "true" // testkit's flag
	return p
}

// commands are what scripts can say:
//
//	fairlead ARGS…           runs the program; with ! it must fail
//	code N                   the exit code of the last fairlead
//	up [ARGS…]               starts `fairlead up` on a free port and waits for it; sets URL, PORT and KEY
//	start NAME PROGRAM ARGS… starts any program; up's name is up
//	sees NAME PATTERN        waits until its output matches
//	signal NAME SIGNAL       HUP, INT, TERM or KILL
//	ends NAME N              waits for its end with this exit code (-1: by signal); its output is then stdout and stderr
//	http [-key K] [-header H]… METHOD PATH [FILE]  asks the server; status, headers and body are stdout
//	json PATH VALUE          a field of the JSON in stdout (or of its last line), as gjson writes paths
//	save PATH NAME           keeps such a field in a variable
//	keep NAME                keeps all of stdout in a variable
//	fake next DIRECTIVES     how the upstream serves the next request; also: release, total N, gone N
//	mode FILE PERM           its permissions, in octal
//	width                    no line of stdout and stderr is longer than 100 characters
//	lockdb FILE              holds the database as another process would
var commands = map[string]func(ts *testscript.TestScript, neg bool, args []string){
	"fairlead": cmdFairlead, "code": cmdCode, "up": cmdUp, "start": cmdStart, "sees": cmdSees, "signal": cmdSignal, "ends": cmdEnds,
	"http": cmdHTTP, "json": cmdJSON, "save": cmdSave, "keep": cmdKeep, "fake": cmdFake, "mode": cmdMode, "width": cmdWidth, "lockdb": cmdLockDB,
}

// script is what belongs to one running script.
type script struct {
	upstream *testkit.Upstream
	running  map[string]*process
	code     int
	hidden   map[string]string // what → secret
}

type scriptKey struct{}

func state(ts *testscript.TestScript) *script { return ts.Value(scriptKey{}).(*script) }

func prepare(env *testscript.Env) error {
	upstream, err := testkit.Start(testkit.WithKey(upstreamKey), testkit.WithModels("gpt-4o", "fake-2"))
	if err != nil {
		return err
	}
	s := &script{upstream: upstream, running: map[string]*process{}, hidden: map[string]string{"the upstream's key": upstreamKey, "the app's key": appKey}}
	env.Values[scriptKey{}] = s
	for name, value := range map[string]string{
		"FAKE": upstream.BaseURL(), "FAKE_KEY": upstreamKey, "FAIRLEAD_APP_KEY": appKey,
		"GORACE": race, "HOME": filepath.Join(env.WorkDir, "home"), "FAIRLEAD_ENGINE_DIR": filepath.Join(env.WorkDir, "no-engine"),
	} {
		env.Setenv(name, value)
	}
	env.Defer(func() {
		for _, name := range slices.Sorted(maps.Keys(s.running)) {
			s.running[name].kill()
		}
		upstream.Close()
		if err := s.leaks(env.WorkDir); err != nil {
			env.T().Fatal(err)
		}
	})
	return nil
}

// condition knows [quiet]: no model server answers on this machine's usual ports.
func condition(cond string) (bool, error) {
	if cond != "quiet" {
		return false, fmt.Errorf("unknown condition %q", cond)
	}
	return quiet(), nil
}

// watch holds one output against the secrets.
func (s *script) watch(what, text string) error {
	for name, secret := range s.hidden {
		if strings.Contains(text, secret) {
			return fmt.Errorf("%s shows %s", what, name)
		}
	}
	return nil
}

// leaks looks through all that the servers said and all that they wrote down.
func (s *script) leaks(work string) error {
	var errs []error
	for name, p := range s.running {
		errs = append(errs, s.watch("the output of "+name, p.stdout.String()+p.stderr.String()))
	}
	secrets := maps.Clone(s.hidden)
	found, _ := filepath.Glob(filepath.Join(work, "*", "*"))
	for _, path := range found {
		if filepath.Base(path) != "first-key" {
			continue
		}
		if b, err := os.ReadFile(path); err == nil {
			secrets["the first key"] = strings.TrimSpace(string(b))
		}
	}
	inFiles := &script{hidden: secrets}
	for _, path := range found {
		if base := filepath.Base(path); !strings.HasPrefix(base, "fairlead.db") {
			continue
		}
		b, err := os.ReadFile(path)
		errs = append(errs, err, inFiles.watch(path, string(b)))
	}
	for name, p := range s.running {
		errs = append(errs, inFiles.watch("the log of "+name, p.stderr.String()))
	}
	return errors.Join(errs...)
}

func cmdFairlead(ts *testscript.TestScript, neg bool, args []string) {
	err := ts.Exec(binary, args...)
	s := state(ts)
	s.code = exitOK
	if strings.Contains(ts.ReadFile("stdout")+ts.ReadFile("stderr"), "\x1b") {
		ts.Fatalf("there is colour where there is no terminal")
	}
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		s.code = exit.ExitCode()
	case err != nil:
		ts.Fatalf("%v", err)
	}
	ts.Check(s.watch("stdout", ts.ReadFile("stdout")))
	ts.Check(s.watch("stderr", ts.ReadFile("stderr")))
	if s.code == exitOK && neg {
		ts.Fatalf("it did not fail")
	}
	if s.code != exitOK && !neg {
		ts.Fatalf("exit code %d", s.code)
	}
}

func cmdCode(ts *testscript.TestScript, _ bool, args []string) {
	if got, want := state(ts).code, number(ts, args, 0); got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

func number(ts *testscript.TestScript, args []string, at int) int {
	if len(args) <= at {
		ts.Fatalf("a number is missing")
	}
	n, err := strconv.Atoi(args[at])
	ts.Check(err)
	return n
}

func cmdMode(ts *testscript.TestScript, _ bool, args []string) {
	info, err := os.Stat(ts.MkAbs(args[0]))
	ts.Check(err)
	if got := strconv.FormatInt(int64(info.Mode().Perm()), 8); got != args[1] {
		ts.Fatalf("%s has mode %s, want %s", args[0], got, args[1])
	}
}

// colours are the terminal's escape sequences, which take no room.
var colours = regexp.MustCompile("\x1b\\[[0-9;]*m")

func cmdWidth(ts *testscript.TestScript, _ bool, _ []string) {
	for line := range strings.Lines(ts.ReadFile("stdout") + "\n" + ts.ReadFile("stderr")) {
		line = colours.ReplaceAllString(strings.TrimRight(line, "\n"), "")
		if n := utf8.RuneCountInString(line); n > maxWidth {
			ts.Fatalf("%d characters: %s", n, line)
		}
	}
}

// quiet is asked once: what answers now answers in the next script, too.
var quiet = sync.OnceValue(func() bool { return !anyModelServer() })

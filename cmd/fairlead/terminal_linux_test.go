package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/fairlead/fairlead/internal/testkit"
)

// terminal is a pseudo-terminal as seen by the person before it.
type terminal struct {
	screen *output
	typed  *os.File
	end    *os.File // the program's side
	copied chan struct{}
}

func newTerminal(t testing.TB) *terminal {
	t.Helper()
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = person.Close() })
	if err := unix.IoctlSetPointerInt(int(person.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetUint32(int(person.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	end, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	tty := &terminal{screen: newOutput(), typed: person, end: end, copied: make(chan struct{})}
	go func() {
		_, _ = io.Copy(tty.screen, person) // an error is the end: nobody holds the other side any more
		close(tty.copied)
	}()
	return tty
}

// run starts a program at the terminal; the process's output is the screen.
func (tty *terminal) run(t testing.TB, dir string, env []string, args ...string) *process {
	t.Helper()
	p := &process{cmd: exec.Command(binary, args...), stdout: tty.screen, stderr: tty.screen, done: make(chan struct{})}
	p.cmd.Dir, p.cmd.Env = dir, append(os.Environ(), append(env, "GORACE="+race)...)
	p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr = tty.end, tty.end, tty.end
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.kill)
	go func() {
		_ = p.cmd.Wait() // the exit code tells
		_ = tty.end.Close()
		<-tty.copied
		close(p.done)
	}()
	return p
}

func (tty *terminal) types(t testing.TB, text string) {
	t.Helper()
	if _, err := io.WriteString(tty.typed, text); err != nil && !errors.Is(err, syscall.EIO) {
		t.Fatal(err)
	}
}

func shown(t testing.TB, p *process, pattern string) {
	t.Helper()
	if p.find(p.stdout, regexp.MustCompile(pattern)) == nil {
		t.Fatalf("the screen never shows %s:\n%s", pattern, p.stdout)
	}
}

func TestTerminal(t *testing.T) {
	t.Parallel()
	upstream := testkit.NewUpstream(t)
	dir := t.TempDir()
	write(t, filepath.Join(dir, "fairlead.yaml"), fmt.Sprintf("targets:\n  cheap: { provider: openai-compatible, base_url: %q, model: fake }\n", upstream.BaseURL()))
	serve(t, dir, nil)
	const escape = "\x1b["

	t.Run("a conversation ends with Ctrl-D", func(t *testing.T) {
		t.Parallel()
		tty := newTerminal(t)
		p := tty.run(t, dir, []string{"TERM=xterm", "NO_COLOR="}, "chat")
		shown(t, p, `> $`)
		tty.types(t, "hello\n")
		shown(t, p, `(?s)Ahoy!.*cheap · \S+ · 5 in, 14 out.*> $`)
		tty.types(t, "and now?\n")
		shown(t, p, `(?s)Ahoy!.*Ahoy!.*cheap · \S+ · \d\d+ in, 14 out.*> $`) // the talk so far was sent, too
		tty.types(t, "\x04")
		if code, ended := p.wait(); !ended || code != exitOK {
			t.Errorf("exit code %d, ended %t", code, ended)
		}
	})
	t.Run("Ctrl-C ends a command", func(t *testing.T) {
		t.Parallel()
		tty := newTerminal(t)
		p := tty.run(t, dir, []string{"TERM=xterm"}, "requests", "--follow")
		shown(t, p, "watching")
		tty.types(t, "\x03")
		if code, ended := p.wait(); !ended || code != exitInterrupted {
			t.Errorf("exit code %d, ended %t", code, ended)
		}
	})
	for name, test := range map[string]struct {
		env    []string
		colour bool
	}{
		"colour on a terminal":         {[]string{"TERM=xterm"}, true},
		"none with NO_COLOR":           {[]string{"TERM=xterm", "NO_COLOR=1"}, false},
		"none where it cannot be read": {[]string{"TERM=dumb"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newTerminal(t).run(t, dir, test.env, "chat", "hello")
			shown(t, p, "5 in, 14 out")
			if code, ended := p.wait(); !ended || code != exitOK {
				t.Fatalf("exit code %d, ended %t:\n%s", code, ended, p.stdout)
			}
			if got := strings.Contains(p.stdout.String(), escape); got != test.colour {
				t.Errorf("colour %t, want %t: %q", got, test.colour, p.stdout)
			}
		})
	}
}

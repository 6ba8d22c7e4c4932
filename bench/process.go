package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/fairlead/fairlead/bench/load"
)

// child is a running process with its standard input and output.
type child struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

// stopTime is how long a child may take to end by itself.
const stopTime = 10 * time.Second

// play starts this program in one of its roles.
func play(ctx context.Context, role string, args ...string) (*child, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self, append([]string{role}, args...)...)
	cmd.Stderr = os.Stderr
	cmd.WaitDelay = stopTime
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return &child{cmd: cmd, in: in, out: bufio.NewReader(out)}, nil
}

// stop closes the child's input, which ends it, and waits for it.
func (c *child) stop() error {
	_ = c.in.Close() // a child that has ended closed it first
	late := time.AfterFunc(stopTime, func() { _ = c.cmd.Process.Kill() })
	defer late.Stop()
	return c.cmd.Wait()
}

func (c *child) pid() int { return c.cmd.Process.Pid }

// address reads where a serving child listens.
func (c *child) address() (string, error) {
	line, err := c.out.ReadString('\n')
	addr, ok := strings.CutPrefix(strings.TrimSpace(line), listenLine)
	if err != nil || !ok {
		return "", fmt.Errorf("%s did not say where it listens: %q %w", c.cmd.Args[1], line, err)
	}
	return addr, nil
}

// loading is a load that has warmed up.
type loading struct{ *child }

func warmUp(ctx context.Context, spec load.Spec) (*loading, error) {
	c, err := play(ctx, roleLoad)
	if err != nil {
		return nil, err
	}
	err = json.NewEncoder(c.in).Encode(spec)
	if err == nil {
		err = c.expect(readyLine)
	}
	if err != nil {
		return nil, errors.Join(err, c.stop())
	}
	return &loading{c}, nil
}

func (c *child) expect(want string) error {
	line, err := c.out.ReadString('\n')
	if strings.TrimSpace(line) != want {
		return errors.Join(fmt.Errorf("the load said %q and not %q", line, want), err)
	}
	return nil
}

// measure sends the measured requests.
func (l *loading) measure() (load.Result, error) {
	var res load.Result
	if _, err := io.WriteString(l.in, goLine+"\n"); err != nil {
		return res, err
	}
	return res, json.NewDecoder(l.out).Decode(&res)
}

// build compiles Fairlead as `make build` does.
func build(ctx context.Context, dir string) (string, error) {
	path := filepath.Join(dir, "fairlead")
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", path, "github.com/fairlead/fairlead/cmd/fairlead")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	cmd.Stderr = os.Stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("building Fairlead: %w; run it from the project's folder, or name a binary with -fairlead", err)
	}
	return path, nil
}

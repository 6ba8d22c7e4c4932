//go:build unix && !linux

package engine

import (
	"os/exec"
	"syscall"
)

// isolate puts the child in a process group of its own: a Ctrl-C is for Fairlead,
// which drains first. That it ends with us is left to its standard input.
func isolate(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
}

package engine

import (
	"os/exec"
	"syscall"
)

// isolate puts the child in a process group of its own (a Ctrl-C is for Fairlead,
// which drains first) and has the kernel end it when the thread that started it
// ends: see startProcess.
func isolate(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
}

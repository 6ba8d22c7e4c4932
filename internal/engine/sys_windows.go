package engine

import (
	"os/exec"
	"syscall"
)

// isolate puts the child in a process group of its own: a Ctrl-C is for Fairlead,
// which drains first. That it ends with us is left to its standard input.
func isolate(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{CreationFlags: syscall.CREATE_NEW_PROCESS_GROUP}
	cmd.Cancel = func() error { return cmd.Process.Kill() }
}

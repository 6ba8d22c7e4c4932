package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
)

// diskRole is the name under which the test binary mounts a small disk at the first
// argument, in a mount namespace of its own, and then becomes the program with the
// rest of the arguments. Namespaces of users need no root where the system allows
// them.
const diskRole = "fairlead-on-small-disk"

// diskBytes holds the empty database, and little more.
const diskBytes = 3 << 20

func onSmallDisk() int {
	if os.Getenv(insideEnv) == "" {
		return enterNamespace()
	}
	dir := os.Args[1]
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d", diskBytes)); err != nil {
		fmt.Fprintln(os.Stderr, "mount:", err)
		return exitFailed
	}
	if len(os.Args) == 2 {
		return exitOK
	}
	path, err := exec.LookPath(binary)
	if err == nil {
		err = syscall.Exec(path, append([]string{binary}, os.Args[2:]...), os.Environ())
	}
	fmt.Fprintln(os.Stderr, "exec:", err)
	return exitFailed
}

const insideEnv = "FAIRLEAD_TEST_INSIDE"

// enterNamespace starts this binary again inside the namespaces, where it ends when
// this process does.
func enterNamespace() int {
	runtime.LockOSThread() // the death signal comes with the end of the thread
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Args[0] = diskRole
	cmd.Env = append(os.Environ(), insideEnv+"=1")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
		Pdeathsig:   syscall.SIGKILL,
	}
	if err := cmd.Run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return exitFailed
	}
	return exitOK
}

var canMount = sync.OnceValue(func() bool {
	dir, err := os.MkdirTemp("", "mount-*")
	if err != nil {
		return false
	}
	defer os.RemoveAll(filepath.Clean(dir))
	return exec.Command(diskRole, dir).Run() == nil
})

package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/tidwall/gjson"
	"golang.org/x/sys/unix"

	"github.com/fairlead/fairlead/internal/testkit"
)

const diskConfig = `
record: %s
targets:
  cheap: { provider: openai-compatible, base_url: "%s", model: fake }
`

// TestUp_AnswersOnAFullDisk runs the server on a disk that runs full while it
// serves, and gets room again later.
func TestUp_AnswersOnAFullDisk(t *testing.T) {
	t.Parallel()
	upstream := testkit.NewUpstream(t)
	for _, record := range []string{"best_effort", "required"} {
		for _, disk := range []disk{{"small disk", startOnSmallDisk}, {"limited files", startLimited}} {
			t.Run(record+" on "+disk.name, func(t *testing.T) {
				t.Parallel()
				dir := t.TempDir()
				write(t, filepath.Join(dir, "fairlead.yaml"), fmt.Sprintf(diskConfig, record, upstream.BaseURL()))
				s := disk.start(t, dir)
				whenFull := http.StatusOK
				if record == "required" {
					whenFull = http.StatusServiceUnavailable
				}
				s.answers(t, http.StatusOK)
				s.fill(t)
				s.answers(t, http.StatusOK) // nobody knows yet
				s.says(t, "the record cannot be written")
				if status, body := s.ask(t, "GET", "/readyz", ""); status != http.StatusServiceUnavailable || !strings.Contains(body, "degraded") {
					t.Errorf("/readyz on a full disk: %d %s", status, body)
				}
				if _, body := s.ask(t, "GET", "/metrics", ""); !regexp.MustCompile(`(?m)^fairlead_ledger_failing 1$`).MatchString(body) {
					t.Errorf("the metrics do not tell of it:\n%s", grep(body, "ledger"))
				}
				for range 3 {
					s.answers(t, whenFull)
				}
				s.free(t)
				s.says(t, "the record is written again")
				if status, body := s.ask(t, "GET", "/readyz", ""); status != http.StatusOK {
					t.Errorf("/readyz with room again: %d %s", status, body)
				}
				s.answers(t, http.StatusOK)
				_, list := s.ask(t, "GET", "/v1/exchanges", "")
				if got := len(gjson.Get(list, `data.#(status=="ok")#`).Array()); got != s.answered {
					t.Errorf("%d exchanges are recorded, %d were answered", got, s.answered)
				}
			})
		}
	}
}

type disk struct {
	name  string
	start func(t *testing.T, dir string) *onDisk
}

// onDisk is a server whose disk can be filled.
type onDisk struct {
	*process
	url, key   string
	fill, free func(testing.TB)
	answered   int
}

func (s *onDisk) ask(t testing.TB, method, path, body string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, s.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+s.key)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(text)
}

func (s *onDisk) answers(t testing.TB, want int) {
	t.Helper()
	status, body := s.ask(t, "POST", "/v1/chat/completions", `{"model":"cheap","messages":[{"role":"user","content":"x"}]}`)
	if status != want {
		t.Errorf("a request gets %d, want %d: %s", status, want, body)
	}
	if status == http.StatusOK {
		s.answered++
	}
}

func (s *onDisk) says(t testing.TB, text string) {
	t.Helper()
	if s.find(s.stderr, regexp.MustCompile(regexp.QuoteMeta(text))) == nil {
		t.Fatalf("the log never says %q:\n%s", text, s.stderr)
	}
}

// ready reads the address and the key.
func (s *onDisk) ready(t testing.TB) {
	t.Helper()
	t.Cleanup(s.kill)
	match := s.find(s.stdout, listens)
	if match == nil {
		t.Fatalf("it does not start:\n%s%s", s.stdout, s.stderr)
	}
	key := regexp.MustCompile(`key +(fl-\w+)`).FindStringSubmatch(s.stdout.String())
	if key == nil {
		t.Fatalf("no key in:\n%s", s.stdout)
	}
	s.url, s.key = match[1], key[1]
}

// startLimited puts a limit on the size of files, which needs no rights at all.
func startLimited(t *testing.T, dir string) *onDisk {
	t.Helper()
	s := &onDisk{}
	s.process, _ = serve(t, dir, nil)
	s.ready(t)
	limit := func(soft uint64) func(testing.TB) {
		return func(t testing.TB) {
			t.Helper()
			var old unix.Rlimit
			err := unix.Prlimit(s.cmd.Process.Pid, unix.RLIMIT_FSIZE, nil, &old)
			if err == nil {
				err = unix.Prlimit(s.cmd.Process.Pid, unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: min(soft, old.Max), Max: old.Max}, nil)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	s.fill, s.free = limit(1), limit(unix.RLIM_INFINITY)
	return s
}

// startOnSmallDisk mounts a disk in namespaces of its own.
func startOnSmallDisk(t *testing.T, dir string) *onDisk {
	t.Helper()
	if !canMount() {
		t.Skip("this system lets no test mount a disk: that files reach their limit is tested instead")
	}
	data := filepath.Join(dir, "data")
	if err := os.Mkdir(data, 0o700); err != nil {
		t.Fatal(err)
	}
	p, err := launch(dir, append(os.Environ(), "GORACE="+race), diskRole, data, "up", "--listen", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &onDisk{process: p}
	s.ready(t)
	ballast := filepath.Join(inside(t, p.cmd.Process.Pid), data, "ballast")
	s.fill = func(t testing.TB) {
		t.Helper()
		f, err := os.Create(ballast)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		for err == nil {
			_, err = f.Write(make([]byte, 4096))
		}
		if !errors.Is(err, syscall.ENOSPC) {
			t.Fatal(err)
		}
	}
	s.free = func(t testing.TB) {
		t.Helper()
		if err := os.Remove(ballast); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// inside is the root of the file system that the only child of a process sees.
func inside(t testing.TB, pid int) string {
	t.Helper()
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range tasks {
		b, err := os.ReadFile(path)
		if child, bad := strconv.Atoi(strings.TrimSpace(string(b))); err == nil && bad == nil {
			return fmt.Sprintf("/proc/%d/root", child)
		}
	}
	t.Fatalf("process %d has no child", pid)
	return ""
}

// diskRole is the name under which the test binary mounts a small disk at the first
// argument, in a mount namespace of its own, and then becomes the program with the
// rest of the arguments. Namespaces of users need no root where the system allows
// them.
const diskRole = "fairlead-on-small-disk"

// diskBytes hold the empty database, and little more.
const diskBytes = 3 << 20

const insideEnv = "FAIRLEAD_TEST_INSIDE"

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
	// The signal of a parent's death belongs to a thread, and this one need not be the
	// first: without it the server would outlive the test.
	runtime.LockOSThread()
	if err == nil {
		err = unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(syscall.SIGKILL), 0, 0, 0)
	}
	if err == nil {
		err = syscall.Exec(path, append([]string{binary}, os.Args[2:]...), os.Environ())
	}
	fmt.Fprintln(os.Stderr, "exec:", err)
	return exitFailed
}

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
		UidMappings: []syscall.SysProcIDMap{{ContainerID: os.Getuid(), HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: os.Getgid(), HostID: os.Getgid(), Size: 1}},
		Pdeathsig:   syscall.SIGKILL,
	}
	runtime.LockOSThread() // it is this thread whose death the child hears of
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
	defer os.RemoveAll(dir)
	return exec.Command(diskRole, dir).Run() == nil
})

package engine

import (
	"bytes"
	"context"
	"crypto/rand"
	_ "embed" // for serve.py
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

//go:embed serve.py
var servePy []byte

// watchSh runs a program that does not watch its standard input, and ends it
// when ours closes. What it watches over keeps the shell's output.
const watchSh = `exec 3<&0
"$@" </dev/null 3<&- &
child=$!
(cat <&3; kill -9 $child) >/dev/null 2>&1 &
watch=$!
wait $child
code=$?
kill -9 $watch
exit $code`

const (
	// promptCacheMiB bounds the engine's memory for prompts of idle slots, 8 GiB
	// by its own default.
	promptCacheMiB = 256
	// tailBytes of the child's output go into errors.
	tailBytes = 4 << 10
	// stopGrace is how long a child may take to end by itself.
	stopGrace = 3 * time.Second
)

// child is one process of the engine.
type child struct {
	url, key string
	pid      int
	cancel   context.CancelFunc
	stdin    interface{ Close() error }
	output   *tail
	done     chan struct{}
	// err is why it ended, readable once done is closed.
	err error
}

// startChild starts the engine on a free port, under a key of its own.
func startChild(cfg Config, in Installed, log *slog.Logger) (*child, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	c := &child{
		url:    "http://" + net.JoinHostPort("127.0.0.1", strconv.Itoa(port)),
		key:    rand.Text(),
		output: &tail{log: log},
		done:   make(chan struct{}),
	}
	ctx, cancel := context.WithCancel(context.Background())
	c.cancel = cancel
	cmd, first, err := c.command(ctx, cfg, in, port)
	if err != nil {
		cancel()
		return nil, err
	}
	if err := c.startProcess(cmd, first); err != nil {
		cancel()
		return nil, fmt.Errorf("the engine does not start: %w", err)
	}
	return c, nil
}

// command is the process to start, and what to write to it first.
func (c *child) command(ctx context.Context, cfg Config, in Installed, port int) (cmd *exec.Cmd, first []byte, err error) {
	if in.Server != "" {
		cmd = serverCommand(ctx, cfg, in, port)
		cmd.Env = append(childEnv(), "LLAMA_API_KEY="+c.key, "LLAMA_ARG_OFFLINE=1", "LLAMA_ARG_UI=0",
			"LLAMA_ARG_CACHE_RAM="+strconv.Itoa(promptCacheMiB))
		return cmd, nil, nil
	}
	script := filepath.Join(cfg.Dir, "serve.py")
	if err := writeAtomic(script, servePy); err != nil {
		return nil, nil, err
	}
	settings, err := json.Marshal(map[string]any{
		"path": in.Wheel, "model": in.Model, "alias": in.ModelName, "port": port, "key": c.key,
		"context": cfg.ContextTokens * cfg.Slots, "slots": cfg.Slots, "threads": cfg.Threads, "cache_mib": promptCacheMiB,
	})
	// Nothing of the user's Python environment is read (-I), nothing written (-B).
	cmd = exec.CommandContext(ctx, in.Python, "-I", "-B", "-u", script)
	cmd.Env = childEnv()
	return cmd, append(settings, '\n'), err
}

// serverCommand starts llama-server with the same meaning as serve.py. The flags
// are those that every version of the last two years knows; what is newer goes
// by environment variable, which older ones ignore.
func serverCommand(ctx context.Context, cfg Config, in Installed, port int) *exec.Cmd {
	args := []string{
		in.Server, "--model", in.Model, "--alias", in.ModelName, "--host", "127.0.0.1", "--port", strconv.Itoa(port),
		"--ctx-size", strconv.Itoa(cfg.ContextTokens * cfg.Slots), "--parallel", strconv.Itoa(cfg.Slots),
		"--threads", strconv.Itoa(cfg.Threads), "--jinja", "--metrics", "--slots",
	}
	if runtime.GOOS == "windows" {
		return exec.CommandContext(ctx, args[0], args[1:]...)
	}
	return exec.CommandContext(ctx, "/bin/sh", append([]string{"-c", watchSh, "fairlead-engine"}, args...)...)
}

// childEnv is what the engine may see of our environment: enough to run and to
// find a GPU, none of the provider keys that lie there too.
func childEnv() []string {
	names := []string{"PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TMP", "TEMP", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SYSTEMROOT", "WINDIR", "USERPROFILE"}
	prefixes := []string{"PYENV_", "CUDA_", "NVIDIA_", "HIP_", "ROCR_", "HSA_", "GGML_", "VK_", "LLAMA_ARG_N_GPU_LAYERS", "LLAMA_ARG_DEVICE"}
	var env []string
	for _, kv := range os.Environ() {
		name, _, _ := strings.Cut(kv, "=")
		name = strings.ToUpper(name)
		if slices.Contains(names, name) || slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(name, p) }) {
			env = append(env, kv)
		}
	}
	return env
}

// startProcess starts cmd on a thread that lives as long as it does: Linux sends
// the death signal when that thread ends, not when the whole process does.
func (c *child) startProcess(cmd *exec.Cmd, first []byte) error {
	isolate(cmd)
	cmd.Stdout, cmd.Stderr = c.output, c.output
	cmd.WaitDelay = stopGrace
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	c.stdin = stdin
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		if err == nil {
			c.pid = cmd.Process.Pid
		}
		started <- err
		if err != nil {
			return
		}
		c.err = cmd.Wait()
		c.output.flush()
		close(c.done)
	}()
	if err := <-started; err != nil {
		return err
	}
	// A child that died already is told by done, not by this write.
	_, _ = stdin.Write(first)
	return nil
}

// stop ends the child: first by closing its input, then by force.
func (c *child) stop() {
	_ = c.stdin.Close()
	t := time.NewTimer(stopGrace)
	defer t.Stop()
	select {
	case <-c.done:
	case <-t.C:
	}
	c.cancel()
	<-c.done
}

// exit describes why the child ended, with the last of what it said.
func (c *child) exit() error {
	<-c.done
	why := "it ended by itself"
	if c.err != nil {
		why = c.err.Error()
	}
	return fmt.Errorf("the engine stopped (%s); its last words:\n%s", why, c.output)
}

// freePort is a port that was free a moment ago. Should another process take it
// before the engine does, the engine ends and is started on the next one.
func freePort() (int, error) {
	l, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return 0, err
	}
	defer l.Close()
	at, err := netip.ParseAddrPort(l.Addr().String())
	return int(at.Port()), err
}

// tail keeps the end of the child's output and logs each line.
type tail struct {
	log *slog.Logger

	mu   sync.Mutex
	kept []byte
	line []byte
}

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.kept = append(t.kept, b...)
	if over := len(t.kept) - tailBytes; over > 0 {
		t.kept = append(t.kept[:0], t.kept[over:]...)
	}
	for rest := b; len(rest) > 0; {
		line, after, whole := bytes.Cut(rest, []byte("\n"))
		t.line = append(t.line, line[:min(len(line), tailBytes-len(t.line))]...)
		if whole {
			t.logLine()
		}
		rest = after
	}
	return len(b), nil
}

func (t *tail) logLine() {
	if len(t.line) > 0 {
		t.log.Debug("engine", "line", string(t.line))
	}
	t.line = t.line[:0]
}

func (t *tail) flush() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.logLine()
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.TrimSpace(strings.ToValidUTF8(string(t.kept), ""))
}

// Package measure answers two questions of the benchmarks: what a process has used
// so far, and what a handful of rounds say together.
//
// It knows neither HTTP nor the scenarios. On Linux usage comes from /proc, elsewhere
// from ps, which is coarser. Start reading at Of.
package measure

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// Usage is what a process has used since it began.
type Usage struct {
	CPU  time.Duration // user and system, of all threads
	RSS  int64         // bytes resident now
	Peak int64         // bytes resident at most so far; where the system does not tell, RSS
}

// clockTick is the unit of times in /proc/PID/stat: USER_HZ, which is 100 on every
// Linux that Go runs on (proc_pid_stat(5), sysconf(3)).
const clockTick = 10 * time.Millisecond

// Of reads the usage of a running process.
func Of(ctx context.Context, pid int) (Usage, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if errors.Is(err, os.ErrNotExist) {
		return ofPS(ctx, pid)
	}
	if err != nil {
		return Usage{}, err
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return Usage{}, err
	}
	cpu, err := parseStat(stat)
	if err != nil {
		return Usage{}, err
	}
	u := Usage{CPU: cpu, RSS: statusBytes(status, "VmRSS:"), Peak: statusBytes(status, "VmHWM:")}
	if u.RSS == 0 {
		return u, fmt.Errorf("process %d has ended", pid)
	}
	return u, nil
}

// parseStat adds up utime and stime, fields 14 and 15 of /proc/PID/stat. The second
// field, the program's name in parentheses, may hold spaces and parentheses itself.
func parseStat(stat []byte) (time.Duration, error) {
	const utime, stime = 14 - 3, 15 - 3 // counted from the third field
	end := bytes.LastIndexByte(stat, ')')
	fields := strings.Fields(string(stat[end+1:]))
	if end < 0 || len(fields) <= stime {
		return 0, fmt.Errorf("/proc/PID/stat cannot be read: %q", stat)
	}
	var sum time.Duration
	for _, f := range [...]string{fields[utime], fields[stime]} {
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("/proc/PID/stat cannot be read: %w", err)
		}
		sum += time.Duration(n) * clockTick
	}
	return sum, nil
}

// statusBytes finds a line such as "VmHWM:  1234 kB", 0 where there is none.
func statusBytes(status []byte, name string) int64 {
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, name); ok {
			kb, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 10, 64)
			if err != nil {
				return 0
			}
			return kb << 10
		}
	}
	return 0
}

// ofPS asks ps, as POSIX describes it: [[dd-]hh:]mm:ss, with fractions on some
// systems, and kilobytes.
func ofPS(ctx context.Context, pid int) (Usage, error) {
	out, err := exec.CommandContext(ctx, "ps", "-o", "time=,rss=", "-p", strconv.Itoa(pid)).Output()
	if err != nil {
		return Usage{}, fmt.Errorf("neither /proc nor ps knows process %d: %w", pid, err)
	}
	return parsePS(string(out))
}

func parsePS(line string) (Usage, error) {
	fields := strings.Fields(line)
	if len(fields) != 2 {
		return Usage{}, fmt.Errorf("ps cannot be read: %q", line)
	}
	cpu, err := parseClock(fields[0])
	if err != nil {
		return Usage{}, err
	}
	kb, err := strconv.ParseInt(fields[1], 10, 64)
	if err != nil {
		return Usage{}, fmt.Errorf("ps cannot be read: %w", err)
	}
	return Usage{CPU: cpu, RSS: kb << 10, Peak: kb << 10}, nil
}

func parseClock(s string) (time.Duration, error) {
	var days int64
	if d, rest, ok := strings.Cut(s, "-"); ok {
		n, err := strconv.ParseInt(d, 10, 32)
		if err != nil {
			return 0, fmt.Errorf("%q is not a time: %w", s, err)
		}
		days, s = n, rest
	}
	var sum float64
	for part := range strings.SplitSeq(s, ":") {
		v, err := strconv.ParseFloat(part, 64)
		if err != nil {
			return 0, fmt.Errorf("%q is not a time: %w", s, err)
		}
		sum = sum*60 + v
	}
	return time.Duration(days)*24*time.Hour + time.Duration(sum*float64(time.Second)), nil
}

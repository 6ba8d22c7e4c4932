package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/term"

	"github.com/fairlead/fairlead/internal/engine"
)

// progress shows long work on stderr: what, how far, how fast, how long still. On a
// terminal one line moves; elsewhere there is a line per tenth.
type progress struct {
	out      io.Writer
	terminal bool
	what     string
	begun    time.Time
	shown    time.Time
	tenth    int64
	moving   bool
}

func newProgress(f *os.File) *progress {
	return &progress{out: f, terminal: term.IsTerminal(int(f.Fd())), tenth: -1}
}

const redrawAfter = 100 * time.Millisecond

// step takes one step of engine.Setup.
func (p *progress) step(s engine.Step) {
	if s.Note != "" {
		p.done()
		fmt.Fprintf(p.out, "  %s: %s\n", s.What, s.Note)
		return
	}
	now := time.Now()
	if s.What != p.what {
		p.done()
		p.what, p.begun, p.tenth = s.What, now, -1
	}
	if !p.terminal {
		if s.Total > 0 && s.Done*10/s.Total > p.tenth {
			p.tenth = s.Done * 10 / s.Total
			fmt.Fprintf(p.out, "  %s: %s\n", s.What, p.text(s, now))
		}
		return
	}
	if now.Sub(p.shown) < redrawAfter && s.Done != s.Total {
		return
	}
	p.shown, p.moving = now, true
	fmt.Fprintf(p.out, "\r\x1b[K  %s: %s", s.What, p.text(s, now))
}

func (p *progress) text(s engine.Step, now time.Time) string {
	const mb = 1 << 20
	speed := float64(s.Done) / max(now.Sub(p.begun).Seconds(), 0.001)
	if s.Total <= 0 {
		return fmt.Sprintf("%d MB, %.1f MB/s", s.Done/mb, speed/mb)
	}
	left := time.Duration(float64(s.Total-s.Done) / max(speed, 1) * float64(time.Second)).Round(time.Second)
	return fmt.Sprintf("%d of %d MB, %.1f MB/s, %s left", s.Done/mb, s.Total/mb, speed/mb, left)
}

// done ends a moving line.
func (p *progress) done() {
	if p.moving {
		fmt.Fprintln(p.out)
		p.moving = false
	}
}

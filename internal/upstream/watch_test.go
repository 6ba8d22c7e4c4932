package upstream

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

func TestWatch_EndsAWaitWhenItIsDue(t *testing.T) {
	t.Parallel()
	const first, idle, total = 120 * time.Second, 30 * time.Second, 1000 * time.Second
	for name, tc := range map[string]struct {
		do    func(*watch)
		after time.Duration
		cause error
	}{
		"no first event":             {func(*watch) {}, first, errSilent},
		"silence after a late start": {func(w *watch) { time.Sleep(31 * time.Second); w.rest(); w.wait(idle) }, 61 * time.Second, errSilent},
		"silence after a rest": {func(w *watch) {
			w.rest()
			time.Sleep(77 * time.Second) // the client was slow
			w.wait(idle)
		}, 107 * time.Second, errSilent},
		"silence after many reads": {func(w *watch) {
			for range 100 {
				w.wait(idle)
				time.Sleep(idle - time.Second)
				w.rest()
				w.wait(idle)
				w.rest()
				if time.Since(w.begun) > 500*time.Second {
					break
				}
			}
			w.wait(idle)
		}, 522*time.Second + idle, errSilent},
		"a hurried wait":    {func(w *watch) { time.Sleep(time.Second); w.hurry(drainTime) }, time.Second + drainTime, errSilent},
		"a slow client":     {func(w *watch) { w.rest() }, total, errTotal},
		"the end of a wait": {func(w *watch) { w.wait(2 * total) }, total, errTotal},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancelCause(t.Context())
				begun := time.Now()
				var w watch
				w.start(cancel, begun, begun.Add(total), min(first, idle))
				defer w.stop()
				w.wait(first)
				tc.do(&w)
				<-ctx.Done()
				if took := time.Since(begun); took != tc.after || context.Cause(ctx) != tc.cause {
					t.Errorf("ended after %s with %v, want %s with %v", took, context.Cause(ctx), tc.after, tc.cause)
				}
			})
		})
	}
}

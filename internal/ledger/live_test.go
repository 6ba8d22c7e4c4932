package ledger

import (
	"testing"

	"github.com/fairlead/fairlead/internal/llm"
)

func TestLive_NeverWaitsForAWatcher(t *testing.T) {
	t.Parallel()
	l := NewLive()
	l.publish(row(0)) // nobody watches
	slow, leave, err := l.Subscribe()
	if err != nil {
		t.Fatal(err)
	}
	for i := range liveBuffer + 10 {
		l.publish(row(i))
	}
	if l.Lost() != 10 || len(slow) != liveBuffer {
		t.Errorf("lost %d, buffered %d", l.Lost(), len(slow))
	}
	if first := <-slow; first.ID != row(0).ID {
		t.Errorf("the first row is %s", first.ID)
	}
	leave()
	leave()
	l.publish(row(1))
	for i := range maxSubscribers {
		_, stop, err := l.Subscribe()
		if err != nil {
			t.Fatalf("watcher %d: %v", i, err)
		}
		defer stop()
	}
	if _, _, err := l.Subscribe(); llm.AsError(err).Kind != llm.Overloaded {
		t.Errorf("one watcher too many: %v", err)
	}
}

package dialect_test

import (
	"bytes"
	"syscall"
	"testing"

	"github.com/fairlead/fairlead/internal/dialect"
	"github.com/fairlead/fairlead/internal/dialect/dialecttest"
)

// BenchmarkStream carries an answer of 66 pieces from every target to every client: where
// both speak the same it passes through, and the others are held against that.
func BenchmarkStream(b *testing.B) {
	for _, target := range dialecttest.Targets() {
		events, err := dialecttest.LongStream(target, 66)
		if err != nil {
			b.Fatal(err)
		}
		for _, client := range dialecttest.Clients() {
			b.Run(target.Name+"/"+client.Name, func(b *testing.B) {
				b.ReportAllocs()
				b.SetBytes(int64(len(events)))
				call := newCall(b, client, target)
				reader := bytes.NewReader(events)
				began := cpuTime(b)
				for b.Loop() {
					reader.Reset(events)
					carry(b, call.Bridge, target, reader)
				}
				b.ReportMetric(float64(cpuTime(b)-began)/float64(b.N), "cpu-ns/op")
			})
		}
	}
}

// cpuTime is what this process has used, in nanoseconds: on a machine with other work
// it says more than the clock does.
func cpuTime(b *testing.B) int64 {
	b.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return used.Utime.Nano() + used.Stime.Nano()
}

// carry decodes and writes a stream, and throws it away.
func carry(b *testing.B, bridge *dialect.Bridge, target *dialect.Codec, events *bytes.Reader) {
	b.Helper()
	decoder := bridge.Stream()
	frames := dialect.Events.New(events, 0)
	if target.Frames.New != nil {
		frames = target.Frames.New(events, 0)
	}
	for {
		raw, err := frames.Next()
		if err != nil {
			break
		}
		if _, err := decoder.Next(raw); err != nil {
			b.Fatal(err)
		}
	}
	if !decoder.Complete() {
		b.Fatal("the stream is not complete")
	}
}

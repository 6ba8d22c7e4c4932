package dialect_test

import (
	"bytes"
	"testing"

	"github.com/fairlead/fairlead/internal/dialect"
	"github.com/fairlead/fairlead/internal/dialect/dialecttest"
	"github.com/fairlead/fairlead/internal/rawjson"
)

// FuzzBridge carries any request of any client to every target: what is sent is sound
// JSON, or there is an error.
func FuzzBridge(f *testing.F) {
	clients := dialecttest.Clients()
	for i, client := range clients {
		for _, feature := range dialecttest.AskFeatures {
			if body, ok := dialecttest.Body(client.Name, feature.Name, client.Name); ok {
				f.Add(uint8(i), body)
			}
		}
	}
	f.Fuzz(func(t *testing.T, which uint8, body []byte) {
		client := clients[int(which)%len(clients)]
		if _, err := rawjson.Check(body, rawjson.Limits{Depth: 32}); err != nil {
			return // every codec begins with this, and package rawjson fuzzes it
		}
		req, err := dialecttest.Request(client, body, which >= 128)
		if err != nil {
			return
		}
		for _, target := range dialecttest.Targets() {
			b, err := dialect.NewBridge(client, target, req, dialecttest.Options(target))
			if err != nil {
				continue
			}
			if _, err := rawjson.Check(b.Body.Join(), rawjson.Limits{}); err != nil {
				t.Errorf("%s to %s: %v in %s", client.Name, target.Name, err, b.Body)
			}
		}
	})
}

// FuzzStream carries any stream of any target to every client.
func FuzzStream(f *testing.F) {
	targets := dialecttest.Targets()
	for i, target := range targets {
		for _, feature := range dialecttest.ReplyFeatures {
			if events, ok := dialecttest.Streamed(target, feature); ok && len(events) < 16<<10 {
				f.Add(uint8(i), events)
			}
		}
	}
	f.Fuzz(func(t *testing.T, which uint8, events []byte) {
		target := targets[int(which)%len(targets)]
		for _, client := range dialecttest.Clients() {
			call := newCall(t, client, target)
			out := call.Pump(bytes.NewReader(events))
			if client == target || out.Failed != nil && out.Marks == 0 {
				continue
			}
			for _, p := range dialecttest.Sound(out.Bytes) {
				t.Errorf("%s to %s: %s:\n%s", target.Name, client.Name, p, out.Bytes)
			}
		}
	})
}

// FuzzAnswer carries any plain answer of any target to every client.
func FuzzAnswer(f *testing.F) {
	targets := dialecttest.Targets()
	for i, target := range targets {
		for _, feature := range dialecttest.ReplyFeatures {
			if body, ok := dialecttest.Plain(target, feature); ok && len(body) < 16<<10 {
				f.Add(uint8(i), body)
			}
		}
	}
	f.Fuzz(func(t *testing.T, which uint8, body []byte) {
		target := targets[int(which)%len(targets)]
		for _, client := range dialecttest.Clients() {
			call, err := dialecttest.NewCall(client, target, "text", false)
			if err != nil {
				t.Fatal(err)
			}
			ev, err := call.Bridge.Answer(body)
			if err != nil || client == target {
				continue
			}
			if _, err := rawjson.Check(ev.Raw, rawjson.Limits{}); err != nil {
				t.Errorf("%s to %s: %v in %s", target.Name, client.Name, err, ev.Raw)
			}
		}
	})
}

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// TestProbe_LocalEngine asks the real engine what the catalog says of it.
func TestProbe_LocalEngine(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	env := []string{"FAIRLEAD_ENGINE_DIR=" + installed(t), "GORACE=" + race}
	write(t, filepath.Join(dir, "fairlead.yaml"), "targets:\n  here: { provider: local }\n")
	serve(t, dir, env)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	probe := exec.CommandContext(ctx, binary, "targets", "probe", "here", "--json")
	probe.Dir, probe.Env, probe.WaitDelay = dir, append(os.Environ(), env...), time.Second
	out, err := probe.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	var report probes
	if err := json.NewDecoder(bytes.NewReader(out)).Decode(&report); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, p := range report.Probes {
		t.Logf("%-12s %-10s %-8s %s", p.Probe, p.Catalog, p.Outcome, p.Detail)
		if p.Outcome == failed || p.Catalog != "" && p.Catalog != "no" && p.Outcome == refused {
			t.Errorf("%s: the catalog says %s, the engine: %s, %s", p.Probe, p.Catalog, p.Outcome, p.Detail)
		}
	}
	if report.Cost.Sign() != 0 {
		t.Errorf("the local engine is free, and not %s", report.Cost)
	}
}

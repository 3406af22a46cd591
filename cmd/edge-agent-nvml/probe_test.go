//go:build linux && cgo && (amd64 || arm64)

package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/edge-agent/edge-agent/probe"
)

// TestTheProbeTellsWhatTheHelperSays walks the whole way: library, helper, document, tags.
func TestTheProbeTellsWhatTheHelperSays(t *testing.T) {
	root := t.TempDir()
	for i, address := range []string{"0000:01:00.0", "0000:02:00.0"} {
		dir := filepath.Join(root, "sys/bus/pci/devices", address)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		uevent := "DRIVER=nvidia\nPCI_CLASS=30200\nPCI_ID=10DE:2235\nPCI_SLOT_NAME=" + address + "\n"
		if err := os.WriteFile(filepath.Join(dir, "uevent"), []byte(uevent), 0o644); err != nil {
			t.Fatal(i, err)
		}
	}
	fake := library(t)
	tools := func(ctx context.Context, name string, _ ...string) ([]byte, error) {
		if name != "edge-agent-nvml" {
			return nil, exec.ErrNotFound
		}
		cmd := exec.CommandContext(ctx, os.Args[0], "-library", fake)
		cmd.Env = append(os.Environ(), "EDGE_AGENT_NVML_TEST=main")
		return cmd.Output()
	}
	var subjects []probe.Subject
	for _, s := range probe.Subjects() {
		if strings.HasPrefix(s.Name, "gpu") {
			s.Timeout = time.Minute
			subjects = append(subjects, s)
		}
	}
	r, err := probe.Run(t.Context(), probe.Options{Root: root, Tools: tools, Subjects: subjects, Timeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	var tags []string
	for _, f := range r.Facts {
		tags = append(tags, f.Tag.String())
	}
	for _, want := range []string{"hardware.gpu.count=2", "hardware.gpu.model=nvidia-fake", "hardware.gpu.vram_gb=8",
		"hardware.gpu.compute_capability=8.6", "hardware.gpu.compute_units=28", "hardware.gpu.0.mig",
		"hardware.gpu.0.slice.3.profile=1g.5gb", "hardware.gpu.0.slice.3.vram_mb=4864", "software.cuda_version=12.4"} {
		if !slices.Contains(tags, want) {
			t.Errorf("no %s among %s; reports %v", want, strings.Join(tags, " "), r.Reports)
		}
	}
	free := slices.IndexFunc(r.Gauges, func(g probe.Gauge) bool { return g.Kind == "gpu_memory_free" })
	if free < 0 || r.Gauges[free].Value != 5<<30 {
		t.Errorf("free memory: %v", r.Gauges)
	}
}

package probe

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// install puts a shell script of that name first in PATH.
func install(t *testing.T, name, script string) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
}

func TestToolsAnswerWithinBounds(t *testing.T) {
	tests := map[string]struct {
		name, script string
		timeout      time.Duration
		want, reason string
	}{
		"a good answer":                {"nvidia-smi", "echo good", time.Minute, "good\n", ""},
		"an answer and a failure":      {"nvidia-smi", "echo half; exit 3", time.Minute, "half\n", "exit status 3"},
		"a crash":                      {"edge-agent-nvml", "kill -SEGV $$", time.Minute, "", "segmentation fault"},
		"a hang":                       {"edge-agent-nvml", "exec sleep 600", 200 * time.Millisecond, "", "running edge-agent-nvml"},
		"a hang of what it started":    {"edge-agent-nvml", "sleep 600 & wait", 200 * time.Millisecond, "", "running edge-agent-nvml"},
		"no end of talking":            {"nvidia-smi", "exec cat /dev/zero", time.Minute, "", "running nvidia-smi"},
		"a program that is not listed": {"rm", "echo never", time.Minute, "", "no such tool"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			install(t, tt.name, tt.script)
			ctx, cancel := context.WithTimeout(t.Context(), tt.timeout)
			defer cancel()
			out, err := Installed(ctx, tt.name)
			if tt.reason == "" && err != nil || tt.reason != "" && (err == nil || !strings.Contains(err.Error(), tt.reason)) {
				t.Errorf("error %v, want %q", err, tt.reason)
			}
			if tt.want != "" && string(out) != tt.want || len(out) > maxOutput {
				t.Errorf("%d bytes: %.32q, want %q", len(out), out, tt.want)
			}
		})
	}
}

func TestAToolThatIsNotInstalledIsAbsentAndNoDoubt(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	p := &Pass{ctx: t.Context(), tools: Installed}
	if _, err := p.Tool("edge-agent-nvml"); !Missing(err) {
		t.Errorf("error %v, want one that means absence", err)
	}
	if _, err := Installed(t.Context(), "edge-agent-nvml"); err == nil || errors.Is(err, errNoTool) {
		t.Errorf("error %v", err)
	}
}

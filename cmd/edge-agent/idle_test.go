package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/edge-agent/edge-agent/agent"
	"github.com/edge-agent/edge-agent/order"
)

// TestIdleDaemonsCostLittle measures an agent with 100 daemons that get nothing: how soon it is announced at a broker,
// and what it takes of memory and processor. Under CI_LONG it is the program as it is shipped, for a minute.
func TestIdleDaemonsCostLittle(t *testing.T) {
	const daemons = 100
	program, over := "edge-agent", time.Second
	if long() {
		program, over = shipped(t), time.Minute
	}
	var config strings.Builder
	config.WriteString("daemons:\n")
	for i := range daemons {
		fmt.Fprintf(&config, "  idle-%d: {kind: counter, inputs: [{topic: nothing/%d}], outputs: [{}]}\n", i, i)
	}
	r := newRig(t, program, "--config", writeConfig(t, config.String()))
	begun := time.Now()
	r.launch()
	r.until("its presence", func() bool {
		return strings.Contains(r.peer.last(r.fleet.Presence(r.node)), `"ready"`)
	})
	announced := time.Since(begun)
	r.until("all daemons to run", func() bool {
		var all []agent.DaemonState
		running := 0
		if r.get("/daemons", &all) == nil {
			for _, d := range all {
				if d.State == order.Running {
					running++
				}
			}
		}
		return running == daemons
	})
	before := ticks(t, r.process.Process.Pid)
	time.Sleep(over)
	used := ticks(t, r.process.Process.Pid) - before
	const ticksPerSecond = 100 // of every Linux, in /proc
	share := float64(used) / ticksPerSecond / over.Seconds()
	rss := resident(t, r.process.Process.Pid)
	t.Logf("announced after %v; with %d idle daemons %.1f MiB resident and %.2f %% of a core, over %v",
		announced.Round(time.Millisecond), daemons, float64(rss)/1024, 100*share, over)
	if rss > 1<<20 { // a leak, and no slow or instrumented machine
		t.Errorf("%d KiB are resident", rss)
	}
	r.stop()
}

// shipped is the program as make builds it.
func shipped(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "edge-agent")
	build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", path, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building the program: %v\n%s", err, out)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("the program has %.1f MB", float64(info.Size())/1e6)
	return path
}

// ticks is the processor time of a process, of its own and in the kernel.
func ticks(t *testing.T, pid int) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(rest)
	user, err := strconv.Atoi(fields[11])
	if err != nil {
		t.Fatal(err)
	}
	system, err := strconv.Atoi(fields[12])
	if err != nil {
		t.Fatal(err)
	}
	return user + system
}

// resident is a process's memory in KiB.
func resident(t *testing.T, pid int) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(text), "VmRSS:")
	if fields := strings.Fields(rest); ok && len(fields) > 0 {
		if n, err := strconv.Atoi(fields[0]); err == nil {
			return n
		}
	}
	t.Fatalf("no VmRSS in %s", text)
	return 0
}

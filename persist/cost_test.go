package persist

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/edge-agent/edge-agent/mesh"
)

const (
	costDaemons = 20
	costPayload = 256
	costGroups  = 40
)

// costGroup is one event for each of 20 daemons, each with an output of the same size.
func costGroup(w *writer, outputs bool) (g mesh.Group, payloads int) {
	payload := strings.Repeat("x", costPayload)
	for i := range costDaemons {
		id := mesh.DaemonID(fmt.Sprintf("daemon-%02d", i))
		payloads += costPayload
		if !outputs {
			g.Steps = append(g.Steps, w.step(id, payload))
			continue
		}
		payloads += costPayload
		g.Steps = append(g.Steps, w.step(id, payload, payload))
	}
	return g, payloads
}

// TestGroupWritesFewBytes counts what the system was handed, for groups of 20 daemons with one 256-byte event each. The
// counts are of whole pages; outputs of the same size must stay within a tenth of the limit for events alone.
func TestGroupWritesFewBytes(t *testing.T) {
	if os.Getenv("CI_EMULATOR") != "" {
		t.Skip("an emulator's own writes would be counted")
	}
	for name, limit := range map[string]int{"events": 40 << 10, "events with an output each": 44 << 10} {
		t.Run(name, func(t *testing.T) {
			outputs := name != "events"
			s, _ := start(t, t.TempDir(), Options{})
			w := newWriter()
			for range 50 {
				g, _ := costGroup(w, outputs)
				commit(t, s, g)
			}
			before, payloads := writtenBytes(t), 0
			for range costGroups {
				g, n := costGroup(w, outputs)
				payloads += n
				commit(t, s, g)
			}
			each := (int(writtenBytes(t)-before) - payloads) / costGroups
			t.Logf("%d bytes a group beside %d bytes of payloads", each, payloads/costGroups)
			if each > limit {
				t.Errorf("%d bytes a group beside the payloads, above %d", each, limit)
			}
		})
	}
}

// writtenBytes is what this process has handed to write calls.
func writtenBytes(t *testing.T) int64 {
	t.Helper()
	text, err := os.ReadFile("/proc/self/io")
	if err != nil {
		t.Skipf("counting needs /proc/self/io: %v", err)
	}
	for line := range strings.Lines(string(text)) {
		if n, ok := strings.CutPrefix(line, "wchar: "); ok {
			written, err := strconv.ParseInt(strings.TrimSpace(n), 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return written
		}
	}
	t.Skip("/proc/self/io does not count writes")
	return 0
}

// runCostChild commits groups between two marks on its output, for a tracer to count.
func runCostChild(dir string) error {
	s, err := Open(dir, Options{})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	w := newWriter()
	for i := range 50 + costGroups {
		if i == 50 {
			fmt.Println("counting begins")
		}
		g, _ := costGroup(w, true)
		if err := try(s, g); err != nil {
			return err
		}
	}
	fmt.Println("counting ends")
	cancel()
	return errors.Join(<-ended, s.Close())
}

// TestGroupCostsTwoSyncs has a tracer count the sync calls.
func TestGroupCostsTwoSyncs(t *testing.T) {
	strace, err := exec.LookPath("strace")
	if err != nil || os.Getenv("CI_EMULATOR") != "" {
		t.Skip("counting sync calls needs strace, without an emulator")
	}
	dir := t.TempDir()
	log := filepath.Join(dir, "trace")
	args := []string{"-f", "-qq", "-e", "trace=fdatasync,fsync,ftruncate,write", "-o", log}
	cmd := exec.Command(strace, append(args, self("child-cost", filepath.Join(dir, "state"))...)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Skipf("counting sync calls needs a working strace: %v: %s", err, out)
	}
	f, err := os.Open(log)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	counts, counting := make(map[string]int), false
	for lines := bufio.NewScanner(f); lines.Scan(); {
		line := lines.Text()
		switch {
		case strings.Contains(line, "counting begins"):
			counting = true
		case strings.Contains(line, "counting ends"):
			counting = false
		case counting && !strings.Contains(line, "resumed"):
			for _, call := range []string{"fdatasync", "fsync", "ftruncate"} {
				if strings.Contains(line, call+"(") {
					counts[call]++
				}
			}
		}
	}
	t.Logf("%d groups: %v", costGroups, counts)
	if counts["fdatasync"] != 2*costGroups || counts["fsync"] != counts["ftruncate"] || counts["fsync"] > costGroups/2 {
		t.Errorf("%d groups took %v: want 2 fdatasync each, and 1 fsync where the file grows", costGroups, counts)
	}
}

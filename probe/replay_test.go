package probe

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// everyMachine calls f with each recorded machine that has a tree.
func everyMachine(t *testing.T, f func(t *testing.T, name string, tree memory)) {
	fixtures(t)
	for _, family := range []string{"hwloc-linux", "util-linux-lscpu", "util-linux-lsmem", "util-linux-lsblk",
		"util-linux-chcpu", "ghw", "nri-plugins", "rocm-topology"} {
		for _, archive := range recorded(t, family, "*.tar.*") {
			for _, m := range unpacked(t, archive) {
				f(t, family+"/"+m.name, m.tree)
			}
		}
	}
	for _, name := range recorded(t, "prometheus", "*.ttar.gz") {
		f(t, "prometheus/"+filepath.Base(name), textArchive(t, name))
	}
	for _, name := range recorded(t, "umockdev", "*.umockdev") {
		f(t, "umockdev/"+filepath.Base(name), dumped(t, name))
	}
	for _, name := range recorded(t, "pytorch-cpuinfo-fs", "*.json.gz") {
		f(t, "pytorch-cpuinfo-fs/"+filepath.Base(name), files(t, name))
	}
	for _, name := range recorded(t, "checkbox-udevadm", "*.txt.gz") {
		f(t, "checkbox-udevadm/"+filepath.Base(name), dumped(t, name))
	}
}

func TestEveryRecordedMachineIsReplayed(t *testing.T) {
	n := 0
	slowest, slow := time.Duration(0), ""
	var told strings.Builder
	everyMachine(t, func(t *testing.T, name string, tree memory) {
		n++
		r, err := Run(t.Context(), Options{Tree: tree, Timeout: 20 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range r.Facts {
			fmt.Fprintf(&told, "%s: %s\n", name, f.Tag)
		}
		for _, report := range r.Reports {
			for _, d := range report.Doubts {
				t.Logf("%s: %s: could not tell: %s: %s", name, report.Subject, d.Prefix, d.Reason)
			}
			if report.Took > slowest {
				slowest, slow = report.Took, name+" "+report.Subject
			}
		}
	})
	if to := os.Getenv("EDGE_AGENT_REPLAY"); to != "" { // cross/replay.sh compares processors by it
		if err := os.WriteFile(to, []byte(told.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d machines, slowest answer %s by %s", n, slowest, slow)
	if slowest > 10*time.Second {
		t.Errorf("%s took %s", slow, slowest)
	}
}

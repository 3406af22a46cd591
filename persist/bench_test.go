package persist

import (
	"strings"
	"testing"

	"github.com/edge-agent/edge-agent/mesh"
)

// BenchmarkCommit writes groups of 16 events, each with an output, and snapshots in between.
func BenchmarkCommit(b *testing.B) {
	s, _ := start(b, b.TempDir(), Options{})
	w, payload := newWriter(), strings.Repeat("x", 256)
	for n := 0; b.Loop(); n++ {
		g := mesh.Group{}
		for range 16 {
			g.Steps = append(g.Steps, w.step("daemon", payload, payload))
		}
		if n%64 == 0 {
			g.Snapshots = []mesh.Snapshot{w.snapshot("daemon", payload)}
		}
		commit(b, s, g)
		for _, step := range g.Steps {
			s.Done(Cursor{Position: step.Outs[0].Position})
		}
	}
	b.ReportMetric(16, "events/op")
}

// BenchmarkReplay reads 4,000 steps of one daemon among those of another.
func BenchmarkReplay(b *testing.B) {
	s, _ := start(b, b.TempDir(), Options{})
	w, payload := newWriter(), strings.Repeat("x", 256)
	for range 40 {
		g := mesh.Group{}
		for range 100 {
			g.Steps = append(g.Steps, w.step("one", payload), w.step("other", payload))
		}
		commit(b, s, g)
	}
	for b.Loop() {
		steps := 0
		err := s.Replay("one", 0, func(mesh.Step) error { steps++; return nil })
		if err != nil || steps != 4000 {
			b.Fatalf("%d steps, %v", steps, err)
		}
	}
}

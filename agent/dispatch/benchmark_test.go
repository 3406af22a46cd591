package dispatch

import (
	"fmt"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/edge-agent/edge-agent/mesh"
)

// spent is the processor time of this process in nanoseconds: on a busy machine it says more than the time that passed.
func spent() int64 {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &t); err != nil {
		panic(err)
	}
	return t.Nano()
}

// BenchmarkPass measures the loop alone, on one goroutine: what an event costs from the lane to the end of Process.
func BenchmarkPass(b *testing.B) {
	silent := func(*mesh.Event, *mesh.Outputs) error { return nil }
	reading := []byte(`{"value":21.52,"unit":"C","sequence":1234567,"quality":"good"} `)
	for _, c := range []struct {
		name    string
		daemons int
		process func(*mesh.Event, *mesh.Outputs) error
		sink    bool
	}{
		{"one", 1, silent, false},
		{"thousand", 1000, silent, false},
		{"thousand, linked", 1000, echo, false},
		{"thousand to one, linked", 1000, echo, true},
	} {
		b.Run(c.name, func(b *testing.B) {
			h := New(Options{})
			r := h.loop.runner.Load()
			topics := make([]string, c.daemons)
			sink := Spec{ID: "sink", Daemon: &scripted{process: silent}}
			add := func(s Spec) {
				s.Durability, s.Ledger = Volatile, ledgerOf(s.ID)
				if err := h.loop.add(s); err != nil {
					b.Fatal(err)
				}
			}
			for i := range topics {
				topics[i] = fmt.Sprintf("plant/line3/machine%d/temperature", i)
				id := mesh.DaemonID(fmt.Sprint("d", i))
				add(Spec{ID: id, Daemon: &scripted{process: c.process}, Bindings: on(topics[i]), Local: "o"})
				sink.Bindings = append(sink.Bindings, Binding{From: id})
			}
			if c.sink {
				add(sink)
			}
			lane := h.Lane("test", 256)
			b.ReportAllocs()
			n, start := 0, spent()
			for b.Loop() {
				for range 256 {
					lane.Stage(&Input{Topic: topics[n%len(topics)], Payload: reading})
					n++
				}
				lane.Flush()
				for r.guarded() {
				}
			}
			b.ReportMetric(float64(spent()-start)/float64(n), "cpu-ns/event")
		})
	}
}

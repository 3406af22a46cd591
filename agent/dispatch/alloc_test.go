package dispatch

import (
	"testing"
	"time"

	"github.com/edge-agent/edge-agent/mesh"
)

// TestVolatileEventsTakeNoMemory runs passes of the loop by hand, so that nothing else allocates meanwhile.
func TestVolatileEventsTakeNoMemory(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	silent := func(*mesh.Event, *mesh.Outputs) error { return nil }
	clock := newHandClock()
	number := uint64(0)
	numbered := func(topic string, payload []byte, ev *mesh.Event) error {
		number++
		ev.Source, ev.ID, ev.Payload = topic, mesh.NumberID(number), payload
		return nil
	}
	daemon := func(process func(*mesh.Event, *mesh.Outputs) error, b Binding, sends ...mesh.Send) []Spec {
		return []Spec{{ID: "a", Daemon: &scripted{process: process}, Bindings: []Binding{b}, Sends: sends}}
	}
	for name, specs := range map[string][]Spec{
		"one daemon":     daemon(silent, Binding{Filter: "in"}),
		"with an id":     daemon(silent, Binding{Filter: "in", Decode: numbered}),
		"retained":       daemon(silent, Binding{Filter: "in", Retained: Every}),
		"to the broker":  daemon(echo, Binding{Filter: "in"}, mesh.Send{Topic: "o"}),
		"with intervals": daemon(silent, Binding{Every: int64(time.Second)}),
		"to another daemon": {
			{ID: "a", Daemon: &scripted{process: echo}, Bindings: on("in"), Local: "o"},
			{ID: "b", Daemon: &scripted{process: echo}, Bindings: []Binding{{From: "a"}}, Local: "o"},
			{ID: "c", Daemon: &scripted{process: silent}, Bindings: []Binding{{From: "b"}}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			sent := 0
			h := New(Options{Clock: clock, Hooks: Hooks{Publish: func(*Publication) { sent++ }}})
			r := h.loop.runner.Load()
			for _, s := range specs {
				s.Durability, s.Ledger = Volatile, ledgerOf(s.ID)
				if err := h.loop.add(s); err != nil {
					t.Fatal(err)
				}
			}
			lane := h.Lane("test", 256)
			in := Input{Topic: "in", Payload: []byte("payload"), Retained: name == "retained"}
			burst := func() {
				for range 256 {
					lane.Stage(&in)
				}
				lane.Flush()
				clock.advance(time.Second)
				for r.guarded() {
				}
			}
			for range 100 {
				burst()
			}
			if n := testing.AllocsPerRun(100, burst); n > 0 {
				t.Errorf("%v allocations in a burst of 256 events", n)
			}
			for _, d := range h.loop.figures().Daemons {
				if d.Events < 201 {
					t.Errorf("only %d events: %+v", d.Events, d)
				}
			}
			if name == "to the broker" && sent == 0 {
				t.Error("nothing was sent")
			}
		})
	}
}
